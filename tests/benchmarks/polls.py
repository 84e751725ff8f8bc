"""What waiting costs: `python tests/benchmarks/polls.py`.

It prints the share of a core, and the calls, of a run whose batches are all open and go on, at a server in a
process of its own. `--seconds` are watched for each number of batches, after the first rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from urllib.request import urlopen

from durable_run import ReadyServer
from ways import MODEL

from batchata import BatchManager

_FOREVER = 1e6  # seconds until a batch ends


def calls(url: str) -> dict[str, int]:
    """How often each kind of call was made so far."""
    with urlopen(f"{url}/calls") as answer:
        found: dict[str, int] = json.load(answer)
    return found


def watch(jobs: int, seconds: float, poll_interval: float | None) -> str:
    """Run so many jobs of one item, and tell what so many seconds of waiting took."""
    with ReadyServer(_FOREVER) as url, tempfile.TemporaryDirectory() as folder:
        os.environ |= {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "sandbox-key"}
        manager = BatchManager(
            messages=[[{"role": "user", "content": f"item {number}"}] for number in range(jobs)],
            model=MODEL,
            items_per_job=1,
            max_parallel_jobs=jobs,
            poll_interval=poll_interval,
            state_path=Path(folder) / "log.db",
            max_wait_time=None,
        )
        run = threading.Thread(target=manager.run)
        run.start()
        while calls(url).get("POST list", 0) < jobs:
            time.sleep(0.2)
        time.sleep(seconds / 2)  # what was sent last is recorded, and the first rounds are over
        before, cpu, began = calls(url), time.process_time(), time.perf_counter()
        time.sleep(seconds)
        cpu, passed, after = time.process_time() - cpu, time.perf_counter() - began, calls(url)
        manager.detach()
        run.join()
    made = {kind: after[kind] - before.get(kind, 0) for kind in after if after[kind] != before.get(kind, 0)}
    made.pop("GET calls", None)
    return f"{jobs:6,} open jobs: {cpu / passed:6.2%} of a core, {made} in {passed:.0f} s"


def main() -> None:
    """Print a line for each number of jobs."""
    parser = argparse.ArgumentParser(description="What waiting for batches costs.")
    parser.add_argument("--jobs", type=int, nargs="+", default=[10, 100, 500, 2_000])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--poll-interval", type=float)
    options = parser.parse_args()
    for jobs in options.jobs:
        print(watch(jobs, options.seconds, options.poll_interval), flush=True)


if __name__ == "__main__":
    main()
