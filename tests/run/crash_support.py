"""The scripts of the crash matrix, the one case of it, and what must hold after each."""

from __future__ import annotations

import io
import json
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

from crash_boundaries import SEAMS, SEAMS_OF_POSTGRES, THOROUGH, Boundary, die_at, watch, write
from like_openai import OWN_WORDS, model_of
from resume_support import Script, Still, check_money, fresh, known_batches, paid_by_item, seen
from run_support import MODEL, Echo, Runs

from batchata import BatchManager, load_results_from_disk
from batchata.errors import RequestRefusedError
from batchata.log import is_begun
from batchata.providers.openai.services import SERVICES
from batchata.replay.verify import verify_log
from batchata.sandbox import Answer, Faults, Request

NO_CREDIT = "Your credit balance is too low to access the Anthropic API."
type Story = Callable[[Runs], dict[str, Any]]
# What a kill leaves is what the log and the provider hold then. These seams come to every such state; the
# others come to the same ones a moment earlier or later.
LASTING = ("committed", "answered")
_MOST_TOKENS = 10_000  # of output: so many that the worst case of the input hardly counts


class Replies:
    """Answers by item and attempt: each line of `odd` is what an item gets before its echo."""

    def __init__(self, odd: dict[int, Answer] | None = None, output_tokens: int | None = None) -> None:
        self._odd = dict(odd or {})
        self._usage = None if output_tokens is None else {"output_tokens": output_tokens}

    def __call__(self, request: Request) -> Answer:
        said = request.text.partition("\n")[0]
        answer = self._odd.get(int(said.split()[-1]))
        if answer is not None and not (answer.kind == "succeeded" and _is_told(request)):
            if answer.kind != "succeeded" and answer.error_type != "invalid_request_error":
                del self._odd[int(said.split()[-1])]
            return answer
        return Answer(json.dumps({"said": said, "length": len(said)}), usage=self._usage)


def _is_told(request: Request) -> bool:
    """Whether the request says what was wrong with the previous answer."""
    return "previous answer" in json.dumps(request.params)


@dataclass(frozen=True)
class Scenario:
    """A script, the provider it meets, and what it must have got and paid in the end."""

    name: str
    story: Story
    sandbox: Callable[[], dict[str, Any]] = dict
    before: Boundary | None = None  # a start that was killed earlier
    count: int = 4
    failed: frozenset[int] = frozenset()
    pending: int = 0  # when the story has ended; `after` completes them
    after: Story | None = None
    model: str = MODEL
    billed: dict[int, int] = field(default_factory=dict)  # times an item is paid for, if not once
    most: Decimal | None = None  # USD that the story may have cost


def make_manager(runs: Runs, **given: Any) -> BatchManager[Any]:
    """The manager of a script: short waits, a results_dir, and a limit that is not reached."""
    chosen: dict[str, Any] = {
        "count": 4,
        "items_per_job": 2,
        "max_parallel_jobs": 2,
        "results_dir": runs.out,
        "max_tokens": _MOST_TOKENS,
        "max_cost": "1",
        "poll_interval": 0.02,
        "settle_delay": 0.1,
        "retry_delay": 0.01,
    }
    model = given.get("model")
    if model in PRICES:
        chosen["prices"] = {model.removeprefix("gemini-inline/"): PRICES[model]}
    return runs.manager(**(chosen | given))


def _run(runs: Runs, **given: Any) -> dict[str, Any]:
    return make_manager(runs, **given).run()


def _run_until_taken(runs: Runs, **given: Any) -> dict[str, Any]:
    """What the user does who has mended what was refused: start the script again."""
    for _ in range(5):
        try:
            return _run(runs, **given)
        except RequestRefusedError:
            continue
    raise AssertionError("it is refused for ever")


def _cancel_and_go_on(runs: Runs, **given: Any) -> dict[str, Any]:
    """Cancel the first two batches from another thread, and send anew what they had not finished."""
    manager = make_manager(runs, poll_interval=0.1, **given)
    over = Event()
    other = Thread(target=_cancel_two, args=(runs, manager, over))
    other.start()
    try:
        manager.run()
    finally:
        over.set()
        other.join()
    return _run(runs, **given)


