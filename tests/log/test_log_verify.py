"""What verifying finds in a log that was changed behind the library's back."""

from __future__ import annotations

import shutil
import sqlite3
from hashlib import sha256
from pathlib import Path

import log_samples as s
import pytest
from tampering import tamper

from batchata.log import read_log
from batchata.log.format import pack, unpack
from batchata.log.sqlite.log import SqliteLog
from batchata.log.verify import commit_of, first_change, verify


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log: versions 1-10 with bodies 0-149, 11-20, 21-620 with bodies 150-151; and another run."""
    path = tmp_path_factory.mktemp("written") / "log.db"
    log = SqliteLog(path)
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(n) for n in range(10)], [b"body %d" % n for n in range(150)])
    claim.append(s.AT, [s.submitted(n) for n in range(10, 20)])
    claim.append(s.AT, [s.submitted(n) for n in range(20, 620)], [b"last", b"but one"])
    claim.release()
    other = log.claim("other", s.OWNER)
    other.append(s.AT, [s.submitted(1)])
    other.release()
    log.close()
    return path


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    """A copy of it to be changed."""
    return shutil.copy(written, tmp_path / "log.db")


def problems(path: Path, purged: int = 0) -> list[str]:
    """What is wrong with the first run; the other one is always fine."""
    log = SqliteLog.open_for_reading(path)
    assert verify(log, "other") == []
    found = verify(log, "run", purged)
    log.close()
    return [problem.text for problem in found]


def test_a_log_as_it_was_written_has_no_problems(path: Path) -> None:
    """Neither has a stream that does not exist."""
    assert problems(path) == []
    log = SqliteLog.open_for_reading(path)
    assert verify(log, "nobody") == []
    assert log.faults() == []


def test_one_flipped_byte_in_an_event_is_found(path: Path) -> None:
    """PRAGMA integrity_check does not see it; the chain does, and says which versions."""
    content = path.read_bytes()
    assert content.count(b'"batch_id":"msgbatch_14"') == 1
    path.write_bytes(content.replace(b'"batch_id":"msgbatch_14"', b'"batch_id":"msgbatch_15"'))
    assert len(list(read_log(path).events("run"))) == 620
    assert SqliteLog.open_for_reading(path).faults() == []
    (found,) = problems(path)
    assert found.startswith("versions 11 to 20: an event")


def test_one_flipped_byte_in_a_body_is_found(path: Path) -> None:
    """The segment's bytes no longer fit their hash, and the bodies are named."""
    content = path.read_bytes()
    with sqlite3.connect(path) as connection:
        (data,) = connection.execute("SELECT data FROM segments WHERE first = 100").fetchone()
    connection.close()
    changed = data[:20] + bytes([data[20] ^ 1]) + data[21:]
    path.write_bytes(content.replace(data, changed, 1))
    assert problems(path) == ["bodies 100 to 149: what is stored is not what was written"]


