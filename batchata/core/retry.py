"""Decide which failed requests may be paid for again, and when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from batchata.core.error_kinds import BROKEN_OFF, SPENT
from batchata.core.events import AnswerAccepted, OutcomeRecorded, RetryScheduled
from batchata.core.ranges import to_ranges
from batchata.core.state import ItemStatus, Job, Run

DEFAULT_RETRY_DELAY = 30.0  # seconds, doubled with every attempt
LONGEST_DELAY = 3600.0
CANCELED = "canceled"
SCHEMA_REFUSED = "schema_refused"  # … by the native way, which the run does not take any more
UNSUPPORTED = "unsupported_field"  # the answer fits, and what it cites says another value than it gives

# Sending the same request again cannot help, whoever the provider is; `Limits.final_errors` are such kinds of
# its own. An answer that was cut off would be cut off again; what may be changed about that is for the user
# to say.
# A canceled request is not sent again either, unless we asked for the cancellation ourselves.
FINAL = frozenset(
    {
        "refusal",
        "unknown_shape",  # paid for, and the next answer would come in the same shape
        "response_model_error",  # the response model itself is broken, whatever the answer
        "max_tokens",
        "model_context_window_exceeded",
        CANCELED,
    }
)


# What says nothing of the request itself: the attempt does not count, and nothing is waited for.
_AT_ONCE = (CANCELED, SPENT, SCHEMA_REFUSED)


def backoff(attempt: int, base: float, jitter: float) -> float:
    """Return seconds to wait before this attempt (2, 3, …): doubled each time, minus up to half.

    `jitter` is a random number in [0, 1), given from outside so that the rule stays pure.
    """
    return float(min(base * 2 ** (attempt - 2), LONGEST_DELAY) * (1 - jitter / 2))


def schedule_retries(
    run: Run, job: Job, undecided: Mapping[int, str], now: int, random: Callable[[], float]
) -> list[RetryScheduled]:
    """Decide to send items of this job again, one event for each reason and attempt.

    `undecided` maps the items without a usable answer to why that is so.
    """
    assert run.settings is not None
    final = FINAL.union(run.limits.final_errors)
    base = DEFAULT_RETRY_DELAY if run.settings.retry_delay is None else run.settings.retry_delay
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index, kind in sorted(undecided.items()):
        sent = run.items.attempts[index]
        if kind in (SPENT, SCHEMA_REFUSED) or (kind == CANCELED and job.cancel_requested):
            groups[kind, sent].append(index)  # not the request's doing: the attempt does not count
        elif kind not in final and sent < run.settings.max_attempts:
            groups[kind, sent + 1].append(index)
    decisions = []
    for (kind, attempt), indexes in groups.items():
        delay = 0.0 if kind in _AT_ONCE else round(backoff(attempt, base, random()), 6)
        decisions.append(
            RetryScheduled(
                job=job.number,
                items=to_ranges(indexes),
                attempt=attempt,
                delay=delay,
                not_before=now + int(delay * 1e6),
                reason=kind,
            )
        )
    return decisions


def accepted_after_all(run: Run) -> list[AnswerAccepted]:
    """Complete failed items with an answer that fits, where another was asked for and none was better."""
    return [
        AnswerAccepted(job=job, index=index, outcome=version, body=body)
        for index, (job, version, body) in run.items.kept.items()
        if run.items.status[index] == ItemStatus.FAILED
    ]


_LONGEST = 2_000  # characters of what was wrong
_TOO_LONG = (
    "Your previous answer to this was cut off because it was longer than {limit:,} tokens. "
    "Answer again, and more briefly."
)
_WRONG = (
    "Your previous answer to this could not be used:\n{why}\n"
    "Answer again, and see to it that this is not the case."
)
_CONTRADICTED = (
    "Your previous answer to this gives values that the passages cited for them do not say:\n{why}\n"
    "Answer again with the values that the document gives, each cited by the passage that says it."
)
# Not of the model's making.
_OUR_OWN = ("pause_turn", "model_context_window_exceeded", "max_tokens", BROKEN_OFF)


def note_on(outcome: OutcomeRecorded | None) -> str | None:
    """Return the note for the next attempt after this outcome; None when the model has nothing to correct.

    There is none after an answer that was cut off: with another prompt it would answer another question.
    """
    if outcome is None or outcome.error is None or outcome.kind != "succeeded":
        return None
    if outcome.error.kind in _OUR_OWN:
        return None
    why, words = outcome.error.message, _CONTRADICTED if outcome.error.kind == UNSUPPORTED else _WRONG
    return words.format(why=why if len(why) <= _LONGEST else f"{why[:_LONGEST]}…")


def noted_in(outcome: OutcomeRecorded | None, run: Run, job: int) -> str | None:
    """Return the note that went with a request in this job of the run, after this outcome.

    Jobs whose events have no `max_tokens` told the model about an answer that was cut off.
    """
    cut = outcome is not None and outcome.kind == "succeeded" and outcome.stop_reason == "max_tokens"
    if cut and run.jobs[job].max_tokens is None:
        return _TOO_LONG.format(limit=run.max_tokens_in(job))
    return note_on(outcome)
