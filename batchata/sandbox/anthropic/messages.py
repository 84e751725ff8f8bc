"""Build the message object of an answer: its blocks and citations, where it is cut, its usage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from batchata.sandbox.anthropic.models import inference_place, text_factor, thinks
from batchata.sandbox.anthropic.tokens import CacheUsage, answer_tokens
from batchata.sandbox.values import Answer, Quote

__all__ = ["blocks_of", "message_of"]


def message_of(
    answer: Answer, params: dict[str, Any], message_id: str, used: CacheUsage, tier: str = "batch"
) -> dict[str, Any]:
    """Return the message object of an answer, cut at `max_tokens`; `used` are its input tokens."""
    blocks, length = blocks_of(answer), 0
    for block in blocks:
        length += len(block.get("text") or "") if block.get("type") == "text" else 40
    model, limit = params["model"], params["max_tokens"]
    stop_reason = answer.stop_reason or ("tool_use" if answer.call else "end_turn")
    tokens = answer_tokens(length, model)
    if tokens > limit:
        characters = int(4 * limit / text_factor(model))
        blocks, stop_reason, tokens = _cut(blocks, characters), "max_tokens", limit
    if _thinks(params) and (not blocks or blocks[0].get("type") != "thinking"):
        blocks = [{"type": "thinking", "thinking": "", "signature": "sandbox"}, *blocks]
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": answer.stop_details,
        "usage": _usage(used, tokens, tier, inference_place(params), answer.usage),
    }


def _thinks(params: dict[str, Any]) -> bool:
    """Whether the answer begins with thinking: as asked for, else by the model's default."""
    asked = (params.get("thinking") or {}).get("type")
    return thinks(params["model"]) if asked is None else asked != "disabled"


def _cut(blocks: list[dict[str, Any]], characters: int) -> list[dict[str, Any]]:
    kept = []
    for block in blocks:
        if block.get("type") != "text":
            kept.append(block)
            continue
        if characters <= 0:
            break
        kept.append({**block, "text": block["text"][:characters]})
        characters -= len(block["text"])
    return kept


def _usage(
    used: CacheUsage, tokens_out: int, tier: str, place: str, override: dict[str, Any] | None
) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "input_tokens": used.fresh,
        "output_tokens": tokens_out,
        "cache_creation_input_tokens": used.written_5m + used.written_1h,
        "cache_read_input_tokens": used.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": used.written_5m,
            "ephemeral_1h_input_tokens": used.written_1h,
        },
        "service_tier": tier,
        "inference_geo": place,
    }
    return {**usage, **override} if override else usage


def blocks_of(answer: Answer) -> list[dict[str, Any]]:
    """Return the content blocks of an answer before it is cut."""
    if answer.content is not None:
        return answer.content
    if answer.call is not None:
        name, given = answer.call
        return [{"type": "tool_use", "id": "toolu_sandbox", "name": name, "input": given}]
    if answer.pieces is not None:
        return _cited_blocks(answer.pieces)
    return [{"type": "text", "text": answer.text or "", "citations": None}]


def _cited_blocks(pieces: Iterable[tuple[str, Quote | None]]) -> list[dict[str, Any]]:
    """Return text blocks whose texts join to the answer; neighbours without a citation are one block."""
    blocks: list[dict[str, Any]] = []
    for text, quote in pieces:
        cited = None if quote is None else _citation(quote)
        if cited is None and blocks and blocks[-1]["citations"] is None:
            blocks[-1]["text"] += text
        elif text:
            blocks.append({"type": "text", "text": text, "citations": None if cited is None else [cited]})
    return blocks


def _citation(quote: Quote) -> dict[str, Any] | None:
    """Return the citation of a stretch of a document, in the form of its kind of document."""
    document = quote.document
    if not document.citations_enabled:
        return None
    common = {
        "cited_text": quote.text,
        "document_index": document.index,
        "document_title": document.title,
        "file_id": None,
    }
    match document.kind:
        case "char":
            where = {"start_char_index": quote.start, "end_char_index": quote.end}
            return {"type": "char_location", **common, **where}
        case "block":
            # Custom content is not cut any further: the whole block is what is cited.
            whole = {"cited_text": document.pages[quote.number]}
            where = {"start_block_index": quote.number, "end_block_index": quote.number + 1}
            return {"type": "content_block_location", **common, **whole, **where}
    where = {"start_page_number": quote.number + 1, "end_page_number": quote.number + 2}
    return {"type": "page_location", **common, **where}
