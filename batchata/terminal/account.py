"""Write what a run has cost so far, line by line, and what a user who leaves it must know."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from decimal import Decimal

from batchata.core import decide
from batchata.core.accounts import (
    batch_saving,
    ledger_lines,
    overruns,
    room,
    saved_by_cache,
    saved_by_dedupe,
    why_unknown,
)
from batchata.core.money import EXACT, MILLION, plain, quotient
from batchata.core.state import Job, Run
from batchata.text import RESERVED, WITHHELD, day, error_in_words, number_of, rounded, usd
from batchata.views.run_summary import Stats

_MOST_JOBS = 4  # listed one by one; of more, the cheapest and the dearest are named


_MOST_NAMED = 50  # batches


def cost_lines(run: Run, max_cost: str | None = None) -> list[str]:
    """Return the account of a run: what was paid for what, at which prices, and what is left of the limit.

    `max_cost` is the limit given now, which has no effect on a run that has ended.
    """
    return [
        *_total(run),
        *_kinds(run),
        *_jobs(run),
        *_limit(run, max_cost),
        *_saved(run),
        *_cache(run),
        *_estimate(run),
        *_overruns(run),
    ]


def _total(run: Run) -> Iterator[str]:
    model = "-" if run.started is None else run.started.model
    if run.unpriced:
        known = f"; the others cost {usd(run.spent)}" if run.spent else ""
        yield f"cost      unknown: {why_unknown(run)} of {model}{known}"
        if run.unpriced > run.unmeasured:
            yield f"          next time, give it: prices={{{model!r}: {{'input': …, 'output': …}}}}"
        return
    what, one = (
        (number_of(run.completed, "result"), "a result") if run.failed else (f"{run.completed:,}", "an item")
    )
    each = f", {rounded(quotient(run.spent, run.completed))} {one}" if run.completed else ""
    yield f"cost      {usd(run.spent)} for {what} of {number_of(run.total, 'item')} with {model}{each}"
    if run.spent:
        yield f"          the batch discount saved {usd(batch_saving(run))}"


def _kinds(run: Run) -> Iterator[str]:
    """Return one line for each kind of token and price: the ledger."""
    for line in ledger_lines(run):
        per, many = (1_000, "1,000") if line.kind == "web_search_requests" else (MILLION, "million")
        unit = usd(EXACT.divide(EXACT.multiply(line.unit_price, per), MILLION))
        what = f"{line.quantity:,} {line.kind.replace('_', ' ')}"
        yield f"          {what} at {unit} per {many} ({line.source}): {usd(line.amount)}"


def _jobs(run: Run) -> Iterator[str]:
    costs = {job.number: job.cost for job in run.jobs.values() if job.cost}
    if len(costs) > _MOST_JOBS:
        low, high = min(costs, key=costs.__getitem__), max(costs, key=costs.__getitem__)
        yield (
            f"          {len(costs):,} jobs, from {usd(costs[low])} (job {low}) to {usd(costs[high])} "
            f"(job {high})"
        )
    elif costs:
        yield "          " + ", ".join(f"job {number}: {usd(cost)}" for number, cost in costs.items())


def _limit(run: Run, given: str | None) -> Iterator[str]:
    left = room(run)
    if left is None or run.settings is None or run.settings.max_cost is None:
        return
    limit = usd(Decimal(run.settings.max_cost))
    held = "".join(
        f", {usd(amount)} {why}"
        for amount, why in (
            (run.reserved, RESERVED),
            (run.withheld, WITHHELD),
        )
        if amount
    )
    if not run.limit_reached:
        is_other = run.status == "completed" and given not in (None, run.settings.max_cost)
        now = f"; max_cost is {usd(given)} now, and counts once there is more to send" if is_other else ""
        yield f"limit     {limit}: {usd(run.spent)} spent{held}, {usd(left)} left{now}"
        return
    if left < 0:
        owed = f"what is spent{' or reserved' if held else ''}"
        yield f"limit     {limit} is {usd(left.copy_negate())} less than {owed}"
        yield f"          {_remedy(run)}"
        return
    pending = f"{number_of(run.pending, 'item')} pending"
    yield (
        f"limit     {limit} reached with {pending}: {usd(run.spent)} spent{held}; "
        f"{usd(left)} is left, but the next item may cost {_next(run, left)} at worst"
    )
    yield f"          {_remedy(run)}"


def _next(run: Run, left: Decimal) -> str:
    if run.needed is None or run.settings is None or run.settings.max_cost is None:
        return "an unknown amount"
    return usd(EXACT.add(EXACT.subtract(run.needed, Decimal(run.settings.max_cost)), left))


def _remedy(run: Run) -> str:
    if run.needed is None or run.needed_for_all is None:
        return "raise max_cost, or lower max_tokens, and run again"
    return (
        f"max_cost={plain(run.needed)} would send the next item, max_cost={plain(run.needed_for_all)} all of "
        "them; raise it, or lower max_tokens, and run again"
    )


def _saved(run: Run) -> Iterator[str]:
    """Return what was saved in addition to the batch discount."""
    if shared := len(run.items.same_as):
        saved = saved_by_dedupe(run)
        amount = "an unknown amount" if saved is None else usd(saved)
        sharing = number_of(shared, "item shares", "items share")
        yield f"saved     {amount} by dedupe: {sharing} the request of an earlier one"


def _cache(run: Run) -> Iterator[str]:
    for number, text in enumerate(cache_in_words(run)):
        yield f"{'' if number else 'cache':10}{text}"


def cache_in_words(run: Run) -> Iterator[str]:
    """Say what was decided about prompt caching, if anything, and what came of it."""
    if run.started is not None and run.started.cache is not None:
        yield run.started.cache.reason
    usage = run.usage
    written = usage["cache_write_5m_tokens"] + usage["cache_write_1h_tokens"]
    if written or usage["cache_read_tokens"]:
        saved = saved_by_cache(run)
        amount = "an unknown amount" if saved is None else usd(saved.copy_abs())
        did = "cost more than it saved, by" if saved is not None and saved < 0 else "saved"
        tokens = f"{written:,} tokens written, {usage['cache_read_tokens']:,} read"
        yield f"caching {did} {amount}: {tokens}"


def _estimate(run: Run) -> Iterator[str]:
    """Return how good the estimate was, for the answers of completed jobs."""
    accuracy = run.accuracy
    if accuracy.telling:
        errors = (accuracy.cost_error, accuracy.input_error, accuracy.output_error)
        whole, tokens_in, tokens_out = map(error_in_words, errors)
        yield (
            f"estimate  {rounded(accuracy.expected_cost)}, {whole} (input {tokens_in}, output {tokens_out})"
        )


def _overruns(run: Run) -> Iterator[str]:
    for job in overruns(run):
        yield (
            f"warning   job {job.number} cost {usd(job.cost)}, more than the {usd(job.reserved)} that "
            "were reserved for it; please report this"
        )


def printed(run: Run, stats: Stats) -> str:
    """Return the statistics as lines for a person."""
    lines = [
        f"run       {stats['run_id'] or '-'} ({stats['status']}), model {stats['model'] or '-'}",
        (
            f"items     {stats['total_items']:,}: {stats['completed_items']:,} completed, "
            f"{stats['failed_items']:,} failed, {stats['pending_items']:,} pending"
        ),
        (
            f"jobs      {stats['jobs']:,}, {stats['jobs_completed']:,} completed; "
            f"{number_of(stats['retries'], 'item')} sent again"
        ),
        *cost_lines(run),
    ]
    if stats["results_dir"]:
        lines.append(f"results   {stats['results_dir']}")
    return "\n".join(lines)


def unsaved() -> str:
    """Say what a log in memory means, before the run begins."""
    return (
        "this run has no state_path, so its log is in memory: if this process ends before the run does, its "
        "batches go on at the provider and are billed, nothing of them can be collected, and another start "
        'pays again. Give state_path="….db" to keep it'
    )


def left(run: Run, log: str | None) -> str:
    """Say where a run stands that its user has stopped; `log` is its file, None for a log in memory."""
    return " ".join(["stopped;", *(_in_memory(run) if log is None else _in_a_file(run, log))])


def out_of_time(run: Run, seconds: float, log: str | None) -> str:
    """Say where a run stands whose time for waiting is over."""
    began = f"max_wait_time ({seconds:,g} s) is over:"
    if log is None:
        return " ".join([began, *_in_memory(run)])
    return " ".join(
        [began, *_open(run), f"run() again, or the same script, continues{_until(run)} (log: {log})."]
    )


def _in_a_file(run: Run, log: str) -> Iterator[str]:
    batches = len(_batches(run))
    if not run.open:
        yield f"nothing is open at the provider, and nothing is lost. {_pending(run)}"
        yield f"The same script goes on (log: {log})."
        return
    goes = "goes" if batches == 1 else "go"
    yield f"{number_of(batches, 'batch', 'batches')} {goes} on at the provider and nothing is lost."
    yield from _unsure(run)
    them = "it" if len(run.open) == 1 else "them"
    again = shlex.quote(str(log))
    yield f"Collect {them} with the same script, or batchata resume {again}{_until(run)} (log: {log})."


def _in_memory(run: Run) -> Iterator[str]:
    yield "this run has no state_path, so nothing of it is kept on disk."
    named = [f"{job.batch_id} ({number_of(job.request_count, 'item')})" for job in _batches(run)]
    more = len(named) - _MOST_NAMED
    named[_MOST_NAMED:] = [f"{more:,} more (all in stats()['batches'])"] if more > 0 else []
    if named:
        yield f"Open at the provider: {', '.join(named)}."
    else:
        yield f"Nothing is open at the provider. {_pending(run)}"
    yield from _unsure(run)
    yield "run() in this process " + (f"collects them{_until(run)};" if run.open else "goes on;")
    yield 'another start would pay again. Give state_path="….db" next time.'


def _open(run: Run) -> Iterator[str]:
    """Name what is still at the provider, job by job, and what has not been sent."""
    batches = len(_batches(run))
    if not run.open:
        yield f"nothing is open at the provider. {_pending(run)}"
        return
    jobs = number_of(batches, "job")
    yield f"{jobs} {'is' if batches == 1 else 'are'} still at the provider, and nothing is lost."
    yield from _unsure(run)


def _unsure(run: Run) -> Iterator[str]:
    if unsure := len(run.open) - len(_batches(run)):
        yield f"The next start finds out whether {number_of(unsure, 'submission')} became a batch."


def _batches(run: Run) -> list[Job]:
    return [job for job in run.open.values() if job.batch_id is not None]


def _pending(run: Run) -> str:
    return f"{number_of(run.pending, 'item')} {'is' if run.pending == 1 else 'are'} pending."


def _until(run: Run) -> str:
    until = decide.kept_until(run)
    return f" until {day(until)}" if until else ""
