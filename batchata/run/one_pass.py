"""Do everything that is due once, however little time a call of run() has to wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from batchata.core.decide import Cancel, Collect, Poll, Settle, Step, Submit
from batchata.errors import RequestRefusedError
from batchata.run import reports


@dataclass(slots=True)
class OnePass:
    """Remembers what this call has done, so that its first pass can be told from waiting.

    The pass asks once about each batch that was there at the beginning, collects those that have ended and
    sends what may be sent, however long that takes. Waiting is to ask a second time, to ask about what was
    sent just now, and to try again what has just failed.
    """

    _asked: set[int] = field(default_factory=set)
    _sent: set[int] = field(default_factory=set)
    _tried: set[tuple[type[Step], int]] = field(default_factory=set)
    _refused: bool = False  # no batch can be created for now, so the next one would not be either

    def note(self, step: Step) -> None:
        """Note that this step is being carried out."""
        match step:
            case Submit(number=job):
                self._sent.add(job)
            case Poll(jobs=jobs):
                self._asked.update(jobs)
            case Settle(job=job) | Collect(job=job) | Cancel(job=job):
                self._tried.add((type(step), job))
            case _:
                pass

    def take(self, report: reports.Report) -> None:
        """Note that a call has ended."""
        if isinstance(report, reports.CallFailed) and report.doing == "submit":
            # What is refused for one item's sake goes on without it; other refusals end the sending anyway.
            self._refused = self._refused or not isinstance(report.error, RequestRefusedError)

    def rest(self, steps: Iterable[Step]) -> list[Step]:
        """Return which of these steps are still to be done in this pass."""
        return [left for step in steps if (left := self._left(step)) is not None]

    def is_under_way(self, busy: Mapping[int, str]) -> bool:
        """Whether one of these calls, by job, belongs to the pass."""
        return any(job not in self._sent or doing == "submit" for job, doing in busy.items())

    def _left(self, step: Step) -> Step | None:
        match step:
            case Poll(jobs=jobs):
                unasked = tuple(job for job in jobs if job not in self._asked | self._sent)
                return Poll(unasked) if unasked else None
            case Settle(job=job) | Collect(job=job) | Cancel(job=job):
                return None if job in self._sent or (type(step), job) in self._tried else step
            case Submit():
                return None if self._refused else step
            case _:
                return step
