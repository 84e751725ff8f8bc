"""Pages of like events: one row of a log, and every event in it as if it had a row of its own."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import log_samples as s
import msgspec
import pytest
from charges import cost_charged
from tampering import lift_triggers

from batchata.core import events as e
from batchata.core.codec import encode, hot_columns
from batchata.core.evolve import fold
from batchata.core.pages import Page, expanded, pack
from batchata.core.values import RequestError, Usage
from batchata.log import open_log, read_log
from batchata.log.format import Commit, EventTuple, beginning, link, unpack
from batchata.log.format import pack as segments_of
from batchata.log.port import Log
from batchata.log.sqlite.log import SqliteLog
from batchata.log.verify import verify
from batchata.views.verification import verify_run

OVERLOADED = RequestError(kind="overloaded_error", message="Overloaded")


@pytest.fixture(params=["file", "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    """An empty log of each kind."""
    opened = open_log(tmp_path / "log.db" if request.param == "file" else None)
    yield opened
    opened.close()


def answer(job: int, index: int, body: int, more: int) -> list[e.Event]:
    """An accepted answer and what it cost: 0.000054 USD and more for later items, and for `more` tokens."""
    used = 11 + index + more
    outcome = e.OutcomeRecorded(
        job=job,
        index=index,
        kind="succeeded",
        stop_reason="end_turn",
        error=None,
        usage=Usage(input_tokens=used, output_tokens=5),
        body=body,
    )
    cost = used * 1_500_000 + 5 * 7_500_000
    charge = cost_charged(
        job,
        index,
        f"0.{cost:012}".rstrip("0"),
        input_tokens=used,
        output_tokens=5,
        unit_prices={"input_tokens": "1.5", "output_tokens": "7.5"},
    )
    return [outcome, charge]


# Three commits: the inputs of 8 items in two jobs; the answers to both in one append, errors among them; the
# end. Versions 7-10 and 14-19 are pages.
BEGUN = [
    s.started(),
    s.added(0, 8),
    s.sending(0, (0, 3)),
    s.submitted(0),
    s.sending(1, (4, 7)),
    s.submitted(1),
]


def answered(more: int = 0) -> list[e.Event]:
    return [
        *answer(0, 3, 8, more),
        *answer(0, 0, 9, more),
        msgspec.structs.replace(s.outcome(0, 1, 10, OVERLOADED, "errored"), usage=None),
        *answer(0, 2, 11, more),
        *answer(1, 4, 12, more),
        *answer(1, 6, 13, more),
        *answer(1, 5, 14, more),
        msgspec.structs.replace(s.outcome(1, 7, 15, OVERLOADED, "errored"), usage=None),
    ]


ANSWERED = answered()
ENDED = [
    e.JobCompleted(job=0, batch_id="msgbatch_0", outcomes={"succeeded": 3, "errored": 1}, strays={}),
    e.JobCompleted(job=1, batch_id="msgbatch_1", outcomes={"succeeded": 3, "errored": 1}, strays={}),
]
ALL: list[e.Event] = [*BEGUN, *ANSWERED, *ENDED]


def fill(log: Log, stream: str = "run") -> list[e.Event]:
    """Write the run in three commits."""
    claim = log.claim(stream, s.OWNER)
    claim.append(s.AT, BEGUN, [b'{"input":%d}' % n for n in range(8)])
    claim.append(s.AT + 1, ANSWERED, [b'{"line":%d}' % n for n in range(8)])
    claim.append(s.AT + 2, ENDED)
    claim.release()
    return ALL


def test_every_event_keeps_its_own_version(log: Log) -> None:
    """Appended one by one and stored as pages, they come back one by one, equal and numbered without gaps."""
    events = fill(log)
    read = [*log.events("run")]
    assert [recorded.event for recorded in read] == events
    assert [recorded.version for recorded in read] == [*range(1, len(events) + 1)]
    assert [recorded.at - s.AT for recorded in read] == [0] * 6 + [1] * 14 + [2] * 2
    last = log.last_commit("run")
    assert last is not None
    assert last.commit.last_version == len(events)
    assert verify(log, "run") == []


def test_like_events_are_one_row(log: Log) -> None:
    """What lies in the log is fewer rows than events; `entries` gives them as they lie."""
    fill(log)
    pages = [(row[1], row[5], row[6]) for row in log.rows("run", 1) if row[2] == Page.TYPE]
    assert pages == [(7, 0, None), (14, 1, None)]
    written = [*log.entries("run")]
    assert [entry.version for entry in written] == [row[1] for row in log.rows("run", 1)]
    assert [*expanded(entry.entry for entry in written)] == ALL
    assert repr(vars(fold(written).items)) == repr(vars(fold(log.events("run")).items))


@pytest.mark.parametrize("after", range(len(ALL) + 2))
def test_reading_starts_within_a_page_too(log: Log, after: int) -> None:
    """`after` may be any version: what follows it comes whole, as events and as entries."""
    fill(log)
    assert [r.event for r in log.events("run", after=after)] == ALL[after:]
    rest = [*log.entries("run", after=after)]
    assert [*expanded(entry.entry for entry in rest)] == ALL[after:]
    assert [entry.version for entry in rest][:1] == [after + 1][: len(ALL[after:])]


def test_types_are_those_of_the_events(log: Log) -> None:
    """Answers and charges are found by their own types, in pages and outside."""
    fill(log)
    for wanted in ("outcome_recorded", "cost_charged", "job_completed"):
        found = [r.event for r in log.events("run", types=[wanted])]
        assert found == [event for event in ALL if wanted == event.TYPE]


def test_single_events_are_found_within_pages(log: Log) -> None:
    """In any order, several of one page and of none; a version that is not there is an error."""
    fill(log)
    versions = [20, 8, 7, 1, 14, 22, 9, 8]
    assert [r.event for r in log.events_at("run", versions)] == [ALL[v - 1] for v in versions]
    assert [r.version for r in log.events_at("run", versions)] == versions


def test_a_page_is_appended_like_its_events(log: Log) -> None:
    """Whoever has columns hands them over as they are: the rows are the same."""
    fill(log)
    claim = log.claim("as pages", s.OWNER)
    claim.append(s.AT, BEGUN, [b'{"input":%d}' % n for n in range(8)])
    claim.append(s.AT + 1, pack(ANSWERED), segments_of([b'{"line":%d}' % n for n in range(8)]))
    claim.append(s.AT + 2, ENDED)
    assert claim.version == len(ALL)
    assert claim.next_body == 16
    assert [row[1:] for row in log.rows("as pages", 1)] == [row[1:] for row in log.rows("run", 1)]
    assert [*log.segments("as pages", 0)] == [*log.segments("run", 0)]
    assert verify(log, "as pages") == []


def test_segments_get_their_numbers_where_they_are_appended(log: Log) -> None:
    """Bodies packed elsewhere stand between others in the order given, and are numbered with them."""
    packed = segments_of([b"two", b"three"])
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1)], [b"zero", b"one", *packed, b"four"])
    assert claim.next_body == 5
    assert [*log.bodies("run", range(5))] == [b"zero", b"one", b"two", b"three", b"four"]
    assert [(each.first, len(unpack(each))) for each in log.segments("run", 0)] == [(0, 2), (2, 2), (4, 1)]
    assert verify(log, "run") == []


def test_a_snapshot_and_a_purge_leave_pages_whole(log: Log) -> None:
    """What is appended later is not in the snapshot; purged and compacted, the chain holds."""
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, BEGUN, [b'{"input":%d}' % n for n in range(8)])
    claim.append(s.AT + 1, ANSWERED, [b'{"line":%d}' % n for n in range(8)])
    with log.snapshot() as seen:
        claim.append(s.AT + 2, ENDED)
        assert [r.event for r in seen.events("run")] == [*BEGUN, *ANSWERED]
    claim.append(s.AT + 3, [e.BodiesPurged(bodies=16, process=s.OWNER)])
    assert log.purge("run", 16) == 2
    claim.release()
    assert log.compact()
    assert verify(log, "run", purged=16) == []
    assert [*log.bodies("run", [3, 9])] == [None, None]


def plainly(stream: str, events: list[e.Event]) -> tuple[list[EventTuple], Commit]:
    """The rows and the commit of a library that knew no pages."""
    rows: list[EventTuple] = [
        (stream, version, event.TYPE, event.SCHEMA, s.AT, *hot_columns(event), encode(event))
        for version, event in enumerate(events, 1)
    ]
    return rows, Commit(stream, 1, 1, len(rows), 0, 1, s.AT)


def write_plainly(path: Path, events: list[e.Event], stream: str = "run") -> None:
    """Write a log as it was before there were pages."""
    open_log(path).close()
    rows, commit = plainly(stream, events)
    with sqlite3.connect(path) as connection:
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        digest = link(beginning(stream).hash, commit, rows, [])
        connection.execute("INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*commit, digest))
    connection.close()


def test_a_log_without_pages_goes_on_with_them(tmp_path: Path) -> None:
    """Rows of both forms in one run: read, folded and verified as one."""
    path = tmp_path / "log.db"
    write_plainly(path, [*BEGUN, *ANSWERED[:4]])
    log = open_log(path)
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT + 1, [*ANSWERED[4:], *ENDED])
    claim.release()
    assert [r.event for r in log.events("run")] == ALL
    assert {row[2] for row in log.rows("run", 1)} >= {"outcome_recorded", "cost_charged", Page.TYPE}
    assert verify(log, "run") == []
    assert fold(log.entries("run")).completed == 6
    log.close()


def selected(path: Path, query: str) -> list[dict[str, Any]]:
    """The rows of a query, by plain sqlite3, with JSON as values."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    found = [dict(row) for row in connection.execute(query)]
    connection.close()
    for row in found:
        for name in {"data", "unit_prices"} & row.keys():
            row[name] = json.loads(row[name] or "null")
    return found


