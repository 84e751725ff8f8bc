"""Do a worker's calls for a job: plain functions from descriptions to reported values.

Nothing here touches the log or the state, so that threads need no locks.
"""

from __future__ import annotations

import io
from typing import IO

from batchata.providers.exchange import Upload
from batchata.providers.port import Client
from batchata.run.bodies import JobDescription, built
from batchata.run.reports import Arrived, CancelAsked, Exhausted, FilesRefused, Polled, Put, Staged, Submitted

# How far the provider's clock may be from ours, in microseconds.
_CLOCK_MARGIN = 24 * 3600 * 1_000_000


def submit(provider: Client, description: JobDescription, put: Put) -> None:
    """Build the job's body and create its batch with one HTTP request, or upload it first."""
    ready = prepare(provider, description)
    if isinstance(ready, Staged | FilesRefused):
        put(ready)
        return
    with ready as body:
        batch = provider.submit(body.getvalue() if isinstance(body, io.BytesIO) else body)
    put(Submitted(description.job, batch))


def prepare(provider: Client, description: JobDescription) -> Staged | FilesRefused | IO[bytes]:
    """Build the job's body, which the caller closes, or upload it where the provider takes files.

    None of this is billed, and all of it may be repeated.
    """
    refused: dict[int, str] = {}
    body = built(description, refused)
    if not refused and not provider.stages:
        return body
    with body:
        if refused:
            return FilesRefused(description.job, refused)
        requests = body.getvalue() if isinstance(body, io.BytesIO) else body
        return Staged(description.job, provider.stage(description.mark, requests))


def create(provider: Client, job: int, upload: Upload, put: Put) -> None:
    """Create the batch of requests that were uploaded, with one HTTP request."""
    put(Submitted(job, provider.submit(upload)))


def poll(provider: Client, batch_ids: dict[int, str], since: int, put: Put) -> None:
    """Ask how far the batches of these jobs are."""
    put(Polled(list(batch_ids), provider.poll(batch_ids.values(), since - _CLOCK_MARGIN)))


def collect(provider: Client, job: int, batch_id: str, doubted: bool, put: Put) -> None:
    """Hand over the results of an ended batch, some hundred at a time.

    Where they were `doubted` before, the batch is asked again too, whose counts may have been wrong.
    """
    for outcomes in provider.outcomes(batch_id):
        put(Arrived(job, outcomes))
    put(Exhausted(job, provider.poll([batch_id], 0).get(batch_id) if doubted else None))


def cancel(provider: Client, job: int, batch_id: str, put: Put) -> None:
    """Ask for the job's batch to be cancelled."""
    provider.cancel(batch_id)
    put(CancelAsked(job))
