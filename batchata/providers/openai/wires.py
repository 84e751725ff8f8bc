"""Say how the calls of a service differ from those of OpenAI's Batch API.

Descriptions of batches are translated into OpenAI's form, so that one reader suffices for all.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from batchata.providers.exchange import Upload
from batchata.providers.result_fields import micros_of

__all__ = ["MARK", "MistralWire", "TogetherWire", "Wire", "XaiWire"]

MARK: Final = "batchata_job"  # the key of the mark in a batch's metadata
_PAGE: Final = 100
_DAY: Final = 86_400  # seconds


class Wire:
    """OpenAI's own calls."""

    batches: ClassVar[str] = "batches"  # the path of the list
    form: ClassVar[dict[str, str]] = {"purpose": "batch"}  # beside the file of an upload
    bears_marks: ClassVar[bool] = True  # whether a batch in the list shows the mark of its job
    pages_results: ClassVar[bool] = False  # whether results are asked for page by page, and stand in no file

    def wanted(self, upload: Upload, endpoint: str) -> dict[str, Any]:
        """Return the body of the create call."""
        return {
            "input_file_id": upload.handle,
            "endpoint": endpoint,
            "completion_window": "24h",
            "metadata": {MARK: upload.mark},
        }

    def described(self, value: Any) -> Any:
        """Return the description of a batch in OpenAI's form; anything else is returned unchanged."""
        return value

    def entries(self, page: Any) -> Any:
        """Return the list in a page of batches."""
        found = page.get("data") if isinstance(page, dict) else None
        # How servers in Go write a list without entries; that there are no more is said beside it.
        return [] if found is None and isinstance(page, dict) and page.get("has_more") is False else found

    def first(self) -> dict[str, Any]:
        """Return the query of the first page."""
        return {"limit": _PAGE}

    def following(self, page: Any, count: int, last_id: str, number: int) -> dict[str, Any] | None:
        """Return the query for the page after this one, which has `count` entries; None where it is the last.

        Pages are numbered from 0.
        """
        more = page.get("has_more")
        if more is False or (more is None and count < _PAGE):
            return None
        return {"limit": _PAGE, "after": last_id}

    def cancelling(self, batch_id: str) -> str:
        """Return the path of a cancel call."""
        return f"{self.batches}/{batch_id}/cancel"


