"""Rules of `costs`: the ledger adds up to the last digit, and what is not known is not a number."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from charges import cost_charged
from msgspec.structs import replace
from pydantic import BaseModel
from typer.testing import Result

from batchata.core import events as e
from batchata.core import values
from batchata.core.events import RunStarted
from batchata.sandbox import Sandbox

type Replay = Callable[..., Result]
type Write = Callable[..., Path]


class Total(BaseModel):
    total: float


def ledger(replay: Replay, path: Path, *options: object) -> dict[str, Any]:
    """What `costs --json` says."""
    result = replay("costs", path, "--json", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def charge(index: int, job: int = 0, amount: str | None = "0.000045", **changes: Any) -> e.CostCharged:
    """A charge of 10 input tokens and 5 output tokens."""
    said = {
        "input_tokens": 10,
        "output_tokens": 5,
        "unit_prices": {"input_tokens": "2", "output_tokens": "5"},
        "price_source": "the list of May",
    }
    return cost_charged(job, index, amount, **{**said, **changes})


def job(number: int, first: int, last: int, reserved: str | None = "1.10") -> list[e.Event]:
    """A job that became a batch."""
    sent = e.SubmissionStarted(
        job=number,
        items=[(first, last)],
        request_count=last - first + 1,
        bytes=1,
        custom_ids="t-{index}",
        reserved=reserved,
    )
    return [sent, e.BatchSubmitted(job=number, batch_id=f"b{number}", created_at=1, expires_at=None)]


def outcome(index: int, error: values.RequestError | None = None, job: int = 0) -> e.OutcomeRecorded:
    """An answer, or one that is no good."""
    return e.OutcomeRecorded(
        job=job, index=index, kind="succeeded", stop_reason="end_turn", error=error, usage=None, body=None
    )


@pytest.mark.parametrize("name", ["done", "troubled", "waiting"])
def test_sums_agree_with_show(name: str, replay: Replay, request: pytest.FixtureRequest) -> None:
    """Spent, reserved, tokens and each job's cost, to the last digit; rates add up to the total."""
    path = request.getfixturevalue(name)
    said, shown = ledger(replay, path), json.loads(replay("show", path, "--json").stdout)
    for key in ("total_cost", "spent", "reserved_cost", "max_cost"):
        assert said[key] == shown[key]
    assert said["total"]["usage"] == shown["usage"]
    assert [entry["cost"] for entry in said["jobs"]] == [entry["cost"] for entry in shown["jobs"]]
    assert sum(Decimal(entry["cost"]) for entry in said["jobs"]) == Decimal(said["total_cost"])
    assert sum(Decimal(rate["cost"]) for rate in said["rates"]) == Decimal(said["total_cost"])
    for kind, tokens in said["total"]["usage"].items():
        assert sum(rate["count"] for rate in said["rates"] if rate["kind"] == kind) == tokens


def test_every_rate_names_its_source(
    replay: Replay, write_log: Write, started: Callable[..., RunStarted]
) -> None:
    """A price that changed between two charges is two rates; cached tokens have rates of their own."""
    dearer = {"input_tokens": "3", "cache_read_tokens": "0.25", "web_search_requests": "10000"}
    used = {"output_tokens": 0, "cache_read_tokens": 100, "web_search_requests": 2}
    cached = charge(1, amount="0.020055", unit_prices=dearer, **used)
    path = write_log(
        [
            started(),
            e.ItemsAdded(first=0, count=2, digest="d", first_body=0),
            *job(0, 0, 1),
            outcome(0),
            charge(0),
            outcome(1),
            cached,
        ]
    )
    rates = {(rate["kind"], rate["price"]): rate for rate in ledger(replay, path)["rates"]}
    assert {key: (rate["count"], rate["cost"]) for key, rate in rates.items()} == {
        ("input_tokens", "2"): (10, "0.00002"),
        ("output_tokens", "5"): (5, "0.000025"),
        ("input_tokens", "3"): (10, "0.00003"),
        ("cache_read_tokens", "0.25"): (100, "0.000025"),
        ("web_search_requests", "10000"): (2, "0.02"),
    }
    text = replay("costs", path).stdout
    assert re.search(r"^cache read +100 +\$0\.25 +\$0\.000025 +the list of May$", text, re.MULTILINE)
    assert re.search(r"^all tokens +125 +\$0\.0201$", text, re.MULTILINE)


