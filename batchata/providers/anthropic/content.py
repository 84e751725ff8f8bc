"""Check which content blocks a message may hold, and measure them."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, Final

from batchata.errors import InvalidInputError, UnsupportedModelError
from batchata.inputs.images import check_image, image_type
from batchata.inputs.json_values import encode
from batchata.inputs.media_types import PDF, TEXT
from batchata.inputs.pdf import read_pdf
from batchata.providers.anthropic.models import IMAGE_RULES, MANY_IMAGES, MAX_PIXELS_OF_MANY, Model
from batchata.providers.anthropic.page_bounds import image_token_bound, page_rules
from batchata.providers.anthropic.texts import check_filled, check_search_result, check_text_block
from batchata.providers.anthropic.tokens import UNSIZED, pdf_tokens, sentences, sentences_of_pdf, text_tokens
from batchata.text import type_of

CITABLE: Final = ("document", "search_result")

_AS_IMAGE: Final = (
    "{'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': '...'}}, or a source "
    "of {'type': 'url', 'url': 'https://...'}"
)
_AS_DOCUMENT: Final = (
    "{'type': 'document', 'source': {'type': 'base64', 'media_type': 'application/pdf', 'data': '...'}}, "
    "which pdf_to_document_block(path) makes"
)
# Blocks of other services' messages, and what stands for them here.
_FOREIGN: Final = {
    **dict.fromkeys(["image_url", "input_image"], _AS_IMAGE),
    **dict.fromkeys(["input_file", "file", "document_url"], _AS_DOCUMENT),
    **dict.fromkeys(["input_text", "output_text"], "{'type': 'text', 'text': '...'}"),
    **dict.fromkeys(["input_audio", "audio"], "a transcript as {'type': 'text', 'text': '...'}"),
    **dict.fromkeys(["video", "video_url"], "single frames, each as an image block"),
}


@dataclass(slots=True)
class Contents:
    """What the blocks of one conversation hold, counted while they are checked.

    `media_tokens` bounds what files add to their text in the request, `text_estimate` and `image_estimate`
    are the tokens expected of all texts (see `text_tokens`) and of all images and pages. `marks` are the
    sentences and blocks that can be cited.
    """

    model: Model
    enable_citations: bool
    base64_bytes: int = 0
    media_tokens: int = 0
    pages: int = 0
    images: int = 0
    largest: int = 0  # pixels of the longest side of an image
    citable: int = 0
    text_estimate: float = 0.0
    image_estimate: int = 0
    marks: int = 0
    calls: int = 0  # of tools, and their results
    has_blocks: bool = False  # it is not all plain text

    def add_blocks(self, blocks: list[Any] | tuple[Any, ...], role: str, place: str) -> None:
        """Check the blocks of one message. Raises InvalidInputError, naming the place."""
        if not blocks:
            raise InvalidInputError(f"{place} is empty; give text or at least one block")
        for n, block in enumerate(blocks):
            self._add_block(block, role, f"{place}[{n}]")

    def check_totals(self, place: str) -> None:
        """Raise InvalidInputError when the conversation has more pages or images than the model takes."""
        if not (self.pages or self.images):
            return
        for count, most, what in (
            (self.pages, self.model.pdf_pages, "PDF pages"),
            (self.images, self.model.images, "images"),
        ):
            if count > most:
                raise InvalidInputError(
                    f"{place} has {count} {what}; {self.model.id} takes {most} in one request"
                )
        if self.images > MANY_IMAGES and self.largest > MAX_PIXELS_OF_MANY:
            raise InvalidInputError(
                f"{place} has {self.images} images, one of them of {self.largest:,} pixels; with more than "
                f"{MANY_IMAGES} in one request, none may have more than {MAX_PIXELS_OF_MANY:,} a side: scale "
                "it down, or send fewer together"
            )

    def _add_block(self, block: Any, role: str, place: str) -> None:
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise InvalidInputError(f"{place} is not a content block: it must be a dict with a 'type'")
        self.calls += block["type"] in ("tool_use", "tool_result")
        match block["type"]:
            case "text":
                check_text_block(block, role, place)
                self.text_estimate += text_tokens(block["text"])
            case "document" | "search_result":
                self._add_citable(block, role, place)
            case "image":
                self._needs_files(place)
                self._add_image(block, place)
            case "tool_result" if isinstance(block.get("content"), list) and block["content"]:
                self._add_tool_content(block["content"], f"{place}.content")
            case "thinking" | "redacted_thinking" if block.get("cache_control") is not None:
                raise InvalidInputError(
                    f"{place} has a cache_control, which the API refuses on thinking; mark another block"
                )
            case str(kind) if kind in _FOREIGN:
                raise InvalidInputError(
                    f"{place} is a block {kind!r}, which the Messages API does not have; "
                    f"give {_FOREIGN[kind]}"
                )
            case _:
                self.text_estimate += text_tokens(_encoded(block))

    def _add_tool_content(self, blocks: list[Any], place: str) -> None:
        for n, block in enumerate(blocks):
            if isinstance(block, dict) and block.get("type") in ("document", "search_result", "image"):
                self._add_block(block, "user", f"{place}[{n}]")
            else:
                self.text_estimate += text_tokens(_encoded(block))

    def _needs_files(self, place: str) -> None:
        if not self.model.takes_files:
            raise UnsupportedModelError(
                f"{place} holds a file, and {self.model.id} takes none; use {self.model.successor}"
            )

    def _add_citable(self, block: dict[str, Any], role: str, place: str) -> None:
        if role == "assistant":
            raise InvalidInputError(
                f"{place} is a {block['type']} in an assistant message, which the API refuses; "
                "move it into a user message"
            )
        self._check_switch(block, place)
        self.citable += 1
        if block["type"] == "document":
            self._needs_files(place)
            for key in ("title", "context"):
                if not isinstance(block.get(key), str | None):
                    raise InvalidInputError(f"{place}.{key} must be text, not {type_of(block[key])}")
            self._add_document(_source(block, place), f"{place}.source")
        else:
            check_search_result(block, place)
            self._count_blocks([inner["text"] for inner in block["content"]])

    def _check_switch(self, block: dict[str, Any], place: str) -> None:
        citations = block.get("citations")
        if citations is None:
            return
        if not isinstance(citations, dict) or not isinstance(citations.get("enabled", False), bool):
            raise InvalidInputError(f"{place}.citations must be {{'enabled': True}} or {{'enabled': False}}")
        if citations.get("enabled", False) != self.enable_citations:
            raise InvalidInputError(
                f"{place}.citations contradicts enable_citations={self.enable_citations}: citations are on "
                "for all documents of a request or for none; change one of the two"
            )

    def _add_document(self, source: dict[str, Any], place: str) -> None:
        match source["type"]:
            case "base64":
                self._add_pdf(source, place)
            case "text":
                if source.get("media_type") != TEXT:
                    raise InvalidInputError(
                        f"{place}.media_type must be {TEXT!r}, not {source.get('media_type')!r}"
                    )
                check_filled(source.get("data"), f"{place}.data")
                self.text_estimate += text_tokens(source["data"])
                self.marks += sentences(source["data"]) if self.enable_citations else 0
            case "content":
                self._count_blocks(_texts(source.get("content")))
            case _:
                _check_reference(source, ("base64", "text", "content", "url", "file"), place)
                self.media_tokens += self.model.context_window  # how large it is, only the API knows
                self.text_estimate += UNSIZED

    def _add_pdf(self, source: dict[str, Any], place: str) -> None:
        if source.get("media_type") != PDF:
            raise InvalidInputError(f"{place}.media_type must be {PDF!r}, not {source.get('media_type')!r}")
        data = self._decoded(source, place)
        if b"%PDF-" not in data[:1024]:
            raise InvalidInputError(f"{place}.data is not a PDF: it begins with {data[:8]!r}")
        model = self.model
        pdf = read_pdf(data, f"{place}.data", page_rules(model))
        self.pages += pdf.pages
        self.media_tokens += pdf.text_tokens + pdf.pages * model.image_tokens
        self.text_estimate += pdf_tokens(pdf.characters)
        self.marks += sentences_of_pdf(pdf.characters) if self.enable_citations else 0
        self.image_estimate += pdf.pages * model.image_tokens

    def _add_image(self, block: dict[str, Any], place: str) -> None:
        self.images += 1
        source = _source(block, place)
        if source["type"] != "base64":
            _check_reference(source, ("base64", "url", "file"), f"{place}.source")
            self._count_image(self.model.image_tokens)
            return
        data, stated = self._decoded(source, f"{place}.source"), source.get("media_type")
        found = image_type(data)
        if found is None or found != stated:
            raise InvalidInputError(
                f"{place}.source.media_type is {stated!r}, its data {found or 'no image that is accepted'}"
            )
        width, height = check_image(data, found, f"{place}.source.data", IMAGE_RULES)
        self.largest = max(self.largest, width, height)
        self._count_image(image_token_bound(width, height, self.model.image_tokens))

    def _count_blocks(self, texts: list[str]) -> None:
        self.text_estimate += sum(map(text_tokens, texts))
        self.marks += len(texts) if self.enable_citations else 0

    def _count_image(self, tokens: int) -> None:
        self.media_tokens += tokens
        self.image_estimate += tokens

    def _decoded(self, source: dict[str, Any], place: str) -> bytes:
        text = source.get("data")
        if not isinstance(text, str) or not text:
            raise InvalidInputError(f"{place}.data must be base64 text that is not empty")
        self.base64_bytes += len(text)
        try:
            return b64decode(text, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise InvalidInputError(f"{place}.data is not valid base64 ({exc})") from exc


def _check_reference(source: dict[str, Any], kinds: tuple[str, ...], place: str) -> None:
    """Check a document or image that only the API can see."""
    match source:
        case {"type": "url", "url": str(url)} if url.startswith(("https://", "http://")):
            return
        case {"type": "file", "file_id": str(file)} if file:
            return
        case {"type": "url"}:
            raise InvalidInputError(f"{place}.url is {source.get('url')!r}; it must be 'https://...'")
        case {"type": "file"}:
            raise InvalidInputError(f"{place}.file_id is {source.get('file_id')!r}; it must be a file's id")
    raise InvalidInputError(f"{place}.type is {source['type']!r}; it is one of {', '.join(kinds)}")


def _texts(content: Any) -> list[str]:
    """Return the texts of custom content: one text, or text blocks; the API judges the rest."""
    if isinstance(content, str):
        return [content]
    blocks = content if isinstance(content, list | tuple) else []
    return [b["text"] for b in blocks if isinstance(b, dict) and isinstance(b.get("text"), str)]


def _encoded(block: Any) -> bytes:
    """Return its JSON, or nothing where it has none: the check of the whole reports that."""
    try:
        return encode(block)
    except (TypeError, ValueError, RecursionError):
        return b""


def _source(block: dict[str, Any], place: str) -> dict[str, Any]:
    source = block.get("source")
    if not isinstance(source, dict) or not isinstance(source.get("type"), str):
        raise InvalidInputError(f"{place}.source must be a dict with a 'type', such as 'base64' or 'text'")
    return source
