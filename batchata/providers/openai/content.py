"""Say what OpenAI makes of images and files, and write messages as either endpoint has them."""

from __future__ import annotations

from typing import Any, Final

from batchata.inputs.images import ImageRules
from batchata.inputs.pdf import PageRules
from batchata.providers.message_parts import MediaRules, Part
from batchata.providers.openai.vision import vision_of

__all__ = ["media_rules", "written"]

# At which size a page becomes a picture is not documented. 6,200 tokens are far above what the recorded pages
# have; models that count by tiles count no page dearer than any image.
_PAGE_TOKENS: Final = 6_200
_EXPECTED_TOKENS: Final = 1_000  # of a page, and of an image that is elsewhere
_UNSIZED: Final = 1_050_000  # tokens of what only the service can see: a whole context window
_IMAGES: Final = ImageRules(most_pixels=16_000, most_base64=20 * 1024 * 1024)
_PAGE_TEXT_TOKENS: Final = 3_000
_DENSE_PAGE_TOKENS: Final = 12_000
_PAGES: Final = PageRules(
    most_pages=1_000,
    most_tokens=_UNSIZED,
    least_tokens=lambda _: 0,
    text_tokens=lambda size: min(max(_PAGE_TEXT_TOKENS, size // 3), _DENSE_PAGE_TOKENS),
    composite=1.4,
)


def media_rules(model: str, *, is_chat: bool, documents: bool, is_openai: bool) -> MediaRules:
    """Return what the model makes of images and PDFs."""
    vision = vision_of(model, is_openai=is_openai)
    return MediaRules(
        images=_IMAGES,
        pages=_PAGES,
        image=lambda width, height, detail: (vision.tokens(width, height, detail),) * 2,
        unseen_image=(vision.most, min(vision.most, _EXPECTED_TOKENS)),
        page=max(_PAGE_TOKENS, vision.most if vision.tile else 0),
        expected_page=_EXPECTED_TOKENS,
        unsized=_UNSIZED,
        refusal=_no_document if not documents else _not_in_chat if is_chat else lambda _: None,
    )


def _no_document(part: Part) -> str | None:
    said = "is a document, which this provider does not take; Claude, GPT and Gemini do, or give its text"
    return said if part.kind == "file" else None


def _not_in_chat(part: Part) -> str | None:
    is_url = part.kind == "file" and not part.by_id and not part.value.startswith("data:")
    return "is a file by URL, which only /v1/responses takes" if is_url else None


def written(role: str, parts: list[Part], *, is_chat: bool) -> dict[str, Any]:
    """Write a message as the endpoint has it; a single text as text."""
    if len(parts) == 1 and parts[0].kind == "text":
        return {"role": role, "content": parts[0].value}
    write = _chat_part if is_chat else _response_part
    return {"role": role, "content": [write(part, role) for part in parts]}


def _response_part(part: Part, role: str) -> dict[str, Any]:
    match part.kind:
        case "text":
            return {"type": "output_text" if role == "assistant" else "input_text", "text": part.value}
        case "image":
            detail = {"detail": part.detail} if part.detail else {}
            return {"type": "input_image", "file_id" if part.by_id else "image_url": part.value, **detail}
    if part.by_id:
        return {"type": "input_file", "file_id": part.value}
    if part.value.startswith("data:"):
        return {"type": "input_file", "filename": part.name or "document.pdf", "file_data": part.value}
    return {"type": "input_file", "file_url": part.value}


def _chat_part(part: Part, role: str) -> dict[str, Any]:  # noqa: ARG001 - the other endpoint needs it
    match part.kind:
        case "text":
            return {"type": "text", "text": part.value}
        case "image":
            detail = {"detail": part.detail} if part.detail else {}
            return {"type": "image_url", "image_url": {"url": part.value, **detail}}
    if part.by_id:
        return {"type": "file", "file": {"file_id": part.value}}
    return {"type": "file", "file": {"filename": part.name or "document.pdf", "file_data": part.value}}
