"""The tree of errors, grouped by what the caller can do about them.

BatchataError
├── InvalidInputError (ValueError)      change the call: an argument, a file, a message
│   ├── FileInputError                  … these files
│   └── UnsupportedModelError           … this model
├── ConfigurationError                  change the environment: key, base URL, an extra that is not installed
├── LogError                            look at the log file
│   ├── NotALogError                    … it is something else
│   ├── LogVersionError                 … a newer Batchata wrote it
│   ├── RunMismatchError                … its run was started with other inputs or another model
│   ├── RunClaimedError                 … another process drives this run
│   ├── LogConflictError                … another process appended to this run
│   └── LogWriteError                   … it cannot be written (disk full, read-only, gone)
├── ProviderError                       look at the provider
│   ├── RequestRefusedError             … it refused what was sent; sending it again will not help
│   │   ├── AuthenticationFailedError   … the key
│   │   ├── SpendLimitError             … the account's money
│   │   ├── BatchNotFoundError          … no such batch in this key's workspace
│   │   ├── UnreadableReplyError        … what it says makes no sense: is the base URL right?
│   │   └── ResultsExpiredError         … results are kept for a time, and these were not fetched in it
│   ├── ProviderUnavailableError        … it gave no answer or a temporary no; it may be tried again
│   │   └── RateLimitedError            … tried again later
│   └── UnknownSubmissionError          … a batch may or may not have been created
├── IncompleteResultsError              the results ended too early; they can be fetched again
└── CostLimitError                      raise max_cost, or give a price

Warnings: BatchataWarning (UserWarning) ← RetiredModelWarning, UnknownModelWarning, ExpiringResultsWarning,
HalfLogWarning, PendingRunWarning, UnsavedRunWarning, UntriedProviderWarning.

A request that failed is a result, not an exception: see `ItemResult.error`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "AuthenticationFailedError",
    "BatchNotFoundError",
    "BatchataError",
    "BatchataWarning",
    "ConfigurationError",
    "CostLimitError",
    "ExpiringResultsWarning",
    "FileInputError",
    "HalfLogWarning",
    "IncompleteResultsError",
    "InvalidInputError",
    "LogConflictError",
    "LogError",
    "LogVersionError",
    "LogWriteError",
    "NotALogError",
    "PendingRunWarning",
    "ProviderError",
    "ProviderUnavailableError",
    "RateLimitedError",
    "RequestRefusedError",
    "ResultsExpiredError",
    "RetiredModelWarning",
    "RunClaimedError",
    "RunMismatchError",
    "SpendLimitError",
    "UnknownModelWarning",
    "UnknownSubmissionError",
    "UnreadableReplyError",
    "UnsavedRunWarning",
    "UnsupportedModelError",
    "UntriedProviderWarning",
]


def short_traceback(error: BaseException) -> list[str]:
    """Return the lines of the program that led to an error, without those of Batchata, and the error."""
    import sys
    import traceback

    shell = getattr(sys.modules.get("IPython"), "__file__", None) or __file__
    inner = (str(Path(__file__).parent), str(Path(shell).parent))
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(inner)]
    shown = [*traceback.format_list(frames), *traceback.format_exception_only(error)]
    return [line.rstrip("\n") for line in shown]


class BatchataError(Exception):
    """Every error that Batchata raises on purpose. `kind` is its name in the log."""

    kind = "error"
    in_a_shell: str | None = None  # what the command line says instead, which has no arguments

    def _render_traceback_(self) -> list[str]:
        """Return what IPython and notebooks show: it is the program that is to be changed."""
        return short_traceback(self)


class InvalidInputError(BatchataError, ValueError):
    """An argument, a file or a message cannot be used as it is; nothing was written or sent."""


@dataclass(frozen=True, slots=True)
class BadFile:
    """One of `files` that cannot be used: its place in the list, its path or name if any, and why.

    broken = {file.index: file.reason for file in error.bad_files}
    """

    index: int
    name: str | None
    reason: str


class FileInputError(InvalidInputError):
    """Input files that cannot be used; the message names them and says why.

    `bad_files` are all of them, also where the message shows only some.
    """

    kind = "file_error"

    def __init__(self, message: str, bad_files: Sequence[BadFile] = ()) -> None:
        super().__init__(message)
        self.bad_files = tuple(bad_files)


class UnsupportedModelError(InvalidInputError):
    """No model of that name, or the model cannot do what the call needs."""


class ConfigurationError(BatchataError):
    """The environment lacks something: a key, a valid base URL, an optional package."""


class LogError(BatchataError):
    """The event log cannot be used."""


class NotALogError(LogError):
    """The path exists but is not a Batchata log."""


class LogVersionError(LogError):
    """The log was written by a newer Batchata than this one."""


class RunMismatchError(LogError):
    """The log's run was started with other inputs, prompt, model or schema; the message says what differs."""


