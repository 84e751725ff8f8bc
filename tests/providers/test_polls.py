"""How batches are asked for: by pages of the list where that takes fewer calls."""

from __future__ import annotations

from typing import Any

from provider_given import body

from batchata.sandbox import Sandbox


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