def _cancel_two(runs: Runs, manager: BatchManager, over: Event) -> None:
    while not over.wait(0.005):
        if seen(runs, "batch_cancel_requested")():
            return
        if seen(runs, "run_started")() and len(known_batches(runs)) == 2:
            manager.cancel()
            return


@dataclass
class _SlowAtFirst:
    """How long batches take: the first ones some time, and the others none."""

    slow: int
    seconds: float

    def __call__(self, batch: object) -> float:
        self.slow -= 1
        return self.seconds if self.slow >= 0 else 0.0


def _slow_at_first() -> dict[str, Any]:
    """Batches that somebody will cancel, half done."""
    return {"delay": _SlowAtFirst(2, 1.5), "faults": Faults(processed=0.5)}


def _troubled() -> dict[str, Any]:
    """Every kind of outcome that is sent again, and one that is not."""
    odd = {
        0: Answer('{"said": "message 0"}'),
        1: Answer(kind="errored", error_type="overloaded_error"),
        2: Answer(kind="expired"),
        3: Answer(kind="errored", error_type="invalid_request_error"),
    }
    return {"answers": Replies(odd)}


def _dear() -> dict[str, Any]:
    return {"answers": Replies(output_tokens=_MOST_TOKENS)}


def _losing_answers() -> dict[str, Any]:
    return {"answers": Replies(), "faults": Faults(lost_create_responses=2)}


def _losing_uploads(queue_full: int = 1) -> dict[str, Any]:
    """A provider that takes files first, is short of room for them, and leaves a batch half done."""
    faults = Faults(
        lost_create_responses=1,
        lost_uploads=1,
        unfound_files=1,
        queue_full=queue_full,
        only_batches={queue_full},  # of them the first one that has room
        expired={1},
        duplicated={0},
    )
    return {"answers": Replies(), "faults": faults}


def _refusing() -> dict[str, Any]:
    """One job is taken, and the next ones are not."""
    return {"answers": Replies(), "faults": Faults(create_status=[0, 400, 403], create_says=NO_CREDIT)}


def _without_credit() -> dict[str, Any]:
    """The credit ends in the middle of the first batch."""
    spent: dict[str, Any] = {"error_type": "invalid_request_error", "error_message": NO_CREDIT}
    return {"answers": Replies(), "faults": Faults(errored={1}, only_batches={0}, **spent)}


def _failing_calls() -> dict[str, Any]:
    faults = Faults(
        create_status_after=[0, 529],
        poll_status=[500],
        not_found_after_create=1,
        results_status=[503],
        drop_results_after=[1, -1],
        truncate_results=[-1, 1],
        duplicated={0},
        foreign=1,
    )
    return {"answers": Replies(), "faults": faults}


OPENAI = "gpt-6-sol"  # its batch prices are those of the other stories' model
GEMINI = "gemini-4-argon"  # … as its prices are given here, since those of the table change with the date
# Others, whose wires differ; a service that has no general discount is priced as it bills a batch.
OTHERS = {"gemini-inline": f"gemini-inline/{GEMINI}"} | {name: model_of(name) for name in OWN_WORDS}
_FULL, _IN_BATCH = {"input": 2, "output": 10}, {"input": 1, "output": 5}
PRICES = {GEMINI: _FULL, OTHERS["gemini-inline"]: _FULL} | {
    OTHERS[name]: _FULL if SERVICES[name].always_discounted else _IN_BATCH for name in OWN_WORDS
}
_LIMIT = Decimal("0.115")  # fits two answers at their worst
_story_at_the_limit = partial(_run, max_cost=_LIMIT, items_per_job=1, max_parallel_jobs=3)

