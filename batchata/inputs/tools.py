"""Which tools, and which choice among them, the Messages API takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from batchata.errors import InvalidInputError
from batchata.providers.models import Model

_FORCING: Final = ("any", "tool")
_CHOICES: Final = ("auto", "any", "tool", "none")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


def check_tools(given: Mapping[str, Any], model: Model) -> None:
    """Raises InvalidInputError for `tools` and a `tool_choice` that every request would fail for."""
    tools = given.get("tools", [])
    if not isinstance(tools, list | tuple) or not all(isinstance(tool, dict) for tool in tools):
        raise InvalidInputError("tools has to be a list of dicts")
    names = [_name_of(tool, f"tools[{number}]") for number, tool in enumerate(tools)]
    twice = next((name for name in names if name is not None and names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInputError(f"two tools are called {twice!r}; each needs a name of its own")
    choice = given.get("tool_choice")
    if choice is None:
        return
    if not isinstance(choice, dict) or "type" not in choice:
        raise InvalidInputError("tool_choice has to be a dict with a 'type', such as {'type': 'auto'}")
    _check_choice(choice, names, model)
    _check_thinking_apart(choice, given.get("thinking"))


def _name_of(tool: dict[str, Any], place: str) -> str | None:
    if tool.get("type") == "function" and isinstance(tool.get("function"), dict):
        raise InvalidInputError(
            f"{place} is a tool as OpenAI has it; give {{'name': ..., 'description': ..., 'input_schema': "
            "...}}, with its 'parameters' as 'input_schema'"
        )
    name = tool.get("name")
    is_ours = tool.get("type") in (None, "custom")
    if is_ours and (not isinstance(name, str) or not _NAME.fullmatch(name)):
        raise InvalidInputError(
            f"{place}.name is {name!r}; it has to be 1 to 128 letters (A to z), digits, '_' or '-'"
        )
    return name if isinstance(name, str) else None


def _check_choice(choice: dict[str, Any], names: list[str | None], model: Model) -> None:
    kind, name = choice["type"], choice.get("name")
    if kind not in _CHOICES:
        raise InvalidInputError(f"tool_choice {kind!r} is not known; it is one of {', '.join(_CHOICES)}")
    if kind in _FORCING and not model.forced_tools:
        raise InvalidInputError(
            f"tool_choice {kind!r} is refused by {model.id}; use {{'type': 'auto'}} and say in the "
            "prompt that the tool is to be used, or give response_model"
        )
    if kind in _FORCING and not names:
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
