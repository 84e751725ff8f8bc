"""Whatever a program has set for its own decimals, what is read of a run is the same, to the last digit."""

from __future__ import annotations

import decimal
import threading
from collections.abc import Callable, Iterator
from decimal import ROUND_UP, Context, Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

import batchata.replay
from batchata import BatchJob, BatchManager, batch
from batchata.core.accounts import batch_saving, cost_by_kind, saved_by_cache
from batchata.core.evolve import fold
from batchata.core.money import MILLION, amount_of
from batchata.core.pricing import ModelPrice, PriceTier, UnitPrices, worst_cost
from batchata.sandbox import Answer, Faults, Sandbox
from batchata.views.verification import fingerprint

type Replay = Callable[..., Result]

# Every signal that arithmetic can raise, and the least of everything.
SIGNALS = [
    decimal.Inexact, decimal.Rounded, decimal.Subnormal, decimal.Underflow, decimal.Clamped, decimal.Overflow,
    decimal.DivisionByZero, decimal.InvalidOperation, decimal.FloatOperation,
]  # fmt: skip
CONTEXTS = {
    "four digits": Context(prec=4),
    "one digit, rounded up": Context(prec=1, rounding=ROUND_UP, traps=[]),
    "trapped": Context(prec=3, Emax=3, Emin=-3, clamp=1, traps=SIGNALS),
    "quiet": Context(prec=2, Emax=1, Emin=-1, traps=[]),
}
GIVEN: dict[str, Any] = {
    "messages": [[{"role": "user", "content": f"say {n}"}] for n in range(7)],
    "model": "claude-sonnet-5-5",
    "items_per_job": 3,
    "poll_interval": 0.01,
    "retry_delay": 0.01,
    "max_cost": "123.456789",
}
USAGE = {
    "input_tokens": 123_457,
    "output_tokens": 3_333,
    "cache_creation_input_tokens": 1_234,
    "cache_read_input_tokens": 77_777,
}


@pytest.fixture(params=CONTEXTS.values(), ids=CONTEXTS)
def hostile(request: pytest.FixtureRequest) -> Context:
    """A decimal context in which no sum of money is right."""
    found: Context = request.param
    return found


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run with costs of many digits, a failed item, a retry, and a request whose cost nobody told."""
    path = tmp_path_factory.mktemp("paid") / "run.db"
    faults = Faults(only_batches=[0], missing={0}, errored={0, 1}, error_type="invalid_request_error")
    with pytest.MonkeyPatch.context() as patch, Sandbox(Answer("ok", usage=USAGE), faults=faults) as served:
        patch.setenv("ANTHROPIC_BASE_URL", served.url)
        patch.setenv("ANTHROPIC_API_KEY", "k")
        BatchManager(state_path=path, **GIVEN).run()
        yield path


def unseen(text: str) -> str:
    """Without how long ago something was."""
    return "\n".join(line for line in text.splitlines() if " ago" not in line and "just now" not in line)


@pytest.mark.parametrize(
    "arguments",
    [
        "show", "show --json", "show --at 20", "costs", "costs --json", "costs --all", "verify",
        "verify --json", "events", "events --json", "diff 3", "diff 3 --json",
    ],
)  # fmt: skip
def test_commands_say_the_same(paid: Path, replay: Replay, hostile: Context, arguments: str) -> None:
    """In this process, where the context is the caller's."""
    command, *options = arguments.split()
    expected = replay(command, paid, *options)
    with localcontext(hostile):
        found = replay(command, paid, *options)
    assert (found.exit_code, unseen(found.output)) == (0, unseen(expected.output)), found.exception


