"""What the model is told about an answer that could not be used, when its request is sent again."""

from __future__ import annotations

from batchata.core.events import OutcomeRecorded

_LONGEST = 2_000  # characters of what was wrong
_TOO_LONG = (
    "Your previous answer to this was cut off because it was longer than {limit:,} tokens. "
    "Answer again, and more briefly."
)
_WRONG = (
    "Your previous answer to this could not be used:\n{why}\n"
    "Answer again, and see to it that this is not the case."
)
_OUR_OWN = ("pause_turn", "model_context_window_exceeded")  # not of the model's making


def note_on(outcome: OutcomeRecorded | None, max_tokens: int) -> str | None:
    """The note for the next attempt after this outcome; None when the model has nothing to mend.

    `max_tokens` is the limit that the answer had.
    """
    if outcome is None or outcome.error is None or outcome.kind != "succeeded":
        return None
    if outcome.stop_reason == "max_tokens":
        return _TOO_LONG.format(limit=max_tokens)
    if outcome.error.kind in _OUR_OWN:
        return None
    why = outcome.error.message
    return _WRONG.format(why=why if len(why) <= _LONGEST else f"{why[:_LONGEST]}…")
