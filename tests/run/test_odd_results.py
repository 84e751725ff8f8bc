"""Runs whose results come in shapes that nobody knows: read, paid once, and held against the limit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from run_support import Runs

from batchata.core.events import CostCharged, OutcomeRecorded
from batchata.core.evolve import fold
from batchata.replay.verify import verify_log
from batchata.sandbox import Faults

type Rewriting = Callable[[bytes], bytes]

ITEM = b"message 1"  # what the odd line of each run answers


def altered(change: Callable[[dict[str, Any]], None]) -> Rewriting:
    """The line of item 1 with its message changed."""

    def rewrite(line: bytes) -> bytes:
        if ITEM not in line:
            return line
        value = json.loads(line)
        change(value["result"]["message"])
        return json.dumps(value).encode() + b"\n"

    return rewrite


def used(**changes: Any) -> Rewriting:
    return altered(lambda message: message["usage"].update(changes))


def spliced(old: bytes, new: bytes) -> Rewriting:
    return lambda line: re.sub(old, new, line, count=1) if ITEM in line else line


def floats(message: dict[str, Any]) -> None:
    message["usage"].update(output_tokens=float(message["usage"]["output_tokens"]))


def texts(message: dict[str, Any]) -> None:
    message["usage"].update(output_tokens=str(message["usage"]["output_tokens"]))


UNKNOWN_COST = {
    "no usage": altered(lambda message: message.update(usage=None)),
    "an empty usage": altered(lambda message: message.update(usage={})),
    "a NaN": used(output_tokens=float("nan")),
    "infinity": used(input_tokens=float("inf")),
    "a negative number": used(output_tokens=-100_000_000),
    "an absurd number": used(output_tokens=100_000_000),
    "a number beyond all": used(input_tokens=10**30),
    "an odd place": used(inference_geo={"country": "us"}),
    "unreadable searches": used(server_tool_use={"web_search_requests": "two"}),
    "a deep number": spliced(rb'"output_tokens":\d+', b'"output_tokens":' + b"[" * 10_000 + b"]" * 10_000),
}
KNOWN_COST = {
    "searches as a float": used(server_tool_use={"web_search_requests": 0.0}),
    "tokens as texts": altered(texts),
    "tokens as floats": altered(floats),
    "an odd split": used(cache_creation=0),
    "odd citations": altered(lambda message: [block.update(citations={}) for block in message["content"]]),
    "a new block": altered(lambda message: message["content"].insert(0, {"type": "new", "text": {"a": 1}})),
    "an odd stop reason": altered(lambda message: message.update(stop_reason=["end_turn"], stop_details=5)),
    "an odd model": altered(lambda message: message.update(model=5, id=None, role=[])),
    "deep extras": spliced(b'"message":{', b'"message":{"new":' + b"[" * 10_000 + b"]" * 10_000 + b","),
    "a key twice": spliced(b'"usage":{', b'"usage":5,"usage":{'),
}


def each(rewritings: Iterable[Rewriting]) -> Rewriting:
    """Item 0 gets the first of them, item 1 the second, and so on up to ten."""
    of = dict(enumerate(rewritings))

    def rewrite(line: bytes) -> bytes:
        found = re.search(rb"message (\d+)", line)
        assert found is not None
        said = found[0]
        return of[int(found[1])](line.replace(said, ITEM)).replace(ITEM, said)

    return rewrite


def charges(runs: Runs) -> dict[int, CostCharged]:
    return {r.event.index: r.event for r in runs.events() if isinstance(r.event, CostCharged)}


def check_read(runs: Runs, count: int = 5, **given: Any) -> dict[str, Any]:
    """All items are read, nothing is sent twice, and the log is in order; the summary."""
    before = runs.creates()
    manager = runs.manager(count, **given)
    summary = manager.run()
    assert [result["result"].said for result in manager.results()] == [f"message {n}" for n in range(count)]
    assert runs.creates() - before == -(-count // 3)
    kinds = {r.event.kind for r in runs.events() if isinstance(r.event, OutcomeRecorded)}
    assert kinds == {"succeeded"}
    assert verify_log(str(runs.log), None, None, json=False)
    return summary


def test_an_odd_side_field_costs_nothing(runs: Runs) -> None:
    """The answer is read, and its cost is known where the tokens have one reading."""
    plain = Runs(runs.sandbox, runs.log.parent / "plain")
    plain.log.parent.mkdir()
    expected = plain.manager(len(KNOWN_COST)).run()["total_cost"]
    runs.sandbox.faults = Faults(rewritten=each(KNOWN_COST.values()))
    assert check_read(runs, len(KNOWN_COST))["total_cost"] == expected


def test_an_unreadable_usage_makes_the_cost_unknown(runs: Runs) -> None:
    """The answer is read, nothing is sent again for it, and its worst case stays held against the limit."""
    runs.sandbox.faults = Faults(rewritten=each(UNKNOWN_COST.values()))
    given: dict[str, Any] = {"items_per_job": 1, "max_cost": 1}
    manager = runs.manager(len(UNKNOWN_COST), **given)
    assert manager.run()["total_cost"] is None
    assert [result["result"].said for result in manager.results()] == [f"message {n}" for n in range(10)]
    assert runs.creates() == len(UNKNOWN_COST)
    assert {index: charge.amount for index, charge in charges(runs).items()} == dict.fromkeys(range(10))
    run = fold((r.version, r.at, r.event) for r in runs.events())
    for job in run.jobs.values():
        assert job.reserved is not None
        assert job.reserved - job.cost > Decimal("0.02")
    assert run.withheld == sum((job.reserved or 0) - job.cost for job in run.jobs.values())
    assert run.unpriced == len(UNKNOWN_COST)
    assert verify_log(str(runs.log), None, None, json=False)


def test_a_negative_usage_makes_no_room_under_the_limit(runs: Runs) -> None:
    """Minus half a thousand dollars would let a run pass any limit."""
    runs.sandbox.faults = Faults(rewritten=used(output_tokens=-100_000_000))
    manager = runs.manager(20, items_per_job=2, max_cost="0.1", max_parallel_jobs=1)
    assert manager.run()["cost_limit_reached"]
    stats = manager.stats()
    assert stats["known_cost"] > 0
    assert stats["withheld_cost"] > Decimal("0.02")
    assert stats["known_cost"] + stats["reserved_cost"] + stats["withheld_cost"] <= Decimal("0.1")


def test_an_unknown_cost_is_told_as_such(
    runs: Runs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as a price that is missing, which could be given."""
    runs.sandbox.faults = Faults(rewritten=used(output_tokens="many"))
    manager = runs.manager(3)
    manager.run(print_progress=True)
    said = capsys.readouterr().err
    assert "unknown: what 1 answer used cannot be read of claude-sonnet-5-5" in said
    assert "prices={" not in said


