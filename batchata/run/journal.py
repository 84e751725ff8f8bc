"""Change a run in the only way there is: an append to the log, and only then the state."""

from __future__ import annotations

from collections.abc import Sequence

from batchata.clock import now, running
from batchata.core.events import Event, OutcomeRecorded
from batchata.core.evolve import evolve
from batchata.core.retry import note_on
from batchata.core.state import Run
from batchata.log.port import Claim, Log
from batchata.logs import get_logger

_logger = get_logger()
_QUIET = frozenset(
    {"outcome_recorded", "cost_charged", "items_added"}
)  # one per item: far too many for a log


class Journal:
    """A run's state together with the right to append to its stream."""

    def __init__(self, run: Run, claim: Claim) -> None:
        self.run = run
        self.claim = claim
        self._began = now(), running()

    def now(self) -> int:
        """Return microseconds since 1970-01-01 UTC, by this start's own steady clock.

        It is set once at the start: setting the computer's clock meanwhile delays nothing.
        """
        wall, began = self._began
        return wall + running() - began

    def append(self, *events: Event, bodies: Sequence[bytes] = ()) -> None:
        """Write the events in one transaction, then let the state know: it never knows more than the log."""
        if not events:
            return
        at = self.now()
        self.claim.append(at, events, bodies)
        for version, event in enumerate(events, self.run.version + 1):
            evolve(self.run, version, at, event)
            if event.TYPE not in _QUIET:
                _logger.info(event.TYPE, run=self.claim.stream, version=version, **_keys(event))


def _keys(event: Event) -> dict[str, object]:
    return {
        k: v for k in ("job", "batch_id", "reason", "status") if (v := getattr(event, k, None)) is not None
    }


class Notes:
    """What the model is told about its previous answer to an item. Read from the log when it is needed."""

    def __init__(self, log: Log, stream: str, run: Run) -> None:
        self._log = log
        self._stream = stream
        self._run = run
        self._known: dict[int, str | None] = {}  # by the outcome's version

    def of(self, index: int) -> str | None:
        """Return the note for the item's next request; None without an answer to complain about."""
        version = self._run.items.outcome[index]
        if not version:
            return None
        if version not in self._known:
            (recorded,) = self._log.events_at(self._stream, [version])
            outcome = recorded.event if isinstance(recorded.event, OutcomeRecorded) else None
            self._known[version] = note_on(outcome)
        return self._known[version]
