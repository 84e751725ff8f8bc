"""Check whether providers can read a PDF, and measure how much is in it."""

from __future__ import annotations

import io
import logging
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from batchata.errors import FileInputError
from batchata.inputs.pdf_pages import page_count

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader


_SHOWN: Final = re.compile(rb"\((?:[^()\\]++|\\.|\((?:[^()\\]++|\\.)*+\))*+\)|<([0-9A-Fa-f\s]++)>", re.DOTALL)
_MOST: Final = 4 << 20  # bytes of one stream that are looked at
_DEEPEST: Final = 2  # forms inside forms


def shown_characters(page: Any, content: bytes) -> int:
    """Count the characters in the strings of a page's decoded content and of the forms it uses.

    That is about a fifth more than reading software finds, measured on a sample of 28 documents, and twenty
    times faster than extracting the text.
    """
    return round(_in_content(page, content) + sum(_in_content(form, data) for form, data in _forms(page, 0)))


def token_bound(page: Any, characters: int, composite: float) -> int:
    """Bound the tokens of so many shown characters.

    One token each, and more in scripts with thousands of characters, which are set in composite fonts.
    """
    return round(characters * (composite if _is_wide(page) else 1))


def _in_content(holder: Any, content: bytes) -> float:
    shown = 0.0
    wide = _is_wide(holder)
    for match in _SHOWN.finditer(content[:_MOST]):
        digits = match.group(1)
        size = len(match.group()) - 2 if digits is None else len(digits) / 2
        shown += size / 2 if wide else size
    return shown


def _is_wide(holder: Any) -> bool:
    """Whether its fonts take two bytes a character, as composite fonts mostly do."""
    fonts = [font.get_object().get("/Subtype") for font in _resource(holder, "/Font").values()]
    return bool(fonts) and 2 * fonts.count("/Type0") >= len(fonts)


def _forms(holder: Any, depth: int) -> Iterator[tuple[Any, bytes]]:
    if depth == _DEEPEST:
        return
    for reference in _resource(holder, "/XObject").values():
        form = reference.get_object()
        if form.get("/Subtype") == "/Form":
            yield form, inflated(form._data) if form.get("/Filter") == "/FlateDecode" else form._data
            yield from _forms(form, depth + 1)


def _resource(holder: Any, kind: str) -> dict[str, Any]:
    resources = holder.get("/Resources")
    found = None if resources is None else resources.get_object().get(kind)
    return {} if found is None else dict(found.get_object())


def inflated(raw: bytes) -> bytes:
    """Inflate the beginning of a deflated stream, as far as it can be read."""
    try:
        return zlib.decompressobj().decompress(raw, _MOST)
    except zlib.error:
        return b""


_CHUNK = 1 << 20
_TAIL = 2_048  # the last "startxref" stands in the last 1,024 bytes (Acrobat's rule); some writers add to it
_HEAD = 1_024  # readers look for the header so far
_OBJECT = re.compile(rb"[\r\n]\d+ \d+ obj\b")
_END = re.compile(rb"startxref\s+\d+\s+%%EOF")
_INFLATE_LIMIT = 64 << 20  # a page whose content is larger is not looked at to its end


class PageRules(NamedTuple):
    """How much PDF a model takes in one request, and how many tokens its provider makes of a page.

    `most_tokens` is the model's context window. `least_tokens` and `text_tokens` take the bytes of a page's
    content and give the least that the page takes, and a bound of its text. `composite` is the most tokens of
    one character in scripts with thousands of characters.
    """

    most_pages: int
    most_tokens: int
    least_tokens: Callable[[int], int]
    text_tokens: Callable[[int], int]
    composite: float


class PdfContent(NamedTuple):
    """How many pages a PDF has, a bound of the tokens of their text, and about how many characters it has."""

    pages: int
    text_tokens: int
    characters: int


class _DamagedError(Exception):
    """The PDF is broken in the way that the message says."""


def read_pdf(data: bytes, place: str, rules: PageRules) -> PdfContent:
    """Look through all pages of a PDF.

    Raises FileInputError, beginning with `place`, when it is encrypted, damaged, without pages, or has more
    of them than the rules let one request have.
    """
    with _quiet():
        try:
            content = _look_through(data, place, rules)
        except _DamagedError as exc:
            raise FileInputError(f"{place} is a damaged PDF: {exc}; export or download it again") from exc
    return content


def _look_through(data: bytes, place: str, rules: PageRules) -> PdfContent:
    reader = _open(data)
    if reader.is_encrypted:
        raise FileInputError(
            f"{place} is an encrypted PDF, which no model can read; save a copy without password or "
            "protection (for example: qpdf --decrypt in.pdf out.pdf)"
        )
    pages = _pages(reader)
    if not pages:
        raise FileInputError(f"{place} is a PDF without pages; there is nothing to send")
    if len(pages) > rules.most_pages:
        raise FileInputError(
            f"{place} has {len(pages)} pages and the model takes at most {rules.most_pages} in one request; "
            "split it"
        )
    sizes = [_content_size(number, page) for number, page in pages]
    if (least := sum(map(rules.least_tokens, sizes))) > rules.most_tokens:
        raise FileInputError(
            f"{place} has {len(pages)} pages, which make about {least:,} tokens or more; the model's context "
            f"window holds {rules.most_tokens:,}: split it"
        )
    shown = [_shown(page, rules.composite) for _, page in pages]
    bounds = (max(rules.text_tokens(size), bound) for size, (_, bound) in zip(sizes, shown, strict=True))
    return PdfContent(len(pages), sum(bounds), sum(characters for characters, _ in shown))


