"""What every log must do: one suite, run against the file and against the log in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import log_samples as s
import msgspec
import pytest

from batchata.core import events as e
from batchata.errors import LogConflictError, LogError, RunClaimedError
from batchata.log import open_log
from batchata.log.port import Log


@pytest.fixture(params=["file", "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    """An empty log of each kind."""
    opened = open_log(tmp_path / "a folder" / "log 100%.db" if request.param == "file" else None)
    yield opened
    opened.close()


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


def test_events_come_back_as_they_were_with_dense_versions(log: Log) -> None:
    """What was appended is read back equal, in order, numbered 1, 2, 3, … across pages and commits."""
    events = filled(log, 5_003)
    read = list(log.events("run"))
    assert [recorded.event for recorded in read] == events
    assert [recorded.version for recorded in read] == list(range(1, 5_004))
    assert read[0].at == s.AT


def test_every_type_of_event_survives(log: Log) -> None:
    """Text in all scripts, nested values and None come back equal."""
    error = e.RequestError(kind="invalid_request_error", message='a "quoted"\nline \u2028 \x7f 😀')
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
    held = log.claim("run", e.Process(pid=4711, host="first.example"))
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
