"""Services of OpenAI's shape in their own words (Mistral, xAI, Together): recordings and the sandbox."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from provider_given import json_bodies
from typer.testing import CliRunner

from batchata import BatchManager
from batchata.core.events import CostCharged
from batchata.core.pricing import MOST_TICKS, charge
from batchata.errors import CostLimitError, InvalidInputError, UnsupportedModelError, UntriedProviderWarning
from batchata.inputs import read_inputs
from batchata.log import read_log
from batchata.providers.openai.dialect import OpenAIDialect
from batchata.providers.openai.replies import batch_of
from batchata.providers.openai.wires import MARK, MistralWire, TogetherWire, XaiWire
from batchata.providers.prices import find_price
from batchata.replay.cli import app
from batchata.sandbox import Answer, Sandbox

TODAY = datetime(2026, 11, 26, tzinfo=UTC)
DOCUMENTS = Path(__file__).resolve().parents[2] / "examples/documents"


def recorded(shared: Path, name: str) -> list[dict[str, Any]]:
    """The replies of a recorded flow, in order."""
    return json_bodies(json.loads((shared / "providers" / f"{name}.json").read_text(encoding="utf-8")))


def test_recorded_jobs_of_mistral_are_read(shared: Path) -> None:
    """Queued without a size, running, ended with an output file; the outputs are lines of OpenAI's form."""
    replies = recorded(shared, "mistral/ruby_llm__inline")
    batches = [batch_of(MistralWire().described(reply)) for reply in replies]
    assert [(b.status, b.size, b.ended) for b in batches][:3] == [
        ("validating", 0, False),
        ("in_progress", 2, False),
        ("ended", 2, True),
    ]
    found = [OpenAIDialect("mistral").outcome(json.dumps(line).encode()) for line in replies[-1]["outputs"]]
    assert [(o.custom_id, o.kind, [b.text for b in o.blocks]) for o in found] == [
        ("0", "succeeded", ["4"]),
        ("1", "succeeded", ["Jupiter"]),
    ]
    usage = found[0].usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (27, 2)


def test_recorded_batches_of_xai_are_read_and_cost_what_was_charged(shared: Path) -> None:
    """By counts alone; thoughts stand beside the answer, and the table's price is the charge to the digit."""
    replies = recorded(shared, "xai/ruby_llm__batch")
    batches = [batch_of(XaiWire().described(reply)) for reply in replies if "state" in reply]
    assert [(b.size, b.ended) for b in batches] == [(0, False), (2, False), (2, True)]
    assert {b.created_at for b in batches} == {0}
    price = find_price("grok-4.3", TODAY)
    for entry in replies[-1]["results"]:
        outcome = OpenAIDialect("xai").outcome(json.dumps(entry).encode())
        assert (outcome.custom_id, outcome.kind) == (entry["batch_request_id"], "succeeded")
        ticks = entry["batch_result"]["response"]["chat_get_completion"]["usage"]["cost_in_usd_ticks"]
        assert outcome.ticks == ticks
        charged = charge(0, 0, outcome.usage, price).amount
        assert Decimal(str(charged)) == Decimal(ticks) / 10**10


@pytest.mark.parametrize(
    ("said", "ticks"),
    [(1, 1), (MOST_TICKS, MOST_TICKS), (MOST_TICKS + 1, None), (0, None), (-1, None), (1.5, None), (7.0, 7)],
)
def test_a_charge_that_no_request_can_cost_is_no_charge(said: object, ticks: int | None) -> None:
    """What is said in ticks is taken for the cost; beyond any price it is left to the table."""
    answer = {"choices": [{"message": {"content": "a"}}], "usage": {"cost_in_usd_ticks": said}}
    entry = {"batch_request_id": "1", "batch_result": {"response": {"chat_get_completion": answer}}}
    assert OpenAIDialect("xai").outcome(json.dumps(entry).encode()).ticks == ticks


@pytest.mark.parametrize(
    ("result", "kind", "named"),
    [
        ({"error": {"code": 3, "message": "Invalid request."}}, "errored", "invalid_request_error"),
        ({"error": {"code": 1, "message": "Cancelled."}}, "canceled", "canceled"),
        ({"response": {"chat_get_completion": {"error": "busy", "code": "x"}}}, "errored", "x"),
        ({"response": {}}, "errored", "api_error"),
        ({"response": {"chat_get_completion": {"choices": "?"}}}, "succeeded", "unknown_shape"),
    ],
)
def test_an_entry_of_xai_that_is_no_answer_says_why(result: dict[str, Any], kind: str, named: str) -> None:
    """Whether the error stands beside the response or inside it."""
    line = json.dumps({"batch_request_id": "r", "batch_result": result}).encode()
    outcome = OpenAIDialect("xai").outcome(line)
    assert outcome.error is not None
    assert (outcome.kind, outcome.error.kind, outcome.line) == (kind, named, line)


