"""Pages of like events stand for exactly those events, and change the state exactly as they do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from charges import cost_charged
from core_given import (
    START,
    charged,
    dump,
    given,
    items_added,
    job_completed,
    outcome,
    retry_scheduled,
    submitted,
    when,
)
from core_histories import History
from hypothesis import given as cases
from hypothesis import strategies as st

from batchata.core import events as e
from batchata.core.codec import decoder, encode, hot_columns
from batchata.core.evolve import evolve, fold
from batchata.core.money import pico_of, pico_text
from batchata.core.pages import KINDS, MOST_ANSWERS, Entry, Page, expanded, length_of, pack
from batchata.core.pricing import ModelPrice, PriceTier, UnitPrices
from batchata.core.retry import UNSUPPORTED
from batchata.core.values import RequestError, Usage
from batchata.run.columns import Columns

ITEMS = 12
UNIT_PRICES = {"input_tokens": "1.5", "output_tokens": "7.5", "cache_read_tokens": "0.15"}


@st.composite
def pages(draw: st.DrawFn) -> Page:
    """Any page over the first items; in some, items come twice or cost more than a column holds."""
    index = draw(st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=ITEMS))
    kinds = [kind for kind in KINDS if draw(st.booleans())]
    column = st.lists(st.integers(1, 10**6), min_size=len(index), max_size=len(index))
    amount = st.one_of(st.integers(0, 10**6), st.integers(0, 2**63 - 1), st.just(15 * 10**11))
    return Page(
        job=draw(st.integers(0, 1)),
        first_body=draw(st.integers(0, 50)),
        stop_reason=draw(st.sampled_from([None, "end_turn", "stop_sequence"])),
        unit_prices={kind: draw(st.sampled_from(["1.5", "0", "3"])) for kind in kinds},
        price_source=draw(st.sampled_from(["a table", "the user"])),
        index=index,
        amount=draw(st.lists(amount, min_size=len(index), max_size=len(index))),
        **{kind: draw(column) for kind in kinds},
    )


def answers(*indexes: int, job: int = 0, body: int = 0, **changed: Any) -> list[e.Event]:
    """Like answers and their charges; `changed` is of every charge."""
    found: list[e.Event] = []
    for place, index in enumerate(indexes):
        used = {"input_tokens": 100 + index, "output_tokens": 10}
        found.append(
            e.OutcomeRecorded(
                job=job,
                index=index,
                kind="succeeded",
                stop_reason="end_turn",
                error=None,
                usage=Usage(**used),
                body=body + place,
            )
        )
        charge = {
            "amount": f"0.0002{index % 9 + 1}",
            "unit_prices": {kind: UNIT_PRICES[kind] for kind in used},
            **used,
        }
        found.append(cost_charged(job, index, **{**charge, **changed}))
    return found


@cases(st.lists(pages(), min_size=1, max_size=4), st.booleans(), st.booleans(), st.booleans())
def test_a_page_changes_the_state_as_its_events_do(
    drawn: list[Page], has_copies: bool, has_odd_costs: bool, has_failed: bool
) -> None:
    """Folded at once or event by event, the state is the same in every part."""
    added = items_added(0, ITEMS, *([(5, 2), (7, 2), (8, 0)] if has_copies else []))
    begun = [added, *submitted(0, (0, 5)), *submitted(1, (6, ITEMS - 1))]
    if has_odd_costs:
        begun += [charged(0, 1, None), charged(0, 3, "0.0000000000005"), charged(0, 4, "9223372")]
    if has_failed:
        error = RequestError(kind="api_error", message="no")
        shared: dict[str, Any] = {"kind": "errored", "stop_reason": None, "error": error, "usage": None}
        begun += [e.OutcomeRecorded(job=0, index=index, body=index, **shared) for index in (0, 2)]
    at_once, one_by_one = given(*begun), given(*begun)
    for page in drawn:
        evolve(at_once, at_once.version + 1, START, page)
        for event in page.expand():
            evolve(one_by_one, one_by_one.version + 1, START, event)
    assert repr(dump(at_once)) == repr(dump(one_by_one))


def test_an_accepted_answer_ends_what_was_kept() -> None:
    """Of an answer that was kept because its passages contradict it nothing is left, also within a page."""
    refused = [outcome(0, n, why=UNSUPPORTED, body=n) for n in (0, 1)]
    first = [*submitted(0, (0, 1)), *refused, charged(0, 0, "1"), charged(0, 1, "1")]
    again = [job_completed(0, succeeded=2), retry_scheduled((0, 1)), *submitted(1, (0, 1))]
    run = given(items_added(0, 2), *first)
    assert run.items.kept.keys() == {0, 1}
    when(run, *again)
    (page,) = pack(answers(0, 1, job=1, body=2))
    evolve(run, run.version + 1, START, page)
    assert run.items.kept == {}


@pytest.mark.parametrize(
    ("price", "usage", "fits"),
    [
        ("0.5", Usage(input_tokens=3, output_tokens=1), True),
        ("0.0000001", Usage(input_tokens=3, output_tokens=1), False),  # half a tenth of a picodollar each
        ("0.5", Usage(output_tokens=1), True),
        ("0.5", Usage(), False),
    ],
)
def test_what_a_column_cannot_hold_stays_an_event(price: str, usage: Usage, fits: bool) -> None:
    """A cost that is finer than a picodollar, and an answer that used nothing."""
    units = UnitPrices(Decimal(price), Decimal(5))
    columns = Columns(0, ModelPrice("a table", [PriceTier(-1, units)]))
    assert columns.accept(0, 0, "end_turn", usage, None) is fits
    assert columns.accept(1, 1, "end_turn", usage, None) is fits
    assert [type(entry) for entry in columns.finished()] == [Page] * fits


@cases(pages())
def test_a_page_has_its_events_at_their_places(page: Page) -> None:
    """Each event is the same alone as among the others, and survives the log's JSON."""
    events = [*page.expand()]
    assert [page.event(place) for place in range(page.length)] == events
    read = decoder(Page.TYPE, Page.SCHEMA)(encode(page))
    assert read == page
    assert isinstance(read, Page)
    assert [*read.expand()] == events
    assert hot_columns(page) == (page.job, None)


