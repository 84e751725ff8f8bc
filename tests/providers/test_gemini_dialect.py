"""Gemini's request and result lines: the recorded ones are read, and ours are like the recorded ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from provider_given import json_bodies
from pydantic import BaseModel, Field

from batchata.answers.schema import NotNative, Route
from batchata.core.values import Usage
from batchata.errors import IncompleteResultsError, InvalidInputError, UnsupportedModelError
from batchata.inputs import read_inputs
from batchata.providers.gemini.dialect import GeminiDialect
from batchata.providers.prices import find_price
from batchata.run.bodies import JobDescription, build_body

DIALECT = GeminiDialect()
TODAY = date(2026, 11, 26)
MODEL = DIALECT.model("gemini-2.5-flash", TODAY)
TEXT = Route("text")
DOCUMENTS = Path(__file__).resolve().parents[2] / "examples/documents"


@pytest.fixture(scope="session")
def gemini_recorded(shared: Path) -> Path:
    """Recorded traffic of Gemini."""
    return shared / "providers" / "gemini"


def recorded_bodies(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every answer that was recorded as the REST API gave it, of a batch or alone."""
    for path in sorted(folder.glob("*.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        for body in json_bodies(said):
            inlined = ((body.get("response") or {}).get("inlinedResponses") or {}).get("inlinedResponses", [])
            yield from ((path.name, entry["response"]) for entry in inlined)
            if "candidates" in body:
                yield path.name, body
        found = [entry for entry in said.get("results", ()) if "body" in entry]  # else stored by an SDK
        yield from ((path.name, entry["body"]) for entry in found)
        for entry in said.get("lines", ()):
            yield path.name, entry["response"]


def line(**said: Any) -> bytes:
    """One line of results."""
    return json.dumps({"key": "r1", **said}).encode()


def answer(*parts: dict[str, Any], reason: str = "STOP", **used: int) -> bytes:
    """One line with an answer."""
    candidate = {"content": {"parts": [*parts], "role": "model"}, "finishReason": reason}
    return line(response={"candidates": [candidate], "usageMetadata": {"promptTokenCount": 100, **used}})


def test_every_recorded_answer_is_read(gemini_recorded: Path) -> None:
    """Text, usage and why it ended; what all parts have used adds up to the total that is billed."""
    seen = 0
    for name, body in recorded_bodies(gemini_recorded):
        raw = line(response=body)
        outcome, used = DIALECT.outcome(raw), body["usageMetadata"]
        assert (outcome.custom_id, outcome.kind, outcome.error, outcome.line) == (
            "r1",
            "succeeded",
            None,
            raw,
        )
        assert outcome.stop_reason in ("end_turn", "max_tokens", "refusal"), name
        assert outcome.usage is not None, name
        total = outcome.usage.input_tokens + outcome.usage.cache_read_tokens + outcome.usage.output_tokens
        assert total == used["totalTokenCount"], name
        text = "".join(block.text or "" for block in outcome.blocks)
        cut = "thinking_empty" in name or "safety" in name
        assert bool(text) != cut, name
        assert DIALECT.blocks(raw) == outcome.blocks, name
        seen += 1
    assert seen >= 12


def test_lines_are_sent_as_the_recorded_requests_are(gemini_recorded: Path) -> None:
    """The same request; only what it is called by is a key of its line."""
    said = json.loads((gemini_recorded / "ruby_llm__inline.json").read_text())["interactions"][0]
    (theirs, *_) = json.loads(said["request_body"])["batch"]["inputConfig"]["requests"]["requests"]
    text = theirs["request"]["contents"][0]["parts"][0]["text"]
    encoded = MODEL.template({}, TEXT, None, False).encode("0", [{"role": "user", "content": text}])
    assert json.loads(encoded) == {"key": "0", "request": theirs["request"]}


@pytest.mark.parametrize(
    ("raw", "stop_reason"),
    [
        (answer({"text": "a"}), "end_turn"),
        (answer(reason="MAX_TOKENS"), "max_tokens"),
        (answer(reason="PROHIBITED_CONTENT"), "refusal"),
        (line(response={"promptFeedback": {"blockReason": "OTHER"}}), "refusal"),
        (answer({"functionCall": {"name": "look", "args": {"at": 1.5}}}), "tool_use"),
        (answer({"text": "a"}, reason="A_NEW_ONE"), "a_new_one"),
    ],
)
def test_why_an_answer_ended_is_said_in_the_words_of_the_reader(raw: bytes, stop_reason: str) -> None:
    """A blocked prompt, a refusal and a cut-off answer are told apart from a whole one."""
    outcome = DIALECT.outcome(raw)
    assert (outcome.kind, outcome.stop_reason, outcome.error) == ("succeeded", stop_reason, None)


@pytest.mark.parametrize("reason", ["OTHER", "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE"])
def test_an_answer_that_the_service_broke_off_is_no_answer(reason: str) -> None:
    """What there is of it was paid for, and is no whole text."""
    outcome = DIALECT.outcome(answer({"text": "The total is 1"}, reason=reason, candidatesTokenCount=4))
    assert (outcome.kind, outcome.stop_reason) == ("succeeded", reason.lower())
    assert outcome.error is not None
    assert outcome.error.kind == "broken_off"
    assert outcome.usage is not None


@pytest.mark.parametrize(
    ("code", "kind", "named"),
    [
        (1, "canceled", "canceled"),
        (3, "errored", "invalid_request_error"),
        (8, "errored", "rate_limit_error"),
        (13, "errored", "api_error"),
        (503, "errored", "overloaded_error"),
        (None, "errored", "api_error"),
    ],
)
def test_an_error_of_a_line_has_its_kind(code: int | None, kind: str, named: str) -> None:
    """By its code, of either kind; nothing was answered."""
    outcome = DIALECT.outcome(line(error={"code": code, "message": "no"}))
    assert outcome.error is not None
    assert (outcome.kind, outcome.error.kind, outcome.blocks, outcome.usage) == (kind, named, [], None)


@pytest.mark.parametrize(
    ("used", "usage"),
    [
        ({"candidatesTokenCount": 7, "totalTokenCount": 107}, Usage(input_tokens=100, output_tokens=7)),
        ({"candidatesTokenCount": 7, "thoughtsTokenCount": 50}, Usage(input_tokens=100, output_tokens=57)),
        ({"cachedContentTokenCount": 60}, Usage(input_tokens=40, cache_read_tokens=60)),
        ({"cachedContentTokenCount": 101}, None),
        ({"candidatesTokenCount": 7, "totalTokenCount": 110}, None),
        ({"candidatesTokenCount": "7", "totalTokenCount": 107.0}, Usage(input_tokens=100, output_tokens=7)),
        ({"candidatesTokenCount": "seven"}, None),
    ],
)
def test_thoughts_are_paid_for_and_cached_tokens_are_part_of_the_prompt(
    used: dict[str, int], usage: Usage | None
) -> None:
    """What does not add up to the total holds something unknown: then the cost is unknown, too."""
    assert DIALECT.outcome(answer({"text": "a"}, **used)).usage == usage


def test_thoughts_are_no_answer_and_a_strange_shape_is_kept() -> None:
    """Only a line that is not whole is no result."""
    outcome = DIALECT.outcome(answer({"text": "hm", "thought": True}, {"text": "4"}, {"text": "2"}))
    assert [block.text for block in outcome.blocks] == ["4", "2"]
    odd = DIALECT.outcome(line(response={"candidates": [], "usageMetadata": []}))
    assert odd.error is not None
    assert (odd.kind, odd.error.kind, odd.usage) == ("succeeded", "unknown_shape", None)
    for cut in (b'{"key": "r1", "resp', b"[]", b"\xff", b'{"response": {}}'):
        with pytest.raises(IncompleteResultsError, match="not a whole result"):
            DIALECT.outcome(cut)


class Line(BaseModel):
    """One line of an invoice."""

    text: str = Field(min_length=1)
    amount: Decimal


class Invoice(BaseModel):
    """An invoice."""

    number: str
    day: date
    at: datetime
    kind: Literal["bill", "credit"]
    paid: bool | None = None
    lines: list[Line]


def test_a_schema_is_written_as_responseschema_takes_it() -> None:
    """Without references, formats and keywords that are not in the subset; the order of fields is kept."""
    made = MODEL.output_format(Invoice.model_json_schema(), False)
    assert made["propertyOrdering"] == ["number", "day", "at", "kind", "paid", "lines"]
    assert made["required"] == ["number", "day", "at", "kind", "lines"]
    fields = made["properties"]
    assert (fields["day"]["type"], "format" in fields["day"]) == ("STRING", False)
    assert fields["at"]["format"] == "date-time"
    assert fields["kind"]["enum"] == ["bill", "credit"]
    assert (fields["paid"]["type"], fields["paid"]["nullable"]) == ("BOOLEAN", True)
    entry = fields["lines"]["items"]
    assert entry["properties"]["text"]["minLength"] == 1
    assert {choice["type"] for choice in entry["properties"]["amount"]["anyOf"]} == {"NUMBER", "STRING"}


class Tree(BaseModel):
    """A model that has no end."""

    children: list[Tree]


class Open(BaseModel):
    """What any name may stand in."""

    found: dict[str, str]


class Loose(BaseModel):
    """What may be anything."""

    value: Any


class Pair(BaseModel):
    """A list of a certain length."""

    pair: tuple[int, str]


class Level(BaseModel):
    """A choice of numbers."""

    level: Literal[1, 2]


@pytest.mark.parametrize("model", [Tree, Open, Loose, Pair, Level])
def test_what_the_subset_cannot_say_goes_by_the_prompt(model: type[BaseModel]) -> None:
    """It would mean something else."""
    with pytest.raises(NotNative):
        MODEL.output_format(model.model_json_schema(), False)


def test_a_job_is_a_file_of_lines_within_its_bounds() -> None:
    """With the system's turns before the conversation, notes behind it, and none larger than was planned."""
    turns = [{"role": "system", "content": "Grüße."}, {"role": "user", "content": "hi"}]
    messages = [turns, [*turns, {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]]
    params = MODEL.check_params({"max_tokens": 64, "system": "Be brief.", "temperature": 0.5})
    inputs = read_inputs(messages=messages, checks=MODEL.checks(False, params))
    template = MODEL.template(params, Route("prompt", instructions="In JSON."), None, False).limited_to(128)
    sources = [inputs.source(index) for index in range(2)]
    body = build_body(JobDescription(0, ["r" * 64, "b"], sources, [None, "Again."], template, 10_000)).read()
    lines = body.splitlines()
    for index, text in enumerate(lines):
        noted = template.note_size("Again.") if index == 1 else 0
        assert len(text) <= inputs.request_size(index) + template.size + noted
    first, second = (json.loads(text)["request"] for text in lines)
    assert first["generationConfig"] == {"maxOutputTokens": 128, "temperature": 0.5}
    assert first["systemInstruction"]["parts"][0]["text"] == "Be brief.\n\nGrüße.\n\nIn JSON."
    assert [turn["role"] for turn in second["contents"]] == ["user", "model", "user", "user"]
    assert second["contents"][-1]["parts"] == [{"text": "Again."}]


def test_files_go_as_their_data_and_within_their_bounds() -> None:
    """The prompt comes behind the document; what is at another place is refused."""
    pdf = DOCUMENTS / "invoice-brightwater.pdf"
    inputs = read_inputs(files=[pdf, b"Vendor: Acme"], prompt="Extract.", checks=MODEL.checks(False, {}))
    template = MODEL.template({}, TEXT, "Extract.", False)
    for index, kind in enumerate(["inlineData", "text"]):
        text = template.encode("r" * 64, inputs.source(index))
        assert len(text) <= inputs.request_size(index) + template.size
        ((first, last),) = (turn["parts"] for turn in json.loads(text)["request"]["contents"])
        assert kind in first
        assert last == {"text": "Extract."}
        assert inputs.token_bound(index) >= inputs.expected_tokens(index) > 0
    gif = {"type": "base64", "media_type": "image/gif", "data": "R0lGODlh"}
    for source, said in (
        ({"type": "url", "url": "https://a.b/c.png"}, "must hold its data"),
        (gif, "is a GIF"),
    ):
        image = {"type": "image", "source": source}
        with pytest.raises(InvalidInputError, match=said):
            read_inputs(messages=[[{"role": "user", "content": [image]}]], checks=MODEL.checks(False, {}))


def test_what_would_fail_or_cost_anything_is_refused() -> None:
    """Unknown parameters and other providers' models; a tool of the service has no bound."""
    for params in ({"logit_bias": {}}, {"max_tokens": 0}, {"system": ["a"]}, {"tools": {"a": 1}}):
        with pytest.raises(InvalidInputError):
            MODEL.check_params(params)
    for given, budget in (({}, 0), ({"thinking_config": {"thinkingBudget": 900}}, 900)):
        assert MODEL.thinking_budget(given) == budget
    for name in ("gpt-5-nano", "gemini/claude-3"):
        with pytest.raises(UnsupportedModelError):
            DIALECT.model(name, TODAY)
    search = MODEL.template({"tools": [{"google_search": {}}]}, TEXT, None, False)
    functions = MODEL.template({"tools": [{"functionDeclarations": []}]}, TEXT, None, False)
    assert (search.unbounded, functions.unbounded) == ("google_search", None)


@pytest.mark.parametrize(
    ("model", "fresh", "cached"),
    [
        ("gemini-2.5-flash", "0.15", "0.03"),  # what is cached costs the full price in a batch
        ("gemini-3.8-flash", "0.375", "0.0375"),
        ("gemini/gemini-3.5-flash", "0.75", "0.15"),  # no price of batches is listed: half, but for cached
    ],
)
def test_prices_of_batches_are_the_table_s_own(model: str, fresh: str, cached: str) -> None:
    """They are not half of the list for every kind of token."""
    price = find_price(model, datetime(2026, 11, 26, tzinfo=UTC))
    assert price is not None
    in_batch = price.for_prompt(1_000).in_batch
    assert in_batch["input_tokens"][0] == Decimal(fresh)
    assert in_batch["cache_read_tokens"][0] == Decimal(cached)
