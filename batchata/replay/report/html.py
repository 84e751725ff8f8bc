"""HTML out of texts that nobody has looked at: everything that goes in is escaped here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import NewType

from batchata.text import clean, iso, moment

Html = NewType("Html", str)


def text(value: object) -> Html:
    """The text as it is, whatever it holds; invisible and control characters as visible escapes."""
    return Html(escape(clean(str(value))))


def lines(value: str) -> Html:
    """A text of several lines, each made harmless by itself."""
    return Html("\n".join(escape(clean(line)) for line in value.replace("\r\n", "\n").split("\n")))


def join(parts: Iterable[Html], between: str = "") -> Html:
    """The parts one after the other."""
    return Html(between.join(parts))


def tag(name: str, content: Html | None = None, /, **attributes: object) -> Html:
    """An element; `class_` stands for class and `data_x` for data-x, None leaves an attribute out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if content is None else f"{content}</{name}>"
    return Html(f"<{name}{written}>{end}")


def time(at: int | None) -> Html:
    """A time in UTC, which the page shows in the reader's zone on request."""
    return text("-") if at is None else tag("time", text(moment(at)), datetime=iso(at))


def table(heads: list[str], rows: Iterable[list[Html]], numbers: tuple[int, ...] = ()) -> Html:
    """A table, in a frame that scrolls where the screen is narrow; `numbers` are columns of figures."""

    def cell(name: str, column: int, content: Html) -> Html:
        scope = "col" if name == "th" else None
        return tag(name, content, scope=scope, class_="number" if column in numbers else None)

    head = join(cell("th", column, text(words)) for column, words in enumerate(heads))
    body = join(
        tag("tr", join(cell("td", column, content) for column, content in enumerate(row))) for row in rows
    )
    return tag(
        "div", tag("table", Html(f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>")), class_="wide"
    )
