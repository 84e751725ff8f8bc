"""Downloading results and cancelling, through the real SDK."""

from __future__ import annotations

import json
from typing import Any

import pytest
from provider_given import body, results

from batchata.answers.answer import joined_text
from batchata.errors import (
    BatchNotFoundError,
    IncompleteResultsError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
)
from batchata.sandbox import Faults


def test_results_arrive_in_chunks_with_their_bytes(serve: Any, connect: Any) -> None:
    """Every request once, some hundred at a time, each with its line as received."""
    provider = connect(serve("fine"))
    batch = provider.submit(body(2100))
    chunks = list(provider.outcomes(batch.batch_id))
    assert max(map(len, chunks)) <= 1000 < sum(map(len, chunks))
    found = [outcome for chunk in chunks for outcome in chunk]
    assert {outcome.custom_id for outcome in found} == {f"r-{n}" for n in range(2100)}
    assert len(found) == 2100
    assert all(json.loads(outcome.line)["custom_id"] == outcome.custom_id for outcome in found)


def test_lines_end_at_newlines_only(serve: Any, connect: Any) -> None:
    """A raw U+2028 stands inside a string and ends nothing."""
    provider = connect(serve("fine", faults=Faults(line_separators=True)))
    found = results(provider, provider.submit(body(6)).batch_id)
    assert len(found) == 6
    assert all("\u2028".encode() in outcome.line for outcome in found)
    assert all(joined_text(outcome.blocks) for outcome in found)


def test_a_download_that_breaks_off_may_be_repeated(serve: Any, connect: Any) -> None:
    """What had arrived is handed over or not; the error says that there was more."""
    provider = connect(serve("fine", faults=Faults(drop_results_after=[2])))
    batch = provider.submit(body(6))
    with pytest.raises(ProviderUnavailableError, match="no answer"):
        results(provider, batch.batch_id)
    assert len(results(provider, batch.batch_id)) == 6


def test_a_cut_last_line_is_no_result(serve: Any, connect: Any) -> None:
    """A line that ends in its middle is refused; the download can be repeated."""
    provider = connect(serve("fine", faults=Faults(cut_last_line=1)))
    batch = provider.submit(body(6))
    with pytest.raises(IncompleteResultsError):
        results(provider, batch.batch_id)
    assert len(results(provider, batch.batch_id)) == 6


def test_a_short_download_gives_what_there_is(serve: Any, connect: Any) -> None:
    """Nothing in the bytes tells that lines are missing: who knows what was sent must count."""
    provider = connect(serve("fine", faults=Faults(truncate_results=[4])))
    assert len(results(provider, provider.submit(body(6)).batch_id)) == 4


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, BatchNotFoundError), (429, RateLimitedError), (529, ProviderUnavailableError)],
)
def test_a_refused_download_says_why(serve: Any, connect: Any, status: int, expected: type) -> None:
    """A status instead of lines is an error of its kind."""
    sandbox = serve("fine")
    provider = connect(sandbox)
    batch = provider.submit(body())
    sandbox.faults.results_status = [status]
    with pytest.raises(ProviderError) as caught:
        results(provider, batch.batch_id)
    assert type(caught.value) is expected


def test_results_are_fetched_from_the_address_given(script: Any, connect: Any) -> None:
    """A path prefix of the base URL holds for downloads too: the key goes nowhere else."""
    line = b'{"custom_id":"r-0","result":{"type":"expired"}}'
    script.says(200, line + b"\n\n" + line.replace(b"r-0", b"r-1"))
    provider = connect(f"{script.url}/proxy/team/")
    assert provider.base_url == f"{script.url}/proxy/team"
    assert [outcome.custom_id for outcome in results(provider, "msgbatch_1")] == ["r-0", "r-1"]
    assert [path for _, path, _, _ in script.asked] == ["/proxy/team/v1/messages/batches/msgbatch_1/results"]


def test_a_running_batch_is_cancelled(serve: Any, connect: Any) -> None:
    """What it had finished is kept, the rest is canceled."""
    sandbox = serve("fine", delay=1000.0, faults=Faults(processed=0.5))
    provider = connect(sandbox)
    batch = provider.submit(body(4))
    provider.cancel(batch.batch_id)
    counts = provider.poll([batch.batch_id], 0)[batch.batch_id].counts
    assert (counts.succeeded, counts.canceled) == (2, 2)


def test_cancelling_what_has_ended_is_no_error(serve: Any, connect: Any) -> None:
    """It came too late, and that is all."""
    provider = connect(serve("fine"))
    batch = provider.submit(body())
    provider.cancel(batch.batch_id)
    assert len(results(provider, batch.batch_id)) == 1


@pytest.mark.parametrize(("status", "expected"), [(404, BatchNotFoundError), (500, ProviderUnavailableError)])
def test_a_cancel_that_fails_says_so(serve: Any, connect: Any, status: int, expected: type) -> None:
    """Other failures are not taken for an end."""
    provider = connect(serve("fine", delay=1000.0, faults=Faults(cancel_status=[status])))
    with pytest.raises(expected):
        provider.cancel(provider.submit(body()).batch_id)
