"""Rules of `events`: the timeline, complete, in order, and narrowed as asked."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from forked import Program
from typer.testing import Result

from batchata.core import events as e
from batchata.core import values
from batchata.core.codec import EVENT_TYPES, encode
from batchata.core.events import RunStarted
from batchata.log import open_log, read_log
from batchata.replay import sentences
from batchata.replay.events import Wanted, print_timeline

type Replay = Callable[..., Result]
type Write = Callable[..., Path]

_EVENTS = ("-m", "batchata.replay", "events")


def lines(result: Result) -> list[dict[str, object]]:
    """The events that were printed as JSON."""
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_json_lines_are_the_events(troubled: Path, replay: Replay) -> None:
    """Each event of the log is one line with stream, version, type, at and its own JSON object."""
    log = read_log(troubled)
    stream = log.streams()[0]
    expected = list(log.events(stream))
    log.close()
    printed = lines(replay("events", troubled, "--json"))
    assert all(list(line) == ["stream", "version", "type", "at", "data"] for line in printed)
    assert [line["version"] for line in printed] == list(range(1, len(expected) + 1))
    assert {line["stream"] for line in printed} == {stream}
    assert [line["type"] for line in printed] == [event.TYPE for _, _, event in expected]
    assert [line["data"] for line in printed] == [json.loads(encode(event)) for _, _, event in expected]


def test_times_are_exact_to_the_microsecond(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """`at` is ISO 8601 in UTC with all six digits, whatever the local time zone."""
    log = write_log([started()], at=1_764_000_000_000_007)
    (line,) = lines(replay("events", log, "--json", TZ="Asia/Tokyo"))
    assert line["at"] == "2025-11-24T16:00:00.000007Z"
    assert "2025-11-24 16:00:00Z" in replay("events", log).stdout


def test_the_text_has_one_line_per_event(troubled: Path, replay: Replay) -> None:
    """Version, time, type and a sentence; nothing from outside breaks a line."""
    text = replay("events", troubled).stdout.splitlines()
    assert len(text) == len(lines(replay("events", troubled, "--json")))
    pattern = rf" *\d+  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\dZ  ({'|'.join(EVENT_TYPES)}) +\S.*"
    assert all(re.fullmatch(pattern, line) for line in text)


def test_every_type_of_event_has_words() -> None:
    """A new type of event cannot be forgotten here."""
    assert set(sentences._SENTENCES) == set(EVENT_TYPES.values())


ERROR = values.RequestError(kind="api_error", message="no\nluck")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (e.ItemMended(index=3, body=9), "item 3: its file has changed and is read again"),
        (
            e.ItemMended(index=3, body=9, same_as=1),
            "item 3: its file has changed and is read again, the same as that of item 1",
        ),
        (
            e.AnswerAccepted(job=2, index=3, outcome=17, body=9),
            "item 3 in job 2: its answer (event 17) was read again and is accepted, at no cost",
        ),
        (
            e.SubmissionFailed(job=2, error=ERROR, not_before=10**15),
            "job 2: no batch: api_error: no\\nluck; again from 2001-09-09 01:46:40Z",
        ),
        (
            e.InputUploaded(job=2, handle="file-1"),
            "job 2: its requests are uploaded as file-1; no batch yet",
        ),
        (
            e.BatchFailed(job=2, batch_id="b", error=ERROR, passing=True),
            "job 2: b failed, nothing was billed: api_error: no\\nluck; it may be accepted later",
        ),
        (
            e.BatchFailed(job=2, batch_id="b", error=ERROR, passing=False),
            "job 2: b failed, nothing was billed: api_error: no\\nluck; it would fail again",
        ),
        (
            e.SubmittingStopped(error=ERROR),
            "nothing more is sent in this start: api_error: no\\nluck",
        ),
        (
            e.SubmissionUnknown(job=2, error=ERROR),
            "job 2: a batch may or may not exist: api_error: no\\nluck",
        ),
        (
            e.SubmissionSettled(
                job=2, verdict="adopted", batch_id="b", created_at=None, expires_at=None, looked_at=1,
                evidence="seen", surplus=["c", "d"],
            ),
            "job 2: adopted b: seen; the same requests are also in c, d",
        ),
        (
            e.SubmissionSettled(
                job=2, verdict="absent", batch_id=None, created_at=None, expires_at=None, looked_at=1,
                evidence="not seen",
            ),
            "job 2: absent: not seen",
        ),
        (e.JobAbandoned(job=2, batch_id=None), "job 2: given up by the user (no batch known)"),
        (e.BatchCancelRequested(job=2, batch_id="b", reason="by the\tuser"), "job 2: b: by the\\tuser"),
        (
            e.CostLimitReached(limit="2.5", spent="1", reserved="0", withheld="0", needed="2"),
            "$1.00 spent and $0.00 reserved of $2.50; the next item needs $2.00",
        ),
        (
            e.CostLimitReached(
                limit="2.5", spent="1", reserved="0", withheld="1", needed="2", needed_for_all="7"
            ),
            (
                "$1.00 spent, $0.00 reserved and $1.00 withheld of $2.50; the next item needs $2.00, "
                "all that are pending $7.00"
            ),
        ),
    ],
)  # fmt: skip
def test_an_event_is_a_sentence(event: e.Event, said: str) -> None:
    """With what matters of it; amounts add up to what the limit is compared with."""
    assert sentences.sentence(event) == said


def test_types_narrow_the_timeline(done: Path, replay: Replay) -> None:
    """--type may be repeated; what it names is shown in the log's order."""
    result = replay("events", done, "--type", "job_completed", "--type", "run_started", "--json")
    assert [line["type"] for line in lines(result)] == ["run_started", *["job_completed"] * 3]


