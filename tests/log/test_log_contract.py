"""What every log must do: one suite, run against the file, PostgreSQL and the log in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import log_samples as s
import msgspec
import pytest

from batchata.core import events as e
from batchata.core import values
from batchata.errors import LogConflictError, LogError, NotALogError, RunClaimedError
from batchata.log import is_begun, open_log, read_log
from batchata.log.format import beginning, link, unpack
from batchata.log.memory import MemoryLog
from batchata.log.port import Log
from batchata.log.verify import commit_of, first_change, size_of, verify

LASTING = ["file", "postgres"]


def place_in(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str | None:
    """Where a log of this kind may be made."""
    match request.param:
        case "postgres":
            return str(request.getfixturevalue("postgres"))
        case "file":
            return tmp_path / "a folder" / "log 100%.db"
        case _:
            return None


@pytest.fixture(params=[*LASTING, "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    """An empty log of each kind."""
    opened = open_log(place_in(request, tmp_path))
    yield opened
    opened.close()


@pytest.fixture(params=LASTING)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a log may be that outlives its process: nothing is there yet."""
    found = place_in(request, tmp_path)
    assert found is not None
    return found


def filled(log: Log, count: int, stream: str = "run") -> list[e.Event]:
    """Append `count` events in commits of different sizes, and return them."""
    events: list[e.Event] = [s.submitted(n) if n % 3 else s.polled(n) for n in range(count)]
    claim = log.claim(stream, s.OWNER)
    first, size = 0, 1
    while first < count:
        claim.append(s.AT + first, events[first : first + size])
        first, size = first + size, size * 3 + 1
    claim.release()
    return events


def with_bodies(log: Log, stream: str = "run") -> None:
    """Three commits: bodies 0-149 with versions 1-2, version 3 alone, bodies 150-151 alone."""
    claim = log.claim(stream, s.OWNER)
    claim.append(s.AT, [s.submitted(1), s.submitted(2)], [b"body %d" % n for n in range(150)])
    claim.append(s.AT + 1, [s.outcome(3, 4, 5)])
    claim.append(s.AT + 2, [], [b"", b"last"])
    claim.release()


def test_events_come_back_as_they_were_with_dense_versions(log: Log) -> None:
    """What was appended is read back equal, in order, numbered 1, 2, 3, … across pages and commits."""
    events = filled(log, 5_003)
    read = list(log.events("run"))
    assert [recorded.event for recorded in read] == events
    assert [recorded.version for recorded in read] == list(range(1, 5_004))
    assert read[0].at == s.AT


def test_every_type_of_event_survives(log: Log) -> None:
    """Text in all scripts, nested values and None come back equal."""
    error = values.RequestError(kind="invalid_request_error", message='a "quoted"\nline \u2028 \x7f 😀')
    events = [
        s.started(),
        s.added(0, 4),
        s.sending(1, (0, 1), (3, 3)),
        s.outcome(1, 0, 0, error),
        s.charged(1, 0, None),
        e.RunResumed(process=s.OWNER, library_version="1", changed={"max_cost": ("1", None)}),
        e.CallFailed(doing="poll", jobs=[1, 2], error=error, not_before=5),
    ]
    log.claim("run", s.OWNER).append(s.AT, events)
    assert [recorded.event for recorded in log.events("run")] == events


def test_reading_starts_after_a_version(log: Log) -> None:
    """`after` leaves out all versions up to it; after the last there is nothing."""
    events = filled(log, 50)
    assert [r.event for r in log.events("run", after=47)] == events[47:]
    assert [r.version for r in log.events("run", after=47)] == [48, 49, 50]
    assert list(log.events("run", after=50)) == []


def test_reading_some_types(log: Log) -> None:
    """`types` keeps events of these types, with their own versions; an empty choice keeps none."""
    events = filled(log, 3_000)
    read = list(log.events("run", types={"batch_polled"}))
    assert [r.event for r in read] == [event for event in events if isinstance(event, e.BatchPolled)]
    assert [r.version for r in read][:3] == [1, 4, 7]
    assert [r.version for r in log.events("run", after=4, types=["batch_polled"])][:2] == [7, 10]
    assert list(log.events("run", types=())) == []


