"""A log may come from a stranger: nothing in it is believed unseen, and nothing in it acts."""

from __future__ import annotations

import hashlib
import resource
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import forked
import pytest
import zstandard
from charges import cost_charged
from msgspec.structs import replace
from tampering import lift_triggers
from typer.testing import Result

from batchata import BatchManager
from batchata.core import events as e
from batchata.core import values
from batchata.core.events import RunStarted
from batchata.core.values import Usage
from batchata.errors import NotALogError

type Replay = Callable[..., Result]
type Write = Callable[..., Path]

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
VIEWS = {
    "events": f"{ENDLESS} SELECT 'run' AS stream, x AS version, 'run_completed' AS type, "
    "1 AS schema_version, 0 AS at, NULL AS job, NULL AS item, '{}' AS data FROM n",
    "commits": f"{ENDLESS} SELECT 'run' || x AS stream, 1 AS number, 1 AS first_version, 1 AS last_version, "
    "0 AS next_body, 1 AS epoch, 0 AS at, x'00' AS hash FROM n",
    "segments": f"{ENDLESS} SELECT 'run' AS stream, x AS first, 1 AS count, 1 AS codec, x'00' AS sha256, "
    "x'00' AS data FROM n",
    "alembic_version": f"{ENDLESS} SELECT x AS version_num FROM n WHERE x < 0",
}
COMMANDS = ["show", "events", "costs", "verify", "item 0", "diff 1", "export out", "report out.html"]
MEMORY = 1_000_000_000  # bytes of address space that a command may have


def tampered(path: Path, *statements: str) -> Path:
    """The file after somebody else has worked on it."""
    connection = sqlite3.connect(path)
    lift_triggers(connection)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


