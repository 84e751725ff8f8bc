"""Rules of `show`: one run at a glance, honest about what it cannot know."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from charges import cost_charged
from msgspec.structs import replace
from typer.testing import Result

from batchata.core import events as e
from batchata.core import values
from batchata.core.events import RunStarted
from batchata.core.money import plain
from batchata.log import read_log
from batchata.views.history import read_history

type Replay = Callable[..., Result]
type Write = Callable[..., Path]
type Started = Callable[..., RunStarted]


def submitted(job: int, batch_id: str, count: int = 1) -> list[e.Event]:
    """A job of `count` items, the first of which has the job's number times the count as its index."""
    first = job * count
    return [
        e.SubmissionStarted(
            job=job,
            items=[(first, first + count - 1)],
            request_count=count,
            bytes=10,
            custom_ids="t-{index}",
            reserved="1",
        ),
        e.BatchSubmitted(job=job, batch_id=batch_id, created_at=10**15, expires_at=None),
    ]


def answered(job: int, index: int, amount: str | None) -> list[e.Event]:
    """One succeeded request with its cost."""
    return [
        e.OutcomeRecorded(
            job=job, index=index, kind="succeeded", stop_reason="end_turn", error=None, usage=None, body=None
        ),
        cost_charged(job, index, amount, input_tokens=1, output_tokens=1),
    ]


def items(count: int) -> e.ItemsAdded:
    """So many items from 0 on."""
    return e.ItemsAdded(first=0, count=count, digest="d", first_body=0)


def test_a_log_alone_is_shown(done: Path, replay: Replay, timeless: Callable[[Result], str]) -> None:
    """`LOG` and `show LOG` print the same, and so do their JSON forms, wherever the option stands."""
    assert timeless(replay(done)) == timeless(replay("show", done))
    assert replay("--json", done).stdout == replay("show", done, "--json").stdout != ""


def test_json_has_the_promised_keys(done: Path, replay: Replay) -> None:
    """`show --json` is one object with counts, money as decimal strings and times as ISO 8601 UTC."""
    shown = json.loads(replay(done, "--json").stdout)
    counts = [shown[f"{name}_items"] for name in ("total", "completed", "failed", "pending")]
    assert (shown["run_id"], shown["status"], shown["model"]) == ("the-run", "completed", "claude-sonnet-5-5")
    assert counts == [12, 12, 0, 0]
    assert isinstance(shown["total_cost"], str)
    assert Decimal(shown["total_cost"]) == sum(Decimal(job["cost"]) for job in shown["jobs"]) > 0
    assert [job["job"] for job in shown["jobs"]] == [0, 1, 2]
    assert [job["outcomes"] for job in shown["jobs"]] == [{"succeeded": n} for n in (5, 5, 2)]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", shown["started_at"])


def test_json_agrees_with_the_state_of_the_run(troubled: Path, replay: Replay) -> None:
    """The totals are those that the library computes from the same log."""
    log = read_log(troubled)
    run = read_history(log, log.streams()[0]).run
    log.close()
    shown = json.loads(replay(troubled, "--json").stdout)
    assert shown["completed_items"] == run.completed
    assert shown["failed_items"] == run.failed == 2
    assert shown["total_cost"] == plain(run.spent)
    assert shown["retries"] == run.retries == sum(shown["retries_by_reason"].values()) == 2
    assert shown["failures"] == {"invalid_request_error": 2}


def test_a_completed_run_needs_nothing(done: Path, replay: Replay) -> None:
    """The text says who, what, how much, and that nothing is left to do."""
    text = replay(done).stdout
    for fact in ("the-run", "claude-sonnet-5-5", "12: 12 completed, 0 failed, 0 pending", "127.0.0.1"):
        assert fact in text
    assert "nothing: the run is complete" in text


def test_what_went_wrong_is_told(troubled: Path, replay: Replay) -> None:
    """Retries with their reason, strays, failures with an example, and the limit are in the text."""
    text = replay(troubled).stdout
    assert re.search(r"retries +2 scheduled: 2 expired", text)
    assert "2 result lines" in text
    assert "2 items: invalid_request_error, e.g. item 2: bad [red]news[/red]" in text
    assert "of at most $5.00 (max_cost)" in text
    assert "retry_failed() sends 2 failed items again" in text


def test_an_interrupted_run_says_how_it_goes_on(waiting: Path, replay: Replay) -> None:
    """Open batches and unsent items are counted, and the reader is told to start the script again."""
    text = replay(waiting).stdout
    assert "interrupted: max_wait_time had passed" in text
    assert (
        "run the same script again: it collects 3 batches once the provider is done "
        "and sends 15 items for the first time; results are kept until 20"
    ) in text
    assert "reserved for open jobs" in text