@pytest.mark.parametrize("view", ["v_events", "v_costs", "v_items", "v_jobs", "v_runs"])
def test_views_show_what_they_showed_without_pages(tmp_path: Path, view: str) -> None:
    """Another tool sees every answer and charge, as it does in a log of the first form."""
    write_plainly(tmp_path / "plain.db", ALL)
    log = open_log(tmp_path / "pages.db")
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, ALL)
    claim.release()
    log.close()
    assert selected(tmp_path / "pages.db", f"SELECT * FROM {view}") == selected(
        tmp_path / "plain.db", f"SELECT * FROM {view}"
    )


def test_an_event_of_a_page_in_the_view_is_the_event(tmp_path: Path) -> None:
    """The JSON that `v_events` puts together is that of the event, cached tokens and searches included."""
    log = open_log(tmp_path / "log.db")
    used = Usage(input_tokens=1, output_tokens=2, cache_write_1h_tokens=3, web_search_requests=4)
    prices = {
        "input_tokens": "1",
        "output_tokens": "2",
        "cache_write_1h_tokens": "3",
        "web_search_requests": "4",
    }
    page = Page(
        job=0,
        first_body=8,
        stop_reason=None,
        unit_prices=prices,
        price_source="a table",
        index=[2, 1],
        amount=[0, 12 * 10**12],
        **{kind: [getattr(used, kind)] * 2 for kind in prices},
    )
    log.claim("run", s.OWNER).append(s.AT, [*BEGUN, page])
    shown = [
        row["data"] for row in selected(tmp_path / "log.db", "SELECT data FROM v_events WHERE version > 6")
    ]
    assert shown == [json.loads(encode(event)) for event in page.expand()]
    log.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log with the run, and another with other answers."""
    path = tmp_path_factory.mktemp("written") / "log.db"
    log = SqliteLog(path)
    fill(log)
    log.close()
    return path


def rewrite(path: Path, change: str, version: int, reforge: bool) -> None:
    """Change a page's data as somebody would who knows SQLite and, with `reforge`, the chain as well."""
    with closing(sqlite3.connect(path)) as connection, connection:
        lift_triggers(connection)
        connection.execute("UPDATE events SET data = ? WHERE version = ?", (change, version))
    if reforge:
        forge(path)


