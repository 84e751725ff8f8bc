"""Which call of OpenAI's protocol is answered by what, and where the faults of calls strike."""

from __future__ import annotations

import re
from io import BytesIO
from itertools import chain
from typing import Any

import msgspec

from batchata.sandbox.calls import Calls
from batchata.sandbox.openai.batches import FileBatches
from batchata.sandbox.openai.flavors import FLAVORS, Flavor, XaiFlavor
from batchata.sandbox.openai.requests import LineRequest, rejection
from batchata.sandbox.openai.results import body_of, error_of, input_tokens
from batchata.sandbox.protocol import Call, Dropped, Lines, Page, Refusal, Reply, read_object
from batchata.sandbox.storage import Record

__all__ = ["FileRoutes", "is_ours"]

_ITSELF = Flavor()
_ROOMS = ("files", "batches", "responses", "chat")
_NAME = re.compile(rb'name="([^"]*)"')
_FILENAME = re.compile(rb'filename="([^"]*)"')
_KINDS = {401: "invalid_request_error", 429: "rate_limit_exceeded", 403: "permission_error"}
_USUAL = {
    401: "Incorrect API key provided.",
    404: "Not found",
    429: "Rate limit reached for requests",
    500: "The server had an error while processing your request. Sorry about that!",
}


def is_ours(call: Call) -> bool:
    """Whether a call is one of this protocol; a model is asked for with a bearer token."""
    parts = [part for part in call.path.split("/") if part]
    if parts and parts[0] in FLAVORS:
        return True
    return len(parts) > 1 and parts[0] == "v1" and parts[1] in _ROOMS


