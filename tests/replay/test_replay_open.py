"""Rules of `batchata.replay.open`: what the commands tell, as values for programs."""

from __future__ import annotations

import inspect
import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from big_logs import Invoice, write_big_log
from pydantic import BaseModel
from typer.testing import Result

import batchata.replay
from batchata import BatchManager
from batchata.core import events as e
from batchata.core.evolve import fold
from batchata.errors import InvalidInputError, LogError, NotALogError
from batchata.log import open_log
from batchata.log.memory import MemoryLog
from batchata.sandbox import Sandbox
from batchata.views.verification import fingerprint

type Replay = Callable[..., Result]


class Vendor(BaseModel):
    vendor: str


def test_results_are_those_of_the_run(run_log: Callable[..., Path], tmp_path: Path) -> None:
    """Item by item what `items()` gives, though the class of the response model is not at hand."""
    sandbox = Sandbox(lambda request: {"vendor": "A", "invoice_number": "1", "total": 2})
    path = run_log(tmp_path / "run.db", 7, sandbox, response_model=Invoice)
    manager = BatchManager(
        messages=[[{"role": "user", "content": f"say {n}"}] for n in range(7)],
        model="claude-sonnet-5-5",
        response_model=Invoice,
        items_per_job=5,
        state_path=path,
    )
    with batchata.replay.open(path) as log:
        found, expected = list(log.results()), list(manager.items())
        for ours, theirs in zip(found, expected, strict=True):
            assert isinstance(ours.result, BaseModel)
            assert ours.result.model_dump() == theirs.result.model_dump()  # type: ignore[union-attr]
            ours.result = theirs.result
        assert found == expected
        assert [item.result for item in log.results(Vendor)] == [Vendor(vendor="A")] * 7


def test_the_state_at_any_moment(troubled: Path, replay: Replay) -> None:
    """By version, by time, by how long ago, or now: the fold of the events up to then."""
    with batchata.replay.open(troubled) as log:
        events = list(log.events())
        for version in (1, 9, len(events)):
            assert fingerprint(log.state_at(version)) == fingerprint(fold(events[:version]))
            assert log.state_at(str(version)).version == version
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=events[8].at)
        last = max(recorded.version for recorded in events if recorded.at <= events[8].at)
        assert log.state_at(when).version == log.state_at(when.isoformat()).version == last
        assert log.state_at().version == log.state_at("-0s").version == len(events)
        shown = json.loads(replay(troubled, "--json").stdout)
        assert (log.state_at().failed, log.run().head) == (shown["failed_items"], shown["head"])
        for wrong in (True, 10**9, 1.5, "soon", datetime(1999, 1, 1, tzinfo=UTC)):
            with pytest.raises(InvalidInputError):
                log.state_at(wrong)  # type: ignore[arg-type]


def test_events_are_typed_and_narrowed(troubled: Path) -> None:
    """By class or name, from a version on; each is the event as it was recorded."""
    with batchata.replay.open(troubled) as log:
        everything = list(log.events())
        for types in ([e.JobCompleted], ["job_completed"]):
            found = list(log.events(types=types))
            assert found == [r for r in everything if isinstance(r.event, e.JobCompleted)] != []
        assert list(log.events(types="job_completed")) == found
        assert list(log.events(after=4)) == everything[4:]
        with pytest.raises(InvalidInputError, match="no event type 'job_done'; the types are: run_started"):
            log.events(types=["job_done"])
        with pytest.raises(InvalidInputError, match=r"'Job_complete'; did you mean job_completed\?$"):
            log.events(types=["Job_complete"])


def test_results_come_one_by_one(tmp_path: Path) -> None:
    """What comes later takes no more memory than what came first: they are read as they are asked for."""
    with batchata.replay.open(write_big_log(tmp_path / "big.db", 6_000)) as log:
        assert [item.index for item in islice(log.results(), 3)] == [0, 1, 2]
        results, peaks = log.results(), []
        tracemalloc.start()
        for count in (4_000, 2_000):  # whole windows of 2,000: two, and another one
            assert sum(1 for _ in islice(results, count)) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.reset_peak()
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.1