def test_a_body_that_was_changed_is_never_read_as_another_value() -> None:
    """A short text lies in its segment as it is: with a flipped bit it would unpack, and say 9 for 8."""
    (segment,) = pack([b'{"total": 8}'])
    assert segment.data is not None
    assert b"8}" in segment.data
    assert unpack(segment) == [b'{"total": 8}']
    with pytest.raises(ValueError, match="what is stored is not what was written"):
        unpack(segment._replace(data=segment.data.replace(b"8}", b"9}")))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE events SET at = at + 1 WHERE version = 3", ["versions 1 to 10: an event"]),
        ("UPDATE events SET type = 'batch_polled' WHERE version = 620", ["versions 21 to 620: an event"]),
        (
            (
                "REPLACE INTO events SELECT stream, version, type, schema_version, at, job, item, '{}' "
                "FROM events WHERE stream = 'run' AND version = 15"
            ),
            ["versions 11 to 20: an event", "version 15: its columns"],
        ),
        ("DELETE FROM events WHERE version = 12", ["version 12 is missing", "versions 11 to 20: an event"]),
        (
            "DELETE FROM events WHERE version > 600",
            ["version 601 is missing, and 19 more", "versions 21 to 620: an event"],
        ),
        ("UPDATE commits SET at = 1 WHERE number = 2", ["versions 11 to 20: an event"]),
        ("UPDATE commits SET epoch = 9 WHERE number = 1 AND stream = 'run'", ["versions 1 to 10: an event"]),
        (
            "UPDATE commits SET hash = zeroblob(32) WHERE number = 2",
            ["versions 11 to 20: an event", "versions 21 to 620: an event"],
        ),
        (
            "DELETE FROM commits WHERE number = 2",
            ["commits 2 to 2 are missing", "versions 21 to 620: an event"],
        ),
        (
            "DELETE FROM commits WHERE number = 3",
            ["version 21 and above belong to no commit", "bodies 150 and above belong to no commit"],
        ),
        (
            "INSERT INTO events VALUES ('run', 621, 'x', 1, 1, NULL, NULL, '{}')",
            ["version 621 and above belong to no commit"],
        ),
        (
            "UPDATE segments SET sha256 = zeroblob(32), data = NULL WHERE first = 0",
            ["versions 1 to 10: an event", "bodies 0 to 99: they are missing"],
        ),
        ("DELETE FROM segments WHERE first = 150", ["versions 21 to 620: an event"]),
        ("UPDATE segments SET first = 101 WHERE first = 100", ["versions 1 to 10: an event"]),
        (
            "UPDATE commits SET first_version = 12 WHERE number = 2",
            ["versions 11 to 11 belong to no commit", "versions 12 to 20: an event"],
        ),
        (
            f"UPDATE segments SET data = x'00', sha256 = x'{sha256(b'\0').hexdigest()}' WHERE first = 0",
            ["versions 1 to 10: an event", "bodies 0 to 99: they cannot be unpacked (error"],
        ),
        (
            "UPDATE segments SET codec = 9 WHERE first = 0",
            ["versions 1 to 10: an event", "bodies 0 to 99: they cannot be unpacked (unknown codec 9)"],
        ),
        (
            "UPDATE segments SET count = 99 WHERE first = 0",
            [
                "versions 1 to 10: an event",
                "bodies 0 to 98: they cannot be unpacked (100 bodies instead of 99)",
            ],
        ),
    ],
)
def test_every_change_is_found(path: Path, statement: str, expected: list[str]) -> None:
    """Changed, removed and added events, commits and bodies each give a sentence that says where."""
    tamper(path, statement)
    found = problems(path)
    assert len(found) == len(expected)
    assert all(text.startswith(start) for text, start in zip(found, expected, strict=True)), found
    log = SqliteLog.open_for_reading(path)
    changed = [text.partition(": an event")[0] for text in expected if ": an event" in text]
    assert first_change(log, "run") == (changed[0] if changed else None)
    log.close()


def test_bodies_are_missing_unless_they_were_purged(path: Path) -> None:
    """The chain covers their hashes, which stay; that they went by decision is an event's to say."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE segments SET data = NULL")
    connection.close()
    assert problems(path, purged=152) == []
    gone = "they are missing, and no event says that they were purged"
    assert problems(path, purged=100) == [f"bodies 100 to 149: {gone}", f"bodies 150 to 151: {gone}"]
    assert len(problems(path)) == 3


def test_a_damaged_file_is_a_problem_not_an_exception(path: Path) -> None:
    """Pages of noise: verifying the file as a whole says so."""
    content = bytearray(path.read_bytes())
    content[3 * 16_384 : 4 * 16_384] = b"\x5a" * 16_384
    path.write_bytes(content)
    log = SqliteLog.open_for_reading(path)
    assert log.faults() != []
    assert all("\n" not in problem.text for problem in verify(log, "run"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE commits SET number = 'two' WHERE stream = 'run' AND number = 2",
        "UPDATE commits SET last_version = x'00' WHERE stream = 'run' AND number = 3",
        "UPDATE commits SET first_version = 1.5 WHERE stream = 'run' AND number = 1",
        "UPDATE commits SET hash = 'text' WHERE stream = 'run' AND number = 1",
        "UPDATE events SET version = 'x' WHERE version = 12",
        "UPDATE segments SET first = 'x' WHERE first = 100",
        "UPDATE segments SET data = 'x' WHERE first = 100",
    ],
)
def test_values_of_other_kinds_are_problems_not_exceptions(path: Path, statement: str) -> None:
    """SQLite keeps a text where a number belongs: a log from elsewhere may hold any value anywhere."""
    tamper(path, statement)
    assert problems(path) != []
    log = SqliteLog.open_for_reading(path)
    assert commit_of(log, "run", "0" * 12) is None
    assert (first_change(log, "run") is None) == ("SET data" in statement)
    log.close()
