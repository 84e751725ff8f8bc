"""What a failed call to the Message Batches API means: the SDK's errors in Batchata's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anthropic
import httpx2

from batchata.errors import (
    AuthenticationFailedError,
    BatchNotFoundError,
    ConfigurationError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
    RequestRefusedError,
    SpendLimitError,
    UnknownSubmissionError,
)

# The connection never stood, so nothing can have arrived.
_NEVER_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
_SPEND_CODES = ("enforced_spend_limit_reached", "contract_spend_limit_reached")
# A limit the user set in the Console is a plain 400 and told only by its text.
_SPEND_TEXTS = ("You have reached your specified API usage limits", "Your credit balance is too low")


@contextmanager
def translated(doing: str, *, creating: bool = False) -> Iterator[None]:
    """Run a call; what the SDK or its HTTP client raises comes out as a ProviderError.

    With `creating`, failures that leave open whether the server acted become UnknownSubmissionError.
    """
    try:
        yield
    except anthropic.APIStatusError as exc:
        raise _by_status(exc, doing, creating) from exc
    except anthropic.APIConnectionError as exc:
        raise _by_cause(exc.__cause__ or exc, doing, creating) from exc
    except httpx2.HTTPError as exc:
        raise _by_cause(exc, doing, creating) from exc
    except anthropic.CredentialsError as exc:
        raise ConfigurationError(f"{doing}: {exc}") from exc


def _by_cause(cause: BaseException, doing: str, creating: bool) -> ProviderError:
    what = f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
    if creating and not isinstance(cause, _NEVER_SENT):
        return UnknownSubmissionError(f"{doing}: no answer ({what})", kind="no_answer")
    return ProviderUnavailableError(f"{doing}: no answer ({what})", kind="no_answer")


def _by_status(exc: anthropic.APIStatusError, doing: str, creating: bool) -> ProviderError:
    status = exc.status_code
    kind = exc.type or f"http_{status}"
    said = _said(exc)
    text = f"{doing}: HTTP {status} {kind}: {said}"
    if status == 402 or exc.error_code in _SPEND_CODES or said.startswith(_SPEND_TEXTS):
        return SpendLimitError(text, kind="billing_error", status=status)
    if status in (401, 403):
        return AuthenticationFailedError(text, kind=kind, status=status)
    if status == 404:
        if creating:
            text += "; is ANTHROPIC_BASE_URL the address of the Anthropic API?"
            return RequestRefusedError(text, kind=kind, status=status)
        return BatchNotFoundError(text, kind=kind, status=status)
    if status == 413:
        return RequestRefusedError(
            f"{doing}: HTTP 413: the job is larger than the API takes; lower items_per_job",
            kind="request_too_large",
            status=status,
        )
    if status == 429:
        return RateLimitedError(text, kind=kind, status=status, retry_after=_retry_after(exc))
    if status in (408, 409) or status >= 500:
        return _temporary(exc, text, kind, creating)
    return RequestRefusedError(text, kind=kind, status=status)


def _temporary(exc: anthropic.APIStatusError, text: str, kind: str, creating: bool) -> ProviderError:
    if creating:
        return UnknownSubmissionError(text, kind=kind, status=exc.status_code)
    return ProviderUnavailableError(text, kind=kind, status=exc.status_code, retry_after=_retry_after(exc))


def _said(exc: anthropic.APIStatusError) -> str:
    """The API's own sentence; a proxy's HTML page is not worth printing."""
    if isinstance(exc.body, dict) and exc.api_message:
        return exc.api_message
    return "the answer was not the API's own; is ANTHROPIC_BASE_URL its address?"


def _retry_after(exc: anthropic.APIStatusError) -> float | None:
    try:
        return float(exc.response.headers["retry-after"])
    except (KeyError, ValueError):
        return None
