"""Open and set up a connection to a PostgreSQL database, and translate its errors."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from batchata.errors import ConfigurationError, InvalidInputError, LogConflictError, LogError, LogWriteError
from batchata.log.postgres.address import Address

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
except ImportError as exc:
    raise ConfigurationError("a log in PostgreSQL needs psycopg: pip install 'batchata[postgres]'") from exc

type Connection = psycopg.Connection[tuple[Any, ...]]

# What the URL does not say. A server or a host that vanishes without a word is noticed in about a minute.
_DEFAULTS = {
    "connect_timeout": "10",
    "fallback_application_name": "batchata",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
# Settings of a session, where the server knows them. A role's limits would end a run in its middle.
# The keepalives free the claim of a host that vanished. A commit is durable when it is acknowledged.
_SETTINGS = """
    SELECT set_config(name, wanted, false) FROM pg_settings JOIN (VALUES
        ('statement_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),
        ('idle_session_timeout', '0'), ('transaction_timeout', '0'), ('lock_timeout', '30s'),
        ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3')
    ) AS ours (name, wanted) USING (name)
    UNION ALL
    SELECT set_config(name, 'on', false) FROM pg_settings
    WHERE name = 'synchronous_commit' AND setting = 'off'
    UNION ALL
    SELECT set_config('default_transaction_read_only', 'on', false) WHERE %s
"""

_PAUSES = (0.05, 0.1, 0.2)  # seconds before the first attempts to connect again
_PAUSE = 0.5  # and before each further one

_open: weakref.WeakSet[Connection] = weakref.WeakSet()


def _let_go() -> None:
    """Leave the connections to the parent: a child that lives on would keep a dead parent's claim."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for connection in [*_open]:
        if not connection.closed:
            os.dup2(nowhere, connection.fileno())  # the number stays taken, for what still refers to it
    os.close(nowhere)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def connect(address: Address, *, writes: bool) -> Connection:
    """Open a connection whose statements are transactions of their own."""
    try:
        wanted: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(address.url), "client_encoding": "utf8"}
    except psycopg.Error:  # its message repeats pieces of the URL
        raise InvalidInputError(
            f"{address.place} has a setting after its ? that PostgreSQL's client does not know, or a % that "
            "is not the beginning of a percent-encoded character (% itself is %25)"
        ) from None
    with translated(address.place, "cannot be opened"):
        connection: Connection = psycopg.connect(make_conninfo(**wanted), autocommit=True)
        _open.add(connection)
        try:
            connection.execute(_SETTINGS, (not writes,))
        except BaseException:
            connection.close()
            raise
    return connection


def attempts(patience: int) -> Iterator[None]:
    """Pause before each attempt to reach a server that went away, for so many seconds."""
    pauses = iter(_PAUSES)
    end = time.monotonic() + patience
    while time.monotonic() <= end:
        time.sleep(next(pauses, _PAUSE))
        yield


def stayed_away(address: Address, failed: str) -> str:
    """Say that all these attempts failed."""
    return (
        f"{address.place} {failed}: the server went away and did not come back within "
        f"{address.patience:g} s; start again when it is there"
    )


# By the start of SQLSTATE, most specific first.
_MEANINGS: tuple[tuple[str, type[LogError], str], ...] = (
    ("23", LogConflictError, "another process appended to this run in {place}; this append was not written"),
    (
        "53100",
        LogWriteError,
        "{place} cannot be written: the server's disk is full; make room and start again",
    ),
    ("53300", LogError, "{place} cannot be opened: the server has no connection left; raise max_connections"),
    ("25006", LogWriteError, "{place} cannot be written: the database is read-only; give the primary server"),
    (
        "42501",
        LogWriteError,
        "{place}: the user lacks a right ({error}); grant it, or give a database or schema of its own",
    ),
    ("55P03", LogWriteError, "{place} is locked by another program; end that and start again"),
    ("3F000", LogWriteError, "{place} has no schema for the tables: create the one that search_path names"),
)


def meaning(error: psycopg.Error, place: str, failed: str) -> LogError:
    """Return the error to raise for an error of PostgreSQL; its message has neither a password nor data."""
    said = error.diag.message_primary or str(error).strip().split("\n", 1)[0]
    for prefix, kind, message in _MEANINGS:
        if (error.sqlstate or "").startswith(prefix):
            return kind(message.format(place=place, error=said))
    kind = LogWriteError if failed == WRITTEN else LogError
    return kind(f"{place} {failed} ({said}); check that the server runs, and the address, user and password")


READ, WRITTEN = "cannot be read", "cannot be written"


@contextmanager
def translated(place: str, failed: str) -> Iterator[None]:
    """Turn errors of psycopg inside the block into errors about the log."""
    try:
        yield
    except psycopg.Error as exc:
        # Not `from exc`: what the server says further on, and a traceback would print, holds rows of the log.
        raise meaning(exc, place, failed) from None
