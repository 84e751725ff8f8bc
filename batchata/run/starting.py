"""Write the first events of a start: the run and its items, what changed, what is tried again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

import msgspec

from batchata.core import decide
from batchata.core.accounts import together
from batchata.core.events import (
    AnswerAccepted,
    Event,
    ItemMended,
    ItemsAdded,
    RetryScheduled,
    RunResumed,
    SchemaRouteChanged,
)
from batchata.core.money import plain
from batchata.core.ranges import to_ranges
from batchata.core.retry import accepted_after_all
from batchata.core.state import ItemStatus, Run
from batchata.core.values import Settings
from batchata.errors import CostLimitError, ExpiringResultsWarning, InvalidInputError
from batchata.inputs import Inputs
from batchata.log.port import Log
from batchata.logs import warn
from batchata.providers.port import Client
from batchata.run.bad_files import Mended, mend, refusals
from batchata.run.definition import Definition, this_process, version_of
from batchata.run.journal import Journal
from batchata.run.pilot import Choice
from batchata.run.same_run import changes
from batchata.run.stored_answers import accepted_now
from batchata.text import day, number_of, usd

_SOON = 3 * 24 * 3600 * 1_000_000  # from so long before the end on, expiring results are worth a warning
_ITEMS_PER_EVENT = 1_000
_BYTES_PER_EVENT = 8_000_000


def start(journal: Journal, definition: Definition, settings: Settings, provider: Client | None) -> None:
    """Begin the run; its items are in the same append if they are few. One without items has no provider."""
    tag = secrets.token_hex(6)
    with journal.together():
        journal.append(definition.started(journal.claim.stream, tag, provider, settings))
        if len([*islice(_cuts(definition.inputs, 0), 2)]) == 1:
            add_items(journal, definition.inputs, definition.same_as)


def resume(journal: Journal, settings: Settings, max_tokens: int, provider: Client | None) -> None:
    """Record that another start takes the run up, perhaps with other settings."""
    journal.append(
        RunResumed(
            process=this_process(),
            library_version=version_of("batchata"),
            changed=changes(
                journal.run, settings, max_tokens, None if provider is None else provider.base_url
            ),
            key=None if provider is None else provider.key,
        )
    )


def take_route(journal: Journal, definition: Definition) -> None:
    """Record that the caller asks for another route of the schema than the run has taken so far."""
    if journal.run.route != definition.route.kind:
        journal.append(SchemaRouteChanged(route=definition.route.kind, job=None, error=None))


def choose(journal: Journal, choice: Choice) -> None:
    """Record which items may be sent from now on, where that is not what was decided last."""
    decision, before = choice.of_run(journal.run), journal.run.choice
    if decision != before and (before is not None or decision.items is not None):
        journal.append(decision)


@dataclass(slots=True)
class ExpiringResults:
    """Warns once in a start, as soon as the clock is known that decides: the provider's."""

    told: bool = True

    def look(self, run: Run, moment: int | None) -> None:
        """Check the time by the provider's clock; None before it has answered."""
        if not self.told and moment is not None:
            self.told = True
            warn_of_expiring_results(run, moment)


def warn_of_expiring_results(run: Run, moment: int) -> None:
    """Warn that the provider keeps results for some weeks only, before they are gone."""
    until = {job.number: decide.collect_by(run, job) for job in run.open.values()}
    late = {number: at for number, at in until.items() if at is not None and at - moment < _SOON}
    if not late:
        return
    jobs = ", ".join(map(str, sorted(late)))
    earliest = min(late.values())
    tense = "were" if earliest < moment else "are"
    warn(
        f"the provider keeps results for {number_of(run.limits.results_days, 'day')}: "
        f"those of job {jobs} {tense} kept until {day(earliest)}",
        ExpiringResultsWarning,
    )


def add_items(journal: Journal, inputs: Inputs, same_as: Mapping[int, int]) -> None:
    """Yield the items that the log does not know yet, some at a time, so that not all are in memory at once.

    `same_as` maps those that share a request to the first such item.
    """
    cuts = [journal.run.total, *_cuts(inputs, journal.run.total)]
    digests = inputs.fingerprints(cuts)[1:]
    for first, end, digest in zip(cuts, cuts[1:], digests, strict=False):
        bodies = [*inputs.bodies(first, end)]
        added = ItemsAdded(
            first=first,
            count=end - first,
            digest=digest,
            first_body=journal.next_body,
            same_as=[(index, same_as[index]) for index in range(first, end) if index in same_as],
            keys=inputs.keys_digest(first, end) or msgspec.UNSET,
        )
        # At once: an item whose file cannot be used is never seen as one that waits.
        journal.append(added, *refusals(inputs, journal.run, first, end), bodies=bodies)