def test_single_events_by_version_in_the_order_asked(log: Log) -> None:
    """`events_at` answers in the order of its versions, repeats included."""
    events = filled(log, 20)
    assert [r.version for r in log.events_at("run", [20, 3, 3])] == [20, 3, 3]
    assert log.events_at("run", [3])[0].event == events[2]
    assert log.events_at("run", []) == []


@pytest.mark.parametrize("version", [0, 21, -1])
def test_an_event_that_is_not_there_is_an_error(log: Log, version: int) -> None:
    """Asking for a version that the stream does not have names it."""
    filled(log, 20)
    with pytest.raises(LogError, match=f"no event {version} of 'run'"):
        log.events_at("run", [1, version])


def test_reading_goes_on_while_events_are_appended(log: Log) -> None:
    """Reads and appends of the same thread may alternate; each read sees all that was appended before it."""
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(n) for n in range(3_000)])
    reading = log.events("run")
    first = next(reading)
    claim.append(s.AT, [s.submitted(3_000)])
    assert first.version == 1
    assert sum(1 for _ in reading) >= 2_999
    assert sum(1 for _ in log.events("run")) == 3_001


def test_streams_are_apart_and_oldest_first(log: Log) -> None:
    """Each stream has its own versions and bodies; a stream without events is no stream."""
    for name in ("b", "a", "c"):
        claim = log.claim(name, s.OWNER)
        claim.append(s.AT, [s.submitted(len(name))], [name.encode()])
        assert (claim.version, claim.next_body) == (1, 1)
    log.claim("empty", s.OWNER)
    assert log.streams() == ["b", "a", "c"]
    assert [*log.bodies("a", [0])] == [b"a"]
    assert list(log.events("nobody")) == []


def test_bodies_come_back_byte_for_byte(log: Log) -> None:
    """Bodies are bytes: any script, any control character but the newline, empty, larger than a segment."""
    naughty = json.loads(s.shared("text/naughty_strings.json").read_text())
    bodies = [msgspec.json.encode(text) for text in naughty]
    bodies += [
        b"",
        b"\r\x00\xff\xfe",
        "\u2028\u0085😀".encode(),
        b"x" * 3_000_000,
        b"",
        bytes(range(11, 256)) * 9_000,
    ]
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1)], bodies[:7])
    claim.append(s.AT, [s.submitted(2)], bodies[7:])
    assert claim.next_body == len(bodies)
    assert list(log.bodies("run", range(len(bodies)))) == bodies


def test_bodies_in_any_order_and_lazily(log: Log) -> None:
    """Numbers may come in any order, repeated, from a generator; the answers keep that order."""
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1)], [b"%d" % n for n in range(1_500)])
    numbers = [(n * 733) % 1_500 for n in range(3_000)]
    assert list(log.bodies("run", (n for n in numbers))) == [b"%d" % n for n in numbers]
    assert list(log.bodies("run", [])) == []


@pytest.mark.parametrize("number", [3, -1])
def test_a_body_that_is_not_there_is_an_error(log: Log, number: int) -> None:
    """Asking for a body that the stream does not have names it."""
    log.claim("run", s.OWNER).append(s.AT, [], [b"1", b"2", b"3"])
    with pytest.raises(LogError, match=f"no body {number} of 'run'"):
        list(log.bodies("run", [0, number]))


def test_an_append_is_all_or_nothing(log: Log) -> None:
    """When one body is refused, neither events nor bodies of that append are there; the next one works."""
    claim = log.claim("run", s.OWNER)
    with pytest.raises(ValueError, match="newline"):
        claim.append(s.AT, [s.submitted(1)], [b"fine", b"two\nlines"])
    assert (claim.version, claim.next_body) == (0, 0)
    assert list(log.events("run")) == []
    claim.append(s.AT, [s.submitted(1)], [b"fine"])
    assert (claim.version, claim.next_body) == (1, 1)


