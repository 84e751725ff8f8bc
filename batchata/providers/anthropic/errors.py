"""Translate the SDK's errors of a failed call to the Message Batches API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import anthropic
import httpx2
from anthropic.lib.credentials import WorkloadIdentityError

from batchata.core.error_kinds import INVALID, NOT_FOUND, SPENT
from batchata.errors import BatchataError, RequestRefusedError
from batchata.providers.anthropic.refusals import is_about_money, is_about_schema, named_request
from batchata.providers.rest.errors import Errors
from batchata.providers.rest.failures import NO_REPLY, Cure, NoReply, Said, verdict_of

__all__ = ["MESSAGES", "Calls"]


_NO_REPLY: Final[dict[type[BaseException], NoReply]] = {
    **NO_REPLY,
    anthropic.CredentialsError: NoReply(left=False, cure=Cure.SETUP),
    anthropic.AnthropicError: NoReply(left=True, cure=Cure.UNKNOWN),
}
_SPEND_CODES: Final = ("enforced_spend_limit_reached", "contract_spend_limit_reached")


class _Messages:
    """What the error replies of the Message Batches API say, as the SDK reads them."""

    api = "the Anthropic API"

    def is_about_money(self, status: int, said: Said) -> bool:
        """See the port of REST services."""
        is_spend = status == 402 or said.kind == SPENT or said.code in _SPEND_CODES
        return is_spend or is_about_money(said.message or "")

    def is_passing(self, status: int, said: Said) -> bool:
        """See the port of REST services: each status says so itself."""
        return False

    def is_about_key(self, status: int, said: Said) -> bool:
        """See the port of REST services."""
        return status in (401, 403)

    def knows_not(self, said: Said) -> bool:
        """See the port of REST services."""
        return said.kind == NOT_FOUND


MESSAGES: Final = _Messages()


class Calls(Errors):
    """Translates what the SDK raises in calls made with this access, to this URL (in its printable form)."""

    __slots__ = ()
    header_sources = "the key, ANTHROPIC_CUSTOM_HEADERS"

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
            headers = exc.response.headers
            raise self.by_status(exc.status_code, headers, _said(exc), doing, creating=creating) from exc
        except anthropic.APIConnectionError as exc:
            cause = exc.__cause__ or exc
            raise self.by_cause(cause, doing, creating=creating, handed_over=True) from exc
        except Exception as exc:  # the SDK raises bare errors too
            left = self.sockets.was_handed_over or isinstance(exc, httpx2.HTTPError | httpx2.StreamError)
            raise self.by_cause(exc, doing, creating=creating, handed_over=left) from exc

    def verdict(self, cause: BaseException) -> NoReply:
        """Judge the exchange of a token too, which precedes the call."""
        if isinstance(cause, WorkloadIdentityError):
            lasts = (
                cause.status_code is not None and 400 <= cause.status_code < 500 and cause.status_code != 429
            )
            return NoReply(left=False, cure=Cure.SETUP if lasts else Cure.WAITING)
        return verdict_of(cause, _NO_REPLY)

    def advice(self, cause: BaseException) -> str:
        """Say what to check, including the SDK's credentials."""
        if isinstance(cause, anthropic.CredentialsError | WorkloadIdentityError):
            return "check the SDK's profile or identity token"
        return super().advice(cause)

    def whose_key(self) -> str:
        """Name the key, or what the SDK uses in its place."""
        return "the SDK's credentials were" if self.access.key is None else super().whose_key()

    def note_refused(self, refused: RequestRefusedError, said: Said) -> None:
        """Note which request the refusal names, and whether it is about the schema."""
        sentence = self.access.said(said.message or "")
        refused.position = named_request(sentence)
        refused.schema_refused = said.kind == INVALID and is_about_schema(sentence)


def _said(exc: anthropic.APIStatusError) -> Said:
    message = exc.api_message if isinstance(exc.body, dict) else None
    kind = exc.type if isinstance(exc.type, str) else None
    return Said(kind, exc.error_code, str(message) if message else None)
