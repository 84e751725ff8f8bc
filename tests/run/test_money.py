"""What a run costs: one figure everywhere, the provider's usage times the prices, and what is left."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from bad_input_support import given, refused
from money_support import bill, usages
from run_support import MODEL, Runs

from batchata import BatchManager
from batchata.core.events import CostCharged, SubmissionStarted
from batchata.errors import CostLimitError
from batchata.sandbox import Answer, Faults, Request, Sandbox

WHOLE = {"input": 1, "output": 4, "cache_write_5m": 2, "cache_write_1h": 3, "cache_read": 1}
ODD_ANSWERS = [
    Answer("fine", usage={"output_tokens": 7}),
    Answer("cut", stop_reason="max_tokens", usage={"output_tokens": 50}),
    Answer("no", stop_reason="refusal", usage={"input_tokens": 31, "output_tokens": 1}),
    Answer(
        "cached",
        usage={
            "cache_creation_input_tokens": 300,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
            "cache_read_input_tokens": 600,
        },
    ),
    Answer("from the US", usage={"inference_geo": "us", "input_tokens": 333, "output_tokens": 3}),
    Answer("searched", usage={"server_tool_use": {"web_search_requests": 2}}),
    Answer(kind="errored", error_type="invalid_request_error"),
    Answer(kind="expired"),
    Answer(kind="canceled"),
    Answer(" ", usage={"output_tokens": 40}),
]


def amounts(runs: Runs) -> list[Decimal]:
    """What the log says was charged, in order."""
    return [
        Decimal(r.event.amount) for r in runs.events() if isinstance(r.event, CostCharged) and r.event.amount
    ]


def check_everywhere(manager: BatchManager, runs: Runs, summary: dict[str, Any], total: Decimal) -> None:
    """Summary, statistics, items, jobs, kinds, ledger and views say the same."""
    stats = manager.stats()
    assert summary["total_cost"] == stats["total_cost"] == stats["known_cost"] == total
    assert sum(item.cost for item in manager.items()) == total
    assert sum(amounts(runs)) == total
    assert sum(stats["cost_by_job"].values()) == total
    assert sum(stats["cost_by_kind"].values()) == total
    assert stats["cost_by_model"] == {MODEL: total}
    assert stats["cost_per_item"] == total / (stats["completed_items"] + stats["failed_items"])


def test_one_figure_everywhere_and_it_is_the_bill(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errored, canceled and expired are free; refusals and cut-off answers are not; retries add up."""
    with Sandbox(lambda request: ODD_ANSWERS[int(request.text.split()[1]) % 10]) as odd:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", odd.url)
        manager = runs.manager(20, response_model=None, max_attempts=2)
        summary = manager.run()
        check_everywhere(manager, runs, summary, bill(odd))
        # Two rounds of seven, and the two empty ones once more; what was cut off is not sent again.
        assert len(list(usages(odd))) == 16
        costs = [item.cost for item in manager.items()][:10]
    assert costs[6:9] == [0, 0, 0]
    assert Decimal("0.00025") < costs[1] < 2 * Decimal("0.00025")
    assert costs[9] > 2 * Decimal("0.0002")
    assert costs[2] == Decimal("0.000036")
    assert manager.stats()["batch_saving"] == summary["total_cost"] - 4 * Decimal("0.01")


