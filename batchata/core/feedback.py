"""What the model is told about an answer that could not be used, when its request is sent again."""

from __future__ import annotations

from batchata.core.events import OutcomeRecorded
from batchata.core.state import Run

_LONGEST = 2_000  # characters of what was wrong
_TOO_LONG = (
    "Your previous answer to this was cut off because it was longer than {limit:,} tokens. "
    "Answer again, and more briefly."
)
_WRONG = (
    "Your previous answer to this could not be used:\n{why}\n"
    "Answer again, and see to it that this is not the case."
)
_OUR_OWN = ("pause_turn", "model_context_window_exceeded", "max_tokens")  # not of the model's making


def note_on(outcome: OutcomeRecorded | None) -> str | None:
    """The note for the next attempt after this outcome; None when the model has nothing to mend.

    None too after an answer that was cut off: with another prompt it would answer another question.
    """
    if outcome is None or outcome.error is None or outcome.kind != "succeeded":
        return None
    if outcome.error.kind in _OUR_OWN:
        return None
    why = outcome.error.message
    return _WRONG.format(why=why if len(why) <= _LONGEST else f"{why[:_LONGEST]}…")


def noted_in(outcome: OutcomeRecorded | None, run: Run, job: int) -> str | None:
    """The note that went with a request in this job of the run, after this outcome.

    Jobs that do not say their `max_tokens` told the model of an answer that was cut off.
    """
    cut = outcome is not None and outcome.kind == "succeeded" and outcome.stop_reason == "max_tokens"
    if cut and run.jobs[job].max_tokens is None:
        return _TOO_LONG.format(limit=run.max_tokens_in(job))
    return note_on(outcome)
