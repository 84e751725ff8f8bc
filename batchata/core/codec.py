"""Turn events into rows and rows into events: type name, schema version and JSON.

An old row is never rewritten: it is decoded in its old shape and lifted, one version at a time, by an
upcaster. A type or version that this library does not know is an error, never a skip.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, cast

import msgspec

from batchata.core import events
from batchata.core.events import Event
from batchata.core.pages import Entry, Page
from batchata.errors import LogError, LogVersionError

type Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

EVENT_TYPES: dict[str, type[Event]] = {
    cls.TYPE: cls
    for cls in vars(events).values()
    if isinstance(cls, type) and issubclass(cls, Event) and cls is not Event
}

# (type, old schema version) -> a function from the old JSON object to that of the next version.
UPCASTERS: dict[tuple[str, int], Upcaster] = {}


def _plain(value: object) -> str:
    """Return a text of a subclass of str, such as an enum's member, as a plain str."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{type(value).__name__} is unsupported")


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def encode(entry: Entry) -> str:
    """Encode the event or page as a compact JSON object.

    Raises LogError for an event that could not be read again, such as one with True for a number: written, it
    would be damage that makes the whole run unreadable. Pages are made of what was read already.
    """
    try:
        data = _encoder.encode(entry).decode()
        if type(entry) is not Page:
            decoder(entry.TYPE, entry.SCHEMA)(data)
    except (TypeError, msgspec.ValidationError) as exc:
        raise LogError(f"{entry.TYPE} was not written, as it could not be read again: {exc}") from exc
    return data


@cache
def decoder(type_name: str, schema: int) -> Callable[[str | bytes], Entry]:
    """Return the function that turns stored JSON of this type and version into today's event or page.

    Raises LogVersionError when this library does not know the type or version.
    """
    cls = Page if type_name == Page.TYPE else EVENT_TYPES.get(type_name)
    if cls is None or schema > cls.SCHEMA:
        raise LogVersionError(
            f"the log holds an event {type_name!r} (schema {schema}) that this version of Batchata does not "
            "know; read it with a newer one"
        )
    if schema == cls.SCHEMA:
        return cast("Callable[[str | bytes], Entry]", msgspec.json.Decoder(cls).decode)
    return _lifting_decoder(cls, schema)


def _lifting_decoder(cls: type[Entry], schema: int) -> Callable[[str | bytes], Entry]:
    chain = [UPCASTERS[cls.TYPE, step] for step in range(schema, cls.SCHEMA)]

    def decode(data: str | bytes) -> Entry:
        value = msgspec.json.decode(data)
        for upcast in chain:
            value = upcast(value)
        return msgspec.convert(value, cls)

    return decode


def hot_columns(entry: Entry) -> tuple[int | None, int | None]:
    """Return the job number and item index that an event names, for the log's columns of that name.

    A page names a job, and no item by itself.
    """
    if type(entry) is Page:
        return entry.job, None
    return getattr(entry, "job", None), getattr(entry, "index", None)
