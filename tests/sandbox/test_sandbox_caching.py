"""The sandbox caches prompts as the service does: by prefix, from a least length on, for a while."""

from __future__ import annotations

from collections import Counter
from typing import Any

import anthropic
import pytest

from batchata.sandbox import Sandbox

LONG = "The rules of the house are these and no others. " * 100  # some 1,200 tokens, 1,560 since 4.7
SHORT = "Be brief."


def request(number: int, system: str = LONG, ttl: str | None = "1h", model: str = "claude-sonnet-5-5") -> Any:
    block: dict[str, Any] = {"type": "text", "text": system}
    if ttl is not None:
        block["cache_control"] = {"type": "ephemeral", "ttl": ttl}
    messages = [{"role": "user", "content": f"question {number}"}]
    params = {"model": model, "max_tokens": 50, "system": [block], "messages": messages}
    return {"custom_id": f"r{number}", "params": params}


def usages(sandbox: Sandbox, *requests: Any) -> list[Any]:
    """The usage of each request of one batch, in the order sent."""
    client = anthropic.Anthropic(api_key=sandbox.api_key, base_url=sandbox.url)
    batch = client.messages.batches.create(requests=requests)
    lines = client.messages.batches.results(batch.id)
    found = {line.custom_id: line.result.message.usage for line in lines}
    return [found[one["custom_id"]] for one in requests]


@pytest.fixture
def clock() -> list[float]:
    return [1_790_000_000.0]


@pytest.fixture
def timed(clock: list[float]) -> Any:
    with Sandbox("yes", clock=lambda: clock[0]) as sandbox:
        yield sandbox


def test_what_one_batch_wrote_the_next_one_reads(timed: Sandbox) -> None:
    """The first request writes the prefix, later ones read it; all tokens together stay the same."""
    (first,) = usages(timed, request(0))
    (second,) = usages(timed, request(1))
    assert first.cache_creation.ephemeral_1h_input_tokens == first.cache_creation_input_tokens > 1_000
    assert (first.cache_read_input_tokens, second.cache_creation_input_tokens) == (0, 0)
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens
    (plain,) = usages(timed, request(2, ttl=None))
    assert second.input_tokens + second.cache_read_input_tokens == plain.input_tokens
    assert second.input_tokens < 30


def test_requests_side_by_side_write_each_for_itself(timed: Sandbox) -> None:
    """Without an entry at the start, four of a batch write before the others can read."""
    found = usages(timed, *map(request, range(10)))
    assert Counter(usage.cache_read_input_tokens > 0 for usage in found) == {False: 4, True: 6}


@pytest.mark.parametrize(("ttl", "seconds"), [("5m", 300), ("1h", 3_600)])
def test_an_entry_lives_as_long_as_it_was_asked_to(
    timed: Sandbox, clock: list[float], ttl: str, seconds: int
) -> None:
    """Reading prolongs it; after that it is written again."""
    usages(timed, request(0, ttl=ttl))
    clock[0] += seconds - 1
    assert usages(timed, request(1, ttl=ttl))[0].cache_read_input_tokens
    clock[0] += seconds - 1
    assert usages(timed, request(2, ttl=ttl))[0].cache_read_input_tokens
    clock[0] += seconds + 1
    assert usages(timed, request(3, ttl=ttl))[0].cache_creation_input_tokens


@pytest.mark.parametrize(
    ("system", "model"), [(SHORT, "claude-sonnet-5-5"), (LONG, "claude-haiku-4-5"), (LONG, "claude-opus-4-7")]
)
def test_short_prefixes_are_silently_not_cached(timed: Sandbox, system: str, model: str) -> None:
    """What is too short depends on the model."""
    for number in range(2):
        (usage,) = usages(timed, request(number, system=system, model=model))
        assert (usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (0, 0)


def test_another_prefix_is_another_entry(timed: Sandbox) -> None:
    """One letter, or another model, and nothing is read."""
    usages(timed, request(0))
    for other in (request(1, system="T" + LONG), request(2, model="claude-opus-5-5")):
        assert usages(timed, other)[0].cache_read_input_tokens == 0


def test_several_breakpoints_read_the_longest_and_write_the_rest(timed: Sandbox) -> None:
    """A longer prefix that begins with a known one reads that and writes only what is new."""
    usages(timed, request(0))
    longer = request(1)
    longer["params"]["messages"][0]["content"] = [
        {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "And now?"},
    ]
    (usage,) = usages(timed, longer)
    assert usage.cache_read_input_tokens > 1_000
    assert usage.cache_creation.ephemeral_5m_input_tokens > 1_000
    assert timed.usage()["cache_read_input_tokens"] == usage.cache_read_input_tokens
