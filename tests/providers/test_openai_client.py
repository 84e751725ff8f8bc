"""What is OpenAI's own: files, states of a batch, batches that fail as a whole, and the official SDK."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from batchata import BatchManager
from batchata.core.values import Counts
from batchata.errors import (
    AuthenticationFailedError,
    ConfigurationError,
    CostLimitError,
    SpendLimitError,
    UntriedProviderWarning,
)
from batchata.providers.exchange import Upload
from batchata.providers.openai.client import OpenAIClient
from batchata.providers.openai.replies import batch_of
from batchata.sandbox import Answer, Faults, Sandbox

ENDPOINT = "/v1/responses"


def line(n: int, **body: Any) -> bytes:
    """One line of an input file."""
    wanted = {"model": "gpt-5-nano", "input": "hello"} | body
    return (
        json.dumps({"custom_id": f"r{n}", "method": "POST", "url": ENDPOINT, "body": wanted}).encode() + b"\n"
    )


def described(**given: Any) -> dict[str, Any]:
    """A batch object."""
    return {"id": "batch_1", "created_at": 1_787_150_474, "in_progress_at": 1_787_150_537} | given


def client(sandbox: Sandbox) -> OpenAIClient:
    """The client at the sandbox."""
    return OpenAIClient(api_key=sandbox.api_key, base_url=f"{sandbox.url}/v1")


COUNTS = {"total": 10, "completed": 1, "failed": 0}


@pytest.mark.parametrize(
    ("given", "ended", "counts"),
    [
        ({"status": "validating", "request_counts": {"total": 0}}, False, (0, 0, 0, 0, 0)),
        ({"status": "in_progress", "request_counts": COUNTS}, False, (9, 1, 0, 0, 0)),
        ({"status": "finalizing", "request_counts": COUNTS}, False, (9, 1, 0, 0, 0)),
        ({"status": "cancelling", "request_counts": COUNTS}, False, (9, 1, 0, 0, 0)),
        ({"status": "expired", "request_counts": COUNTS, "output_file_id": "file-1"}, True, (0, 1, 0, 0, 9)),
        ({"status": "cancelled", "request_counts": COUNTS, "error_file_id": "file-2"}, True, (0, 1, 0, 9, 0)),
        ({"status": "completed", "request_counts": COUNTS, "error_file_id": ""}, True, (9, 1, 0, 0, 0)),
        ({"status": "something_new", "request_counts": None}, False, (0, 0, 0, 0, 0)),
    ],
)
def test_a_state_is_read_with_its_counts(given: dict[str, Any], ended: bool, counts: tuple[int, ...]) -> None:
    """What the counts do not tell has the end of the batch, as those of an expired one do not add up."""
    batch = batch_of(described(**given))
    assert (batch.ended, batch.failure) == (ended, None)
    names = ("processing", "succeeded", "errored", "canceled", "expired")
    assert batch.counts == Counts(**dict(zip(names, counts, strict=True)))


def test_a_batch_that_never_began_is_for_later() -> None:
    """Cancelled while it was validated it has no file and no request, so nothing is missing either."""
    batch = batch_of(described(status="cancelled", in_progress_at=None, request_counts={"total": 0}))
    assert batch.failure is not None
    assert batch.failure.passing
    began = batch_of(described(status="cancelled", request_counts={"total": 0}))
    assert (began.failure, began.ended) == (None, True)


@pytest.mark.parametrize(
    ("code", "number", "kind", "passing", "refused"),
    [
        ("token_limit_exceeded", None, "queue_full", True, []),
        ("server_error", None, "server_error", True, []),
        ("invalid_json_line", 3, "invalid_json_line", False, [2]),
        ("billing_hard_limit_reached", None, "billing_error", False, []),
        ("model_not_found", None, "model_not_found", False, []),
    ],
)
def test_a_batch_that_failed_says_whether_it_may_be_taken_later(
    code: str, number: int | None, kind: str, passing: bool, refused: list[int]
) -> None:
    """A full queue passes; a line that is wrong names its request; what is unknown is not tried again."""
    entry = {"code": code, "line": number, "message": "because", "param": None}
    failure = batch_of(described(status="failed", errors={"data": [entry]})).failure
    assert failure is not None
    assert (failure.error.kind, failure.passing) == (kind, passing)
    assert [place for place, _ in failure.refused] == refused


def test_a_failed_batch_with_files_is_collected() -> None:
    """Whatever its state says, what it holds may have been paid for."""
    batch = batch_of(described(status="failed", output_file_id="file-1", errors={"data": []}))
    assert (batch.ended, batch.failure) == (True, None)


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
def test_a_batch_that_counts_answers_was_not_for_nothing(status: str) -> None:
    """Without a file, and as if it had never begun: they may be billed, so they are not paid for again."""
    batch = batch_of(described(status=status, in_progress_at=None, request_counts=COUNTS))
    assert (batch.ended, batch.failure) == (True, None)


def test_recorded_batches_are_read(shared: Path) -> None:
    """Every batch object that was recorded, whichever client asked for it."""
    states = set()
    for path in (shared / "providers/openai").glob("*.json"):
        for body in _bodies(json.loads(path.read_text(encoding="utf-8"))):
            for value in body.get("data") or [body]:
                if isinstance(value, dict) and value.get("object") == "batch":
                    batch = batch_of(value)
                    states.add(value["status"])
                    assert batch.created_at == value["created_at"] * 1_000_000
                    assert batch.ended == (value["status"] in ("completed", "cancelled"))
    assert {"validating", "in_progress", "completed", "cancelling", "cancelled"} <= states


def _bodies(recorded: Any) -> list[dict[str, Any]]:
    found = [i.get("raw_body") for i in recorded.get("interactions", ()) if isinstance(i, dict)]
    read = []
    for text in found:
        try:
            value = json.loads(text or "null")
        except (TypeError, ValueError):
            continue
        read += [value] if isinstance(value, dict) else []
    return read


def test_results_come_out_of_both_files_whatever_the_counts_say() -> None:
    """An error file of lines with status 0 belongs to a batch that counted all of them as completed."""
    faults = Faults(status_zero={0, 1}, counts={"total": 3, "completed": 3, "failed": 0})
    with Sandbox("fine", faults=faults) as sandbox:
        there = client(sandbox)
        batch = there.submit(there.stage("m", b"".join(line(n) for n in range(3))))
        found = {o.custom_id: o for chunk in there.outcomes(batch.batch_id) for o in chunk}
    assert {name: outcome.kind for name, outcome in found.items()} == {
        "r0": "errored",
        "r1": "errored",
        "r2": "succeeded",
    }


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("insufficient_quota", "billing_error"), ("invalid_request_error", "invalid_request_error")],
)
def test_a_line_with_an_error_has_its_kind(kind: str, expected: str) -> None:
    """The error stands inside the response, with a status of its own."""
    with Sandbox(Answer(kind="errored", error_type=kind, error_message="no")) as sandbox:
        there = client(sandbox)
        batch = there.submit(there.stage("m", line(0)))
        ((outcome,),) = list(there.outcomes(batch.batch_id))
    assert outcome.error is not None
    assert (outcome.kind, outcome.error.kind, outcome.blocks) == ("errored", expected, [])


def test_an_account_without_money_is_told_from_a_rate_limit() -> None:
    """The same status 429, but waiting seconds cannot help."""
    with Sandbox("fine", faults=Faults(spend_limit=True)) as sandbox:
        there = client(sandbox)
        with pytest.raises(SpendLimitError):
            there.submit(there.stage("m", line(0)))


def test_a_refused_key_is_named_and_not_shown() -> None:
    """The variable or argument that holds it, never the key."""
    with Sandbox("fine", faults=Faults(upload_status=[401])) as sandbox:
        with pytest.raises(AuthenticationFailedError, match="the key in api_key was refused") as caught:
            client(sandbox).stage("m", line(0))
        assert sandbox.api_key not in str(caught.value)


def test_the_first_start_says_that_the_provider_was_never_tried_live(tmp_path: Path) -> None:
    """Once, by name; the next start of the same run says it no more."""
    with Sandbox(lambda request: request.text) as sandbox:
        given: dict[str, Any] = {
            "model": "gpt-5-nano",
            "messages": [[{"role": "user", "content": "hello"}]],
            "state_path": tmp_path / "run.db",
            "base_url": f"{sandbox.url}/v1",
            "api_key": sandbox.api_key,
            "poll_interval": 0.01,
        }
        with pytest.warns(UntriedProviderWarning, match="the live service of openai"):
            assert BatchManager(**given).run()["completed_items"] == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error", UntriedProviderWarning)
            assert BatchManager(**given).results()[0]["result"] == "hello"


@pytest.mark.parametrize("model", ["groq/llama-4", "openai-compatible/meta/llama-4", "azure/my-deployment"])
def test_services_of_its_shape_are_run_by_their_own_names(model: str, tmp_path: Path) -> None:
    """With chat completions, the model's bare name, and a price that is unknown unless it is given."""
    seen: list[Any] = []

    def answer(request: Any) -> str:
        seen.append(request.params)
        return str(request.text)

    with Sandbox(answer) as sandbox:
        given: dict[str, Any] = {
            "model": model,
            "messages": [[{"role": "user", "content": "hello"}]],
            "state_path": tmp_path / "run.db",
            "base_url": f"{sandbox.url}/v1",
            "api_key": sandbox.api_key,
            "poll_interval": 0.01,
        }
        with pytest.raises(CostLimitError, match="no price is known"):
            BatchManager(**given, max_cost=1).run()
        summary = BatchManager(**given).run()
    assert (summary["completed_items"], summary["total_cost"]) == (1, None)
    (params,) = seen
    assert params["model"] == model.partition("/")[2]
    assert params["messages"] == [{"role": "user", "content": "hello"}]
    assert ("max_tokens" in params) == model.startswith("openai-compatible")


