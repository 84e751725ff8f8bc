"""Speak to the program: records in the standard logging tree, and Python warnings.

Silent until the program listens; whatever its handlers raise, or a closed standard error, stops no run.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from batchata.errors import BatchataWarning

if TYPE_CHECKING:
    import structlog

logging.getLogger("batchata").addHandler(logging.NullHandler())

_OURS = str(Path(__file__).parent)
_PYTHONS = str(Path(logging.__file__).parents[1])  # its standard library


class _Said(dict[str, Any]):
    """An event's name, as "event", and its keys: text to a plain formatter, a dict to those for JSON."""

    def __str__(self) -> str:
        """Return the name, and the keys with their values."""
        keys = (f"{key}={value}" for key, value in self.items() if key != "event")
        return " ".join([self["event"], *keys])


def _to_record(logger: Any, method: str, event: MutableMapping[str, Any]) -> tuple[Any, ...]:
    """Return what the standard logger takes; keys are also the record's attributes.

    structlog's ProcessorFormatter takes the message as its own events by `_logger` and `_name`, and
    python-json-logger any message that is a dict.
    """
    keys = {key: value for key, value in event.items() if key != "event"}
    return (_Said(event),), {"extra": {**keys, "_logger": logger, "_name": method}}


def _guarded(level: str) -> Callable[..., None]:
    def say(self: _Careful, *args: Any, **given: Any) -> None:
        try:
            getattr(self.logger, level)(*args, **given)
        except Exception:  # noqa: BLE001 - what a stranger's handler raises is no reason to stop a run
            return

    return say


class _Careful:
    """A logger of the standard tree whose handlers and filters may fail."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger

    def __getattr__(self, name: str) -> Any:
        return getattr(self.logger, name)

    debug = _guarded("debug")
    info = _guarded("info")
    warning = _guarded("warning")
    error = _guarded("error")


class _Unspoken:
    """A logger that is made when it first has something to say: structlog takes long to import."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name == "info" and not is_heard(self._name):
            return _unheard
        return getattr(_logger(self._name), name)


def _unheard(*_args: object, **_given: object) -> None:
    """Say nothing: nothing listens."""


def get_logger(name: str = "batchata") -> structlog.stdlib.BoundLogger:
    """Return a structlog logger with a configuration of its own: the program's structlog stays as it is."""
    return cast("structlog.stdlib.BoundLogger", _Unspoken(name))


@cache
def _logger(name: str) -> structlog.stdlib.BoundLogger:
    import structlog

    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        _Careful(logging.getLogger(name)),
        processors=[structlog.stdlib.filter_by_level, _to_record],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return logger


def is_heard(name: str = "batchata") -> bool:
    """Whether the program listens to records; making them unheard costs more than asking."""
    return logging.getLogger(name).isEnabledFor(logging.INFO)


@contextmanager
def hushed(name: str) -> Iterator[None]:
    """Let only warnings of another library's logger through."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(max(before, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(before)


# Who called Batchata, where what is called goes on in a thread of its own: there the caller is out of sight.
_caller: ContextVar[_Caller | None] = ContextVar("_caller", default=None)


class _Caller(NamedTuple):
    """A line of the program, and the globals of its module."""

    file: str
    line: int
    names: dict[str, Any]


@contextmanager
def called_from_here() -> Iterator[None]:
    """Let warnings inside the block, and in threads that get its context, name the line that called now."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - as warnings and logging find a caller
    while frame is not None and _is_inner(frame.f_code.co_filename):
        frame = frame.f_back
    found = frame and _Caller(frame.f_code.co_filename, frame.f_lineno, frame.f_globals)
    token = _caller.set(found)
    try:
        yield
    finally:
        _caller.reset(token)


def _is_inner(file: str) -> bool:
    return file.startswith(_OURS) or (file.startswith(_PYTHONS) and "site-packages" not in file)


def _warn_at(caller: _Caller, message: str, category: type[BatchataWarning]) -> None:
    file, line, names = caller
    registry = names.setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, category, file, line, names.get("__name__"), registry)


def warn(message: str, category: type[BatchataWarning]) -> None:
    """Give a Python warning that names the line of the program which called Batchata.

    Raises the warning itself where the program has made warnings errors, and nothing else.
    """
    try:
        if (caller := _caller.get()) is not None:
            _warn_at(caller, message, category)
        else:
            warnings.warn(message, category, skip_file_prefixes=(_OURS,))
    except Warning:
        raise
    except Exception:  # noqa: BLE001 - nowhere to say it; that is no reason to stop
        return