def test_a_log_of_several_runs(run_log: Callable[..., Path], tmp_path: Path) -> None:
    """All are listed, oldest first; without a name the only one is meant, or an error names them."""
    for name, count in (("one", 1), ("two", 2)):
        run_log(tmp_path / "log.db", count, run_id=name)
    with batchata.replay.open(tmp_path / "log.db") as log:
        assert [run.run_id for run in log.runs] == ["one", "two"]
        assert [run.state_at().total for run in log.runs] == [1, 2]
        assert log.run("two").started.input_count == 2
        assert len(list(log.results(run_id="two"))) == log.state_at(run_id="two").total == 2
        with pytest.raises(InvalidInputError, match="one, two"):
            log.state_at()
        with pytest.raises(InvalidInputError, match="one, two"):
            log.run("three")


def test_of_a_managers_log_its_own_run_is_meant(sandbox: Sandbox, tmp_path: Path) -> None:
    """However many others are in it."""
    given: dict[str, Any] = {"model": "claude-haiku-4-5", "state_path": tmp_path / "log.db"}
    for name, count in (("one", 1), ("two", 2)):
        manager = BatchManager(messages=["Hi"] * count, run_id=name, poll_interval=0.01, **given)
        manager.submit()
    with batchata.replay.open(manager) as log:
        assert (log.show()["run_id"], log.state_at().total, len(log.runs)) == ("two", 2, 2)


def test_what_is_no_log_is_an_error(tmp_path: Path) -> None:
    """The same errors as everywhere; nothing is created."""
    with pytest.raises(NotALogError):
        batchata.replay.open(tmp_path / "missing.db")
    for wrong in (None, 5, "a\0.db", "a\ud800.db"):
        with pytest.raises(InvalidInputError, match=r"source .*"):
            batchata.replay.open(wrong)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
    open_log(tmp_path / "fresh.db").close()
    with batchata.replay.open(tmp_path / "fresh.db") as log:
        assert log.runs == []
        with pytest.raises(LogError, match="no run yet"):
            log.state_at()


def test_a_run_without_its_beginning_has_no_results(write_log: Callable[..., Path]) -> None:
    """As after damage to the file: an error that says so, and names what says more."""
    path = write_log([e.RunInterrupted(reason="detached", error=None, pending_items=0)])
    with batchata.replay.open(path) as log, pytest.raises(LogError, match="lacks its beginning; `verify`"):
        next(log.results())


def test_an_argument_of_the_wrong_kind_is_named(done: Path) -> None:
    """By an error of ours that says what to give, whatever was given."""
    compare: Any = batchata.replay.compare
    with batchata.replay.open(done) as opened:
        log: Any = opened
        wrong: list[tuple[str, Callable[[], object]]] = [
            ("after must be the number of an event, not '5'", lambda: [*log.events(after="5")]),
            ("no event type '5'; the types are: ", lambda: [*log.events(types=5)]),
            ("no event type '\\[\\]'", lambda: [*log.events(types=[[]])]),
            ("holds no run ''", lambda: log.show(run_id="")),
            ("head 5 is not a log's hash", lambda: log.verify(head=5)),
            (
                "first must be the path of a log's file or the URL of its PostgreSQL database, not 5",
                lambda: compare(5),
            ),
            ("second must be the path of a log's file .* not 5", lambda: compare(done, 5)),
            ("runs must be a list of run ids, not 'a'", lambda: compare(done, runs="a")),
            ("labels must be the path of a CSV or JSONL file, not 5", lambda: compare(done, labels=5)),
        ]
        for words, call in wrong:
            with pytest.raises(InvalidInputError, match=words):
                call()
        assert [*log.events(after=10**30)] == []


@pytest.mark.parametrize("name", batchata.replay.__all__)
def test_every_public_name_is_explained(name: str) -> None:
    """A docstring for each, and for each of its methods."""
    value: Any = getattr(batchata.replay, name)
    assert inspect.getdoc(value)
    for attribute, member in vars(value).items() if inspect.isclass(value) else ():
        assert attribute.startswith("_") or inspect.getdoc(member), attribute
    with pytest.raises(AttributeError):
        batchata.replay.nothing  # noqa: B018 - the look-up raises


