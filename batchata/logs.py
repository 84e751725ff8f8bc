"""Batchata's logger: structlog events through the standard logging tree, silent until the program listens."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog

logging.getLogger("batchata").addHandler(logging.NullHandler())


def _to_record(logger: Any, method: str, event: MutableMapping[str, Any]) -> tuple[Any, ...]:
    """The event's name and keys as the record's message, and the keys as attributes for JSON formatters."""
    name = event.pop("event")
    message = " ".join([name, *(f"{key}={value}" for key, value in event.items())])
    return (message,), {"extra": dict(event)}


def get_logger(name: str = "batchata") -> structlog.stdlib.BoundLogger:
    """A structlog logger whose configuration is its own: the program's structlog settings are not touched."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, _to_record],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return logger