def test_an_answer_in_no_known_shape_is_paid_once_and_kept(runs: Runs, tmp_path: Path) -> None:
    """It fails with its own error and is not sent again: the next answer would come in the same shape."""
    runs.sandbox.faults = Faults(rewritten=altered(lambda message: message.update(content=7)))
    manager = runs.manager(3)
    summary = manager.run()
    assert (summary["completed_items"], summary["failed_items"], runs.creates()) == (2, 1, 1)
    failed = list(manager.items())[1]
    assert failed.error is not None
    assert failed.error.kind == "unknown_shape"
    assert failed.raw is not None
    assert b'"content": 7' in failed.raw


def test_a_huge_error_text_is_kept_in_bounds(runs: Runs) -> None:
    """Of megabytes with escapes the log's events keep the beginning, escaped."""
    text = "\x1b[2J" + "no " * 300_000
    runs.sandbox.faults = Faults(errored={1}, error_type="invalid_request_error", error_message=text)
    manager = runs.manager(3)
    manager.run()
    error = list(manager.items())[1].error
    assert error is not None
    assert error.message.startswith("\\x1b[2Jno no")
    assert len(error.message) < 2_100


@pytest.mark.parametrize("kind", ["errored", "expired", "canceled"])
def test_an_answer_counts_whatever_another_line_says_of_its_request(runs: Runs, kind: str) -> None:
    """A line that failed may stand before it: what was paid for is not asked for again."""

    def twice(line: bytes) -> bytes:
        if ITEM not in line:
            return line
        failed = {"custom_id": json.loads(line)["custom_id"], "result": {"type": kind}}
        return json.dumps(failed).encode() + b"\n" + line

    runs.sandbox.faults = Faults(rewritten=twice)
    made = runs.manager(3)
    assert made.run()["completed_items"] == 3
    assert (runs.creates(), made.stats()["stray_outcomes"]) == (1, {"repeated": 1})
    assert verify_log(str(runs.log), None, None, json=False)


def far_apart(kind: str) -> Rewriting:
    """A line that failed, more lines than are recorded together, and the answer to the same request."""

    def rewrite(line: bytes) -> bytes:
        if ITEM not in line:
            return line
        failed = {"custom_id": json.loads(line)["custom_id"], "result": {"type": kind}}
        between = [{"custom_id": f"foreign-{n}", "result": {"type": kind}} for n in range(1_000)]
        return b"\n".join([*[json.dumps(value).encode() for value in (failed, *between)], line])

    return rewrite


@pytest.mark.parametrize("cut", [-1, 1_002])
@pytest.mark.parametrize("kind", ["errored", "expired", "strange"])
def test_an_answer_counts_however_far_behind_the_line_that_failed_it_stands(
    runs: Runs, kind: str, cut: int
) -> None:
    """Also when the download ends between the two, and is read again from its beginning."""
    runs.sandbox.faults = Faults(rewritten=far_apart(kind), truncate_results=[cut])
    made = runs.manager(3)
    assert made.run()["completed_items"] == 3
    assert runs.creates() == 1
    assert made.stats()["stray_outcomes"]["foreign"] == 1_000
    (attempt,) = [item.attempts for item in made.items() if item.index == 1]
    assert attempt == 1
    assert verify_log(str(runs.log), None, None, json=False)
