"""Write the first events of a start: the run and its items, or what changed since the last start."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from batchata.core import decide
from batchata.core.events import ItemsAdded, RunResumed, SchemaRouteChanged
from batchata.core.state import Run
from batchata.core.values import Settings
from batchata.errors import ExpiringResultsWarning
from batchata.inputs import Inputs
from batchata.logs import warn
from batchata.providers.port import Client
from batchata.run.bad_files import refusals
from batchata.run.definition import Definition, this_process
from batchata.run.journal import Journal
from batchata.run.same_run import changes
from batchata.text import day

_SOON = 3 * 24 * 3600 * 1_000_000  # from so long before the end on, expiring results are worth a warning
_ITEMS_PER_EVENT = 1_000
_BYTES_PER_EVENT = 8_000_000


def start(journal: Journal, definition: Definition, settings: Settings, provider: Client | None) -> None:
    """Begin the run. A run without items has no provider."""
    tag = secrets.token_hex(6)
    journal.append(definition.started(journal.claim.stream, tag, provider, settings))


def resume(journal: Journal, settings: Settings, max_tokens: int, provider: Client | None) -> None:
    """Record that another start takes the run up, perhaps with other settings."""
    journal.append(
        RunResumed(
            process=this_process(),
            library_version=version("batchata"),
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


@dataclass(slots=True)
class ExpiringResults:
    """Warns once in a start, as soon as the clock is known that decides: the provider's."""

    told: bool = True

    def look(self, run: Run, moment: int | None) -> None:
        """Look at the time by the provider's clock, None before it has answered."""
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
        f"the provider keeps results for {run.limits.results_days} days: "
        f"those of job {jobs} {tense} kept until {day(earliest)}",
        ExpiringResultsWarning,
    )


def add_items(journal: Journal, inputs: Inputs, same_as: Mapping[int, int]) -> None:
    """Yield the items that the log does not know yet, some at a time, so that not all are in memory at once.

    `same_as` maps those that share a request to the first of their kind.
    """
    cuts = [journal.run.total, *_cuts(inputs, journal.run.total)]
    digests = inputs.fingerprints(cuts)[1:]
    for first, end, digest in zip(cuts, cuts[1:], digests, strict=False):
        bodies = [inputs.body(index) for index in range(first, end)]
        added = ItemsAdded(
            first=first,
            count=end - first,
            digest=digest,
            first_body=journal.claim.next_body,
            same_as=[(index, same_as[index]) for index in range(first, end) if index in same_as],
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
