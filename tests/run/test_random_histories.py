"""Random histories: faults, kills, limits, cancels and second chances in any order, and it still adds up.

The same histories each time; with HISTORIES=200 in the environment so many others, drawn anew.
"""

from __future__ import annotations

import json
import os
import re
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from crash_boundaries import SEAMS, Boundary, die_at, watch
from crash_support import GEMINI, OPENAI, OTHERS, bill, check_verified, make_manager
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from resume_support import Script, check_money, fresh, known_batches, paid_by_item, seen
from run_support import MODEL, Runs

from batchata import BatchManager
from batchata.core.evolve import fold
from batchata.core.ranges import iterate
from batchata.core.state import UNSETTLED, Run
from batchata.errors import IncompleteResultsError, LogError, UnknownSubmissionError
from batchata.sandbox import Answer, Faults, Request

_EXAMPLES = int(os.environ.get("HISTORIES", "0"))
_LIMITS = [
    "0.06",
    "0.115",
    "0.17",
    "1",
]  # USD; an answer costs a bit more than 0.05 at worst, and here always
_ENOUGH = "1"
_REFUSALS = st.lists(st.sampled_from([0, 408, 429, 500, 529]), max_size=3)
_DOUBTS = st.lists(st.sampled_from([0, 408, 409, 500, 529]), max_size=3)
_POSITIONS = st.sets(st.integers(0, 2), max_size=2)
_NONE_COUNTED = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
_FAULTS = st.fixed_dictionaries(
    {},
    optional={
        "create_status": _REFUSALS,
        "create_status_after": _DOUBTS,
        "lost_create_responses": st.integers(1, 3),
        "poll_status": _REFUSALS,
        "not_found_after_create": st.integers(1, 2),
        "list_status": _REFUSALS,
        "results_status": _REFUSALS,
        "cancel_status": _REFUSALS,
        "drop_results_after": st.lists(st.integers(-1, 2), max_size=3),
        "truncate_results": st.lists(st.integers(-1, 2), max_size=3),
        "errored": _POSITIONS,
        "expired": _POSITIONS,
        "unknown_kind": _POSITIONS,
        "missing": st.sets(st.integers(1, 2), max_size=2),  # a batch without any line can never be told
        "duplicated": _POSITIONS,
        "foreign": st.integers(1, 2),
        "counts": st.sampled_from([_NONE_COUNTED, _NONE_COUNTED | {"succeeded": 1}]),
        "results_instead": st.lists(st.sampled_from([None, "", "<html>\n</html>\n"]), max_size=3),
        "lost_uploads": st.integers(1, 2),
        "unfound_files": st.integers(1, 2),
        "queue_full": st.integers(1, 2),
        "status_zero": _POSITIONS,
        "processed": st.sampled_from([0.0, 0.5, 1.0]),
    },
)


def _story(runs: Runs, what: str, boundary: Boundary | None, given: dict[str, Any]) -> None:
    """One call of the manager, up to the boundary or to its end; it may stop at what nothing can prove."""
    if boundary is not None:
        watch(die_at(boundary, runs.log.parent / "seen.json"))
    # Results may lack paid answers, and those of a candidate for a lost batch may not be read either.
    with suppress(IncompleteResultsError, UnknownSubmissionError), refused_before_it_began(what):
        getattr(make_manager(runs, **given), what)()


@contextmanager
def refused_before_it_began(what: str) -> Iterator[None]:
    """A second chance for a run that has had no first one is refused."""
    try:
        yield
    except LogError as exc:
        if what != "retry_failed" or "the run was never started" not in str(exc):
            raise


