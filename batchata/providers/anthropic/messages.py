"""Check which conversations the Messages API takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from batchata.errors import InvalidInputError
from batchata.inputs.items import Conversation, Measured, Message
from batchata.inputs.json_values import check_json, encode_canonical
from batchata.providers.anthropic.content import Contents
from batchata.providers.anthropic.models import (
    ENVELOPE_BYTES,
    ENVELOPE_TOKENS,
    MAX_REQUEST_BYTES,
    TURN_TOKENS,
    Model,
)
from batchata.providers.anthropic.texts import check_system, system_text
from batchata.providers.anthropic.tokens import FRAME, TURN, mark_bound, mark_tokens, text_tokens
from batchata.text import type_of

# In the JSON of what asks for prompt caching; a text's quotes are escaped.
CACHE_MARK: Final = b'"cache_control"'
_MOST: Final = 4  # documented: a request with more is refused
_TTLS: Final = ("5m", "1h")


def param_marks(params: Mapping[str, Any]) -> list[str]:
    """Return how long each cache mark in the parameters holds, in the order in which a request is cached.

    Raises InvalidInputError for what is not a mark.
    """
    return [
        *marks_in(params.get("tools") or (), "tools"),
        *marks_in(params.get("system") or (), "system"),
    ]


def automatic_mark(params: Mapping[str, Any]) -> list[str]:
    """Return the mark that the service puts on the last block of the request, if asked to."""
    control = params.get("cache_control")
    return [] if control is None else [_ttl(control, "cache_control")]


def marks_in(value: Any, place: str) -> Iterator[str]:
    """Return the marks in blocks and how long they hold, in their order."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("cache_control", "input", "input_schema"):
                yield from marks_in(inner, f"{place}.{key}")
        if value.get("cache_control") is not None:
            yield _ttl(value["cache_control"], f"{place}.cache_control")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from marks_in(inner, f"{place}[{number}]")


def check_marks(marks: Sequence[str], place: str) -> None:
    """Raise InvalidInputError when a request with these marks would be refused."""
    if len(marks) > _MOST:
        raise InvalidInputError(
            f"{place} has {len(marks)} cache_control marks, with those of the parameters; a request takes at "
            f"most {_MOST}: keep the last ones of what all requests share"
        )
    if "5m" in marks and "1h" in marks[marks.index("5m") :]:
        raise InvalidInputError(
            f"{place} has a cache_control of 1h behind one of 5m (tools come first, then system, then "
            "messages); give the earlier ones 1h too"
        )


def _ttl(control: Any, place: str) -> str:
    ttl = control.get("ttl", "5m") if isinstance(control, dict) else None
    if ttl is None and isinstance(control, dict):
        ttl = "5m"
    if not isinstance(control, dict) or control.get("type") != "ephemeral" or ttl not in _TTLS:
        raise InvalidInputError(
            f"{place} is {control!r}; it must be {{'type': 'ephemeral'}}, with 'ttl' '5m' or '1h' if any"
        )
    return str(ttl)


_ROLES: Final = ("user", "assistant", "system")
_KEYS: Final = {"role", "content"}
_CITATIONS_BYTES: Final = len(b',"citations":{"enabled":true}')


class CacheMarks(NamedTuple):
    """Cache marks of the parameters, which come before and after those of a conversation."""

    before: Sequence[str] = ()
    behind: Sequence[str] = ()


NO_MARKS: Final = CacheMarks()


def check_conversation(
    value: Any, place: str, model: Model, enable_citations: bool, marks: CacheMarks = NO_MARKS
) -> Measured:
    """Check one conversation; raises InvalidInputError or UnsupportedModelError, naming the place."""
    if isinstance(value, dict):
        raise InvalidInputError(f"{place} is a single message; wrap it: messages=[[{{...}}], [{{...}}]]")
    if not isinstance(value, list | tuple):
        raise InvalidInputError(
            f"{place} must be a text or a conversation, a list of messages, not {type_of(value)}"
        )
    contents = Contents(model, enable_citations)
    roles = [_check_message(message, f"{place}[{n}]", contents) for n, message in enumerate(value)]
    prefilled = _check_turns(roles, place, model)
    contents.check_totals(place)
    if contents.calls:
        _check_tool_turns(value, place)
    checked = _measured(value, place, contents, prefilled)
    if checked.caches:
        check_marks([*marks.before, *_marks(value, place), *marks.behind], place)
    return checked


