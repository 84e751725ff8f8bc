"""Where a process can die: on both sides of everything that lasts or that somebody else sees."""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

_START, _RETURN, _RESUME = "PY_START", "PY_RETURN", "PY_RESUME"
_CONNECTION = "httpcore2._sync.http11:HTTP11Connection"
_WRITER = "batchata.views.results_dir:ResultsWriter"

# A seam is a moment that comes again and again: where functions begin, return, or go on after a yield. They
# are watched, not replaced: what runs is the library, its HTTP client and SQLite.
SEAMS = {
    # a transaction of the log holds all its rows, and is about to be committed
    "uncommitted": [
        ("batchata.log.sqlite.writer:Writer.transaction", _RESUME),
        ("batchata.log.sqlite.schema:upgrade", _RETURN),
    ],
    # it is on the disk, and nobody has acted on it
    "committed": [
        ("batchata.log.sqlite.writer:Writer.transaction", _RETURN),
        ("batchata.log.sqlite.schema:bring_up_to_date", _RETURN),
        ("batchata.log.sqlite.writer:Writer._switch_to_wal", _RETURN),
    ],
    # a request is whole, and not a byte of it has left
    "request": [(f"{_CONNECTION}._send_request_headers", _START)],
    # the provider has acted and answered, and not a byte of the answer has been read
    "answered": [(f"{_CONNECTION}._receive_response_headers", _START)],
    # the answer has been read to its end, and nobody knows it but the worker's thread
    "read": [(f"{_CONNECTION}._response_closed", _START)],
    # the files of the results_dir
    "files": [
        (f"{_WRITER}.job_done", _START),
        (f"{_WRITER}._write_raw", _RETURN),
        (f"{_WRITER}._write_processed", _RETURN),
    ],
}


class Boundary(NamedTuple):
    """The n-th time that a process comes to a seam, counted from 1."""

    seam: str
    number: int


def watch(counts: Path, boundary: Boundary | None) -> Counter[str]:
    """Count the seams that this process comes to; die of SIGKILL at the boundary.

    How often it has come to each is written to the file on the way to the death, or by `write`.
    """
    seen: Counter[str] = Counter()
    seams: dict[tuple[CodeType, int], str] = {}

    def come(code: CodeType, event: int) -> None:
        seam = seams.get((code, event))
        if seam is None:
            return
        if seam == "answered":
            _wait_for_the_answer(sys._getframe(2))
        seen[seam] += 1
        if boundary == (seam, seen[seam]):
            write(counts, seen)
            os.kill(os.getpid(), signal.SIGKILL)

    tool, monitoring = sys.monitoring.DEBUGGER_ID, sys.monitoring
    monitoring.use_tool_id(tool, "boundaries")
    for kind in (_START, _RETURN, _RESUME):
        number = getattr(monitoring.events, kind)
        monitoring.register_callback(tool, number, lambda code, *_, number=number: come(code, number))
    events: Counter[CodeType] = Counter()
    for seam, places in SEAMS.items():
        for place, kind in places:
            code, number = _code(place), getattr(monitoring.events, kind)
            seams[code, number] = seam
            events[code] |= number
            monitoring.set_local_events(tool, code, events[code])
    return seen


def write(path: Path, seen: Counter[str]) -> None:
    """Leave the counts for whoever started this process."""
    path.write_text(json.dumps(seen))


def _code(place: str) -> CodeType:
    module, _, name = place.partition(":")
    function: Any = importlib.import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    function = getattr(function, "__wrapped__", function)
    assert isinstance(function, FunctionType)
    return function.__code__


def _wait_for_the_answer(frame: Any) -> None:
    """Until there is something to read, or the server has hung up: by then it has acted."""
    connection = frame.f_locals["self"]._network_stream.get_extra_info("socket")
    select.select([connection], [], [], 30)
