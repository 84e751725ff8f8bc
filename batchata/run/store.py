"""Keep one run: its log, its stream in it, and its state as of the last look."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from batchata.core.events import RunStarted
from batchata.core.evolve import evolve
from batchata.core.state import Run
from batchata.errors import HalfLogWarning, InvalidInputError, LogError, NotALogError
from batchata.log import A_LOG, is_begun, open_log, place_of, read_log
from batchata.log.format import Committed, EventTuple
from batchata.log.port import Claim, Log
from batchata.log.verify import first_change
from batchata.logs import warn
from batchata.paths import PathLike, check_path
from batchata.run.definition import this_process
from batchata.run.journal import Journal
from batchata.text import shown

_LONGEST_RUN_ID = 200  # characters: it is a key of every table, and stands in every line about the run
_FIRST_START = "the first run"  # claimed, never written to: two processes must not both begin a run


class RunStore:
    """Opens the log for each use and keeps only the folded state between uses.

    While a thread drives the run, its state belongs to that thread; others read the log into a state of
    their own.
    """

    def __init__(self, state_path: PathLike | None, run_id: str | None) -> None:
        if run_id is not None:
            _check_run_id(run_id)
        self._path = None if state_path is None else check_path("state_path", state_path, f"{A_LOG}, or None")
        self._place = None if self._path is None else place_of(self._path)
        self._given, self._run_id = run_id, run_id
        # Says which run of several is meant where no run_id does.
        self.choose: Callable[[Log, Sequence[str]], str] = lambda _log, streams: streams[0]
        # What to say where the log at the last look had no run, and perhaps has one in a file left behind.
        self._half: str | None = None
        self._memory: Log | None = open_log(None) if state_path is None else None
        self._run = Run()
        self._driver: int | None = None  # the thread that holds the claim
        # The state whose events are as they were written, and the commit up to which that is known.
        self._intact: tuple[Run, Committed] | None = None
        self._first: tuple[str, EventTuple] | None = (
            None  # the run's tag, and its first event as it is stored
        )
        self._onlookers = threading.local()
        self._lock = threading.Lock()  # held while a state is brought up to date

    @property
    def place(self) -> str | None:
        """The log's name in messages: its path, or its URL without a password; None for a log in memory."""
        return self._place

    @property
    def run(self) -> Run:
        """The run as of this thread's last look."""
        if self._driver in (None, threading.get_ident()):
            return self._run
        if not hasattr(self._onlookers, "run"):
            self._onlookers.run = Run()
        onlooked: Run = self._onlookers.run
        return onlooked

    @property
    def run_id(self) -> str | None:
        """The run's stream: as given, or as found in the log."""
        return self._run_id

    @property
    def in_memory(self) -> bool:
        """Whether nothing of the run outlives this object."""
        return self._path is None

    def open_log(self) -> Log:
        """Open the log for reading beside this object's own looks; close it after use.

        Raises NotALogError while there is none.
        """
        return self._memory if self._path is None and self._memory else read_log(str(self._path))

    def warn_of_half(self) -> None:
        """Warn before a run begins in a log without one: the file may be half of a copied log."""
        if self._half:
            warn(f"{self._half}; a start without it pays for everything again", HalfLogWarning)

    @contextmanager
    def reading(self) -> Iterator[Log | None]:
        """Open the log for reading, with `run` brought up to date; None while there is no log."""
        log = self._open_for_reading()
        if log is None:
            self.forget()
            yield None
            return
        try:
            self._half = None
            self._refresh(log)
            if self.run.started is None and log.maybe_half() and not log.streams():
                self._half = log.no_run_yet()
            yield log
        finally:
            self._close(log)

    @contextmanager
    def claimed(self, new_run_id: str) -> Iterator[tuple[Log, Journal]]:
        """Open the log with the sole right to append to the run, named `new_run_id` if there is none yet."""
        log = self._memory or open_log(self._path)
        try:
            with ExitStack() as claims:
                if self._find_stream(log) is None:
                    claims.callback(log.claim(_FIRST_START, this_process()).retire)
                stream = self._find_stream(log) or new_run_id
                claim = log.claim(stream, this_process())
                claims.callback(claim.release)
                self._run_id = stream
                with self._driven():
                    self._refresh(log)
                    if self.run.version != claim.version:
                        raise LogError(_torn(stream, f"events up to {claim.version} were committed"))
                    yield log, Journal(self.run, claim)
                    if self._is_intact():
                        self._intact = self._run, claim.last  # the rest we wrote ourselves
                if self._run.status == "completed":
                    claim.retire()
        finally:
            if self._run.status == "completed" and log is not self._memory:
                log.finish()
            self._close(log)

    def change_in(self, log: Log, claim: Claim) -> str | None:
        """Return which versions of the claimed run are not as they were written; None where all are.

        What was found intact before, or written by this object, is not checked again.
        """
        known = self._intact[1] if self._intact is not None and self._is_intact() else None
        changed = first_change(log, claim.stream, known)
        self._intact = None if changed else (self._run, claim.last)
        return changed

    def _is_intact(self) -> bool:
        return self._intact is not None and self._intact[0] is self._run

    @contextmanager
    def _driven(self) -> Iterator[None]:
        """Give the state to this thread."""
        with self._lock:
            self._driver = threading.get_ident()
        try:
            yield
        except BaseException:
            self._run = Run()  # an event may be half applied; the next look folds them anew
            raise
        finally:
            self._driver = None

    def _open_for_reading(self) -> Log | None:
        if self._path is None:
            return self._memory
        if not is_begun(self._path):
            return None
        try:
            return read_log(self._path)
        except NotALogError:
            # The process that was making it was killed in the middle, and that has just been undone.
            if not is_begun(self._path):
                return None
            raise

    def _close(self, log: Log) -> None:
        if log is not self._memory:
            log.close()

    def _refresh(self, log: Log) -> None:
        if self.run.started is not None and not self._is_still_there(log, self.run.started):
            self.forget()  # another file lies at the path now
        stream = self._find_stream(log)
        if stream is None:
            return
        self._run_id = stream
        with self._lock:
            try:
                _go_on(self.run, log, stream)
            except BaseException:
                self._begin_anew()  # an event may be half applied, such as by a Ctrl-C
                raise

    def _is_still_there(self, log: Log, started: RunStarted) -> bool:
        """Whether the log is the one read before: run ids may be the user's, tags are unique.

        What is stored as its first event is compared; it is decoded where that is not what it was.
        """
        try:
            stored = next(iter(log.rows(started.run_id, 1, 1)), None)
            if stored is not None and (started.tag, stored) == self._first:
                return True
            (first,) = log.events_at(started.run_id, [1])
        except LogError:
            return False
        is_there = isinstance(first.event, RunStarted) and first.event.tag == started.tag
        self._first = (started.tag, stored) if is_there and stored is not None else None
        return is_there

    def _find_stream(self, log: Log) -> str | None:
        if self._run_id is not None:
            return self._run_id
        streams = log.streams()
        return self.choose(log, streams) if streams else None

    def settle(self) -> None:
        """Keep to the run that was found, whatever else the log comes to hold."""
        self._given = self._run_id

    def forget(self) -> None:
        """Forget a run that is another script's: the next look starts over."""
        with self._lock:
            if self._driver in (None, threading.get_ident()):
                self._run_id = self._given
            self._begin_anew()

    def _begin_anew(self) -> None:
        """Let this thread's next look fold all events again."""
        if self._driver in (None, threading.get_ident()):
            self._run = Run()
        else:
            self._onlookers.run = Run()


def _go_on(run: Run, log: Log, stream: str) -> None:
    """Bring the state up to date with the log."""
    for written in log.entries(stream, after=run.version):
        if written.version != run.version + 1:
            raise LogError(_torn(stream, f"event {run.version + 1} is missing"))
        evolve(run, *written)


def _torn(stream: str, why: str) -> str:
    """Return the error for a file copied while it was written: half of one state, half of another."""
    return (
        f"the run {stream!r} in the log is not whole: {why}. Continuing could pay for things twice; "
        "restore the log from another copy, with its -wal file if there is one"
    )


def _check_run_id(run_id: object) -> None:
    if not isinstance(run_id, str) or not run_id.strip():
        raise InvalidInputError(f"run_id must be a string, or None; it is {shown(run_id)}")
    if not run_id.isprintable() or len(run_id) > _LONGEST_RUN_ID:
        raise InvalidInputError(
            f"run_id must be at most {_LONGEST_RUN_ID} printable characters on one line, not {shown(run_id)}"
        )