def test_reserved_stands_against_spent(
    replay: Replay, write_log: Write, started: Callable[..., RunStarted]
) -> None:
    """What open jobs hold shrinks as their answers are charged; what max_cost leaves is told."""
    path = write_log(
        [
            started(settings=replace(started().settings, max_cost="5")),
            e.ItemsAdded(first=0, count=3, digest="d", first_body=0),
            *job(0, 0, 1),
            outcome(0),
            charge(0, amount="0.10"),
            *job(1, 2, 2, reserved="0.30"),
        ]
    )
    said = ledger(replay, path)
    assert (said["spent"], said["reserved_cost"], said["left"]) == ("0.1", "1.3", "3.6")
    assert [entry["still_reserved"] for entry in said["jobs"]] == ["1", "0.3"]
    text = replay("costs", path).stdout
    assert "$0.10 for 1 answer, of at most $5.00 (max_cost); $3.60 left for new jobs" in text
    assert "$1.30 for 2 open jobs" in text


def test_an_unknown_price_stays_unknown(
    replay: Replay, write_log: Write, started: Callable[..., RunStarted]
) -> None:
    """Its job and the total are null, and what the others cost is still told."""
    path = write_log(
        [
            started(),
            e.ItemsAdded(first=0, count=2, digest="d", first_body=0),
            *job(0, 0, 0),
            *job(1, 1, 1),
            outcome(0),
            charge(0, amount=None, unit_prices={}, price_source=""),
            outcome(1, job=1),
            charge(1, job=1),
        ]
    )
    said = ledger(replay, path)
    assert (said["total_cost"], said["spent"], said["total"]["cost"]) == (None, "0.000045", None)
    assert [entry["cost"] for entry in said["jobs"]] == [None, "0.000045"]
    assert {rate["cost"] for rate in said["rates"] if rate["price"] is None} == {None}
    assert "unknown: no price for 1 answer; the others cost $0.000045" in replay("costs", path).stdout


def test_what_was_paid_for_nothing_is_told(
    run_log: Callable[..., Path], tmp_path: Path, replay: Replay
) -> None:
    """An answer that did not fit and was asked for again is paid, and counts as of no use."""
    asked: list[str] = []

    def answer(request: Any) -> str:
        asked.append(request.text)
        return '{"total": null}' if len(asked) == 1 else '{"total": 5}'

    path = run_log(tmp_path / "run.db", 3, Sandbox(answer), response_model=Total)
    said = ledger(replay, path)
    assert (said["total"]["charges"], said["unused"]["charges"]) == (4, 1)
    assert 0 < Decimal(said["unused"]["cost"]) < Decimal(said["total_cost"])
    assert "for 1 answer that could not be used" in replay("costs", path).stdout


def test_several_runs_are_added_up_by_model(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """Without --run a line for each run and each model; with it that run's ledger."""
    for name, model in (
        ("one", "claude-haiku-4-5"),
        ("two", "claude-sonnet-5-5"),
        ("three", "claude-haiku-4-5"),
    ):
        path = write_log(
            [
                started(run_id=name, model=model),
                e.ItemsAdded(first=0, count=1, digest="d", first_body=0),
                *job(0, 0, 0),
                outcome(0),
                charge(0),
            ],
            run_id=name,
        )
    said = ledger(replay, path)
    assert [run["run_id"] for run in said["runs"]] == ["one", "two", "three"]
    assert {model: entry["cost"] for model, entry in said["by_model"].items()} == {
        "claude-haiku-4-5": "0.00009",
        "claude-sonnet-5-5": "0.000045",
    }
    text = replay("costs", path).stdout
    assert re.search(r"^three +claude-haiku-4-5 +1 +15 +\$0\.000045", text, re.MULTILINE)
    assert re.search(r"^claude-haiku-4-5 +2 +30 +\$0\.00009$", text, re.MULTILINE)
    assert ledger(replay, path, "--run", "two")["total_cost"] == "0.000045"


def test_a_run_that_has_paid_nothing(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """Zero is a number: no rates, no jobs, no average."""
    path = write_log([started()])
    assert (ledger(replay, path)["total_cost"], ledger(replay, path)["rates"]) == ("0", [])
    assert replay("costs", path).stdout.splitlines()[2:] == [
        "spent       $0.00 for 0 answers",
        "reserved    nothing: no job is open",
    ]
