"""Judge calls that failed: how long to wait, whether to believe a refusal, and which item it is for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from batchata.core.error_kinds import TOO_LARGE
from batchata.core.state import Job
from batchata.errors import (
    AuthenticationFailedError,
    BatchataError,
    IncompleteResultsError,
    ProviderUnavailableError,
    RequestRefusedError,
    UnknownSubmissionError,
    UnreadableReplyError,
)
from batchata.run.journal import Journal

_SECOND = 1_000_000
_DEFAULT_PAUSE = 2.0  # seconds after a failed call, doubled while failures go on
_LONGEST_PAUSE = 60.0
_LONGEST_ASKED = 3600.0  # seconds that a provider may ask for; what it says by then is worth another look
_DOUBLINGS = 5
_FULL_DOUBLINGS = 9
_LONGEST_FULL = 600.0  # seconds between two attempts to send into a queue that was full
_ODD_ANSWERS = 3  # definite refusals of questions, one after another, put down to a gateway in between
MOST_REFUSED = 10  # items that jobs are refused for, one after another, before it seems to be all of them


class Pauses:
    """How calls of this start have gone: nothing new is sent before `until`, in microseconds."""

    def __init__(self, journal: Journal, random: Callable[[], float]) -> None:
        self._journal = journal
        self._random = random
        self.until = 0
        self._failures = 0  # rounds of failures, one after another
        self._full = 0  # queues that were full, since a batch was worked on
        self._is_known = False  # whether key and address were good for a call in this start
        self._odd: Counter[str] = Counter()  # questions that were refused since one was answered, by kind

    def answered(self) -> None:
        """Note that a call was answered."""
        self._failures, self._is_known = 0, True
        self._odd.clear()

    def worked_on(self) -> None:
        """Note that the provider works on a batch: its queue had room."""
        self._full = 0

    def failed(self, error: BatchataError) -> int:
        """Note that a call failed, and return the time before which it is not repeated."""
        if self._journal.now() >= self.until:  # calls that failed side by side are one failure
            self._failures += 1
        asked = error.retry_after if isinstance(error, ProviderUnavailableError) else None
        own = self._seconds(self._failures) * (1 - self._random() / 2)
        return self._send_nothing_for(max(min(asked or 0.0, _LONGEST_ASKED), own))

    def full(self) -> int:
        """Note that a queue was full, and return the time before which nothing more is sent into it."""
        self._full += 1
        return self._send_nothing_for(
            min(self._seconds(1) * 2 ** min(self._full, _FULL_DOUBLINGS), _LONGEST_FULL)
        )

    def again(self, times: int) -> int:
        """Return when to ask again what was asked so many times to no avail."""
        return self._journal.now() + int(self._seconds(times) * _SECOND)

    def is_odd(self, doing: str, error: BatchataError) -> bool:
        """Whether a refusal contradicts earlier answers, such as a gateway's passing 403, 404 or login page.

        What is refused again and again is believed.
        """
        if not self._is_known or error.kind == "redirected":
            return False
        if not isinstance(error, AuthenticationFailedError | RequestRefusedError | UnreadableReplyError):
            return False
        self._odd[doing] += 1
        return self._odd[doing] <= _ODD_ANSWERS

    def _send_nothing_for(self, seconds: float) -> int:
        not_before = self._journal.now() + int(seconds * _SECOND)
        self.until = max(self.until, not_before)
        return not_before

    def _seconds(self, failures: int) -> float:
        settings = self._journal.run.settings
        assert settings is not None
        base = _DEFAULT_PAUSE if settings.poll_interval is None else settings.poll_interval
        return float(min(base * 2 ** min(failures - 1, _DOUBLINGS), _LONGEST_PAUSE))


def is_passing(error: BatchataError) -> bool:
    """Whether the same call may be answered later."""
    if isinstance(error, UnknownSubmissionError):
        return not error.final
    return isinstance(error, ProviderUnavailableError | IncompleteResultsError)


def refused_item(job: Job, error: BatchataError) -> int | None:
    """Return the item for which a whole job is refused: the one that the refusal names, or its only one."""
    if not isinstance(error, RequestRefusedError):
        return None
    if error.kind == TOO_LARGE and job.request_count == 1:
        return next(job.indexes())
    if (named := item_at(job, error.position)) is not None:
        return named
    # A custom id belongs to one request: an error that quotes it means that request.
    quoted = re.search(re.escape(job.custom_ids).replace(re.escape("{index}"), r"(\d+)"), str(error))
    return int(quoted[1]) if quoted is not None and int(quoted[1]) in set(job.indexes()) else None


def item_at(job: Job, position: int | None) -> int | None:
    """Return the item whose request has this place in the job; None where there is no such place."""
    if position is None or not 0 <= position < job.request_count:
        return None
    return list(job.indexes())[position]


def named_among(error: BatchataError, place: str) -> RequestRefusedError:
    """Return the part of the refusal that repeats, one item after another."""
    return RequestRefusedError(
        f"{MOST_REFUSED} items were refused one after another and have failed; {place} was next: {error}",
        kind=error.kind,
    )
