"""Parameters that fail every request: the sandbox refuses what the constructor refuses, and no more."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from batchata.errors import InvalidInputError
from batchata.providers.anthropic.models import MODELS
from batchata.providers.anthropic.params import check_params
from batchata.sandbox.anthropic.validation import rejection

TOOL: dict[str, Any] = {"name": "f", "input_schema": {"type": "object", "properties": {}}}
OLD, NEW = "claude-haiku-4-5", "claude-sonnet-5-5"
DAY = "2026-11-01"
BUDGET = {"type": "enabled", "budget_tokens": 1_024}


def marked(ttl: str | None) -> dict[str, Any]:
    control = {"type": "ephemeral"} | ({} if ttl is None else {"ttl": ttl})
    return {"type": "text", "text": "Be brief.", "cache_control": control}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (NEW, {"temperature": 0}, "temperature: Extra inputs are not permitted"),
    (NEW, {"store": True}, "store: Extra inputs"),
    (NEW, {"cache_hint": {}}, "cache_hint: Extra inputs"),
    (NEW, {"speed": "fast"}, "speed: "),
    (NEW, {"stream": True}, "stream: "),
    (NEW, {"max_tokens": 0}, "max_tokens: Input should be greater"),
    (NEW, {"max_tokens": 128_001}, "max_tokens: 128001 > 128000, which is the maximum"),
    (OLD, {"max_tokens": 64_001}, "max_tokens: 64001 > 64000, which is the maximum"),
    (NEW, {"system": [{"type": "image"}]}, "system.0.type: "),
    (NEW, {"system": [{"type": "text", "text": ""}]}, "system.0: text content blocks must be non-empty"),
    (NEW, {"stop_sequences": "END"}, "stop_sequences: "),
    (NEW, {"stop_sequences": ["END", ""]}, "stop_sequences: "),
    (NEW, {"stop_sequences": ["\n"]}, "stop_sequences: each stop sequence must contain non-whitespace"),
    (NEW, {"metadata": {"project": "x"}}, "metadata.project: Extra inputs"),
    (NEW, {"metadata": {"user_id": "x" * 257}}, "metadata.user_id: "),
    (NEW, {"service_tier": "batch"}, "service_tier: "),
    (NEW, {"output_config": "low"}, "output_config: "),
    (NEW, {"thinking": True}, "thinking: "),
    (OLD, {"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: "),
    (OLD, {"thinking": {"type": "enabled", "budget_tokens": 1_023}}, "greater than or equal to 1024"),
    (OLD, {"thinking": BUDGET, "max_tokens": 1_024}, "`max_tokens` must be greater than"),
    ("claude-opus-5-5", {"thinking": BUDGET, "max_tokens": 9_000}, '"thinking.type.enabled" is not'),
    (NEW, {"thinking": BUDGET, "max_tokens": 9_000}, '"thinking.type.enabled" is not supported'),
    ("claude-opus-4-7", {"thinking": BUDGET, "max_tokens": 9_000}, '"thinking.type.enabled" is not'),
    ("claude-opus-5-5", {"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported'),
    (OLD, {"tools": {"name": "f"}}, "tools: "),
    (OLD, {"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    (OLD, {"tools": [TOOL, {"type": "web_search_20250305", "name": "f"}]}, "must be unique"),
    (OLD, {"tools": [TOOL | {"name": "look up"}]}, "tools.0.custom.name: "),
    (OLD, {"tools": [TOOL | {"name": "x" * 129}]}, "tools.0.custom.name: "),
    (OLD, {"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools.0: Input tag 'function'"),
    (OLD, {"tool_choice": "auto"}, "tool_choice: "),
    (OLD, {"tools": [TOOL], "tool_choice": {"type": "required"}}, "tool_choice: Input tag 'required'"),
    (OLD, {"tool_choice": {"type": "any"}}, "only be specified while providing tools"),
    (OLD, {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "Tool 'g' not found"),
    (NEW, {"tools": [TOOL], "tool_choice": {"type": "any"}}, "not supported for this model"),
    (
        OLD,
        {"tools": [TOOL], "tool_choice": {"type": "any"}, "thinking": BUDGET, "max_tokens": 4_000},
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    (NEW, {"cache_control": True}, "cache_control.type: "),
    (NEW, {"cache_control": {"type": "ephemeral", "ttl": "24h"}}, "cache_control.ttl: "),
    (NEW, {"system": [marked(None)] * 5}, "A maximum of 4 blocks with cache_control may be provided"),
    (NEW, {"system": [marked("5m")] * 4, "cache_control": {"type": "ephemeral"}}, "Found 5."),
    (NEW, {"system": [marked("5m"), marked("1h")]}, "system.1.cache_control.ttl: a ttl='1h'"),
    (NEW, {"tools": [TOOL | {"cache_control": {"type": "ephemeral"}}], "system": [marked("1h")]}, "ttl='1h'"),
]  # fmt: skip
TAKEN: list[tuple[str, dict[str, Any]]] = [
    (NEW, {"system": "Be brief.", "stop_sequences": ["END"], "metadata": {"user_id": "u"}}),
    (NEW, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}, "service_tier": "auto"}),
    (NEW, {"max_tokens": 128_000, "tools": [TOOL], "tool_choice": {"type": "auto"}}),
    (OLD, {"max_tokens": 64_000, "thinking": BUDGET, "tools": [TOOL]}),
    (OLD, {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}, "thinking": {"type": "disabled"}}),
    (NEW, {"system": [marked("1h"), marked("5m"), marked(None)], "cache_control": {"type": "ephemeral"}}),
]


def refusal_of(model: str, params: dict[str, Any]) -> str | None:
    messages = [{"role": "user", "content": "hello"}]
    refused = rejection({"model": model, "max_tokens": 1_000, "messages": messages, **params}, DAY)
    return None if refused is None else refused.message


@pytest.mark.parametrize(("model", "params", "words"), REFUSED)
def test_what_the_constructor_refuses_the_sandbox_refuses(
    model: str, params: dict[str, Any], words: str
) -> None:
    """So that what gets past the one is met with the other."""
    assert words in (refusal_of(model, params) or "")
    with pytest.raises(InvalidInputError):
        check_params(params, MODELS[model])


@pytest.mark.parametrize(("model", "params"), TAKEN)
def test_what_the_constructor_takes_the_sandbox_takes(model: str, params: dict[str, Any]) -> None:
    """Neither is stricter than the other."""
    assert check_params(params, MODELS[model]) == params
    assert refusal_of(model, params) is None


@pytest.mark.parametrize("kind", ["image_url", "input_text", "input_image", "file"])
def test_blocks_of_another_api_are_refused(kind: str) -> None:
    """By the tag that they have."""
    messages = [{"role": "user", "content": [{"type": kind, kind: {"url": "https://example.com/a.png"}}]}]
    assert f"messages.0.content.0: Input tag '{kind}'" in (refusal_of(NEW, {"messages": messages}) or "")


def test_marks_are_counted_over_the_whole_request() -> None:
    """Those in messages too, also inside the result of a tool."""
    result = {"type": "tool_result", "tool_use_id": "t", "content": [marked(None)] * 3}
    params = {"system": [marked(None)], "messages": [{"role": "user", "content": [result, marked(None)]}]}
    assert "Found 5." in (refusal_of(NEW, params) or "")
    late = {"system": [marked("5m")], "messages": [{"role": "user", "content": [marked("1h")]}]}
    assert "messages.0.content.0.cache_control.ttl: a ttl='1h'" in (refusal_of(NEW, late) or "")


def image(side: int, kind: str) -> dict[str, Any]:
    """The head of an image of that many pixels a side."""
    size = side.to_bytes(2, "big") * 2
    heads = {
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + side.to_bytes(4, "big") * 2,
        "gif": b"GIF89a" + side.to_bytes(2, "little") * 2,
        "jpeg": b"\xff\xd8\xff\xe0\0\x04JF\xff\xff\xc0\0\x0b\x08" + size + b"\0" * 8,
    }
    data = base64.b64encode(heads[kind]).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": f"image/{kind}", "data": data}}


@pytest.mark.parametrize("kind", ["png", "gif", "jpeg"])
@pytest.mark.parametrize(
    ("count", "side", "refused"), [(21, 2_001, True), (21, 2_000, False), (20, 2_001, False)]
)
def test_one_large_image_among_many_is_refused(kind: str, count: int, side: int, refused: bool) -> None:
    """Twenty may be as large as any."""
    blocks = [*[image(100, "png")] * (count - 1), image(side, kind)]
    said = refusal_of(NEW, {"messages": [{"role": "user", "content": blocks}]})
    assert ("many-image requests: 2000 pixels" in (said or "")) is refused


def test_more_images_than_the_model_takes_are_refused() -> None:
    """A hundred of the models with the smaller context."""
    for count, refused in ((100, False), (101, True)):
        messages = [{"role": "user", "content": [image(10, "png")] * count}]
        assert ("Too much media" in (refusal_of(OLD, {"messages": messages}) or "")) is refused


@pytest.mark.parametrize(
    ("model", "thinking", "first"),
    [
        ("claude-sonnet-5", None, "thinking"),
        ("claude-opus-5", None, "thinking"),
        ("claude-opus-5", {"type": "disabled"}, "text"),
        ("claude-opus-4-8", None, "text"),
        ("claude-opus-4-8", {"type": "adaptive"}, "thinking"),
        ("claude-haiku-4-5", BUDGET, "thinking"),
    ],
)
def test_answers_think_as_asked_else_as_the_model_does(
    serve: Callable[..., Any],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
    model: str,
    thinking: dict[str, Any] | None,
    first: str,
) -> None:
    """Whoever reads the first block meets both."""
    more = {} if thinking is None else {"thinking": thinking}
    client = connect(serve("fine"))
    sent = request_of("a", model=model, max_tokens=2_000, **more)
    batch = client.messages.batches.create(requests=[sent])
    (line,) = client.messages.batches.results(batch.id)
    assert line.result.message.content[0].type == first
