"""Read result lines of unknown shape, each part apart: an odd part never costs a known one."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec

from batchata.answers.answer import Block, Citation
from batchata.core.pricing import MOST_SEARCHES, MOST_TOKENS
from batchata.core.values import Usage
from batchata.providers.anthropic.pieces import NoPieceError, elements, members, value

UNKNOWN_PLACE = "in a shape that is not known"
_LISTS = {"citations": Citation}  # of a block: what is read element by element
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_block = msgspec.json.Decoder(Block).decode
_decode_blocks = msgspec.json.Decoder(list[Block]).decode
_DIGITS = re.compile(r"\d{1,9}(\.0*)?", re.ASCII)


class OddLine(msgspec.Struct, gc=False):
    """What was read of a line; `kind` is None where there is none, `blocks` where there is no content."""

    custom_id: str
    kind: str | None
    stop_reason: str | None = None
    usage: Usage | None = None
    blocks: list[Block] | None = None
    inference_geo: str | None = None
    error: tuple[str | None, str | None] = (None, None)  # type and message


def read_odd(line: bytes) -> OddLine:
    """Read all that can be read of a line, whatever the rest of it is.

    Raises NoPieceError for a line that is not whole, or that has no custom id.
    """
    whole = members(line.removeprefix(b"\xef\xbb\xbf"))
    custom_id = _text(whole, "custom_id")
    if custom_id is None:
        raise NoPieceError("it has no custom id")
    result = _inside(whole, "result")
    message = _inside(result, "message")
    usage = _inside(message, "usage")
    return OddLine(
        custom_id,
        kind=_text(result, "type"),
        stop_reason=_text(message, "stop_reason"),
        usage=read_usage(usage) if usage else None,
        blocks=_blocks(message.get("content", b"")),
        inference_geo=_place(usage.get("inference_geo", b"null")),
        error=_error(result),
    )


def read_usage(usage: dict[str, bytes]) -> Usage | None:
    """Read the usage; None where a figure that decides the cost is missing, unreadable or impossible.

    A number of tokens is a whole number, whether it is written as 10, 10.0 or "10".
    """
    counts = {name: read_count(usage.get(name, b"null")) for name in ("input_tokens", "output_tokens")}
    written = read_count(usage.get("cache_creation_input_tokens", b"null"), absent=0)
    read = read_count(usage.get("cache_read_input_tokens", b"null"), absent=0)
    lifetimes = _lifetimes(usage.get("cache_creation", b"null"), written)
    searches = _searches(usage.get("server_tool_use", b"null"))
    if None in (*counts.values(), written, read, lifetimes, searches):
        return None
    found = {"cache_read_tokens": read, "web_search_requests": searches}
    return Usage(**counts, **found, **(lifetimes or {}))  # type: ignore[arg-type]


def read_count(piece: bytes, *, absent: int | None = None, most: int = MOST_TOKENS) -> int | None:
    """Read a number from 0 to `most` in any notation with one reading; None for anything else."""
    found = _value(piece)
    match found:
        case None if piece.strip() == b"null":
            return absent
        case str() if _DIGITS.fullmatch(found):
            found = float(found)
        case bool():
            return None
    if not isinstance(found, int | float) or not 0 <= found <= most or found != int(found):
        return None
    return int(found)


def split_writes(written: int, five_minutes: int | None, one_hour: int) -> dict[str, int]:
    """Split tokens written to the cache by lifetime; without one they count as five-minute, the default."""
    rest = written - one_hour
    return {
        "cache_write_5m_tokens": max(rest if five_minutes is None else five_minutes, rest),
        "cache_write_1h_tokens": one_hour,
    }


def _lifetimes(piece: bytes, written: int | None) -> dict[str, int] | None:
    """Read the lifetimes; an unreadable split does not matter where nothing was written."""
    if written is None:
        return None
    if piece.strip() == b"null":
        return split_writes(written, None, 0)
    try:
        split = members(piece)
    except NoPieceError:
        return split_writes(0, None, 0) if written == 0 else None
    five = read_count(split.get("ephemeral_5m_input_tokens", b"null"), absent=0)
    hour = read_count(split.get("ephemeral_1h_input_tokens", b"null"), absent=0)
    return None if five is None or hour is None else split_writes(written, five, hour)


def _searches(piece: bytes) -> int | None:
    if piece.strip() == b"null":
        return 0
    try:
        tools = members(piece)
    except NoPieceError:
        return None
    return read_count(tools.get("web_search_requests", b"null"), absent=0, most=MOST_SEARCHES)


def _blocks(piece: bytes) -> list[Block] | None:
    """Read a content of one text, or of one block without a list around it, as a list of blocks."""
    if piece == b"null":
        return []
    if piece[:1] == b'"' and isinstance(found := _value(piece), str):
        return [Block(type="text", text=found)]
    try:
        return _decode_blocks(piece)
    except UNDECODABLE:
        pass
    try:
        parts = [piece] if piece[:1] == b"{" else elements(piece)
    except NoPieceError:
        return None
    blocks = [block for part in parts if (block := _block(part)) is not None]
    return blocks if blocks or not parts else None


def _block(piece: bytes) -> Block | None:
    """Read a block; a text without a type is a text.

    Anything but texts and calls is skipped unread: millions of such blocks fit into a line.
    """
    if b'"te' not in piece and b'"tool_use"' not in piece and b"\\" not in piece:
        return None
    try:
        return _decode_block(piece)
    except UNDECODABLE:
        pass
    known = _known(piece, Block)
    if known is None:
        return None
    kind = known.pop("type", "text" if known.get("text") else "unknown")
    return Block(type=kind, **known)


def _citation(piece: bytes) -> Citation | None:
    known = _known(piece, Citation)
    return Citation(**known) if known and known.get("cited_text") else None


def _known(piece: bytes, shape: type[msgspec.Struct]) -> dict[str, Any] | None:
    """Return the fields of an object that are valid or have one reading; None if it is not an object."""
    try:
        given = members(piece)
    except NoPieceError:
        return None
    found: dict[str, Any] = {}
    for field in _fields(shape):
        written = given.get(field.encode_name)
        if written is None:
            continue
        try:
            found[field.name] = _converted(field, written)
        except (msgspec.ValidationError, NoPieceError):
            continue
    return found


@cache
def _fields(shape: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(shape)


def _converted(field: msgspec.structs.FieldInfo, written: bytes) -> Any:
    if field.name in _LISTS and written[:1] == b"[":
        return [c for part in elements(written) if (c := _citation(part)) is not None]
    found = value(written)
    try:
        return msgspec.convert(found, field.type)
    except msgspec.ValidationError:
        return msgspec.convert(found, field.type, strict=False)


def _error(result: dict[str, bytes]) -> tuple[str | None, str | None]:
    outer = _inside(result, "error")
    inner = _inside(outer, "error") or outer
    return _text(inner, "type"), _text(inner, "message")


def _place(piece: bytes) -> str | None:
    found = _value(piece)
    if found is None and piece.strip() == b"null":
        return None
    return found if isinstance(found, str) else UNKNOWN_PLACE


def _inside(parts: dict[str, bytes], name: str) -> dict[str, bytes]:
    """Return the members of an object in an object; none where it is anything else."""
    try:
        return members(parts.get(name, b""))
    except NoPieceError:
        return {}


def _text(parts: dict[str, bytes], name: str) -> str | None:
    found = _value(parts.get(name, b"null"))
    return found if isinstance(found, str) else None


def _value(piece: bytes) -> Any:
    """Return the value of a piece, None where it cannot be read."""
    try:
        return value(piece)
    except NoPieceError:
        return None