@pytest.mark.parametrize("format", ["json", "jsonl", "csv", "report", "item"])
def test_what_is_written_is_the_same(
    paid: Path, replay: Replay, hostile: Context, tmp_path: Path, format: str
) -> None:
    """Exports, the page, and the life of an item."""

    def written(folder: Path) -> list[str]:
        match format:
            case "report":
                assert replay("report", paid, folder.with_suffix(".html")).exit_code == 0
                return [folder.with_suffix(".html").read_text(encoding="utf-8")]
            case "item":
                return [replay("item", paid, str(n), "--json").output for n in range(7)]
        assert replay("export", paid, folder, "--format", format).exit_code == 0
        return [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.*"))]

    expected = written(tmp_path / "a")
    with localcontext(hostile):
        found = written(tmp_path / "b")
    assert found == expected


def read_all(path: Path, sandbox_free: dict[str, Any]) -> dict[str, Any]:
    """What programs read of a run, by every way in."""
    manager = BatchManager(state_path=path, **sandbox_free)
    stats = manager.stats()
    with batchata.replay.open(path) as log:
        run = log.state_at()
        found = {
            "state": fingerprint(run),
            "then": [fingerprint(log.state_at(version)) for version in (5, 15, run.version)],
            "results": [(item.index, item.cost, item.usage) for item in log.results()],
            "fold": fingerprint(fold(tuple(r) for r in log.events())),
            "kinds": cost_by_kind(run),
            "saved": (batch_saving(run), saved_by_cache(run)),
            "owed": (run.spent, run.reserved, run.withheld),
        }
    return found | {
        "stats": {name: value for name, value in stats.items() if name != "elapsed_seconds"},
        "items": [(item.index, item.status, item.cost) for item in manager.items()],
        "entries": manager.results(),
        "estimate": str(BatchManager(state_path=None, **sandbox_free).estimate()),
        "remaining": str(manager.estimate()),
    }


def test_programs_read_the_same(paid: Path, hostile: Context) -> None:
    """State, statistics, items, results, estimates, in the thread that set the context and in another."""
    expected = read_all(paid, GIVEN)
    found: list[dict[str, Any]] = []

    def read() -> None:
        decimal.setcontext(hostile.copy())
        found.append(read_all(paid, GIVEN))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    with localcontext(hostile) as mine:
        found.append(read_all(paid, GIVEN))
        assert decimal.getcontext() is mine
        assert (mine.prec, mine.Emax) == (hostile.prec, hostile.Emax)
    assert found == [expected, expected]


def test_a_run_costs_the_same(hostile: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written into a log is as exact as what is read from it; the job of `batch()` included."""
    with Sandbox(Answer("ok", usage=USAGE)) as served:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", served.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
        expected = BatchManager(state_path=tmp_path / "a.db", **GIVEN).run()["total_cost"]
        assert expected == 7 * Decimal("0.1455533500") > 0
        with localcontext(hostile):
            assert BatchManager(state_path=tmp_path / "b.db", **GIVEN).run()["total_cost"] == expected
            job: BatchJob = batch(**{name: value for name, value in GIVEN.items() if name != "items_per_job"})
            job.run()
            assert job.stats()["total_cost"] == expected


def test_prices_are_exact(hostile: Context) -> None:
    """Tiers, factors and the worst case."""
    tier = UnitPrices(Decimal("1.23456789"), Decimal("9.87654321"), Decimal("1.11111111"))
    with localcontext(hostile):
        price = ModelPrice("test", [PriceTier(-1, tier), PriceTier(200_000, tier.times(Decimal("1.1")))])
        assert price.in_us.for_prompt(3).in_batch["input_tokens"][1] == "0.617283945"
        assert price.for_prompt(300_000).in_batch["output_tokens"][1] == "5.4320987655"
        worst = worst_cost(price, 250_001, 4_097)
    exact = (Decimal("1.358024679") * 250_001 + Decimal("10.864197531") * 4_097) / 2 / MILLION
    assert worst == exact


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "Infinity",
        "1e24",
        "1E-7",
        "+1",
        " 1",
        "1.",
        ".5",
        "1_0",
        "\u0661",
        "9" * 16,
        "0." + "1" * 25,
    ],
)
def test_what_is_no_amount_is_refused(hostile: Context, text: str) -> None:
    """In a context that traps nothing, `Decimal` would make a NaN of it without a word."""
    with localcontext(hostile), pytest.raises(ValueError, match="is not an amount of money"):
        amount_of(text)