def in_memory(sandbox: Sandbox, **given: Any) -> BatchManager:
    """A manager without a file: seven messages in jobs of three."""
    return BatchManager(
        messages=[[{"role": "user", "content": f"say {n}"}] for n in range(7)],
        model="claude-sonnet-5-5",
        items_per_job=3,
        poll_interval=0.01,
        retry_delay=0.01,
        api_key=sandbox.api_key,
        base_url=sandbox.url,
        **given,
    )


@pytest.mark.filterwarnings("ignore::batchata.errors.UnsavedRunWarning")
def test_a_log_in_memory_is_shown_and_verified_like_a_file(tmp_path: Path) -> None:
    """The same run gives the same values, whatever keeps its log; only a file names a hash."""
    shown, verdicts = [], []
    for given in ({}, {"state_path": tmp_path / "run.db"}):
        with Sandbox(lambda request: "fine") as sandbox:
            manager = in_memory(sandbox, run_id="same", **given)
            manager.run()
            with batchata.replay.open(manager) as log:
                assert [item.result for item in log.results()] == ["fine"] * 7
                shown.append(log.show())
                verdicts.append(log.verify())
    told = {
        "status",
        "total_items",
        "completed_items",
        "failed_items",
        "spent",
        "usage",
        "starts",
        "failures",
    }
    assert {key: shown[0][key] for key in told} == {key: shown[1][key] for key in told}
    assert (shown[0]["completed_items"], len(shown[0]["jobs"])) == (7, 3)
    assert (shown[0]["head"], shown[1]["head"]) == (None, verdicts[1]["runs"][0]["head"])
    for verdict in verdicts:
        (run,) = verdict["runs"]
        assert (verdict["ok"], verdict["problems"], run["run_id"], run["bodies"]) == (True, [], "same", 14)
        assert run["events"] > run["commits"] > 3


@pytest.mark.filterwarnings("ignore::batchata.errors.UnsavedRunWarning")
def test_a_changed_log_in_memory_does_not_verify() -> None:
    """An event that says something else than it was appended with breaks the chain there, too."""
    with Sandbox(lambda request: "fine") as sandbox:
        manager = in_memory(sandbox)
        manager.run()
    kept = manager.open_log()
    assert isinstance(kept, MemoryLog)
    stream = kept._streams[kept.streams()[0]]
    stream.rows[4] = (*stream.rows[4][:-1], stream.rows[4][-1].replace(":", ": ", 1))
    with batchata.replay.open(manager) as log:
        verdict = log.verify()
    assert not verdict["ok"]
    assert any("is not as it was written" in problem for problem in verdict["problems"])


def test_values_are_what_the_commands_print(done: Path, replay: Replay) -> None:
    """`show()` and `verify()` of a file are `show --json` and `verify --json`."""
    with batchata.replay.open(done) as log:
        assert json.loads(json.dumps(log.verify())) == json.loads(replay("verify", done, "--json").stdout)
        printed = json.loads(replay("show", done, "--json").stdout)
        assert log.show()["head"] == printed["head"]
        assert log.show().keys() == printed.keys()
        head = printed["head"][:12]
        assert log.verify(head=head)["runs"][0]["events_since_head"] == 0
        with pytest.raises(InvalidInputError, match="not a log's hash"):
            log.verify(head="short")


def test_a_manager_before_its_first_start_has_no_log(tmp_path: Path) -> None:
    """In a file there is nothing to open, in memory there is no run yet; neither makes one."""
    with Sandbox(lambda request: "fine") as sandbox:
        with pytest.raises(NotALogError, match="does not exist"):
            batchata.replay.open(in_memory(sandbox, state_path=tmp_path / "run.db"))
        with batchata.replay.open(in_memory(sandbox)) as log:
            assert log.runs == []
            with pytest.raises(LogError, match="no run yet"):
                log.show()
            with pytest.raises(LogError, match="no run yet"):
                log.verify()
    assert not list(tmp_path.iterdir())