def limited(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own that has little memory beside what it begins with."""
    code = (
        "import resource\n"
        "begun = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (begun + {MEMORY}, begun + {MEMORY}))\n"
        "from batchata.replay.cli import main; main()"
    )
    return forked.run(["-c", code, *arguments], cwd=folder)


def refused(result: Result) -> str:
    """One line and exit code 2."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.mark.parametrize("table", VIEWS)
def test_a_view_is_no_table(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay, table: str
) -> None:
    """It would be computed without end; every command says so at once, and a script cannot open it either."""
    path = tampered(write_log([started()]), f"DROP TABLE {table}", f"CREATE VIEW {table} AS {VIEWS[table]}")
    for command in COMMANDS:
        name, *options = command.split()
        assert f"has no table '{table}'" in refused(replay(name, path, *options))
    messages = [[{"role": "user", "content": "hi"}]]
    with pytest.raises(NotALogError, match="has no table"):
        BatchManager(messages=messages, model="claude-sonnet-5-5", state_path=path).stats()


def test_a_computed_column_is_no_column(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """What it gives is made while it is read."""
    path = tampered(
        write_log([started()]),
        "ALTER TABLE events ADD COLUMN more TEXT GENERATED ALWAYS AS (hex(zeroblob(100000000))) VIRTUAL",
    )
    assert "'events' is not a table of a log" in refused(replay("show", path))


def test_a_virtual_table_is_no_table(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """Its code is somebody else's."""
    path = tampered(
        write_log([started()]), "DROP TABLE claims", "CREATE VIRTUAL TABLE claims USING fts5(stream)"
    )
    assert "has no table 'claims'" in refused(replay("show", path))


@pytest.mark.parametrize("count", [10**9, 10**12, 2**62])
def test_counts_are_not_believed(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay, count: int, tmp_path: Path
) -> None:
    """Of items that have no body, of items that a job says to hold, and of what a segment says to hold."""
    added = e.ItemsAdded(first=0, count=count, digest="d", first_body=0)
    for command in ("show", "costs", "report out.html"):
        name, *options = command.split()
        assert f"it adds {count:,} items" in refused(replay(name, write_log([started(), added]), *options))
        (tmp_path / "run.db").unlink()
    path = write_log([started(), added])
    assert replay("verify", path).exit_code == 1


def test_a_jobs_items_are_not_believed(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """A range without end is not walked through."""
    sent = e.SubmissionStarted(
        job=0, items=[(0, 10**15)], request_count=10**15, bytes=1, custom_ids="t-{index}", reserved=None
    )
    one = e.ItemsAdded(first=0, count=1, digest="d", first_body=0)
    path = write_log([started(), one, sent], bodies=[b'{"messages":[]}'])
    refused(replay("show", path))
    checked = replay("verify", path)
    assert checked.exit_code == 1
    assert f"item {10**15} is sent of 1 items" in checked.stdout


def test_a_commit_is_not_believed(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """It says to hold as many events as there are numbers."""
    path = tampered(write_log([started()]), "UPDATE commits SET last_version = 1000000000000")
    found = replay("verify", path)
    assert found.exit_code == 1
    assert "version 2 is missing, and 999,999,999,998 more" in found.stdout


def test_what_a_segment_says_of_its_size_is_not_believed(
    write_log: Write, started: Callable[..., RunStarted]
) -> None:
    """A few bytes that unpack to 1.2 GB are never unpacked; neither are ten billion bodies in one piece."""
    one = e.ItemsAdded(first=0, count=1, digest="d", first_body=0)
    path = write_log([started(), one], bodies=[b'{"messages":[]}'])
    compressor = zstandard.ZstdCompressor(level=1).compressobj(size=1_200_000_000)
    piece = bytes(10_000_000)
    data = b"".join([*(compressor.compress(piece) for _ in range(120)), compressor.flush()])
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER segments_only_purge")
    connection.execute("UPDATE segments SET data = ?, sha256 = ?", (data, hashlib.sha256(data).digest()))
    connection.commit()
    for command in ("item", "verify"):
        found = limited(path.parent, command, path, *(["0"] if command == "item" else []))
        assert (found.returncode, "Traceback" in found.stderr) == (2 if command == "item" else 1, False)
        assert command == "verify" or "1,200,000,000" in found.stderr
    connection.execute("UPDATE segments SET count = 10000000000, data = NULL")
    connection.commit()
    connection.close()
    found = limited(path.parent, "item", path, 0)
    assert (found.returncode, "Traceback" in found.stderr) == (2, False)
    assert limited(path.parent, "verify", path).returncode == 1


@pytest.mark.parametrize(
    "amount", ["1" + "0" * 24, "1e24", "NaN", "Infinity", "1e999999999", "", "x" * 100_000, "-1"]
)
def test_amounts_are_not_believed(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay, amount: str
) -> None:
    """Of charges, reservations and limits: what is not an amount of money is damage, told in one line."""
    one = e.ItemsAdded(first=0, count=1, digest="d", first_body=0)
    sent = e.SubmissionStarted(
        job=0, items=[(0, 0)], request_count=1, bytes=1, custom_ids="t-{index}", reserved="1"
    )
    got = e.OutcomeRecorded(
        job=0, index=0, kind="succeeded", stop_reason=None, error=None, usage=Usage(input_tokens=1), body=0
    )
    charged = cost_charged(0, 0, amount, input_tokens=1, unit_prices={"input_tokens": "1"})
    limited_ = replace(started(), settings=replace(started().settings, max_cost=amount))
    cases = {
        "charge": [started(), one, sent, got, charged],
        "reservation": [started(), one, replace(sent, reserved=amount)],
        "limit": [limited_, one],
    }
    for name, events in cases.items():
        path = write_log(events, name=f"{name}.db", bodies=[b'{"messages":[]}'])
        for command in ("show", "costs", "events", "verify"):
            found = replay(command, path)
            assert found.exit_code in (0, 1, 2), (name, command)
            assert found.exception is None or isinstance(found.exception, SystemExit), (name, command)
            assert len(found.output) < 20_000
        if amount != "-1":
            refused(replay("show", path))
            assert replay("verify", path).exit_code == 1


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2066\r\nfake line\x00\x9b31m"


def test_no_text_of_a_log_reaches_the_terminal_alive(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """Names of runs, models, places, settings, errors, batches and processes, in every command."""
    begun = started(
        run_id=HOSTILE, model=HOSTILE, base_url=HOSTILE, provider=HOSTILE, library_version=HOSTILE,
        prompt=HOSTILE, response_model=HOSTILE, input_kind=HOSTILE,
        params={HOSTILE: HOSTILE, "max_tokens": 5},
    )  # fmt: skip
    error = values.RequestError(kind=HOSTILE, message=HOSTILE)
    events = [
        begun,
        e.ItemsAdded(first=0, count=1, digest=HOSTILE, first_body=0),
        e.SubmissionStarted(
            job=0, items=[(0, 0)], request_count=1, bytes=1, custom_ids=HOSTILE, reserved=None
        ),
        e.BatchSubmitted(job=0, batch_id=HOSTILE, created_at=0, expires_at=None),
        e.CallFailed(doing=HOSTILE, jobs=[0], error=error, not_before=0),
        e.OutcomeRecorded(
            job=0, index=0, kind=HOSTILE, stop_reason=HOSTILE, error=error, usage=None, body=None
        ),
        e.JobCompleted(job=0, batch_id=HOSTILE, outcomes={HOSTILE: 1}, strays={HOSTILE: 1}),
        e.RunInterrupted(reason=HOSTILE, error=error, pending_items=0),
    ]
    path = write_log(events, run_id=HOSTILE, bodies=[b'{"messages":[{"role":"user","content":"hi"}]}'])
    for command in ("show", "events", "costs", "verify", "item 0", "item 5", "diff 2", "show --run x"):
        name, *options = command.split()
        found = replay(name, path, *options)
        assert found.exception is None or isinstance(found.exception, SystemExit), command
        for character in "\x1b\x07\u202e\u2066\r\x00\x9b":
            assert character not in found.output, (command, character)
        assert "\nfake line" not in found.output, command


@pytest.mark.parametrize("format", ["json", "csv", "jsonl"])
@pytest.mark.parametrize("force", [False, True])
def test_an_export_writes_nowhere_else(
    done: Path, replay: Replay, tmp_path: Path, format: str, force: bool
) -> None:
    """A link in the folder, to a folder or a file, is refused, and what it leads to stays as it is."""
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    kept = elsewhere / "job_0_results.json"
    kept.write_text("kept")
    options = ["--format", format, *(["--force"] if force else [])]

    def check() -> None:
        assert "is a link" in refused(replay("export", done, folder, *options))
        assert [path.name for path in elsewhere.iterdir()] == [kept.name]
        assert kept.read_text() == "kept"

    folder.mkdir()
    if format != "json":
        (folder / f"results.{format}").symlink_to(kept)
        check()
        return
    (folder / "processed").symlink_to(elsewhere, target_is_directory=True)
    check()
    (folder / "processed").unlink()
    (folder / "processed").mkdir()
    (folder / "processed" / kept.name).symlink_to(kept)
    check()


def test_memory_is_measured(tmp_path: Path) -> None:
    """The limit that other tests set is enough for a command that has nothing to fear."""
    assert resource.getrlimit(resource.RLIMIT_AS)
    found = limited(tmp_path, "show", tmp_path / "none.db")
    assert (found.returncode, "does not exist" in found.stderr) == (2, True)


def test_answers_of_an_unknown_provider_are_not_guessed_at(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """What only a later version can read is refused in one line; what says nothing of answers is shown."""
    path = write_log([replace(started(), provider="elsewhere")])
    assert "'elsewhere', a provider that this Batchata does not know" in refused(replay("verify", path))
    for name in ("show", "events", "costs"):
        assert replay(name, path).exit_code == 0