class Histories(RuleBasedStateMachine):
    """One run, started again and again by scripts that may be killed, at a provider that has bad days."""

    @initialize(
        count=st.integers(1, 5),
        items_per_job=st.integers(1, 3),
        parallel=st.integers(1, 3),
        slow=st.sampled_from([0.0, 0.2]),
        model=st.sampled_from([MODEL, OPENAI, GEMINI, *OTHERS.values()]),
    )
    def begin(self, count: int, items_per_job: int, parallel: int, slow: float, model: str) -> None:
        self.given = {
            "model": model,
            "count": count,
            "items_per_job": items_per_job,
            "max_parallel_jobs": parallel,
            "max_wait_time": 3,
        }
        self.allowed = Decimal(0)  # the most that any start was allowed to spend
        self.ends = ExitStack()
        memory = Path("/dev/shm")
        folder = self.ends.enter_context(tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None))
        sandbox = {"answers": _dear, "delay": slow}
        self.runs = self.ends.enter_context(fresh(Path(folder) / "run", **sandbox))

    @rule(faults=_FAULTS)
    def the_provider_has_a_bad_day(self, faults: dict[str, Any]) -> None:
        self.runs.sandbox.faults = Faults(**faults)

    @rule(
        what=st.sampled_from(["run", "run", "run", "cancel", "retry_failed"]),
        limit=st.sampled_from(_LIMITS),
        boundary=st.none() | st.builds(Boundary, st.sampled_from([*SEAMS]), st.integers(1, 20)),
    )
    def it_is_started(self, what: str, limit: str, boundary: Boundary | None) -> None:
        self.allowed = max(self.allowed, Decimal(limit))
        if not seen(self.runs, "run_started")():
            what = "run" if what == "retry_failed" else what  # which would be refused
        story = partial(_story, what=what, boundary=boundary, given=self.given | {"max_cost": limit})
        if boundary is None:
            story(self.runs)
        else:
            code = Script(self.runs, story=story).ends()
            assert code in (0, -signal.SIGKILL), (self.runs.log.parent / "stderr.txt").read_text()
        self.check()

    def check(self) -> None:
        """What holds at every moment."""
        assert bill(self.runs) <= self.allowed, f"{bill(self.runs)} was billed, {self.allowed} allowed"
        if not seen(self.runs, "run_started")():
            assert self.runs.sandbox.batches == []
            return  # killed before there was a run
        state = fold(self.runs.events())
        check_verified(self.runs.log)
        assert state.total == state.completed + state.failed + state.pending
        assert state.spent <= bill(self.runs)
        self.check_batches(state)
        self.check_paid_once(state)

    def check_batches(self, state: Run) -> None:
        """Every batch is a job's, or may be that of a job whose fate is unknown."""
        known = set(known_batches(self.runs))
        unknown = [job for job in state.jobs.values() if job.status in UNSETTLED]
        awaited = {job.custom_id(index) for job in unknown for index in job.indexes()}
        for batch in self.runs.sandbox.batches:
            assert batch.id in known or set(batch.custom_ids) <= awaited, f"nobody knows {batch.id}"

    def check_paid_once(self, state: Run) -> None:
        """An answer is paid again only where the provider left it out of its results."""
        allowed = Counter(dict.fromkeys(range(state.total), 1))
        for recorded in self.runs.events():
            event = recorded.event
            if event.TYPE == "retry_scheduled" and event.reason == "missing":
                allowed.update(iterate(event.items))
            if event.TYPE == "job_abandoned":
                allowed.update(state.jobs[event.job].indexes())
        assert paid_by_item(self.runs) <= allowed

    def teardown(self) -> None:
        if not hasattr(self, "ends"):
            return
        with self.ends:
            self.everything_ends_well()

    def everything_ends_well(self) -> None:
        """On a good day and with enough money each item gets its result, whatever has happened."""
        self.runs.sandbox.faults = Faults()
        self.allowed = max(self.allowed, Decimal(_ENOUGH))
        manager = make_manager(self.runs, **self.given | {"max_cost": _ENOUGH, "max_wait_time": 30})
        self.run_to_its_end(manager)
        summary = manager.retry_failed()
        count = self.given["count"]
        assert (summary["completed_items"], summary["total_items"]) == (count, count), summary
        results = [entry["result"] for entry in manager.results()]
        assert [result.said for result in results] == [f"message {n}" for n in range(count)]
        self.check()
        missing = any(
            e.event.TYPE == "job_abandoned"
            or (e.event.TYPE == "outcome_recorded" and e.event.kind == "missing")
            for e in self.runs.events()
        )
        if not missing:  # what was left out is in the bill and nowhere else
            check_money(self.runs, summary["total_cost"], list(manager.items()))

    def run_to_its_end(self, manager: BatchManager) -> None:
        """Answers whose lines a batch never had are given up, as the error says."""
        for _ in range(20):
            try:
                manager.run()
            except IncompleteResultsError as error:
                said = "\n".join([str(error), *getattr(error, "__notes__", [])])
                for number in sorted(set(re.findall(r"manager\.abandon\((\d+)\)", said))):
                    manager.abandon(int(number))
            else:
                return
        raise AssertionError("it never ends")


def _dear(request: Request) -> Answer:
    """An echo at the highest price that is reserved for it, but for the tokens of its input."""
    said = request.text
    return Answer(json.dumps({"said": said, "length": len(said)}), usage={"output_tokens": 10_000})


def test_whatever_happens_nothing_is_lost_or_paid_twice_and_the_limit_holds() -> None:
    """At each moment of each history: bill, log, batches and items agree; in the end all are completed."""
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=_EXAMPLES or 10,
            stateful_step_count=8,
            derandomize=not _EXAMPLES,
            database=None,
            deadline=None,
            phases=[Phase.generate],  # a history takes seconds: a failing one is shown as it is
            suppress_health_check=list(HealthCheck),
        ),
    )