def test_no_precision_of_the_program_rounds_a_cost(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may count its own decimals with four digits; ours are exact all the same."""
    answer = Answer("x", usage={"input_tokens": 123_457, "output_tokens": 3_333})
    with Sandbox(answer) as odd, localcontext(prec=4):
        monkeypatch.setenv("ANTHROPIC_BASE_URL", odd.url)
        manager = runs.manager(
            3, response_model=None, max_cost="5", prices={MODEL: {"input": "1.99", "output": 7}}
        )
        assert manager.run()["total_cost"] == Decimal("0.403515645")
        assert [item.cost for item in manager.items()] == [Decimal("0.134505215")] * 3
        assert [str(amount) for amount in amounts(runs)] == ["0.134505215"] * 3
        stats = manager.stats()
    assert sum(stats["cost_by_kind"].values()) == stats["batch_saving"] == Decimal("0.403515645")
    assert stats["left_cost"] == 5 - stats["total_cost"]


def test_recorded_answers_cost_what_they_used(
    runs: Runs, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every usage that was recorded of the real service, in its own shape, to the last digit."""
    lines = (shared / "anthropic/usage/usage.jsonl").read_text(encoding="utf-8").splitlines()
    recorded = [json.loads(line)["usage"] for line in lines]
    bodies = [
        json.loads(p.read_text(encoding="utf-8")) for p in sorted((shared / "anthropic").glob("*/*.json"))
    ]
    messages = [b["body"] for b in bodies if isinstance(b.get("body"), dict) and b["body"].get("usage")]
    # Without a split by lifetime where none was recorded: the sandbox would add one of zeros.
    answers = [Answer("recorded", usage={"cache_creation": None} | usage) for usage in recorded]
    answers += [
        Answer(
            content=m["content"],
            stop_reason=m.get("stop_reason", "end_turn"),
            usage={"cache_creation": None} | m["usage"],
        )
        for m in messages
    ]

    with Sandbox(lambda request: answers[int(request.text.split()[1])]) as replaying:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", replaying.url)
        manager = runs.manager(len(answers), response_model=None, items_per_job=40, max_attempts=1)
        summary = manager.run()
        check_everywhere(manager, runs, summary, bill(replaying))
    assert len(answers) > 130
    assert manager.stats()["usage"]["web_search_requests"] > 20
    assert manager.stats()["usage"]["cache_write_5m_tokens"] > 0


def test_the_users_prices_come_before_the_tables(runs: Runs, tmp_path: Path) -> None:
    """Given as an argument or a file, for a file of many models too; the log names the source."""
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({MODEL: {"input": 2, "output": 8}, "other": {"input": 9, "output": 9}}))
    manager = runs.manager(3, prices={MODEL: WHOLE}, max_cost=1)
    manager.run()
    used = runs.sandbox.usage()
    assert manager.stats()["total_cost"] == (used["input_tokens"] + 4 * used["output_tokens"]) / Decimal(
        2_000_000
    )
    more = runs.manager(6, prices=path, max_cost=1)
    more.run()
    sources = [r.event.price_source for r in runs.events() if isinstance(r.event, CostCharged)]
    assert sources == ["prices argument"] * 3 + ["prices file prices.json"] * 3
    assert sum(amounts(runs)) == more.stats()["total_cost"]


def test_an_unknown_model_with_a_given_price_can_be_limited(runs: Runs) -> None:
    """What no table knows is known as soon as the user says it."""
    with pytest.warns(UserWarning, match="claude-opus-9"):
        manager = runs.manager(2, model="claude-opus-9", prices={"claude-opus-9": WHOLE}, max_cost=1)
    assert manager.run()["total_cost"] > 0


def test_a_log_tells_its_costs_without_any_price_table(runs: Runs) -> None:
    """Prices are in the events: replay needs neither genai-prices nor tokencost."""
    total = runs.manager(4).run()["total_cost"]
    code = (
        "import sys; sys.modules.update({'genai_prices': None, 'tokencost': None});"
        "sys.argv[1:] = ['show', '--json', sys.argv[1]];"
        "from batchata.replay.cli import main; main()"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(runs.log)], capture_output=True, text=True, timeout=300, check=True
    )
    assert Decimal(json.loads(said.stdout)["total_cost"]) == total > 0


def test_a_limit_below_one_item_is_refused_with_what_it_needs(runs: Runs, start: Callable[..., None]) -> None:
    """At once, before anything is written; what the error names is enough to begin."""
    with refused(
        runs, CostLimitError, "max_cost is $0.001, but item 0 alone may cost $0.02", "max_tokens=4,096"
    ):
        start(**given(runs, max_cost="0.001"))
    with pytest.raises(CostLimitError) as caught:
        start(**given(runs, max_cost="0.001"))
    enough = str(caught.value).split("give max_cost=")[1].split()[0]
    start(**given(runs, max_cost=enough, poll_interval=0.01))
    assert runs.creates() >= 1