class MistralWire(Wire):
    """Jobs of input files, with states and counts of other names."""

    batches = "batch/jobs"
    _states: ClassVar = {
        "QUEUED": "validating",
        "RUNNING": "in_progress",
        "SUCCESS": "completed",
        "FAILED": "failed",
        "TIMEOUT_EXCEEDED": "expired",
        "CANCELLATION_REQUESTED": "cancelling",
        "CANCELLED": "cancelled",
    }

    def wanted(self, upload: Upload, endpoint: str) -> dict[str, Any]:
        """See the base; the model stands in the job, too."""
        return {
            "input_files": [upload.handle],
            "model": upload.model,
            "endpoint": endpoint,
            "metadata": {MARK: upload.mark},
            "timeout_hours": 24,
        }

    def described(self, value: Any) -> Any:
        """See the base."""
        if not isinstance(value, dict):
            return value
        files, errors, created = value.get("input_files"), value.get("errors"), value.get("created_at")
        said = [entry for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []
        return {
            "id": value.get("id"),
            "status": self._states.get(str(value.get("status")), value.get("status")),
            "input_file_id": files[0] if isinstance(files, list) and files else None,
            "output_file_id": value.get("output_file"),
            "error_file_id": value.get("error_file"),
            "created_at": created,
            "in_progress_at": value.get("started_at"),
            "expires_at": created + _DAY if type(created) is int else None,
            "request_counts": {
                "total": value.get("total_requests"),
                "completed": value.get("succeeded_requests"),
                "failed": value.get("failed_requests"),
            },
            "errors": {"data": said},
            "metadata": value.get("metadata"),
        }

    def first(self) -> dict[str, Any]:
        """See the base."""
        return {"page": 0, "page_size": _PAGE, "order_by": "-created"}

    def following(self, page: Any, count: int, last_id: str, number: int) -> dict[str, Any] | None:
        """See the base."""
        return {**self.first(), "page": number + 1} if count >= _PAGE else None


class TogetherWire(Wire):
    """Batches without metadata and without counts; a bare list, in one page."""

    form: ClassVar[dict[str, str]] = {"purpose": "batch-api"}
    bears_marks = False

    def wanted(self, upload: Upload, endpoint: str) -> dict[str, Any]:
        """See the base."""
        return {"input_file_id": upload.handle, "endpoint": endpoint, "completion_window": "24h"}

    def described(self, value: Any) -> Any:
        """See the base; the answer to a create call wraps it."""
        if isinstance(value, dict) and isinstance(value.get("job"), dict):
            value = value["job"]
        if not isinstance(value, dict):
            return value
        status = str(value.get("status", "")).lower()
        times = {name: _seconds(value.get(name)) for name in ("created_at", "completed_at")}
        began = times["created_at"] if status != "validating" else None
        said = value.get("error")
        failed = {"data": [{"message": said}]} if isinstance(said, str) and said else value.get("errors")
        return {**value, **times, "status": status, "in_progress_at": began, "errors": failed}

    def entries(self, page: Any) -> Any:
        """See the base."""
        return page if isinstance(page, list) else super().entries(page)

    def first(self) -> dict[str, Any]:
        """See the base."""
        return {}

    def following(self, page: Any, count: int, last_id: str, number: int) -> dict[str, Any] | None:
        """See the base: there is no other."""
        return None


class XaiWire(Wire):
    """Batches with a name, a state of counts and dates without a time; results come by the page."""

    form: ClassVar[dict[str, str]] = {}
    pages_results = True

    def wanted(self, upload: Upload, endpoint: str) -> dict[str, Any]:
        """See the base; each line says for itself where it goes."""
        return {"name": upload.mark, "input_file_id": upload.handle}

    def described(self, value: Any) -> Any:
        """See the base: there is no status; a batch has ended when none of its requests is pending.

        One that was cancelled before its requests were counted has ended too. A date alone gives no time.
        """
        if not isinstance(value, dict):
            return value
        state = value.get("state")
        counts = state if isinstance(state, dict) else {}
        total, pending = counts.get("num_requests"), counts.get("num_pending")
        is_known = type(total) is int and type(pending) is int
        is_cancelled = bool(value.get("cancel_time"))  # perhaps before its requests were counted
        has_ended = is_known and pending == 0 and (total != 0 or is_cancelled)
        ended = "cancelled" if is_cancelled else "completed"
        return {
            "id": value.get("batch_id"),
            "status": ended if has_ended else "in_progress" if is_known else None,
            "created_at": None,
            "in_progress_at": 1,
            "input_file_id": value.get("input_file_id"),
            "request_counts": {
                "total": total,
                "completed": counts.get("num_success"),
                "failed": counts.get("num_error"),
            },
            "metadata": {MARK: value.get("name")},
        }

    def entries(self, page: Any) -> Any:
        """See the base."""
        return page.get("batches") if isinstance(page, dict) else None

    def following(self, page: Any, count: int, last_id: str, number: int) -> dict[str, Any] | None:
        """See the base."""
        token = page.get("pagination_token")
        return {"limit": _PAGE, "pagination_token": token} if isinstance(token, str) and token else None

    def cancelling(self, batch_id: str) -> str:
        """See the base."""
        return f"{self.batches}/{batch_id}:cancel"


def _seconds(value: object) -> float | None:
    """Read a time of ISO 8601 as seconds since 1970; a number stays."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    micros = micros_of(value)
    return None if micros is None else micros / 1_000_000
