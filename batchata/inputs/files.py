"""Hold one input file: where its bytes are, and what is known about it."""

from __future__ import annotations

import io
import os
import re
from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple

from batchata.errors import BadFile, FileInputError, InvalidInputError
from batchata.inputs.addresses import address_of
from batchata.inputs.json_values import check_text, encode
from batchata.inputs.media_types import EXTENSIONS, media_type_of
from batchata.inputs.paths import no_path, path_in_bytes, read_path, shown, title_of, whole_path
from batchata.text import type_of

_SIZE = re.compile(r"^\(\d+ bytes\) ")  # names what has no name
_LONGEST_PATH = 4_096  # kept of a text that is no path


@dataclass(frozen=True, slots=True)
class FileInput:
    """One checked file: a path to read again when it is sent, or the bytes themselves.

    It can be pickled. `sha256` is that of the file's bytes, `pages` None except for a PDF. A file that cannot
    be used has neither a hash nor a media type.
    """

    name: str
    media_type: str
    size: int
    sha256: bytes
    pages: int | None
    path: str | None = None
    data: bytes | None = None

    def at_place(self, old: int, new: int) -> FileInput:
        """Return the file as it is named at its new place: bytes without a name are named after it."""
        given, ending = _unnamed(old), self.name.removeprefix(_unnamed(old))
        is_unnamed = (
            old != new and self.path is None and self.name.startswith(given) and ending[:1] in ("", ".")
        )
        return replace(self, name=f"{_unnamed(new)}{ending}") if is_unnamed else self

    @property
    def is_usable(self) -> bool:
        """Whether it passed its checks; no other file is ever sent."""
        return bool(self.sha256)

    def read(self) -> bytes:
        """Read the file's bytes. Raises FileInputError when they are not those that were checked."""
        if self.data is not None:
            return self.data
        path = str(self.path)
        place = f"file {shown(path)}"
        changed = f"{place} was changed after it was checked; restore it, or start a new run"
        data = read_path(path, place, path, self.size, changed)
        if sha256(data).digest() != self.sha256:
            raise FileInputError(changed)
        return data

    def body(self) -> bytes:
        """Return one JSON object for the log: what the file is and, when it came as bytes, the bytes."""
        facts: dict[str, Any] = {
            "name": self.name,
            "media_type": self.media_type,
            "size": self.size,
            "sha256": self.sha256.hex(),
            "pages": self.pages,
        }
        if self.data is not None:
            return encode({"file": {**facts, "data": b64encode(self.data).decode()}})
        if self.path is None:
            return encode({"file": {"path": None, **facts}})
        path = self.path
        if (printable := title_of(path)) != path:  # what JSON cannot hold, or a screen not show
            with suppress(UnicodeEncodeError):  # a path that there cannot be
                facts["path_bytes"] = b64encode(os.fsencode(path)).decode()
        return encode({"file": {"path": printable, **facts}})

    def digest(self) -> bytes:
        """Identify what is sent of the file: its kind, its name (the document's title) and its bytes."""
        return file_digest(self.media_type, self.name, self.sha256.hex())


def file_digest(media_type: str, name: str, sha256_hex: str) -> bytes:
    """Identify what is sent of a file: its kind, its name (the document's title) and its bytes."""
    return sha256(encode([media_type, name, sha256_hex])).digest()


def file_of(facts: dict[str, Any]) -> FileInput:
    """Return the file that an item's body describes."""
    data, path = facts.get("data"), facts.get("path")
    if "path_bytes" in facts:
        path = os.fsdecode(b64decode(facts["path_bytes"]))
    return FileInput(
        name=facts["name"],
        media_type=facts["media_type"],
        size=facts["size"],
        sha256=bytes.fromhex(facts["sha256"]),
        pages=facts["pages"],
        path=path,
        data=None if data is None else b64decode(data),
    )


class GivenFile(NamedTuple):
    """A file as it was read; `place` is its name in messages."""

    file: FileInput
    data: bytes
    place: str


def _unnamed(index: int) -> str:
    """Return what bytes without a name are called in their place."""
    return f"document-{index + 1}"


