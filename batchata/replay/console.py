"""Share what every command needs: opening the log, and lines and columns that are never cut."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import batched
from textwrap import wrap

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from batchata.core.codec import EVENT_TYPES
from batchata.errors import InvalidInputError, LogError
from batchata.log import place_of, read_log
from batchata.log.port import Log
from batchata.text import clean, did_you_mean, number_of

_LABEL = 12
_TOGETHER = 1_000  # lines
_UNBOUNDED = 1_000_000

type Row = Sequence[str]


_MOST_NAMES = 20


class Paper:
    """Writes to standard output; in a pipe without COLUMNS, lines may have any length.

    Everything printed is a Text, and so literal: rich reads markup and emoji codes only in strings.
    """

    def __init__(self) -> None:
        self._console = Console()
        bounded = self._console.is_terminal or "COLUMNS" in os.environ
        self.width = self._console.width if bounded else _UNBOUNDED

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line, whatever its length."""
        self._print(Text(text, style))

    def field(self, label: str, text: str, style: str = "") -> None:
        """Print a labelled text, wrapped between words beside its label."""
        beside = max(self.width - _LABEL, 20)
        for position, part in enumerate(wrap(text, beside, break_long_words=False, break_on_hyphens=False)):
            head = label if position == 0 else ""
            self._print(Text.assemble((f"{head:<{_LABEL - 1}} ", "bold"), (part, style)))

    def literal(self, label: str, text: str) -> None:
        """Print a labelled line that keeps every blank and is never wrapped."""
        self._print(Text.assemble((f"{label:<{_LABEL - 1}} ", "bold"), text))

    def columns(self, lines: Sequence[str]) -> None:
        """Print aligned lines, the first of which are the heads."""
        self.line(lines[0], "bold")
        for some in batched(lines[1:], _TOGETHER):  # each print takes long, however short it is
            self.line("\n".join(some))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


def as_json(value: object) -> str:
    """Encode the value as one line of JSON, in ASCII: safe in every encoding and on every terminal."""
    text = msgspec.json.encode(value).decode()
    return text if text.isascii() else json.dumps(json.loads(text), separators=(",", ":"))


def print_json(value: object) -> None:
    """Print one JSON value, indented, in ASCII: safe in every encoding and on every terminal."""
    sys.stdout.write(msgspec.json.format(as_json(value), indent=2) + "\n")


def aligned(rows: Sequence[Row], right: Collection[int] = ()) -> list[str]:
    """Return the rows as lines with aligned columns; `right` are the positions of number columns."""
    # Not rich's Table: that folds or crops what is too wide, and ids must stay whole.
    widths = [max(map(cell_len, cells)) for cells in zip(*rows, strict=True)]
    return ["  ".join(_cells(row, widths, right)).rstrip() for row in rows]


def _cells(row: Row, widths: Sequence[int], right: Collection[int]) -> Iterator[str]:
    for position, (cell, width) in enumerate(zip(row, widths, strict=True)):
        space = " " * (width - cell_len(cell))
        yield space + cell if position in right else cell + space


@contextmanager
def reading(path: str, *, moving: bool = False, files: Sequence[str] | None = None) -> Iterator[Log]:
    """Open the log for reading only: as it is now to the end of the block, or, if `moving`, as it grows.

    `files` are folders in which documents of its items may be now.

    Raises LogError, also when no run has begun in it yet.
    """
    if files:
        from batchata.replay.documents import with_documents  # with all that reads inputs
    log = read_log(path)
    try:
        if not log.streams():
            raise LogError(log.no_run_yet())
        with nullcontext(log) if moving else log.snapshot() as seen:
            yield with_documents(seen, files) if files else seen
    finally:
        log.close()


def the_run(log: Log, path: str, run_id: str | None) -> str:
    """Return the run of this name, or the only one.

    Raises InvalidInputError, which names the runs there are.
    """
    runs = log.streams()
    if run_id is None and len(runs) == 1:
        return runs[0]
    if run_id in runs:
        return run_id
    if run_id is not None:
        raise InvalidInputError(f"{place_of(path)} holds no run {run_id!r}, but {_names(runs)}")
    raise InvalidInputError(
        f"{place_of(path)} holds {len(runs)} runs; choose one (--run, in Python run_id): {_names(runs)}"
    )


def check_types(names: Iterable[str]) -> None:
    """Raise InvalidInputError for a name that no event has, with those there are."""
    unknown = [name for name in names if name not in EVENT_TYPES]
    if unknown:
        meant = did_you_mean(unknown[0], EVENT_TYPES, cutoff=0.8)
        raise InvalidInputError(
            f"no event type {unknown[0]!r}; {meant or 'the types are: ' + ', '.join(EVENT_TYPES)}"
        )


def _names(runs: list[str]) -> str:
    names = ", ".join(map(clean, runs[:_MOST_NAMES]))
    more = len(runs) - _MOST_NAMES
    return names if more <= 0 else f"{names}, and {number_of(more, 'more', 'more')} (show lists them)"
