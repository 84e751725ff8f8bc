"""Refuse what the real service refuses in the parameters beside a request's messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from batchata.sandbox.anthropic.models import (
    always_thinks,
    budget_refused,
    forced_tool_refused,
    most_tokens,
)

__all__ = ["options_problem", "shape_problem"]

_PARAMETERS = (
    "model max_tokens messages system metadata stop_sequences stream thinking tools tool_choice "
    "output_config cache_control container context_management diagnostics inference_geo mcp_servers "
    "service_tier speed betas output_format fallbacks user_profile_id"
)
_KNOWN: Final = frozenset(_PARAMETERS.split())
_SAMPLING = ("temperature", "top_p", "top_k")
_TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_CHOICES: Final = ("auto", "any", "tool", "none")
_FORCING: Final = ("any", "tool")
_MOST_MARKS: Final = 4


def shape_problem(params: dict[str, Any], in_batch: bool) -> str | None:
    """Return what is refused whichever model is asked."""
    if not params.keys() <= _KNOWN:
        extra = next((k for k in _SAMPLING if k in params), None) or next(
            k for k in params if k not in _KNOWN
        )
        return f"{extra}: Extra inputs are not permitted"
    if not isinstance(params.get("model"), str):
        return "model: Field required" if "model" not in params else "model: Input should be a valid string"
    max_tokens = params.get("max_tokens")
    if max_tokens is None:
        return "max_tokens: Field required"
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool):
        return "max_tokens: Input should be a valid integer"
    if max_tokens < 1:
        return "max_tokens: Input should be greater than or equal to 1"
    if in_batch and params.get("stream"):
        return "stream: Streaming is not supported in batch requests"
    if in_batch and params.get("speed") == "fast":
        return "speed: Fast mode is not supported in batch requests"
    if not isinstance(params.get("messages"), list):
        missing = "messages" not in params
        return "messages: Field required" if missing else "messages: Input should be a valid list"
    return None


def options_problem(params: dict[str, Any], model: str) -> str | None:
    """Return what is refused in the options given; most requests give none of them."""
    if params["max_tokens"] > most_tokens(model):
        return (
            f"max_tokens: {params['max_tokens']} > {most_tokens(model)}, which is the maximum allowed number "
            f"of output tokens for {model}"
        )
    for name, problem_of in _CHECKS.items():
        if params.get(name) is not None and (problem := problem_of(params, model)):
            return problem
    return _marks_problem(params)


def _system_problem(params: dict[str, Any], model: str) -> str | None:
    system = params["system"]
    if isinstance(system, str):
        return None
    if not isinstance(system, list):
        return "system: Input should be a valid string or list"
    for number, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text":
            return f"system.{number}.type: Input should be 'text'"
        if not isinstance(block.get("text"), str) or not block["text"]:
            return f"system.{number}: text content blocks must be non-empty"
    return None


def _stops_problem(params: dict[str, Any], model: str) -> str | None:
    stops = params["stop_sequences"]
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        return "stop_sequences: Input should be a valid list of strings"
    if any(not stop.strip() for stop in stops):
        return "stop_sequences: each stop sequence must contain non-whitespace"
    return None


def _metadata_problem(params: dict[str, Any], model: str) -> str | None:
    metadata = params["metadata"]
    if not isinstance(metadata, dict):
        return "metadata: Input should be an object"
    extra = next((key for key in metadata if key != "user_id"), None)
    if extra is not None:
        return f"metadata.{extra}: Extra inputs are not permitted"
    user = metadata.get("user_id")
    if user is not None and (not isinstance(user, str) or len(user) > 256):
        return "metadata.user_id: String should have at most 256 characters"
    return None


def _tier_problem(params: dict[str, Any], model: str) -> str | None:
    known = params["service_tier"] in ("auto", "standard_only")
    return None if known else "service_tier: Input should be 'auto' or 'standard_only'"


def _thinking_problem(params: dict[str, Any], model: str) -> str | None:
    thinking = params["thinking"]
    if not isinstance(thinking, dict) or not isinstance(thinking.get("type"), str):
        return "thinking: Input should be an object with a `type`"
    kind = thinking["type"]
    if (kind == "disabled" and always_thinks(model)) or (kind == "enabled" and budget_refused(model)):
        return (
            f'"thinking.type.{kind}" is not supported for this model. Use "thinking.type.adaptive" and '
            '"output_config.effort" to control thinking behavior.'
        )
    if kind != "enabled":
        return None
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or isinstance(budget, bool):
        return "thinking.enabled.budget_tokens: Input should be a valid integer"
    if budget < 1_024:
        return "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
    if budget >= params["max_tokens"]:
        return "`max_tokens` must be greater than `thinking.budget_tokens`."
    return None


def _config_problem(params: dict[str, Any], model: str) -> str | None:
    return None if isinstance(params["output_config"], dict) else "output_config: Input should be an object"


def _tools_problem(params: dict[str, Any], model: str) -> str | None:
    tools = params["tools"]
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        return "tools: Input should be a valid list of objects"
    for number, tool in enumerate(tools):
        if tool.get("type") == "function":
            return f"tools.{number}: Input tag 'function' found using 'type' does not match any expected tag"
        own = tool.get("type") in (None, "custom")
        if own and not (isinstance(tool.get("name"), str) and _TOOL_NAME.fullmatch(tool["name"])):
            return f"tools.{number}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
    names = [tool["name"] for tool in tools if isinstance(tool.get("name"), str)]
    return None if len(set(names)) == len(names) else "tools: Tool names must be unique."


def _choice_problem(params: dict[str, Any], model: str) -> str | None:
    choice = params["tool_choice"]
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in _CHOICES:
        return (
            f"tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags: "
            f"{', '.join(repr(known) for known in _CHOICES)}"
        )
    if kind not in _FORCING:
        return None
    if forced_tool_refused(model):
        return 'tool_choice: type "tool" and "any" are not supported for this model.'
    tools = params.get("tools") or []
    if not tools:
        return "tool_choice: tool_choice may only be specified while providing tools."
    if kind == "tool" and choice.get("name") not in [tool.get("name") for tool in tools]:
        return f"tool_choice: Tool '{choice.get('name')}' not found in provided tools"
    if (params.get("thinking") or {}).get("type") == "enabled":
        return "Thinking may not be enabled when tool_choice forces tool use."
    return None


_CHECKS: Final = {
    "system": _system_problem,
    "stop_sequences": _stops_problem,
    "metadata": _metadata_problem,
    "service_tier": _tier_problem,
    "thinking": _thinking_problem,
    "output_config": _config_problem,
    "tools": _tools_problem,
    "tool_choice": _choice_problem,
}


def _marks_problem(params: dict[str, Any]) -> str | None:
    """Return the problem with cache marks: too many, an invalid one, or a longer one behind a shorter one."""
    found = list(_marks(params))
    for place, control in found:
        ttl = control.get("ttl") if isinstance(control, dict) else None
        if not isinstance(control, dict) or control.get("type") != "ephemeral":
            return f"{place}cache_control.type: Input should be 'ephemeral'"
        if ttl not in (None, "5m", "1h"):
            return f"{place}cache_control.ttl: Input should be '5m' or '1h'"
    if len(found) > _MOST_MARKS:
        return f"A maximum of 4 blocks with cache_control may be provided. Found {len(found)}."
    short = False
    for place, control in found:
        if short and control.get("ttl") == "1h":
            return (
                f"{place}cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: `tools`, "
                "`system`, `messages`."
            )
        short = short or control.get("ttl") != "1h"
    return None


def _marks(params: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each mark and where it stands, in the order in which a request is cached."""
    for name in ("tools", "system"):
        yield from _marks_in(params.get(name), name)
    for number, message in enumerate(params["messages"]):
        yield from _marks_in(message["content"], f"messages.{number}.content")
    if params.get("cache_control") is not None:
        yield "", params["cache_control"]


def _marks_in(blocks: Any, place: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(blocks, list):
        return
    for number, block in enumerate(blocks):
        if not isinstance(block, dict):
            continue
        if block.get("type") == "tool_result":
            yield from _marks_in(block.get("content"), f"{place}.{number}.content")
        if block.get("cache_control") is not None:
            yield f"{place}.{number}.", block["cache_control"]