def _shown(page: PageObject, composite: float) -> tuple[int, int]:
    """Count the characters that a page shows and bound their tokens; unreadable parts count as nothing."""
    try:
        content = b"\n".join(map(_decoded, _content_streams(page)))
        characters = shown_characters(page, content)
        return characters, token_bound(page, characters, composite)
    except (_DamagedError, *_pypdf_errors()):  # type: ignore[misc]  # mypy cannot see into the unpacking
        return 0, 0


# What pypdf lets escape on malformed files, found by feeding it some thousands of them: its own errors and
# those of its tolerant reader, which trusts the file's types. Encryption is reported before it could matter.
def _pypdf_errors() -> tuple[type[Exception], ...]:
    from pypdf.errors import PyPdfError

    return (PyPdfError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError,
            AssertionError, NotImplementedError, OSError, EOFError, zlib.error)  # fmt: skip


def _open(data: bytes) -> PdfReader:
    from pypdf import PdfReader  # slow to import (0.1 s), and only needed here

    # Of a file that is cut off, pypdf finds the pages that are left, so a shorter document would be sent.
    if b"startxref" not in data[-_TAIL:] and not _is_padded(data):
        raise _DamagedError("its end is missing")
    # What stands behind the end may look like a part of the file to pypdf, which reads from behind.
    end = _END.match(data, max(data.rfind(b"startxref"), 0))
    data = data if end is None else data[: end.end()]
    # Places in the file are counted from its header, as a rule, and what stands before it came later.
    header = max(data.find(b"%PDF-", 0, _HEAD), 0)
    try:
        return PdfReader(io.BytesIO(data[header:] if header else data), strict=False)
    except _pypdf_errors() as exc:
        raise _DamagedError(f"it cannot be opened ({exc})") from exc


def _is_padded(data: bytes) -> bool:
    """Whether what follows the end is not part of the document: readers skip it, however long it is."""
    end = data.rfind(b"startxref")
    return end >= 0 and _OBJECT.search(data, end) is None and bool(page_count(data))


def _pages(reader: PdfReader) -> list[tuple[int, PageObject]]:
    try:
        return list(enumerate(reader.pages, start=1))
    except _pypdf_errors() as exc:
        raise _DamagedError(f"its pages cannot be listed ({exc})") from exc


def _content_size(number: int, page: PageObject) -> int:
    try:
        return sum(_stream_size(stream) for stream in _content_streams(page))
    except _pypdf_errors() as exc:
        raise _DamagedError(f"page {number} cannot be read ({exc})") from exc
    except _DamagedError as exc:
        raise _DamagedError(f"page {number} {exc}") from exc


def _content_streams(page: PageObject) -> Iterator[Any]:
    from pypdf.generic import ArrayObject, StreamObject

    if "/Contents" not in page:
        return  # an empty page
    contents: Any = page["/Contents"]
    for part in contents if isinstance(contents, ArrayObject) else [contents]:
        stream = part.get_object()
        if not isinstance(stream, StreamObject):
            raise _DamagedError("lacks its content")
        yield stream


def _stream_size(stream: Any) -> int:
    raw: bytes = stream._data  # the only way to the bytes before pypdf has repaired them
    return _inflated_size(raw) if _first_filter(stream) == "/FlateDecode" else len(raw)


def _first_filter(stream: Any) -> Any:
    filters = stream["/Filter"] if stream.get("/Filter") else None  # only [] follows a reference
    return filters[0] if isinstance(filters, list) and filters else filters


def _decoded(stream: Any) -> bytes:
    raw: bytes = stream._data
    return inflated(raw) if _first_filter(stream) == "/FlateDecode" else raw


def _inflated_size(raw: bytes) -> int:
    """Return the size of a deflated stream; pypdf silently loses text of damaged ones."""
    inflate = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    size, checksum, rest = 0, 1, raw[2:]
    try:
        while rest and not inflate.eof and size < _INFLATE_LIMIT:
            part = inflate.decompress(rest, _CHUNK)
            size, checksum, rest = size + len(part), zlib.adler32(part, checksum), inflate.unconsumed_tail
        if not rest:  # all is read, and output that did not fit into the last part may be left
            part = inflate.flush(_CHUNK)
            size, checksum = size + len(part), zlib.adler32(part, checksum)
    except zlib.error as exc:
        raise _DamagedError("has content that cannot be decompressed") from exc
    if size >= _INFLATE_LIMIT or not raw:
        return size
    if not inflate.eof:
        raise _DamagedError("has content that is cut off")
    # Some writers cut the checksum short, and readers do not mind; a complete one must be right.
    stored = inflate.unused_data[:4]
    if len(stored) == 4 and int.from_bytes(stored, "big") != checksum:
        raise _DamagedError("has content that does not match its checksum")
    return size


@contextmanager
def _quiet() -> Iterator[None]:
    # pypdf logs each thing it repairs. What matters of that becomes an error here.
    logger = logging.getLogger("pypdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