def test_an_unknown_type_lists_the_types(done: Path, replay: Replay) -> None:
    """A type that does not exist is exit code 2 with those that do."""
    result = replay("events", done, "--type", "job_done")
    assert result.exit_code == 2
    assert all(name in result.stderr for name in EVENT_TYPES)


def test_a_job_narrows_the_timeline(done: Path, replay: Replay) -> None:
    """--job 0 shows that job's events and all of them; 0 is a number like any other."""
    found = lines(replay("events", done, "--job", "0", "--json"))
    everything = lines(replay("events", done, "--json"))
    assert found == [line for line in everything if line["data"].get("job") == 0]  # type: ignore[attr-defined]
    assert len(found) > 5


def test_events_about_several_jobs_belong_to_each(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """A failed poll names jobs in a list, and is shown for each of them only."""
    failed = e.CallFailed(
        doing="poll", jobs=[1, 2], error=values.RequestError(kind="k", message="m"), not_before=0
    )
    log = write_log([started(), failed])
    assert [line["type"] for line in lines(replay("events", log, "--job", "2", "--json"))] == ["call_failed"]
    assert not lines(replay("events", log, "--job", "0", "--json"))


def test_an_item_narrows_the_timeline(troubled: Path, replay: Replay) -> None:
    """--item shows what names the item, also within a range: added, sent, answered, sent again, paid."""
    found = [line["type"] for line in lines(replay("events", troubled, "--item", "1", "--json"))]
    sent = ["submission_started", "outcome_recorded"]
    assert found == ["items_added", *sent, "retry_scheduled", *sent, "cost_charged"]


def test_conditions_hold_together(troubled: Path, replay: Replay) -> None:
    """Type, job and item are all fulfilled by what is shown."""
    options = ("--type", "outcome_recorded", "--item", "1", "--job", "0", "--json")
    (line,) = lines(replay("events", troubled, *options))
    assert line["data"]["kind"] == "expired"  # type: ignore[index]


def test_nothing_found_is_said_beside_the_output(done: Path, replay: Replay) -> None:
    """No match is no error: nothing on stdout, a word on stderr."""
    result = replay("events", done, "--item", "999")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no event matches" in result.stderr


def test_several_runs_need_a_choice(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """Without --run a log of several runs is exit code 2 with their names."""
    for name in ("one", "two"):
        log = write_log([started(run_id=name)], run_id=name)
    result = replay("events", log)
    assert result.exit_code == 2
    assert "one, two" in result.stderr
    (line,) = lines(replay("events", log, "--run", "two", "--json"))
    assert line["stream"] == "two"


def test_memory_does_not_grow_with_the_log(write_log: Write, started: Callable[..., RunStarted]) -> None:
    """Six thousand events take no more memory than half of them: pages are read and let go."""
    polled = e.BatchPolled(
        job=0,
        batch_id="b",
        status="in_progress",
        counts=values.Counts(processing=1, succeeded=0, errored=0, canceled=0, expired=0),
    )
    peaks = []
    for count in (3_000, 6_000):
        log = write_log([started(), *[polled] * count], name=f"{count}.db")
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            tracemalloc.start()
            print_timeline(str(log), None, Wanted([], None, None), json=True)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.3


def test_following_shows_what_comes_and_ends_with_the_run(
    started: Callable[..., RunStarted], tmp_path: Path
) -> None:
    """Events are printed as they are appended; conditions hold for them too."""
    log = open_log(tmp_path / "run.db")
    claim = log.claim("run", values.Process(pid=1, host="elsewhere"))
    claim.append(10**15, [started()])
    options = ["--follow", "--json", "--type", "run_started", "--type", "run_completed"]
    following = Program([*_EVENTS, tmp_path / "run.db", *options])
    assert json.loads(following.stdout.readline())["type"] == "run_started"
    claim.append(10**15, [e.ItemsAdded(first=0, count=1, digest="d", first_body=0)])
    claim.append(10**15, [e.RunCompleted(completed_items=0, failed_items=0, total_cost="0")])
    rest, _ = following.communicate(timeout=300)
    log.close()
    assert [json.loads(line)["version"] for line in rest.splitlines()] == [3]
    assert following.returncode == 0


def test_following_ends_quietly_on_ctrl_c(write_log: Write, started: Callable[..., RunStarted]) -> None:
    """The way out of a run that never ends: no traceback, and the exit code that shells know."""
    following = Program([*_EVENTS, write_log([started()]), "--follow"])
    assert following.stdout.readline()
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=300)
    assert (following.returncode, said) == (130, "")
