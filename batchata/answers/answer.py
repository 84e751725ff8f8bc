"""What a citation is: one place in a source, in one shape for the API's five kinds of locations."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import Any, Protocol

import msgspec

_API_NAMES = {
    "start_content_block_index": "start_block_index",
    "end_content_block_index": "end_block_index",
    "title_": "title",
}


CITED = "cited"


class Citation(msgspec.Struct, frozen=True, gc=False, rename=_API_NAMES):
    """One place in a source that supports a text, as the API gave it.

        for citation in item.cited("total"):
            print(citation.pages, citation.cited_text, citation.supports)

    Page numbers are 1-based, character and block indexes 0-based, and every end is exclusive: a citation of
    page 5 alone runs from 5 to 6, and `pages` gives (5, 5) for people. Indexes of characters count code
    points of the document's text. What does not apply to the `type` is None.

    `type` is char_location, page_location, content_block_location, search_result_location or
    web_search_result_location. `document_index` counts the documents of the request from 0, over all its
    messages; `search_result_index` counts its search results. `document_title` is the title of the document
    or search result; for a file it is the file's name. `source` is a search result's, `url` a web page's.

    `grounded` says whether the cited text stands in the source at the place that is named: True or False for
    the texts, PDFs, custom contents and search results that the log or its files hold, None where that
    cannot be told (a URL, an uploaded file, a web page, a scan without text, a file changed since).

    `checked_at` is None where that was looked up now. Where the document is not there any more, or is another
    one, `grounded` is what was found when the answer was collected, and this is when (ISO 8601, UTC).

    `kind` is "cited" where the provider gave the citation, and "located" where it gives none of documents:
    then the model was asked to quote, and the place is where its quote was found, if it was.

    `supports` says whether the cited text states the value of the field that it is cited for: True where the
    value stands in it in some notation, False where it states another value or none, None where that cannot
    be told (a boolean, a composed text, a date or number of two readings, a citation of no field).

    Source: Anthropic's citations documentation.
    """

    type: str = ""
    cited_text: str = ""
    document_index: int | None = None
    document_title: str | None = None
    start_page_number: int | None = None
    end_page_number: int | None = None
    start_char_index: int | None = None
    end_char_index: int | None = None
    start_content_block_index: int | None = None
    end_content_block_index: int | None = None
    source: str | None = None
    url: str | None = None
    search_result_index: int | None = None
    grounded: bool | None = None
    checked_at: str | None = None
    supports: bool | None = None
    file_id: str | None = None
    encrypted_index: str | None = None
    kind: str = CITED
    title_: str | None = None  # as the API calls the title of a search result; moved to `document_title`

    def __post_init__(self) -> None:
        if self.title_ is not None:
            msgspec.structs.force_setattr(self, "document_title", self.title_)
            msgspec.structs.force_setattr(self, "title_", None)

    def __repr__(self) -> str:
        return f"Citation({', '.join(f'{name}={value!r}' for name, value in self.as_dict().items())})"

    @property
    def pages(self) -> tuple[int, int] | None:
        """First and last page cited, both included; None where the source has no pages."""
        if self.start_page_number is None or self.end_page_number is None:
            return None
        return self.start_page_number, max(self.start_page_number, self.end_page_number - 1)

    def as_dict(self) -> dict[str, Any]:
        """Return the citation as JSON values under these names, without None, and without the usual kind."""
        found = {name: value for name in _NAMES if (value := getattr(self, name)) is not None}
        return found if self.kind == CITED else found | {"kind": self.kind}


class Unasked(Protocol):
    """A value of `supports` that is computed when it is first asked for."""

    def told(self) -> bool | None:
        """Compute the answer."""
        ...


# Whether a passage supports a value is told when it is asked for: most who read results never ask, and it
# would cost them more than the reading. Until then the field holds an `Unasked`.
_SUPPORTS: Any = vars(Citation)["supports"]


def _supports(citation: Citation) -> Any:
    """Return whether the passage supports the value, and remember the answer."""
    said = _SUPPORTS.__get__(citation, Citation)
    if said is None or said is True or said is False:
        return said
    said = said.told()
    _SUPPORTS.__set__(citation, said)
    return said


setattr(Citation, "supports", property(_supports))  # noqa: B010 - to mypy it stays the field that it is


_NAMES = tuple(name for name in Citation.__struct_fields__ if name not in ("title_", "kind"))


def from_dict(value: dict[str, Any]) -> Citation:
    """Read a citation from the API's object or from the output of `as_dict`."""
    return msgspec.convert({_API_NAMES.get(key, key): item for key, item in value.items()}, Citation)


_encode: Callable[[Any], bytes] = msgspec.json.Encoder(decimal_format="number").encode


CALL = "tool_use"  # the type of a block, and the stop reason, of an answer that calls a tool


class Block(msgspec.Struct, gc=False):
    """One content block of type text or tool call; other types are left out.

    `id`, `name` and `input` are those of a call; numbers in `input` may be Decimals, for their digits.
    """

    type: str
    text: str | None = None
    citations: list[Citation] | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


def joined_text(blocks: list[Block]) -> str:
    """Return the text of the answer.

    Blocks are recognised by type, never by place: newer models begin with a thinking block.
    """
    return "".join([block.text for block in blocks if block.type == "text" and block.text])


def has_calls(blocks: list[Block]) -> bool:
    """Return whether the answer calls tools of the caller's; tools that the service runs do not count."""
    return CALL in [block.type for block in blocks]


def calls_as_text(blocks: list[Block]) -> list[Block]:
    """Return the blocks with the input of each call as text: a value may be given in either."""
    found: list[Block] = []
    for block in blocks:
        if block.type != CALL:
            found.append(block)
            continue
        is_alone = not any(other.type == "text" and other.text for other in found)
        found.append(Block("text", ("" if is_alone else "\n") + _encode(block.input).decode()))
    return found


def with_calls(blocks: list[Block]) -> dict[str, Any]:
    """Return the answer as text and calls: `{"text", "tool_calls": [{"id", "name", "input"}]}`."""
    calls = [
        {"id": block.id, "name": block.name, "input": _plain(block.input)}
        for block in blocks
        if block.type == CALL
    ]
    return {"text": joined_text(blocks), "tool_calls": calls}


def is_with_calls(value: Any) -> bool:
    """Return whether a result has the shape that `with_calls` returns."""
    return (
        isinstance(value, dict) and value.keys() == {"text", "tool_calls"} and isinstance(value["text"], str)
    )


def _plain(value: Any) -> Any:
    """Return the value as any JSON reader would give it."""
    if isinstance(value, Decimal):
        return float(value) if isfinite(float(value)) else str(value)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
