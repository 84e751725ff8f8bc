"""Read again the text of what was sent, as citations point at it: files and parts of messages."""

from __future__ import annotations

import binascii
import os
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from batchata.answers.grounding import Characters, Source, Sources
from batchata.errors import FileInputError, InvalidInputError
from batchata.inputs.media_types import PDF, TEXT, decode_text
from batchata.inputs.pdf_pages import PdfText
from batchata.providers.message_parts import Part, turns_of

__all__ = ["source_of_file", "sources_of_parts"]


def sources_of_parts(body: bytes) -> Sources:
    """Return what an item's input, as the log holds it, can be quoted from: a file, or the user's turns."""
    value = msgspec.json.decode(body)
    if "file" in value:
        return Sources([source_of_file(value["file"])], titles=[value["file"].get("name")])
    try:
        parts = [part for role, parts in turns_of(value["messages"]) if role == "user" for part in parts]
    except InvalidInputError:  # another version took it
        return Sources()
    return Sources([_of_part(part) for part in parts], titles=[part.name for part in parts])


def _of_part(part: Part) -> Source | None:
    if part.kind == "text":
        return Characters(part.value)
    head, _, data = part.value.partition(",")
    if part.kind != "file" or not head.startswith(f"data:{PDF}"):
        return None
    try:
        return PdfText(b64decode(data))
    except binascii.Error:
        return None


def source_of_file(file: dict[str, Any]) -> Source | None:
    """Return the text of a file; one given as a path is read again, and must be unchanged."""
    data = _bytes_of(file)
    if data is None:
        return None
    if file["media_type"] == PDF:
        return PdfText(data)
    if file["media_type"] != TEXT:
        return None
    try:
        return Characters(decode_text(data, "the file"))
    except FileInputError:  # not by us, which checked it before
        return None


def _bytes_of(file: dict[str, Any]) -> bytes | None:
    if "data" in file:
        return b64decode(file["data"])
    if file["path"] is None:
        return None
    path = file["path"] if "path_bytes" not in file else os.fsdecode(b64decode(file["path_bytes"]))
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError):
        return None
    return data if sha256(data).hexdigest() == file["sha256"] else None
