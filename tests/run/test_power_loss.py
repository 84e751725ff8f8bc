"""Power loss: whatever the disk had not been told to keep may be gone, and the log still holds what counts.

The order of writes and syncs is recorded from outside (`disk_recorder.c`), so nothing here believes what the
library or SQLite says about what is durable.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest
from crash_boundaries import Boundary
from crash_support import SCENARIOS, Case, all_held, check, check_verified, in_memory, play, run_case
from forked import recorder
from power_support import Disk, check_left, operations, play_recorded, put
from resume_support import Script, fresh
from run_support import Runs

_SHARES = [(0.0, 0), (1.0, 0), (0.5, 1)]  # nothing, all, and some of what was not synced


pytestmark = pytest.mark.skipif(
    recorder() is None, reason="there is no C compiler to build the recorder of disk writes with"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory: what counts is what the disk is asked for, not how long it takes."""
    with in_memory() as made:
        yield made


def test_at_any_moment_a_power_cut_leaves_a_log_with_all_that_was_relied_on(
    folder: Path, figure: Callable[[str], None]
) -> None:
    """After each single operation on the disk: three ways to lose what was not synced, sector by sector.

    Each time the files open and verify, and hold every append that had returned and the intent of every
    request that had left.
    """
    record = _record("retries", folder)
    disk, seen = Disk(), set[int]()
    for number, operation in enumerate(operations(record)):
        disk.do(operation)
        for share, seed in _SHARES:
            files = disk.left(share, 1_000 * seed + number)
            state = hash((frozenset(files.items()), disk.acknowledged, len(disk.sent)))
            if state not in seen:
                seen.add(state)
                check_left(disk, files, folder / "left.db")
    figure(f"power loss: {len(seen)} states of the disk over {number + 1} operations, all whole")
    assert disk.acknowledged > 20
    assert len(seen) > 100


def _record(name: str, folder: Path) -> Path:
    with fresh(folder / "recorded", **SCENARIOS[name].sandbox()) as runs:
        assert Script(runs, story=partial(play_recorded, name=name, boundary=None)).ends() == 0
        return runs.log.parent / "disk.record"


_CUTS = [
    (Boundary(seam, number), share)
    for seam, numbers in (("answered", range(1, 4)), ("committed", range(2, 21, 2)))
    for number in numbers
    for share in (0.0, 0.5)
    if share == 0 or number % 3 == 0
]


@pytest.mark.parametrize("seam", ["answered", "committed"])
def test_after_a_power_cut_the_next_start_pays_nothing_twice(
    folder: Path, seam: str, figure: Callable[[str], None]
) -> None:
    """The power goes at an answer or a commit; only what had been synced is surely left."""
    cases = [_cut_case(folder, cut) for cut in _CUTS if cut[0].seam == seam]
    all_held(cases)
    killed = sum(case.killed for case in cases)
    figure(f"power loss, {seam}: {killed} cuts, each resumed; all completed and paid once")
    assert killed > len(cases) / 2


def _cut_case(folder: Path, cut: tuple[Boundary, float]) -> Case:
    boundary, share = cut
    return run_case(
        "parallel",
        boundary,
        folder / f"{share}",
        playing=play_recorded,
        between=partial(_cut_power, share=share, seed=boundary.number),
    )


def _cut_power(runs: Runs, share: float, seed: int) -> None:
    disk = Disk()
    for operation in operations(runs.log.parent / "disk.record"):
        disk.do(operation)
    put(disk.left(share, seed), runs.log)


def test_a_results_file_has_its_name_only_when_the_disk_has_its_content(folder: Path) -> None:
    """Else a power cut would leave an empty file under a name that says it is whole."""
    synced: dict[str, bool] = {}
    contents: dict[str, bytes] = {}
    named: dict[str, bytes] = {}
    for asked in operations(_record_results(folder)):
        match asked.what:
            case "write":
                synced[asked.name] = False
                contents[asked.name] = contents.get(asked.name, b"") + asked.data
            case "sync":
                synced[asked.name] = True
            case "rename":
                assert synced[asked.data.decode()], asked
                named[asked.name] = contents.pop(asked.data.decode())
    files = {name: content for name, content in named.items() if name.startswith("-out/")}
    assert sorted(files) == [
        *(f"-out/processed/job_{n}_results.json" for n in range(3)),
        *(f"-out/raw/job_{n}_raw.jsonl" for n in range(3)),
    ]
    for name, content in files.items():
        assert (folder / "recorded" / f"run.db{name}").read_bytes() == content


def _record_results(folder: Path) -> Path:
    with fresh(folder / "recorded") as runs:
        assert Script(runs, story=_run_with_results).ends() == 0
        return runs.log.parent / "disk.record"


def _run_with_results(runs: Runs) -> None:
    os.environ["DISK_RECORD"] = str(runs.log.parent / "disk.record")
    os.environ["DISK_PREFIX"] = os.path.realpath(runs.log)
    runs.manager(7, results_dir=f"{os.path.realpath(runs.log)}-out").run()


def test_a_copy_of_the_live_files_is_a_log_as_good_as_any(
    folder: Path, figure: Callable[[str], None]
) -> None:
    """A backup tool copies the file, its -wal and its -journal while the script is stopped: it verifies.

    Resumed from that copy, when the script dies at that moment, the run completes and pays once.
    """
    random, stopped = Random(7), 0
    for number in range(8):
        with fresh(folder / str(number), **SCENARIOS["retries"].sandbox()) as runs:
            script = Script(runs, story=partial(play, name="retries", boundary=None))
            time.sleep(0.05 + 0.3 * random.random())
            script.send(signal.SIGSTOP)
            stopped += script.is_alive()
            copies = [_copy(runs, suffix) for suffix in ("", "-wal", "-journal")]
            script.send(signal.SIGKILL)
            script.ends()
            put({suffix: content for suffix, content in copies if content is not None}, runs.log)
            check(SCENARIOS["retries"], runs)
            check_verified(runs.log)
    figure(f"power loss: {stopped} copies of live files, each resumed; all completed and paid once")
    assert stopped > 1


def _copy(runs: Runs, suffix: str) -> tuple[str, bytes | None]:
    path = Path(f"{runs.log}{suffix}")
    return suffix, path.read_bytes() if path.exists() else None
