"""Translate the SDK's errors of a failed call to the Message Batches API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import anthropic
import httpx2
from anthropic.lib.credentials import WorkloadIdentityError

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
from batchata.providers.anthropic.refusals import is_about_money, is_about_schema, named_request
from batchata.providers.rest.access import Access, Sockets
from batchata.providers.rest.failures import (
    NO_REPLY,
    STATUS_WORDS,
    Cure,
    Effect,
    NoReply,
    check_model,
    effect_of,
    refuses_tls,
    verdict_of,
)
from batchata.providers.rest.replies import asked_pause

__all__ = ["Calls"]


_NO_REPLY: Final[dict[type[BaseException], NoReply]] = {
    **NO_REPLY,
    anthropic.CredentialsError: NoReply(left=False, cure=Cure.SETUP),
    anthropic.AnthropicError: NoReply(left=True, cure=Cure.UNKNOWN),
}
_SPEND_CODES: Final = ("enforced_spend_limit_reached", "contract_spend_limit_reached")


@dataclass(frozen=True, slots=True)
class Calls:
    """Translates the errors of calls made with this access, to this URL (in its printable form)."""

    access: Access
    url: str
    sockets: Sockets

    @property
    def hint(self) -> str:
        """Return what to check when another program answers."""
        return f"is {self.access.address_name} the address of the Anthropic API? It is {self.url}"

    @contextmanager
    def translated(self, doing: str, *, creating: bool = False) -> Iterator[None]:
        """Run a call; what the SDK or its HTTP client raises comes out as an error of ours.

        With `creating`, failures that leave open whether the server acted become UnknownSubmissionError.
        """
        self.sockets.begin()
        try:
            yield
        except BatchataError:
            raise
        except anthropic.APIStatusError as exc:
            raise self._by_status(exc, doing, creating) from exc
        except anthropic.APIConnectionError as exc:
            raise self._by_cause(exc.__cause__ or exc, doing, creating, in_client=True) from exc
        except Exception as exc:  # the SDK raises bare errors too
            in_client = self.sockets.was_handed_over or isinstance(exc, httpx2.HTTPError | httpx2.StreamError)
            raise self._by_cause(exc, doing, creating, in_client=in_client) from exc

    def _by_cause(
        self, cause: BaseException, doing: str, creating: bool, *, in_client: bool
    ) -> BatchataError:
        if isinstance(cause, BatchataError):  # from a hook of ours, or a run that has ended
            return cause
        verdict = self._verdict(cause)
        left = verdict.left and in_client and not self.sockets.never_left
        text = f"{doing}: no answer ({self._what(cause)})"
        if verdict.cure is not Cure.WAITING:
            text += f"; {self._advice(cause)}"
        if creating and left:
            final = verdict.cure is not Cure.WAITING
            return UnknownSubmissionError(text, kind="no_answer", final=final)
        if verdict.cure is Cure.WAITING:
            return ProviderUnavailableError(text, kind="no_answer")
        if verdict.cure is Cure.SETUP or not left:
            return ConfigurationError(text)
        return UnreadableReplyError(text, kind="no_answer")

    def _verdict(self, cause: BaseException) -> NoReply:
        if isinstance(cause, WorkloadIdentityError):  # the exchange of a token, which comes before the call
            lasts = (
                cause.status_code is not None and 400 <= cause.status_code < 500 and cause.status_code != 429
            )
            return NoReply(left=False, cure=Cure.SETUP if lasts else Cure.WAITING)
        return verdict_of(cause, _NO_REPLY)

    def _what(self, cause: BaseException) -> str:
        name = type(cause).__name__
        if isinstance(cause, httpx2.LocalProtocolError | httpx2.InvalidURL | UnicodeError):
            return name  # its text quotes the header or the URL
        text = self.access.said(cause)
        return f"{name}: {text}" if text else name

    def _advice(self, cause: BaseException) -> str:
        if isinstance(cause, httpx2.ProxyError):
            return "check the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names"
        if isinstance(cause, httpx2.LocalProtocolError | UnicodeError):
            suspects = f"the key, ANTHROPIC_CUSTOM_HEADERS and {self.access.address_name}"
            return f"no request can carry it: check {suspects}"
        if isinstance(cause, anthropic.CredentialsError | WorkloadIdentityError):
            return "check the SDK's profile or identity token"
        if refuses_tls(cause):
            return (
                f"{self.url} cannot be trusted or speaks no TLS: is {self.access.address_name} right, and "
                "does SSL_CERT_FILE name the authority of your network?"
            )
        return self.hint

    def _by_status(self, exc: anthropic.APIStatusError, doing: str, creating: bool) -> ProviderError:
        status = exc.status_code
        if status // 100 == 3:
            return self._moved(exc, doing, creating)
        kind = exc.type if isinstance(exc.type, str) and exc.type.isidentifier() else f"http_{status}"
        said = self._said(exc)
        text = f"{doing}: HTTP {status} {kind}: {said}"
        is_spend = status == 402 or kind == "billing_error" or exc.error_code in _SPEND_CODES
        if is_spend or is_about_money(said):
            return SpendLimitError(text, kind="billing_error", status=status)
        if status in (401, 403):
            return self._refused_key(text, status, kind, said, creating)
        if status == 404:
            return self._not_found(exc, text, kind, creating)
        if status == 413:
            return RequestRefusedError(
                f"{doing}: HTTP 413: the job is larger than the API takes; lower items_per_job",
                kind="request_too_large",
                status=status,
            )
        return self._by_effect(exc, text, kind, creating)

    def _by_effect(
        self, exc: anthropic.APIStatusError, text: str, kind: str, creating: bool
    ) -> ProviderError:
        said = self._said(exc)
        status, headers = exc.status_code, exc.response.headers
        effect, pause = effect_of(status, headers), asked_pause(headers)
        if effect is Effect.REFUSED:
            advice = f"; {STATUS_WORDS[status]} (the address is {self.url})" if status in STATUS_WORDS else ""
            refused = RequestRefusedError(text + advice, kind=kind, status=status)
            refused.position = named_request(said) if creating else None
            refused.schema_refused = creating and kind == "invalid_request_error" and is_about_schema(said)
            return refused
        if effect is Effect.OPEN and creating:
            return UnknownSubmissionError(text, kind=kind, status=status)
        unavailable = RateLimitedError if status == 429 else ProviderUnavailableError
        return unavailable(text, kind=kind, status=status, retry_after=pause)

    def _refused_key(self, text: str, status: int, kind: str, said: str, creating: bool) -> ProviderError:
        key = self.access.key
        whose = "the SDK's credentials were" if key is None else f"the key in {key.name} was"
        told = f"{text.removesuffix(said)}{whose} refused by {self.url}: {said}"
        told += "; nothing was created or paid" if creating else ""
        return AuthenticationFailedError(told, kind=kind, status=status)

    def _not_found(
        self, exc: anthropic.APIStatusError, text: str, kind: str, creating: bool
    ) -> ProviderError:
        if creating:
            advice = check_model(exc.api_message) or self.hint
            return RequestRefusedError(f"{text}; {advice}", kind=kind, status=404)
        if exc.type != "not_found_error":  # this API would say so: nothing is known of the batch
            return UnreadableReplyError(text, kind="not_the_api", status=404)
        return BatchNotFoundError(text, kind=kind, status=404)

    def _moved(self, exc: anthropic.APIStatusError, doing: str, creating: bool) -> ProviderError:
        status = exc.status_code
        place = self.access.said(redacted(exc.response.headers.get("location", ""))) or "nowhere"
        text = (
            f"{doing}: HTTP {status}: redirected to {place}, which is not followed. If the API has moved "
            f"there, {self.access.address_name}, which is {self.url}, must name its new base"
        )
        if creating:  # it may have been done all the same
            return UnknownSubmissionError(text, kind="redirected", status=status, final=True)
        return RequestRefusedError(text, kind="redirected", status=status)

    def _said(self, exc: anthropic.APIStatusError) -> str:
        """Return the API's own sentence; a proxy's HTML page is not worth printing."""
        if isinstance(exc.body, dict) and exc.api_message:
            return self.access.said(exc.api_message)
        return (
            f"the answer was not the API's own; is {self.access.address_name} its address? It is {self.url}"
        )
