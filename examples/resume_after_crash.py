"""Resume after a crash: a run is killed in the middle, started again, and pays for nothing twice.

python examples/resume_after_crash.py           offline, free
python examples/resume_after_crash.py --live    Claude; needs ANTHROPIC_API_KEY
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

from _service import service

from batchata import BatchManager
from batchata.sandbox import Sandbox

CITIES = ["Lisbon", "Oslo", "Vienna", "Dublin", "Athens", "Prague", "Zagreb", "Warsaw", "Riga", "Bern"]


def a_run(folder: Path) -> BatchManager:
    """Run or continue the same run: the log at state_path knows what was done."""
    return BatchManager(
        model="claude-haiku-5-5",
        messages=[[{"role": "user", "content": f"Say one sentence about {city}."}] for city in CITIES],
        items_per_job=3,
        max_parallel_jobs=2,
        max_cost=1.00,
        state_path=folder / "cities.db",
        results_dir=folder / "results",
    )


def start_and_crash(folder: Path) -> None:
    """Start in a process of its own and crash it: no cleaning up, as in a power cut."""

    def kill_when_results_arrive() -> None:
        while not list(folder.glob("results/processed/*.json")):
            time.sleep(0.02)
        time.sleep(0.5)  # by now the next job is on its way
        os.kill(os.getpid(), signal.SIGKILL)

    Thread(target=kill_when_results_arrive, daemon=True).start()
    a_run(folder).run(print_progress=True)


def main(folder: Path, sandbox: Sandbox | None) -> None:
    print("First start:", flush=True)
    child = subprocess.run([sys.executable, __file__, "--crash", str(folder)], check=False)
    print(f"\nThe process ended with {child.returncode} (-9: it was killed).", flush=True)

    manager = a_run(folder)
    stats = manager.stats()
    print(
        f"Its log says: {stats['completed_items']} of {stats['total_items']} items completed, "
        f"{stats['jobs']} jobs sent, {stats['jobs_completed']} of them collected.\n"
    )

    print("Second start, the same code:", flush=True)
    summary = manager.run(print_progress=True)
    print(
        f"\n{summary['completed_items']} of {summary['total_items']} items completed, "
        f"${summary['total_cost']} over both starts."
    )
    if sandbox is not None:
        billed = sandbox.billed().total()
        print(f"The sandbox counted {billed} billed answers: {billed - len(CITIES)} were paid twice.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--crash"]:
        start_and_crash(Path(sys.argv[2]))
    else:
        with service(delay=1.0) as here:
            main(here.folder, here.sandbox)