def test_what_was_appended_can_be_secured(log: Log) -> None:
    """It says that all is where a copy has it; asked again, or with nothing to secure, it says the same."""
    claim = log.claim("run", s.OWNER)
    assert claim.secure()
    claim.append(s.AT, [s.submitted(0)])
    assert claim.secure()
    assert claim.secure()


def test_appending_nothing_does_nothing(log: Log) -> None:
    """An append without events and bodies leaves the stream as it is, and the next one works."""
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [])
    assert claim.version == 0
    claim.append(s.AT, [s.submitted(1)])
    assert claim.version == 1


def test_a_stream_has_one_claim_at_a_time(log: Log) -> None:
    """A second claim names the first one's process; another stream is free."""
    held = log.claim("run", values.Process(pid=4711, host="first.example"))
    with pytest.raises(RunClaimedError, match=r"4711 on first\.example"):
        log.claim("run", s.OWNER)
    assert log.claim("other", s.OWNER).version == held.version == 0


def test_a_released_claim_can_be_taken_again_and_goes_on(log: Log) -> None:
    """The next claim continues the versions and body numbers; releasing twice does no harm."""
    first = log.claim("run", s.OWNER)
    first.append(s.AT, [s.submitted(1), s.submitted(2)], [b"0", b"1"])
    first.release()
    first.release()
    second = log.claim("run", s.OWNER)
    assert (second.stream, second.version, second.next_body) == ("run", 2, 2)
    second.append(s.AT, [s.submitted(3)], [b"2"])
    assert [r.version for r in log.events("run")] == [1, 2, 3]
    assert [*log.bodies("run", [2, 0])] == [b"2", b"0"]


def test_a_released_claim_appends_no_more(log: Log) -> None:
    """An append after the release is refused and changes nothing."""
    claim = log.claim("run", s.OWNER)
    claim.release()
    with pytest.raises(LogConflictError):
        claim.append(s.AT, [s.submitted(1)])
    assert list(log.events("run")) == []


def test_a_snapshot_stays_as_it_was(log: Log) -> None:
    """Nothing that is appended inside the block is seen through it: neither events, bodies nor streams."""
    with_bodies(log)
    claim = log.claim("run", s.OWNER)
    with log.snapshot() as then, then.snapshot() as again:
        claim.append(s.AT, [s.submitted(9)], [b"later"])
        log.claim("other", s.OWNER).append(s.AT, [s.submitted(1)])
        for seen in (then, again):
            assert seen.streams() == ["run"]
            assert len(list(seen.events("run"))) == 3
            assert size_of(seen, "run") == (3, 3, 152)
            assert [segment.first for segment in seen.segments("run", 0)] == [0, 100, 150]
            with pytest.raises(LogError, match="no body 152"):
                list(seen.bodies("run", [152]))
    assert log.streams() == ["run", "other"]
    assert size_of(log, "run") == (4, 4, 153)
    assert list(log.bodies("run", [152])) == [b"later"]


def test_commits_say_what_each_append_added(log: Log) -> None:
    """Numbered 1, 2, 3, …, oldest first, with the range of versions and the first body to come."""
    with_bodies(log)
    commits = [committed.commit for committed in log.commits("run")]
    assert [commit[:5] for commit in commits] == [
        ("run", 1, 1, 2, 150),
        ("run", 2, 3, 3, 150),
        ("run", 3, 4, 3, 152),
    ]
    assert [commit.at for commit in commits] == [s.AT, s.AT + 1, s.AT + 2]
    assert [committed.commit.number for committed in log.commits("run", after=2)] == [3]
    assert log.last_commit("run") == list(log.commits("run"))[-1]
    assert (list(log.commits("nobody")), log.last_commit("nobody")) == ([], None)


def test_many_commits_are_read_across_pages(log: Log) -> None:
    """Each once, in order."""
    claim = log.claim("run", s.OWNER)
    for number in range(450):
        claim.append(s.AT, [s.submitted(number)])
    assert [committed.commit.number for committed in log.commits("run")] == list(range(1, 451))