SCENARIOS = {
    scenario.name: scenario
    for scenario in [
        Scenario("parallel", partial(_run, count=5), count=5),
        Scenario(
            "retries", partial(_run, count=5), _troubled, count=5, failed=frozenset({3}), billed={0: 2, 3: 0}
        ),
        Scenario(
            "limit",
            _story_at_the_limit,
            _dear,
            pending=2,
            after=partial(_run, max_cost="1", items_per_job=1, max_parallel_jobs=3),
            most=_LIMIT,
        ),
        Scenario(
            "shrunk",
            partial(_run, max_cost=_LIMIT, items_per_job=4),
            _dear,
            pending=2,
            after=partial(_run, max_cost="1", items_per_job=4),
            most=_LIMIT,
        ),
        Scenario("lost", _run, _losing_answers),
        Scenario("uploads", partial(_run, model=OPENAI), _losing_uploads, model=OPENAI),
        Scenario(
            "gemini",
            partial(_run, model=GEMINI, count=2),
            partial(_losing_uploads, queue_full=0),
            count=2,
            model=GEMINI,
        ),
        *(
            Scenario(name, partial(_run, model=model, count=2), count=2, model=model)
            for name, model in OTHERS.items()
        ),
        Scenario("refused", _run_until_taken, _refusing),
        Scenario("without-credit", _run_until_taken, _without_credit),
        Scenario("faulty", _run, _failing_calls),
        Scenario("cancel", _cancel_and_go_on, _slow_at_first),
        Scenario("again-unsent", _run, before=Boundary("request", 1)),
        Scenario("again-unread", _run, before=Boundary("answered", 1)),
    ]
}
FIRST = next(iter(SCENARIOS))


@dataclass(frozen=True)
class Case:
    """What became of one case: whether it was killed, what it came to, and what was wrong afterwards."""

    scenario: str
    boundary: Boundary | None
    killed: bool
    seen: dict[str, int]
    looks: int
    problem: str | None


def play(runs: Runs, name: str, boundary: Boundary | None) -> None:
    """In the process of the script: the scenario's story, up to the boundary or to its end."""
    path = runs.log.parent / "seen.json"
    seams = SEAMS if runs.place == runs.log else SEAMS | SEAMS_OF_POSTGRES
    seen = watch(die_at(boundary, path), seams)
    SCENARIOS[name].story(runs)
    write(path, seen)


def run_case(
    name: str,
    boundary: Boundary | None,
    folder: Path,
    *,
    playing: Callable[..., None] = play,
    between: Callable[[Runs], None] | None = None,
    address: str | None = None,
) -> Case:
    """One case, in a process that does one at a time: kill the script at the boundary, and start it again.

    `playing` is what the process does, `between` what happens to its log, if it was killed, before the next
    start. With an `address` the log is in that database.
    """
    scenario = SCENARIOS[name]
    folder = folder / f"{name}-{'-'.join(map(str, boundary or ('dry',)))}"
    with fresh(folder, **scenario.sandbox()) as runs:
        if address is not None:
            runs.log.with_name("address.txt").write_text(address)
        if scenario.before is not None:
            Script(runs, story=partial(play, name=name, boundary=scenario.before)).ends()
        code = Script(runs, story=partial(playing, name=name, boundary=boundary)).ends()
        assert code in (0, -signal.SIGKILL), (folder / "stderr.txt").read_text()
        seen = json.loads((folder / "seen.json").read_text())
        problem, looks = started_again(scenario, runs, between if code != 0 else None)
    if problem is None:
        shutil.rmtree(folder)
    return Case(name, boundary, code != 0, seen, looks, problem)