@pytest.mark.parametrize(
    ("state", "cancelled", "ended", "canceled"),
    [
        ({"num_requests": 0, "num_pending": 0}, None, False, 0),
        ({"num_requests": 0, "num_pending": 0}, "2026-08-10", True, 0),
        ({"num_requests": 3, "num_pending": 1, "num_success": 2}, None, False, 0),
        ({"num_requests": 3, "num_pending": 0, "num_success": 3}, None, True, 0),
        ({"num_requests": 3, "num_pending": 0, "num_success": 1}, "2026-08-10", True, 2),
    ],
)
def test_a_batch_of_xai_has_ended_when_nothing_of_it_is_pending(
    state: dict[str, int], cancelled: str | None, ended: bool, canceled: int
) -> None:
    """An empty one has not begun, unless it was cancelled: then it never will. Its name is the mark."""
    given = {"batch_id": "b", "name": "m", "state": state, "cancel_time": cancelled}
    value = XaiWire().described(given)
    batch = batch_of(value)
    assert (batch.ended, batch.counts.canceled, batch.failure) == (ended, canceled, None)
    assert value["metadata"] == {MARK: "m"}


def test_a_batch_of_together_comes_wrapped_in_capitals_and_without_counts() -> None:
    """In the answer to its creation, as in the list."""
    job = {
        "id": "b-1",
        "status": "COMPLETED",
        "created_at": "2026-08-19T14:34:12.5Z",
        "input_file_id": "file-1",
        "output_file_id": "file-2",
    }
    for value in (job, {"job": job, "warning": "slow"}):
        batch = batch_of(TogetherWire().described(value))
        assert (batch.ended, batch.size, batch.created_at) == (True, 0, 1_787_150_052_500_000)
    failed = {**job, "status": "FAILED", "output_file_id": None, "error": "bad file"}
    failure = batch_of(TogetherWire().described(failed)).failure
    assert failure is not None
    assert (failure.error.message, failure.passing) == ("bad file", False)


