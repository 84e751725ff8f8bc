"""One input file: where its bytes are, and what is known of it."""

from __future__ import annotations

import io
import os
import stat
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from batchata.errors import FileInputError, InvalidInputError
from batchata.inputs.images import check_image
from batchata.inputs.kinds import EXTENSIONS, PDF, TEXT, decode_text, media_type_of
from batchata.inputs.limits import (
    ENVELOPE_BYTES,
    ENVELOPE_TOKENS,
    MAX_REQUEST_BYTES,
    MAX_TEXT_BYTES,
    base64_size,
    image_token_bound,
)
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
from batchata.inputs.values import check_text, encode
from batchata.providers.models import Model


@dataclass(frozen=True, slots=True)
class FileInput:
    """One checked file: a path to read again when it is sent, or the bytes themselves.

    It can be pickled. `sha256` is that of the file's bytes, `pages` None except for a PDF.
    """

    name: str
    media_type: str
    size: int
    sha256: bytes
    pages: int | None
    path: str | None = None
    data: bytes | None = None

    def read(self) -> bytes:
        """The file's bytes. Raises FileInputError when they are not those that were checked."""
        if self.data is not None:
            return self.data
        place = f"file {self.path!r}"
        data = _read_path(str(self.path), place)
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
        if self.data is None:
            return encode({"file": {"path": self.path, **facts}})
        return encode({"file": {**facts, "data": b64encode(self.data).decode()}})

    def digest(self) -> bytes:
        """Identifies what is sent of the file: its kind, its name (the document's title) and its bytes."""
        return sha256(encode([self.media_type, self.name, self.sha256.hex()])).digest()


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
        path = os.path.abspath(_path_text(item, index))
        place = f"files[{index}] ({path!r})"
        return _checked(_read_path(path, place), os.path.basename(path), place, model, path, cited)
    data, name = _given_bytes(item, index)
    place = f"files[{index}] ({name!r})" if name else f"files[{index}] ({len(data)} bytes)"
    checked = _checked(data, name or "", place, model, None, cited)
    return checked if name else _with_name(checked, index)


def _checked(data: bytes, name: str, place: str, model: Model, path: str | None, cited: bool) -> CheckedFile:
    if not data:
        raise FileInputError(f"{place} is empty (0 bytes); there is nothing to send")
    media_type = media_type_of(data, name, place)
    measured = _measure(data, media_type, place, model, cited)
    size = measured.size
    request_size = size + ENVELOPE_BYTES + len(encode(name))
    if request_size > MAX_REQUEST_BYTES:
        raise FileInputError(_too_large(place, size))
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
        raise FileInputError(_too_large(place, size))
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
    file = FileInput(name, old.media_type, old.size, old.sha256, old.pages, old.path, old.data)
    return checked._replace(file=file, request_size=checked.request_size + len(name))


def _too_large(place: str, size: int) -> str:
    return (
        f"{place} makes a request of more than {size:,} bytes (a file grows by a third when it is encoded); "
        f"at most {MAX_REQUEST_BYTES:,} are taken: split it or make it smaller"
    )


def _path_text(item: str | os.PathLike[Any], index: int) -> str:
    path = os.fspath(item)
    if not isinstance(path, str):
        raise InvalidInputError(f"files[{index}] is a path of bytes; use os.fsdecode(...)")
    if not path or "\0" in path:
        raise FileInputError(f"files[{index}] is not a path: {path!r}")
    check_text(path, f"files[{index}]")
    return path


def _given_bytes(item: Any, index: int) -> tuple[bytes, str | None]:
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item), None
    if not callable(getattr(item, "read", None)):
        raise InvalidInputError(
            f"files[{index}] is a {type(item).__name__}; give a path, bytes or a file opened for reading"
        )
    content = _read_open(item, index)
    name = getattr(item, "name", None)
    return content, os.path.basename(name) or None if isinstance(name, str) else None


def _read_open(item: Any, index: int) -> bytes:
    try:
        content = item.read()
    except (OSError, ValueError, io.UnsupportedOperation) as exc:
        raise FileInputError(f"files[{index}] cannot be read ({exc}); open it for reading") from exc
    if isinstance(content, str):
        check_text(content, f"files[{index}]")
        return content.encode()
    if not isinstance(content, bytes | bytearray):
        raise InvalidInputError(f"files[{index}].read() gave a {type(content).__name__}, not bytes")
    return bytes(content)


def _read_path(path: str, place: str) -> bytes:
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise FileInputError(
                f"{place} is a directory; list its files, for example with Path.glob('*.pdf')"
            )
        if not stat.S_ISREG(found.st_mode):
            raise FileInputError(f"{place} is not a regular file; give its bytes instead")
        if found.st_size > MAX_REQUEST_BYTES:
            raise FileInputError(_too_large(place, found.st_size))
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as exc:
        raise FileInputError(
            f"{place} does not exist; check the path (the text itself is passed as bytes)"
        ) from exc
    except PermissionError as exc:
        raise FileInputError(f"{place} may not be read by this user; change its permissions") from exc
    except OSError as exc:
        raise FileInputError(f"{place} cannot be read: {exc.strerror or exc}") from exc
