"""How long our whole durable run takes against the plain SDK loop that a user would write by hand.

All send the same items of 1 KB as batches to a server whose answers are ready (`ready_server.py`), which runs
in a process of its own, and validate answers of four fields. They alternate in one go, each time in a fresh
process, so that a busy machine slows all. What the plain loop does not do: survive a kill, keep an event log,
account for costs. The floor beside them is described in `ways.py`. The plain loop has all its batches open at
once, and the durable run ten by default; the row in which it has all open too compares on equal terms.

    python tests/benchmarks/durable_run.py [--quick] [--rounds N] [--only ITEMS:ITEMS_PER_JOB]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ways import measure_here

type Figures = dict[str, float]

FIGURES = ("cpu", "wall", "process")


@dataclass(frozen=True)
class Row:
    """Work to be done, and the most that the durable run may take of what the plain loop takes."""

    items: int
    items_per_job: int
    goals: tuple[float, float, float]  # of CPU, wall and the whole process
    ours: str = "durable"

    @property
    def name(self) -> str:
        """As the table has it."""
        if self.items_per_job >= self.items:
            return f"{self.items:,} in one job"
        how = "all open at once, as in the plain loop" if self.ours == "all_open" else "ten open at a time"
        return f"{self.items:,} in jobs of {self.items_per_job:,}, {how}"

    @property
    def ways(self) -> tuple[str, str, str]:
        """What is compared."""
        return "plain", self.ours, "floor"


ROWS = [
    Row(10_000, 10_000, (0.45, 0.60, 0.95)),
    Row(10_000, 500, (0.55, 0.65, 1.00)),
    Row(10_000, 50, (0.70, 0.85, 1.00)),
    Row(1_000, 1, (0.90, 1.00, 1.00)),
    Row(1_000, 1, (0.90, 1.00, 1.00), "all_open"),
    Row(100_000, 10_000, (0.50, 0.70, 0.75)),
]
MEMORY = [(10_000, 10_000), (100_000, 10_000)]


class ReadyServer:
    """The server in a process of its own, so that its work is not ours."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    def __enter__(self) -> str:
        self._folder = tempfile.TemporaryDirectory()
        ready = Path(self._folder.name) / "ready"
        script = Path(__file__).with_name("ready_server.py")
        command = [sys.executable, str(script), str(ready), "--seconds", str(self._seconds)]
        self._process = subprocess.Popen(command)
        for _ in range(600):
            if ready.exists() and ready.read_text().strip():
                break
            time.sleep(0.05)
        return ready.read_text().strip()

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.wait(300)
        self._folder.cleanup()


def measure(way: str, items: int, items_per_job: int) -> Figures:
    """Run one way in a process of its own, against a server of its own, in a folder that is removed later."""
    with ReadyServer() as url, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", way, f"{items}:{items_per_job}", folder]
        environment = os.environ | {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "sandbox-key"}
        began = time.perf_counter()
        out = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        seconds = time.perf_counter() - began
    figures: Figures = json.loads(out)
    return figures | {"process": seconds}


def compare(row: Row, rounds: int) -> dict[str, list[Figures]]:
    """The figures of each way, by round; the ways take turns."""
    found: dict[str, list[Figures]] = {way: [] for way in row.ways}
    for number in range(rounds):
        for way in row.ways if number % 2 == 0 else reversed(row.ways):
            found[way].append(measure(way, row.items, row.items_per_job))
    return found


def ratios(found: dict[str, list[Figures]], way: str, figure: str) -> list[float]:
    """What the way took, as a part of what the plain loop took in the same round."""
    return [mine[figure] / plain[figure] for mine, plain in zip(found[way], found["plain"], strict=True)]


def report(row: Row, found: dict[str, list[Figures]]) -> None:
    """One row of the table: ratios with their ranges, the floor's, and what stands behind them."""
    print(f"{row.name}:")
    for figure, goal in zip(FIGURES, row.goals, strict=True):
        ours, least = ratios(found, row.ours, figure), ratios(found, "floor", figure)
        plain = statistics.median(run[figure] for run in found["plain"])
        print(
            f"  {figure:8} {statistics.median(ours):5.2f}  ({min(ours):.2f} to {max(ours):.2f};"
            f" goal {goal:.2f})   floor {statistics.median(least):.2f}   plain {plain:6.2f} s,"
            f" {plain / row.items * 1e6:6.0f} us/item"
        )
    peaks = ", ".join(f"{way} {max(run['peak_mb'] for run in runs):.0f}" for way, runs in found.items())
    print(f"  peak MB  {peaks}", flush=True)


def measure_memory() -> dict[str, float]:
    """The peak of a run from a generator whose results are read one by one, in MB, by the number of items."""
    peaks = {str(items): measure("streamed", items, per_job)["peak_mb"] for items, per_job in MEMORY}
    few, many = peaks.values()
    print(f"memory from a generator, read through items(): {peaks} MB")
    print(f"  ratio {many / few:.2f} (goal 1.25, and 150 MB)")
    return peaks


def main() -> None:
    """Take turns, print the table, and write all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round, without 100,000 items and memory")
    parser.add_argument("--only", nargs="+", metavar="ITEMS:ITEMS_PER_JOB", help="these rows alone")
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        way, size, folder = options.child
        items, items_per_job = map(int, size.split(":"))
        print(json.dumps(measure_here(way, items, items_per_job, Path(folder))))
        return
    rounds = 1 if options.quick else options.rounds
    rows = [row for row in ROWS if row.items <= 10_000 or not options.quick]
    if options.only:
        rows = [row for row in ROWS if f"{row.items}:{row.items_per_job}" in options.only]
    print(f"durable / plain, median of {rounds} rounds (least to most)")
    written = []
    for row in rows:
        found = compare(row, rounds)
        report(row, found)
        medians = {figure: statistics.median(ratios(found, row.ours, figure)) for figure in FIGURES}
        written.append({"work": row.name, "ratios": medians, "goals": row.goals, "figures": found})
    whole = not (options.quick or options.only)
    peaks = measure_memory() if whole else {}
    options.json.write_text(json.dumps({"rounds": rounds, "rows": written, "memory_mb": peaks}, indent=1))


if __name__ == "__main__":
    main()
