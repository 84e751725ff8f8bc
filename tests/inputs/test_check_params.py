"""Which parameters of the Messages API may be given for a batch."""

from __future__ import annotations

from typing import Any

import pytest

from batchata.errors import InvalidInputError
from batchata.inputs import check_params
from batchata.providers.models import MODELS

MODEL = MODELS["claude-sonnet-5-5"]


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
    ({"max_tokens": 0}, "max_tokens is 0; it has to be an integer from 1 to 128,000"),
    ({"max_tokens": 128_001}, "max_tokens is 128001"),
    ({"max_tokens": True}, "max_tokens is True"),
    ({"max_tokens": 10.0}, "max_tokens is 10.0"),
    ({"system": ""}, "system is empty"),
    ({"system": [{"type": "image"}]}, r"system\[0\] has to be a text block"),
    ({"stop_sequences": "END"}, "stop_sequences has to be a list"),
    ({"stop_sequences": [""]}, "none of them empty"),
    ({"tools": {"name": "f"}}, "tools has to be a list"),
    ({"tool_choice": "auto"}, "tool_choice has to be a dict"),
    ({"tool_choice": {"type": "any"}}, "tool_choice 'any' is refused by claude-sonnet-5-5; use"),
    ({"tool_choice": {"type": "tool", "name": "f"}}, "tool_choice 'tool' is refused"),
    ({"thinking": True}, "thinking has to be a dict"),
    (
        {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 2000}},
        r"max_tokens \(2000\) has to be more",
    ),
    ({"output_config": {"format": {"type": "json_schema"}}}, "made from response_model"),
    ({"output_config": "low"}, "output_config has to be a dict"),
    ({"metadata": {"user_id": b"x"}}, r"metadata\.user_id is a bytes"),
    ({"metadata": {"x": float("nan")}}, r"metadata\.x is nan"),
    ({"tools": [{"x": {1}}]}, r"tools\[0\]\.x is a set"),
]  # fmt: skip


@pytest.mark.parametrize(("params", "words"), REFUSED, ids=[next(iter(params)) for params, _ in REFUSED])
def test_what_would_fail_every_request_is_refused(params: dict[str, Any], words: str) -> None:
    """A batch with a wrong parameter is accepted and fails hours later; so it is refused here."""
    with pytest.raises(InvalidInputError, match=words):
        check_params(params, MODEL)


def test_forced_tools_are_allowed_where_the_model_takes_them() -> None:
    """Only some models refuse them."""
    params = {"tool_choice": {"type": "any"}, "tools": [{"name": "f"}]}
    assert check_params(params, MODELS["claude-haiku-5-5"]) == params


@pytest.mark.parametrize("kind", ["enabled", "disabled"])
def test_thinking_is_not_set_where_it_cannot_be(kind: str) -> None:
    """Models that always think refuse a budget and an end of it."""
    with pytest.raises(InvalidInputError, match=f"thinking '{kind}' is refused by claude-opus-5-5"):
        check_params({"thinking": {"type": kind}}, MODELS["claude-opus-5-5"])
    assert check_params({"thinking": {"type": kind}}, MODELS["claude-haiku-4-5"])


def test_the_most_tokens_are_the_models() -> None:
    """The same number may be too much for another model."""
    assert check_params({"max_tokens": 64_000}, MODELS["claude-haiku-4-5"]) == {"max_tokens": 64_000}
    with pytest.raises(InvalidInputError, match="to 64,000, the most that claude-haiku-4-5 gives"):
        check_params({"max_tokens": 64_001}, MODELS["claude-haiku-4-5"])
