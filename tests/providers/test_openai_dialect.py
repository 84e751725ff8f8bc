"""OpenAI's request and result lines: the recorded ones are read, and ours are like the recorded ones."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from batchata import BatchManager
from batchata.answers.schema import NotNative, Route
from batchata.core.values import RequestError, Usage
from batchata.errors import (
    ConfigurationError,
    IncompleteResultsError,
    InvalidInputError,
    UnsupportedModelError,
)
from batchata.inputs import read_inputs
from batchata.providers.openai.dialect import OpenAIDialect
from batchata.providers.openai.vision import vision_of
from batchata.providers.registry import Access
from batchata.run.bodies import JobDescription, build_body

DIALECT = OpenAIDialect()
MODEL = DIALECT.model("openai/gpt-5-nano", date(2026, 11, 26))
TEXT = Route("text")
SCHEMA = {"title": "City", "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.fixture(scope="session")
def openai_recorded(shared: Path) -> Path:
    """Recorded traffic of OpenAI's batches."""
    return shared / "providers" / "openai"


def result_lines(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every line of every result file that was downloaded or kept, of texts."""
    for path in sorted(folder.glob("*.json")):
        said = json.loads(path.read_text())
        for call in said.get("interactions", []) if "embeddings" not in path.name else []:
            if call["method"] == "GET" and call["uri"].endswith("/content"):
                yield from ((path.name, line.encode()) for line in call["raw_body"].splitlines())
        for entry in said.get("results", []):
            if "custom_id" in entry:
                yield path.name, json.dumps(entry).encode()


def line(**response: Any) -> bytes:
    """One line of results."""
    return json.dumps({"custom_id": "r1", "response": response, "error": None}).encode()


def responses(*output: dict[str, Any], **more: Any) -> bytes:
    """One line with an answer of /v1/responses."""
    return line(status_code=200, body={"status": "completed", "output": [*output]} | more)


def chat(message: dict[str, Any], finish_reason: str) -> bytes:
    """One line with an answer of /v1/chat/completions."""
    return line(status_code=200, body={"choices": [{"message": message, "finish_reason": finish_reason}]})


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "content": [*parts]}


def test_every_recorded_answer_is_read(openai_recorded: Path) -> None:
    """Of both endpoints: text, usage and why the answer ended; the line is kept as received."""
    seen = 0
    for name, raw in result_lines(openai_recorded):
        outcome = DIALECT.outcome(raw)
        used = json.loads(raw)["response"]["body"]["usage"]
        assert (outcome.kind, outcome.error, outcome.line) == ("succeeded", None, raw), name
        assert outcome.stop_reason in ("end_turn", "max_tokens"), name
        assert outcome.usage is not None, name
        total = outcome.usage.input_tokens + outcome.usage.cache_read_tokens
        assert total == used.get("input_tokens", used.get("prompt_tokens")), name
        assert outcome.usage.output_tokens == used.get("output_tokens", used.get("completion_tokens")), name
        assert "".join(block.text or "" for block in outcome.blocks), name
        assert DIALECT.blocks(raw) == outcome.blocks, name
        seen += 1
    assert seen >= 10


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        *(
            (chat({"content": "The total is 1"}, word), "broken_off")
            for word in ("error", "abort", "time_limit")
        ),
        (chat({"content": "The total is 1"}, "model_length"), "model_context_window_exceeded"),
        (chat({"content": "The total is 1"}, "a_new_one"), None),
        (responses(message({"text": "The total is 1"}), status="incomplete"), "broken_off"),
        (responses(message({"text": "The total is 1"}), status="in_progress"), "broken_off"),
        (responses(message({"text": "The total is 1"}), status="a_new_one"), None),
    ],
)
def test_an_answer_that_the_service_broke_off_is_no_answer(raw: bytes, kind: str | None) -> None:
    """A text does not show that it is not whole; a word that is not known is no sign."""
    outcome = DIALECT.outcome(raw)
    assert outcome.kind == "succeeded"
    assert (None if outcome.error is None else outcome.error.kind) == kind


def test_recorded_refusals_have_their_kinds(openai_recorded: Path) -> None:
    """Expired, no money left, an error that says nothing, and refused by itself."""
    items = json.loads((openai_recorded / "snippets_from_issues.json").read_text())["items"]
    lines = [{"custom_id": "r1", **item["line"]} for item in items if "line" in item]
    found = [DIALECT.outcome(json.dumps(entry).encode()) for entry in lines]
    kinds = [(outcome.kind, outcome.error.kind) for outcome in found if outcome.error is not None]
    assert kinds == [
        ("expired", "expired"),
        ("errored", "billing_error"),
        ("errored", "api_error"),
        ("errored", "invalid_request_error"),
    ]
    assert all(outcome.usage is None and outcome.blocks == [] for outcome in found)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"type": "BadRequestError", "code": 400, "message": "too long"}, "invalid_request_error"),
        (404, {"type": None, "code": "model_not_found", "message": "none"}, "invalid_request_error"),
        (422, {"message": "unprocessable"}, "invalid_request_error"),
        (400, {"code": "insufficient_quota", "message": "pay"}, "billing_error"),
        (429, {"type": "tokens", "code": "rate_limit_exceeded", "message": "slow"}, "tokens"),
        (500, {"type": "InternalServerError", "message": "oops"}, "InternalServerError"),
    ],
)
def test_a_refused_request_is_refused_for_good_whatever_a_service_calls_it(
    status: int, error: dict[str, Any], kind: str
) -> None:
    """By its status; what may pass keeps its name, and is asked again."""
    found = DIALECT.outcome(line(status_code=status, body={"error": error})).error
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    ("raw", "stop_reason"),
    [
        (responses(message({"type": "refusal", "refusal": "No."})), "refusal"),
        (responses(message({"text": "a"}), incomplete_details={"reason": "max_output_tokens"}), "max_tokens"),
        (responses(message({"text": "a"}), incomplete_details={"reason": "content_filter"}), "refusal"),
        (responses(message({"text": "a"})), "end_turn"),
        (chat({"content": "a"}, "length"), "max_tokens"),
        (chat({"content": "a"}, "stop"), "end_turn"),
        (chat({"refusal": "No."}, "stop"), "refusal"),
    ],
)
def test_why_an_answer_ended_is_said_in_the_words_of_the_reader(raw: bytes, stop_reason: str) -> None:
    """A refusal and a cut-off answer are told apart from a whole one."""
    assert DIALECT.outcome(raw).stop_reason == stop_reason


def test_of_several_messages_the_last_is_the_answer() -> None:
    """The first may be a comment, or the same text cut off; reasoning is none of it."""
    first, last = message({"text": "Let me"}), message({"type": "output_text", "text": "42"})
    outcome = DIALECT.outcome(responses({"type": "reasoning", "content": []}, first, last))
    assert [block.text for block in outcome.blocks] == ["42"]


def test_calls_of_functions_are_calls_of_tools() -> None:
    """By both endpoints, with their arguments as values."""
    arguments = '{"at": 1.50}'
    call = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": arguments}
    chat = {"tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": arguments}}]}
    choice = {"finish_reason": "tool_calls", "message": chat}
    for raw in (responses(call), line(status_code=200, body={"choices": [choice]})):
        (block,) = DIALECT.outcome(raw).blocks
        assert (block.type, block.id, block.name, str(block.input["at"])) == (
            "tool_use",
            "c1",
            "look",
            "1.50",
        )


def test_cached_tokens_are_part_of_the_input() -> None:
    """Unlike Anthropic's: counted once, or the cost would be too high. More than the whole cannot be."""
    details = {"cached_tokens": 60, "cache_write_tokens": 10}
    used: dict[str, Any] = {"input_tokens": 100, "output_tokens": 7, "input_tokens_details": details}
    assert DIALECT.outcome(responses(message({"text": "a"}), usage=used)).usage == Usage(
        input_tokens=30, output_tokens=7, cache_read_tokens=60, cache_write_5m_tokens=10
    )
    assert (
        DIALECT.outcome(responses(message({"text": "a"}), usage={**used, "input_tokens": 50})).usage is None
    )


@pytest.mark.parametrize(("total", "paid"), [(157, 57), (107, 7), (None, 7)])
def test_thoughts_beside_the_answer_are_paid_for(total: int | None, paid: int) -> None:
    """XAI counts them beside the answer, OpenAI within it: which of both it is, the total tells."""
    details = {"reasoning_tokens": 50}
    used = {"prompt_tokens": 100, "completion_tokens": 7, "completion_tokens_details": details}
    used |= {} if total is None else {"total_tokens": total}
    body = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": used}
    outcome = DIALECT.outcome(line(status_code=200, body=body))
    assert outcome.usage == Usage(input_tokens=100, output_tokens=paid)


@pytest.mark.parametrize("ten", [10, 10.0, "10", "10.0"])
def test_a_number_of_tokens_has_one_reading_in_these_notations(ten: Any) -> None:
    """Ten is ten, as a whole number, with a point behind it, or as a text; half a token is unknown."""
    said = message({"text": "a"})
    used = {"input_tokens": ten, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 0.0}}
    assert DIALECT.outcome(responses(said, usage=used)).usage == Usage(input_tokens=10, output_tokens=3)
    assert DIALECT.outcome(responses(said, usage={**used, "output_tokens": 1.5})).usage is None


