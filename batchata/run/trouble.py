"""End the sending of new jobs for this start, and give up on jobs that no call gets further.

Results that are paid for come first: whatever is refused, what lies at the provider is collected before the
error is raised.
"""

from __future__ import annotations

from collections.abc import Iterable

from batchata.core.events import SubmittingStopped
from batchata.core.state import Run
from batchata.core.values import RequestError
from batchata.errors import BatchataError, SpendLimitError
from batchata.logs import get_logger

_logger = get_logger()
NO_CREDIT = (
    "nothing more is sent until the account has credit; what was not answered stays pending, and the next "
    "start of the same script goes on"
)


class Trouble:
    """The errors that waiting cannot cure, kept until nothing is left to collect."""

    def __init__(self) -> None:
        self.error: BatchataError | None = (
            None  # the first, which is the one to raise; the others are its notes
        )
        self.stuck: set[int] = set()  # jobs that no call would get any further in this start
        self._said: set[str] = set()

    def meet(self, run: Run, error: BatchataError, stuck: Iterable[int] = ()) -> list[SubmittingStopped]:
        """Remember the error, and decide to send nothing more, unless that was decided already."""
        self.stuck.update(stuck)
        if isinstance(error, SpendLimitError):
            error = SpendLimitError(f"{error}; {NO_CREDIT}", kind=error.kind, status=error.status)
        said = str(error)
        if self.error is None:
            self.error = error
        elif said not in self._said:
            self.error.add_note(f"also: {said}")
        self._said.add(said)
        if run.sending_ended is not None:
            return []
        name = None if run.started is None else run.started.run_id
        _logger.warning("submitting_stopped", run=name, open_jobs=len(run.open), error=said)
        return [SubmittingStopped(error=as_error(error))]


def as_error(error: BatchataError) -> RequestError:
    """Return the error as it stands in the log."""
    return RequestError(kind=error.kind, message=str(error))