def test_every_claim_counts_the_epoch_up(log: Log) -> None:
    """Commits name the claim that wrote them."""
    for number in range(3):
        claim = log.claim("run", s.OWNER)
        claim.append(s.AT, [s.submitted(number)])
        claim.append(s.AT, [s.submitted(number)])
        claim.release()
    assert [committed.commit.epoch for committed in log.commits("run")] == [1, 1, 2, 2, 3, 3]


def test_the_chain_is_the_hash_of_what_is_stored(log: Log) -> None:
    """Rows and segments that a log gives for a commit are what its hash was made of."""
    with_bodies(log)
    last = beginning("run")
    for committed in log.commits("run"):
        commit = committed.commit
        rows = list(log.rows("run", commit.first_version, commit.last_version))
        segments = list(log.segments("run", last.commit.next_body, commit.next_body))
        assert committed.hash == link(last.hash, commit, rows, [segment[:4] for segment in segments])
        last = committed


def test_the_head_is_the_hash_of_the_last_append(log: Log) -> None:
    """In a snapshot that of then; None in an empty stream, and where nothing outlives the process."""
    assert log.head("run") is None
    with_bodies(log)
    hashes = [committed.hash.hex() for committed in log.commits("run")]
    with log.snapshot() as then:
        log.claim("run", s.OWNER).append(s.AT, [s.submitted(9)])
        before = then.head("run")
    after = [committed.hash.hex() for committed in log.commits("run")]
    assert after[:-1] == hashes
    assert (before, log.head("run")) == (
        (None, None) if isinstance(log, MemoryLog) else (hashes[-1], after[-1])
    )


def test_what_one_object_writes_others_read(place: Path | str) -> None:
    """While it goes on writing and once it is closed; of a place where nothing is, that is said."""
    assert not is_begun(place)
    with pytest.raises(NotALogError):
        read_log(place)
    with closing(open_log(place)) as log:
        assert is_begun(place)
        with_bodies(log)
        with closing(read_log(place)) as beside:
            claim = log.claim("run", s.OWNER)
            claim.append(s.AT, [s.submitted(9)])
            assert list(beside.rows("run", 1)) == list(log.rows("run", 1))
        claim.retire()
        log.finish()
    with closing(read_log(place)) as later:
        assert (later.streams(), size_of(later, "run")) == (["run"], (4, 4, 152))
        assert verify(later, "run") == later.faults() == []


def test_all_logs_store_the_same(log: Log, tmp_path: Path) -> None:
    """The same appends give the same rows, segments and hashes in every log: they can be compared."""
    file = open_log(tmp_path / "other.db")
    for each in (log, file):
        with_bodies(each)
        with_bodies(each)
    assert list(log.commits("run")) == list(file.commits("run"))
    assert list(log.rows("run", 1)) == list(file.rows("run", 1))
    assert list(log.segments("run", 0)) == list(file.segments("run", 0))
    file.close()


def test_rows_of_a_range(log: Log) -> None:
    """Both ends are in it; without an end all that follow, across pages; outside there is nothing."""
    filled(log, 5_003)
    assert [row[1] for row in log.rows("run", 3, 5)] == [3, 4, 5]
    assert [row[1] for row in log.rows("run", 1)] == list(range(1, 5_004))
    assert list(log.rows("run", 5_004)) == list(log.rows("run", 4, 3)) == list(log.rows("nobody", 1)) == []
    stream, version, name, schema, at, job, item, data = next(log.rows("run", 2, 2))
    assert (stream, version, name, schema, job, item) == ("run", 2, "batch_submitted", 1, 1, None)
    assert at == s.AT + 1
    assert json.loads(data)["batch_id"] == "msgbatch_1"


def test_segments_of_a_range(log: Log) -> None:
    """Those whose first body is in it, in order, across pages, each with all its bodies."""
    claim = log.claim("run", s.OWNER)
    for first in range(30):
        claim.append(s.AT, [], [b"%d" % first, b"second"])
    assert [segment.first for segment in log.segments("run", 0)] == list(range(0, 60, 2))
    assert [segment.first for segment in log.segments("run", 1, 6)] == [2, 4]
    assert list(log.segments("run", 60)) == list(log.segments("run", 4, 4)) == []
    assert unpack(next(log.segments("run", 58))) == [b"29", b"second"]
    assert [*log.segment_hashes("run", 3)] == [segment[:4] for segment in log.segments("run", 3)]


