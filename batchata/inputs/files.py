"""One input file: where its bytes are, and what is known of it."""

from __future__ import annotations

import io
import os
import re
from base64 import b64encode
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple

from batchata.errors import BadFile, FileInputError, InvalidInputError
from batchata.inputs.images import check_image
from batchata.inputs.json_values import check_text, encode
from batchata.inputs.limits import (
    ENVELOPE_BYTES,
    ENVELOPE_TOKENS,
    MAX_REQUEST_BYTES,
    MAX_TEXT_BYTES,
    base64_size,
    image_token_bound,
    too_large,
)
from batchata.inputs.media_types import EXTENSIONS, PDF, TEXT, decode_text, media_type_of
from batchata.inputs.paths import no_path, read_path, shown, title_of, whole_path
from batchata.inputs.pdf import read_pdf
from batchata.inputs.tokens import (
    FRAME,
    mark_bound,
    mark_tokens,
    pdf_tokens,
    sentences,
    sentences_of_pdf,
    text_tokens,
)
from batchata.providers.models import Model

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

    @property
    def is_usable(self) -> bool:
        """Whether it was found good; only then it is ever sent."""
        return bool(self.sha256)

    def read(self) -> bytes:
        """The file's bytes. Raises FileInputError when they are not those that were checked."""
        if self.data is not None:
            return self.data
        place = f"file {shown(str(self.path))}"
        data = read_path(str(self.path), place, str(self.path))
        if sha256(data).digest() != self.sha256:
            raise FileInputError(f"{place} was changed after it was checked; restore it, or start a new run")
        return data

    def body(self) -> bytes:
        """One JSON object for the log: what the file is and, when it came as bytes, the bytes."""
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
            facts["path_bytes"] = b64encode(os.fsencode(path)).decode()
        return encode({"file": {"path": printable, **facts}})

    def digest(self) -> bytes:
        """Identifies what is sent of the file: its kind, its name (the document's title) and its bytes."""
        return file_digest(self.media_type, self.name, self.sha256.hex())


def file_digest(media_type: str, name: str, sha256_hex: str) -> bytes:
    """Identifies what is sent of a file: its kind, its name (the document's title) and its bytes."""
    return sha256(encode([media_type, name, sha256_hex])).digest()


class CheckedFile(NamedTuple):
    """A file with bounds of its request, bytes and input tokens, and the tokens that are expected.

    All without prompt and parameters.
    """

    file: FileInput
    request_size: int
    token_bound: int
    tokens: int


class _Measured(NamedTuple):
    """Pages, a bound of the tokens, the tokens expected, and the bytes of the encoded content."""

    pages: int | None
    token_bound: int
    tokens: float
    size: int


def check_file(item: Any, index: int, model: Model, cited: bool = False) -> CheckedFile:
    """Read and check the file that the caller gave as `files[index]`; `cited` says that citations are on.

    Raises FileInputError, naming it, when it cannot be sent to the model.
    """
    if isinstance(item, str | os.PathLike):
        given = _path_text(item, index)
        path = whole_path(given)
        place = f"files[{index}] ({shown(given if no_path(given) else path)})"
        data = read_path(path, place, given)
        return _checked(data, title_of(os.path.basename(path)), place, model, path, cited)
    data, name = _given_bytes(item, index)
    place = f"files[{index}] ({name!r})" if name else f"files[{index}] ({len(data)} bytes)"
    checked = _checked(data, name or "", place, model, None, cited)
    return checked if name else _with_name(checked, index)


def unusable_file(item: Any, index: int) -> FileInput:
    """The file that the caller gave as `files[index]`, after `check_file` has refused it."""
    name, path = None, None
    if isinstance(item, str | os.PathLike):
        given = os.fspath(item)
        path = given if isinstance(given, str) and given and "\0" not in given else None
        if path is not None:
            path = whole_path(path) if no_path(path) is None else path[:_LONGEST_PATH]
            name = title_of(os.path.basename(path))
    elif not isinstance(item, bytes | bytearray | memoryview):
        name = _name_of(item)
    return FileInput(name or f"document-{index + 1}", "", 0, b"", None, path)


