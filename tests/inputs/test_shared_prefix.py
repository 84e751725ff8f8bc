"""What requests have in common at their beginning, and where the mark goes that has it cached."""

from __future__ import annotations

import json
from typing import Any

import pytest
from claude_inputs import read_inputs

from batchata.core.values import CachePlan
from batchata.providers.anthropic.models import Model
from batchata.providers.anthropic.prefix import prefix_digest, prefix_tokens, shared_prefix
from batchata.providers.anthropic.requests import RequestTemplate

MARK = {"type": "ephemeral", "ttl": "1h"}
DOCUMENT = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "Long. " * 500},
}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def asking(*blocks: Any, system: str | None = None) -> list[dict[str, Any]]:
    turns = [] if system is None else [{"role": "system", "content": system}]
    return [*turns, {"role": "user", "content": list(blocks) if len(blocks) > 1 else blocks[0]}]


def found(*conversations: Any, model: Model) -> tuple[bool, int]:
    prefix = shared_prefix(read_inputs(messages=list(conversations), model=model))
    return prefix.same_system, prefix.blocks


def test_equal_blocks_at_the_beginning_are_shared(model: Model) -> None:
    """Up to the first that differs, over all items and messages; a text alone is a block."""
    assert found(asking(DOCUMENT, text("a")), asking(DOCUMENT, text("b")), model=model) == (True, 1)
    assert found(asking("a"), asking("b"), model=model) == (True, 0)
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    others = ([*talk, {"role": "user", "content": word}] for word in ("one", "two", "three"))
    assert found(*others, model=model) == (True, 2)
    assert found(asking("same"), asking(text("same"), text("more")), model=model) == (True, 1)


def test_one_item_that_differs_ends_it_for_all(model: Model) -> None:
    """What not every request begins with is not shared."""
    items = [asking(DOCUMENT, text(str(n))) for n in range(5)]
    assert found(*items, asking(text("no document"), text("x")), model=model) == (True, 0)


def test_different_system_turns_share_nothing(model: Model) -> None:
    """They come before everything else."""
    items = [asking(DOCUMENT, text("q"), system=word) for word in ("a", "b")]
    assert found(*items, model=model) == (False, 0)
    items = [asking(DOCUMENT, text(word), system="a") for word in ("q", "r")]
    assert found(*items, model=model) == (True, 1)


def test_the_digest_tells_items_that_begin_otherwise() -> None:
    """By system turns and the shared blocks, not by what follows."""
    one, other = asking(DOCUMENT, text("a"), system="s"), asking(DOCUMENT, text("b"), system="s")
    assert prefix_digest(one, 1) == prefix_digest(other, 1)
    assert prefix_digest(one, 2) != prefix_digest(other, 2)
    assert prefix_digest(one, 1) != prefix_digest(asking(DOCUMENT, text("a"), system="t"), 1)


def test_the_tokens_of_a_prefix_are_those_of_its_blocks(model: Model) -> None:
    """As for whole items."""
    whole = read_inputs(messages=[asking(DOCUMENT, text("a"))], model=model).expected_tokens(0)
    part = prefix_tokens(asking(DOCUMENT, text("a")), 1, model, False)
    assert part == pytest.approx(whole, abs=20)


def template(level: str, blocks: int = 0, digest: str = "", **params: Any) -> RequestTemplate:
    plan = CachePlan(level=level, blocks=blocks, digest=digest, tokens=1000, reason="")
    return RequestTemplate({"model": "claude-sonnet-5-5", **params}, cache=plan)


def sent(made: RequestTemplate, item: Any, note: str | None = None) -> Any:
    return json.loads(made.encode("id", item, note))["params"]


def test_a_system_prompt_is_marked_at_its_end(model: Model) -> None:
    """It becomes blocks for that; items with other system turns are sent without the mark."""
    item = asking("q", system="turn")
    made = template("system", digest=prefix_digest(item, 0), system="Rules.")
    assert sent(made, item)["system"] == [text("Rules.\n\nturn") | {"cache_control": MARK}]
    assert sent(made, asking("q", system="other"))["system"] == "Rules.\n\nother"
    blocks = template("system", digest=prefix_digest(asking("q"), 0), system=[text("a"), text("b")])
    assert sent(blocks, asking("q"))["system"] == [text("a"), text("b") | {"cache_control": MARK}]


def test_a_shared_block_is_marked_where_it_ends(model: Model) -> None:
    """In its message, whichever that is, and also when its content is a text alone."""
    item = asking(DOCUMENT, text("a"))
    made = template("messages", 1, prefix_digest(item, 1))
    content = sent(made, item)["messages"][0]["content"]
    assert content == [DOCUMENT | {"cache_control": MARK}, text("a")]
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, *asking("q")]
    marked = sent(template("messages", 2, prefix_digest(talk, 2)), talk)["messages"]
    assert marked[0] == talk[0]
    assert marked[1]["content"] == [text("Hello") | {"cache_control": MARK}]
    assert "cache_control" not in json.dumps(marked[2])


def test_an_item_that_begins_otherwise_is_sent_as_it_is(model: Model) -> None:
    """Such as one that was added to the run later."""
    made = template("messages", 1, prefix_digest(asking(DOCUMENT, text("a")), 1))
    other = asking(text("something else"), text("a"))
    assert sent(made, other)["messages"] == other


def test_the_last_tool_is_marked(model: Model) -> None:
    """Tools come first of all, so they are shared whatever else is not."""
    tools = [{"name": "a", "input_schema": {}}, {"name": "b", "input_schema": {}}]
    made = sent(template("tools", tools=tools), asking("q", system="any"))
    assert made["tools"] == [tools[0], tools[1] | {"cache_control": MARK}]


def test_a_note_does_not_move_the_mark(model: Model) -> None:
    """What a retry says about the last answer stands at the end."""
    item = asking(DOCUMENT, text("a"))
    made = template("messages", 1, prefix_digest(item, 1))
    content = sent(made, item, "It was no JSON.")["messages"][0]["content"]
    assert content[0] == DOCUMENT | {"cache_control": MARK}
    assert content[-1] == text("It was no JSON.")


def test_the_size_is_a_bound_with_the_mark(model: Model) -> None:
    """As without it."""
    item = asking("a" * 10)
    inputs = read_inputs(messages=[item], model=model)
    for level, blocks, given in (("messages", 1, {}), ("system", 0, {"system": "s"})):
        made = template(level, blocks, prefix_digest(item, blocks), **given)
        assert len(made.encode("i" * 64, item)) <= inputs.request_size(0) + made.size
        assert made.caches
