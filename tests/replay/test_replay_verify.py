"""Rules of `verify`: what was changed, removed, added or cut off is found, and what is whole passes."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tampering import tamper
from typer.testing import Result

from batchata.core import events as e
from batchata.core.events import RunStarted
from batchata.core.pricing import charge
from batchata.core.values import Process
from batchata.errors import BatchataError
from batchata.log import open_log, read_log
from batchata.log.sqlite.log import SqliteLog
from batchata.views.verification import verify_run

type Replay = Callable[..., Result]
type Write = Callable[..., Path]

PLACES = 100
EVENTS = "SELECT stream, version, type, schema_version, at, job, item, data FROM events"
LAST = "(SELECT max(version) FROM events)"


def verdict(replay: Replay, path: Path, *options: object) -> dict[str, Any]:
    """What `verify --json` says; its exit code must agree."""
    result = replay("verify", path, "--json", *options)
    said: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if said["ok"] else 1)
    return said


def content(path: Path) -> tuple[list[object], list[bytes | None]]:
    """Every event and body of the only run, as a reader gets them."""
    log = SqliteLog.open_for_reading(path)
    try:
        stream = log.streams()[0]
        rows = log.reader.rows(
            "SELECT stream, version, type, schema_version, at, job, item, data FROM events"
        )
        count = log.reader.rows("SELECT max(next_body) FROM commits")[0][0]
        return [*rows, stream], list(log.bodies(stream, range(count)))
    finally:
        log.close()


@pytest.mark.parametrize("name", ["done", "troubled", "waiting"])
def test_a_run_as_it_was_written_passes(name: str, replay: Replay, request: pytest.FixtureRequest) -> None:
    """Completed, with faults and strays, or interrupted with batches open: everything holds."""
    path = request.getfixturevalue(name)
    said = verdict(replay, path)
    assert (said["ok"], said["problems"]) == (True, [])
    (run,) = said["runs"]
    assert run["events"] > 10
    assert run["commits"] > 3
    assert run["bodies"] > 10
    assert re.fullmatch("[0-9a-f]{64}", run["head"])
    text = replay("verify", path)
    assert (text.exit_code, text.stderr) == (0, "")
    assert "all hold" in text.stdout
    assert run["head"] in text.stdout


def test_a_changed_byte_is_found_or_changes_nothing(done: Path, replay: Replay, tmp_path: Path) -> None:
    """At random places of the file: what verify lets pass reads back, to the last byte, as it was written."""
    original, expected = done.read_bytes(), content(done)
    chance, found = random.Random(20_261_125), 0
    for _ in range(PLACES):
        place, bit = chance.randrange(len(original)), 1 << chance.randrange(8)
        changed = bytearray(original)
        changed[place] ^= bit
        path = tmp_path / "changed.db"
        path.write_bytes(changed)
        result = replay("verify", path)
        assert result.exit_code in (0, 1, 2), (place, result.output)
        assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit), place
        if result.exit_code == 0:
            assert content(path) == expected, place
        found += result.exit_code != 0
    assert found > PLACES // 20  # much of a small file is empty space


def test_a_changed_byte_of_an_event_or_a_body_is_found(done: Path, replay: Replay, tmp_path: Path) -> None:
    """At random places within what was written: never exit code 0."""
    original = done.read_bytes()
    with sqlite3.connect(done) as connection:
        pieces = [data.encode() for (data,) in connection.execute("SELECT data FROM events")]
        for (data,) in connection.execute("SELECT data FROM segments"):
            pieces += [data[at : at + 40] for at in range(0, len(data) - 20, 40)]  # each is there once
    connection.close()
    chance = random.Random(7)
    for piece in chance.choices(pieces, k=60):
        at = original.find(piece)
        assert at >= 0
        changed = bytearray(original)
        changed[at + chance.randrange(len(piece))] ^= 1 << chance.randrange(8)
        path = tmp_path / "changed.db"
        path.write_bytes(changed)
        assert verdict(replay, path)["ok"] is False, piece


def tampered(path: Path, copy: Path, *statements: str) -> Path:
    """A copy of the log, changed from outside."""
    return tamper(Path(shutil.copy(path, copy)), *statements)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE events SET data = replace(data, 'sonnet', 'haiku') WHERE version = 1", "versions 1 to 2"),
        ("DELETE FROM events WHERE version = 4", "version 4 is missing"),
        (
            "UPDATE events SET version = version + 1 WHERE version = (SELECT max(version) FROM events)",
            "is missing",
        ),
        ("UPDATE segments SET data = NULL WHERE first = 0", "bodies 0 to 11: they are missing"),
        ("UPDATE segments SET data = zeroblob(50) WHERE first = 0", "bodies 0 to 11: what is stored is not"),
        ("DELETE FROM commits WHERE number = 2", "commits 2 to 2 are missing"),
    ],
)
def test_rows_changed_from_outside_are_found(
    done: Path, replay: Replay, tmp_path: Path, statement: str, expected: str
) -> None:
    """With exit code 1 and a sentence that names the versions or bodies."""
    said = verdict(replay, tampered(done, tmp_path / "log.db", statement))
    assert any(expected in problem for problem in said["problems"]), said["problems"]
    assert any(expected in problem["text"] for problem in said["runs"][0]["problems"])


def test_two_events_that_changed_places_are_found(done: Path, replay: Replay, tmp_path: Path) -> None:
    """Reordering rows keeps every row, and breaks the chain."""
    said = verdict(
        replay,
        tampered(
            done,
            tmp_path / "log.db",
            "UPDATE events SET version = -5 WHERE version = 5",
            "UPDATE events SET version = 5 WHERE version = 6",
            "UPDATE events SET version = 6 WHERE version = -5",
        ),
    )
    assert "not as it was written" in said["problems"][0]


def test_a_cut_off_end_is_found_by_the_head(done: Path, replay: Replay, tmp_path: Path) -> None:
    """Without its last commit the log is whole in itself; only the hash that the run named tells."""
    head = json.loads(replay("show", done, "--json").stdout)["head"]
    assert verdict(replay, done, "--head", head)["runs"][0]["events_since_head"] == 0
    assert verdict(replay, done, "--head", head[:12].upper())["ok"]
    cut = tampered(
        done,
        tmp_path / "cut.db",
        f"DELETE FROM events WHERE version > {LAST} - 1",
        "DELETE FROM commits WHERE number = (SELECT max(number) FROM commits)",
    )
    assert verdict(replay, cut)["ok"]
    said = verdict(replay, cut, "--head", head)
    assert said["ok"] is False
    assert "the end of the log was cut off" in said["problems"][0]
    earlier = json.loads(replay("show", cut, "--json").stdout)["head"]
    assert verdict(replay, done, "--head", earlier)["runs"][0]["events_since_head"] == 1


@pytest.mark.parametrize("head", ["", "xyz", "abc", "g" * 64, "0" * 65])
def test_what_is_no_hash_is_refused(done: Path, replay: Replay, head: str) -> None:
    """One line and exit code 2: a mistyped hash must not pass for a damaged log."""
    result = replay("verify", done, "--head", head)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not a log's hash" in result.stderr


def forged(path: Path, events: list[e.Event], at: int = 10**15, bodies: list[bytes] | None = None) -> Path:
    """A log with a valid chain over these events, as somebody might write who has the library."""
    log = open_log(path)
    claim = log.claim("run", Process(pid=1, host="h"))
    claim.append(at, events, bodies or [])
    claim.release()
    log.close()
    return path


def test_a_forged_chain_still_has_to_add_up(
    started: Callable[..., RunStarted], replay: Replay, tmp_path: Path
) -> None:
    """Counts, money, and bodies that events name are checked against each other."""
    added = e.ItemsAdded(first=0, count=3, digest="d", first_body=0)
    ended = e.RunCompleted(completed_items=3, failed_items=0, total_cost="5")
    said = verdict(replay, forged(tmp_path / "log.db", [started(), added, ended]))
    assert any(
        p.startswith("version 3 (run_completed): it says that 3 items completed and 0")
        for p in said["problems"]
    )
    assert any(
        p.startswith("version 3 (run_completed): it says that the cost is 5; the charges")
        for p in said["problems"]
    )
    said = verdict(replay, forged(tmp_path / "bodies.db", [started(), added]))
    assert said["problems"] == ["version 2 (items_added): body 2 of 0 is missing"]
    said = verdict(replay, forged(tmp_path / "one.db", [started(), added], bodies=[b"{}"] * 2))
    assert said["problems"] == ["version 2 (items_added): body 2 of 2 is missing"]


def test_an_event_from_the_future_is_remarked_on(
    started: Callable[..., RunStarted], replay: Replay, tmp_path: Path
) -> None:
    """A log that was written under a wrong clock is whole; beside another problem it is one more."""
    in_an_hour = time.time_ns() // 1000 + 3_600_000_000
    path = forged(tmp_path / "log.db", [started()], at=in_an_hour)
    said = verdict(replay, path)
    assert (said["ok"], said["problems"]) == (True, [])
    (remark,) = said["runs"][0]["remarks"]
    assert remark.startswith("version 1: its time, ")
    assert remark.endswith("is in the future: the clock was ahead when it was written, or is behind now")
    assert "remark      version 1: its time, " in replay("verify", path).stdout
    ended = e.RunCompleted(completed_items=1, failed_items=0, total_cost="0")
    said = verdict(replay, forged(tmp_path / "wrong.db", [started(), ended], at=in_an_hour))
    assert said["problems"][-1].startswith("version 1: its time, ")
    assert said["runs"][0]["remarks"] == []


def _content(done: Path) -> tuple[list[bytes], list[e.Event], str]:
    """The bodies of the run of twelve items, its events, and its id."""
    log = read_log(done)
    stream = log.streams()[0]
    recorded = [event for _, _, event in log.events(stream)]
    bodies = [body or b"" for body in log.bodies(stream, range(24))]
    log.close()
    return bodies, recorded, stream


def test_an_answer_under_another_item_is_found(done: Path, tmp_path: Path) -> None:
    """Outcomes are checked against their stored lines: the custom id, the tokens, the stop reason."""
    bodies, recorded, stream = _content(done)
    bodies[12], bodies[13] = bodies[13], bodies[12]
    copy = open_log(tmp_path / "log.db")
    claim = copy.claim(stream, Process(pid=1, host="h"))
    claim.append(10**15, recorded, bodies)
    texts = [problem.text for problem in verify_run(copy, stream, None, 2**60).problems]
    assert len(texts) == 2
    assert all(re.search(r"body 1[23] is the result of \S+, not of \S+", text) for text in texts)
    copy.close()


def test_an_outcome_that_is_not_what_its_line_says_is_found(done: Path, tmp_path: Path) -> None:
    """Neither other tokens, which other money would follow from, nor another reason to stop."""
    said = re.compile(rb'"output_tokens":\s*\d+'), re.compile(rb'"stop_reason":\s*"\w+"')
    other = b'"output_tokens":999', b'"stop_reason":"max_tokens"'
    bodies_of, recorded, stream = _content(done)
    copy = open_log(tmp_path / "log.db")
    claim = copy.claim(stream, Process(pid=1, host="h"))
    changed = [
        pattern.sub(text, bodies_of[12 + place])
        for place, (pattern, text) in enumerate(zip(said, other, strict=True))
    ]
    claim.append(10**15, recorded, [*bodies_of[:12], *changed, *bodies_of[14:]])
    texts = [problem.text for problem in verify_run(copy, stream, None, 2**60).problems]
    assert [text.split("): ")[1] for text in texts] == [
        f"it differs from its result line, body {body}" for body in (12, 13)
    ]
    copy.close()


def test_a_result_line_that_is_none_is_found(done: Path, tmp_path: Path) -> None:
    """What was stored for an answer must be a line of results."""
    bodies, recorded, stream = _content(done)
    copy = open_log(tmp_path / "log.db")
    copy.claim(stream, Process(pid=1, host="h")).append(10**15, recorded, [*bodies[:12], b"{}", *bodies[13:]])
    (problem,) = verify_run(copy, stream, None, 2**60).problems
    assert "its result line, body 12, cannot be read (" in problem.text
    copy.close()


def test_usage_that_only_today_can_be_read_is_no_contradiction(done: Path, tmp_path: Path) -> None:
    """An older version recorded an unknown cost where it could not read a number; its log is whole."""
    bodies, recorded, stream = _content(done)
    place = next(n for n, event in enumerate(recorded) if isinstance(event, e.OutcomeRecorded))
    outcome, ended = recorded[place], recorded[-1]
    assert isinstance(outcome, e.OutcomeRecorded)
    paid = next(n for n in range(place, len(recorded)) if isinstance(recorded[n], e.CostCharged))
    recorded[place] = replace(outcome, usage=None)
    recorded[paid] = charge(outcome.job, outcome.index, None, None)
    recorded[-1] = replace(ended, total_cost=None)
    copy = open_log(tmp_path / "log.db")
    copy.claim(stream, Process(pid=1, host="h")).append(10**15, recorded, bodies)
    texts = [problem.text for problem in verify_run(copy, stream, None, 2**60).problems]
    assert texts == []
    copy.close()


def test_a_log_of_several_runs_is_verified_run_by_run(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay, tmp_path: Path
) -> None:
    """All of them, or the one that is named; a damaged one does not hide the others."""
    write_log([started(run_id="one")], "one")
    path = write_log([started(run_id="two")], "two")
    broken = tampered(path, tmp_path / "log.db", "UPDATE events SET at = at + 1 WHERE stream = 'one'")
    said = verdict(replay, broken)
    assert [(run["run_id"], run["ok"]) for run in said["runs"]] == [("one", False), ("two", True)]
    assert verdict(replay, broken, "--run", "two")["ok"]
    assert replay("verify", broken, "--run", "three").exit_code == 2


def test_a_file_that_is_being_written_is_verified_at_one_moment(
    started: Callable[..., RunStarted], replay: Replay, tmp_path: Path
) -> None:
    """While another thread appends without a pause, every look is consistent in itself."""
    log = open_log(tmp_path / "run.db")
    claim = log.claim("run", Process(pid=1, host="h"))
    claim.append(10**15, [started()])
    done = threading.Event()

    def write() -> None:
        resumed = e.RunResumed(process=Process(pid=1, host="h"), library_version="0", changed={})
        while not done.is_set():
            claim.append(10**15, [resumed] * 7)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = [verdict(replay, tmp_path / "run.db") for _ in range(5)]
    finally:
        done.set()
        writer.join()
        log.close()
    assert all(said["ok"] for said in seen), [said["problems"] for said in seen]
    assert seen[-1]["runs"][0]["events"] > seen[0]["runs"][0]["events"]
    assert all(said["runs"][0]["events"] % 7 == 1 for said in seen)


def test_a_noted_head_is_told_with_what_came_after_it(done: Path, replay: Replay, tmp_path: Path) -> None:
    """In words: it is there, with so many events later; or the log as a whole has a problem."""
    head, short = json.loads(replay("show", done, "--json").stdout)["head"], "f" * 12
    assert "head        as it was noted\n" in replay("verify", done, "--head", head).stdout
    cut = tampered(
        done,
        tmp_path / "cut.db",
        f"DELETE FROM events WHERE version > {LAST} - 1",
        "DELETE FROM commits WHERE number = (SELECT max(number) FROM commits)",
    )
    earlier = json.loads(replay("show", cut, "--json").stdout)["head"]
    assert "as it was noted, and 1 event later" in replay("verify", done, "--head", earlier).stdout
    unknown = replay("verify", done, "--head", short)
    assert (unknown.exit_code, f"problem     no commit has the hash {short}" in unknown.stdout) == (1, True)


@pytest.mark.parametrize("table", ["events", "commits", "segments"])
def test_a_page_that_was_wiped_is_a_problem_of_the_file(
    done: Path, replay: Replay, tmp_path: Path, table: str
) -> None:
    """In words and for programs, whatever of the log cannot be read then."""
    with closing(sqlite3.connect(done)) as database:
        (root,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    path = Path(shutil.copy(done, tmp_path / "wiped.db"))
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(bytes(size))
    result = replay("verify", path)
    assert (result.exit_code, result.stderr) == (1, "")
    assert re.search(r"problem     .*wiped\.db is damaged", result.stdout)
    assert verdict(replay, path)["ok"] is False


def test_events_of_a_newer_batchata_are_no_problem_of_the_log(
    done: Path, replay: Replay, tmp_path: Path
) -> None:
    """They cannot be judged: the answer is to upgrade, not that the log was changed."""
    newer = tampered(done, tmp_path / "log.db", "UPDATE events SET schema_version = 99 WHERE version = 5")
    result = replay("verify", newer)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "read it with a newer one" in result.stderr


@pytest.mark.parametrize("part", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_file_never_passes(done: Path, replay: Replay, tmp_path: Path, part: float) -> None:
    """Cut anywhere: no traceback, one line for the other commands, and for verify never exit code 0."""
    whole = done.read_bytes()
    path = tmp_path / "cut.db"
    path.write_bytes(whole[: int(len(whole) * part)])
    assert replay("verify", path).exit_code in (1, 2)
    for name in ("show", "events"):
        result = replay(name, path)
        assert result.exit_code in (0, 2)
        if result.exit_code:
            assert result.stderr.count("\n") == 1
        assert result.exception is None or isinstance(result.exception, SystemExit | BatchataError)
