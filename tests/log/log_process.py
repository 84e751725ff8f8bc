"""What other processes do with a log: each has a claim and says through a pipe how far it is."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import log_samples as s

from batchata.core.values import Process
from batchata.errors import LogError
from batchata.log import open_log
from batchata.log.port import Claim

type Work = Callable[[Claim, Connection], None]

# Forked, since a spawned process takes half a second to import everything.
_context = multiprocessing.get_context("fork")


class Other:
    """Another process at work on a claim of a stream."""

    def __init__(self, path: Path | str, work: Work, stream: str = "run") -> None:
        self._pipe, theirs = _context.Pipe(duplex=False)
        self._process = _context.Process(
            target=_claim_and_work, args=(path, work, stream, theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        self.pid = self._process.pid

    def says(self) -> object:
        """What it says next."""
        return self._pipe.recv()

    def kill(self) -> list[object]:
        """Kill -9, and what it had still said."""
        self._process.kill()
        self._process.join()
        said = []
        while True:
            try:
                said.append(self._pipe.recv())
            except EOFError:
                return said


type Start = Callable[..., Other]


def _claim_and_work(path: Path | str, work: Work, stream: str, pipe: Connection) -> None:
    work(open_log(path).claim(stream, Process(pid=os.getpid(), host="there")), pipe)


def append_for_ever(claim: Claim, pipe: Connection) -> None:
    """Commits of changing size, some large, with bodies; each acknowledged by the version it reached."""
    size = 1
    while True:
        first = claim.version
        size = size * 7 % 1_009
        claim.append(s.AT, [s.submitted(first + n) for n in range(size)], [b"%d" % first] * (size % 5))
        pipe.send(claim.version)


def append_and_fork(claim: Claim, pipe: Connection) -> None:
    """Leave a child behind that lives on, as a process pool would."""
    claim.append(s.AT, [s.submitted(1)])
    child = os.fork()
    if child == 0:
        pipe.close()
        time.sleep(60)
        os._exit(0)
    pipe.send(child)
    time.sleep(60)


def append_until_full(claim: Claim, pipe: Connection) -> None:
    """Run into a limit of file size, which for SQLite is a full disk, and go on when it is lifted."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
    body = os.urandom(500_000).replace(b"\n", b"")
    try:
        while True:
            claim.append(s.AT, [s.submitted(1)], [body])
    except LogError as exc:
        pipe.send((claim.version, type(exc).__name__, str(exc)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    claim.append(s.AT, [s.submitted(2)], [body])
    pipe.send(claim.version)


def append_some(claim: Claim, pipe: Connection) -> None:
    """A hundred commits."""
    for number in range(100):
        claim.append(s.AT, [s.submitted(number)] * 3, [b"body"])
    pipe.send(claim.version)
