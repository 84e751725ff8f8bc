"""Cite for providers without document citations: the model quotes, and the quotes are looked up.

The schema that is asked for holds the caller's own as `answer`, and beside it quotes: for each value the
words of the document that state it. Such a citation is of kind "located": it says where the quote stands,
which is not certainly where the model looked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from itertools import islice
from typing import Any, Final

import msgspec

from batchata.answers.answer import Block, Citation, joined_text
from batchata.answers.citations import value_spans
from batchata.answers.field_paths import ANYTHING
from batchata.answers.grounding import Blocks, Characters, Source, Sources, is_grounded
from batchata.answers.normalize import fold, fold_with_places

__all__ = ["LOCATED", "found_in", "looked_up", "quoted_schema", "with_citations"]

LOCATED: Final = "located"
_ANSWER: Final = "answer"
_QUOTES: Final = "quotes_from_the_documents"
_ASKED: Final = (
    "For every value of the answer that was taken from a document: `field` is its path in the answer, such "
    "as total or lines[2].price, and `quote` the words of the document that state it, copied character by "
    "character, as short as possible and long enough to be found."
)
_STEP: Final = re.compile(r"[^\W_](?:\w*[^\W_])?|\d+")
# A full stop in front may be that of a number.
_AROUND: Final = re.compile(
    r"""\A(?:[\s"'\u2018-\u201f\xab\xbb\u2026]|\.\.+)+|[\s"'\u2018-\u201f\xab\xbb\u2026.,;:]+\Z"""
)
_LEFT_OUT: Final = re.compile(r"\s*[\[(]?(?:\u2026|\.\s?\.\s?\.[.\s]*)[\])]?\s*")
_GOES_ON_BEFORE: Final = re.compile(r"[^\W_][^\W_]\Z|\d[.,']\d\Z")  # at the end a piece begins
_GOES_ON: Final = re.compile(r"[^\W_][^\W_]|\d[.,']\d")
_MOST_PIECES: Final = 5
_MOST_BETWEEN: Final = 400  # characters that dots in a quote may stand for
_MOST_PLACES: Final = 1_000  # of a piece that are looked at
_LEAST_OF_PIECE: Final = 3  # letters and digits; fewer stand anywhere
_LEAST_OF_ALL: Final = 10
_MOST_PAGES: Final = 3_000
_SEAM: Final = 1_000  # characters at both sides of a page's end
_PIPES: Final = re.compile(r"\s*\|\s*")
_DATE: Final = re.compile(
    r"(?<!\d)(?:\d{1,2}([./-])\d{1,2}\1(?:\d{4}|\d\d)|\d{4}([./-])\d{1,2}\2\d{1,2})(?!\d)", re.ASCII
)
_LONGEST_DATE: Final = 10  # characters
# Of cents of 00 a number loses nothing.
_REST_OF_NUMBER: Final = re.compile(r"(?![.,]00?(?!\d))[.,']?\d")
_WHOLE: Final = 1 << 40


type Place = dict[str, Any]  # the members of a citation that name it


def quoted_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an answer that fits this one, with quotes beside it."""
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    quote = {
        "type": "object",
        "properties": {"field": {"type": "string"}, "quote": {"type": "string"}},
        "required": ["field", "quote"],
        "additionalProperties": False,
    }
    whole = {
        "title": schema.get("title", "Answer"),
        "type": "object",
        "properties": {
            _ANSWER: inner,
            _QUOTES: {"type": "array", "description": _ASKED, "items": quote},
        },
        "required": [_ANSWER, _QUOTES],
        "additionalProperties": False,
    }
    return {**whole, "$defs": schema["$defs"]} if "$defs" in schema else whole


class _Quote(msgspec.Struct):
    field: str = ""
    quote: str = ""


class _Quoted(msgspec.Struct, rename={"quotes": _QUOTES}, forbid_unknown_fields=True):
    """An answer as `quoted_schema` asks for it; the answer's own text is kept as it was written."""

    answer: msgspec.Raw
    quotes: list[_Quote]


_decode: Final = msgspec.json.Decoder(_Quoted).decode


def with_citations(blocks: list[Block]) -> list[Block]:
    """Return the answer alone as cited blocks, where it comes with quotes; else the blocks unchanged."""
    if not any(block.type == "text" and block.text and _QUOTES in block.text for block in blocks):
        return blocks
    text = joined_text(blocks)
    try:
        found = _decode(text[text.index("{") : text.rindex("}") + 1])
    except (msgspec.DecodeError, ValueError):
        return blocks  # the reader says what is wrong with it
    answer = bytes(found.answer).decode()
    others = [block for block in blocks if block.type != "text"]
    return [*_cited(answer, [each for each in found.quotes if each.quote.strip()]), *others]


def _cited(text: str, quotes: list[_Quote]) -> list[Block]:
    """Cut the text at its values; each has the citations of its path, or of the path around it."""
    if not text.startswith("{"):
        return [Block("text", text)]
    places = value_spans(text, 0, ANYTHING).places
    by_steps: dict[tuple[str, ...], list[Citation]] = {}
    for each in quotes:
        citation = Citation(cited_text=each.quote, kind=LOCATED)
        by_steps.setdefault(_steps(each.field), []).append(citation)
    blocks, at, used = [], 1, set()
    for path, (start, end) in places.items():
        steps = _steps(path)
        held = [key for size in range(1, len(steps) + 1) if (key := steps[:size]) in by_steps]
        if not held or start == end:
            continue
        used.update(held)
        blocks += [Block("text", text[at:start]), Block("text", text[start:end], by_steps[held[-1]])]
        at = end
    left = [citation for key, found in by_steps.items() if key not in used for citation in found]
    return [Block("text", text[:1], left or None), *blocks, Block("text", text[at:])]


def _steps(path: str) -> tuple[str, ...]:
    """Return the steps of a path, however it is written: lines[2].price, $.lines.2.price, /lines/2/price."""
    return tuple(step.casefold() for step in _STEP.findall(path))


def looked_up(citation: Citation, sources: Sources) -> Citation:
    """Return the citation with `grounded`, and a quote with the place where it was found."""
    if citation.kind == LOCATED:
        return found_in(citation, sources)
    return msgspec.structs.replace(citation, grounded=is_grounded(citation, sources))


def found_in(citation: Citation, sources: Sources) -> Citation:
    """Return the citation with the place where its text stands, in the first document that contains it.

    Where it stands nowhere, the words alone are looked for: models put quotes in marks, dots around them, and
    pipes between the cells of a table. A number is no part of a longer one. Then the pieces of one with dots
    in it are looked for, in this order and near each other; the place is that from the first to the last. One
    that is found nowhere is kept; `grounded` is False if all documents could be read.
    """
    for look in _ways(citation.cited_text, sources):
        for index, source in enumerate(sources.documents):
            place = None if source is None else look(index, source)
            if place is not None:
                title = sources.titles[index] if index < len(sources.titles) else None
                found = {"document_index": index, "document_title": title, "grounded": True, **place}
                return msgspec.structs.replace(citation, **found)
    is_readable = [
        source is not None and source.text(0, _MOST_PAGES) is not None for source in sources.documents
    ]
    bare = _AROUND.sub("", citation.cited_text)
    is_open = not all(is_readable) or any(_has_mark_behind(bare, source) for source in sources.documents)
    return msgspec.structs.replace(citation, grounded=None if is_open or not is_readable else False)


def _ways(quote: str, sources: Sources) -> Iterator[Callable[[int, Source], Place | None]]:
    """Yield ways to look for a quote in a source."""
    bare = _AROUND.sub("", quote)
    yield partial(_place_of, quote, sources)
    if bare and bare != quote:
        yield partial(_place_of, bare, sources)
    if "|" in bare:
        yield partial(_place_of, _PIPES.sub(" ", bare).strip(), sources)
    if " " in bare:
        yield lambda _, source: _place_over_pages(bare, source)
    if pieces := _pieces(bare):
        yield lambda _, source: _place_of_pieces(pieces, source)


def _place_of(words: str, sources: Sources, index: int, source: Source) -> Place | None:
    for place in islice(_places(words, source), _MOST_PAGES):
        citation = Citation(cited_text=words, kind=LOCATED, document_index=index, **place)
        if is_grounded(citation, sources) and not _is_cut(words, place, source):
            return place
    return None


def _is_cut(words: str, place: Place, source: Source) -> bool:
    """Whether the words begin or end inside a number wherever they stand in this place."""
    if not (words[0].isdigit() or words[-1].isdigit()):
        return False
    if isinstance(source, Characters):
        text, start, end = source.text(0, _WHOLE), place["start_char_index"], place["end_char_index"]
        return _cuts_number(text, start, end)
    text = fold(source.text(place["start_page_number"] - 1, place["end_page_number"] - 1) or "")
    wanted = fold(words).strip()
    places = [found.start() for found in islice(re.finditer(re.escape(wanted), text), _MOST_PLACES)]
    return bool(places) and all(_cuts_number(text, at, at + len(wanted)) for at in places)


def _cuts_number(text: str, start: int, end: int) -> bool:
    """Whether one of these ends is inside a number: 234.50 of 1,234.50. A part of a date is none."""
    begins = text[start].isdigit() and _GOES_ON_BEFORE.search(text[max(0, start - 2) : start + 1])
    ends = text[end - 1].isdigit() and _REST_OF_NUMBER.match(text, end)
    return any(_is_inside_number(text, place) for place, cuts in ((start, begins), (end, ends)) if cuts)


def _is_inside_number(text: str, place: int) -> bool:
    if text[place - 1].isdigit() and text[place].isdigit():
        return True
    near = _DATE.finditer(text, max(0, place - _LONGEST_DATE), place + _LONGEST_DATE)
    return not any(date.start() < place < date.end() for date in near)


def _whole_block(words: str) -> Citation:
    return Citation(
        cited_text=words,
        type="content_block_location",
        document_index=0,
        start_content_block_index=0,
        end_content_block_index=1,
    )


def _has_mark_behind(words: str, source: Source | None) -> bool:
    """Whether a digit follows the words at once on a page: a PDF's text has marks of footnotes like that."""
    if source is None or isinstance(source, Characters) or not words[-1:].isdigit():
        return False
    text = fold(source.text(0, _MOST_PAGES) or "")
    return re.search(rf"{re.escape(fold(words).strip())}[1-9](?!\d)", text) is not None


def _place_over_pages(words: str, source: Source) -> Place | None:
    """Return the two pages whose end and beginning together hold the words."""
    before: str | None = None
    for number in () if isinstance(source, Characters) else range(_MOST_PAGES):
        text = source.text(number, number + 1)
        if text == "":
            return None
        if before and text:
            seam = Sources([Blocks([f"{before[-_SEAM:]}\n{text[:_SEAM]}"])])
            if is_grounded(_whole_block(words), seam):
                return {"type": "page_location", "start_page_number": number, "end_page_number": number + 2}
        before = text
    return None


def _pieces(quote: str) -> list[str]:
    """Return the folded pieces of a quote in which dots stand for what was left out; none without."""
    if "\u2026" not in quote and "." not in quote:
        return []
    pieces = [fold(piece).strip() for piece in _LEFT_OUT.split(quote, _MOST_PIECES)]
    sizes = [sum(map(str.isalnum, piece)) for piece in pieces]
    is_enough = min(sizes) >= _LEAST_OF_PIECE and sum(sizes) >= _LEAST_OF_ALL
    return pieces if 1 < len(pieces) <= _MOST_PIECES and is_enough else []


def _place_of_pieces(pieces: list[str], source: Source) -> Place | None:
    if isinstance(source, Characters):
        folded = _folded(source.text(0, _WHOLE))
        found = _in_order(pieces, folded.text)
        if found is None:
            return None
        start, end = folded.original(*found)
        return {"type": "char_location", "start_char_index": start, "end_char_index": end}
    before = ""
    for number in range(_MOST_PAGES):
        text = source.text(number, number + 1)
        if text == "":
            return None
        page = fold(text or "")
        for first, read in ((number, page), (number - 1, f"{before} {page}" if before else "")):
            if _in_order(pieces, read) is not None:
                pages = {"start_page_number": first + 1, "end_page_number": number + 2}
                return {"type": "page_location", **pages}
        before = page
    return None


def _in_order(pieces: list[str], text: str) -> tuple[int, int] | None:
    """Return from where to where the pieces stand one soon after the other, as words of their own."""
    chains = [(at, at + len(pieces[0])) for at in _whole_words(pieces[0], text)]
    for piece in pieces[1:]:
        longer: list[tuple[int, int]] = []
        reached = 0
        for at in _whole_words(piece, text) if chains else ():
            while reached < len(chains) and chains[reached][1] <= at:
                reached += 1
            if reached and at - chains[reached - 1][1] <= _MOST_BETWEEN:
                longer.append((chains[reached - 1][0], at + len(piece)))
        chains = longer
    return chains[0] if chains else None


def _whole_words(piece: str, text: str) -> Iterator[int]:
    at = text.find(piece)
    for _ in range(_MOST_PLACES):
        if at < 0:
            return
        end = at + len(piece)
        if not (_GOES_ON_BEFORE.search(text[max(0, at - 2) : at + 1]) or _GOES_ON.match(text, end - 1)):
            yield at
        at = text.find(piece, end)


_folded = lru_cache(maxsize=2)(fold_with_places)


def _places(quote: str, source: Source) -> Iterable[Place]:
    """Yield where in a source the quote may stand: characters of a text, pages of a PDF."""
    if isinstance(source, Characters):
        text = source.text(0, _WHOLE)
        words = r"\s+".join(map(re.escape, quote.split()))
        for found in re.finditer(words, text, re.IGNORECASE):
            yield {"type": "char_location", "start_char_index": found.start(), "end_char_index": found.end()}
        folded = _folded(text)
        for alike in re.finditer(re.escape(fold(quote).strip()), folded.text):
            start, end = folded.original(*alike.span())
            yield {"type": "char_location", "start_char_index": start, "end_char_index": end}
        return
    for number in range(_MOST_PAGES):
        if source.text(number, number + 1) == "":
            return
        yield {"type": "page_location", "start_page_number": number + 1, "end_page_number": number + 2}
