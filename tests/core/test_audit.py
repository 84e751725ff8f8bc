"""What the audit of a run's events finds, and that runs as they should be pass."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import core_given as g
import pytest
from charges import cost_charged
from core_histories import History
from msgspec.structs import replace

from batchata.core import events as e
from batchata.core.invariants import Audit
from batchata.core.money import pico_of
from batchata.core.pricing import ModelPrice, PriceTier, UnitPrices, charge
from batchata.core.values import Checked, Usage

PRICE = ModelPrice("test", [PriceTier(-1, UnitPrices(*[Decimal(1)] * 6))])
SAME_BATCH = replace(g.batch_submitted(1), batch_id="msgbatch_0")
NOW = g.START + 1_000 * g.SECOND
CHARGED = cost_charged(
    0,
    0,
    "0.00026",
    input_tokens=100,
    output_tokens=10,
    unit_prices={"input_tokens": "1.6", "output_tokens": "10"},
)
RUN: list[e.Event] = [
    g.run_started(max_cost="1"),
    g.items_added(0, 2),
    g.submission_started(0, (0, 1), reserved="0.5"),
    g.batch_submitted(0),
    g.polled(0, "ended", 2),
    g.outcome(0, 0),
    CHARGED,
    g.outcome(0, 1, "errored", "invalid_request_error"),
    g.job_completed(0, succeeded=1, errored=1),
    e.RunCompleted(completed_items=1, failed_items=1, total_cost="0.00026"),
]


def found(events: list[e.Event], now: int = NOW) -> list[str]:
    """Each problem with its version before it."""
    audit = Audit(now)
    problems: list[str] = []
    for version, event in enumerate(events, 1):
        problems += [f"{version}: {text}" for text in audit.take(version, g.START, event)]
    return problems + audit.end()


@pytest.mark.parametrize("seed", range(60))
def test_whatever_a_runner_may_write_passes(seed: int) -> None:
    """Random valid histories, with faults, retries, limits and crashes in them, hold no problem."""
    history = History(seed)
    for _ in history.play(200):
        pass
    audit = Audit(history.now)
    for version, at, event in history.recorded:
        assert audit.take(version, at, event) == [], event
    assert audit.end() == []


def test_a_small_run_passes() -> None:
    """The run that the other tests break."""
    assert found(RUN) == []


def changed(position: int, **changes: Any) -> Callable[[], list[e.Event]]:
    return lambda: [*RUN[:position], replace(RUN[position], **changes), *RUN[position + 1 :]]


def inserted(position: int, *events: e.Event) -> Callable[[], list[e.Event]]:
    return lambda: [*RUN[:position], *events, *RUN[position:]]


def removed(position: int) -> Callable[[], list[e.Event]]:
    return lambda: RUN[:position] + RUN[position + 1 :]


def failed(batch_id: str) -> e.BatchFailed:
    return e.BatchFailed(job=0, batch_id=batch_id, error=g.error("api_error"), passing=True)


def failed_of(job: int) -> e.BatchFailed:
    return replace(failed("msgbatch_0"), job=job)


def checked(**changes: Any) -> e.CitationsChecked:
    return e.CitationsChecked(job=0, answers=[replace(Checked(0, 7, "+-"), **changes)])


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (removed(0), "1: a run begins with run_started, and only once"),
        (inserted(3, g.run_started()), "4: a run begins with run_started"),
        (changed(1, first=3), "2: item 3 is added after 0 items"),
        (changed(2, job=4), "3: job 4 follows 0 jobs"),
        (changed(2, request_count=5), "3: 5 requests for 2 items"),
        (changed(2, reserved="1.5"), "3: with it, $1.5 are spent or reserved, above max_cost $1"),
        (changed(2, max_tokens=64), "3: its max_tokens is 64 where 4096 was decided"),
        (inserted(4, g.submission_started(1, (1, 1))), "5: item 1 is sent although it is under way"),
        (
            inserted(9, g.submission_started(1, (1, 1)), SAME_BATCH),
            "11: batch msgbatch_0 belongs to job 0 already",
        ),
        (inserted(6, g.outcome(0, 0)), "7: item 0 has no open request in job 0"),
        (changed(6, amount="0.00027"), "7: $0.00027 is charged where tokens times unit prices give $0.00026"),
        (
            changed(6, input_tokens=99, amount="0.0002584"),
            "7: what is charged is not what the answer used",
        ),
        (changed(2, reserved="-0.5"), "3: $-0.5 is reserved: a reservation cannot be negative"),
        (
            changed(6, ticks=2_600_001, unit_prices={}),
            "7: $0.00026 is charged where the provider's own word is $0.0002600001",
        ),
        (changed(6, ticks=-1), "7: -1 ticks are charged, more than any request costs"),
        (changed(6, unit_prices={"input_tokens": "2.6"}), "7: $0.00026 is charged without a price of output"),
        (
            changed(6, unit_prices={"input_tokens": "1.6", "output_tokens": "-10"}),
            "7: output tokens are char",
        ),
        (changed(6, unit_prices={"input_tokens": "1e24", "output_tokens": "10"}), "7: input tokens are char"),
        (inserted(7, CHARGED), "8: item 0 is charged in job 0 without an answer, or twice"),
        (removed(6), "8: the answer for item 0 was never charged"),
        (changed(8, outcomes={"succeeded": 2}), "9: the outcomes counted are not those recorded"),
        (removed(7), "8: the outcomes counted are not those recorded"),
        (changed(9, completed_items=2), "10: it says that 2 items completed and 1 failed"),
        (
            changed(9, total_cost="0.00025"),
            "10: it says that the cost is 0.00025; the charges before it",
        ),
        (
            inserted(9, e.RunInterrupted(reason="keyboard", error=None, pending_items=7)),
            "10: it says that 7 items are pending; before it 0 were",
        ),
        (
            inserted(9, e.CostLimitReached(limit="1", spent="0.9", reserved="0", withheld="0", needed=None)),
            "10: it says that $0.9 is spent",
        ),
        (
            inserted(9, e.AnswerAccepted(job=0, index=1, outcome=8, body=1)),
            "10: an answer of item 1 is accepted that event 8 does not have",
        ),
        (inserted(9, checked(index=1)), "10: job 0 has no answer of item 1 in body 7"),
        (inserted(9, checked(body=0, places=[None])), "10: 1 places of 2 citations of item 0"),
        (inserted(9, replace(checked(), job=4)), "10: it does not fit the events before it"),
        (
            inserted(4, e.ItemRefused(index=1, error=g.error("bad_file"))),
            "5: item 1 is refused although it is under way or completed",
        ),
        (inserted(4, e.ItemMended(index=1, body=1)), "5: item 1 is mended although it has not failed"),
        (
            inserted(9, e.ItemMended(index=1, body=1, same_as=0)),
            "10: item 1 is said to be the same as item 0",
        ),
        (
            inserted(2, e.ItemsChosen(items=[(1, 1)], limit=1)),
            "4: item 0 is sent although others were chosen",
        ),
        (inserted(4, failed("msgbatch_7")), "5: batch msgbatch_7 failed, and job 0 is msgbatch_0"),
        (
            inserted(8, failed("msgbatch_0")),
            "9: a batch of which nothing ran has outcomes: errored, succeeded",
        ),
        (
            inserted(2, e.ItemsChosen(items=[(1, 2)], limit=1)),
            "3: it does not fit the events before it",
        ),
        (inserted(3, failed_of(7)), "4: it does not fit the events before it"),
        (
            changed(6, unit_prices={"gold": "1"}),
            "7: it does not fit the events before it",
        ),
        (inserted(3, g.job_completed(7)), "4: it does not fit the events before it"),
    ],
)
def test_what_does_not_hold_is_found(broken: Callable[[], list[e.Event]], expected: str) -> None:
    """Each broken identity is a sentence with the version at which it shows."""
    assert any(problem.startswith(expected) for problem in found(broken())), found(broken())


def test_sums_that_part_are_found() -> None:
    """What the run, its jobs and its items cost is kept three times, and is one amount."""
    audit = Audit(NOW)
    for version, event in enumerate(RUN, 1):
        assert audit.take(version, g.START, event) == []
    audit.run.charged.add("1", pico_of("1"))
    assert audit.end() == [
        "the jobs cost $0.00026 together, the run $1.00026",
        "the items cost $0.00026 together, the run $1.00026",
    ]


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ({"output_tokens": -50_000_000}, "-50,000,000 output tokens are charged, more than any request uses"),
        ({"input_tokens": 10_000_001}, "10,000,001 input tokens are charged, more than any request uses"),
        ({"cache_read_tokens": -1}, "-1 cache read tokens are charged, more than any request uses"),
        (
            {"web_search_requests": 10_001},
            "10,001 web search requests are charged, more than any request uses",
        ),
    ],
)
def test_a_charge_that_no_price_can_make_is_found(used: dict[str, int], expected: str) -> None:
    """Though tokens, prices, amount and answer agree with each other to the last digit."""
    charge_ = charge(0, 0, Usage(**used), PRICE)
    assert charge_.amount is not None
    problems = found([*RUN[:5], replace(g.outcome(0, 0), usage=Usage(**used)), charge_, *RUN[7:]])
    assert f"7: {expected}" in problems
    if charge_.amount.startswith("-"):
        assert f"7: ${charge_.amount} is charged: a cost cannot be negative" in problems


def test_the_future_has_not_happened_yet() -> None:
    """It is noted, from a minute on: two machines' clocks may differ by less; the first such event counts."""
    for seconds, ahead in ((59, None), (60, (2, g.START + g.SECOND)), (61, (1, g.START))):
        audit = Audit(g.START - seconds * g.SECOND)
        assert audit.take(1, g.START, RUN[0]) == audit.take(2, g.START + g.SECOND, RUN[1]) == []
        assert audit.ahead == ahead