@pytest.mark.parametrize("model", ["mistral-small-latest", "grok-4.3", "together/meta/llama-4"])
def test_a_run_goes_through_by_the_service_s_own_variables(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One create a job, chat completions under the model's bare name, and prices where a table has them."""
    seen: list[Any] = []

    def reply(request: Any) -> str:
        seen.append(request.params)
        return str(request.text)

    with Sandbox(reply) as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        given: dict[str, Any] = {
            "model": model,
            "messages": [[{"role": "user", "content": text}] for text in ("one", "two", "three")],
            "state_path": tmp_path / "run.db",
            "items_per_job": 2,
            "max_tokens": 50,
            "poll_interval": 0.01,
        }
        if model.startswith("together/"):
            with pytest.raises(CostLimitError, match="no price is known"):
                BatchManager(**given, max_cost=1).run()
            given["prices"] = {model: {"input": 1, "output": 1}}
        with pytest.warns(UntriedProviderWarning):
            summary = BatchManager(**given, max_cost=1).run()
        posts = [path for method, path, _ in sandbox.exchanges if method == "POST" and "batch" in path]
    assert [entry["result"] for entry in BatchManager(**given).results()] == ["one", "two", "three"]
    assert summary["total_cost"]
    assert len(posts) == 2
    assert {params["model"] for params in seen} == {model.removeprefix("together/")}
    names = {"max_tokens", "max_completion_tokens"}
    assert names & seen[0].keys() == {"max_completion_tokens" if model.startswith("grok") else "max_tokens"}


def test_what_a_service_does_not_take_is_said_before_anything_is_sent() -> None:
    """PDFs of Mistral and xAI; names that are not theirs; models that no table has a batch price for."""
    for service, name in (("mistral", "mistral-small-latest"), ("xai", "grok-4.3")):
        model = OpenAIDialect(service).model(name, TODAY.date())
        pdf = DOCUMENTS / "invoice-brightwater.pdf"
        with pytest.raises(InvalidInputError, match="is a document, which this provider does not take"):
            read_inputs(files=[pdf], prompt="Read.", checks=model.checks(False, {}))
        with pytest.raises(UnsupportedModelError, match="is not a model of"):
            OpenAIDialect(service).model(f"{service}/gpt-5", TODAY.date())
    assert find_price("grok-4.7", TODAY) is None
    assert find_price("groq/unknown-model", TODAY) is None
    large = find_price("mistral-large-4", TODAY)
    assert large is not None
    assert large.for_prompt(10).in_batch["input_tokens"][0] == Decimal("0.35")


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
def test_what_xai_says_it_charged_is_the_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the table says the same its prices stand, else the charge does; all adds up."""
    ours = {"zero": 200_000, "one": 2_000_001}  # the first is what 10 and 5 tokens cost by the table

    def reply(request: Any) -> Answer:
        used = {"input_tokens": 10, "output_tokens": 5, "cost_in_usd_ticks": ours[request.text]}
        return Answer("fine", usage=used)

    with Sandbox(reply) as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        for model in ("grok-4.3", "grok-4.7"):  # the table has no price of batches for the second
            log = tmp_path / f"{model}.db"
            made = BatchManager(model=model, messages=list(ours), state_path=log, poll_interval=0.01)
            assert made.run()["total_cost"] == Decimal(sum(ours.values())) / 10**10
            charges = {e.index: e for e in _charges(log)}
            assert (charges[0].ticks, charges[1].ticks) == (
                0 if model == "grok-4.3" else 200_000,
                2_000_001,
            )
            told = CliRunner().invoke(app, ["costs", str(log)]).stdout
            assert re.search(r"ticks +[0-9,]+ +\$0.0001 +\$0.0[0-9]+ +the provider's own word", told), told
            assert CliRunner().invoke(app, ["verify", str(log)]).exit_code == 0
            assert "(the provider's own word)" in CliRunner().invoke(app, ["item", str(log), "1"]).stdout


def _charges(path: Path) -> list[CostCharged]:
    log = read_log(path)
    try:
        (stream,) = log.streams()
        return [r.event for r in log.events(stream) if isinstance(r.event, CostCharged)]
    finally:
        log.close()


@pytest.mark.parametrize(
    ("name", "texts", "used"),
    [
        ("groq/ellmer__state_capitals", ["Des Moines", "Albany", "Sacramento", "Austin"], (193, 12, 0)),
        (
            "groq/ellmer__state_capitals_structured",
            [f'{{"capital":"{city}"}}' for city in ("Des Moines", "Albany", "Sacramento", "Austin")],
            (709, 233, 0),
        ),
        ("groq/pydantic_ai__json_schema", ['{"city":"Mexico City","country":"Mexico"}'], (178, 94, 0)),
        ("mistral/pydantic_ai__text_document", ["The document you provided is a **dummy"], (49, 69, 0)),
        ("xai/ruby_llm__schema", ['{"name":"John","age":30}'], (62, 221, 192)),
    ],
)
def test_recorded_answers_of_each_service_are_read(
    shared: Path, name: str, texts: list[str], used: tuple[int, int, int]
) -> None:
    """With what their own projects assert, and tokens that thoughts are part of: as lines of a batch."""
    kept = json.loads((shared / "providers" / f"{name}.json").read_text(encoding="utf-8"))
    calls = [{"status_code": 200, "body": json.loads(c["raw_body"])} for c in kept.get("interactions", ())]
    dialect = OpenAIDialect(name.partition("/")[0])
    lines = [json.dumps({"custom_id": "r", "response": r}) for r in kept.get("results", calls)]
    found = [dialect.outcome(line.encode()) for line in lines]
    said = ["".join(block.text or "" for block in outcome.blocks) for outcome in found]
    assert [text.startswith(begin) for text, begin in zip(said, texts, strict=True)] == [True] * len(texts)
    counted = [outcome.usage for outcome in found if outcome.usage is not None]
    assert len(counted) == len(texts)
    kinds = ("input_tokens", "output_tokens", "cache_read_tokens")
    assert tuple(sum(getattr(usage, kind) for usage in counted) for kind in kinds) == used
    if "batch" in kept:
        batch = batch_of(kept["batch"])
        assert (batch.ended, batch.counts.succeeded, batch.failure) == (True, len(texts), None)