@pytest.mark.parametrize("model", ["openai-compatible/llama-4", "azure/my-deployment"])
def test_a_service_without_an_address_needs_one(model: str) -> None:
    """The error names the argument and the variable; the key of OpenAI goes to nobody else."""
    manager = BatchManager(model=model, messages=[[{"role": "user", "content": "hi"}]], api_key="k")
    with pytest.raises(ConfigurationError, match=r"give base_url, or set \w+_BASE_URL"):
        manager.run()


def test_a_batch_that_shows_no_mark_is_a_candidate_until_its_results_tell() -> None:
    """A service that leaves out file and metadata must not make a lost batch look absent."""
    nameless = {"id": "batch_nameless", "status": "in_progress", "created_at": 1_900_000_000}
    with Sandbox("fine", faults=Faults(entries=[nameless])) as sandbox:
        there = client(sandbox)
        found = list(there.find(0, 1, Upload("", "m")))
    assert [(batch.batch_id, batch.is_marked) for batch in found] == [("batch_nameless", False)]


def test_the_official_sdk_cannot_tell_the_sandbox() -> None:
    """Upload, create, retrieve, list, cancel, content and a single answer, through its own types."""
    openai = pytest.importorskip("openai", reason="the official SDK is not installed here")
    with Sandbox(lambda request: request.text.upper()) as sandbox:
        sdk = openai.OpenAI(api_key=sandbox.api_key, base_url=f"{sandbox.url}/v1", max_retries=0)
        file = sdk.files.create(file=("batch.jsonl", io.BytesIO(line(0) + line(1))), purpose="batch")
        assert (file.purpose, file.status) == ("batch", "processed")
        batch = sdk.batches.create(
            input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", metadata={"job": "1"}
        )
        assert batch.metadata == {"job": "1"}
        done = sdk.batches.retrieve(batch.id)
        assert (done.status, done.request_counts.completed) == ("completed", 2)
        assert [listed.id for listed in sdk.batches.list(limit=5)] == [batch.id]
        lines = sdk.files.content(done.output_file_id).text.splitlines()
        assert sorted(json.loads(each)["custom_id"] for each in lines) == ["r0", "r1"]
        assert sdk.responses.create(model="gpt-5-nano", input="hello").output_text == "HELLO"
        with pytest.raises(openai.NotFoundError):
            sdk.batches.retrieve("batch_none")


def test_each_page_of_the_list_answers_for_a_hundred_batches(script: Any) -> None:
    """However many are asked for: none of them is asked for by itself."""
    ids = [f"batch_{number}" for number in range(650)]
    for first in range(0, len(ids), 100):
        data = [described(id=batch_id, status="in_progress") for batch_id in ids[first : first + 100]]
        script.says(200, json.dumps({"data": data, "has_more": first + 100 < len(ids)}))
    found = OpenAIClient(api_key="sk-none", base_url=f"{script.url}/v1").poll(ids, 0)
    assert found.keys() == {*ids}
    assert len(script.asked) == 7
