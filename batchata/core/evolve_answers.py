"""Apply what answers say and cost, one at a time or a page of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd

from batchata.core import events as e
from batchata.core import ranges
from batchata.core.money import INPUT_KINDS, amount_of, pico_of
from batchata.core.pages import ACCEPTED, Page
from batchata.core.pricing import prompt_tokens, quantities
from batchata.core.retry import UNSUPPORTED
from batchata.core.state import ItemStatus, Job, Run

_COMPLETED, _FAILED = ItemStatus.COMPLETED, ItemStatus.FAILED


def page(run: Run, version: int, page: Page) -> None:
    """Do what `outcome_recorded` and `cost_charged` do, for all answers of the page at once."""
    job, items, indexes, body = run.jobs[page.job], run.items, page.index, page.first_body
    count = len(indexes)
    if job.unanswered:
        for index in indexes:
            _drop_unanswered(job, index)
    job.recorded += count
    ranges.extend(job.bodies, body)
    job.bodies[-1] = (job.bodies[-1][0], body + count - 1)
    job.outcomes[ACCEPTED] = job.outcomes.get(ACCEPTED, 0) + count
    run.completed += count
    status, outcome, bodies, copies = items.status, items.outcome, items.body, items.copies
    for index in indexes if items.kept else ():
        items.kept.pop(index, None)
    for index in indexes:
        status[index] = _COMPLETED
        outcome[index] = version
        bodies[index] = body
        version += 2
        body += 1
        if copies:
            run.completed += items.mirror(index) - 1
    items.charge_picos(indexes, page.amount)
    amount, divisor = sum(page.amount), gcd(*page.amount)
    run.charged.add_pico(amount, divisor)
    job.charged.add_pico(amount, divisor)
    totals = {kind: sum(column) for kind, column in page.used.items()}
    fresh, output = totals.get("input_tokens", 0), totals.get("output_tokens", 0)
    prompt = sum(totals.get(kind, 0) for kind in INPUT_KINDS)
    _answered(job, count, prompt, fresh, output)
    _use(run, totals.items(), page.price_source, page.unit_prices)


def outcome_recorded(run: Run, at: int, event: e.OutcomeRecorded, version: int) -> None:
    """Note what came back for an item: it is completed, or its error is to be decided."""
    job = run.jobs[event.job]
    _drop_unanswered(job, event.index)
    job.recorded += 1
    if event.body is not None:
        ranges.extend(job.bodies, event.body)
    job.outcomes[event.kind] = job.outcomes.get(event.kind, 0) + 1
    items = run.items
    items.outcome[event.index] = version
    items.body[event.index] = -1 if event.body is None else event.body
    if event.error is None:
        items.kept.pop(event.index, None)
        items.status[event.index] = _COMPLETED
        run.completed += items.mirror(event.index)
    else:
        if event.error.kind == UNSUPPORTED and event.kind == ACCEPTED and event.body is not None:
            items.kept[event.index] = (event.job, version, event.body)
        items.status[event.index] = ItemStatus.UNDECIDED
        items.mirror(event.index)
        job.undecided[event.index] = event.error.kind
        if event.kind != "succeeded":
            job.unanswered[event.index] = event.kind


def answer_accepted(run: Run, at: int, event: e.AnswerAccepted, version: int) -> None:
    """Complete a failed item with an answer that it got before."""
    items, index = run.items, event.index
    assert items.status[index] == _FAILED
    assert index not in items.same_as
    items.kept.pop(index, None)
    items.status[index] = _COMPLETED
    items.outcome[index], items.body[index] = event.outcome, event.body
    count = items.mirror(index)
    run.failed -= count
    run.completed += count
    run.status = "running" if run.status == "completed" else run.status


def _drop_unanswered(job: Job, index: int) -> None:
    """Forget an outcome that was not an answer: another result line says more about the request."""
    before = job.unanswered.pop(index, None)
    if before is None:
        return
    job.recorded -= 1
    del job.undecided[index]
    job.outcomes[before] -= 1
    if not job.outcomes[before]:
        del job.outcomes[before]


def citations_checked(run: Run, at: int, event: e.CitationsChecked, version: int) -> None:
    """Note where the log says what was found about the job's citations."""
    run.jobs[event.job].checks += (version,)


def stray_outcome_recorded(run: Run, at: int, event: e.StrayOutcomeRecorded, version: int) -> None:
    """Count a line that is no item's outcome, by reason."""
    ranges.extend(run.jobs[event.job].bodies, event.body)
    run.strays[event.reason] = run.strays.get(event.reason, 0) + 1


def cost_charged(run: Run, at: int, event: e.CostCharged, version: int) -> None:
    """Charge an answer to its item, its job and the run."""
    job, text = run.jobs[event.job], event.amount
    prompt = prompt_tokens(event)
    _answered(job, 1, prompt, event.input_tokens, event.output_tokens)
    if text is None:
        run.unpriced += 1
        job.unpriced += 1
        if not prompt and not event.output_tokens:
            run.unmeasured += 1
            job.unmeasured += 1
        run.items.charge(event.index, None)
    else:
        pico = pico_of(text)
        run.charged.add(text, pico)
        job.charged.add(text, pico)
        if pico is None:
            run.items.charge(event.index, amount_of(text))
        else:
            run.items.charge_picos((event.index,), (pico,))
    if event.ticks:
        run.ticks += event.ticks
        for kind, number in quantities(event):
            run.usage[kind] += number
            run.stated[kind] += number
        return
    _use(run, quantities(event), event.price_source, event.unit_prices)


def _answered(job: Job, answers: int, prompt: int, fresh: int, output: int) -> None:
    """Count answers of the job, and the tokens of their prompts, of which `fresh` met no cache."""
    job.answers += answers
    job.cached = job.cached or prompt > fresh
    job.used = (job.used[0] + prompt, job.used[1] + output)


def _use(run: Run, used: Iterable[tuple[str, int]], source: str, units: dict[str, str]) -> None:
    """Count what was used, by kind, and at which prices."""
    usage, numbers = run.usage, dict(used)
    for kind, number in numbers.items():
        usage[kind] += number
    tariff = source, tuple(units.items())
    priced = run.ledger.get(tariff)
    if priced is None:
        if not units.keys() <= usage.keys():
            raise ValueError(f"unit prices of {', '.join(units)}")
        for unit in units.values():
            amount_of(unit)
        priced = run.ledger[tariff] = dict.fromkeys(units, 0)
    for kind in priced:
        priced[kind] += numbers.get(kind, 0)
