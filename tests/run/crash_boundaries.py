"""Where a process can die: on both sides of everything that lasts or that somebody else sees."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from types import CodeType
from typing import Any, NamedTuple

import places

_START, _RETURN, _RESUME = "PY_START", "PY_RETURN", "PY_RESUME"

type Moments = list[tuple[str, str]]

# A seam is a moment that comes again and again: where functions begin, return, or go on after a yield. They
# are watched, not replaced: what runs is the library, its HTTP client and SQLite. A kill matters by what it
# leaves in the log, the files and at the provider: a call that only reads leaves the same before it, after it
# and when its answer has been read, so that only calls which change something count, unless all is asked for.
SEAMS = {
    # a transaction of the log holds all its rows, and is about to be committed
    "uncommitted": [
        (places.TRANSACTION, _RESUME),
        (places.UPGRADE, _RETURN),
    ],
    # it is on the disk, and nobody has acted on it
    "committed": [
        (places.TRANSACTION, _RETURN),
        (places.BRING_UP_TO_DATE, _RETURN),
        (places.SWITCH_TO_WAL, _RETURN),
    ],
    # a request is whole, and not a byte of it has left
    "request": [(places.REQUEST_SENT, _START)],
    # the provider has acted and answered, and not a byte of the answer has been read
    "answered": [(places.ANSWER_COMES, _START)],
    # the answer has been read to its end, and nobody knows it but the worker's thread
    "read": [(places.ANSWER_READ, _START)],
    # a file of the results_dir is there; until the first one is, all is as it was committed
    "files": [
        (places.WRITE_RAW, _RETURN),
        (places.WRITE_PROCESSED, _RETURN),
    ],
}

THOROUGH = "BATCHATA_THOROUGH" in os.environ  # every seam of every scenario, from its first transaction
_CALLS = {"request", "answered", "read"}
BEGUN = "begun"  # no seam: how many transactions were committed before the first request


# The same of a log in PostgreSQL.
SEAMS_OF_POSTGRES = {
    "uncommitted": [(places.OF_POSTGRES["write"], _RETURN)],
    "committed": [
        (places.OF_POSTGRES["transaction"], _RETURN),
        (places.OF_POSTGRES["ready"], _RETURN),
    ],
}


class Boundary(NamedTuple):
    """The n-th time that a process comes to a seam, counted from 1."""

    seam: str
    number: int


def watch(
    come: Callable[[Boundary, Counter[str]], None], watched: Mapping[str, Moments] = SEAMS
) -> Counter[str]:
    """Count the seams that this process comes to, and call `come` at each, with the counts so far."""
    seen: Counter[str] = Counter()
    seams: dict[tuple[CodeType, int], str] = {}
    one_by_one = Lock()

    def reach(code: CodeType, event: int) -> None:
        seam = seams.get((code, event))
        if seam is None:
            return
        if seam == "request" and BEGUN not in seen:
            seen[BEGUN] = seen["committed"]
        if seam in _CALLS and not (THOROUGH or _changes_something(sys._getframe(2))):
            return
        if seam == "answered":
            _wait_for_the_answer(sys._getframe(2))
        with one_by_one:
            seen[seam] += 1
            come(Boundary(seam, seen[seam]), seen)

    tool, monitoring = sys.monitoring.DEBUGGER_ID, sys.monitoring
    monitoring.use_tool_id(tool, "boundaries")
    for kind in (_START, _RETURN, _RESUME):
        number = getattr(monitoring.events, kind)
        monitoring.register_callback(tool, number, lambda code, *_, number=number: reach(code, number))
    events: Counter[CodeType] = Counter()
    for seam, moments in watched.items():
        for place, kind in moments:
            code, number = places.function_at(place).__code__, getattr(monitoring.events, kind)
            seams[code, number] = seam
            events[code] |= number
            monitoring.set_local_events(tool, code, events[code])
    return seen


def die_at(boundary: Boundary | None, counts: Path) -> Callable[[Boundary, Counter[str]], None]:
    """Die of SIGKILL at the boundary; the counts are written to the file on the way to the death."""

    def come(at: Boundary, seen: Counter[str]) -> None:
        if at == boundary:
            write(counts, seen)
            os.kill(os.getpid(), signal.SIGKILL)

    return come


def stop_at(seams: Collection[str], gate: Connection) -> Callable[[Boundary, Counter[str]], None]:
    """Stand still with all threads at each boundary of these seams, until the other side lets it go on.

    Commits before the first request count and are passed by.
    """

    def come(at: Boundary, seen: Counter[str]) -> None:
        if at.seam in seams and (THOROUGH or at.seam != "committed" or BEGUN in seen):
            gate.send(at)
            os.kill(os.getpid(), signal.SIGSTOP)
            gate.recv()

    return come


def write(path: Path, seen: Counter[str]) -> None:
    """Leave the counts for whoever started this process."""
    path.write_text(json.dumps(seen))


def _changes_something(frame: Any) -> bool:
    """Whether the call that this frame of the HTTP client works at is one that the provider acts on."""
    while "request" not in frame.f_locals and not hasattr(frame.f_locals.get("self"), "_request"):
        frame = frame.f_back
    request = frame.f_locals.get("request") or frame.f_locals["self"]._request
    return bool(request.method == b"POST")


def _wait_for_the_answer(frame: Any) -> None:
    """Until there is something to read, or the server has hung up: by then it has acted."""
    connection = frame.f_locals["self"]._network_stream.get_extra_info("socket")
    select.select([connection], [], [], 30)
