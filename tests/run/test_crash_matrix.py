"""The crash matrix: a script is killed at every boundary it comes to, started again, and all adds up.

Enumerated, not sampled: a first, undisturbed start of each script counts its boundaries, and each of them is
then a case of its own with a real process, a real log and a real server.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from crash_boundaries import SEAMS, Boundary
from crash_support import SCENARIOS, Case, run_case
from resume_support import context

_WORKERS = (os.cpu_count() or 1) + 1  # a case waits for the provider a third of its time


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """Processes that take a case each."""
    with ProcessPoolExecutor(_WORKERS, mp_context=context) as started:
        yield started


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: a kill takes nothing that was written, fsync or not.

    What a power cut takes is the matter of `test_power_loss.py`.
    """
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_anywhere_a_script_that_is_started_again_loses_nothing_and_pays_once(
    name: str, folder: Path, pool: ProcessPoolExecutor, figure: Callable[[str], None]
) -> None:
    """SIGKILL at every boundary of the scenario; then the same script completes it.

    Every item has its result, in its place and in the files; the sandbox billed each answer that was needed
    once, and never more than `max_cost`; the total is what is completed, failed and pending; log, summary,
    items and bill agree on every cent; and `replay verify` finds nothing.
    """
    began = time.monotonic()
    undisturbed = pool.submit(run_case, name, None, folder).result()
    assert undisturbed.problem is None, undisturbed.problem
    assert undisturbed.seen.keys() == SEAMS.keys()
    cases: list[Case] = []
    ask = [Boundary(seam, n) for seam, most in undisturbed.seen.items() for n in range(1, most + 2)]
    while ask:
        cases += pool.map(partial(_case, name, folder), ask)
        ask = [Boundary(seam, number + 1) for seam, number in _not_the_last(cases)]
    wrong = [f"{case.boundary}: {case.problem}" for case in cases if case.problem is not None]
    assert not wrong, f"{len(wrong)} of {len(cases)} cases:\n" + "\n".join(wrong)
    kills = Counter(case.boundary.seam for case in cases if case.killed and case.boundary)
    assert kills.keys() == SEAMS.keys()
    assert kills.total() > sum(undisturbed.seen.values()) / 2
    figure(
        f"crash matrix, {name}: {kills.total()} kills ("
        + ", ".join(f"{count} {seam}" for seam, count in kills.items())
        + f") in {time.monotonic() - began:.0f} s; all completed and paid once; "
        f"longest settlement: {max(case.looks for case in cases)} looks"
    )


def _case(name: str, folder: Path, boundary: Boundary) -> Case:
    return run_case(name, boundary, folder)


def _not_the_last(cases: list[Case]) -> list[Boundary]:
    """The highest boundary of each seam, if the script was killed there: it may come to one more."""
    highest: dict[str, Case] = {}
    for case in cases:
        assert case.boundary is not None
        known = highest.get(case.boundary.seam)
        if known is None or known.boundary < case.boundary:
            highest[case.boundary.seam] = case
    return [case.boundary for case in highest.values() if case.killed]