def bad_file(item: Any, index: int, exc: InvalidInputError) -> BadFile:
    """What is wrong with that file, apart from its place."""
    file = unusable_file(item, index)
    name = file.path or (None if file.name == f"document-{index + 1}" else file.name)
    reason = str(exc).removeprefix(f"files[{index}]").lstrip()
    shown_name = shown(name) if name else ""
    for place in (f"({shown_name}) ", f"({name!r}) "):
        reason = reason.removeprefix(place)
    return BadFile(index, None if name is None else title_of(name), _SIZE.sub("", reason))


def _checked(data: bytes, name: str, place: str, model: Model, path: str | None, cited: bool) -> CheckedFile:
    if not data:
        raise FileInputError(f"{place} is empty (0 bytes); there is nothing to send")
    media_type = media_type_of(data, name, place)
    measured = _measure(data, media_type, place, model, cited)
    size = measured.size
    request_size = size + ENVELOPE_BYTES + len(encode(name))
    if request_size > MAX_REQUEST_BYTES:
        raise FileInputError(too_large(place, size))
    kept = None if path else data
    file = FileInput(name, media_type, len(data), sha256(data).digest(), measured.pages, path, kept)
    bound = min(measured.token_bound + len(name.encode()) + ENVELOPE_TOKENS, model.context_window)
    tokens = round(measured.tokens + (FRAME + text_tokens(name)) * model.text_factor)
    return CheckedFile(file, request_size, bound, min(tokens, model.context_window))


def _measure(data: bytes, media_type: str, place: str, model: Model, cited: bool) -> _Measured:
    if media_type == PDF:
        return _measure_pdf(data, place, model, cited)
    if media_type == TEXT:
        return _measure_text(data, place, model, cited)
    tokens = image_token_bound(*check_image(data, media_type, place), model.image_tokens)
    return _Measured(None, tokens, tokens, base64_size(len(data)))


def _measure_pdf(data: bytes, place: str, model: Model, cited: bool) -> _Measured:
    if (size := base64_size(len(data))) > MAX_REQUEST_BYTES:
        raise FileInputError(too_large(place, size))
    pdf = read_pdf(data, place, model.pdf_pages, model.context_window)
    pictures = pdf.pages * model.image_tokens
    marks = sentences_of_pdf(pdf.characters) if cited else 0
    expected = pictures + (pdf_tokens(pdf.characters) + mark_tokens(marks)) * model.text_factor
    return _Measured(pdf.pages, pdf.text_tokens + pictures + mark_bound(marks), expected, size)


def _measure_text(data: bytes, place: str, model: Model, cited: bool) -> _Measured:
    text = decode_text(data, place)
    encoded = text.encode()
    if (size := len(encoded)) > MAX_TEXT_BYTES:
        raise FileInputError(
            f"{place} is {size:,} bytes of text; at most {MAX_TEXT_BYTES:,} are taken: split it"
        )
    marks = sentences(encoded) if cited else 0
    expected = (text_tokens(encoded) + mark_tokens(marks)) * model.text_factor
    return _Measured(None, size + mark_bound(marks), expected, len(encode(text)))


def _with_name(checked: CheckedFile, index: int) -> CheckedFile:
    old = checked.file
    name = f"document-{index + 1}.{EXTENSIONS[old.media_type]}"
    return checked._replace(file=replace(old, name=name), request_size=checked.request_size + len(name))


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
            f"files[{index}] is a {type(item).__name__}; give a path, bytes or a file opened for reading"
        )
    name = _name_of(item)
    content = _read_open(item, index)
    if not content:
        raise FileInputError(
            f"files[{index}] ({name or type(item).__name__}) gave nothing; it is empty, or was read to its "
            "end before: use file.seek(0)"
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
        raise FileInputError(f"files[{index}] is opened as text and is none; open it with 'rb'") from exc
    except (OSError, ValueError, io.UnsupportedOperation) as exc:
        raise FileInputError(f"files[{index}] cannot be read ({exc}); open it for reading") from exc
    if isinstance(content, str):
        check_text(content, f"files[{index}]")
        return content.encode()
    if not isinstance(content, bytes | bytearray):
        raise InvalidInputError(f"files[{index}].read() gave a {type(content).__name__}, not bytes")
    return bytes(content)
