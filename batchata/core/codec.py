"""Turn events into rows and rows into events: type name, schema version and JSON.

An old row is never rewritten: it is decoded in its old shape and lifted, one version at a time, by an
upcaster. A type or version that this library does not know is an error, never a skip.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from batchata.core import events
from batchata.core.events import Event
from batchata.errors import LogVersionError

type Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

EVENT_TYPES: dict[str, type[Event]] = {
    cls.TYPE: cls
    for cls in vars(events).values()
    if isinstance(cls, type) and issubclass(cls, Event) and cls is not Event
}

# (type, old schema version) -> a function from the old JSON object to that of the next version.
UPCASTERS: dict[tuple[str, int], Upcaster] = {}

_encoder = msgspec.json.Encoder()


def encode(event: Event) -> str:
    """Encode the event as a compact JSON object."""
    return _encoder.encode(event).decode()


@cache
def decoder(type_name: str, schema: int) -> Callable[[str | bytes], Event]:
    """Return the function that turns stored JSON of this type and schema version into today's event.

    Raises LogVersionError when this library does not know the type or version.
    """
    cls = EVENT_TYPES.get(type_name)
    if cls is None or schema > cls.SCHEMA:
        raise LogVersionError(
            f"the log holds an event {type_name!r} (schema {schema}) that this version of Batchata does not "
            "know; read it with a newer one"
        )
    if schema == cls.SCHEMA:
        return msgspec.json.Decoder(cls).decode
    return _lifting_decoder(cls, schema)


def _lifting_decoder(cls: type[Event], schema: int) -> Callable[[str | bytes], Event]:
    chain = [UPCASTERS[cls.TYPE, step] for step in range(schema, cls.SCHEMA)]

    def decode(data: str | bytes) -> Event:
        value = msgspec.json.decode(data)
        for upcast in chain:
            value = upcast(value)
        return msgspec.convert(value, cls)

    return decode


def hot_columns(event: Event) -> tuple[int | None, int | None]:
    """Return the job number and item index that an event names, for the log's columns of that name."""
    return getattr(event, "job", None), getattr(event, "index", None)
