"""Uploaded files, and the batches made of them: validated, worked on, ended with two files of results."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec

from batchata.sandbox.batches import Batches, Setup
from batchata.sandbox.faults import chosen
from batchata.sandbox.openai.flavors import Flavor
from batchata.sandbox.openai.requests import ENDPOINTS, problems_in, read_lines
from batchata.sandbox.openai.results import LineWriter
from batchata.sandbox.protocol import Refusal, new_id
from batchata.sandbox.storage import DAY, Record

__all__ = ["FileBatches", "UploadedFile"]

MAX_REQUESTS = 50_000
_OUTPUT, _ERRORS = "output", "errors"


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """What is known of a file; `batch` names the batch whose results it holds."""

    id: str
    name: str
    size: int
    created_at: float
    purpose: str = "batch"

    def described(self) -> dict[str, Any]:
        """Return the file object."""
        return {
            "object": "file",
            "id": self.id,
            "purpose": self.purpose,
            "filename": self.name,
            "bytes": self.size,
            "created_at": int(self.created_at),
            "expires_at": int(self.created_at + 30 * DAY),
            "status": "processed",
            "status_details": None,
        }


@dataclass(slots=True)
class _Uploads:
    files: dict[str, UploadedFile] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)


class FileBatches(Batches):
    """Every batch by id; see `Batches`."""

    prefix = "batch_"

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._uploads = _Uploads()

    def title(self, batch_id: str) -> str:
        """See the base."""
        return f"Batch {batch_id}"

    def upload(self, name: str, content: bytes) -> UploadedFile:
        """Keep a file. Raises Refusal for a name that no batch takes."""
        if not name.endswith(".jsonl"):
            raise Refusal(400, f"Invalid file format for Batch API. Must be .jsonl, got {name!r}")
        file = UploadedFile(f"file-{secrets.token_hex(11)}", name, len(content), self._clock())
        with self._lock:
            self._uploads.files[file.id] = file
            self._uploads.contents[file.id] = content
        return file

    def uploads(self) -> list[UploadedFile]:
        """Newest first."""
        with self._lock:
            return list(reversed(self._uploads.files.values()))

    def file(self, file_id: str) -> UploadedFile:
        """Return an uploaded file, or Refusal."""
        if file_id not in self._uploads.files:
            raise Refusal(404, f"No such File object: {file_id}")
        return self._uploads.files[file_id]

    def content(self, file_id: str) -> BinaryIO | bytes:
        """Return the bytes of an uploaded file, or the lines of a file of results."""
        for record in self.settled():
            if file_id in self.result_files(record):
                suffix = "" if file_id.endswith(_OUTPUT) else f"-{_ERRORS}"
                return self._shelf.results(record.id + suffix)
        self.file(file_id)
        return self._uploads.contents[file_id]

    def result_lines(self, file_id: str) -> list[bytes]:
        """Return the lines of a file of results."""
        content = self.content(file_id)
        return read_lines(content if isinstance(content, bytes) else content.read())

    def ids(self) -> list[str]:
        """Return the ids of all batches, newest first."""
        return [record.id for record in self.settled()[::-1]]

    def create(self, given: dict[str, Any], flavor: Flavor) -> Record:
        """Create a batch of a file; what is wrong with the file shows only when it is validated."""
        file_id, endpoint = str(given.get("input_file_id")), given.get("endpoint")
        if file_id not in self._uploads.files:
            said = f"Cannot find file {file_id}, or project proj_sandbox does not have access to it."
            raise Refusal(400, said)
        if endpoint not in ENDPOINTS:
            raise Refusal(400, f"Invalid value: '{endpoint}'. Supported values are: {', '.join(ENDPOINTS)}")
        if given.get("completion_window") != "24h":
            raise Refusal(
                400, f"Invalid value: '{given.get('completion_window')}'. Supported values are: '24h'"
            )
        lines = [flavor.line(line) for line in read_lines(self._uploads.contents[file_id])]
        content = b"\n".join(lines)
        problems = self._problems(lines, str(endpoint)) if flavor.validates else []
        about = {"given": given, "problems": problems}
        ids = [] if problems else [_custom_id(line) for line in lines]
        now = self._clock()
        with self._lock:
            record = Record(new_id("batch"), self.count(), now, now, ids, about=about)
            self.keep(record, content)
        return record

    def _problems(self, lines: list[bytes], endpoint: str) -> list[Any]:
        if self.faults.strike("queue_full"):
            said = (
                "Enqueued token limit reached for gpt-4o-mini in organization org-sandbox. Limit: 2,000,000 "
                "enqueued tokens. Please try again once some in_progress batches have been completed."
            )
            return [("token_limit_exceeded", None, said)]
        problems = problems_in(lines, endpoint, min(self._setup.max_requests, MAX_REQUESTS))
        for number, line in enumerate(lines):
            if not problems and chosen(self.faults.refused, _custom_id(line), number):
                return [("invalid_request", number + 1, "The sandbox was told to refuse this one")]
        return problems

    def cancel(self, batch_id: str) -> Record:
        """Stop a batch; one that had not begun ends without results."""
        known = self.retrieve(batch_id)
        if known.ended_at is not None:
            raise Refusal(409, f"Cannot cancel a batch with status '{self.status(known)}'.")
        if self.status(known) == "validating":
            known.about["never_began"] = True
        return super().cancel(batch_id)

    def status(self, record: Record) -> str:
        """As the protocol calls it."""
        now, span = self._clock(), record.ends_at - record.created_at
        if record.about.get("problems"):
            return "failed" if record.ended_at is not None else "validating"
        if record.ended_at is not None:
            return {"canceled": "cancelled", "expired": "expired", None: "completed"}[record.stopped]
        if record.cancel_initiated_at is not None:
            return "cancelling"
        return "validating" if now < record.created_at + span * self.faults.validation else "in_progress"

    def result_files(self, record: Record) -> list[str]:
        """Return the ids of the files of an ended batch that hold something; neither where nothing ran."""
        if record.ended_at is None or record.about.get("never_began"):
            return []
        return [f"file-{record.id}-{name}" for name in record.about.get("files", ())]

    def described(self, record: Record) -> dict[str, Any]:
        """Return a batch object with all its keys."""
        status, given = self.status(record), record.about["given"]
        files = {name.rpartition("-")[2]: name for name in self.result_files(record)}
        ended = None if record.ended_at is None else int(record.ended_at)
        began = status not in ("validating", "failed") and not record.about.get("never_began")
        cancelled = None if record.cancel_initiated_at is None else int(record.cancel_initiated_at)
        return {
            "id": record.id,
            "object": "batch",
            "endpoint": given["endpoint"],
            "model": None,
            "errors": _errors(record) if status == "failed" else None,
            "input_file_id": given["input_file_id"],
            "completion_window": "24h",
            "status": status,
            "output_file_id": files.get(_OUTPUT),
            "error_file_id": files.get(_ERRORS),
            "created_at": int(record.created_at),
            "in_progress_at": int(record.created_at) if began else None,
            "expires_at": int(record.expires_at),
            "finalizing_at": ended if status == "completed" else None,
            "completed_at": ended if status == "completed" else None,
            "failed_at": ended if status == "failed" else None,
            "expired_at": ended if status == "expired" else None,
            "cancelling_at": cancelled,
            "cancelled_at": ended if status == "cancelled" else None,
            "request_counts": self._counts(record, began=began),
            "metadata": given.get("metadata"),
        }

    def _counts(self, record: Record, *, began: bool) -> dict[str, int]:
        return {
            "total": len(record.custom_ids) if began else 0,
            "completed": record.kinds.count("s"),
            "failed": record.kinds.count("e"),
        }

    def write(self, ended: Record) -> None:
        """See the base."""
        if ended.about.get("problems") or ended.about.get("never_began"):
            ended.kinds = "c" * len(ended.custom_ids)
            return
        setup = self._setup
        writer = LineWriter(ended, setup.answering, self.faults, setup.seed)
        writer.write(read_lines(self._shelf.body(ended.id)), shuffle=setup.shuffle)
        self._shelf.put_results(ended.id, writer.output)
        self._shelf.put_results(f"{ended.id}-{_ERRORS}", writer.errors)
        files = ((_OUTPUT, writer.output), (_ERRORS, writer.errors))
        ended.about["files"] = [name for name, held in files if held]


def _custom_id(line: bytes) -> str:
    value = msgspec.json.decode(line)
    return str(value.get("custom_id", "")) if isinstance(value, dict) else ""


def _errors(record: Record) -> dict[str, Any]:
    data = [
        {"code": code, "line": line, "message": message, "param": None}
        for code, line, message in record.about["problems"]
    ]
    return {"object": "list", "data": data}
