"""Choose our error for a failed HTTP call: the one place that decides whether a create may have acted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import httpx2

from batchata.core.error_kinds import NOT_FOUND, SPENT, TOO_LARGE
from batchata.errors import (
    AuthenticationFailedError,
    BatchataError,
    BatchNotFoundError,
    ConfigurationError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
    RequestRefusedError,
    SpendLimitError,
    UnknownSubmissionError,
    UnreadableReplyError,
)
from batchata.providers.address import redacted
from batchata.providers.rest.access import Access, Sockets
from batchata.providers.rest.failures import (
    STATUS_WORDS,
    Cure,
    Effect,
    Meanings,
    NoReply,
    Said,
    check_model,
    effect_of,
    refuses_tls,
    verdict_of,
)
from batchata.providers.rest.replies import asked_pause

__all__ = ["Creations", "Errors"]


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors for calls of a service with this access, to this URL (in its printable form).

    With `creating`, failures that leave open whether the server acted become UnknownSubmissionError.
    """

    service: Meanings
    access: Access
    url: str
    sockets: Sockets

    header_sources: ClassVar[str] = "the key"  # and the address: what a header that cannot be sent is made of

    @property
    def hint(self) -> str:
        """What to check when something else answers at the address."""
        return f"is {self.access.address_name} the address of {self.service.api}? It is {self.url}"

    def by_cause(
        self, cause: BaseException, doing: str, *, creating: bool, handed_over: bool
    ) -> BatchataError:
        """Return the error for a request without a reply; `handed_over`: it may have reached a socket."""
        if isinstance(cause, BatchataError):  # from a hook of ours, or a run that has ended
            return cause
        verdict = self.verdict(cause)
        left = verdict.left and handed_over and not self.sockets.never_left
        text = f"{doing}: no answer ({self._what(cause)})"
        if verdict.cure is not Cure.WAITING:
            text += f"; {self.advice(cause)}"
        if creating and left:
            return UnknownSubmissionError(text, kind="no_answer", final=verdict.cure is not Cure.WAITING)
        if verdict.cure is Cure.WAITING:
            return ProviderUnavailableError(text, kind="no_answer")
        if verdict.cure is Cure.SETUP or not left:
            return ConfigurationError(text)
        return UnreadableReplyError(text, kind="no_answer")

    def verdict(self, cause: BaseException) -> NoReply:
        """Judge whether a request that got no reply may have left, and what helps."""
        return verdict_of(cause)

    def advice(self, cause: BaseException) -> str:
        """Say what to check where waiting does not help."""
        if isinstance(cause, httpx2.ProxyError):
            return "check the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names"
        if isinstance(cause, httpx2.LocalProtocolError | UnicodeError):
            return f"no request can carry it: check {self.header_sources} and {self.access.address_name}"
        if refuses_tls(cause):
            return (
                f"{self.url} has a certificate that is not trusted, or does not speak TLS: is "
                f"{self.access.address_name} right, and "
                "does SSL_CERT_FILE name the authority of your network?"
            )
        return self.hint

    def _what(self, cause: BaseException) -> str:
        name = type(cause).__name__
        if isinstance(cause, httpx2.LocalProtocolError | httpx2.InvalidURL | UnicodeError):
            return name  # its text quotes the header or the URL
        text = self.access.said(cause)
        return f"{name}: {text}" if text else name

    def by_status(
        self, status: int, headers: Mapping[str, str], said: Said, doing: str, *, creating: bool
    ) -> ProviderError:
        """Return the error for an unsuccessful reply, of which the service makes this."""
        if status // 100 == 3:
            return self._moved(status, headers, doing, creating)
        kind = said.kind if said.kind and said.kind.isidentifier() else f"http_{status}"
        sentence = self._sentence(said)
        text = f"{doing}: HTTP {status} {kind}: {sentence}"
        if self.service.is_about_money(status, said):
            return SpendLimitError(text, kind=SPENT, status=status)
        if creating and self.service.is_passing(status, said):
            return ProviderUnavailableError(text, kind=said.code or kind, status=status)
        if self.service.is_about_key(status, said):
            told = f"{text.removesuffix(sentence)}{self.whose_key()} refused by {self.url}: {sentence}"
            told += "; nothing was created or paid" if creating else ""
            return AuthenticationFailedError(told, kind=kind, status=status)
        if status == 404:
            return self._not_found(said, text, kind, creating)
        if status == 413:
            return RequestRefusedError(
                f"{doing}: HTTP 413: the job is larger than the API takes; lower items_per_job",
                kind=TOO_LARGE,
                status=status,
            )
        return self._by_effect(status, headers, said, text, kind, creating)

    def _by_effect(
        self, status: int, headers: Mapping[str, str], said: Said, text: str, kind: str, creating: bool
    ) -> ProviderError:
        effect = effect_of(status, headers)
        if effect is Effect.REFUSED:
            advice = f"; {STATUS_WORDS[status]} (the address is {self.url})" if status in STATUS_WORDS else ""
            refused = RequestRefusedError(text + advice, kind=kind, status=status)
            if creating:
                self.note_refused(refused, said)
            return refused
        if effect is Effect.OPEN and creating:
            return UnknownSubmissionError(text, kind=kind, status=status)
        unavailable = RateLimitedError if status == 429 else ProviderUnavailableError
        pause = asked_pause(headers) or said.pause
        return unavailable(text, kind=kind, status=status, retry_after=pause)

    def note_refused(self, refused: RequestRefusedError, said: Said) -> None:
        """Note on the error of a refused create what the service says beyond its kind."""

    def whose_key(self) -> str:
        """Name the key that was refused, with its verb."""
        return "the key was" if self.access.key is None else f"the key in {self.access.key.name} was"

    def _not_found(self, said: Said, text: str, kind: str, creating: bool) -> ProviderError:
        if creating:
            advice = check_model(said.message) or self.hint
            return RequestRefusedError(f"{text}; {advice}", kind=kind, status=404)
        if not self.service.knows_not(said):  # the API would say so: nothing is known of the batch
            return UnreadableReplyError(text, kind="not_the_api", status=404)
        return BatchNotFoundError(text, kind=NOT_FOUND, status=404)

    def _moved(self, status: int, headers: Mapping[str, str], doing: str, creating: bool) -> ProviderError:
        place = self.access.said(redacted(headers.get("location", ""))) or "nowhere"
        text = (
            f"{doing}: HTTP {status}: redirected to {place}, which is not followed. If the API has moved "
            f"there, {self.access.address_name}, which is {self.url}, must name its new base"
        )
        if creating:  # it may have been done all the same
            return UnknownSubmissionError(text, kind="redirected", status=status, final=True)
        return RequestRefusedError(text, kind="redirected", status=status)

    def _sentence(self, said: Said) -> str:
        """Return the API's own sentence; a proxy's HTML page is not worth printing."""
        if said.message is None:
            return f"the answer was not the API's own; {self.hint}"
        return self.access.said(said.message)


class Creations:
    """Reads which batch a create made; several unreadable answers in a row are no accident."""

    def __init__(self) -> None:
        self._odd = 0

    @contextmanager
    def read(self) -> Iterator[None]:
        """Read a successful answer; where that fails, only a look at the provider tells what came of it."""
        try:
            yield
        except UnreadableReplyError as exc:
            self._odd += 1
            raise UnknownSubmissionError(
                f"creating a batch: {exc}", kind="unreadable_answer", final=self._odd > 1
            ) from exc
        self._odd = 0