class RunClaimedError(LogError):
    """Another process drives this run; the message names it."""


class LogConflictError(LogError):
    """Another writer appended to the run; this process must stop. Its last append was not written."""


class LogWriteError(LogError):
    """The log cannot be written: the disk is full, the file read-only or gone."""


class ProviderError(BatchataError):
    """The provider did not do what was asked."""

    def __init__(self, message: str, *, kind: str = "provider_error", status: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status


class RequestRefusedError(ProviderError):
    """A definite no (HTTP 4xx): nothing was created, and the same request will be refused again.

    `position` is the place in the job, counted from 0, of the one request that it was refused for; None where
    none is named.
    """

    position: int | None = None
    schema_refused = False  # for the schema of its output format, and not without


class AuthenticationFailedError(RequestRefusedError):
    """The key is missing, wrong, or may not do this (HTTP 401, 403)."""


class SpendLimitError(RequestRefusedError):
    """The account's credit or monthly spend limit is used up; waiting seconds will not help."""


class BatchNotFoundError(RequestRefusedError):
    """The provider knows no such batch under this key (HTTP 404)."""


class UnreadableReplyError(RequestRefusedError):
    """A reply that is not this API's, or cannot be read: asking again would not change that.

    Never raised for the creation of a batch, which is an UnknownSubmissionError then.
    """


class ResultsExpiredError(RequestRefusedError):
    """The provider keeps the results of a batch for a number of days from its creation; these are gone."""


class ProviderUnavailableError(ProviderError):
    """No answer, or a temporary no, to a request that may be repeated: a creation certainly had no effect.

    `retry_after` is what the provider asked for, in seconds, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str = "unavailable",
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, kind=kind, status=status)
        self.retry_after = retry_after


class RateLimitedError(ProviderUnavailableError):
    """Too many requests (HTTP 429 with a short wait)."""


class UnknownSubmissionError(ProviderError):
    """The create call ended without a clear answer: a batch may or may not exist, and may cost money.

    `final` says that another call would end in the same way: nothing more is sent until a person has looked.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str = "provider_error",
        status: int | None = None,
        final: bool = False,
    ) -> None:
        super().__init__(message, kind=kind, status=status)
        self.final = final


class IncompleteResultsError(BatchataError):
    """A download of results ended too early, or holds a line that is not a result."""

    kind = "incomplete_results"


class CostLimitError(BatchataError):
    """The run cannot start within `max_cost`, or its price is unknown while `max_cost` is set."""


class BatchataWarning(UserWarning):
    """Every warning that Batchata gives."""


class RetiredModelWarning(BatchataWarning):
    """The model is past its end of life: requests to it are expected to fail."""


class ExpiringResultsWarning(BatchataWarning):
    """Results that were paid for will not be kept much longer, or are not kept any more."""


class UnknownModelWarning(BatchataWarning):
    """The model is not in Batchata's table: its abilities are guesses."""


class HalfLogWarning(BatchataWarning):
    """The log holds no run, and may be a copy whose newest events were left behind."""


class PendingRunWarning(BatchataWarning):
    """A call of `run()` ended before the run did: what is still at the provider, and how to go on."""


class UnsavedRunWarning(BatchataWarning):
    """The run has no `state_path`: what this process does not collect before it ends is lost, though paid."""


class UntriedProviderWarning(BatchataWarning):
    """Batchata was never run against this provider's live service: begin with a few items."""
