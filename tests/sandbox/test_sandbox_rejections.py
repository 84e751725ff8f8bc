"""What the service refuses in `params`: accepted at create, errored in the results."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from batchata.sandbox import Sandbox

MODEL = "claude-haiku-4-5"
FORCED = {"type": "tool", "name": "t"}
TOOLS = [{"name": "t", "input_schema": {"type": "object", "properties": {}}}]


def schema(**extra: Any) -> dict[str, Any]:
    body = {"type": "object", "properties": {}, "required": [], "additionalProperties": False, **extra}
    return {"output_config": {"format": {"type": "json_schema", "schema": body}}}


def document(enabled: bool = True) -> dict[str, Any]:
    source = {"type": "text", "media_type": "text/plain", "data": "The sky is blue."}
    return {"type": "document", "source": source, "citations": {"enabled": enabled}}


def pdf(content: bytes) -> dict[str, Any]:
    data = base64.b64encode(content).decode()
    return {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}


def user(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


NODE = {
    "$defs": {
        "n": {**schema()["output_config"]["format"]["schema"], "properties": {"n": {"$ref": "#/$defs/n"}}}
    }
}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "temperature": ({"temperature": 1.0}, "temperature: Extra inputs are not permitted"),
    "top_p": ({"top_p": 1.0}, "top_p: Extra inputs are not permitted"),
    "top_k": ({"top_k": 1}, "top_k: Extra inputs are not permitted"),
    "unknown": ({"max_stepss": 1}, "max_stepss: Extra inputs are not permitted"),
    "stream": ({"stream": True}, "stream"),
    "no_tokens": ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
    "null_tokens": ({"max_tokens": None}, "max_tokens: Field required"),
    "format_cited": ({**user(document()), **schema()}, "not compatible with citations"),
    "some_cited": (user(document(True), document(False)), "all or none"),
    "forced": (
        {"model": "claude-sonnet-5-5", "tools": TOOLS, "tool_choice": FORCED},
        'tool_choice: type "tool" and "any" are not supported for this model.',
    ),
    "empty": ({"messages": []}, "at least one message"),
    "system_role": ({"messages": [{"role": "system", "content": "x"}]}, 'Unexpected role "system"'),
    "assistant_first": (
        {"messages": [{"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]},
        'must use the "user" role',
    ),
    "prefill": (
        {
            "model": "claude-sonnet-5",
            "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}],
        },
        "prefill",
    ),
    "assistant_document": (
        {
            "messages": [
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": [document()]},
                {"role": "user", "content": "y"},
            ]
        },
        "`document` blocks are not permitted in assistant messages",
    ),
    "echoed_citations": (
        user({"type": "text", "text": "x", "citations": [{"type": "char_location"}]}),
        "citations",
    ),
    "broken_pdf": (user(pdf(b"%PDF-1.4 nothing")), "The PDF specified was not valid."),
    "empty_pdf": (user(pdf(b"")), "The PDF specified was not valid."),
    "open_object": (schema(additionalProperties=True), "additionalProperties"),
    "bounds": (schema(properties={"a": {"type": "number", "minimum": 0}}), "'minimum' is not supported"),
    "length": (schema(properties={"a": {"type": "string", "maxLength": 9}}), "'maxLength' is not supported"),
    "recursion": (schema(**NODE, properties={"a": {"$ref": "#/$defs/n"}}), "Circular"),
}
MISSING_MODELS = [
    "claude-3-5-sonnet-20241022",
    "claude-sonnet-4-20250514",
    "claude-3-5-haiku-20240307",
    "gpt-5",
    "x",
]


def test_bad_params_are_accepted_and_errored_in_the_results(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """Create succeeds; each request has its own doubly nested invalid_request_error, and costs nothing."""
    sandbox = serve("fine")
    client = connect(sandbox)
    entries = [request_of(name, **params) for name, (params, _) in REFUSED.items()]
    batch = client.messages.batches.create(requests=[*entries, request_of("good")])
    results = {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}
    assert results.pop("good").type == "succeeded"
    for name, result in results.items():
        assert result.type == "errored", name
        assert result.error.error.type == "invalid_request_error", name
        assert REFUSED[name][1] in result.error.error.message, name
    assert sandbox.billed() == {"good": 1}


def test_models_that_do_not_exist_are_not_found(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """Retired, never existing and foreign models: not_found_error with `model: <id>`."""
    client = connect(serve("fine"))
    entries = [request_of(f"m-{n}", model=model) for n, model in enumerate(MISSING_MODELS)]
    batch = client.messages.batches.create(requests=entries)
    for line in client.messages.batches.results(batch.id):
        model = MISSING_MODELS[int(line.custom_id[2:])]
        assert line.result.error.error.type == "not_found_error"
        assert line.result.error.error.message == f"model: {model}"


@pytest.mark.parametrize(("day", "kind"), [("2026-11-29", "succeeded"), ("2026-11-30", "errored")])
def test_a_model_retires_on_its_day(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
    day: Any,
    kind: Any,
) -> None:
    """The sandbox's clock decides."""
    from datetime import UTC, datetime

    now = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
    client = connect(serve("fine", clock=lambda: now))
    batch = client.messages.batches.create(requests=[request_of("a", model="claude-sonnet-4-5")])
    (line,) = client.messages.batches.results(batch.id)
    assert line.result.type == kind


def test_what_is_allowed_stays_allowed(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """A forced tool on an older model, a good schema, all-cited documents."""
    client = connect(serve("fine"))
    allowed = {
        "tool": {"model": "claude-sonnet-5", "tools": TOOLS, "tool_choice": FORCED},
        "schema": schema(properties={"a": {"type": "string", "format": "date"}}),
        "cited": user(document(), document()),
        "prefill": {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}]},
    }
    batch = client.messages.batches.create(requests=[request_of(n, **p) for n, p in allowed.items()])
    for line in client.messages.batches.results(batch.id):
        assert line.result.type == "succeeded", line


def test_real_pdfs_that_cannot_be_read(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
    shared: Any,
) -> None:
    """Encrypted, empty and over-long PDFs are refused in the results; a damaged one that opens is read."""
    client = connect(serve("fine"))
    names = ["encrypted_password_test", "empty", "eu_treaty_344p", "corrupted_zen_of_python"]
    entries = [request_of(n, [pdf((shared / "pdf" / f"{n}.pdf").read_bytes())]) for n in names]
    batch = client.messages.batches.create(requests=entries)
    results = {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}
    assert "password" in results["encrypted_password_test"].error.error.message
    assert "not valid" in results["empty"].error.error.message
    assert "100 PDF pages" in results["eu_treaty_344p"].error.error.message
    assert results["corrupted_zen_of_python"].type == "succeeded"