def forge(path: Path) -> None:
    """Give each commit the hash that fits what is in the log now."""
    log = read_log(path)
    hashes, previous = [], beginning("run")
    for each in log.commits("run"):
        rows = [*log.rows("run", each.commit.first_version, each.commit.last_version)]
        parts = [p[:4] for p in log.segments("run", previous.commit.next_body, each.commit.next_body)]
        hashes.append(link(hashes[-1] if hashes else previous.hash, each.commit, rows, parts))
        previous = each
    log.close()
    with sqlite3.connect(path) as connection:
        for number, digest in enumerate(hashes, 1):
            connection.execute("UPDATE commits SET hash = ? WHERE number = ?", (digest, number))
    connection.close()


PAGE: dict[str, Any] = msgspec.json.decode(encode(pack(ANSWERED[7:13])[0]))  # versions 14 to 19
OTHER: dict[str, Any] = msgspec.json.decode(encode(pack(ANSWERED[:4])[0]))
SHORTER = {name: column[:-1] for name, column in PAGE.items() if isinstance(column, list)}
LONGER = {name: [*column, *column[:1]] for name, column in PAGE.items() if isinstance(column, list)}


@pytest.mark.parametrize("is_forged", [False, True])
@pytest.mark.parametrize(
    ("what", "change", "expected"),
    [
        ("a count", {"input_tokens": [15, 17, 99]}, "version 19 (cost_charged): $0.0000615 is charged where"),
        (
            "charges moved",
            {"amount": PAGE["amount"][::-1]},
            "version 15 (cost_charged): $0.0000615 is charged",
        ),
        ("a page cut", SHORTER, "version 18 is missing, and 1 more"),
        ("overlapping versions", LONGER, "version 20 is there twice"),
        ("a column cut", {"amount": [1, 2]}, "event 14 of 'run' is damaged"),
        ("another page", OTHER, "version 14: its columns are not those of its data"),
        (
            "another item",
            {"index": [4, 6, 0]},
            "version 18 (outcome_recorded): item 0 has no open request in job 1",
        ),
        (
            "an item twice",
            {"index": [4, 6, 6]},
            "version 18 (outcome_recorded): item 6 has no open request in job 1",
        ),
        (
            "another price",
            {"unit_prices": {"input_tokens": "2", "output_tokens": "1"}},
            "version 15 (cost_charged): $",
        ),
    ],
)
def test_a_changed_page_is_found(
    written: Path, tmp_path: Path, what: str, change: dict[str, Any], expected: str, is_forged: bool
) -> None:
    """Verifying says where; also where somebody made the chain fit what he changed."""
    path = Path(shutil.copy(written, tmp_path / "log.db"))
    rewrite(path, msgspec.json.encode({**PAGE, **change}).decode(), 14, is_forged)
    log = read_log(path)
    said = [problem.text for problem in verify_run(log, "run", None, 2**60).problems]
    assert any(expected in text for text in said), (what, said)
    is_in_chain = any("versions 7 to 20: an event" in text for text in said)
    assert is_in_chain is not is_forged, (what, said)
    log.close()