def test_a_line_of_unknown_shape_is_an_answer_that_cannot_be_read() -> None:
    """It is kept and not sent again; only a line that is not whole is no result."""
    outcome = DIALECT.outcome(line(status_code=200, body={"output": "?", "usage": []}))
    assert isinstance(outcome.error, RequestError)
    assert (outcome.kind, outcome.error.kind, outcome.usage) == ("succeeded", "unknown_shape", None)
    for cut in (b'{"custom_id": "r1", "resp', b"[]", b"\xff", b'{"response": {}}'):
        with pytest.raises(IncompleteResultsError, match="not a whole result"):
            DIALECT.outcome(cut)


def test_lines_are_sent_as_the_recorded_ones_are(openai_recorded: Path) -> None:
    """The same keys and url, and a body with the same model and input."""
    said = json.loads((openai_recorded / "ruby_llm__responses_gpt5nano.json").read_text())["interactions"][0]
    theirs = json.loads(said["request_body"].split("\r\n\r\n")[1].splitlines()[0])
    source = [{"role": "user", "content": theirs["body"]["input"][0]["content"]}]
    ours = json.loads(MODEL.template({}, TEXT, None, False).encode("0", source))
    theirs["body"].pop("include")
    assert ours == theirs


def test_a_job_is_a_file_of_lines_within_its_bounds() -> None:
    """One JSON object a line, none larger than the plan took it to be."""
    messages = [[{"role": "user", "content": f"Grüße {n}"}] for n in range(3)]
    inputs = read_inputs(messages=messages, checks=MODEL.checks(False, {}))
    params = MODEL.check_params({"max_tokens": 64, "instructions": "Be brief."})
    route = Route("native", output_format=MODEL.output_format(SCHEMA, False))
    template = MODEL.template(params, route, None, False).limited_to(128)
    sources = [inputs.source(index) for index in range(3)]
    ids = ["r" * 64, "b", "c"]
    body = build_body(JobDescription(0, ids, sources, [None, "Again.", None], template, 10_000)).read()
    lines = [json.loads(text) for text in body.splitlines()]
    assert [entry["custom_id"] for entry in lines] == ids
    assert {entry["body"]["max_output_tokens"] for entry in lines} == {128}
    assert lines[1]["body"]["input"][-1] == {"role": "user", "content": "Again."}
    assert lines[0]["body"]["text"]["format"]["schema"]["additionalProperties"] is False
    for index, text in enumerate(body.splitlines()):
        noted = template.note_size("Again.") if index == 1 else 0
        assert len(text) <= inputs.request_size(index) + template.size + noted


