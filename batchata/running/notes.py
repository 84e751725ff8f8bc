"""The notes that go with requests that are sent again, from the outcomes in the log."""

from __future__ import annotations

from batchata.core.events import OutcomeRecorded
from batchata.core.feedback import note_on
from batchata.core.state import Run
from batchata.log.port import Log


class Notes:
    """What the model is told about its previous answer to an item. Read from the log when it is needed."""

    def __init__(self, log: Log, stream: str, run: Run) -> None:
        self._log = log
        self._stream = stream
        self._run = run
        self._known: dict[int, str | None] = {}  # by the outcome's version

    def of(self, index: int) -> str | None:
        """The note for the item's next request; None for one without an answer to complain about."""
        version = self._run.items.outcome[index]
        if not version:
            return None
        if version not in self._known:
            (recorded,) = self._log.events_at(self._stream, [version])
            outcome = recorded.event if isinstance(recorded.event, OutcomeRecorded) else None
            self._known[version] = note_on(outcome)
        return self._known[version]
