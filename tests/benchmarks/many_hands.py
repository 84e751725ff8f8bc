"""What an executor's workers gain: the same runs in threads, in two processes, on a Dask cluster of two.

    python tests/benchmarks/many_hands.py [--rounds N] [--documents N] [--answers N] [--ways threads dask]

The server's answers are ready (`ready_server.py`); it takes a part of a core for itself. Workers are started,
and have imported what they need, before the clock runs.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from durable_run import ReadyServer
from large_days import documents
from pydantic import BaseModel

from batchata import BatchManager

MODEL = "claude-sonnet-5-5"


class Review(BaseModel):
    """What the server answers."""

    sentiment: str
    score: float
    summary: str
    is_complaint: bool


def get_ready(seconds: float) -> None:
    """Import what the work needs, for as long as the other workers need to begin."""
    import batchata.providers.anthropic.client
    import batchata.run.tasks  # noqa: F401 - as a worker does

    time.sleep(seconds)


@contextmanager
def hands(way: str) -> Iterator[Executor | None]:
    """The executor of one way."""
    if way == "threads":
        yield None
    elif way == "processes":
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            yield pool
    else:
        from distributed import Client, LocalCluster

        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
            Client(cluster) as client,
        ):
            yield client.get_executor()


def drive(executor: Executor | None, folder: Path, **given: Any) -> tuple[float, float]:
    """Seconds, and CPU seconds of this process, from the first file to the last result."""
    began, before = time.perf_counter(), time.process_time()
    manager = BatchManager(
        model=MODEL,
        response_model=Review,
        executor=executor,
        state_path=folder / "run.db",
        poll_interval=0.05,
        **given,
    )
    assert manager.run()["failed_items"] == 0
    assert all(entry["result"] is not None for entry in manager.results())
    return time.perf_counter() - began, time.process_time() - before


def measure(way: str, work: dict[str, dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """The figures of one way, by workload."""
    found = {}
    with ReadyServer() as url, tempfile.TemporaryDirectory() as folder:
        os.environ |= {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "sandbox-key"}
        with hands(way) as executor:
            if executor is not None:
                list(executor.map(get_ready, [5.0, 5.0]))
            few = [[{"role": "user", "content": f"warm {number}"}] for number in range(8)]
            (Path(folder) / "warm").mkdir()
            drive(executor, Path(folder) / "warm", messages=few, items_per_job=1)
            for name, given in work.items():
                (Path(folder) / name).mkdir()
                found[name] = drive(executor, Path(folder) / name, **given)
    return found


def main() -> None:
    """Take turns, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--answers", type=int, default=20_000)
    parser.add_argument("--ways", nargs="+", default=["threads", "processes", "dask"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work: dict[str, dict[str, Any]] = {
            "documents": {
                "files": documents(Path(folder), options.documents),
                "prompt": "Say what it says.",
                "items_per_job": 20,
            },
            "answers": {
                "messages": [[{"role": "user", "content": f"{n} " * 200}] for n in range(options.answers)],
                "items_per_job": 1_000,
                "max_parallel_jobs": 20,
            },
        }
        rounds = [{way: measure(way, work) for way in options.ways} for _ in range(options.rounds)]
    for name in work:
        for way in options.ways:
            wall, cpu = (statistics.median(each[way][name][n] for each in rounds) for n in (0, 1))
            print(f"{name:10} {way:10} {wall:6.2f} s, this process {cpu:6.2f} s of CPU")
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"all workers and servers together: {children.ru_utime + children.ru_stime:.1f} s of CPU")


if __name__ == "__main__":
    main()
