"""Tell the URL of a PostgreSQL database from a path, and name it without its password."""

from __future__ import annotations

import re
from typing import NamedTuple

from batchata.errors import InvalidInputError

_WORDS = r"(?:host|hostaddr|port|user|password|dbname|service)\s*="  # as libpq has it: "host=… user=…"
_ANY = re.compile(rf"\s*(?:\w[\w+.-]*://|(?:jdbc:)?postgres(?:ql)?:|{_WORDS}\S*\s+{_WORDS})", re.IGNORECASE)
# As libpq takes it, but that @ / ? and blanks inside a part must be percent-encoded: else a piece of a
# password would be taken for a host, and shown in a message.
_URL = re.compile(
    r"(?P<scheme>postgres(?:ql)?://)(?:(?P<user>[^@/?:\s]*)(?P<password>:[^@/?\s]*)?@)?"
    r"(?P<hosts>[^@/?\s]*)(?P<database>/[^@/?\s]*)?(?:\?(?P<settings>[^@?\s]*))?"
)
_HOSTS = re.compile(
    r"(?:(?:\[[0-9A-Fa-f:.%]*\]|[^:,\[\]]*)(?::\d*)?)(?:,(?:\[[0-9A-Fa-f:.%]*\]|[^:,\[\]]*)(?::\d*)?)*"
)
_PATIENCE = re.compile(r"(?:^|&)connect_timeout=([1-9]\d{0,5})(?:&|$)")
_USUAL_PATIENCE = 30
_SHOWN = ("host", "port", "dbname", "user", "options", "service")


class Address(NamedTuple):
    """Where a database is: the URL as given, and its name in messages, which has no password."""

    url: str
    place: str
    patience: int  # seconds to wait for a server that went away


def is_address(path: str) -> bool:
    """Whether this is meant as the address of a database, not as the path of a file."""
    return _ANY.match(path) is not None


def address(path: str) -> Address:
    """Return the address that a URL gives.

    Raises InvalidInputError, which does not repeat what it cannot tell the password in.
    """
    found = _URL.fullmatch(path)
    if found is None or not _HOSTS.fullmatch(found["hosts"]):
        raise InvalidInputError(
            "the log's address is not the URL of a PostgreSQL database (nor the path of a file): write "
            "postgresql://user@host:5432/database, as text, without anything before or behind it, and with "
            "blanks and the characters @ : / ? % inside of a part percent-encoded (@ is %40)"
        )
    settings = [each for each in (found["settings"] or "").split("&") if each.split("=")[0] in _SHOWN]
    user = f"{found['user']}@" if found["user"] else ""
    asked = f"?{'&'.join(settings)}" if settings else ""
    place = f"{found['scheme']}{user}{found['hosts']}{found['database'] or ''}{asked}"
    patience = _PATIENCE.search(found["settings"] or "")
    return Address(path, place, int(patience[1]) if patience else _USUAL_PATIENCE)
