"""What the services of OpenAI and Google refuse in a file of requests and in each of them, by the sandbox."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchata.sandbox.gemini.requests import ContentRequest
from batchata.sandbox.gemini.requests import rejection as refused_by_gemini
from batchata.sandbox.openai.requests import LineRequest, problems_in, read_lines
from batchata.sandbox.openai.requests import rejection as refused_by_openai

RESPONSES, CHAT = "/v1/responses", "/v1/chat/completions"
FIELD = {"type": "object", "properties": {"x": {"type": "string"}}}
STRICT = {**FIELD, "required": ["x"], "additionalProperties": False}


def line(**changed: Any) -> bytes:
    """A line of a file; None takes a part away."""
    body = {"model": "gpt-5-nano", "input": "hello"}
    whole = {"custom_id": "a", "method": "POST", "url": RESPONSES, "body": body, **changed}
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


OTHER = line(custom_id="b", body={"model": "gpt-5", "input": "x"})


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], [("empty_file", None)]),
        ([b" ", line(), b""], []),
        ([line(custom_id=f"{n}") for n in range(4)], [("too_many_tasks", None)]),
        ([line(), b"{", b"[]"], [("invalid_json_line", 2), ("invalid_json_line", 3)]),
        ([line(body=None)], [("missing_required_parameter", 1)]),
        ([line(body={"input": "x"})], [("missing_required_parameter", 1)]),
        ([line(), line()], [("duplicate_custom_id", 2)]),
        ([line(method="GET"), line(custom_id="b", url=CHAT)], [("url_mismatch", 1), ("url_mismatch", 2)]),
        ([line(), OTHER], [("model_mismatch", 2)]),
    ],
)
def test_a_file_with_a_wrong_line_is_given_up_as_a_whole(
    lines: list[bytes], found: list[tuple[str, int | None]]
) -> None:
    """Each problem has the number of its line; blank lines are none."""
    read = read_lines(b"\n".join(lines))
    assert [problem[:2] for problem in problems_in(read, RESPONSES, most=3)] == found


def formatted(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "text": {"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True, **more}}
    }


def listed(schema: Any) -> dict[str, Any]:
    return {**STRICT, "properties": {"x": {"type": "array", "items": schema}}}


@pytest.mark.parametrize(
    ("endpoint", "body", "parameter"),
    [
        (RESPONSES, {}, None),
        (CHAT, {"messages": [{"role": "user", "content": "x"}], "max_completion_tokens": 1}, None),
        (RESPONSES, {"input": ""}, "input"),
        (CHAT, {"input": "x"}, "messages"),
        (RESPONSES, {"stream": True}, "stream"),
        (RESPONSES, {"max_output_tokens": 15}, "max_output_tokens"),
        (RESPONSES, {"temperature": 0}, "temperature"),
        (RESPONSES, {"temperature": 0, "model": "gpt-4o"}, None),
        (RESPONSES, formatted(STRICT), None),
        (RESPONSES, formatted(listed({"anyOf": [STRICT, {"type": "null"}]})), None),
        (RESPONSES, formatted(FIELD, strict=False), None),
        (RESPONSES, formatted({"type": "string"}), "text.format.schema"),
        (RESPONSES, formatted({**STRICT, "anyOf": []}), "text.format.schema"),
        (RESPONSES, formatted({**STRICT, "required": []}), "text.format.schema"),
        (RESPONSES, formatted(listed(FIELD)), "text.format.schema"),
        (RESPONSES, formatted(listed({"anyOf": [{"type": "null"}, FIELD]})), "text.format.schema"),
        (
            CHAT,
            {"messages": ["x"], "response_format": {"json_schema": {"schema": FIELD, "strict": True}}},
            "response_format",
        ),
    ],
)
def test_openai_refuses_a_request_by_the_parameter(
    endpoint: str, body: dict[str, Any], parameter: str | None
) -> None:
    """What a line asks for is judged by itself: the others of its batch are answered."""
    asked = {"model": "gpt-5-nano", **({} if endpoint == CHAT else {"input": "hello"}), **body}
    found = refused_by_openai(asked, endpoint)
    assert (None if found is None else found[1]) == parameter


def config(**given: Any) -> dict[str, Any]:
    return {"generationConfig": given}


def schema(**of_field: Any) -> dict[str, Any]:
    return config(responseSchema={"type": "OBJECT", "properties": {"x": of_field}})


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({}, None),
        ({"contents": []}, "contents is not specified"),
        ({"contents": [{"role": "system", "parts": [{"text": "x"}]}]}, "Please use a valid role"),
        ({"contents": [{"role": "user", "parts": []}]}, "parts must not be empty"),
        (config(maxOutputTokens=0), "max_output_tokens: must be positive"),
        (schema(type="STRING", format="date-time"), None),
        (schema(type="ARRAY", items={"anyOf": [{"type": "STRING"}, {"type": "NULL"}]}), None),
        (schema(type="string"), "response_schema.x.type: unknown type 'string'"),
        (schema(type="STRING", format="uri"), "x.format: only 'enum' and 'date-time'"),
        (schema(type="STRING", const="a"), 'Unknown name "const" at response_schema.x'),
        (schema(type="OBJECT"), "x.properties: should be non-empty"),
        (schema(type="ARRAY"), "x.items: missing field"),
        (schema(type="ARRAY", items={"type": "ANY"}), "x.items.type: unknown type"),
        (schema(anyOf=[{"type": "NULL"}, {"type": "ANY"}]), "x.any_of.type: unknown type"),
    ],
)
def test_gemini_refuses_what_its_subset_lacks(request_: dict[str, Any], said: str | None) -> None:
    """By its own words for the place, at any depth."""
    found = refused_by_gemini({"contents": [{"role": "user", "parts": [{"text": "x"}]}], **request_})
    assert found is None if said is None else said in str(found)


def test_a_request_shows_its_texts_tool_and_schema_whichever_way_it_is_written() -> None:
    """What answers it reads the same from each provider's words."""
    tool = {"name": "t", "parameters": STRICT}
    responses = {"input": "hello", "instructions": "Be brief.", "tools": [tool], "tool_choice": "required"}
    turn = {"role": "user", "content": [{"type": "text", "text": "hello"}]}
    chat = {
        "messages": [{"role": "system", "content": "Be brief."}, turn],
        "tools": [{"type": "function", "function": tool}],
        "tool_choice": {"type": "function", "function": {"name": "t"}},
    }
    field = {"type": "STRING", "format": "enum", "nullable": True}
    function = {"name": "t", "parameters": {"type": "OBJECT", "properties": {"x": field}}}
    turns = (("user", "hello"), ("model", "x"))
    contents = [{"role": role, "parts": [{"text": said}]} for role, said in turns]
    gemini = {
        "contents": contents,
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [{"functionDeclarations": [function]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    }
    made = [LineRequest("a", responses), LineRequest("a", chat), ContentRequest("a", gemini)]
    assert {(asked.text, asked.system, asked.forced_tool, asked.has_format) for asked in made} == {
        ("hello", "Be brief.", "t", False)
    }
    nullable = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert [asked.schema for asked in made] == [STRICT, STRICT, {**FIELD, "properties": {"x": nullable}}]
