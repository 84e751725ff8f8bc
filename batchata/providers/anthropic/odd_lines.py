"""Read result lines of unknown shape part by part, so that an odd part never costs a known one."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

import msgspec

from batchata.answers.answer import Block, Citation
from batchata.core.pricing import MOST_SEARCHES, MOST_TOKENS
from batchata.core.values import Usage
from batchata.providers.anthropic.pieces import NoPieceError, elements, members, value
from batchata.providers.result_fields import whole_number

UNKNOWN_PLACE = "in an unknown shape"
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_blocks = msgspec.json.Decoder(list[Block]).decode


class _AnyBlock(msgspec.Struct, gc=False):
    """A block whose fields may be anything."""

    type: Any = msgspec.UNSET
    text: Any = msgspec.UNSET
    citations: Any = msgspec.UNSET
    id: Any = msgspec.UNSET
    name: Any = msgspec.UNSET
    input: Any = msgspec.UNSET


type _Part = _AnyBlock | list[Any] | str | int | float | bool | None
_decode_part = msgspec.json.Decoder(_Part).decode
_decode_parts = msgspec.json.Decoder(list[_Part]).decode


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
    return Usage(**counts, **found, **(lifetimes or {}))  # type: ignore[arg-type]  # none of them is None


def read_count(piece: bytes, *, absent: int | None = None, most: int = MOST_TOKENS) -> int | None:
    """Read a number from 0 to `most` as `whole_number` does; null is `absent`."""
    return absent if piece.strip() == b"null" else whole_number(_value(piece), most)


def split_writes(written: int, five_minutes: int | None, one_hour: int) -> dict[str, int]:
    """Split tokens written to the cache by lifetime; without a split, all count as five-minute."""
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
        parts: list[Any] = [_decode_part(piece)] if piece[:1] == b"{" else _decode_parts(piece)
    except UNDECODABLE:
        try:
            parts = [_part(part) for part in ([piece] if piece[:1] == b"{" else elements(piece))]
        except NoPieceError:
            return None
    blocks = [block for part in parts if (block := _block(part)) is not None]
    return blocks if blocks or not parts else None


def _part(piece: bytes) -> _Part:
    """Read one of the blocks; one that names neither a text nor a call is empty."""
    if b'"te' not in piece and b'"tool_use"' not in piece and b"\\" not in piece:
        return None
    try:
        found: _Part = _decode_part(piece)
    except UNDECODABLE:
        return _pieced(piece)
    return found


def _pieced(piece: bytes) -> _AnyBlock | None:
    """Read a block member by member."""
    try:
        given = members(piece)
    except NoPieceError:
        return None
    found = _AnyBlock()
    for field in _fields(_AnyBlock):
        if (written := given.get(field.encode_name)) is not None:
            with suppress(NoPieceError):
                setattr(found, field.name, _read(written))
    return found


def _read(written: bytes) -> Any:
    """Return the value; of a list with a part that cannot be read, the other parts."""
    try:
        return value(written)
    except NoPieceError:
        if written[:1] != b"[":
            raise
        return [found for part in elements(written) if (found := _members_of(part)) is not None]


def _members_of(piece: bytes) -> dict[str, Any] | None:
    """Return those members of an object that can be read."""
    try:
        given = members(piece)
    except NoPieceError:
        return None
    return {key: found for key, written in given.items() if (found := _value(written)) is not None}


def _block(part: _Part) -> Block | None:
    """Make a block of the fields that are as expected, or have one reading; a text needs no type."""
    if not isinstance(part, _AnyBlock):
        return None
    if part.text is msgspec.UNSET and part.type is msgspec.UNSET:
        return None
    text = part.text if isinstance(part.text, str) else _converted(part.text, str)
    kind = part.type if isinstance(part.type, str) else "text" if text else "unknown"
    if part.text is msgspec.UNSET and kind not in ("text", "tool_use"):
        return None
    given = part.citations if isinstance(part.citations, list) else None
    cited = given and [found for each in given if (found := _citation(each)) is not None]
    if kind != "tool_use":
        return Block(kind, text, cited)
    asked = None if part.input is msgspec.UNSET else part.input
    return Block(kind, text, cited, _converted(part.id, str), _converted(part.name, str), asked)


def _converted(found: Any, kind: type) -> Any:
    """Return the value in the expected type, where it has one reading; else None."""
    if found is None or found is msgspec.UNSET or isinstance(found, kind):
        return None if found is msgspec.UNSET else found
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError:
        return None


def _citation(given: Any) -> Citation | None:
    """Make a citation of the fields that are as expected, if the cited text is among them."""
    if not isinstance(given, dict) or not given.get("cited_text"):
        return None
    try:
        return msgspec.convert(given, Citation)
    except msgspec.ValidationError:
        pass
    known = {}
    for field in _fields(Citation):
        if field.encode_name in given:
            try:
                known[field.name] = msgspec.convert(given[field.encode_name], field.type, strict=False)
            except msgspec.ValidationError:
                continue
    return Citation(**known) if known.get("cited_text") else None


@cache
def _fields(shape: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(shape)


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
