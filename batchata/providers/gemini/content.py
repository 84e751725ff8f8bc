"""Say what Gemini makes of images and files, and write conversations as contents of parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from batchata.inputs.images import ImageRules
from batchata.inputs.pdf import PageRules
from batchata.providers.message_parts import MediaRules, Part

__all__ = ["MEDIA", "contents_of"]

# Documented: an image is scaled to at most 3,072 pixels a side and cut into tiles of 768, each 258 tokens;
# since Gemini 3 it has 1,120, or 2,240 at the highest resolution. A page of a PDF is an image of 258, since
# then of 560 to 1,120, and its text comes on top.
_IMAGE_TOKENS: Final = 16 * 258 + 258
_PAGE_TOKENS: Final = 2_240
_EXPECTED_TOKENS: Final = 1_120
_WINDOW: Final = 1_048_576
_PAGE_TEXT_TOKENS: Final = 3_000
_DENSE_PAGE_TOKENS: Final = 12_000


def _refusal(part: Part) -> str | None:
    if part.value.startswith("data:image/gif"):
        return "is a GIF, which Gemini does not take; make it a PNG"
    by_place = part.by_id or not part.value.startswith("data:")
    return (
        "must hold its data in base64; a URL or the id of a file cannot be sent to Gemini"
        if by_place
        else None
    )


MEDIA: Final = MediaRules(
    images=ImageRules(most_pixels=16_000, most_base64=20 * 1024 * 1024),
    pages=PageRules(
        most_pages=1_000,
        most_tokens=_WINDOW,
        least_tokens=lambda _: 258,
        text_tokens=lambda size: min(max(_PAGE_TEXT_TOKENS, size // 3), _DENSE_PAGE_TOKENS),
        composite=1.4,
    ),
    image=lambda _width, _height, _detail: (_IMAGE_TOKENS, _EXPECTED_TOKENS),
    unseen_image=(_IMAGE_TOKENS, _EXPECTED_TOKENS),
    page=_PAGE_TOKENS,
    expected_page=_EXPECTED_TOKENS // 2,
    unsized=_WINDOW,
    refusal=_refusal,
)


def contents_of(turns: Iterable[tuple[str, list[Part]]]) -> list[dict[str, Any]]:
    """Write the turns of a conversation, except the system's."""
    return [
        {"role": "model" if role == "assistant" else "user", "parts": [_written(part) for part in parts]}
        for role, parts in turns
        if role in ("user", "assistant")
    ]


def _written(part: Part) -> dict[str, Any]:
    if part.kind == "text":
        return {"text": part.value}
    head, _, data = part.value.partition(",")
    return {"inlineData": {"mimeType": head[5:].partition(";")[0], "data": data}}
