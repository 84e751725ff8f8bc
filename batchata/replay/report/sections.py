"""Build the parts of the page that are short for any run: identity, totals, failures, the story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from batchata.core.accounts import why_unknown
from batchata.core.events import RunStarted
from batchata.core.money import TOKEN_KINDS
from batchata.core.state import Job, JobStatus
from batchata.core.values import Settings
from batchata.log.port import Log
from batchata.providers.address import redacted
from batchata.replay.report.timeline import Chronicle, Turn
from batchata.replay.status import status_then, what_next
from batchata.text import (
    JOB_STATUS,
    RESERVED,
    WITHHELD,
    by_kind,
    cut,
    item_ranges,
    number_of,
    span,
    usage_in_words,
    usd,
)
from batchata.views.history import History
from batchata.views.overview import failures
from batchata.views.run_summary import outcomes

_MOST_KINDS = 50
_MOST_OPEN = 40  # events of the story that are shown unasked
_LONG = 4_000  # characters of a prompt or of parameters


def heading(history: History) -> dict[str, Any]:
    """Return how the run stands, and what happens to it next."""
    run = history.run
    return {
        "state": run.status,
        "status": status_then(run, history.process),
        "at": run.updated_at,
        "version": f"{run.version:,}",
        "next": what_next(run, None, run.updated_at),
    }


def totals(history: History) -> dict[str, Any]:
    """Return items, cost, retries and jobs, with the share of each status."""
    run = history.run
    counts = [
        ("good", "completed", run.completed),
        ("bad", "failed", run.failed),
        ("open", "pending", run.pending),
    ]
    limit = None if run.settings is None else run.settings.max_cost
    cost = "unknown" if run.total_cost is None else usd(run.spent)
    money = [] if limit is None else [f"of at most {usd(limit)}"]
    if run.total_cost is None:
        money.append(f"{why_unknown(run)}; the others cost {usd(run.spent)}")
    if run.reserved:
        money.append(f"{usd(run.reserved)} {RESERVED}")
    if run.withheld:
        money.append(f"{usd(run.withheld)} {WITHHELD}")
    states = Counter(JOB_STATUS[job.status] for job in run.jobs.values())
    cards = [
        ("Items", f"{run.total:,}", ", ".join(f"{count:,} {word}" for _, word, count in counts)),
        ("Cost", cost, "; ".join(money)),
        ("Tokens", f"{sum(map(run.usage.__getitem__, TOKEN_KINDS)):,}", usage_in_words(run.usage)),
        ("Jobs", f"{len(run.jobs):,}", by_kind(states)),
        ("Retries", f"{run.retries:,}", by_kind(history.retries)),
        ("Time", span(run.updated_at - run.started_at), number_of(run.polls, "poll")),
    ]
    if strays := sum(run.strays.values()):
        words = f"{number_of(strays, 'result line')} of no open request: {by_kind(run.strays)}"
        cards.append(("Strays", f"{strays:,}", words))
    return {
        "shares": [(tone, f"{count / run.total:.6f}") for tone, _, count in counts if count],
        "cards": cards,
    }


def identity(history: History, started: RunStarted, head: str | None) -> list[tuple[str, str, Any]]:
    """Return what defines the run, as (term, how it is shown, value)."""
    run = history.run
    answers = f"as {started.response_model}" if started.response_model else "as text"
    features = ", with citations" if started.enable_citations else ""
    place = (
        f"{started.provider}, {redacted(run.base_url)}"
        if started.provider
        else "no provider: the run was empty"
    )
    facts: list[tuple[str, str, Any]] = [
        ("model", "text", f"{started.model} ({place})"),
        ("input", "text", f"{started.input_kind}, answers {answers}{features}"),
        ("started", "started", (run.started_at, started.library_version)),
        ("parameters", "lines", cut(msgspec.json.encode(started.params).decode(), _LONG)),
    ]
    if started.prompt is not None:
        facts.append(("prompt", "lines", cut(started.prompt, _LONG)))
    if run.settings is not None:
        facts.append(("settings", "text", f"{_settings(run.settings)}, max_tokens {run.max_tokens}"))
    facts.append(("input fingerprint", "code", started.input_fingerprint))
    if head is not None:
        facts.append(("log head", "code", head))
    return facts


def _settings(settings: Settings) -> str:
    given = msgspec.structs.asdict(settings)
    return ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)


def what_came_back(log: Log, stream: str, history: History) -> dict[str, Any]:
    """Return what the provider said, request by request, and the failed items grouped by reason."""
    shown = failures(log, stream, history, _MOST_KINDS)
    rest = history.run.failed - sum(each.items for each in shown)
    return {
        "said": by_kind(outcomes(history.run)) or "none yet",
        "failures": shown,
        "rest": number_of(rest, "item") if rest else "",
    }


def story(chronicle: Chronicle) -> dict[str, Any]:
    """Return the unusual events in order; None stands for those left out."""
    first, last = chronicle.first_turns, chronicle.last_turns
    hidden = chronicle.turns - len(first) - len(last)
    turns: list[Turn | None] = [*first, *([None] if hidden else []), *last]
    return {
        "turns": turns,
        "hidden": f"{number_of(hidden, 'more event')}: see the log",
        "folded": number_of(chronicle.turns, "event") if len(turns) > _MOST_OPEN else "",
    }


_MOST_POLLS = 100  # drawn of one job; fewer when there are very many jobs
_POLLS = 400_000  # drawn of all jobs
_FAILED = (JobStatus.FAILED, JobStatus.ABANDONED)


class Row(msgspec.Struct):
    """One job. Times are milliseconds; `ended` is when the provider was first seen to be done."""

    number: int
    state: str
    tone: str
    items: int
    which: str
    batch: str | None
    started: int
    submitted: int | None
    ended: int | None
    closed: int | None
    polls: list[int]
    polled: int
    requests: str
    cost: str
    reserved: str | None
    error: str | None


def job_rows(chronicle: Chronicle) -> bytes:
    """Return all jobs as JSON."""
    most = max(min(_MOST_POLLS, _POLLS // max(len(chronicle.history.run.jobs), 1)), 8)
    return msgspec.json.encode([_row(chronicle, job, most) for job in chronicle.history.run.jobs.values()])


def _row(chronicle: Chronicle, job: Job, most: int) -> Row:
    polls = chronicle.polls.get(job.number, ())
    refusal = chronicle.history.refusals.get(job.number) if job.batch_id is None else None
    return Row(
        number=job.number,
        state=JOB_STATUS[job.status],
        tone=_tone(job),
        items=job.request_count,
        which=item_ranges(job.items, most=6),
        batch=job.batch_id,
        started=job.started_at // 1000,
        submitted=_ms(job.submitted_at),
        ended=_ms(chronicle.ended.get(job.number)),
        closed=_ms(job.completed_at),
        polls=[at // 1000 for at in _thinned(polls, most)],
        polled=len(polls),
        requests=_requests(job),
        cost=usd(job.known_cost),
        reserved=None if not job.held else usd(job.held),
        error=None if refusal is None else f"{refusal.kind}: {refusal.message}",
    )


def _tone(job: Job) -> str:
    if job.status in _FAILED:
        return "bad"
    if job.status is JobStatus.COMPLETED:
        return "good" if set(job.outcomes) <= {"succeeded"} else "mixed"
    return "odd" if job.status is JobStatus.UNKNOWN else "open"


def _requests(job: Job) -> str:
    if job.outcomes:
        return by_kind(job.outcomes)
    counts: dict[str, Any] = {} if job.counts is None else msgspec.structs.asdict(job.counts)
    return by_kind(counts)


def _thinned(polls: Any, most: int) -> Iterator[int]:
    """Thin events to so many, no two closer than their share of the whole time."""
    if not polls:
        return
    gap = (polls[-1] - polls[0]) // most
    last: int | None = None
    for at in polls:
        if last is None or at - last > gap:
            yield at
            last = at


def _ms(at: int | None) -> int | None:
    return None if at is None else at // 1000
