"""Write text to the terminal or into a pipe: labelled lines and columns, never cut off."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from textwrap import wrap

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_LABEL = 12
_UNBOUNDED = 1_000_000

type Row = Sequence[str]


class Paper:
    """Writes to standard output; in a pipe without COLUMNS, lines are as long as they need to be.

    Everything printed is a Text, and so literal: rich reads markup and emoji codes only in strings.
    """

    def __init__(self) -> None:
        self._console = Console()
        bounded = self._console.is_terminal or "COLUMNS" in os.environ
        self.width = self._console.width if bounded else _UNBOUNDED

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line, as long as it is."""
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
        for line in lines[1:]:
            self.line(line)

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