class FileRoutes(Calls[FileBatches]):
    """Answers calls out of files and batches."""

    def reply(self, call: Call) -> Reply:
        try:
            return self._reply(call)
        except Refusal as refusal:
            refusal.page = _page(refusal)
            raise

    def _reply(self, call: Call) -> Reply:
        if not call.headers.get("authorization", "").lower().startswith("bearer "):
            raise Refusal(401, "You didn't provide an API key.")
        parts = tuple(part for part in call.path.split("/") if part)
        flavor = FLAVORS.get(parts[0], _ITSELF)
        parts = parts[1:] if flavor is _ITSELF else parts[2:]
        match call.method, parts:
            case "POST", ("files",):
                return self._upload(call, flavor)
            case "GET", ("files",):
                return {"object": "list", "data": [file.described() for file in self._batches.uploads()]}
            case "GET", ("files", file_id):
                return self._batches.file(file_id).described()
            case "GET", ("files", file_id, "content"):
                return self._content(file_id)
            case "POST", ("responses",) | ("chat", "completions"):
                return self._answer(call)
            case "POST", ("responses", "input_tokens"):
                self._inject("message_status")
                counted = input_tokens(LineRequest("counted", read_object(call.body)))
                return {"object": "response.input_tokens", "input_tokens": counted}
        if parts[: len(flavor.room)] == flavor.room:
            return self._of_batches(call, parts[len(flavor.room) :], flavor)
        raise Refusal(404, f"Invalid URL ({call.method} {call.path})")

    def _of_batches(self, call: Call, parts: tuple[str, ...], flavor: Flavor) -> Reply:
        if len(parts) == 1 and parts[0].endswith(":cancel"):
            parts = (parts[0].removesuffix(":cancel"), "cancel")
        match call.method, parts:
            case "POST", ():
                return self._create(call, flavor)
            case "GET", ():
                return self._list(call, flavor)
            case "GET", (batch_id,):
                return self._retrieve(batch_id, flavor)
            case "POST", (batch_id, "cancel"):
                self._inject("cancel_status")
                return self._described(self._batches.cancel(batch_id), flavor)
            case "GET", (batch_id, "results") if isinstance(flavor, XaiFlavor):
                return self._results(batch_id, flavor)
        raise Refusal(404, f"Invalid URL ({call.method} {call.path})")

    def _upload(self, call: Call, flavor: Flavor) -> Reply:
        self._inject("upload_status")
        fields = _multipart(call)
        if fields.get("purpose", (b"", ""))[0].decode() != (flavor.purpose or ""):
            raise Refusal(400, "Missing or invalid parameter: 'purpose'.")
        if "file" not in fields:
            raise Refusal(400, "Missing required parameter: 'file'.")
        content, name = fields["file"]
        file = self._batches.upload(name, content)
        if self._strike("lost_uploads"):
            raise Dropped
        answer = self._take("uploaded_as", None)
        return answer if isinstance(answer, dict) else file.described()

    def _create(self, call: Call, flavor: Flavor) -> Reply:
        if self.faults.spend_limit:
            raise Refusal(429, "You exceeded your current quota.", kind="insufficient_quota")
        self._inject("create_status", self.faults.create_says)
        given = flavor.taken(read_object(call.body))
        if self._strike("unfound_files"):
            said = (
                f"Cannot find file {given.get('input_file_id')}, or project proj_sandbox does not have access"
            )
            raise Refusal(400, f"{said} to it.")
        if self._strike("created_twice"):
            self._batches.create(given, flavor)
        created = self._described(self._batches.create(given, flavor), flavor, created=True)
        if hang := float(self._take("create_hang", 0.0)):
            self._wait(hang)
        if self._strike("lost_create_responses"):
            raise Dropped
        self._inject("create_status_after")
        answer = self._take("created_as", None)
        return answer if isinstance(answer, bytes | dict) else created

    def _described(self, record: Record, flavor: Flavor, *, created: bool = False) -> dict[str, Any]:
        odd = {} if self.faults.counts is None else {"request_counts": self.faults.counts}
        return flavor.described(self._batches.described(record) | odd, created=created)

    def _list(self, call: Call, flavor: Flavor) -> Reply:
        self._inject("list_status")
        limit, after = flavor.asked(call.query, self._batches.ids())
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            raise Refusal(400, f"Invalid 'limit': expected 1 to 100, got {limit}.")
        records, more = self._batches.page(int(limit), after, None)
        batches = [self._described(record, flavor) for record in records]
        last = records[-1].id if records else None
        page: Reply = flavor.page(
            [*self.faults.entries, *batches], more=more or self.faults.endless_list, last=last
        )
        return page

    def _results(self, batch_id: str, flavor: XaiFlavor) -> Reply:
        """Answer all results as one page, which may break off as a file does."""
        self._inject("results_status")
        files = self._batches.result_files(self._batches.retrieve(batch_id))
        lines = [line for file in files for line in self._batches.result_lines(file)]
        entries = [flavor.result(line) + b",\n" for line in lines]
        if entries:
            entries[-1] = entries[-1][:-2] + b"\n"
        return Lines(
            chain([b'{"results":['], self._download().pieces(BytesIO(b"".join(entries)), self._wait), [b"]}"])
        )

    def _retrieve(self, batch_id: str, flavor: Flavor) -> Reply:
        if self._strike("not_found_after_create"):
            raise Refusal(404, f"No batch found with id '{batch_id}'.")
        self._inject("poll_status")
        description = self._take("descriptions", None)
        if isinstance(description, bytes | dict):
            return description
        return self._described(self._batches.retrieve(batch_id), flavor)

    def _content(self, file_id: str) -> Reply:
        self._inject("results_status")
        content = self._batches.content(file_id)
        if isinstance(content, bytes):
            return Lines([content])
        return self._results_of(content)

    def _answer(self, call: Call) -> Reply:
        self._inject("message_status")
        params = read_object(call.body)
        refused = rejection(params, call.path)
        if refused is not None:
            raise Refusal(400, refused[0], details={"param": refused[1], "code": refused[2]})
        request = LineRequest("message", params)
        answer = self._answering.answer(request)
        if answer.kind != "succeeded":
            status, _ = error_of(answer.error_type, answer.error_message)
            raise Refusal(status, answer.error_message, kind=answer.error_type)
        return body_of(answer, request, call.path, 0, self._clock())


def _page(refusal: Refusal) -> Page:
    usual = _USUAL.get(refusal.status, "The sandbox was told to refuse this request")
    kind = refusal.kind or _KINDS.get(
        refusal.status, "server_error" if refusal.status >= 500 else "invalid_request_error"
    )
    details = refusal.details or {}
    error = {
        "message": usual if refusal.message is None else refusal.message,
        "type": kind,
        "param": details.get("param"),
        "code": details.get("code") or (kind if kind == "insufficient_quota" else None),
    }
    return Page("application/json", msgspec.json.encode({"error": error}))


def _multipart(call: Call) -> dict[str, tuple[bytes, str]]:
    """Read the fields of a form: content and file name of each."""
    boundary = call.headers.get("content-type", "").partition("boundary=")[2].strip('"').encode()
    if not boundary:
        raise Refusal(400, "Expected multipart/form-data.")
    fields: dict[str, tuple[bytes, str]] = {}
    for part in (b"\r\n" + call.body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name, file = _NAME.search(head), _FILENAME.search(head)
        if name is not None:
            fields[name[1].decode()] = (content, "" if file is None else file[1].decode())
    return fields