def test_purged_bodies_are_gone_and_the_chain_stays(log: Log) -> None:
    """Whole segments below a number lose their data, at once and for every reader; nothing else does."""
    with_bodies(log)
    assert list(log.bodies("run", [100])) == [b"body 100"]
    with_bodies(log, "other")
    claim = log.claim("run", s.OWNER)
    heads = [committed.hash for committed in log.commits("run")]
    assert (log.purge("run", 150), log.purge("run", 150)) == (2, 0)
    claim.release()
    assert list(log.bodies("run", [100, 0, 149, 151])) == [None, None, None, b"last"]
    assert list(log.bodies("other", [0])) == [b"body 0"]
    assert [committed.hash for committed in log.commits("run")] == heads
    assert verify(log, "run", 150) == verify(log, "other") == []
    gone = "they are missing, and no event says that they were purged"
    expected = [f"bodies 0 to 99: {gone}", f"bodies 100 to 149: {gone}"]
    assert [problem.text for problem in verify(log, "run")] == expected


def test_a_segment_is_purged_whole_or_not_at_all(log: Log) -> None:
    """One that holds a body which must stay keeps all of them."""
    with_bodies(log)
    assert log.purge("run", 149) == 1
    assert list(log.bodies("run", [99, 100])) == [None, b"body 100"]


def test_a_compacted_log_holds_what_it_held(log: Log) -> None:
    """All that was not purged, and it can be appended to as before."""
    with_bodies(log)
    claim = log.claim("run", s.OWNER)
    log.purge("run", 150)
    before = list(log.rows("run", 1)), list(log.segments("run", 0)), list(log.commits("run"))
    assert log.compact()
    assert (list(log.rows("run", 1)), list(log.segments("run", 0)), list(log.commits("run"))) == before
    claim.append(s.AT, [s.submitted(1)], [b"new"])
    assert list(log.bodies("run", [0, 151, 152])) == [None, b"last", b"new"]
    assert verify(log, "run", 150) == []


def test_a_retired_claim_and_a_finished_log_can_be_taken_up_again(log: Log) -> None:
    """By whoever comes next: for this object the log is closed, and nothing that was appended is lost."""
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1)])
    claim.retire()
    claim.retire()
    again = log.claim("run", s.OWNER)
    again.append(s.AT, [s.submitted(2)])
    assert again.version == 2
    again.release()
    log.finish()
    log.finish()


def test_a_log_as_it_was_written_verifies(log: Log) -> None:
    """Several claims, empty and large commits: no problem; nor has a stream that does not exist."""
    with_bodies(log)
    filled(log, 1_200)
    assert verify(log, "run") == verify(log, "nobody") == log.faults() == []
    assert (size_of(log, "run")[0], size_of(log, "nobody")) == (1_203, (0, 0, 0))
    assert [first_change(log, "run", after) for after in (None, *log.commits("run"))] == [None] * 11
    assert first_change(log, "nobody") is None
    second = next(log.commits("run", after=1))
    assert first_change(log, "run", second._replace(hash=bytes(32))) == "versions 4 to 3"


def test_a_commit_is_found_by_its_hash(log: Log) -> None:
    """By all its digits or the first, in any case; not by those of no commit, nor of several."""
    with_bodies(log)
    first, second, _ = (committed.hash.hex() for committed in log.commits("run"))
    assert commit_of(log, "run", first) == 2
    assert commit_of(log, "run", second[:12].upper()) == 3
    assert commit_of(log, "run", "0" * 64) is None
    assert commit_of(log, "run", "") is None


def test_a_log_without_a_run_says_so(log: Log) -> None:
    """The sentence names the log; a part of it may lie elsewhere only where there are parts."""
    assert "holds no run yet" in log.no_run_yet()
    half = log.maybe_half()
    assert half is None or "-wal" in half