def test_batch_ids_are_never_cut(waiting: Path, replay: Replay) -> None:
    """However narrow the output, each batch id stands on one line as a whole."""
    ids = [job["batch_id"] for job in json.loads(replay(waiting, "--json").stdout)["jobs"]]
    for columns in ("20", "40", "80", "200"):
        text = replay(waiting, COLUMNS=columns).stdout
        assert all(any(batch_id in line for line in text.splitlines()) for batch_id in ids)


def test_lines_fit_the_width(troubled: Path, replay: Replay) -> None:
    """At 80 columns no line is longer, except where an id would have to be cut."""
    assert max(map(len, replay(troubled, COLUMNS="80").stdout.splitlines())) <= 80


def test_piped_output_is_plain(troubled: Path, replay: Replay) -> None:
    """Not on a terminal there are no colours, no boxes and no blanks at the ends of lines."""
    text = replay(troubled).stdout
    assert "\x1b" not in text
    assert not re.search(r"[\u2500-\u257f]", text)
    assert all(line == line.rstrip() for line in text.splitlines())


def test_an_unknown_price_is_unknown(write_log: Write, started: Started, replay: Replay) -> None:
    """With one charge without an amount the total is null, and so is its job's cost, not the other's."""
    log = write_log(
        [
            started(),
            items(2),
            *submitted(0, "b0"),
            *submitted(1, "b1"),
            *answered(0, 0, None),
            *answered(1, 1, "0.25"),
        ]
    )
    shown = json.loads(replay(log, "--json").stdout)
    assert shown["total_cost"] is None
    assert [job["cost"] for job in shown["jobs"]] == [None, "0.25"]
    assert "unknown: no price for 1 answer; the others cost $0.25" in replay(log).stdout


def test_the_cost_limit_is_named(write_log: Write, started: Started, replay: Replay) -> None:
    """A run that stopped at its limit goes on only with a higher one."""
    reached = e.CostLimitReached(
        limit="2.5", spent="2", reserved="0", withheld="0", needed="1", needed_for_all="3"
    )
    stopped = e.RunInterrupted(reason="cost_limit", error=None, pending_items=3)
    begun = started(settings=replace(started().settings, max_cost="2.5"))
    text = replay(write_log([begun, items(3), reached, stopped])).stdout
    assert "raise max_cost (now $2.50, $3.00 for the next item and $5.00 for all would do)" in " ".join(
        text.split()
    )
    assert "max_cost left no room" in text


def test_what_a_job_that_was_given_up_holds_is_named(
    write_log: Write, started: Started, replay: Replay
) -> None:
    """It may have been billed: the amount counts against the limit, so it stands beside the cost."""
    given_up = e.JobAbandoned(job=0, batch_id="b0")
    text = replay(write_log([started(), items(1), *submitted(0, "b0"), given_up])).stdout
    assert "$0.00; $1.00 reserved for requests whose cost the provider did not report" in text


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (socket.gethostname(), "running (process"),
        ("another-host", "running, or its process has ended (process"),
    ],
)
def test_running_is_said_only_as_far_as_known(
    write_log: Write, started: Started, replay: Replay, host: str, said: str
) -> None:
    """A process on this machine is looked for; one elsewhere may have died without a word."""
    log = write_log([started(process=values.Process(pid=os.getpid(), host=host)), items(1)])
    text = replay(log).stdout
    assert said in text
    assert "last event" in text


