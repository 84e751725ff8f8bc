"""Check that each call in a conversation is answered at once, and each answer is of a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from batchata.errors import InvalidInputError


def check_tool_turns(messages: Sequence[dict[str, Any]], place: str) -> None:
    """Raise InvalidInputError for a call whose result is not in the next message, or a result of no call."""
    open_calls: list[str] = []
    for number, message in enumerate(messages):
        content = message["content"]
        blocks = content if isinstance(content, list | tuple) else ()
        if message["role"] == "user":
            _check_results(blocks, open_calls, f"{place}[{number}].content")
            open_calls = []
        elif message["role"] == "assistant":
            open_calls += _ids(blocks, "tool_use", "id")
            twice = next((call for call in open_calls if open_calls.count(call) > 1), None)
            if twice is not None:
                raise InvalidInputError(f"{place}[{number}].content has two calls of the id {twice!r}")


def _check_results(blocks: Sequence[Any], calls: list[str], place: str) -> None:
    answered = _ids(blocks, "tool_result", "tool_use_id")
    for call in calls:
        if call not in answered:
            raise InvalidInputError(
                f"{place} lacks the tool_result of the call {call!r} in the message before it; "
                "the API refuses a call that is not answered at once"
            )
    for result in answered:
        if result not in calls:
            raise InvalidInputError(
                f"{place} has a tool_result of {result!r}, and the message before it makes no such call"
            )


def _ids(blocks: Sequence[Any], kind: str, key: str) -> list[str]:
    return [str(block.get(key)) for block in blocks if block.get("type") == kind]
