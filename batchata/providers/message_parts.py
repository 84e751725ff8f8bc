"""Read the content of messages and files, whichever provider they were written for, and measure it.

Blocks are taken as OpenAI writes them and as Anthropic does, so that the same inputs can go to all.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple

from batchata.errors import FileInputError, InvalidInputError
from batchata.inputs.files import FileInput, GivenFile
from batchata.inputs.images import ImageRules, check_image, image_type
from batchata.inputs.items import Measured
from batchata.inputs.json_values import base64_size, check_json, encode, encode_canonical
from batchata.inputs.media_types import PDF, TEXT, decode_text
from batchata.inputs.pdf import PageRules, read_pdf

__all__ = ["ContentChecks", "Contents", "MediaRules", "Part", "measured_file", "parts_of_file", "turns_of"]

_MOST_FILE_BYTES: Final = 32 * 1024 * 1024  # of one file; services say 50 MB, and base64 adds a third
_LINE_BYTES: Final = 300  # custom id, url and the rest around a body
_PART_BYTES: Final = 40
_TURN_TOKENS: Final = 16  # a bound of what frames a turn
_CHARACTERS_A_TOKEN: Final = 4
_TEXTS: Final = ("text", "input_text", "output_text")
_ROLES: Final = ("user", "assistant", "system", "developer")


class Part(NamedTuple):
    """A piece of a message: a text, or an image or file by its place (a URL, a data URL, or a file's id)."""

    kind: Literal["text", "image", "file"]
    value: str
    name: str | None = None  # of a file
    by_id: bool = False
    detail: str | None = None


class MediaRules(NamedTuple):
    """How large images and PDFs may be, and how many tokens a service makes of them.

    `image` gives a bound and what is expected, by width, height and detail; `unseen_image` is both for an
    image that only the service can see. `page` bounds the picture of a page, `unsized` a file that is
    elsewhere. `refusal` says why a part cannot be sent.
    """

    images: ImageRules
    pages: PageRules
    image: Callable[[int, int, str | None], tuple[int, int]]
    unseen_image: tuple[int, int]
    page: int
    expected_page: int
    unsized: int
    refusal: Callable[[Part], str | None] = lambda _: None


@dataclass(slots=True)
class Contents:
    """What the parts of one conversation hold, counted while they are checked."""

    rules: MediaRules
    media_tokens: int = 0  # a bound, beside the texts
    media_bytes: int = 0  # of encoded files, which are not text
    expected: int = 0
    parts: list[Part] = field(default_factory=list)

    def conversation(self, value: Any, place: str) -> Measured:
        """Check one conversation. A byte-level tokenizer makes no more tokens than there are bytes."""
        if not isinstance(value, list | tuple) or not value:
            raise InvalidInputError(f"{place} must be a conversation, a list of messages")
        for number, turn in enumerate(value):
            self._turn(turn, f"{place}[{number}]")
        encoded = encode_canonical(value)
        text = max(len(encoded) - self.media_bytes, 0)
        return Measured(
            digest=sha256(encoded).digest(),
            request_size=len(encoded) + _LINE_BYTES + _PART_BYTES * len(self.parts),
            token_bound=text + self.media_tokens + _TURN_TOKENS * len(value),
            tokens=text // _CHARACTERS_A_TOKEN + self.expected,
            prefilled=value[-1]["role"] == "assistant",
        )

    def _turn(self, turn: Any, place: str) -> None:
        if not isinstance(turn, dict) or turn.keys() != {"role", "content"}:
            raise InvalidInputError(f"{place} must be {{'role': 'user', 'content': '...'}}")
        if turn["role"] not in _ROLES:
            raise InvalidInputError(f"{place}.role is {turn['role']!r}; it is one of {', '.join(_ROLES)}")
        content = turn["content"]
        blocks = content if isinstance(content, list | tuple) else [{"type": "text", "text": content}]
        if not blocks:
            raise InvalidInputError(f"{place}.content is empty; give text or at least one block")
        for number, block in enumerate(blocks):
            inner = f"{place}.content" if blocks is not content else f"{place}.content[{number}]"
            part = _part(block, inner)
            self._count(part, inner)
            self.parts.append(part)
        check_json(content, f"{place}.content")

    def _count(self, part: Part, place: str) -> None:
        if part.kind == "text":
            return
        if (why := self.rules.refusal(part)) is not None:
            raise InvalidInputError(f"{place} {why}")
        data = _data_in(part, place)
        if data is None:
            bound, expected = self.rules.unseen_image
            self.media_tokens += self.rules.unsized if part.kind == "file" else bound
            self.expected += expected
            return
        self.media_bytes += len(part.value)
        bound, expected = _measure(data, _media_type(part), place, self.rules, part.detail)
        self.media_tokens += bound
        self.expected += expected


class ContentChecks:
    """Check conversations and files by these rules; see the port."""

    most_bytes = _MOST_FILE_BYTES

    def __init__(self, rules: MediaRules) -> None:
        self._rules = rules

    def check_kind(self, kind: Literal["messages", "files"]) -> None:
        """See the port: both are taken."""

    def conversation(self, value: Any, place: str) -> Measured:
        """See the port."""
        return Contents(self._rules).conversation(value, place)

    def file(self, given: GivenFile) -> tuple[FileInput, Measured]:
        """See the port."""
        pages, measured = measured_file(given, self._rules)
        return replace(given.file, pages=pages), measured


def measured_file(given: GivenFile, rules: MediaRules) -> tuple[int | None, Measured]:
    """Measure a file that is sent; its pages are None except for a PDF."""
    data, kind, file = given.data, given.file.media_type, given.file
    if kind == TEXT:
        text = decode_text(data, given.place).encode()
        size, bound, expected = len(encode(text.decode())), len(text), len(text) // _CHARACTERS_A_TOKEN
        pages = None
    else:
        size = base64_size(len(data))
        sent = Part("file" if kind == PDF else "image", f"data:{kind};base64,")
        if (why := rules.refusal(sent)) is not None:
            raise FileInputError(f"{given.place} {why}")
        pages = read_pdf(data, given.place, rules.pages).pages if kind == PDF else None
        bound, expected = _measure(data, kind, given.place, rules)
    name = 2 * len(encode(file.name))
    return pages, Measured(file.digest(), size + name + 2 * _LINE_BYTES, bound + name + 64, expected + 16)


def _measure(
    data: bytes, media_type: str, place: str, rules: MediaRules, detail: str | None = None
) -> tuple[int, int]:
    """Bound the tokens of an image or a PDF, and tell how many are expected."""
    if media_type != PDF:
        width, height = check_image(data, media_type, place, rules.images)
        return rules.image(width, height, detail)
    pdf = read_pdf(data, place, rules.pages)
    bound = pdf.text_tokens + pdf.pages * rules.page
    return bound, pdf.characters // _CHARACTERS_A_TOKEN + pdf.pages * rules.expected_page


def parts_of_file(file: FileInput) -> list[Part]:
    """Read a file again, as the parts of a message."""
    data = file.read()
    if file.media_type == TEXT:
        return [Part("text", f"{file.name}:\n\n{decode_text(data, file.name)}")]
    url = f"data:{file.media_type};base64,{b64encode(data).decode()}"
    return [Part("file", url, file.name) if file.media_type == PDF else Part("image", url)]


def turns_of(conversation: Any) -> Iterator[tuple[str, list[Part]]]:
    """Yield role and parts of each message of a checked conversation."""
    for turn in conversation:
        content = turn["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        yield turn["role"], [_part(block, "content") for block in blocks]


def _part(block: Any, place: str) -> Part:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        raise InvalidInputError(f"{place} is not a content block: it must be a dict with a 'type'")
    match block:
        case {"type": str(kind), "text": str(text)} if kind in _TEXTS and text.strip():
            return Part("text", text)
        case {"type": str(kind)} if kind in _TEXTS:
            raise InvalidInputError(f"{place} must be text that is not empty")
        case {"type": "image", "source": dict(source)}:
            return _of_source("image", source, None, place)
        case {"type": "document", "source": dict(source)}:
            return _of_source("file", source, block.get("title"), place)
        case {"type": "input_image", "image_url": str(url)}:
            return _checked(Part("image", url, detail=block.get("detail")), place)
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return _checked(Part("image", url, detail=block["image_url"].get("detail")), place)
        case {"type": "input_image", "file_id": str(file)}:
            return Part("image", file, by_id=True)
        case {"type": "input_file"}:
            return _of_file(block, place)
        case {"type": "file", "file": dict(file)}:
            return _of_file(file, place)
    raise InvalidInputError(
        f"{place} is a block {block['type']!r}, which cannot be sent to this provider; known are text, image "
        "(input_image, image_url) and document (input_file, file); search results and tool "
        "blocks are Claude's alone"
    )


def _of_source(kind: Literal["image", "file"], source: dict[str, Any], title: Any, place: str) -> Part:
    name = title if isinstance(title, str) and title else None
    match source:
        case {"type": "base64", "media_type": str(media_type), "data": str(data)}:
            return _checked(Part(kind, f"data:{media_type};base64,{data}", name), place)
        case {"type": "url", "url": str(url)}:
            return _checked(Part(kind, url, name), place)
        case {"type": "text", "data": str(text)} if text.strip():
            return Part("text", f"{name}:\n\n{text}" if name else text)
    raise InvalidInputError(f"{place}.source is {source.get('type')!r}; give base64, a url, or a text")


def _of_file(file: dict[str, Any], place: str) -> Part:
    match file:
        case {"file_id": str(value)}:
            return Part("file", value, by_id=True)
        case {"file_data": str(value)} | {"file_url": str(value)}:
            return _checked(Part("file", value, file.get("filename")), place)
    raise InvalidInputError(f"{place} needs file_data, file_url or file_id")


def _checked(part: Part, place: str) -> Part:
    if not part.value.startswith(("https://", "http://", "data:")):
        raise InvalidInputError(f"{place} must be at https://… or in a data: URL")
    return part


def _media_type(part: Part) -> str:
    return part.value[5:].partition(";")[0]


def _data_in(part: Part, place: str) -> bytes | None:
    """Decode the bytes of a data URL; None where only the service can see them."""
    if part.by_id or not part.value.startswith("data:"):
        return None
    head, comma, text = part.value.partition(",")
    if not comma or not head.endswith(";base64"):
        raise InvalidInputError(f"{place} must be a data URL in base64: data:application/pdf;base64,…")
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidInputError(f"{place} is not valid base64 ({exc})") from exc
    stated, wanted = _media_type(part), PDF if part.kind == "file" else image_type(data)
    if wanted is None or stated != wanted:
        raise FileInputError(
            f"{place} is declared as {stated!r}, but its data is {wanted or 'no known image'}"
        )
    return data