def test_a_killed_process_is_noticed(write_log: Write, started: Started, replay: Replay) -> None:
    """When the last process to take the run up is gone, the run is not called running."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    resumed = e.RunResumed(
        process=values.Process(pid=gone.pid, host=socket.gethostname()), library_version="0", changed={}
    )
    log = write_log([started(), items(1), resumed])
    text = replay(log).stdout
    assert f"not being driven (process {gone.pid}" in text
    assert "run the same script again: it sends 1 item for the first time" in text
    assert json.loads(replay(log, "--json").stdout)["process"]["alive"] is False


def test_long_job_lists_are_shortened(write_log: Write, started: Started, replay: Replay) -> None:
    """Of many jobs the open ones and the last are shown, with a note; --all shows all."""
    jobs: list[e.Event] = []
    for number in range(30):
        jobs += submitted(number, f"batch-{number:02}")
        if number != 3:
            jobs.append(e.JobCompleted(job=number, batch_id=f"batch-{number:02}", outcomes={}, strays={}))
    log = write_log([started(), items(30), *jobs])
    shown = re.findall(r"batch-\d\d", replay(log).stdout)
    assert shown == ["batch-03", *(f"batch-{number:02}" for number in range(11, 30))]
    assert "10 more jobs not shown" in replay(log).stdout
    everything = replay(log, "--all").stdout
    assert len(re.findall(r"batch-\d\d", everything)) == 30
    assert "not shown" not in everything
    assert len(json.loads(replay(log, "--json").stdout)["jobs"]) == 30


def test_a_refused_submission_says_why(write_log: Write, started: Started, replay: Replay) -> None:
    """A job that became no batch shows the refusal's kind in place of outcomes."""
    refused = e.SubmissionFailed(
        job=0, error=values.RequestError(kind="overloaded_error", message="busy"), not_before=0
    )
    log = write_log([started(), items(1), submitted(0, "b")[0], refused])
    assert re.search(r"not sent +overloaded_error", replay(log).stdout)
    assert json.loads(replay(log, "--json").stdout)["jobs"][0]["error"] == {
        "kind": "overloaded_error",
        "message": "busy",
    }


def test_texts_from_outside_are_harmless(write_log: Write, started: Started, replay: Replay) -> None:
    """Markup prints as it is; control characters in ids, models and reasons print as visible escapes."""
    evil = "[bold]x[/bold]\x1b[2J\r\x07\u202e\x9b1m"
    events = [
        started(run_id=evil, model=evil, base_url=evil, library_version=evil, response_model=evil),
        items(1),
        *submitted(0, evil),
        e.RunInterrupted(reason="error", error=values.RequestError(kind="k", message=evil), pending_items=1),
    ]
    log = write_log(events, run_id=evil)
    for arguments in ((log,), ("events", log), (log, "--json"), ("events", log, "--json")):
        text = replay(*arguments, FORCE_COLOR="").stdout
        assert "[bold]x[/bold]" in text
        assert text.isascii()
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


def test_a_password_that_an_older_log_holds_is_not_shown(
    write_log: Write, started: Started, replay: Replay
) -> None:
    """In the address where its run began; `events --json` alone gives the events as they are."""
    log = write_log([started(base_url="http://user:hush@gateway.example/claude"), items(1)])
    for arguments in ((log,), ("events", log), (log, "--json")):
        text = replay(*arguments).stdout
        assert "http://gateway.example/claude" in text
        assert "hush" not in text


def test_several_runs_are_listed(run_log: Callable[..., Path], tmp_path: Path, replay: Replay) -> None:
    """Without --run a log of several runs is a list, a line each; with it, that run is shown."""
    for name, count in (("one", 2), ("two", 3)):
        run_log(tmp_path / "log.db", count, run_id=name)
    listed = replay(tmp_path / "log.db")
    assert listed.exit_code == 0
    assert re.search(r"^one +completed .* 2 .*\ntwo +completed .* 3 ", listed.stdout, re.MULTILINE)
    both = json.loads(replay(tmp_path / "log.db", "--json").stdout)["runs"]
    assert [run["run_id"] for run in both] == ["one", "two"]
    assert json.loads(replay(tmp_path / "log.db", "--run", "two", "--json").stdout)["total_items"] == 3


@pytest.mark.parametrize("name", ["show", "events"])
def test_an_unknown_run_names_those_there_are(done: Path, replay: Replay, name: str) -> None:
    """A wrong run id is exit code 2 with the right ones."""
    result = replay(name, done, "--run", "nothing")
    assert result.exit_code == 2
    assert "the-run" in result.stderr
    assert not result.stdout


def test_a_kill_in_the_past_is_told(write_log: Write, started: Started, replay: Replay) -> None:
    """A start that follows one without an end says that the process before it was gone."""
    resumed = e.RunResumed(process=values.Process(pid=2, host="elsewhere"), library_version="0", changed={})
    stopped = e.RunInterrupted(reason="keyboard", error=None, pending_items=1)
    log = write_log([started(), items(1), resumed, stopped, resumed])
    shown = json.loads(replay(log, "--json").stdout)
    assert (shown["starts"], shown["killed_starts"]) == (3, 1)
    assert "starts      3, the last at" in replay(log).stdout
    assert "1 process before ended without closing the run (killed?)" in replay(log).stdout
    assert json.loads(replay(log, "--at", "2", "--json").stdout)["starts"] == 1
