"""Judge what a failed HTTP call means, whichever provider it went to.

Two questions decide about every error: may the request have had an effect, and may waiting cure it?
`NO_REPLY` answers them for errors that brought no reply, `_BY_STATUS` for replies with a status. They are
tables, so that no class and no status is decided in passing.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

import httpx2

from batchata.providers.rest.replies import ReplyTooLargeError, asked_pause

__all__ = [
    "NO_REPLY",
    "STATUS_WORDS",
    "Cure",
    "Effect",
    "Meanings",
    "NoReply",
    "Said",
    "Service",
    "check_model",
    "effect_of",
    "refuses_tls",
    "verdict_of",
]


class Cure(Enum):
    """What helps against an error."""

    WAITING = auto()
    SETUP = auto()  # the user's: a variable, a certificate, a proxy
    UNKNOWN = auto()  # perhaps with those who run the address


@dataclass(frozen=True, slots=True)
class NoReply:
    """What an error without a reply means: whether the request may have left this machine, and the cure."""

    left: bool
    cure: Cure


# Looked up by the nearest class of the error's ancestry. Where it was seen that a request failed before it
# was sent (`Sockets.never_left`), it did not leave, whatever stands here.
NO_REPLY: Final[dict[type[BaseException], NoReply]] = {
    httpx2.ConnectError: NoReply(left=False, cure=Cure.WAITING),
    httpx2.ConnectTimeout: NoReply(left=False, cure=Cure.WAITING),
    httpx2.PoolTimeout: NoReply(left=False, cure=Cure.WAITING),
    httpx2.ProxyError: NoReply(left=False, cure=Cure.WAITING),  # but for what _PROXY_REFUSES
    httpx2.UnsupportedProtocol: NoReply(left=False, cure=Cure.SETUP),
    httpx2.InvalidURL: NoReply(left=False, cure=Cure.SETUP),
    httpx2.TimeoutException: NoReply(left=True, cure=Cure.WAITING),
    httpx2.NetworkError: NoReply(left=True, cure=Cure.WAITING),
    httpx2.RemoteProtocolError: NoReply(left=True, cure=Cure.UNKNOWN),  # but for what _BREAKS_OFF
    httpx2.LocalProtocolError: NoReply(left=True, cure=Cure.SETUP),  # mostly a header that cannot be sent
    httpx2.DecodingError: NoReply(left=True, cure=Cure.UNKNOWN),
    httpx2.TooManyRedirects: NoReply(left=True, cure=Cure.UNKNOWN),
    httpx2.CookieConflict: NoReply(left=True, cure=Cure.UNKNOWN),
    httpx2.StreamError: NoReply(left=True, cure=Cure.WAITING),  # the connection was closed under the call
    httpx2.HTTPError: NoReply(left=True, cure=Cure.WAITING),
    ReplyTooLargeError: NoReply(left=True, cure=Cure.UNKNOWN),
    ssl.SSLCertVerificationError: NoReply(left=True, cure=Cure.SETUP),
    UnicodeEncodeError: NoReply(left=False, cure=Cure.SETUP),  # a header that cannot be encoded
    UnicodeError: NoReply(left=True, cure=Cure.SETUP),  # a host name that cannot be
    OSError: NoReply(left=True, cure=Cure.WAITING),
    RuntimeError: NoReply(left=True, cure=Cure.WAITING),  # "the client has been closed", by a run that ends
    # ValueError, TypeError, AttributeError … out of the SDK
    Exception: NoReply(left=True, cure=Cure.UNKNOWN),
}
_TLS_OF_NONE: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
_BREAKS_OFF: Final = ("Server disconnected", "peer closed connection", "<ConnectionTerminated")
_PROXY_REFUSES: Final = ("400", "401", "403", "404", "405", "407", "451", "501")


class Effect(Enum):
    """What a status says about the effect of the request."""

    REFUSED = auto()  # nothing happened, and nothing would the next time
    PASSING = auto()  # nothing happened; later it may
    OPEN = auto()  # it may have happened; later there may be an answer


# Of what is not in it, 4xx is REFUSED and all else is OPEN: no other status says that nothing was done.
_BY_STATUS: Final = {
    408: Effect.OPEN,
    409: Effect.OPEN,
    425: Effect.PASSING,
    429: Effect.PASSING,
    460: Effect.OPEN,  # a load balancer's 499
    499: Effect.OPEN,
    501: Effect.REFUSED,
    505: Effect.REFUSED,
    506: Effect.REFUSED,
    508: Effect.REFUSED,
    510: Effect.REFUSED,
    511: Effect.REFUSED,  # a network that wants a login first
}
_MODEL: Final = re.compile(r"\bmodels?\b", re.IGNORECASE)
STATUS_WORDS: Final = {
    405: "nothing there accepts this kind of call",
    407: "the proxy asks for a user and a password: https://user:password@host in HTTPS_PROXY",
    426: "it requires https",
    431: "the headers are too large: check those that you add",
    451: "it is withheld there for legal reasons",
    501: "nothing there accepts this kind of call",
    511: "the network asks for a login first",
}


def verdict_of(cause: BaseException, table: Mapping[type[BaseException], NoReply] = NO_REPLY) -> NoReply:
    """Judge whether a request that got no reply may have left, and what helps."""
    if refuses_tls(cause) or (isinstance(cause, httpx2.ProxyError) and str(cause)[:3] in _PROXY_REFUSES):
        return NoReply(left=False, cure=Cure.SETUP)
    if isinstance(cause, httpx2.RemoteProtocolError) and str(cause).startswith(_BREAKS_OFF):
        return NoReply(left=True, cure=Cure.WAITING)
    return next(table[c] for c in type(cause).__mro__ if c in table)


def effect_of(status: int, headers: Mapping[str, str]) -> Effect:
    """Return what a reply of this status says about the effect of the request."""
    effect = _BY_STATUS.get(status, Effect.REFUSED if status // 100 == 4 else Effect.OPEN)
    retry = headers.get("x-should-retry")
    if effect is Effect.REFUSED and retry == "true":
        return Effect.PASSING
    if effect is Effect.PASSING and retry == "false" and asked_pause(headers) is None:
        return Effect.REFUSED
    return effect


def refuses_tls(cause: BaseException | None) -> bool:
    """Whether a certificate was not trusted, or the other side speaks no TLS: neither passes with time."""
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        if isinstance(cause, ssl.SSLError) and str(cause.reason).upper() in _TLS_OF_NONE:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def check_model(said: object) -> str | None:
    """Return what to check where a create found nothing and the API itself says that it is the model."""
    if not isinstance(said, str) or _MODEL.search(said) is None:
        return None
    return "check the model's name, and that this key may use it"


@dataclass(frozen=True, slots=True)
class Said:
    """What an error reply says; all None where it is not in the API's own form."""

    kind: str | None = None
    code: str | None = None
    message: str | None = None
    pause: float | None = None  # seconds to wait, where it asks for them in its body


class Meanings(Protocol):
    """What a service's errors mean beyond their status."""

    api: str  # as messages name it

    def is_about_money(self, status: int, said: Said) -> bool:
        """Whether the account may not spend any more."""
        ...

    def is_passing(self, status: int, said: Said) -> bool:
        """Whether a create may be taken later, although its status does not say so."""
        ...

    def is_about_key(self, status: int, said: Said) -> bool:
        """Whether the key is refused."""
        ...

    def knows_not(self, said: Said) -> bool:
        """Whether a 404 is the service's own word that no such thing exists."""
        ...


class Service(Meanings, Protocol):
    """A service whose error replies are read without an SDK."""

    def read(self, body: object) -> Said:
        """Return what the JSON of an error reply says."""
        ...
