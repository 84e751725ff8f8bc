"""Which call of Gemini's protocol is answered by what, and where the faults of calls strike."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import msgspec

from batchata.sandbox.calls import Calls
from batchata.sandbox.gemini.batches import OperationBatches
from batchata.sandbox.gemini.requests import ContentRequest, rejection
from batchata.sandbox.gemini.results import body_of, code_of, error_of, input_tokens
from batchata.sandbox.protocol import Call, Dropped, Headed, Page, Refusal, Reply, read_object
from batchata.sandbox.storage import Record

__all__ = ["OperationRoutes", "is_ours"]

_ROOTS = ("v1beta", "upload", "download")
_USUAL = {
    400: "Request contains an invalid argument.",
    401: "Request had invalid authentication credentials.",
    403: "Method doesn't allow unregistered callers.",
    404: "Requested entity was not found.",
    429: "Resource has been exhausted (e.g. check quota).",
    500: "An internal error has occurred.",
    503: "The model is overloaded. Please try again later.",
}
_SPENT = "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing."


def is_ours(call: Call) -> bool:
    """Whether a call is one of this protocol."""
    return call.path.split("/")[1:2] in [[root] for root in _ROOTS]


class OperationRoutes(Calls[OperationBatches]):
    """Answers calls out of files and batches."""

    def reply(self, call: Call) -> Reply:
        try:
            return self._reply(call)
        except Refusal as refusal:
            refusal.page = _page(refusal)
            raise

    def _reply(self, call: Call) -> Reply:
        if not call.headers.get("x-goog-api-key") and "upload_id" not in call.query:
            raise Refusal(403)  # the place of an upload is a secret by itself
        match call.method, tuple(part for part in call.path.split("/") if part):
            case "POST", ("upload", "v1beta", "files"):
                return self._upload(call)
            case "GET", ("download", "v1beta", "files", name) | ("v1beta", "files", name) if _is_download(
                name
            ):
                return self._content(f"files/{name.removesuffix(':download')}")
            case "POST", ("v1beta", "models", name):
                model, _, method = name.partition(":")
                return self._of_model(call, f"models/{model}", method)
            case "GET", ("v1beta", "batches"):
                return self._list(call)
            case "GET", ("v1beta", "batches", batch_id):
                return self._retrieve(batch_id)
            case "POST", ("v1beta", "batches", name) if name.endswith(":cancel"):
                self._inject("cancel_status")
                self._batches.cancel(name.removesuffix(":cancel"))
                return {}
        raise Refusal(404)

    def _of_model(self, call: Call, model: str, method: str) -> Reply:
        match method:
            case "batchGenerateContent":
                return self._create(call, model)
            case "countTokens":
                self._inject("message_status")
                asked = read_object(call.body).get("generateContentRequest") or {}
                return {"totalTokens": input_tokens(ContentRequest("counted", asked))}
            case "generateContent":
                return self._answer(call, model)
        raise Refusal(404)

    def _upload(self, call: Call) -> Reply:
        command = call.headers.get("x-goog-upload-command", "")
        if command == "start":
            self._inject("upload_status")
            named = read_object(call.body).get("file") or {}
            upload_id = self._batches.begin_upload(str(named.get("displayName") or named.get("display_name")))
            url = f"{call.base_url}/upload/v1beta/files?upload_id={upload_id}&upload_protocol=resumable"
            return Headed({}, {"x-goog-upload-url": url, "x-goog-upload-status": "active"})
        if command != "upload, finalize":
            raise Refusal(400, f"Invalid upload command {command!r}.")
        file = self._batches.end_upload(call.query.get("upload_id", ""), call.body)
        if self._strike("lost_uploads"):
            raise Dropped
        answer = self._take("uploaded_as", None)
        made = answer if isinstance(answer, dict) else {"file": file}
        return Headed(made, {"x-goog-upload-status": "final"})

    def _create(self, call: Call, model: str) -> Reply:
        if self.faults.spend_limit:
            raise Refusal(429, _SPENT)
        self._inject("create_status", self.faults.create_says)
        given = read_object(call.body).get("batch") or {}
        if self._strike("unfound_files"):
            raise Refusal(403, "You do not have permission to access the File x or it may not exist.")
        if self._strike("created_twice"):
            self._batches.create(model, given)
        created = self._batches.described(self._batches.create(model, given))
        if hang := float(self._take("create_hang", 0.0)):
            self._wait(hang)
        if self._strike("lost_create_responses"):
            raise Dropped
        self._inject("create_status_after")
        answer = self._take("created_as", None)
        return answer if isinstance(answer, bytes | dict) else created

    def _described(self, record: Record) -> dict[str, Any]:
        described = self._batches.described(record)
        if self.faults.counts is not None:
            described["metadata"]["batchStats"] = self.faults.counts
        return described

    def _list(self, call: Call) -> Reply:
        self._inject("list_status")
        size = call.query.get("pageSize", "50")
        if not size.isdecimal() or not 1 <= int(size) <= 1_000:
            raise Refusal(400)
        records, more = self._batches.page(int(size), call.query.get("pageToken"), None)
        operations = [*self.faults.entries, *(self._described(record) for record in records)]
        if not operations:
            return {}  # as a list without entries is written
        more = more or self.faults.endless_list
        return {"operations": operations, **({"nextPageToken": records[-1].id} if more and records else {})}

    def _retrieve(self, batch_id: str) -> Reply:
        if self._strike("not_found_after_create"):
            raise Refusal(404)
        self._inject("poll_status")
        description = self._take("descriptions", None)
        if isinstance(description, bytes | dict):
            return description
        record = self._batches.retrieve(batch_id)
        described = self._described(record)
        if not self._batches.holds_answers(record):
            return described
        self._inject("results_status")
        written = msgspec.json.format(msgspec.json.encode(described))  # a line a value, as the service has it
        return self._results_of(BytesIO(written))

    def _content(self, file: str) -> Reply:
        self._inject("results_status")
        content = self._batches.content(file)
        return self._results_of(content)

    def _answer(self, call: Call, model: str) -> Reply:
        self._inject("message_status")
        request = ContentRequest("message", {"model": model, **read_object(call.body)})
        if (refused := rejection(request.params)) is not None:
            raise Refusal(400, refused)
        answer = self._answering.answer(request)
        if answer.kind != "succeeded":
            status = {3: 400, 5: 404, 7: 403, 8: 429}.get(code_of(answer.error_type), 500)
            raise Refusal(status, answer.error_message)
        return body_of(answer, request, 0)


def _is_download(name: str) -> bool:
    return name.endswith(":download")


def _page(refusal: Refusal) -> Page:
    usual = _USUAL.get(refusal.status, "The sandbox was told to refuse this request")
    message = usual if refusal.message is None else refusal.message
    return Page("application/json", msgspec.json.encode(error_of(refusal.status, message)))
