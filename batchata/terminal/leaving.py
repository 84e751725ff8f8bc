"""Say what is open at the provider when a run is left early, and how to go on with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from batchata.core import decide
from batchata.core.state import Job, Run
from batchata.text import day, number_of

_MOST_NAMED = 50  # batches


def unsaved() -> str:
    """Say before a run begins with a log in memory what that means."""
    return (
        "this run has no state_path, so its log is in memory: if this process ends before the run does, its "
        "batches go on at the provider and are billed, nothing of them can be collected, and another start "
        'pays again. Give state_path="….db" to keep it'
    )


def left(run: Run, log: Path | None) -> str:
    """Say where a run stands that its user has stopped; `log` is its file, None for one in memory."""
    return " ".join(["stopped;", *(_in_memory(run) if log is None else _in_a_file(run, log))])


def out_of_time(run: Run, seconds: float, log: Path | None) -> str:
    """Say where a run stands whose waiting time is over."""
    began = f"max_wait_time ({seconds:,g} s) is over:"
    if log is None:
        return " ".join([began, *_in_memory(run)])
    return " ".join(
        [began, *_open(run), f"run() again, or the same script, continues{_until(run)} (log: {log})."]
    )


def _in_a_file(run: Run, log: Path) -> Iterator[str]:
    batches = len(_batches(run))
    if not run.open:
        yield f"nothing is open at the provider, and nothing is lost. {_pending(run)}"
        yield f"The same script goes on (log: {log})."
        return
    goes = "goes" if batches == 1 else "go"
    yield f"{number_of(batches, 'batch', 'batches')} {goes} on at the provider and nothing is lost."
    yield from _unsure(run)
    them = "it" if len(run.open) == 1 else "them"
    yield f"Collect {them} with the same script{_until(run)} (log: {log})."


def _in_memory(run: Run) -> Iterator[str]:
    yield "this run has no state_path, so nothing of it is kept on disk."
    named = [f"{job.batch_id} ({number_of(job.request_count, 'item')})" for job in _batches(run)]
    more = len(named) - _MOST_NAMED
    named[_MOST_NAMED:] = [f"{more:,} more (all in stats()['batches'])"] if more > 0 else []
    if named:
        yield f"Open at the provider: {', '.join(named)}."
    else:
        yield f"Nothing is open at the provider. {_pending(run)}"
    yield from _unsure(run)
    yield "run() in this process " + (f"collects them{_until(run)};" if run.open else "goes on;")
    yield 'another start would pay again. Give state_path="….db" next time.'


def _open(run: Run) -> Iterator[str]:
    """Name what is still at the provider, job by job, and what was not sent yet."""
    batches = len(_batches(run))
    if not run.open:
        yield f"nothing is open at the provider. {_pending(run)}"
        return
    jobs = number_of(batches, "job")
    yield f"{jobs} {'is' if batches == 1 else 'are'} still at the provider, and nothing is lost."
    yield from _unsure(run)


def _unsure(run: Run) -> Iterator[str]:
    if unsure := len(run.open) - len(_batches(run)):
        yield f"Whether {number_of(unsure, 'submission')} became a batch shows at the next start."


def _batches(run: Run) -> list[Job]:
    return [job for job in run.open.values() if job.batch_id is not None]


def _pending(run: Run) -> str:
    return f"{number_of(run.pending, 'item')} {'is' if run.pending == 1 else 'are'} pending."


def _until(run: Run) -> str:
    until = decide.kept_until(run)
    return f" until {day(until)}" if until else ""
