"""Asking how far batches are, through the real SDK, with as few calls as can be."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from provider_given import CREATE, body

from batchata.errors import (
    ProviderUnavailableError,
)
from batchata.sandbox import Faults


def test_few_batches_are_asked_for_one_by_one(serve: Any, connect: Any) -> None:
    """Two batches are two calls, whatever else the workspace holds."""
    sandbox = serve("fine", delay=1000.0)
    provider = connect(sandbox)
    ids = [provider.submit(body()).batch_id for _ in range(4)]
    sandbox.end_all()
    before = len(sandbox.exchanges)
    found = provider.poll(ids[1:3], 0)
    assert {batch_id: batch.ended for batch_id, batch in found.items()} == dict.fromkeys(ids[1:3], True)
    assert [path for _, path, _ in sandbox.exchanges[before:]] == [f"{CREATE[1]}/{i}" for i in ids[1:3]]


def test_many_batches_are_read_off_the_list(serve: Any, connect: Any) -> None:
    """One page answers for all of them: polling a hundred jobs is one call, not a hundred."""
    sandbox = serve("fine", delay=1000.0)
    provider = connect(sandbox)
    ids = [provider.submit(body(n + 1)).batch_id for n in range(5)]
    before = len(sandbox.exchanges)
    found = provider.poll(ids, 0)
    assert {batch_id: batch.size for batch_id, batch in found.items()} == dict(
        zip(ids, range(1, 6), strict=True)
    )
    assert [exchange[:2] for exchange in sandbox.exchanges[before:]] == [("GET", CREATE[1])]


@pytest.mark.parametrize(("ours", "others", "pages"), [(3, 17, 1), (3, 18, 2), (13, 13, 1), (3, 105, 2)])
def test_the_list_is_read_page_by_page(serve: Any, connect: Any, ours: int, others: int, pages: int) -> None:
    """Twenty or twice as many as are asked for, then a hundred a page, until all are found."""
    sandbox = serve("fine", delay=1000.0)
    provider = connect(sandbox)
    oldest = [provider.submit(body()).batch_id for _ in range(ours)]
    for _ in range(others):
        provider.submit(body())
    before = len(sandbox.exchanges)
    assert provider.poll(oldest, 0).keys() == set(oldest)
    assert len(sandbox.exchanges) - before == pages


def test_the_list_is_read_no_further_back_than_needed(serve: Any, connect: Any) -> None:
    """Pages of batches older than all of ours are not fetched."""
    moment = [1_790_000_000.0]
    sandbox = serve("fine", delay=1000.0, clock=lambda: moment[0])
    provider = connect(sandbox)
    for _ in range(101):
        provider.submit(body())
    moment[0] += 3600
    ours = [provider.submit(body()).batch_id for _ in range(3)]
    before = len(sandbox.exchanges)
    since = int((moment[0] - 60) * 1e6)
    assert provider.poll([*ours, "msgbatch_gone"], since).keys() == set(ours)
    paths = [path for _, path, _ in sandbox.exchanges[before:]]
    # The newest page, the one that nobody knows by its id, and once more the list, where that is not either.
    assert paths == [CREATE[1], f"{CREATE[1]}/msgbatch_gone", CREATE[1]]


@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_the_provider_does_not_know_is_left_out(serve: Any, connect: Any, count: int) -> None:
    """Neither by its id nor in the list."""
    sandbox = serve("fine")
    provider = connect(sandbox)
    ids = [provider.submit(body()).batch_id for _ in range(count)]
    assert provider.poll([*ids, "msgbatch_gone"], 0).keys() == set(ids)


def test_a_404_alone_does_not_leave_a_batch_out(serve: Any, connect: Any) -> None:
    """It happens, and not only right after the creation: what stands in the list is there."""
    sandbox = serve("fine")
    provider = connect(sandbox)
    batch_id = provider.submit(body()).batch_id
    sandbox.faults.not_found_after_create = 1
    assert provider.poll([batch_id], 0).keys() == {batch_id}


@pytest.mark.parametrize("status", [429, 500, 529])
def test_a_poll_without_an_answer_may_be_repeated(serve: Any, connect: Any, status: int) -> None:
    """Asking costs nothing: nothing is unknown about it."""
    sandbox = serve("fine")
    provider = connect(sandbox)
    ids = [provider.submit(body()).batch_id for _ in range(3)]
    sandbox.faults = Faults(poll_status=[status], list_status=[status], retry_after=3)
    for wanted in (ids[:1], ids):
        with pytest.raises(ProviderUnavailableError) as caught:
            provider.poll(wanted, 0)
        assert caught.value.retry_after == 3.0


def test_lost_batches_are_found_by_time_and_size(serve: Any, connect: Any) -> None:
    """Newest first; older ones are no candidates, nor those of another size until their results can tell."""
    moment = [1_790_000_000.0]
    sandbox = serve("fine", clock=lambda: moment[0], delay=60)
    provider = connect(sandbox)
    provider.submit(body(2))
    moment[0] += 100
    since = int(moment[0] * 1e6)
    expected = [provider.submit(body(2)).batch_id]
    other = provider.submit(body(3)).batch_id
    moment[0] += 1
    expected.append(provider.submit(body(2)).batch_id)
    assert [batch.batch_id for batch in provider.find(since, 2)] == expected[::-1]
    moment[0] += 60
    assert [batch.batch_id for batch in provider.find(since, 2)] == [expected[1], other, expected[0]]


def test_recorded_batches_are_read(script: Any, connect: Any, recorded: Path) -> None:
    """Id, state, counts and microseconds of a recorded batch object."""
    said = json.loads((recorded / "batches/anthropic__batch_get.json").read_text(encoding="utf-8"))
    raw = said["interactions"][0]["raw_body"]
    script.says(200, raw)
    value = json.loads(raw)
    (batch,) = connect(script).poll([value["id"]], 0).values()
    created = datetime.fromtimestamp(batch.created_at / 1e6, UTC)
    assert (batch.batch_id, batch.size, batch.ended) == (value["id"], 2, False)
    assert abs((created - datetime.fromisoformat(value["created_at"])).total_seconds()) < 1e-5
