"""Check a provider's base URL, explain what is wrong with it, and name it without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from batchata.errors import ConfigurationError

__all__ = ["Address", "is_local", "read_address", "redacted"]

_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_LOGIN = re.compile(r"(?<=//)[^/?#]*@")
_EXTRA = re.compile(r"[?#].*", re.DOTALL)
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL that can be used. `name` is where it was found; `url` has no user and no password."""

    name: str
    url: str
    login: tuple[str, str] | None = field(default=None, repr=False)


def redacted(url: str) -> str:
    """Return the URL as it may be stored and shown: without user, password, query and fragment."""
    return _EXTRA.sub("?…", _LOGIN.sub("", url))[:_LONGEST]


def is_local(url: str) -> bool:
    """Whether the URL is one of this machine: the sandbox's, or a gateway's."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host in ("localhost", "::1") or host.startswith("127.")


def read_address(
    text: str, name: str, example: str, endpoint: re.Pattern[str], headers: str | None = None
) -> Address:
    """Read the base URL in the variable or argument of this name.

    `endpoint` is what calls append to it, and what people paste along with it. `headers` is the variable in
    which further headers can be given, if there is one.

    Raises ConfigurationError that says what is wrong with it, without quoting a secret in it.
    """
    fault = _fault(text, f"unset it or give one like {example}", endpoint, headers)
    if fault is not None:
        raise ConfigurationError(f"{name} {fault}")
    parts = urlsplit(text)
    login = None
    if "@" in parts.netloc:
        login = (unquote(parts.username or ""), unquote(parts.password or ""))
    return Address(name, redacted(text).rstrip("/"), login)


def _fault(text: str, example: str, ending: re.Pattern[str], headers: str | None) -> str | None:
    if not text.strip():
        return f"is blank; {example}"
    named = _named(text)
    if text != text.strip() or any(c.isspace() or not c.isprintable() for c in text):
        return f"is {named!r}, with blanks, line breaks or control characters in or around it; remove them"
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        return f"is {named}, with quotes around it; remove them"
    if not _SCHEME.match(text):
        return f"is {named!r}, which is not an http(s) URL; {_with_a_scheme(named) or example}"
    if not _is_whole(text):
        return f"is {named!r}, which is not an http(s) URL; {example}"
    if _EXTRA.search(text):
        return (
            f"is {named!r}: a base URL cannot have a query or fragment, as a path is appended to it; "
            "remove it" + (f" (a token can be given as a header, in {headers})" if headers else "")
        )
    if endpoint := ending.search(urlsplit(text).path):
        cure = ending.sub("", named)
        return f"is {named!r}, but {endpoint[0]!r} is added to it for every call; give {cure}"
    return None


def _named(text: str) -> str:
    """Return a faulty URL for a message, without anything before the last @, which may be a password."""
    before, login, shown = text.rpartition("@")
    if login and "//" in before:
        shown = f"{before.partition('//')[0]}//{shown}"
    return _EXTRA.sub("?…", shown)[:_LONGEST]


def _with_a_scheme(named: str) -> str | None:
    host = named.partition("/")[0]
    if "://" in named or not re.fullmatch(r"[\w.-]+(:\d+)?", host):
        return None
    is_local = host.startswith(("localhost", "127.")) or ":" in host
    return f"did you mean {'http' if is_local else 'https'}://{named}?"


def _is_whole(text: str) -> bool:
    """Whether it has a host, and a valid port if any."""
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0) and "\\" not in text
    except ValueError:
        return False
