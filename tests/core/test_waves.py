"""How many waves a limit makes, before anything is sent, and what a run that waits says."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from core_given import (
    batch_submitted,
    given,
    items_added,
    job_completed,
    outcome,
    retry_scheduled,
    submission_started,
    submitted,
)

from batchata.core.accounts import awaits_room
from batchata.core.events import RunInterrupted
from batchata.core.plan import Shape, Waves, waves, waves_without_limit
from batchata.terminal.progress_line import waiting_for

D = Decimal


def test_each_wave_takes_what_fits_at_worst_and_leaves_what_it_did_not_use() -> None:
    """Ten items of $1.00 that cost a half, and $4.00: 4, then 2 dollars for 2, then 1 for 1, and one half."""
    found = waves([D(1)] * 10, D("0.5"), D(4), Shape(2, 10))
    assert found == Waves(count=3, jobs=2 + 1 + 1, unsent=3)
    assert waves([D(1)] * 10, D("0.5"), D(10), Shape(2, 10)) == Waves(1, 5, 0)


def test_what_is_under_way_makes_room_for_the_next_wave() -> None:
    """Nothing fits now; once the open batches are back, all does."""
    assert waves([D(1)] * 3, D("0.5"), D(0), Shape(2, 10), D(3)) == Waves(1, 2, 0)
    assert waves([D(1)] * 3, D("0.5"), D(0), Shape(2, 10)) == Waves(0, 0, 3)


def test_without_a_limit_only_the_open_jobs_are_limited() -> None:
    """Ten jobs of which three may be open are four waves."""
    assert waves_without_limit(95, Shape(10, 3)) == Waves(4, 10, 0)
    assert waves_without_limit(0, Shape(10, 3)) == Waves(0, 0, 0)


@pytest.mark.parametrize("seed", range(50))
def test_waves_are_those_of_a_run_step_by_step(seed: int) -> None:
    """Items of all prices, sent one by one as long as the limit has room for them."""
    chance = Random(seed)
    worst = [D(chance.randint(1, 9)) / 10 for _ in range(chance.randint(0, 60))]
    share, room = D(chance.randint(1, 10)) / 10, D(chance.randint(0, 200)) / 10
    shape = Shape(chance.randint(1, 5), chance.randint(1, 4))
    left, queue, count, jobs = room, list(worst), 0, 0
    while queue:
        sent: list[Decimal] = []
        while queue and len(sent) < shape.items_per_job * shape.max_parallel_jobs:
            if sum(sent) + queue[0] > left:
                break
            sent.append(queue.pop(0))
        if not sent:
            break
        left -= sum(sent) * share
        count, jobs = count + 1, jobs - (-len(sent) // shape.items_per_job)
    assert waves(worst, share, room, shape) == Waves(count, jobs, len(queue))


def test_who_waits_for_room_says_so() -> None:
    """Not while as many jobs are open as may be, nor without a limit, nor when all is sent."""
    sent = [submission_started(0, (0, 4), reserved="0.5"), batch_submitted(0)]
    limited = given(items_added(0, 9), *sent, max_cost="0.6", items_per_job=5)
    assert waiting_for(limited) == "waiting for 1 batch; then max_cost has room for more"
    assert awaits_room(limited)
    for run in (
        given(items_added(0, 9), *sent, items_per_job=5),
        given(items_added(0, 9), *sent, max_cost="0.6", max_parallel_jobs=1),
        given(items_added(0, 5), *sent, max_cost="0.6"),
    ):
        assert waiting_for(run) == "waiting for 1 batch"


def test_a_pass_after_which_nothing_is_open_says_what_is_left_to_send() -> None:
    """What was collected did not fit, or nothing was sent yet; that the time is over says neither."""
    ended = RunInterrupted(reason="max_wait_time", error=None, pending_items=2)
    unsent = given(items_added(0, 2), ended)
    assert waiting_for(unsent) == "2 items still to be sent"
    tried = [
        *submitted(0, (0, 1)),
        *(outcome(0, n, why="invalid_output") for n in (0, 1)),
        retry_scheduled((0, 1)),
        job_completed(0),
    ]
    assert (
        waiting_for(given(items_added(0, 2), *tried, ended))
        == "2 items wait to be sent again (overloaded_error)"
    )
