"""Check which parameters of the Messages API a caller may set for all requests of a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from batchata.errors import InvalidInputError
from batchata.inputs.json_values import check_json, encode
from batchata.providers.anthropic.messages import automatic_mark, check_marks, param_marks
from batchata.providers.anthropic.models import Model
from batchata.providers.anthropic.texts import check_system
from batchata.providers.anthropic.tools import check_tools
from batchata.providers.own_arguments import OWN_ARGUMENTS
from batchata.text import did_you_mean

_ALLOWED: Final = (
    "cache_control",
    "container",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "metadata",
    "output_config",
    "service_tier",
    "stop_sequences",
    "system",
    "thinking",
    "tool_choice",
    "tools",
    "user_profile_id",
)
# Batchata's own arguments, for hints only.
_SAMPLING: Final = (
    "the API refuses it on every model since version 2026-10-21, in a batch only after hours; leave it out"
)
_NOT_IN_BATCHES: Final = "requests inside a batch do not have it; leave it out"
_REFUSED: Final = {
    **dict.fromkeys(("temperature", "top_p", "top_k"), _SAMPLING),
    **dict.fromkeys(("stream", "speed", "store", "previous_thread_event_id"), _NOT_IN_BATCHES),
    **dict.fromkeys(("cache_hint", "context_hint", "research_preview_2026_02"), _NOT_IN_BATCHES),
    "model": "it is an argument of its own",
    "messages": "it is an argument of its own",
    "output_format": "it is the old name of output_config.format; give response_model instead",
    "workspace_id": "it is a header; set ANTHROPIC_CUSTOM_HEADERS='anthropic-workspace-id: ...'",
    "http_client": "give a client that has it: client=anthropic.Anthropic(http_client=...)",
    "auth_token": "set the environment variable ANTHROPIC_AUTH_TOKEN, or give api_key",
    "default_headers": "set ANTHROPIC_CUSTOM_HEADERS='Name: value'",
    **dict.fromkeys(
        ("timeout", "max_retries"), "Batchata decides how long calls wait, and which are repeated"
    ),
    "betas": "it is a header; set ANTHROPIC_CUSTOM_HEADERS='anthropic-beta: ...'",
}
_LEAST_BUDGET: Final = 1_024
# The kinds of thinking, and what may stand beside each.
_THINKING: Final = {
    "adaptive": {"type", "display"},
    "between_tools": {"type"},
    "disabled": {"type"},
    "enabled": {"type", "budget_tokens", "display"},
}
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_TEXTS: Final = ("inference_geo", "user_profile_id")
_SERVICE_TIERS: Final = ("auto", "standard_only")
_LONGEST_USER_ID: Final = 256


def check_params(message_params: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """Return a copy of the parameters as plain JSON values, without those that are None.

    Raises InvalidInputError for a parameter that would make every request of the batch fail.
    """
    given = {name: value for name, value in message_params.items() if value is not None}
    for name, value in given.items():
        _check_name(name)
        check_json(value, name)
    check_max_tokens(message_params.get("max_tokens", 1), model)
    _check_texts(given)
    check_tools(given, model)
    _check_thinking(given, model)
    _check_output_config(given, model)
    _check_rest(given)
    _check_container(given)
    check_marks([*param_marks(given), *automatic_mark(given)], "the request")
    copy: dict[str, Any] = msgspec.json.decode(encode(given))
    return copy


def _check_name(name: str) -> None:
    if name in _ALLOWED:
        return
    if name in _REFUSED:
        raise InvalidInputError(f"{name} cannot be given: {_REFUSED[name]}")
    known = (
        f"Batchata's own are {', '.join(OWN_ARGUMENTS)}; of the Messages API known are {', '.join(_ALLOWED)}"
    )
    meant = did_you_mean(name, OWN_ARGUMENTS + _ALLOWED, most=3)
    raise InvalidInputError(f"{name} is not a parameter of Batchata or of the Messages API; {meant or known}")


def check_max_tokens(value: object, model: Model) -> None:
    """Raise InvalidInputError for an invalid output limit for this model."""
    if type(value) is not int or not 1 <= value <= model.max_output_tokens:
        raise InvalidInputError(
            f"max_tokens is {value!r}; it must be an integer from 1 to {model.max_output_tokens:,}, "
            f"the most that {model.id} gives"
        )


def _check_texts(given: Mapping[str, Any]) -> None:
    if "system" in given:
        check_system(given["system"], "system")
    stops = given.get("stop_sequences", [])
    if not isinstance(stops, list | tuple) or not all(isinstance(stop, str) and stop for stop in stops):
        raise InvalidInputError("stop_sequences must be a list of texts, none of them empty")
    if any(stop.isspace() for stop in stops):
        raise InvalidInputError("stop_sequences has an entry of white space alone, which the API refuses")
    if twice := next((stop for stop, times in Counter(stops).items() if times > 1), None):
        raise InvalidInputError(f"stop_sequences has {twice!r} more than once; give each once")


def _check_thinking(given: Mapping[str, Any], model: Model) -> None:
    thinking = given.get("thinking")
    if thinking is None:
        return
    if not isinstance(thinking, dict) or "type" not in thinking:
        raise InvalidInputError("thinking must be a dict with a 'type', such as {'type': 'adaptive'}")
    kind = thinking["type"]
    if kind not in _THINKING:
        raise InvalidInputError(f"thinking.type is {kind!r}; it is one of {', '.join(_THINKING)}")
    if kind == "adaptive" and not model.adaptive_thinking:
        raise InvalidInputError(
            f"thinking 'adaptive' is refused by {model.id}; give {{'type': 'enabled', 'budget_tokens': ...}}"
        )
    if unknown := thinking.keys() - _THINKING[kind]:
        raise InvalidInputError(
            f"thinking has {', '.join(map(repr, sorted(map(str, unknown))))}, which the API refuses beside "
            f"'type' {kind!r}; leave it out"
        )
    if kind in ("enabled", "disabled") and model.always_thinks:
        raise InvalidInputError(
            f"thinking {kind!r} is refused by {model.id}, which always thinks; leave it out and "
            "set output_config={'effort': ...}"
        )
    if kind == "enabled":
        _check_budget(thinking.get("budget_tokens"), given.get("max_tokens"))
    if kind == "enabled" and not model.manual_thinking:
        raise InvalidInputError(
            f"thinking 'enabled' is refused by {model.id}, which thinks as much as it finds right; give "
            "{'type': 'adaptive'}, and output_config={'effort': ...} for more or less of it"
        )


def _check_budget(budget: object, most: object) -> None:
    if type(budget) is not int or budget < _LEAST_BUDGET:
        raise InvalidInputError(
            f"thinking.budget_tokens is {budget!r}; it must be an integer of {_LEAST_BUDGET:,} or more, and "
            "below max_tokens"
        )
    if isinstance(most, int) and budget >= most:
        raise InvalidInputError(f"max_tokens ({most}) must be more than thinking's budget_tokens ({budget})")


def _check_rest(given: Mapping[str, Any]) -> None:
    metadata = given.get("metadata", {})
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or metadata.keys() - {"user_id"} or not isinstance(user, str | None):
        raise InvalidInputError("metadata must be {'user_id': '...'}; the API takes nothing else in it")
    if user is not None and len(user) > _LONGEST_USER_ID:
        raise InvalidInputError(f"metadata.user_id is longer than {_LONGEST_USER_ID} characters; shorten it")
    for name in _TEXTS:
        if not isinstance(given.get(name, ""), str):
            raise InvalidInputError(f"{name} is {given[name]!r}; it must be text")
    if given.get("service_tier", "auto") not in _SERVICE_TIERS:
        raise InvalidInputError(
            f"service_tier is {given['service_tier']!r}; it is 'auto' or 'standard_only', or left out"
        )


def _check_container(given: Mapping[str, Any]) -> None:
    container = given.get("container", "id")
    if isinstance(container, str) and container.strip():
        return
    if not isinstance(container, dict) or container.keys() - {"id", "skills"}:
        raise InvalidInputError(
            f"container is {container!r}; give the id of a container, or {{'id': …, 'skills': [...]}}"
        )
    skills = container.get("skills") or []
    for number, skill in enumerate(skills if isinstance(skills, list | tuple) else [skills]):
        if not isinstance(skill, dict) or skill.get("type") not in _SKILLS or not skill.get("skill_id"):
            raise InvalidInputError(
                f"container.skills[{number}] is {skill!r}; it is a dict with 'type' (one of "
                f"{', '.join(_SKILLS)}) and 'skill_id'"
            )


_SKILLS = ("anthropic", "custom")
_OF_OUTPUT = ("effort", "task_budget")


def _check_output_config(given: Mapping[str, Any], model: Model) -> None:
    config = given.get("output_config")
    if config is None:
        return
    if not isinstance(config, dict):
        raise InvalidInputError("output_config must be a dict, such as {'effort': 'low'}")
    if config.get("format") is not None:
        raise InvalidInputError("output_config.format is made from response_model; give that instead")
    if unknown := sorted(str(key) for key in config.keys() - {"format", *_OF_OUTPUT}):
        raise InvalidInputError(
            f"output_config has {', '.join(map(repr, unknown))}, which the API refuses; "
            f"known are {', '.join(_OF_OUTPUT)}"
        )
    effort = config.get("effort")
    if effort is not None and effort not in _EFFORTS:
        raise InvalidInputError(
            f"output_config.effort is {effort!r}; it is one of {', '.join(_EFFORTS)}, or left out"
        )
    if effort is not None and not model.effort:
        raise InvalidInputError(f"output_config.effort is refused by {model.id}; leave it out")
