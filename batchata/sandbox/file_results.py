"""Write the lines of result files of a batch that ends, with the faults asked for, whatever the protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from random import Random
from typing import Any, NamedTuple

import msgspec

from batchata.sandbox.faults import Faults, chosen
from batchata.sandbox.storage import LETTERS, Record
from batchata.sandbox.values import Answer, Answering, Request

__all__ = ["FileWriter", "LineOf", "refused"]

_encode = msgspec.json.encode


class LineOf(NamedTuple):
    """What stands in the line of one request, and whether it belongs into the file of errors."""

    value: dict[str, Any]
    is_error: bool = False


class FileWriter(ABC):
    """Lines, kinds and total usage of one batch."""

    def __init__(self, record: Record, answering: Answering, faults: Faults, seed: int) -> None:
        self.record, self.answering = record, answering
        self.faults = faults if faults.hits(record.number) else Faults()
        self.output: list[bytes] = []
        self.errors: list[bytes] = []
        self.usage: Counter[str] = Counter(input_tokens=0, output_tokens=0)
        self._kinds: list[str] = []
        self._random = Random(f"{seed}:{record.number}")
        self._processed = self._done()

    @abstractmethod
    def custom_id(self, line: dict[str, Any]) -> str:
        """Return what the line of a request calls it."""

    @abstractmethod
    def request(self, line: dict[str, Any], number: int) -> Request:
        """Return the request in a line."""

    @abstractmethod
    def rejection(self, line: dict[str, Any], *, refuse_schema: bool) -> Answer | None:
        """Return the error of a request that is refused, as asked for or by the rules of the protocol."""

    @abstractmethod
    def result(self, line: dict[str, Any], request: Request, answer: Answer) -> LineOf:
        """Return the line of one request; add what an answer used to `usage`."""

    @abstractmethod
    def foreign(self, custom_id: str) -> dict[str, Any]:
        """Return a line of a request that was never sent."""

    def write(self, lines: list[bytes], *, shuffle: bool) -> None:
        """Write all lines; fill the record's `kinds` and `usage`."""
        for number, line in enumerate(lines):
            self._add(number, msgspec.json.decode(line))
        ids = self.faults.foreign
        for custom_id in ids if isinstance(ids, list) else [f"sandbox-foreign-{n}" for n in range(int(ids))]:
            self.output.append(_encode(self.foreign(custom_id)) + b"\n")
        self.record.kinds, self.record.usage = "".join(self._kinds), dict(self.usage)
        if shuffle:
            self._random.shuffle(self.output)
            self._random.shuffle(self.errors)

    def _done(self) -> set[int] | None:
        """Return the positions processed before the batch was stopped; None: all."""
        if self.record.stopped is None:
            return None
        size = len(self.record.custom_ids)
        return set(self._random.sample(range(size), round(self.record.done * size)))

    def _add(self, number: int, line: dict[str, Any]) -> None:
        """Write the lines of one request: one, unless a fault makes it none or two."""
        custom_id, request = self.custom_id(line), self.request(line, number)
        answer = self._answer(number, custom_id, line, request)
        self._kinds.append(LETTERS.get(answer.kind, "e"))
        value, is_error = self.result(line, request, answer)
        written = _encode(value) + b"\n"
        if chosen(self.faults.garbled, custom_id, number):
            written = written[: len(written) // 2] + b"\n"
        if self.faults.rewritten is not None:
            written = self.faults.rewritten(written)
        if not chosen(self.faults.missing, custom_id, number):
            file = self.errors if is_error else self.output
            file.extend([written] * (1 + chosen(self.faults.duplicated, custom_id, number)))

    def _answer(self, number: int, custom_id: str, line: dict[str, Any], request: Request) -> Answer:
        """Decide what becomes of one request."""
        faults = self.faults
        if self._processed is not None and number not in self._processed:
            return Answer(kind=str(self.record.stopped))
        if chosen(faults.errored, custom_id, number):
            return Answer(kind="errored", error_type=faults.error_type, error_message=faults.error_message)
        for name, kind in (
            ("status_zero", "zero"),
            ("expired", "expired"),
            ("unknown_kind", "paused_by_sandbox"),
        ):
            if chosen(getattr(faults, name), custom_id, number):
                return Answer(kind=kind)
        refuse_schema = request.has_format and chosen(faults.schemas_refused, custom_id, number)
        rejected = self.rejection(line, refuse_schema=refuse_schema)
        return self.answering.answer(request) if rejected is None else rejected


def refused(kind: str, message: str, **details: Any) -> Answer:
    """Return the answer to a request that is refused."""
    return Answer(kind="errored", error_type=kind, error_message=message, stop_details=details or None)
