"""Print whether the log can be trusted, or what in it cannot: `verify`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from batchata.clock import now
from batchata.errors import InvalidInputError, LogError, LogVersionError
from batchata.log import read_log
from batchata.log.port import Log
from batchata.log.verify import Problem
from batchata.replay.console import Paper, print_json, the_run
from batchata.text import by_kind, clean, number_of, shown
from batchata.views.verification import Verdict, verify_run

_HEAD = re.compile(r"[0-9a-f]{12,64}")


def verify_log(path: str, run_id: str | None, head: str | None, *, json: bool) -> bool:
    """Print what every check of the run, or of all runs, found; return True when all hold.

    `head` is the hash that a run named when it ended, or at least 12 of its digits.

    Raises NotALogError or LogVersionError for what is no readable log, InvalidInputError when it holds no
    such run or when `head` is no hash.
    """
    wanted = None if head is None else _checked(head)
    log = read_log(path)
    try:
        verdicts, of_file = _every_check(log, path, run_id, wanted)
    finally:
        log.close()
    if json:
        print_json(_as_json(verdicts, of_file))
    else:
        _print(verdicts, of_file)
    return not of_file and not any(verdict.problems for verdict in verdicts)


def verify_values(log: Log, place: str, run_id: str | None, head: str | None) -> dict[str, Any]:
    """Return what `verify --json` prints; `place` is the name of the log in messages.

    Raises what `verify_log` raises.
    """
    return _as_json(*_every_check(log, place, run_id, None if head is None else _checked(head)))


def _every_check(
    log: Log, place: str, run_id: str | None, wanted: str | None
) -> tuple[list[Verdict], list[Problem]]:
    """Return the verdicts on the runs, and what is wrong with the log as a whole."""
    with log.snapshot() as seen:
        of_file = [Problem(None, text) for text in seen.faults()]
        verdicts = _verdicts(seen, place, run_id, wanted, of_file)
    if wanted is not None and all(verdict.since is None for verdict in verdicts):
        of_file.append(
            Problem(
                None, f"no commit has the hash {wanted}: the end of the log was cut off, or it is another log"
            )
        )
    return verdicts, of_file


def _checked(head: str) -> str:
    found = head.strip().lower() if isinstance(head, str) else ""
    if not _HEAD.fullmatch(found):
        raise InvalidInputError(
            f"head {shown(head)} is not a log's hash; give its 64 hex digits, or the first 12 or more"
        )
    return found


def _verdicts(
    log: Log, path: str, run_id: str | None, head: str | None, of_file: list[Problem]
) -> list[Verdict]:
    try:
        runs = log.streams()
    except LogError as exc:
        if not of_file:
            raise
        of_file.append(Problem(None, str(exc)))
        return []
    if not runs and not of_file:
        raise LogError(log.no_run_yet())
    wanted = runs if run_id is None else [the_run(log, path, run_id)]
    found: list[Verdict] = []
    for stream in wanted:
        try:
            found.append(verify_run(log, stream, head, now()))
        except LogVersionError:
            raise
        except LogError as exc:
            of_file.append(Problem(None, f"run {stream}: {exc}"))
    return found


def _as_json(verdicts: Sequence[Verdict], of_file: Sequence[Problem]) -> dict[str, Any]:
    runs = [
        {
            "run_id": verdict.run_id,
            "ok": not verdict.problems,
            "events": verdict.events,
            "commits": verdict.commits,
            "bodies": verdict.bodies,
            "purged_bodies": verdict.purged,
            "citations_checked": {name.replace(" ", "_"): n for name, n in verdict.citations.items()},
            "head": verdict.head,
            "events_since_head": verdict.since,
            "problems": [problem._asdict() for problem in verdict.problems],
            "remarks": verdict.remarks,
        }
        for verdict in verdicts
    ]
    everything = [*of_file, *(problem for verdict in verdicts for problem in verdict.problems)]
    return {"ok": not everything, "problems": [problem.text for problem in everything], "runs": runs}


def _print(verdicts: Sequence[Verdict], of_file: Sequence[Problem]) -> None:
    paper = Paper()
    for problem in of_file:
        paper.field("problem", clean(problem.text), "red")
    for verdict in verdicts:
        paper.field("run", clean(verdict.run_id), "bold")
        paper.field(
            "holds",
            f"{number_of(verdict.events, 'event')} in {number_of(verdict.commits, 'commit')}, "
            f"{number_of(verdict.bodies, 'body', 'bodies')}"
            + (f", of which {verdict.purged:,} were purged" if verdict.purged else ""),
        )
        if verdict.citations:
            told = by_kind(verdict.citations) or "none"
            paper.field("citations", f"{told} in the documents, as checked when answers were collected")
        for problem in verdict.problems:
            paper.field("problem", clean(problem.text), "red")
        for remark in verdict.remarks:
            paper.field("remark", clean(remark), "yellow")
        if verdict.since is not None:
            later = f", and {number_of(verdict.since, 'event')} later" if verdict.since else ""
            paper.field("head", f"as it was noted{later}")
        paper.field("log head", verdict.head or "-")
    count = len(of_file) + sum(len(verdict.problems) for verdict in verdicts)
    left = " that was not purged" if any(verdict.purged for verdict in verdicts) else ""
    said = number_of(count, "problem") + " found" if count else _WHAT_HOLDS.format(left=left)
    paper.field("verdict", said, "bold red" if count else "bold green")


_WHAT_HOLDS = (
    "all hold: the hash chain, versions without gaps, every body{left} as it was written, counts and money, "
    "answers and outcomes, and two replays give the same state"
)
