"""Measure what pages of events cost, against a row for each event.

    python tests/benchmarks/log_pages.py [items …]     (100,000 by default)

A log of that many items in jobs of 1,000 is written through the port, once as pages and once in the form that
logs had before. Of each the table says what appending cost, the size of the file, and how long folding all of
it takes, in microseconds of CPU an item. The floor is to read the same rows and decode them as JSON without
looking at them; ratios are to it. Each figure is the best of three. Below are `replay show`, in a process of
its own, and whether both states are the same.
"""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from batchata.core import events as e
from batchata.core import values
from batchata.core.codec import encode, hot_columns
from batchata.core.evolve import fold
from batchata.core.money import pico_text
from batchata.core.pages import Entry, Page, expanded
from batchata.core.state import Run
from batchata.log import open_log, read_log
from batchata.log.format import Commit, EventTuple, beginning, link
from batchata.log.port import Log
from batchata.views.verification import fingerprint

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "replay"))
from big_logs import PRICES, _started

JOB = 1_000
AT = 1_764_000_000_000_000
INPUT, OUTPUT = 1_500_000, 7_500_000  # picodollars a token


def jobs(items: int) -> Iterator[list[Entry]]:
    """What a run appends: its start, then each job from the intent to its end."""
    yield [_started(items), *_added(items)]
    for number, first in enumerate(range(0, items, JOB)):
        indexes = [*range(first, min(first + JOB, items))]
        used = [900 + index % 977 for index in indexes], [40 + index % 31 for index in indexes]
        page = Page(
            job=number,
            first_body=items + first,
            stop_reason="end_turn",
            unit_prices=PRICES,
            price_source="genai-prices",
            index=indexes,
            amount=[a * INPUT + b * OUTPUT for a, b in zip(*used, strict=True)],
            input_tokens=used[0],
            output_tokens=used[1],
        )
        yield [_sent(number, indexes), _submitted(number)]
        yield [page]
        outcomes = {"succeeded": len(indexes)}
        yield [e.JobCompleted(job=number, batch_id=f"msgbatch_{number}", outcomes=outcomes, strays={})]


def _added(items: int) -> Iterator[e.Event]:
    """So few at a time that a reader believes them without the bodies of their inputs."""
    for first in range(0, items, 100_000):
        count = min(100_000, items - first)
        yield e.ItemsAdded(first=first, count=count, digest=f"d{first}", first_body=first)


def _sent(number: int, indexes: list[int]) -> e.Event:
    return e.SubmissionStarted(
        job=number,
        items=[(indexes[0], indexes[-1])],
        request_count=len(indexes),
        bytes=10**6,
        custom_ids=f"tag-{number}-{{index}}",
        reserved=pico_text(10**13),
    )


def _submitted(number: int) -> e.Event:
    return e.BatchSubmitted(job=number, batch_id=f"msgbatch_{number}", created_at=AT, expires_at=None)


def write_pages(path: Path, items: int) -> None:
    """Through the port, as a run does."""
    log = open_log(path)
    claim = log.claim("big", values.Process(pid=1, host="elsewhere"))
    for entries in jobs(items):
        claim.append(AT, entries)
    claim.release()
    log.close()


def write_rows(path: Path, items: int) -> None:
    """In the first form, which nothing writes any more: a row for each event, and the chain over them."""
    open_log(path).close()
    last, version = beginning("big").hash, 0
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        for number, entries in enumerate(jobs(items), 1):
            rows: list[EventTuple] = [
                ("big", place, event.TYPE, event.SCHEMA, AT, *hot_columns(event), encode(event))
                for place, event in enumerate(expanded(entries), version + 1)
            ]
            commit = Commit("big", number, version + 1, version + len(rows), 0, 1, AT)
            last, version = link(last, commit, rows, []), version + len(rows)
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.execute("INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*commit, last))
            connection.commit()
    connection.close()


def best(measured: Callable[[], object], times: int = 3) -> float:
    """Seconds of CPU."""
    found = []
    for _ in range(times):
        began = time.process_time()
        measured()
        found.append(time.process_time() - began)
    return min(found)


def decoded(path: Path) -> None:
    """Read every row and decode its JSON into plain values."""
    connection, decode = sqlite3.connect(path), msgspec.json.Decoder().decode
    for (data,) in connection.execute("SELECT data FROM events WHERE stream = 'big' ORDER BY version"):
        decode(data)
    connection.close()


def folded(path: Path) -> Run:
    """Return the state after all of the log."""
    log: Log = read_log(path)
    run = fold(log.entries("big"))
    log.close()
    return run


def compare(folder: Path, items: int) -> None:
    """Print the table for one size."""
    print(f"\n{items:,} items; microseconds of CPU an item")
    print(f"{'form':<8}{'append':>8}{'MB':>8}{'decode':>8}{'fold':>8}{'events/s':>12}{'x decode':>10}")
    states = []
    for name, write in (("rows", write_rows), ("pages", write_pages)):
        path = folder / f"{name}-{items}.db"
        append = best(partial(write, path, items), 1)
        floor, fold_ = best(partial(decoded, path)), best(partial(folded, path))
        run = folded(path)
        states.append(fingerprint(run))
        figures = [seconds / items * 1e6 for seconds in (append, floor, fold_)]
        size = path.stat().st_size / 1e6
        print(
            f"{name:<8}{figures[0]:>8.2f}{size:>8.1f}{figures[1]:>8.2f}{figures[2]:>8.2f}"
            f"{run.version / fold_:>12,.0f}{fold_ / floor:>10.1f}",
            flush=True,
        )
        print(f"{'':8}replay show: {show(path)}")
    print("the states are the same" if len(set(states)) == 1 else "THE STATES DIFFER")


def show(path: Path) -> str:
    """Seconds, seconds of CPU and the peak of the command, imports included."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "batchata.replay", "show", str(path)], check=True, stdout=subprocess.DEVNULL
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{wall:.2f} s, {cpu:.2f} s of CPU, {after.ru_maxrss / 1e3:.0f} MB at most so far"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        for count in [int(argument) for argument in sys.argv[1:]] or [100_000]:
            compare(Path(place), count)
