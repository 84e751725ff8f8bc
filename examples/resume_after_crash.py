"""Resume after a crash: a run is killed in the middle, started again, and pays for nothing twice.

python examples/resume_after_crash.py           offline, free
python examples/resume_after_crash.py --live    Claude; needs ANTHROPIC_API_KEY
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from _service import service

from batchata import BatchManager
from batchata.core.events import BatchSubmitted
from batchata.log.port import Recorded
from batchata.sandbox import Sandbox

CITIES = ["Lisbon", "Oslo", "Vienna", "Dublin", "Athens", "Prague", "Zagreb", "Warsaw", "Riga", "Bern"]
JOBS_SENT_FIRST = 2  # as many as are open at the same time


def a_run(folder: Path, on_event: Callable[[Recorded], object] | None = None) -> BatchManager:
    """Run or continue the same run: the log at state_path knows what was done."""
    return BatchManager(
        model="claude-haiku-5-5",
        messages=[[{"role": "user", "content": f"Say one sentence about {city}."}] for city in CITIES],
        items_per_job=3,
        max_parallel_jobs=JOBS_SENT_FIRST,
        max_cost=1.00,
        state_path=folder / "cities.db",
        results_dir=folder / "results",
        on_event=on_event,
    )


def start_and_crash(folder: Path) -> None:
    """Start in a process of its own and crash it: no cleaning up, as in a power cut."""

    def kill_when_the_next_job_is_sent(recorded: Recorded) -> None:
        if isinstance(recorded.event, BatchSubmitted) and recorded.event.job == JOBS_SENT_FIRST:
            os.kill(os.getpid(), signal.SIGKILL)

    a_run(folder, kill_when_the_next_job_is_sent).run(print_progress=True)


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
