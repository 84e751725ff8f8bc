"""How fast the log appends, as a ratio to bare sqlite3: `python tests/benchmarks/log_append.py`.

Each round measures both floors, the log and both floors again, and takes the log's rate over the mean of the
two measurements of a floor; the figure is the median of the rounds. The floors insert finished tuples into a
table with UNIQUE(stream, version), durably (WAL, synchronous=FULL): the plain one on a connection that is
otherwise as sqlite3 gives it, the tuned one with the log's own pragmas. The log encodes typed events, hashes,
checks, and compresses bodies.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from batchata.core.codec import encode
from batchata.core.events import CostCharged, Event, OutcomeRecorded
from batchata.core.values import Process, Usage
from batchata.log.sqlite.connection import for_writing
from batchata.log.sqlite.log import SqliteLog

type Rate = float  # events per second


def charge(index: int) -> CostCharged:
    """An event of about 300 bytes."""
    return CostCharged(
        job=index // 100,
        index=index,
        amount=f"0.{index:08d}",
        input_tokens=1200 + index % 977,
        output_tokens=200 + index % 331,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        cache_read_tokens=index % 53,
        unit_prices={"input_tokens": "1.5", "output_tokens": "7.5", "cache_read_tokens": "0.15"},
        price_source="genai-prices 0.2",
    )


def outcome(index: int) -> OutcomeRecorded:
    """An event that refers to a body."""
    usage = Usage(input_tokens=1200 + index % 977, output_tokens=200 + index % 331)
    return OutcomeRecorded(
        job=index // 100,
        index=index,
        kind="succeeded",
        stop_reason="end_turn",
        error=None,
        usage=usage,
        body=index,
    )


def answers(count: int, size: int) -> list[bytes]:
    """Bodies of random words, none like another: harder to compress than answers of a model."""
    chance = random.Random(7)
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(20_000)]
    return [" ".join(chance.choices(words, k=size // 6)).encode()[:size] for _ in range(count)]


def plain(path: Path) -> sqlite3.Connection:
    """A connection as sqlite3 gives it, made durable."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def tuned(path: Path) -> sqlite3.Connection:
    """A connection as the log's own."""
    path.touch()
    return for_writing(str(path), 30.0)


def floor(connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]], per_commit: int) -> Rate:
    """Bare sqlite3: executemany of finished tuples."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "CREATE TABLE events (stream TEXT, version INTEGER, type TEXT, schema_version INTEGER, at INTEGER, "
        "job INTEGER, item INTEGER, data TEXT, UNIQUE (stream, version))"
    )
    start = time.perf_counter()
    for first in range(0, len(rows), per_commit):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows[first : first + per_commit]
        )
        connection.execute("COMMIT")
    rate = len(rows) / (time.perf_counter() - start)
    connection.close()
    return rate


def through_log(events: Sequence[Event], bodies: Sequence[bytes], per_commit: int, path: Path) -> Rate:
    """The same through a claim."""
    log = SqliteLog(path)
    claim = log.claim("run", Process(pid=os.getpid(), host="here"))
    start = time.perf_counter()
    for first in range(0, len(events), per_commit):
        last = first + per_commit
        claim.append(1_700_000_000_000_000, events[first:last], bodies[first:last])
    rate = len(events) / (time.perf_counter() - start)
    claim.release()
    log.close()
    return rate


FLOORS = (plain, tuned)


def compare(
    name: str, count: int, per_commit: int, rounds: int, make: Callable[[int], Event], size: int
) -> None:
    """Measure one kind of event, with bodies of `size` bytes if that is not 0, and print a line."""
    events = [make(index) for index in range(count)]
    bodies = answers(count, size) if size else []
    at = 1_700_000_000_000_000
    # Without segments, a body lies in its event's row.
    data = [encode(event) + (bodies[i].decode() if bodies else "") for i, event in enumerate(events)]
    rows = [("run", i + 1, e.TYPE, 1, at, 1, i, data[i]) for i, e in enumerate(events)]
    measured: dict[str, list[float]] = {"plain": [], "tuned": [], "log": [], "size": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            below = Path(folder)
            before = [floor(opened(below / f"{opened.__name__}1"), rows, per_commit) for opened in FLOORS]
            rate = through_log(events, bodies, per_commit, below / "log")
            after = [floor(opened(below / f"{opened.__name__}2"), rows, per_commit) for opened in FLOORS]
            for opened, one, two in zip(FLOORS, before, after, strict=True):
                measured[opened.__name__].append(rate * 2 / (one + two))
            measured["log"].append(rate)
            measured["size"].append((below / "log").stat().st_size / (below / "plain1").stat().st_size)
    print(
        f"{name}, {statistics.mean(len(text) for text in data):.0f} bytes a row: "
        f"{_spread(measured['plain'])} of the plain floor, {_spread(measured['tuned'])} of the tuned floor, "
        f"{statistics.median(measured['log']):,.0f} events/s, "
        f"file {statistics.median(measured['size']):.2f} of the plain floor's"
    )


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} [{min(ratios):.2f}..{max(ratios):.2f}]"


if __name__ == "__main__":
    print(f"SQLite {sqlite3.sqlite_version}, {os.cpu_count()} processors")
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    rounds = arguments.parse_args().rounds
    compare("100,000 events, 1,000 a commit", 100_000, 1_000, rounds, charge, 0)
    compare("100,000 events,   100 a commit", 100_000, 100, rounds, charge, 0)
    compare("30,000 events with bodies of 3 KB, 1,000 a commit", 30_000, 1_000, rounds, outcome, 3_000)
