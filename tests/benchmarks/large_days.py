"""Measure the pieces of a day of ten million documents of 1 MB: `python tests/benchmarks/large_days.py`.

Each is taken on its own, in microseconds of one core an item: documents from disk to the provider and their
answers back, through a server of another process whose answers are ready; and what a log in a file and one in
PostgreSQL take to be written, read back into a state, and stored. The database is a server that the script
starts. CONTRIBUTING.md multiplies them out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from durable_run import ReadyServer
from fpdf import FPDF
from ways import MODEL

from batchata import BatchManager
from batchata.core.evolve import fold
from batchata.log import open_log, read_log

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "replay"))
import postgres_server
from big_logs import write_big_log

_MB = 1_000_000


@contextmanager
def timed(name: str, count: int) -> Iterator[None]:
    """Print the time of a core and of the wall that the block takes for each item."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(
        f"{name:44}{cpu / count * 1e6:10,.0f} us CPU{wall / count * 1e6:10,.0f} us wall an item", flush=True
    )


def documents(folder: Path, count: int) -> list[Path]:
    """PDFs of a page and 1 MB, no two alike."""
    made = []
    for number in range(count):
        pdf = FPDF()
        pdf.add_page()
        pdf.set_font("helvetica", size=12)
        pdf.cell(text=f"Invoice {number}")
        pdf.embed_file(bytes=os.urandom(_MB), basename="scan.bin")
        made.append(folder / f"{number:04}.pdf")
        pdf.output(str(made[-1]))
    return made


def send(folder: Path, count: int) -> None:
    """Send documents and take their answers in; the first few make the process ready."""
    with ReadyServer() as url:
        os.environ |= {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none"}

        def run(files: list[Path], name: str) -> BatchManager[None]:
            manager = BatchManager(
                files=files, prompt="What is it?", model=MODEL, items_per_job=150, state_path=folder / name
            )
            manager.run()
            return manager

        files = documents(folder, count + 5)
        run(files[:5], "first.db")
        with timed(f"{count} PDFs of 1 MB: read, send, collect", count):
            run(files[5:], "log.db")


def keep(place: Path | str, count: int, name: str) -> None:
    """Write a log as a run would, and read it back."""
    with timed(f"{name}: written, answers of 1 KB, jobs of 50", count):
        write_big_log(place, count)
    log = read_log(place)
    with timed(f"{name}: read back into a state", count):
        fold(log.entries("big"))
    print(f"{name + ': stored':44}{log.size() / count:10,.0f} bytes an item")
    log.close()


def main() -> None:
    """Print every piece."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=150)
    parser.add_argument("--items", type=int, default=50_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        send(Path(folder), given.documents)
        keep(Path(folder, "big.db"), given.items, "SQLite")
    server = postgres_server.create()
    try:
        open_log(server.url).close()
        keep(server.url, given.items, "PostgreSQL")
    finally:
        server.remove()


if __name__ == "__main__":
    main()