def _cuts(inputs: Inputs, first: int) -> Iterator[int]:
    """Return where one event about new items ends and the next begins: by count and by bytes."""
    count, size = 0, 0
    for index in range(first, inputs.count):
        count += 1
        size += inputs.request_size(index)
        if count == _ITEMS_PER_EVENT or size >= _BYTES_PER_EVENT or index == inputs.count - 1:
            yield index + 1
            count, size = 0, 0


def refuse_items(journal: Journal, inputs: Inputs) -> None:
    """Fail waiting items whose files cannot be used any more."""
    if refused := refusals(inputs, journal.run, 0, journal.run.total):
        journal.append(*refused)
        journal.append(*accepted_after_all(journal.run))


class Retried(NamedTuple):
    """What became of failed items: how many are sent again, and the jobs whose answers are accepted now."""

    sent: int
    jobs: list[int]


def is_accepted_today(log: Log, run: Run, definition: Definition) -> bool:
    """Return whether each failed item has a stored answer that is accepted now, so that none is sent."""
    return not _tried_again(log, run, definition, 0)[2]


def _tried_again(
    log: Log, run: Run, definition: Definition, next_body: int
) -> tuple[Mended, list[AnswerAccepted], list[int]]:
    """Return which failed items have a corrected file, which an accepted answer, and which are sent again."""
    mended = mend(log, run, definition.inputs, next_body)
    changed = {event.index for event in mended.events if isinstance(event, ItemMended)}
    same = [index for index in mended.again if index not in changed]
    accepted = accepted_now(log, run, definition.reader, same)
    return mended, accepted, sorted({*mended.again}.difference(event.index for event in accepted))


def retry_failed(journal: Journal, log: Log, definition: Definition, max_tokens: int | None) -> Retried:
    """Accept the stored answers that fit today, and give the other failed items a fresh set of attempts.

    These are sent with their files as they are now, and all of them get `max_tokens` where that is given.
    """
    mended, accepted, again = _tried_again(log, journal.run, definition, journal.claim.next_body)
    decisions: list[Event] = [*mended.events, *accepted]
    if again:
        decisions.append(
            RetryScheduled(
                job=None,
                items=to_ranges(again),
                attempt=1,
                not_before=journal.now(),
                reason="requested",
                max_tokens=msgspec.UNSET if max_tokens is None else max_tokens,
            )
        )
    if decisions:
        journal.append(*decisions, bodies=mended.bodies)
    sent = sum(len(journal.run.family(index)) for index in again)
    return Retried(sent, sorted({event.job for event in accepted}))


def check_raised(run: Run, definition: Definition, settings: Settings, max_tokens: int) -> None:
    """Check that answers to the failed items only become longer, and that their cost fits into the limit.

    Raises InvalidInputError or CostLimitError.
    """
    definition.model.check_max_tokens(max_tokens)
    failed = _failed(run)
    if not failed:
        return
    jobs = {index: run.items.job[index] for index in failed}  # -1 for one that was never sent
    had = {index: 0 if job < 0 else run.max_tokens_in(job) for index, job in jobs.items()}
    longest = max(had, key=had.__getitem__)
    least = max(had[longest] + 1, definition.max_tokens)
    if max_tokens < least:
        raise InvalidInputError(
            f"retry_failed(max_tokens={max_tokens}) makes no longer answers: item {longest} was sent with "
            f"max_tokens={had[longest]}, and the run has {definition.max_tokens}; give {least} or more, or "
            "leave it out to send the failed items as they were"
        )
    _check_fits(run, definition, settings, max_tokens, failed)


def _check_fits(
    run: Run, definition: Definition, settings: Settings, max_tokens: int, failed: list[int]
) -> None:
    """Refuse a retry that costs more than what will be left of the limit: it would never be sent."""
    if settings.max_cost is None:
        return
    measures = definition.measures(raised=dict.fromkeys(failed, max_tokens))
    worst = {index: cost for index in failed if (cost := measures.worst_cost(index)) is not None}
    if not worst:
        return  # without a price the limit is refused as such
    dearest = max(worst, key=worst.__getitem__)
    needed = together(run.spent, worst[dearest], run.withheld)
    if needed > Decimal(settings.max_cost):
        raise CostLimitError(
            f"with max_tokens={max_tokens} item {dearest} alone may cost {usd(worst[dearest])} at worst, "
            f"more than max_cost ${settings.max_cost} leaves; give max_cost={plain(needed)} or more, or a "
            "lower max_tokens"
        )


def _failed(run: Run) -> list[int]:
    """Return the failed items that have a request of their own."""
    items = run.items
    return [i for i, s in enumerate(items.status) if s == ItemStatus.FAILED and i not in items.same_as]