def encoded_png(width: int, height: int) -> bytes:
    """A white picture."""
    file = BytesIO()
    Image.new("RGB", (width, height), "white").save(file, "PNG")
    return file.getvalue()


DOCUMENTS = Path(__file__).resolve().parents[2] / "examples/documents"


@pytest.mark.parametrize("endpoint", ["/v1/responses", "/v1/chat/completions"])
def test_files_go_as_the_endpoint_has_them_and_within_their_bounds(endpoint: str) -> None:
    """A PDF as a file with its name, a picture as an image, a text as text; the prompt behind each."""
    picture = encoded_png(30, 20)
    files = [DOCUMENTS / "invoice-brightwater.pdf", picture, b"Vendor: Acme"]
    params = MODEL.check_params({"max_tokens": 64, "endpoint": endpoint, "instructions": "Be brief."})
    inputs = read_inputs(files=files, prompt="Extract.", checks=MODEL.checks(False, params))
    route = Route("prompt", instructions="Answer in JSON.")
    template = MODEL.template(params, route, "Extract.", False)
    is_chat = endpoint.endswith("completions")
    for index, kind in enumerate(["file" if is_chat else "input_file", "image", "text"]):
        text = template.encode("r" * 64, inputs.source(index))
        assert len(text) <= inputs.request_size(index) + template.size
        line = json.loads(text)
        *lead, message = line["body"]["messages" if is_chat else "input"]
        assert line["url"] == endpoint
        first, last = message["content"]
        assert kind in first["type"]
        assert last["text"] == "Extract."
        said = lead[0]["content"] if is_chat else line["body"]["instructions"]
        assert said == "Be brief.\n\nAnswer in JSON."
        assert ("max_completion_tokens" in line["body"]) == is_chat
        assert inputs.token_bound(index) >= inputs.expected_tokens(index) > 0


