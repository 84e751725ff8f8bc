"""The crash matrix: a script is killed at every boundary it comes to, started again, and all adds up.

Enumerated, not sampled: each boundary that a start comes to is a case of its own with a real process, a real
log and a real server. With BATCHATA_THOROUGH=1 in the environment it also takes those that leave behind what
another one has left already.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from crash_boundaries import BEGUN, SEAMS
from crash_copies import stopped_everywhere
from crash_support import FIRST, LASTING, SCENARIOS, kill_everywhere, seams_of, undisturbed
from resume_support import Script
from run_support import Runs


@pytest.mark.parametrize("seam", LASTING)
def test_killed_anywhere_a_script_that_is_started_again_loses_nothing_and_pays_once(
    seam: str, kills: Callable[[str, str, int, int], None]
) -> None:
    """SIGKILL at every boundary of the first scenario at this seam; then the same script completes it.

    Every item has its result, in its place and in the files; the sandbox billed each answer that was needed
    once, and never more than `max_cost`; the total is what is completed, failed and pending; log, summary,
    items and bill agree on every cent; and `replay verify` finds nothing.
    """
    assert undisturbed(FIRST).seen.keys() == {*SEAMS, BEGUN}
    cases, killed = kill_everywhere(FIRST, seam)
    kills(f"crash matrix, {FIRST}", seam, killed, max(case.looks for case in cases))


@pytest.mark.parametrize("name", SCENARIOS)
def test_from_what_a_kill_leaves_anywhere_nothing_is_lost_and_nothing_paid_twice(
    name: str, kills: Callable[[str, str, int, int], None]
) -> None:
    """The same of what is left at each boundary of every scenario by a script that stands still there."""
    cases = stopped_everywhere(name, seams_of(name))
    for seam in seams_of(name):
        looks = [case.looks for case in cases if case.boundary and case.boundary.seam == seam]
        kills(f"crash matrix, {name}", seam, len(looks), max(looks))


def test_scripts_are_forked_from_a_process_that_is_ready(runs: Runs) -> None:
    """The server of forks is silent about a module that it cannot import; each script would take seconds."""
    assert Script(runs, story=_assert_ready).ends() == 0, (runs.log.parent / "stderr.txt").read_text()


def _assert_ready(runs: Runs) -> None:
    assert "zygote" in sys.modules
