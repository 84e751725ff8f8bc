"""What a kill leaves at each boundary of a script, from one start: it stops there, and that is copied.

A process that is killed leaves its files and what its provider knows, and a process that stands still has
left the same so far. That real kills leave nothing else is what `kill_everywhere` tries.
"""

from __future__ import annotations

import io
import pickle
import shutil
import signal
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock, RLock, Thread
from typing import Any

from crash_boundaries import Boundary, stop_at, watch
from crash_support import SCENARIOS, Case, all_held, in_memory, play, started_again
from forked import context
from resume_support import Script, fresh, wait_for
from run_support import Runs

from batchata import BatchManager
from batchata.sandbox import Sandbox
from batchata.sandbox.server import Server


@dataclass(frozen=True)
class _Left:
    """What is left at a boundary: a copy of the script's folder, and its provider."""

    at: Boundary
    folder: Path
    provider: bytes
    since: float  # seconds since the epoch


def stopped_everywhere(
    name: str, seams: Collection[str], *, between: Callable[[Runs], None] | None = None
) -> list[Case]:
    """Every boundary of the scenario at these seams: its script starts again from what is left there."""
    scenario = SCENARIOS[name]
    with in_memory() as folder, fresh(folder / name, **scenario.sandbox()) as runs:
        if scenario.before is not None:
            Script(runs, story=partial(play, name=name, boundary=scenario.before)).ends()
        cases = []
        for left in list(_stopped(name, seams, runs)):
            then = _put_back(left, runs)
            problem, looks = started_again(scenario, then, between)
            cases.append(Case(name, left.at, True, {}, looks, problem))
    all_held(cases)
    assert {case.boundary.seam for case in cases if case.boundary} == set(seams), "no boundary was reached"
    return cases


def _stopped(name: str, seams: Collection[str], runs: Runs) -> Iterator[_Left]:
    """Play the scenario to its end, and copy what is left at each boundary."""
    gate, far_gate = context.Pipe()
    front = _Counted(runs.sandbox)
    script = Script(runs, story=partial(_play, name=name, seams=seams, gate=far_gate))
    far_gate.close()
    while (at := _reached(gate)) is not None:
        wait_for(lambda: _is_stopped(script.pid) and front.is_quiet())
        copy = runs.log.parent.with_name(f"{name}-{at.seam}-{at.number}")
        shutil.copytree(runs.log.parent, copy)
        yield _Left(at, copy, _pickled(runs.sandbox), time.time())
        gate.send(None)
        script.send(signal.SIGCONT)
    assert script.ends() == 0, (runs.log.parent / "stderr.txt").read_text()


def _reached(gate: Connection) -> Boundary | None:
    """The next boundary; None when the script has ended, however it did."""
    try:
        reached: Boundary | None = gate.recv()
    except EOFError:
        return None
    return reached


def _play(runs: Runs, name: str, seams: Collection[str], gate: Connection) -> None:
    """In the process of the script: its story to the end, which stops at each boundary."""
    watch(stop_at(seams, gate))
    SCENARIOS[name].story(runs)
    gate.send(None)


def _is_stopped(pid: int) -> bool:
    """Whether all threads of this process stand still."""
    status = Path(f"/proc/{pid}/stat")
    return not status.parent.parent.exists() or status.read_text().rpartition(") ")[2][0] in "Tt"


class _Counted:
    """A sandbox's front that counts the calls it is answering: what a script has sent it acts on, as ever."""

    def __init__(self, sandbox: Sandbox) -> None:
        assert sandbox._server is not None
        self._front: Any = sandbox._front
        self._calls, self._lock = 0, Lock()
        sandbox._server.application = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._front, name)

    def reply(self, call: Any) -> Any:
        with self._lock:
            self._calls += 1
        try:
            return self._front.reply(call)
        finally:
            with self._lock:
                self._calls -= 1

    def is_quiet(self) -> bool:
        with self._lock:
            return self._calls == 0


class _Pickler(pickle.Pickler):
    """Pickles a sandbox but for its threads and its socket."""

    def reducer_override(self, each: Any) -> Any:
        if isinstance(each, Server | Thread):
            return type(None), ()
        if isinstance(each, type(Lock())):
            return Lock, ()
        return (RLock, ()) if isinstance(each, type(RLock())) else NotImplemented


def _pickled(sandbox: Sandbox) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer).dump(sandbox)
    return buffer.getvalue()


def _put_back(left: _Left, runs: Runs) -> Runs:
    """Files and provider as they were, at the same place; open batches take a fifth of what they had.

    The script that was copied had to come to its next step while they ran. This one only waits for them.
    """
    folder = runs.log.parent
    shutil.rmtree(folder)
    left.folder.rename(folder)
    sandbox: Sandbox = pickle.loads(left.provider)
    assert runs.sandbox._server is not None
    sandbox._server, runs.sandbox._server.application = runs.sandbox._server, sandbox._front
    for batches in sandbox._kinds:
        for record in batches._records.values():
            if record.ended_at is None:
                record.ends_at = time.time() + (record.ends_at - left.since) / 5
    return _Quiet(sandbox, folder)


class _Quiet(Runs):
    """Runs of a script that stood still until all its calls were answered: none can take effect later."""

    def manager(self, count: int = 7, **given: Any) -> BatchManager[Any]:
        return super().manager(count, **(given | {"settle_delay": 0.02}))
