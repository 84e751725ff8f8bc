"""Find the documents of a run by their content, in folders that were handed over with its log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from batchata.inputs.files import file_of
from batchata.inputs.json_values import encode
from batchata.log.port import Log
from batchata.run.from_log import Moved

__all__ = ["with_documents"]

_OF_A_FILE = b'{"file":'  # how the body of an item that is a file begins


def with_documents(log: Log, folders: Sequence[str]) -> Log:
    """Return the log with the paths of files in these folders that have the same bytes.

    Raises FileInputError for a place that does not exist.
    """
    return cast("Log", _Relocated(log, Moved(folders)))


class _Relocated:
    """A log whose items' files are elsewhere; everything else is unchanged."""

    def __init__(self, log: Log, moved: Moved) -> None:
        self._log, self._moved = log, moved

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def bodies(self, stream: str, numbers: Iterable[int]) -> Iterator[bytes | None]:
        for body in self._log.bodies(stream, numbers):
            yield body if body is None or not body.startswith(_OF_A_FILE) else self._found(body)

    def _found(self, body: bytes) -> bytes:
        value = json.loads(body)
        file = file_of(value["file"])
        found = self._moved.found(file)
        if found.path == file.path:
            return body
        value["file"]["path"] = found.path
        return encode(value)
