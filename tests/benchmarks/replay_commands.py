"""Time and peak memory of every `replay` command, on a small log and on a large one.

    python tests/benchmarks/replay_commands.py [items …]     (1,000 and 100,000 by default)

Each command runs in a process of its own, imports included; the log is that of a completed run in jobs of 50
with a cited answer of about 1 KB for each item.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# In a process of its own: a child's peak begins with what its parent holds.
WRITE = (
    "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import big_logs; "
    "big_logs.write_big_log(Path(sys.argv[2]), int(sys.argv[3]))"
)
BIG_LOGS = Path(__file__).resolve().parents[1] / "replay"

COMMANDS = [
    ["show"],
    ["show", "--json"],
    ["show", "--at", "1000"],
    ["item", "{last}"],
    ["costs"],
    ["diff", "1000"],
    ["events"],
    ["events", "--json"],
    ["events", "--item", "{last}"],
    ["verify"],
    ["export", "{out}", "--format", "json"],
    ["export", "{out}", "--format", "jsonl"],
    ["export", "{out}", "--format", "csv"],
    ["export", "{out}", "--format", "parquet"],
    ["report", "{out}.html"],
    ["purge", "--run", "big"],  # the last: it changes the log
]


def main(counts: list[int]) -> None:
    """Print a table for each size."""
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            began = time.perf_counter()
            log = Path(folder) / f"{count}.db"
            subprocess.run([sys.executable, "-c", WRITE, BIG_LOGS, log, str(count)], check=True)
            size = log.stat().st_size / 1e6
            print(f"\n{count:,} items, {size:.1f} MB, written in {time.perf_counter() - began:.1f} s")
            print(f"{'command':<32}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}{'written':>12}")
            for number, command in enumerate(COMMANDS):
                out = Path(folder) / f"out-{count}-{number}"
                seconds, cpu, peak, written = measure(log, count, command, out)
                print(
                    f"{' '.join(command):<32}{seconds:>9.2f}{cpu:>9.2f}{peak:>9.0f}{written:>10.1f} MB",
                    flush=True,
                )


def measure(log: Path, count: int, command: list[str], out: Path) -> tuple[float, float, float, float]:
    """Seconds, seconds of CPU, MB at the peak, and MB written to standard output and to files."""
    name, *more = [part.format(last=count - 1, out=out) for part in command]
    printed = out.with_suffix(".stdout")
    with printed.open("wb") as file:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "batchata.replay", name, str(log), *more], stdout=file
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    assert status == 0, command
    files = [printed, out.with_suffix(".html"), *out.rglob("*")]
    written = sum(path.stat().st_size for path in files if path.is_file()) / 1e6
    peak = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return seconds, used.ru_utime + used.ru_stime, peak, written


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [1_000, 100_000])
