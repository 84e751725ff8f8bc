"""Build the body of the call that creates a job's batch, from a description that can be pickled."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from batchata.errors import ConfigurationError, FileInputError
from batchata.inputs import Source
from batchata.providers.port import Template

_IN_MEMORY = 8_000_000  # bytes of a request body; what is bigger is built in a temporary file
_BUFFER = 1 << 20  # bytes written to that file at a time


@dataclass(frozen=True, slots=True)
class Each[T]:
    """A value for each of some items, made when it is needed: many large jobs may wait for their turn."""

    make: Callable[[int], T]
    items: Sequence[int]

    def __iter__(self) -> Iterator[T]:
        return map(self.make, self.items)


@dataclass(frozen=True, slots=True)
class JobDescription:
    """Everything needed to send one job: custom ids, sources and notes of its items, in order.

    A note tells the model what was wrong with its previous answer; None for an item without one.
    """

    job: int
    custom_ids: Iterable[str]
    sources: Iterable[Source]
    notes: Sequence[str | None]
    template: Template
    bytes: int
    mark: str = ""  # what tells the job's batch from every other, where batches can bear a mark
    leaves_out: bool = False  # files that cannot be read any more, instead of failing as a whole


def built(description: JobDescription, refused: dict[int, str]) -> IO[bytes]:
    """Build the body as `build_body` does. Raises ConfigurationError where the disk has no room for it."""
    try:
        return build_body(description, refused)
    except OSError as exc:
        raise ConfigurationError(
            f"no room for the request of job {description.job} in {tempfile.gettempdir()} ({exc.strerror}); "
            "make room or set TMPDIR"
        ) from exc


def build_body(description: JobDescription, refused: dict[int, str] | None = None) -> IO[bytes]:
    """Build the body of the create call, positioned at its start.

    Files that cannot be used are put into `refused`, by place and with the reason, where the job leaves them
    out. Raises FileInputError where it does not.
    """
    in_memory = description.bytes <= _IN_MEMORY
    body: IO[bytes] = io.BytesIO() if in_memory else tempfile.TemporaryFile(buffering=_BUFFER)  # noqa: SIM115 - the caller closes it
    body.writelines(_pieces(description, refused))
    body.seek(0)
    return body


def _pieces(description: JobDescription, refused: dict[int, str] | None) -> Iterator[bytes]:
    encode, (head, between, tail) = description.template.encode, description.template.envelope
    yield head
    requests = zip(description.custom_ids, description.sources, description.notes, strict=True)
    for position, (custom_id, source, note) in enumerate(requests):
        try:
            request = encode(custom_id, source, note)
        except FileInputError as exc:
            if refused is None or not description.leaves_out:
                raise
            refused[position] = str(exc)
            continue
        if position:
            yield between
        yield request
    yield tail