def test_a_taken_version_is_refused(written: Path, tmp_path: Path) -> None:
    """Neither a version within a page nor a page over versions that are taken gets into the table."""
    path = Path(shutil.copy(written, tmp_path / "log.db"))
    connection = sqlite3.connect(path)
    insert = "INSERT INTO events VALUES ('run', ?, ?, 1, 1, 1, NULL, ?)"
    for version, name, data in ((15, "x", "{}"), (19, "x", "{}"), (19, Page.TYPE, json.dumps(PAGE))):
        with pytest.raises(sqlite3.IntegrityError, match="the version is taken"):
            connection.execute(insert, (version, name, data))
    connection.close()


def result_line(index: int, more: int) -> bytes:
    """What the provider said of an item in the run, whose answers used `more` tokens."""
    error = {"type": OVERLOADED.kind, "message": OVERLOADED.message}
    result: dict[str, Any] = {"type": "errored", "error": {"type": "error", "error": error}}
    if index not in (1, 7):
        usage = {"input_tokens": 11 + index + more, "output_tokens": 5}
        content = [{"type": "text", "text": "Fine."}]
        message = {"role": "assistant", "content": content, "stop_reason": "end_turn", "usage": usage}
        result = {"type": "succeeded", "message": message}
    return json.dumps({"custom_id": f"t1-{index}", "result": result}).encode()


def fill_whole(path: Path, more: int) -> str | None:
    """Write the run with its result lines; return its head."""
    log, events = SqliteLog(path), answered(more)
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, BEGUN, [b'{"messages":[]}' for _ in range(8)])
    order = [event.index for event in events if isinstance(event, e.OutcomeRecorded)]
    claim.append(s.AT + 1, events, [result_line(index, more) for index in order])
    claim.append(s.AT + 2, ENDED)
    claim.release()
    head = log.head("run")
    log.close()
    return head


@pytest.mark.parametrize("is_forged", [False, True])
def test_a_page_of_another_log_is_found(tmp_path: Path, is_forged: bool) -> None:
    """It is right in itself, and of the same items: the chain tells, or the result lines and the head do."""
    path, other = tmp_path / "log.db", tmp_path / "other.db"
    head = fill_whole(path, 0)
    fill_whole(other, 3)
    log, foreign = read_log(path), read_log(other)
    assert (
        verify_run(log, "run", head, 2**60).problems == verify_run(foreign, "run", None, 2**60).problems == []
    )
    (page,) = (row[7] for row in foreign.rows("run", 14, 14))
    log.close()
    foreign.close()
    rewrite(path, page, 14, is_forged)
    log = read_log(path)
    verdict = verify_run(log, "run", head, 2**60)
    log.close()
    said = " ".join(problem.text for problem in verdict.problems)
    assert ("is not as it was written" in said) is not is_forged
    assert ("differs from its result line" in said) is is_forged
    assert (verdict.since is None) is is_forged
