"""Keep what has just arrived, so that files and `results()` need not read it from the log again.

All of it is bounded, and whatever is missing here is read from the log.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import IO, Any

import msgspec
import pydantic

from batchata.answers.reader import Result
from batchata.answers.written_results import is_read_back
from batchata.core import ranges
from batchata.core.values import Ranges
from batchata.views.whole_files import SMALL

_MOST_JSON = 16_000_000  # bytes of results that wait for their files
_BESIDE = 200  # bytes that each of these takes beside its text
_MOST_VALUES = 16_000_000  # … of values for `results()`, about
_OBJECT = 500  # bytes that a value takes beside its text
_MOST_JOBS = 64  # whose lines are kept at once
_BLOCK = 1 << 20
_NULL = b"null"

encode_json = msgspec.json.Encoder().encode


def result_json(result: Result, text: str | None) -> bytes:
    """Return a result as it is written to files after `"result":`, by field name.

    Where that would be loaded as another value, the answer's `text` follows, from which it was read: the
    model's own serializers leave something out, say, or its validators take what they made for another thing.
    """
    kind: Any = type(result)
    written = _writer_of(kind)(result)
    if text is None or not isinstance(result, pydantic.BaseModel) or is_read_back(result, written):
        return written
    return written + b',"answer":' + encode_json(text)


@lru_cache(maxsize=256)
def _writer_of(kind: type) -> Callable[[Any], bytes]:
    """Return what writes results of this class, which is not looked up for each result."""
    if not issubclass(kind, pydantic.BaseModel):
        return encode_json
    if kind.model_dump_json is pydantic.BaseModel.model_dump_json:
        return kind.__pydantic_serializer__.to_json  # the same, without a detour through text
    return lambda result: result.model_dump_json().encode()


@dataclass(slots=True)
class _Lines:
    """Result lines of one job, in a file without a name if they are many, and their bodies in the log."""

    pieces: list[bytes] = field(default_factory=list)  # those that are not in the file
    size: int = 0  # of all
    file: IO[bytes] | None = None
    bodies: Ranges = field(default_factory=list)

    def add(self, lines: bytes, folder: str) -> None:
        """Keep some more lines. Raises OSError."""
        self.size += len(lines)
        if self.size > SMALL and self.file is None:
            self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed below
            self.file.writelines(self.pieces)
            self.pieces.clear()
        if self.file is None:
            self.pieces.append(lines)
        else:
            self.file.write(lines)

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


class Arrivals:
    """What one start of a run has collected: by the numbers that answers have as bodies of the log.

    `raw` is the folder for lines, None where they are not wanted; `files` says whether results are written to
    files. Nothing is kept with `cited`: what a citation points at is in the log. Of a run with more than so
    many `items` the values would not be kept to the end, so they are not begun with.
    """

    def __init__(self, *, raw: str | None, files: bool, cited: bool, items: int = 0) -> None:
        self._raw = raw
        # By body, the oldest first.
        self._json: OrderedDict[int, bytes] | None = OrderedDict() if files and not cited else None
        self._json_size = 0
        is_much = items * _OBJECT > _MOST_VALUES
        self._values: dict[int, Result] | None = None if cited or is_much else {}
        self._values_size = 0
        self._lines: dict[int, _Lines] = {}

    def take(self, body: int, result: Result, size: int, text: str | None = None) -> None:
        """Keep an accepted result; `size` is that of its line, and `text` as `Reading` has it."""
        if self._values is not None:
            self._values[body] = result
            self._values_size += size + _OBJECT
            if self._values_size > _MOST_VALUES:
                self._values = None
        if self._json is not None:
            try:
                self._json[body] = written = result_json(result, text)
            except Exception:  # noqa: BLE001 - serializers are the caller's code; the file's writer will say it
                self._json = None
                return
            self._json_size += len(written) + _BESIDE
            while self._json_size > _MOST_JSON:
                self._json_size -= len(self._json.popitem(last=False)[1]) + _BESIDE

    def take_lines(self, job: int, first_body: int, lines: Sequence[bytes]) -> None:
        """Keep lines of a job as they were received; a full disk is met when their file is written."""
        if self._raw is None or not lines or (job not in self._lines and len(self._lines) >= _MOST_JOBS):
            return
        try:
            kept = self._lines.setdefault(job, _Lines())
            kept.add(b"\n".join(lines) + b"\n", self._raw)
        except OSError:
            self._raw = None
            return
        ranges.extend(kept.bodies, first_body)
        kept.bodies[-1] = (kept.bodies[-1][0], first_body + len(lines) - 1)

    def json_of(self, bodies: Iterable[int]) -> list[bytes] | None:
        """Hand out the results in these bodies as JSON, null for -1; None where any of them is missing here.

        They are written to one file, so none of them is kept.
        """
        if self._json is None:
            return None
        found = [_NULL if body < 0 else self._json.pop(body, None) for body in bodies]
        whole = [written for written in found if written is not None]
        self._json_size -= sum(len(written) + _BESIDE for written in whole if written is not _NULL)
        return whole if len(whole) == len(found) else None

    def few_lines(self, job: int, bodies: Ranges) -> bytes | None:
        """Hand out the lines of a job with these bodies; None where there are many, or some are missing."""
        kept = self._lines.get(job)
        if kept is None or kept.file is not None or kept.bodies != bodies:
            return None
        del self._lines[job]
        return b"".join(kept.pieces)

    def copy_lines(self, job: int, bodies: Ranges, file: IO[bytes]) -> bool:
        """Write the lines of a job that has these bodies; return False where some are missing here."""
        kept = self._lines.pop(job, None)
        if kept is None:
            return False
        with closing(kept):
            if kept.bodies != bodies:
                return False
            file.writelines(kept.pieces)
            if kept.file is not None:
                kept.file.seek(0, os.SEEK_SET)
                shutil.copyfileobj(kept.file, file, _BLOCK)
        return True

    def values(self) -> dict[int, Any]:
        """Hand over the kept values by their bodies, once: they are the user's from then on."""
        values, self._values = self._values, None
        return {} if values is None else values

    def close(self) -> None:
        """Release everything but the values."""
        for kept in self._lines.values():
            with suppress(OSError):  # of a full disk; what it held is in the log
                kept.close()
        self._lines.clear()
        self._json = None