def started_again(
    scenario: Scenario, runs: Runs, between: Callable[[Runs], None] | None = None
) -> tuple[str | None, int]:
    """What is wrong when the script is started again, and how many looks the longest settlement took."""
    try:
        if between is not None:
            between(runs)
        return None, longest_settlement(check(scenario, runs))
    except Exception as exc:  # noqa: BLE001 - the case's edge: whatever it is, it is that case's problem
        types = runs.types() if is_begun(runs.place) else []
        return f"{type(exc).__name__}: {exc}\n{types}\n{runs.sandbox.exchanges}", 0


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder in memory where there is one: a kill takes nothing that was written, fsync or not.

    What a power cut takes is the matter of `test_power_loss.py`.
    """
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


@cache
def undisturbed(name: str) -> Case:
    """The scenario without a kill, which counts its boundaries."""
    with in_memory() as folder:
        case = run_case(name, None, folder)
    assert case.problem is None, case.problem
    return case


def seams_of(name: str) -> tuple[str, ...]:
    """Where what a kill leaves of a scenario is copied: where something new is left behind."""
    if THOROUGH:
        return tuple(SEAMS)
    if name == FIRST:
        return tuple(seam for seam in SEAMS if seam not in LASTING)  # there it is killed in earnest
    if name == "gemini" or name in OTHERS:
        return ("answered",)  # what is in the log between its answers is what "uploads" leaves there
    if name == "again-unread":
        return ("committed",)  # all is sent: its calls change nothing
    return (*LASTING, "files") if name == "retries" else LASTING


def kill_everywhere(name: str, seam: str) -> tuple[list[Case], int]:
    """Every boundary of the scenario at this seam, one case after another, until a script comes to its end.

    Returns the cases, and how many were killed.
    """
    least = undisturbed(name).seen[seam] + 1
    cases: list[Case] = []
    with in_memory() as folder:
        while len(cases) < least or (cases[-1].killed and cases[-1].problem is None):
            cases.append(run_case(name, Boundary(seam, len(cases) + 1), folder))
    all_held(cases)
    killed = sum(case.killed for case in cases)
    assert killed, "no boundary was reached"  # how many there are depends on when the batches end
    return cases, killed


def all_held(cases: list[Case]) -> None:
    """Fail with every case in which something was wrong."""
    wrong = [f"{case.boundary}: {case.problem}" for case in cases if case.problem is not None]
    assert not wrong, f"{len(wrong)} of {len(cases)} cases:\n" + "\n".join(wrong)


def check(scenario: Scenario, runs: Runs) -> Still:
    """Start the same script again: nothing may be lost, paid twice, over the limit or unaccounted for.

    Returns the finished run.
    """
    summary = scenario.story(runs)
    _check_identity(summary, scenario.count)
    assert summary["pending_items"] == scenario.pending
    if scenario.most is not None:
        assert bill(runs) <= scenario.most, f"{bill(runs)} was billed"
        assert summary["cost_limit_reached"]
    if scenario.after is not None:
        check_verified(runs.place)
        summary = scenario.after(runs)
        _check_identity(summary, scenario.count)
    manager = make_manager(runs, count=scenario.count, model=scenario.model)
    items = list(manager.items())
    assert {item.index for item in items if item.status == "failed"} == scenario.failed
    assert summary["pending_items"] == 0
    assert [i.result and i.result.said for i in items] == [
        None if n in scenario.failed else f"message {n}" for n in range(scenario.count)
    ]
    entries = manager.results()
    assert load_results_from_disk(runs.out, Echo) == entries
    still = Still(runs)
    assert known_batches(still) == sorted(batch.id for batch in runs.sandbox.batches)
    once = dict.fromkeys(range(scenario.count), 1)
    paid = paid_by_item(still)
    assert paid == {n: times for n, times in (once | scenario.billed).items() if times}, f"paid: {paid}"
    check_money(still, summary["total_cost"], items)
    check_verified(runs.place)
    return still


def _check_identity(summary: dict[str, Any], count: int) -> None:
    parts = ("completed_items", "failed_items", "pending_items")
    assert sum(summary[part] for part in parts) == summary["total_items"] == count, summary


def bill(runs: Runs) -> Decimal:
    """What the provider billed so far, in USD."""
    used = runs.sandbox.usage()
    return (used["input_tokens"] + used["output_tokens"] * 5) / Decimal(1_000_000)


def check_verified(log: Path | str) -> None:
    """`python -m batchata.replay verify` finds nothing."""
    with redirect_stdout(io.StringIO()) as told:
        held = verify_log(str(log), None, None, json=True)
    assert held, told.getvalue()


def longest_settlement(runs: Runs) -> int:
    """How many looks at the provider the longest settlement took, since the start that settled it."""
    looks: Counter[int] = Counter()
    longest = 0
    for recorded in runs.events():
        event = recorded.event
        if event.TYPE == "run_resumed":
            looks.clear()
        elif event.TYPE == "call_failed" and event.doing == "settle":
            looks.update(event.jobs)
        elif event.TYPE == "submission_settled":
            longest = max(longest, looks[event.job] + 1)
    return longest
