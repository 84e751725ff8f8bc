"""Uploaded files, and the batches made of them: operations that end with a file of results, or with none."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec

from batchata.sandbox.batches import Batches, Setup
from batchata.sandbox.faults import chosen
from batchata.sandbox.gemini.results import KeyedWriter
from batchata.sandbox.protocol import Refusal, rfc3339
from batchata.sandbox.storage import DAY, Record

__all__ = ["OperationBatches"]

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_STATES = {"canceled": "CANCELLED", "expired": "EXPIRED", None: "SUCCEEDED"}
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"


@dataclass(slots=True)
class _Uploads:
    """Files that were begun, by the id of their upload, and those that are there, by their names."""

    begun: dict[str, str] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)


class OperationBatches(Batches):
    """Every batch by id; see `Batches`."""

    prefix = "gembatch"
    kept_for = 42 * DAY

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._uploads = _Uploads()

    def title(self, batch_id: str) -> str:
        """See the base."""
        return f"Batch batches/{batch_id}"

    def begin_upload(self, name: str) -> str:
        """Return the id under which the bytes of a file are to come."""
        upload_id = secrets.token_urlsafe(12)
        with self._lock:
            self._uploads.begun[upload_id] = name
        return upload_id

    def end_upload(self, upload_id: str, content: bytes) -> dict[str, Any]:
        """Keep a file and describe it."""
        with self._lock:
            if upload_id not in self._uploads.begun:
                raise Refusal(404, "Upload has already been terminated or does not exist.")
            display = self._uploads.begun.pop(upload_id)
            name = f"files/{_random_name(12)}"
            self._uploads.contents[name] = content
        return {"name": name, "displayName": display, "sizeBytes": str(len(content)), "state": "ACTIVE"}

    def create(self, model: str, given: dict[str, Any]) -> Record:
        """Create a batch of a file, or of the requests in the call."""
        asked = given.get("inputConfig") or {}
        inline, file = asked.get("requests"), str(asked.get("fileName"))
        content = self._uploads.contents.get(file) if inline is None else _lines_of(inline)
        if content is None:
            raise _missing(file)
        lines = [line for line in content.split(b"\n") if line.strip()]
        problem = self._problem(lines)
        ids = [] if problem else [str(msgspec.json.decode(line).get("key", "")) for line in lines]
        kept = given if inline is None else {"displayName": given.get("displayName")}
        about = {"given": kept, "model": model, "problem": problem, "inline": inline is not None}
        now = self._clock()
        with self._lock:
            record = Record(f"{self.prefix}{_random_name(24)}", self.count(), now, now, ids, about=about)
            self.keep(record, content)
        return record

    def _problem(self, lines: list[bytes]) -> tuple[int, str] | None:
        """Return why the whole batch fails: a code and a message."""
        if self.faults.strike("queue_full"):
            return 8, "You exceeded your current quota: enqueued tokens per model."
        try:
            keys = [msgspec.json.decode(line)["key"] for line in lines]
        except (msgspec.DecodeError, KeyError, TypeError):
            return 3, "Failed to parse the input file."
        if not keys or len(keys) > self._setup.max_requests:
            return 3, f"The input file has {len(keys)} requests."
        if any(chosen(self.faults.refused, key, number) for number, key in enumerate(keys)):
            return 3, "The sandbox was told to refuse one of them"
        return None

    def state(self, record: Record) -> str:
        """As the protocol calls it, without its prefix."""
        if record.ended_at is not None:
            return "FAILED" if record.about["problem"] else _STATES[record.stopped]
        span = record.ends_at - record.created_at
        began = self._clock() >= record.created_at + span * self.faults.validation
        return "RUNNING" if began else "PENDING"

    def result_file(self, record: Record) -> str | None:
        """Return the name of the file of results; a batch that expired or failed has none."""
        ended = record.ended_at is not None and not record.about["problem"]
        return f"files/batch-{record.id}" if ended and record.stopped != "expired" else None

    def content(self, file: str) -> BinaryIO:
        """Return the lines of a file of results."""
        for record in self.settled():
            if file == self.result_file(record):
                return self._shelf.results(record.id)
        raise _missing(file)

    def described(self, record: Record) -> dict[str, Any]:
        """Return the operation of a batch."""
        name, given, file = f"batches/{record.id}", record.about["given"], self.result_file(record)
        about: dict[str, Any] = {
            "@type": _TYPE,
            "model": record.about["model"],
            "displayName": given.get("displayName"),
            "inputConfig": given.get("inputConfig"),
            "createTime": rfc3339(record.created_at),
            "updateTime": rfc3339(record.ended_at or record.created_at),
            "batchStats": self._stats(record),
            "state": f"BATCH_STATE_{self.state(record)}",
            "name": name,
        }
        about = {key: value for key, value in about.items() if value is not None}
        operation = {"name": name, "metadata": about}
        if record.ended_at is None:
            return operation
        about["endTime"] = rfc3339(record.ended_at)
        if record.about["problem"]:
            code, message = record.about["problem"]
            return {**operation, "done": True, "error": {"code": code, "message": message}}
        if file is None:
            return {**operation, "done": True, "error": {"code": 4, "message": "The batch has expired."}}
        output: dict[str, Any] = {"responsesFile": file}
        if record.about.get("inline"):
            output = {"inlinedResponses": {"inlinedResponses": self._answers(record)}}
        about["output"] = output
        return {**operation, "done": True, "response": {"@type": f"{_TYPE}Output", **output}}

    def holds_answers(self, record: Record) -> bool:
        """Whether its description holds the answers to its requests."""
        return bool(record.about.get("inline")) and self.result_file(record) is not None

    def _answers(self, record: Record) -> list[Any]:
        """Return the lines of results as they stand in an operation; one that is not JSON has no key."""
        with self._shelf.results(record.id) as results:
            return [_inlined(line) for line in results]

    def _stats(self, record: Record) -> dict[str, str]:
        """Count, in strings and without zeros."""
        total, done, failed = len(record.custom_ids), record.kinds.count("s"), record.kinds.count("e")
        pending = total - done - failed
        counts = {
            "requestCount": total,
            "successfulRequestCount": done,
            "failedRequestCount": failed,
            "pendingRequestCount": pending,
        }
        return {name: str(count) for name, count in counts.items() if count}

    def write(self, ended: Record) -> None:
        """See the base; what an expired batch had done is lost, and not billed."""
        if ended.about["problem"] or ended.stopped == "expired":
            ended.kinds = "x" * len(ended.custom_ids)
            return
        writer = KeyedWriter(ended, self._setup.answering, self.faults, self._setup.seed)
        lines = [line for line in self._shelf.body(ended.id).split(b"\n") if line.strip()]
        writer.write(lines, shuffle=self._setup.shuffle)
        self._shelf.put_results(ended.id, writer.output)


def _lines_of(inline: dict[str, Any]) -> bytes:
    """Write the requests of a create call as the lines of a file."""
    encode = msgspec.json.encode
    keyed = [(each.get("metadata") or {}, each.get("request")) for each in inline.get("requests") or ()]
    return b"\n".join(encode({"key": about.get("key"), "request": request}) for about, request in keyed)


def _inlined(line: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return {}
    return {**value, "metadata": {"key": value.pop("key")}}


def _missing(file: str) -> Refusal:
    name = file.removeprefix("files/")
    return Refusal(403, f"You do not have permission to access the File {name} or it may not exist.")


def _random_name(size: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(size))
