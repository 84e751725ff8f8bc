"""How batches are asked for: by pages of the list where that takes fewer calls."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from provider_given import body

from batchata.providers.exchange import Upload
from batchata.providers.port import Client
from batchata.providers.registry import Access
from batchata.providers.rest.polls import is_past
from batchata.sandbox import Faults, Sandbox


def test_ten_batches_behind_many_newer_ones_are_found_in_pages(connect: Any) -> None:
    """With hundreds of jobs open those that are due are rarely the newest, and a page costs two questions."""
    with Sandbox(delay=60.0) as sandbox:
        client = connect(sandbox)
        made = [client.submit(body()).batch_id for _ in range(260)]
        asked = len(sandbox.exchanges)
        assert client.poll(made[:10], 0).keys() == set(made[:10])
        assert len(sandbox.exchanges) - asked == 4  # 20, and three times 100
        assert client.poll(made[:3], 0).keys() == set(made[:3])
        assert len(sandbox.exchanges) - asked == 4 + 2 + 3  # two pages, and then one by one
        client.close()


HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ([5, 4, 3], True),
        ([3, 4, 5], False),  # the newest of them come last
        ([11, 9, 3], True),
        ([3, 5, 4], False),
        ([5, 4.01, 4.02, 3], True),  # made at the same moment
        ([5], False),  # no order can be seen
        ([4, 4, 4], False),
        ([5, 4, 0], False),  # a time that cannot be read
        ([], False),
    ],
)
def test_only_a_list_seen_to_begin_with_the_newest_ends_where_they_are_old(
    hours: list[float], expected: bool
) -> None:
    """In any other order a lost batch may stand on the next page."""
    assert is_past([int(hour * HOUR) for hour in hours], 10 * HOUR) is expected


@pytest.mark.parametrize("name", ["anthropic", "openai-compatible"])
def test_a_lost_batch_is_found_at_the_end_of_a_list_that_begins_with_the_oldest(name: str) -> None:
    """Services that imitate an API order their lists as they like."""
    now = [time.time() - 30 * 86_400]
    with Sandbox("fine", clock=lambda: now[0]) as sandbox:
        address = sandbox.url if name == "anthropic" else f"{sandbox.url}/v1"
        client = Access(sandbox.api_key, address).client(name)
        for _ in range(101):
            now[0] += 60
            send(client)
        now[0] = time.time()
        last = send(client)
        sandbox.faults = Faults(oldest_first=True)
        found = client.find(int(now[0] - 3600) * 1_000_000, 1, Upload("", "m"))
        assert [batch.batch_id for batch in found] == [last]
        client.close()


def send(client: Client) -> str:
    """A batch of one request, however it is sent."""
    if not client.stages:
        return client.submit(body()).batch_id
    line = {"custom_id": "m-0", "method": "POST", "url": "/v1/chat/completions"}
    asked = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}
    return client.submit(client.stage("m", json.dumps({**line, "body": asked}).encode() + b"\n")).batch_id