def test_blocks_are_taken_as_either_provider_writes_them() -> None:
    """The same document and picture make the same request."""
    data = b64encode((DOCUMENTS / "invoice-brightwater.pdf").read_bytes()).decode()
    png = b64encode(encoded_png(3, 2)).decode()
    theirs = [
        {"type": "text", "text": "Look."},
        {
            "type": "document",
            "title": "a.pdf",
            "source": {"type": "base64", "media_type": "application/pdf", "data": data},
        },
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png}},
    ]
    own = [
        {"type": "input_text", "text": "Look."},
        {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{png}"},
    ]
    template = MODEL.template({}, TEXT, None, False)
    made = []
    for blocks in (theirs, own):
        conversation = [{"role": "user", "content": blocks}]
        inputs = read_inputs(messages=[conversation], checks=MODEL.checks(False, {}))
        made.append(template.encode("r", inputs.source(0)))
        assert len(made[-1]) <= inputs.request_size(0) + template.size
    assert made[0] == made[1]
    assert json.loads(made[0])["body"]["input"][0]["content"] == own


@pytest.mark.parametrize(
    ("endpoint", "block", "made"),
    [
        ("responses", {"type": "input_file", "file_id": "f"}, {"type": "input_file", "file_id": "f"}),
        ("responses", {"type": "input_image", "file_id": "f"}, {"type": "input_image", "file_id": "f"}),
        (
            "responses",
            {"type": "document", "source": {"type": "url", "url": "https://a.b/c.pdf"}},
            {"type": "input_file", "file_url": "https://a.b/c.pdf"},
        ),
        (
            "responses",
            {"type": "document", "title": "T", "source": {"type": "text", "data": "said"}},
            "T:\n\nsaid",
        ),
        (
            "chat/completions",
            {"type": "file", "file": {"file_id": "f"}},
            {"type": "file", "file": {"file_id": "f"}},
        ),
    ],
)
def test_what_the_service_has_already_goes_by_its_name(
    endpoint: str, block: dict[str, Any], made: str | dict[str, Any]
) -> None:
    """Files by their ids and addresses, and documents that are texts, as the endpoint has them."""
    conversation = [{"role": "user", "content": [block]}]
    inputs = read_inputs(messages=[conversation], checks=MODEL.checks(False, {}))
    request = MODEL.template({"endpoint": f"/v1/{endpoint}"}, TEXT, None, False).encode("r", inputs.source(0))
    (turn,) = json.loads(request)["body"]["input" if endpoint == "responses" else "messages"]
    assert turn["content"] == (made if isinstance(made, str) else [made])


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"type": "input_audio"}, "cannot be sent to this provider; known are text, image"),
        ({"type": "input_image", "image_url": "a.png"}, "must be at https"),
        ({"type": "input_file"}, "needs file_data, file_url or file_id"),
        ({"type": "text", "text": " "}, "must be text that is not empty"),
        ({"type": "input_file", "file_data": "data:application/pdf;base64,QUJD"}, "damaged PDF"),
        ({"type": "input_image", "image_url": "data:image/png;base64,QUJD"}, "declared as 'image/png'"),
        ({"type": "input_image", "image_url": "data:image/png,QUJD"}, "must be a data URL in base64"),
        ({"type": "input_image", "image_url": "data:image/png;base64,a!"}, "is not valid base64"),
        (
            {"type": "document", "source": {"type": "content", "content": "x"}},
            "give base64, a url",
        ),
        ({"text": "hello"}, "must be a dict with a 'type'"),
        ("hello", "must be a dict with a 'type'"),
    ],
)
def test_a_block_that_would_fail_is_named(block: dict[str, Any], said: str) -> None:
    """By its place in the conversation, and with what to give instead."""
    conversation = [{"role": "user", "content": [block]}]
    with pytest.raises(InvalidInputError, match=said) as caught:
        read_inputs(messages=[conversation], checks=MODEL.checks(False, {}))
    assert "messages[0][0].content" in str(caught.value)