def read_file(item: Any, index: int, most: int) -> GivenFile:
    """Read the file that the caller gave as `files[index]`; `most` is the limit of bytes.

    Raises FileInputError, naming it, when it cannot be read or is of no known kind, and whatever
    `read_address` raises.
    """
    item = address_of(item)
    if isinstance(item, str | os.PathLike):
        given = _path_text(item, index)
        path = whole_path(given)
        place = f"files[{index}] ({shown(given if no_path(given) else path)})"
        data = read_path(path, place, given, most)
        return _given(data, title_of(os.path.basename(path)), place, path, index)
    data, name = _given_bytes(item, index)
    if name is None and (told := path_in_bytes(data)) is not None:
        raise FileInputError(f"files[{index}] ({len(data)} bytes) {told}")
    place = f"files[{index}] ({name!r})" if name else f"files[{index}] ({len(data)} bytes)"
    return _given(data, name or "", place, None, index)


def unusable_file(item: Any, index: int) -> FileInput:
    """Return a stand-in for the file that the caller gave as `files[index]` and that was refused."""
    name, path = None, None
    if isinstance(item, str | os.PathLike):
        given = os.fspath(item)
        path = given if isinstance(given, str) and given and "\0" not in given else None
        if path is not None:
            path = whole_path(path) if no_path(path) is None else path[:_LONGEST_PATH]
            name = title_of(os.path.basename(path))
    elif not isinstance(item, bytes | bytearray | memoryview):
        name = _name_of(item)
    return FileInput(name or _unnamed(index), "", 0, b"", None, path)


def bad_file(item: Any, index: int, exc: InvalidInputError) -> BadFile:
    """Return what is wrong with that file, without its place."""
    file = unusable_file(item, index)
    name = file.path or (None if file.name == _unnamed(index) else file.name)
    reason = str(exc).removeprefix(f"files[{index}]").lstrip()
    shown_name = shown(name) if name else ""
    for place in (f"({shown_name}) ", f"({name!r}) "):
        reason = reason.removeprefix(place)
    return BadFile(index, None if name is None else title_of(name), _SIZE.sub("", reason))


def _given(data: bytes, name: str, place: str, path: str | None, index: int) -> GivenFile:
    if not data:
        raise FileInputError(f"{place} is empty (0 bytes); there is nothing to send")
    media_type = media_type_of(data, name, place)
    kept = None if path else data
    named = name or f"{_unnamed(index)}.{EXTENSIONS[media_type]}"
    file = FileInput(named, media_type, len(data), sha256(data).digest(), None, path, kept)
    return GivenFile(file, data, place)


def _path_text(item: str | os.PathLike[Any], index: int) -> str:
    path = os.fspath(item)
    if not isinstance(path, str):
        raise InvalidInputError(f"files[{index}] is a path of bytes; use os.fsdecode(...)")
    if not path or "\0" in path:
        raise FileInputError(f"files[{index}] is not a path: {path!r}")
    return path


def _given_bytes(item: Any, index: int) -> tuple[bytes, str | None]:
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item), None
    if not callable(getattr(item, "read", None)):
        raise InvalidInputError(
            f"files[{index}] is {type_of(item)}; give a path, bytes or a file opened for reading"
        )
    name = _name_of(item)
    content = _read_open(item, index)
    if not content:
        raise FileInputError(
            f"files[{index}] ({name or type(item).__name__}) is empty, or was already read to its end; "
            "call file.seek(0) first"
        )
    return content, name


def _name_of(item: Any) -> str | None:
    name = getattr(item, "name", None)
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    return (title_of(os.path.basename(name)) or None) if isinstance(name, str) else None


def _read_open(item: Any, index: int) -> bytes:
    try:
        content = item.read()
    except UnicodeDecodeError as exc:
        raise FileInputError(f"files[{index}] is opened as text, but is not text; open it with 'rb'") from exc
    except (OSError, ValueError, io.UnsupportedOperation) as exc:
        raise FileInputError(f"files[{index}] cannot be read ({exc}); open it for reading") from exc
    if isinstance(content, str):
        check_text(content, f"files[{index}]")
        return content.encode()
    if not isinstance(content, bytes | bytearray):
        raise InvalidInputError(f"files[{index}].read() returned {type_of(content)}, not bytes")
    return bytes(content)
