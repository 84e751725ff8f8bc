"""Which parameters of the Messages API may be given for a batch."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from batchata import BatchManager
from batchata.errors import InvalidInputError
from batchata.providers.anthropic.models import MODELS
from batchata.providers.anthropic.params import check_params

MODEL = MODELS["claude-sonnet-5-5"]


TOOL: dict[str, Any] = {"name": "f", "input_schema": {"type": "object"}}
MARK: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}


def marked(ttl: str | None) -> dict[str, Any]:
    """A text block that asks for caching."""
    control = {"type": "ephemeral"} | ({} if ttl is None else {"ttl": ttl})
    return {"type": "text", "text": "Be brief.", "cache_control": control}


def test_what_the_api_takes_is_given_back_as_plain_values() -> None:
    """A copy of JSON values; what is None was not given."""
    given: dict[str, Any] = {
        "system": ({"type": "text", "text": "Be brief."},),
        "thinking": {"type": "adaptive"},
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto"},
        "stop_sequences": ("END",),
        "metadata": {"user_id": "u"},
        "output_config": {"effort": "low"},
        "cache_control": {"type": "ephemeral"},
        "service_tier": None,
        "temperature": None,
        "max_tokens": 128_000,
    }
    checked = check_params(given, MODEL)
    expected = {key: value for key, value in given.items() if value is not None}
    assert checked == expected | {"system": list(given["system"]), "stop_sequences": ["END"]}
    checked["metadata"]["user_id"] = "other"
    assert given["metadata"] == {"user_id": "u"}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"temperature": 0}, "temperature cannot be given: the API refuses it on every model .* leave it out"),
    ({"top_p": 1.0}, "top_p cannot be given"),
    ({"top_k": 5}, "top_k cannot be given"),
    ({"stop_sequences": ["END"] * 10_000}, "stop_sequences has 'END' more than once; give each once"),
    ({"container": 5}, "container is 5; give the id of a container, or"),
    ({"container": " "}, "container is ' '; give the id"),
    ({"container": {"name": "c"}}, r"container is {'name': 'c'}; give the id"),
    ({"container": {"skills": [{"skill_id": "pdf"}]}}, r"container.skills\[0\] is .* with 'type' \(one of"),
    ({"container": {"skills": "pdf"}}, r"container.skills\[0\] is 'pdf'; it is a dict with 'type'"),
    ({"stream": True}, "stream cannot be given: requests inside a batch do not have it"),
    ({"speed": "fast"}, "speed cannot be given"),
    ({"store": True}, "store cannot be given"),
    ({"previous_thread_event_id": "x"}, "previous_thread_event_id cannot be given"),
    ({"cache_hint": {}}, "cache_hint cannot be given"),
    ({"context_hint": {}}, "context_hint cannot be given"),
    ({"research_preview_2026_02": "active"}, "research_preview_2026_02 cannot be given"),
    ({"model": "claude-opus-5-5"}, "model cannot be given: it is an argument of its own"),
    ({"messages": []}, "messages cannot be given"),
    ({"output_format": {}}, "give response_model instead"),
    ({"max_token": 5}, r"max_token is not a parameter .* did you mean max_tokens"),
    ({"sytem": "x"}, "did you mean system"),
    ({"zzz": 1}, "zzz is not a parameter .* known are cache_control, "),
    ({"output_config": {"efort": "low"}}, "output_config has 'efort', which the API refuses; known are"),
    ({"tools": [{**TOOL, "input_schema": {"type": "object", "properties": []}}]}, "must be a JSON schema"),
    ({"max_tokens": 0}, "max_tokens is 0; it must be an integer from 1 to 128,000"),
    ({"max_tokens": 128_001}, "max_tokens is 128001"),
    ({"max_tokens": True}, "max_tokens is True"),
    ({"max_tokens": 10.0}, "max_tokens is 10.0"),
    ({"system": ""}, "system is empty"),
    ({"system": [{"type": "image"}]}, r"system\[0\] must be a text block"),
    ({"stop_sequences": "END"}, "stop_sequences must be a list"),
    ({"stop_sequences": [""]}, "none of them empty"),
    ({"tools": {"name": "f"}}, "tools must be a list"),
    ({"tool_choice": "auto"}, "tool_choice must be a dict"),
    ({"tool_choice": {"type": "any"}}, "tool_choice 'any' is refused by claude-sonnet-5-5; use"),
    ({"tool_choice": {"type": "tool", "name": "f"}}, "tool_choice 'tool' is refused"),
    ({"thinking": True}, "thinking must be a dict"),
    (
        {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 2000}},
        r"max_tokens \(2000\) must be more",
    ),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "thinking 'enabled' is refused by claude-sonnet-5-5.*'adaptive'",
    ),
    ({"tools": [{"type": "web_search_20250306", "name": "f"}]}, "did you mean web_search_20250305"),
    ({"tools": [{"type": "computer", "name": "f"}]}, "of a beta needs ANTHROPIC_CUSTOM_HEADERS"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "made from response_model"),
    ({"output_config": "low"}, "output_config must be a dict"),
    ({"metadata": {"user_id": b"x"}}, r"metadata\.user_id is a bytes"),
    ({"metadata": {"x": float("nan")}}, r"metadata\.x is nan"),
    ({"tools": [{"x": {1}}]}, r"tools\[0\]\.x is a set"),
    ({"thinking": {"type": "enabled"}}, "budget_tokens is None; it must be an integer of 1,024 or more"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1_023}}, "budget_tokens is 1023"),
    ({"thinking": {"type": "enabled", "budget_tokens": 2_000.0}}, "budget_tokens is 2000.0"),
    ({"tools": [TOOL, TOOL]}, "two tools are called 'f'"),
    ({"tools": [TOOL, {"type": "web_search_20250305", "name": "f"}]}, "two tools are called 'f'"),
    ({"tools": [{"input_schema": {}}]}, r"tools\[0\]\.name is None"),
    ({"tools": [{"name": "look up"}]}, r"tools\[0\]\.name is 'look up'"),
    ({"tools": [{"name": "x" * 129}]}, "it must be 1 to 128 letters"),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        "a tool in OpenAI's form; give {'name': ..., 'description': ..., 'input_schema': ...}, with",
    ),
    ({"tools": [TOOL], "tool_choice": {"type": "required"}}, "tool_choice 'required' is not known"),
    ({"metadata": {"project": "x"}}, "the API takes nothing else in it"),
    ({"metadata": {"user_id": "x" * 257}}, "longer than 256 characters"),
    ({"service_tier": "batch"}, "service_tier is 'batch'; it is 'auto'"),
    ({"stop_sequences": ["\n"]}, "an entry of white space alone"),
    ({"cache_control": True}, "cache_control is True; it must be {'type': 'ephemeral'}"),
    ({"cache_control": {"type": "ephemeral", "ttl": "24h"}}, "with 'ttl' '5m' or '1h'"),
    ({"system": [marked("5m")] * 5}, "has 5 cache_control marks"),
    ({"system": [marked("5m")] * 4, "cache_control": {"type": "ephemeral"}}, "has 5 cache_control marks"),
    ({"tools": [TOOL | MARK], "system": [marked("1h")]}, "a cache_control of 1h behind one of 5m"),
    ({"system": [marked(None), marked("1h")]}, "a cache_control of 1h behind one of 5m"),
]  # fmt: skip


@pytest.mark.parametrize(("params", "words"), REFUSED, ids=[next(iter(params)) for params, _ in REFUSED])
def test_what_would_fail_every_request_is_refused(params: dict[str, Any], words: str) -> None:
    """A batch with a wrong parameter is accepted and fails hours later; so it is refused here."""
    with pytest.raises(InvalidInputError, match=words):
        check_params(params, MODEL)


def test_arguments_of_a_manager_are_all_named_to_whoever_misspells_one() -> None:
    """The list beside an unknown parameter is that of the signature, and a near one is proposed."""
    with pytest.raises(InvalidInputError) as unknown:
        check_params({"xyzzy": 1}, MODEL)
    own = str(unknown.value).partition("Batchata's own are ")[2].partition(";")[0].split(", ")
    _self, *arguments, _message_params = inspect.signature(BatchManager.__init__).parameters
    assert own == sorted(set(arguments) - {"max_tokens"})
    with pytest.raises(InvalidInputError, match="did you mean on_bad_file"):
        check_params({"on_bad_files": "fail"}, MODEL)


def test_forced_tools_are_allowed_where_the_model_takes_them() -> None:
    """Only some models refuse them."""
    params = {"tool_choice": {"type": "any"}, "tools": [TOOL]}
    assert check_params(params, MODELS["claude-haiku-5-5"]) == params


@pytest.mark.parametrize("kind", ["enabled", "disabled"])
def test_thinking_is_not_set_where_it_cannot_be(kind: str) -> None:
    """Models that always think refuse a budget and an end of it."""
    with pytest.raises(InvalidInputError, match=f"thinking '{kind}' is refused by claude-opus-5-5"):
        check_params({"thinking": {"type": kind}}, MODELS["claude-opus-5-5"])
    thinking = {"type": kind} | ({"budget_tokens": 1_024} if kind == "enabled" else {})
    assert check_params({"thinking": thinking, "max_tokens": 2_000}, MODELS["claude-haiku-4-5"])


def test_the_most_tokens_are_the_models() -> None:
    """The same number may be too much for another model."""
    assert check_params({"max_tokens": 64_000}, MODELS["claude-haiku-4-5"]) == {"max_tokens": 64_000}
    with pytest.raises(InvalidInputError, match="to 64,000, the most that claude-haiku-4-5 gives"):
        check_params({"max_tokens": 64_001}, MODELS["claude-haiku-4-5"])


OLDER: list[tuple[dict[str, Any], str]] = [
    ({"thinking": {"type": "adaptive"}}, "thinking 'adaptive' is refused by claude-haiku-4-5"),
    ({"thinking": {"type": "on"}}, "thinking.type is 'on'; it is one of adaptive"),
    ({"thinking": {"type": "disabled", "budget_tokens": 2_000}}, "thinking has 'budget_tokens'"),
    ({"output_config": {"effort": "low"}}, "output_config.effort is refused by claude-haiku-4-5"),
    ({"output_config": {"effort": "extreme"}}, "output_config.effort is 'extreme'; it is one of low"),
    ({"tools": [{"name": "f"}]}, r"tools\[0\].input_schema must be a JSON schema of an object"),
    ({"tools": [{"name": "f", "input_schema": {"type": "array"}}]}, r"tools\[0\].input_schema must be"),
    (
        {"tools": [{"name": "f", "input_schema": {"type": "object", "anyOf": []}}]},
        r"tools\[0\].input_schema has anyOf at its top level",
    ),
    ({"tools": [TOOL | {"parameters": {}}]}, r"tools\[0\] has keys that the API refuses: 'parameters'"),
    ({"tools": [TOOL | {"description": 5}]}, r"tools\[0\].description is 5; it must be text"),
    ({"tools": [TOOL | {"strict": "yes"}]}, r"tools\[0\].strict is 'yes'; it must be True or False"),
    ({"tools": [TOOL | {"defer_loading": True}]}, "every tool has defer_loading"),
    ({"tool_choice": {"type": "auto"}}, "tool_choice 'auto' needs tools"),
    ({"tools": [TOOL], "tool_choice": {"type": "auto", "name": "f"}}, "tool_choice has 'name'"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "any", "disable_parallel_tool_use": "yes"}},
        "tool_choice.disable_parallel_tool_use must be True or False",
    ),
    ({"inference_geo": 5}, "inference_geo is 5; it must be text"),
]


@pytest.mark.parametrize(("params", "words"), OLDER)
def test_what_an_older_model_refuses_in_every_request(params: dict[str, Any], words: str) -> None:
    """Each says what to change, before anything is sent."""
    with pytest.raises(InvalidInputError, match=words):
        check_params(params, MODELS["claude-haiku-4-5"])


def test_effort_came_before_adaptive_thinking() -> None:
    """One model of that generation has it."""
    given = {"output_config": {"effort": "low"}, "thinking": {"type": "enabled", "budget_tokens": 1_024}}
    assert check_params(given, MODELS["claude-opus-4-5"]) == given


FORCED = {"type": "tool", "name": "f"}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"tool_choice": FORCED}, "tool_choice 'tool' needs tools, and there are none"),
        ({"tool_choice": {"type": "any"}}, "tool_choice 'any' needs tools"),
        ({"tool_choice": {"type": "tool", "name": "g"}, "tools": [TOOL]}, "the tool 'g', and there is none"),
        ({"tool_choice": {"type": "tool"}, "tools": [TOOL]}, "the tool None, and there is none; tools are f"),
        (
            {"tool_choice": FORCED, "tools": [TOOL], "thinking": {"type": "enabled", "budget_tokens": 1_024}},
            "tool_choice 'tool' is refused with thinking",
        ),
    ],
)
def test_a_forced_tool_has_to_be_there_and_goes_without_thinking(params: dict[str, Any], words: str) -> None:
    """On models that take forced tools at all."""
    with pytest.raises(InvalidInputError, match=words):
        check_params(params | {"max_tokens": 4_000}, MODELS["claude-haiku-4-5"])
    good = {"tool_choice": FORCED, "tools": [TOOL], "thinking": {"type": "disabled"}}
    assert check_params(good, MODELS["claude-haiku-4-5"]) == good


def test_marks_that_the_api_takes_are_taken() -> None:
    """Four of them, the longer ones first."""
    given = {"tools": [TOOL | {"cache_control": {"type": "ephemeral", "ttl": "1h"}}],
             "system": [marked("1h"), marked("5m"), marked(None)]}  # fmt: skip
    assert check_params(given, MODEL) == given