def test_what_the_draft_does_not_know_is_refused() -> None:
    """Parameters, and schemas whose meaning the strict format would change."""
    for params in ({"logit_bias": {}}, {"max_tokens": 8}, {"text": {"format": {}}}, {"endpoint": "/v1/x"}):
        with pytest.raises(InvalidInputError):
            MODEL.check_params(params)
    with pytest.raises(NotNative, match="may be left out"):
        MODEL.output_format({**SCHEMA, "required": []}, False)
    with pytest.raises(UnsupportedModelError):
        DIALECT.model("claude-sonnet-5-5", date(2026, 11, 26))


def test_a_format_goes_to_chat_completions_in_their_words() -> None:
    """The effort and the schema of /v1/responses have other names there."""
    given = MODEL.check_params({"endpoint": "/v1/chat/completions", "reasoning": {"effort": "low"}})
    native = Route("native", output_format=MODEL.output_format(SCHEMA, False))
    inputs = read_inputs(messages=[[{"role": "user", "content": "x"}]], checks=MODEL.checks(False, given))
    body = json.loads(MODEL.template(given, native, None, False).encode("r", inputs.source(0)))["body"]
    assert body["reasoning_effort"] == "low"
    asked = body["response_format"]
    assert (asked["type"], asked["json_schema"]["strict"]) == ("json_schema", True)
    assert asked["json_schema"]["schema"]["properties"]


@pytest.mark.parametrize(
    ("conversation", "said"),
    [
        (5, "must be a conversation, a list of messages"),
        ([{"content": "x"}], "must be {'role': 'user', 'content': '...'}"),
        ([{"role": "tool", "content": "x"}], "role is 'tool'; it is one of"),
        ([{"role": "user", "content": []}], "is empty; give text or at least one block"),
    ],
)
def test_a_turn_that_would_fail_is_named(conversation: Any, said: str) -> None:
    """Before anything is sent, and with what it has to be."""
    with pytest.raises(InvalidInputError, match=re.escape(said)):
        read_inputs(messages=[conversation], checks=MODEL.checks(False, {}))


def nested(levels: int) -> dict[str, Any]:
    """A schema of objects in objects."""
    inner: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        inner = {"type": "object", "properties": {"x": inner}, "required": ["x"]}
    return inner


