"""Change a run in the only way there is: append to the log first, then change the state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from batchata.clock import now, running
from batchata.core.events import JobCompleted, OutcomeRecorded, RunCompleted
from batchata.core.evolve import evolve
from batchata.core.money import plain_if_known
from batchata.core.pages import Entry, Page, length_of
from batchata.core.retry import note_on
from batchata.core.state import Run
from batchata.log.format import Segment
from batchata.log.port import Claim, Log
from batchata.logs import get_logger, is_heard

_logger = get_logger()
_KEYS = ("job", "batch_id", "reason", "status", "completed_items", "failed_items", "pending_items")
_QUIET = frozenset(
    {"outcome_recorded", "cost_charged", Page.TYPE, "items_added"}
)  # one per item: far too many for a log


class Journal:
    """A run's state together with the right to append to its stream."""

    def __init__(self, run: Run, claim: Claim) -> None:
        self.run = run
        self.claim = claim
        self._began = now(), running()
        self._at = 0  # when the first of the unwritten events was appended
        self._is_together = False
        self._events: list[Entry] = []  # of the block that writes them together, not yet written
        self._bodies: list[bytes | Segment] = []
        self._body_count = 0  # of them; a segment holds many
        self.listener: Callable[[int, int, Entry], None] | None = None  # hears of what is durable

    def now(self) -> int:
        """Return microseconds since 1970-01-01 UTC, by this start's own steady clock.

        It is set once at the start: setting the computer's clock meanwhile delays nothing.
        """
        wall, began = self._began
        return wall + running() - began

    @property
    def next_body(self) -> int:
        """The number that the next appended body gets."""
        return self.claim.next_body + self._body_count

    def append(self, *events: Entry, bodies: Sequence[bytes | Segment] = ()) -> None:
        """Write the events in one transaction, then let the state know: it never knows more than the log.

        Inside `together` all is written at its end.
        """
        if not events:
            return
        if not self._events:
            self._at = self.now()  # not when the block began: it may have waited since
        if not self._is_together:
            self.claim.append(self._at, events, bodies)
        for event in events:
            evolve(self.run, self.run.version + 1, self._at, event)
        if self._is_together:
            self._events += events
            self._bodies += bodies
            self._body_count += sum(body.length if isinstance(body, Segment) else 1 for body in bodies)
        else:
            self._tell(events)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what is appended inside the block in one transaction at its end, even when it raises.

        Each transaction waits for the disk. Once something is appended, the state is ahead of the log until
        the end of the block, so nothing may act on it: no call is made, no file written, nothing shown.
        """
        self._is_together = True
        try:
            yield
        finally:
            self._is_together = False
            if self._events:
                self.claim.append(self._at, self._events, self._bodies)
                events, self._events, self._bodies, self._body_count = self._events, [], [], 0
                self._tell(events)

    @property
    def unwritten(self) -> Sequence[Entry]:
        """What the state knows and the log does not: nothing outside `together`, unless its write failed."""
        return self._events

    def unwritten_at(self, version: int) -> Entry | None:
        """Return what will hold this version once it is written; None where the log has it."""
        last = self.claim.version
        if version > last:
            for entry in self._events:
                last += length_of(entry)
                if version <= last:
                    return entry
        return None

    def _tell(self, events: Sequence[Entry]) -> None:
        """Name the events, which are durable now, in the log tree."""
        heard = is_heard()
        if self.listener is None and not heard:
            return
        version = self.run.version - sum(map(length_of, events))
        for event in events:
            if self.listener is not None:
                self.listener(version + 1, self._at, event)
            version += length_of(event)
            if heard and event.TYPE not in _QUIET:
                _logger.info(event.TYPE, run=self.claim.stream, version=version, **self._keys(event))

    def _keys(self, event: Entry) -> dict[str, object]:
        found = {name: value for name in _KEYS if (value := getattr(event, name, None)) is not None}
        if isinstance(event, JobCompleted):
            job = self.run.jobs[event.job]
            cost = plain_if_known(job.known_cost)
            found |= {"items": job.request_count, **event.outcomes, "cost": cost}
        if isinstance(event, RunCompleted):
            found["total_cost"] = event.total_cost  # also where it is unknown
        return found


class Notes:
    """What the model is told about its previous answer to an item. Read from the log when it is needed."""

    def __init__(self, log: Log, journal: Journal) -> None:
        self._log = log
        self._journal = journal
        self._known: dict[int, str | None] = {}  # by the outcome's version

    def of(self, index: int) -> str | None:
        """Return the note for the item's next request; None without an answer to correct."""
        version = self._journal.run.items.outcome[index]
        if not version:
            return None
        if version not in self._known:
            outcome = self._journal.unwritten_at(version)
            if outcome is None:
                (recorded,) = self._log.events_at(self._journal.claim.stream, [version])
                outcome = recorded.event
            self._known[version] = note_on(outcome if isinstance(outcome, OutcomeRecorded) else None)
        return self._known[version]
