"""Check the tools that a caller gives for all requests of a batch, and the choice among them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from batchata.errors import InvalidInputError
from batchata.providers.anthropic.models import Model
from batchata.text import did_you_mean

_FORCING: Final = ("any", "tool")
# The kinds of choice, and what may stand beside each.
_CHOICES: Final = {
    "auto": {"type", "disable_parallel_tool_use"},
    "any": {"type", "disable_parallel_tool_use"},
    "tool": {"type", "disable_parallel_tool_use", "name"},
    "none": {"type"},
}
_NOT_AT_THE_TOP: Final = ("oneOf", "anyOf", "allOf")
_KINDS: Final = {"description": str, "strict": bool, "defer_loading": bool}
_TOOL_KEYS: Final = frozenset({
    "allowed_callers", "cache_control", "defer_loading", "description", "eager_input_streaming",
    "input_examples", "input_schema", "name", "strict", "type",
})  # fmt: skip
# Those of the Messages API, as anthropic 2.12.0 knows them; a beta may have others.
_TYPES: Final = (
    "bash_20250124", "browser_toolset_20260801", "code_execution_20250522", "code_execution_20250825",
    "code_execution_20260120", "code_execution_20260521", "computer_toolset_20260801", "memory_20250818",
    "text_editor_20250124", "text_editor_20250429", "text_editor_20250728", "tool_search_tool_bm25",
    "tool_search_tool_bm25_20251119", "tool_search_tool_regex", "tool_search_tool_regex_20251119",
    "web_fetch_20250910", "web_fetch_20260209", "web_fetch_20260309", "web_fetch_20260318",
    "web_search_20250305", "web_search_20260209", "web_search_20260318",
)  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


def check_tools(given: Mapping[str, Any], model: Model) -> None:
    """Raise InvalidInputError for `tools` and a `tool_choice` with which every request would fail."""
    tools = given.get("tools", [])
    if not isinstance(tools, list | tuple) or not all(isinstance(tool, dict) for tool in tools):
        raise InvalidInputError("tools must be a list of dicts")
    names = [_name_of(tool, f"tools[{number}]") for number, tool in enumerate(tools)]
    twice = next((name for name in names if name is not None and names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInputError(f"two tools are called {twice!r}; each needs a name of its own")
    if tools and all(tool.get("defer_loading") is True for tool in tools):
        raise InvalidInputError(
            "every tool has defer_loading, which the API refuses; load one of them at once"
        )
    choice = given.get("tool_choice")
    if choice is None:
        return
    if not isinstance(choice, dict) or "type" not in choice:
        raise InvalidInputError("tool_choice must be a dict with a 'type', such as {'type': 'auto'}")
    _check_choice(choice, names, model)
    _check_thinking_apart(choice, given.get("thinking"))


def _name_of(tool: dict[str, Any], place: str) -> str | None:
    if tool.get("type") == "function" and isinstance(tool.get("function"), dict):
        raise InvalidInputError(
            f"{place} is a tool in OpenAI's form; give {{'name': ..., 'description': ..., 'input_schema': "
            "...}, with its 'parameters' as 'input_schema'"
        )
    name = tool.get("name")
    is_ours = tool.get("type") in (None, "custom")
    if is_ours and (not isinstance(name, str) or not _NAME.fullmatch(name)):
        raise InvalidInputError(
            f"{place}.name is {name!r}; it must be 1 to 128 letters (A to z), digits, '_' or '-'"
        )
    if is_ours:
        _check_definition(tool, place)
    else:
        _check_type(tool["type"], place)
    return name if isinstance(name, str) else None


def _check_type(kind: Any, place: str) -> None:
    if kind in _TYPES or "anthropic-beta" in os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "").lower():
        return
    meant = did_you_mean(kind, _TYPES, cutoff=0.5)
    hint = f"{meant} " if meant else ""
    raise InvalidInputError(
        f"{place}.type is {kind!r}, which the API does not know; {hint}A tool of your own has no type, "
        "and one of a beta needs ANTHROPIC_CUSTOM_HEADERS='anthropic-beta: ...'"
    )


def _check_definition(tool: dict[str, Any], place: str) -> None:
    """Raise InvalidInputError for a tool of the caller's own that no request can carry."""
    schema = tool.get("input_schema")
    if (
        not isinstance(schema, dict)
        or schema.get("type") != "object"
        or not isinstance(schema.get("properties", {}), dict)
    ):
        raise InvalidInputError(
            f"{place}.input_schema must be a JSON schema of an object, such as {{'type': 'object', "
            "'properties': {...}}"
        )
    for key in _NOT_AT_THE_TOP:
        if key in schema:
            raise InvalidInputError(
                f"{place}.input_schema has {key} at its top level, which the API refuses; "
                "put it below a property"
            )
    for key, kind in _KINDS.items():
        if tool.get(key) is not None and not isinstance(tool[key], kind):
            raise InvalidInputError(
                f"{place}.{key} is {tool[key]!r}; it must be {'text' if kind is str else 'True or False'}"
            )
    if unknown := sorted(str(key) for key in tool.keys() - _TOOL_KEYS):
        raise InvalidInputError(
            f"{place} has keys that the API refuses: {', '.join(map(repr, unknown))}; leave them out"
        )


def _check_choice(choice: dict[str, Any], names: list[str | None], model: Model) -> None:
    kind, name = choice["type"], choice.get("name")
    if kind not in _CHOICES:
        raise InvalidInputError(f"tool_choice {kind!r} is not known; it is one of {', '.join(_CHOICES)}")
    if unknown := sorted(str(key) for key in choice.keys() - _CHOICES[kind]):
        raise InvalidInputError(
            f"tool_choice has {', '.join(map(repr, unknown))}, which the API refuses beside 'type' {kind!r}; "
            "leave it out"
        )
    if not isinstance(choice.get("disable_parallel_tool_use", False), bool):
        raise InvalidInputError("tool_choice.disable_parallel_tool_use must be True or False")
    if kind in _FORCING and not model.forced_tools:
        raise InvalidInputError(
            f"tool_choice {kind!r} is refused by {model.id}; use {{'type': 'auto'}} and say in the "
            "prompt that the tool is to be used, or give response_model"
        )
    if not names:
        raise InvalidInputError(f"tool_choice {kind!r} needs tools, and there are none; give tools=[...]")
    if kind == "tool" and name not in names:
        raise InvalidInputError(
            f"tool_choice names the tool {name!r}, and there is none; tools are "
            f"{', '.join(str(known) for known in names)}"
        )


def _check_thinking_apart(choice: dict[str, Any], thinking: Any) -> None:
    if choice["type"] in _FORCING and isinstance(thinking, dict) and thinking.get("type") == "enabled":
        raise InvalidInputError(
            f"tool_choice {choice['type']!r} is refused with thinking; leave thinking out, or use "
            "{'type': 'auto'}"
        )