def of_field(**field: Any) -> dict[str, Any]:
    """A schema of one field."""
    return {"type": "object", "properties": {"x": {"type": "string", **field}}, "required": ["x"]}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (nested(11), "at most 10 levels"),
        (of_field(enum=[f"{n}" for n in range(1_001)]), "at most 1,000 choices"),
        (of_field(enum=[f"{n:060}" for n in range(251)]), "15,000 characters of one field's choices"),
        (of_field(enum=["y" * 120_000]), "120,000 characters of names"),
        ({"anyOf": [nested(1), nested(2)]}, "is one object"),
        ({"$ref": "#/$defs/A", "$defs": {"A": nested(1)}}, "is one object"),
        (of_field(oneOf=[]), "has no oneOf"),
        ({**nested(1), "additionalProperties": {"type": "string"}}, "no open dicts"),
    ],
)
def test_a_schema_beyond_the_limits_goes_by_the_prompt(schema: dict[str, Any], said: str) -> None:
    """Each request with it would fail, a day later."""
    with pytest.raises(NotNative, match=said):
        MODEL.output_format(schema, False)


def test_bounds_that_strict_schemas_lack_are_left_to_the_response_model() -> None:
    """Lengths and formats of its own; what can be said stays."""
    field = of_field(minLength=2, format="iban", pattern="^[A-Z]")
    made = MODEL.output_format(field, False)["schema"]["properties"]["x"]
    assert made == {"type": "string", "pattern": "^[A-Z]"}
    assert MODEL.output_format(nested(10), False)


@pytest.mark.parametrize("model", ["openai/gpt-5-nano", "gpt-5-nano", "o3"])
def test_its_models_are_told_by_their_names(model: str) -> None:
    """With or without the provider in front; without a key, the error names the variable to set."""
    manager = BatchManager(model=model, messages=[[{"role": "user", "content": "hi"}]])
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        manager.run()


def test_a_provider_that_there_is_none_of_is_named() -> None:
    """The error says which ones there are."""
    with pytest.raises(ConfigurationError, match=r"there are anthropic, anthropic-aws.* openai"):
        Access().client("acme")


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("gpt-4o", (1024, 1024), None, 765),  # the guide's own examples
        ("gpt-4.1", (2048, 4096), "high", 1_105),
        ("gpt-4o", (4096, 8192), "low", 85),
        ("gpt-4o-mini", (1024, 1024), None, 2_833 + 4 * 5_667),
        ("gpt-4o-mini", (3000, 1000), None, 2_833 + 8 * 5_667),  # the most tiles are those of a wide one
        ("gpt-5", (1024, 1024), None, 70 + 4 * 140),
        ("o3", (1024, 1024), None, 75 + 4 * 150),
        ("gpt-5-mini", (1024, 1024), None, 1_659),
        ("gpt-5-nano", (9000, 9000), None, 3_779),
        ("o4-mini-2025-04-16", (9000, 9000), "high", 2_642),
        ("gpt-5.4", (9000, 9000), None, 2_500),
        ("gpt-5.4", (9000, 9000), "original", 10_000),
        ("gpt-5.4-nano", (9000, 9000), None, 3_779),
        ("gpt-5.5", (9000, 9000), None, 10_000),
        ("gpt-5.5", (9000, 9000), "high", 2_500),
        ("gpt-6-sol", (4000, 3000), None, 125 * 94),  # as large as it is
        ("gpt-6-sol", (4000, 3000), "high", 2_500),
        ("gpt-6-sol", (100, 100), "low", 256),
        ("unknown-7", (4000, 3000), None, 28_905),
    ],
)
def test_an_image_is_bounded_as_its_model_counts_it(
    model: str, size: tuple[int, int], detail: str | None, tokens: int
) -> None:
    """By tiles or patches of its own size, not by a constant that the newest models pass."""
    assert vision_of(model, is_openai=True).tokens(*size, detail) == tokens


def test_an_image_s_detail_and_size_are_in_its_bound() -> None:
    """Of one that only the service can see it is the most that any has."""
    checks = DIALECT.model("gpt-6-sol", date(2026, 11, 26)).checks(False, {})
    here = "data:image/png;base64," + b64encode(encoded_png(4_000, 3_000)).decode()

    def bound(**image: str) -> int:
        turn = {"role": "user", "content": [{"type": "input_image", **image}]}
        return checks.conversation([turn], "messages[0]").token_bound

    whole = bound(image_url=here)
    assert 125 * 94 <= whole < 125 * 94 + 200
    assert whole - bound(image_url=here, detail="high") in range(9_200, 9_300)
    assert 30_000 <= bound(image_url="https://example.com/a.png") < 30_300
