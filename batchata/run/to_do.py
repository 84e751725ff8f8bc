"""Say what one call of `drive` is to do, and whether anything of it is left."""

from __future__ import annotations

from dataclasses import dataclass

from batchata.core.state import Run
from batchata.core.values import Settings
from batchata.errors import InvalidInputError
from batchata.run.definition import Definition
from batchata.run.hooks import OnItem
from batchata.run.pilot import Choice
from batchata.run.same_run import changes
from batchata.run.settings import seconds_of
from batchata.text import shown

_PLACES = {"results_dir", "raw_results_dir"}  # settings that give even a finished run something to do


@dataclass(frozen=True, slots=True)
class Call:
    """What one call of `drive` is to do.

    With `once` each batch is polled only once. With `retry_failed` failed items get a fresh set of attempts
    first, and longer answers with `max_tokens`. With `cancel` nothing is sent, open batches are cancelled,
    and what they finished is collected. `choice` says which items may be sent from now on; None leaves that
    as the last start decided it. `wait` replaces `max_wait_time` for this call. `every` is the number of
    seconds between signs of life without a terminal, None for the usual one. `on_item` is called beside the
    manager's own.
    """

    once: bool = False
    show_progress: bool = False
    retry_failed: bool = False
    max_tokens: int | None = None
    cancel: bool = False
    choice: Choice | None = None
    wait: float | None = None
    every: float | None = None
    on_item: OnItem | None = None

    def __post_init__(self) -> None:
        """Check what the caller of a method gave first: `run(20)` must not send all items.

        Raises InvalidInputError.
        """
        if not isinstance(self.show_progress, bool):
            raise InvalidInputError(
                f"print_progress must be True or False, not {shown(self.show_progress)}; give anything else "
                "by its name, such as run(limit=20) or retry_failed(max_tokens=8000)"
            )
        seconds_of("progress_interval", self.every)


def is_nothing_to_do(call: Call, run: Run, definition: Definition, settings: Settings) -> bool:
    """Whether the call would change nothing in a run that has begun.

    A finished run takes up no other limit or pace, only another place for its results.
    """
    changed = changes(run, settings, definition.max_tokens)
    if run.status == "completed":
        is_wanted = changed.keys() & _PLACES or _lifts(call, run)
        return not (is_wanted or is_work_left(call, run, definition))
    return not changed and _is_pilot_done(call, run, definition)


def is_work_left(call: Call, run: Run, definition: Definition) -> bool:
    """Whether items or jobs are to be sent, collected or brought to their end."""
    if run.pending or run.open:  # a job may have been killed between its last outcome and its completion
        return True
    return definition.count > run.total or bool(call.retry_failed and run.failed)


def _lifts(call: Call, run: Run) -> bool:
    """Whether the call is for all items after a call for some, which `retry_failed()` would still keep to."""
    return call.choice == Choice() and run.choice is not None and run.choice.items is not None


def _is_pilot_done(call: Call, run: Run, definition: Definition) -> bool:
    """Whether the call asks for the same pilot as the last start, which has completed it."""
    if call.choice is None or call.retry_failed or definition.count > run.total:
        return False
    return run.interrupted_by == "pilot" and run.is_pilot_done and call.choice.of_run(run) == run.choice
