"""Read the bytes behind a path, explain a text that is no path, and derive the title a file is sent under."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from typing import Final

from batchata.errors import FileInputError
from batchata.inputs.addresses import is_address, read_address

_LONGEST_SHOWN: Final = 120
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+")  # pathlib makes one slash of two
_WINDOWS: Final = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_VARIABLE: Final = re.compile(r"\$\w+|\$\{\w+\}|%\w+%")
_FILE_NAME: Final = re.compile(
    r"\.(?:pdf|txt|md|markdown|csv|json|html?|png|jpe?g|gif|webp|docx?)$", re.IGNORECASE
)
_LONGEST_IN_BYTES: Final = 1_024
_PDF_IN_BASE64: Final = "JVBERi"
_KINDS: Final = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_OVERRIDES: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"


def whole_path(text: str) -> str:
    """Return the absolute path that the text means: a leading "~" is the home directory; an address stays."""
    if is_address(text):
        return text
    if text.startswith("~") and not os.path.lexists(text):
        text = os.path.expanduser(text)
    return os.path.abspath(text)


def too_large(place: str, size: int, most: int) -> str:
    """Describe a file whose request would be larger than the provider takes."""
    return (
        f"{place} makes a request of more than {size:,} bytes (a file grows by a third when it is encoded); "
        f"at most {most:,} are accepted: split it or make it smaller"
    )


def read_path(path: str, place: str, given: str, most: int, told: str | None = None) -> bytes:
    """Read the bytes of the file at this path, which the caller gave as the text `given`.

    Raises FileInputError, beginning with `place`, when it cannot be read, or has more than `most` bytes: then
    with the text `told`, or with what is said of a request that is too large. An address may also raise what
    `read_address` does.
    """
    if is_address(path):
        return read_address(path, place, most, lambda size: told or too_large(place, size, most))
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise FileInputError(
                f"{place} is a directory; list its files, for example with Path.glob('*.pdf')"
            )
        if not stat.S_ISREG(found.st_mode):
            kind = next((word for test, word in _KINDS if test(found.st_mode)), "something else")
            raise FileInputError(f"{place} is not a regular file but {kind}; give its bytes instead")
        if found.st_size > most:
            raise FileInputError(told or too_large(place, found.st_size, most))
        with open(path, "rb") as file:
            return file.read()
    except PermissionError as exc:
        raise FileInputError(f"{place} cannot be read by this user; change its permissions") from exc
    except (OSError, UnicodeEncodeError) as exc:
        raise FileInputError(f"{place} {no_path(given) or _unreadable(path, exc)}") from exc


def no_path(text: str) -> str | None:
    """Explain what a text that leads to no file seems to be, and what to give; None for a mere path."""
    if text.startswith("data:"):
        return "is a data: URL; give the bytes in it: base64.b64decode(url.partition(',')[2])"
    if url := _URL.match(text):
        return _url(url[1].lower(), text)
    if text.lstrip()[:20].replace("\n", "").startswith(_PDF_IN_BASE64):
        return "is the base64 text of a PDF, not a path; give its bytes: base64.b64decode(...)"
    if "\n" in text.strip() or len(text) > 4_096:
        return "is text, not a path; pass the text itself as bytes: text.encode()"
    if text != text.strip() and os.path.exists(text.strip()):
        return f"has white space around it; give {text.strip()!r}"
    if os.sep == "/" and _WINDOWS.match(text):
        return "is a Windows path; give the path of the file on this machine"
    if _VARIABLE.search(text):
        return "contains a variable, which is not expanded; use os.path.expandvars(...)"
    if any(sign in text for sign in "*?["):
        return "does not exist; patterns are not expanded: list the files with Path.glob(...)"
    return None


def path_in_bytes(data: bytes) -> str | None:
    """Explain that bytes are a path or a URL, and what to give instead; None for what may be a document."""
    if len(data) > _LONGEST_IN_BYTES or b"\n" in data.strip() or b"\0" in data:
        return None
    text = os.fsdecode(data).strip()
    is_word = not any(map(str.isspace, text))
    if is_word and not is_address(text) and (_URL.match(text) or text.startswith("data:")):
        return no_path(text)
    is_named = is_address(text) or _FILE_NAME.search(text) is not None
    if (is_word and is_named) or ((is_named or os.sep in text) and os.path.isfile(os.path.expanduser(text))):
        return "is a path given as bytes, which are taken for a document's content; give the path as str"
    return None


def _local_path(url: str) -> str:
    rest = url.partition(":")[2]
    return "/" + rest.removeprefix("//localhost").lstrip("/")


def _url(scheme: str, text: str) -> str:
    if scheme == "file":
        return f"is a file: URL; give its path: {_local_path(text)!r}"
    if is_address(whole := f"{scheme}://{text.partition(':')[2].lstrip('/')}") and not is_address(text):
        return f"is an address with one slash, as pathlib makes it; give it as text: {whole!r}"
    cure = "download it and give its path or bytes"
    if scheme in ("http", "https"):
        cure += ", or use messages with a document of source type url"
    return f"is a URL; Batchata does not fetch URLs: {cure}"


def _unreadable(path: str, exc: Exception) -> str:
    if os.path.islink(path) and isinstance(exc, FileNotFoundError):
        return f"is a link to {os.readlink(path)!r}, which does not exist; fix the link or leave it out"
    if isinstance(exc, FileNotFoundError):
        return "does not exist; check the path (to send the text itself, give bytes)"
    if isinstance(exc, UnicodeEncodeError):
        return "is not a path: no file can have such a name"
    return f"cannot be read: {getattr(exc, 'strerror', None) or exc}"


def shown(path: str) -> str:
    """Return the path in quotes, for a message: printable, and only its end where it is long."""
    text = title_of(path)
    return repr(text if len(text) <= 4 * _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def title_of(name: str) -> str:
    r"""Return the name as it can be shown and sent; what is unprintable or not UTF-8 becomes `\xe9`.

    Different names keep different titles.
    """
    if name.isascii() and name.isprintable():
        return name
    try:
        text = os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a character, of no file system's making
        text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(map(_printable, text))


def _printable(sign: str) -> str:
    if unicodedata.category(sign) != "Cc" and sign not in _OVERRIDES:
        return sign
    return sign.encode("unicode_escape").decode()