def _marks(value: Conversation, place: str) -> Iterator[str]:
    """Collect the marks; system turns come before all others."""
    for is_system in (True, False):
        for number, message in enumerate(value):
            if (message["role"] == "system") is is_system:
                yield from marks_in(message["content"], f"{place}[{number}].content")


def _check_message(message: Any, place: str, contents: Contents) -> str:
    if not isinstance(message, dict):
        raise InvalidInputError(f"{place} must be a dict with 'role' and 'content', not {type_of(message)}")
    if message.keys() != _KEYS:
        raise InvalidInputError(f"{place} {_wrong_keys(message)}")
    role, content = message["role"], message["content"]
    if type(role) is not str or role not in _ROLES:
        raise InvalidInputError(f"{place}.role is {role!r}; it must be one of {', '.join(_ROLES)}")
    if type(content) is str and content and not content.isspace():
        contents.text_estimate += text_tokens(content)
        return role
    contents.has_blocks = True
    if role == "system" or isinstance(content, str):
        check_system(content, f"{place}.content")
        contents.text_estimate += text_tokens(content if isinstance(content, str) else system_text(content))
    elif isinstance(content, list | tuple):
        contents.add_blocks(content, role, f"{place}.content")
    else:
        raise InvalidInputError(f"{place}.content must be text or a list of blocks, not {type_of(content)}")
    check_json(content, f"{place}.content")
    return role


def _wrong_keys(message: Message) -> str:
    for key in ("role", "content"):
        if key not in message:
            return f"lacks {key!r}: a message is {{'role': 'user', 'content': '...'}}"
    extra = ", ".join(repr(key) for key in message if key not in _KEYS)
    return f"has keys that the API refuses: {extra}; leave them out"


def _check_turns(roles: list[str], place: str, model: Model) -> bool:
    if "user" not in roles:
        raise InvalidInputError(f"{place} has no user message; there is nothing to answer: add one")
    prefilled = roles[-1] != "user" and [role for role in roles if role != "system"][-1] == "assistant"
    if prefilled and not model.prefill:
        raise InvalidInputError(
            f"{place} ends with an assistant message, and {model.id} does not continue one (prefill); "
            "end with a user message"
        )
    return prefilled


def _measured(value: Conversation, place: str, contents: Contents, prefilled: bool) -> Measured:
    try:
        encoded = encode_canonical(value)
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        check_json(value, place)  # names the place
        raise
    size = len(encoded) + ENVELOPE_BYTES + contents.citable * _CITATIONS_BYTES
    if size > MAX_REQUEST_BYTES:
        raise InvalidInputError(
            f"{place} makes a request of {size:,} bytes; at most {MAX_REQUEST_BYTES:,} are accepted"
        )
    text_bytes = len(encoded) - contents.base64_bytes
    tokens = text_bytes + contents.media_tokens + len(value) * TURN_TOKENS + ENVELOPE_TOKENS
    bound = min(tokens + mark_bound(contents.marks), contents.model.context_window)
    text = contents.text_estimate + mark_tokens(contents.marks) + FRAME + (len(value) - 1) * TURN
    expected = round(text * contents.model.text_factor) + contents.image_estimate
    expected = min(expected, contents.model.context_window)
    caches = contents.has_blocks and CACHE_MARK in encoded  # in a text its quotes are escaped
    return Measured(sha256(encoded).digest(), size, bound, expected, prefilled, caches)


def _check_tool_turns(messages: Sequence[dict[str, Any]], place: str) -> None:
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