def test_the_dearest_item_decides_wherever_it_stands(runs: Runs) -> None:
    """It would never be sent, nor what comes after it."""
    long = [[{"role": "user", "content": text}] for text in ("short", "long " * 20_000, "short")]
    with refused(runs, CostLimitError, "item 1 alone"):
        runs.manager(messages=long, max_cost="0.1").run()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": "claude-opus-9"}, ("no price is known", "prices={'claude-opus-9': {'input': …")),
        (
            {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
            ("with the tool web_search_20250305", "no worst case"),
        ),
        (
            {"prices": {MODEL: {"input": 1, "output": 1}}, "cache_control": {"type": "ephemeral"}},
            ("no price is known for cache_write_5m, cache_write_1h, cache_read (prices argument)",),
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::batchata.errors.UnknownModelWarning")
def test_a_limit_that_cannot_be_held_is_refused_before_spending(
    runs: Runs, start: Callable[..., None], changed: dict[str, Any], words: tuple[str, ...]
) -> None:
    """Without a price, or without a worst case, a promise would be a guess."""
    with refused(runs, CostLimitError, *words):
        start(**given(runs, max_cost=1, **changed))


def dear(request: Request) -> Answer:
    """900 tokens of output: 0.004511 USD."""
    return Answer("long", usage={"input_tokens": 11, "output_tokens": 900})


@pytest.fixture
def costly(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Runs whose every answer costs about half a cent."""
    sandbox = Sandbox(dear).start()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
    runs.sandbox = sandbox
    return runs


def test_what_a_reached_limit_says_is_what_it_takes(costly: Runs, caplog: pytest.LogCaptureFixture) -> None:
    """The named limit sends exactly one more item, the other all that are pending; both are logged."""
    plain = {"response_model": None, "max_tokens": 1000, "items_per_job": 1}
    first = costly.manager(6, max_cost="0.012", **plain)
    with caplog.at_level(logging.WARNING, logger="batchata"):
        assert first.run()["pending_items"] == 4
    needed = first.stats()["needed_cost"]
    assert f"needed={needed}" in next(
        r.getMessage() for r in caplog.records if "cost_limit " in r.getMessage()
    )
    second = costly.manager(6, max_cost=needed, **plain)
    assert second.run()["pending_items"] == 3
    all_of_them = second.stats()["needed_cost_for_all"]
    sent = costly.manager(6, max_cost=all_of_them, **(plain | {"items_per_job": 6}))
    assert sent.run()["pending_items"] == 0
    assert costly.creates() == 4
    assert sent.stats()["left_cost"] == all_of_them - sent.stats()["total_cost"] > 0
    costly.sandbox.stop()


def test_jobs_shrink_to_what_fits_and_go_on_while_money_lasts(costly: Runs) -> None:
    """Jobs of ten become smaller as the money goes; what an outcome did not use sends the next item."""
    manager = costly.manager(20, max_cost="0.05", response_model=None, max_tokens=1000, items_per_job=10)
    summary = manager.run()
    jobs = [r.event.request_count for r in costly.events() if isinstance(r.event, SubmissionStarted)]
    assert jobs[0] == 8
    assert jobs[1:] == [2]
    stats = manager.stats()
    assert stats["left_cost"] < Decimal("0.0058")  # less than one more item may cost
    assert summary["total_cost"] + stats["left_cost"] == Decimal("0.05")
    costly.sandbox.stop()


def test_a_run_ends_with_its_account(costly: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    """Cost per item, by kind with price and source, by job, what the batch saved, and the limit."""
    costly.manager(3, response_model=None, max_tokens=1000, items_per_job=2, max_cost="0.0135").run(
        print_progress=True
    )
    said = capsys.readouterr().err
    for words in (
        f"cost      $0.009022 for 2 of 3 items with {MODEL}, $0.004511 an item",
        "the batch discount saved $0.009022",
        "22 input tokens at $1.00 per million (genai-prices 0.2.3): $0.000022",
        "1,800 output tokens at $5.00 per million (genai-prices 0.2.3): $0.009",
        "job 0: $0.009022",
        "limit     $0.0135 reached with 1 item pending: $0.009022 spent; $0.004478 is left, but the next",
        "max_cost=0.014",
    ):
        assert words in said, said
    costly.sandbox.stop()


def test_an_unknown_price_is_said_to_be_unknown(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    """In the account as in the statistics: None, never 0."""
    with pytest.warns(UserWarning, match="claude-opus-9"):
        manager = runs.manager(2, model="claude-opus-9")
    manager.run(print_progress=True)
    assert "cost      unknown: no price for 2 answers of claude-opus-9" in capsys.readouterr().err
    stats = manager.stats()
    unknown = ("total_cost", "cost_per_item", "batch_saving")
    assert [dict(stats)[name] for name in unknown] == [None, None, None]
    assert (stats["cost_by_job"], stats["cost_by_model"]) == ({0: None}, {"claude-opus-9": None})
    assert (stats["unpriced_requests"], stats["known_cost"]) == (2, 0)


def test_missing_results_stay_withheld_and_the_limit_counts_them(costly: Runs) -> None:
    """A lost line may have been billed: the account says how much is held for it."""
    costly.sandbox.faults = Faults(errored={0}, missing={0}, only_batches={0})
    given = {"response_model": None, "max_tokens": 1000, "items_per_job": 2, "max_attempts": 1}
    manager = costly.manager(2, max_cost=1, **given)
    manager.run()
    stats = manager.stats()
    assert stats["withheld_cost"] > Decimal("0.005")
    billed = costly.sandbox.usage()["output_tokens"] * Decimal("0.000005")
    assert billed <= stats["total_cost"] + stats["withheld_cost"]
    costly.sandbox.stop()
