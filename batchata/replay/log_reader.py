"""Read a log from a program: its runs, their state at any moment, their events and their results."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import pydantic

from batchata.answers.schema import check_response_model
from batchata.clock import now
from batchata.core.events import Event, RunStarted
from batchata.core.state import Run
from batchata.errors import InvalidInputError, LogError
from batchata.log import A_LOG, place_of, read_log
from batchata.log.port import Log, Recorded
from batchata.paths import check_path
from batchata.replay.console import check_types, the_run
from batchata.text import shown
from batchata.views.history import At, is_alive, microseconds, parse_at, read_history
from batchata.views.item_result import ItemResult
from batchata.views.overview import overview
from batchata.views.response_models import RunReader, support_of
from batchata.views.results import read_items, refuse_purged

_ABOVE_ALL = 2**53  # versions; what is larger fits no store's integers

type Moment = int | str | datetime


@runtime_checkable
class HasLog(Protocol):
    """Anything that keeps its run in a log: a `BatchManager` or a `BatchJob`, also without a `state_path`."""

    @property
    def run_id(self) -> str | None:
        """The name of its run."""
        ...

    def open_log(self) -> Log:
        """Open the log for reading."""
        ...


def open(source: str | os.PathLike[str] | HasLog) -> Archive:
    """Open the log in this file for reading only: also while a run is being written, and never changed.

    Instead of a path give a `BatchManager` or a `BatchJob`: without a `state_path` its log is in memory.

        with batchata.replay.open("invoices.db") as log:
            for item in log.results():
                print(item.index, item.status, item.result, item.cost)

    Raises NotALogError for what is not a log, LogVersionError for the log of a newer Batchata.
    """
    return Archive(source)


class Archive:
    """A log. `runs` are all its runs; the methods are those of its only run, or of the one named.

        with batchata.replay.open("invoices.db") as log:
            print([run.run_id for run in log.runs])

    Close it, or use it in a `with` statement.
    """

    def __init__(self, source: str | os.PathLike[str] | HasLog) -> None:
        if isinstance(source, HasLog):
            self._place, self._log, self._run_id = "the log", source.open_log(), source.run_id
        else:
            self._run_id = None
            path = check_path("source", source, f"{A_LOG}, or a BatchManager")
            self._place, self._log = place_of(path), read_log(path)

    @property
    def runs(self) -> list[RecordedRun]:
        """The runs, the oldest first."""
        return [RecordedRun(self._log, stream) for stream in self._log.streams()]

    def run(self, run_id: str | None = None) -> RecordedRun:
        """Return the run of this name, or the only one; of a manager's log the manager's.

        Raises InvalidInputError, which names the runs there are, LogError when there is none yet.
        """
        if not self._log.streams():
            raise LogError(self._log.no_run_yet())
        wanted = self._run_id if run_id is None else run_id
        return RecordedRun(self._log, the_run(self._log, self._place, wanted))

    def state_at(self, moment: Moment | None = None, *, run_id: str | None = None) -> Run:
        """See `RecordedRun.state_at`."""
        return self.run(run_id).state_at(moment)

    def events(
        self,
        *,
        after: int = 0,
        types: Collection[str | type[Event]] | None = None,
        run_id: str | None = None,
    ) -> Iterator[Recorded]:
        """See `RecordedRun.events`."""
        return self.run(run_id).events(after=after, types=types)

    def results(
        self, response_model: type[pydantic.BaseModel] | None = None, *, run_id: str | None = None
    ) -> Iterator[ItemResult]:
        """See `RecordedRun.results`."""
        return self.run(run_id).results(response_model)

    def show(self, *, run_id: str | None = None) -> dict[str, Any]:
        """See `RecordedRun.show`."""
        return self.run(run_id).show()

    def verify(self, *, run_id: str | None = None, head: str | None = None) -> dict[str, Any]:
        """Check the run, or every run, and return what `replay verify --json` prints.

        `ok` says whether all holds, `problems` what does not; `runs` tells both of each run, with what it
        holds. `head` is a hash that a run named when it ended, or at least 12 of its digits.

        Raises InvalidInputError when there is no such run or `head` is no hash, LogError without any run.
        """
        from batchata.replay.verify import verify_values

        return verify_values(self._log, self._place, run_id, head)

    def close(self) -> None:
        """Close the log. May be called twice."""
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<batchata log {self._place!r}>"


class RecordedRun:
    """One run of a log. Nothing is read before it is asked for.

    run = batchata.replay.open("invoices.db").run()
    print(run.started.model, run.state_at("-1h").completed)
    """

    def __init__(self, log: Log, run_id: str) -> None:
        self._log = log
        self.run_id = run_id

    @property
    def started(self) -> RunStarted:
        """What defines the run: model, parameters, prompt, schema, settings of its first start."""
        (recorded,) = self._log.events_at(self.run_id, [1])
        if not isinstance(recorded.event, RunStarted):
            raise LogError(f"the run {self.run_id!r} does not begin with run_started; `verify` says more")
        return recorded.event

    def show(self) -> dict[str, Any]:
        """Return what `replay show --json` prints: identity, status, counts, costs, failures and jobs."""
        history = read_history(self._log, self.run_id)
        return overview(history, is_alive(history.process), self.head, support_of(self._log, history.run))

    @property
    def head(self) -> str | None:
        """Return the hash of all that the log holds of the run, in hex; see `replay verify --head`."""
        return self._log.head(self.run_id)

    def state_at(self, moment: Moment | None = None) -> Run:
        """Return the state that the runner had then: items in columns, jobs, and totals.

        `moment` is a version (120), a datetime, or a text as `replay show --at` takes it ("2026-11-22T10:00",
        "-1h"); times without a zone are UTC. None is now.

        Raises InvalidInputError for a moment that the run does not have.
        """
        return read_history(self._log, self.run_id, _at(moment)).run

    def events(
        self, *, after: int = 0, types: Collection[str | type[Event]] | None = None
    ) -> Iterator[Recorded]:
        """Yield every event with a version above `after` as (version, at, event), page by page; `at` in µs.

        `types` narrows them: classes of `batchata.core.events`, or their names, such as "job_completed".

        Raises InvalidInputError for a name that no event has.
        """
        if isinstance(after, bool) or not isinstance(after, int):
            raise InvalidInputError(f"after must be the number of an event, not {shown(after)}")
        names = None if types is None else _names_of(types)
        return self._log.events(self.run_id, after=min(after, _ABOVE_ALL), types=names)

    def results(self, response_model: type[pydantic.BaseModel] | None = None) -> Iterator[ItemResult]:
        """Yield every item in input order, as `BatchManager.items()` does.

        Results are instances of a model made from the log's description of the run's own. With
        `response_model` the stored answers are read again with that one, and its verdict counts.

        Raises LogError when the answers were purged.
        """
        run = self.state_at()
        refuse_purged(run)
        how = RunReader.of(run, check_response_model(response_model))
        return read_items(self._log, run, range(run.total), how.reader, again=how.again)

    def __repr__(self) -> str:
        return f"<batchata run {self.run_id!r}>"


def _names_of(types: object) -> list[str]:
    """Return the names of event types, given one name or several names and classes."""
    several = types if isinstance(types, Collection) and not isinstance(types, str | bytes) else [types]
    names = [str(getattr(one, "TYPE", one)) for one in several]
    check_types(names)
    return names


def _at(moment: Moment | None) -> At | None:
    match moment:
        case None:
            return None
        case bool():
            raise InvalidInputError(
                f"{moment!r} is not a time; give an event number, a datetime or a text such as -1h"
            )
        case int() | str():
            return parse_at(str(moment), now())
        case datetime():
            return At(str(moment), time=microseconds(moment))
        case _:
            raise InvalidInputError(
                f"{moment!r} is not a time; give an event number, a datetime or a text such as -1h"
            )