@cases(st.integers(0, 2**32))
def test_packing_changes_no_event_and_no_state(seed: int) -> None:
    """Whatever a run writes, the packed events are the same events and fold to the same state."""
    history = History(seed)
    for _ in history.play(120):
        pass
    events = [event for _, _, event in history.recorded]
    packed = pack(events)
    assert [*expanded(packed)] == events
    version, written = 1, list[tuple[int, int, Entry]]()
    for entry in packed:
        at = history.recorded[version + length_of(entry) - 2][1]
        written.append((version, at, entry))
        version += length_of(entry)
    assert dump(fold(written)) == dump(history.run)


def test_like_answers_become_one_page() -> None:
    """Answers of one job at the same prices are a page, whatever each of them used and cost."""
    events = answers(4, 2, 9, body=7)
    (page,) = pack(events)
    assert isinstance(page, Page)
    assert (page.index, page.first_body, page.input_tokens) == ([4, 2, 9], 7, [104, 102, 109])
    assert page.amount == [250_000_000, 230_000_000, 210_000_000]
    assert [*page.expand()] == events


def test_a_long_run_becomes_pages_of_limited_length() -> None:
    """Who wants one event never decodes more than so many."""
    lengths = [length_of(entry) for entry in pack(answers(*range(2 * MOST_ANSWERS + 1)))]
    assert lengths == [2 * MOST_ANSWERS, 2 * MOST_ANSWERS, 1, 1]


@pytest.mark.parametrize(
    ("what", "odd"),
    [
        ("an unknown cost", answers(1, body=2, amount=None)),
        ("a cost finer than a picodollar", answers(1, body=2, amount="0.0000000000001")),
        ("a cost below zero", answers(1, body=2, amount="-0.5")),
        ("a cost that is none", answers(1, body=2, amount="1e3")),
        ("a cost written otherwise", answers(1, body=2, amount="0.50")),
        ("another price", answers(1, body=2, unit_prices={"input_tokens": "9", "output_tokens": "9"})),
        ("a missing price", answers(1, body=2, unit_prices={"input_tokens": "9"})),
        ("the provider's own word", answers(1, body=2, ticks=1)),
        ("another source", answers(1, body=2, price_source="the user")),
        ("another use than the answer's", answers(1, body=2, output_tokens=11)),
        ("another job", answers(1, body=2, job=1)),
        ("a body elsewhere", answers(1, body=5)),
        ("a charge alone", answers(1, body=2)[1:]),
        ("an answer alone", answers(1, body=2)[:1]),
        ("another item's charge", [answers(1, body=2)[0], answers(2)[1]]),
    ],
)
def test_what_is_not_alike_stays_by_itself(what: str, odd: list[e.Event]) -> None:
    """It is in no page; those before it and after it are in pages of their own."""
    before, after = answers(5, 6), answers(7, 8, body=3)
    packed = pack([*before, *odd, *after])
    assert [*expanded(packed)] == [*before, *odd, *after], what
    assert packed[1:-1] == odd, what
    assert isinstance(packed[0], Page)
    assert isinstance(packed[-1], Page)


@pytest.mark.parametrize(
    "changed",
    [
        {"index": []},
        {"index": [1]},
        {"amount": [1, 2, 3]},
        {"input_tokens": [1]},
        {"cache_read_tokens": [1, 2]},
        {"output_tokens": []},
        {"unit_prices": {}},
        {"unit_prices": {"output_tokens": "1", "input_tokens": "1"}},
        {"index": [0, -1]},
        {"amount": [0, -1]},
        {"input_tokens": [0, 1]},
        {"amount": [0, 2**63]},
        {"first_body": -1},
        {"index": [0, "1"]},
    ],
)
def test_no_page_with_columns_that_do_not_fit_each_other_is_read(changed: dict[str, Any]) -> None:
    """What a damaged log holds is an error, never a shorter page."""
    (page,) = pack(answers(0, 1))
    values = {**msgspec.json.decode(encode(page)), **changed}
    with pytest.raises(msgspec.ValidationError):
        decoder(Page.TYPE, 1)(msgspec.json.encode(values))


@cases(st.integers(-(10**27) + 1, 10**27 - 1))
def test_picodollars_and_amounts_say_the_same(pico: int) -> None:
    """An amount in plain digits and its picodollars are one and the same number, there and back."""
    text = pico_text(pico)
    assert pico_of(text) == pico
    assert Decimal(text) * 10**12 == pico
    assert "E" not in text
    assert not text.endswith(".")
