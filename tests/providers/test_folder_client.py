"""Batches by hand: request files in a folder, whose results something else writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from batchata import BatchManager
from batchata.errors import (
    ConfigurationError,
    IncompleteResultsError,
    PendingRunWarning,
    UntriedProviderWarning,
)
from batchata.providers.openai.folder import FolderClient
from batchata.providers.port import Upload


def given(folder: Path, **more: Any) -> dict[str, Any]:
    """A run of three items in two jobs."""
    chosen: dict[str, Any] = {
        "model": "jsonl/meta/llama-4",
        "base_url": str(folder / "jobs"),
        "messages": [[{"role": "user", "content": text}] for text in ("one", "two", "three")],
        "state_path": folder / "run.db",
        "items_per_job": 2,
        "poll_interval": 0.01,
        "retry_delay": 0.01,
    }
    return chosen | more


def work_off(folder: Path) -> list[dict[str, Any]]:
    """Answer every file of requests, last line first, as `vllm run-batch` writes its output."""
    asked = []
    for path in sorted((folder / "jobs").glob("*.jsonl")):
        if path.name.endswith(".results.jsonl") or path.with_suffix(".results.jsonl").exists():
            continue
        lines = []
        for request in [json.loads(line) for line in path.read_text().splitlines()][::-1]:
            asked.append(request)
            text = request["body"]["messages"][-1]["content"]
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            used = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
            body = {"object": "chat.completion", "choices": [choice], "usage": used}
            response = {"status_code": 200, "request_id": "r", "body": body}
            lines.append({"custom_id": request["custom_id"], "response": response, "error": None})
        results = "".join(json.dumps(line) + "\n" for line in lines)
        path.with_suffix(".results.jsonl").write_text(results)
    return asked


def test_a_run_goes_through_a_folder(tmp_path: Path) -> None:
    """One start writes the files, another collects; a model of one's own needs no key and no price."""
    with pytest.warns((UntriedProviderWarning, PendingRunWarning)):
        BatchManager(**given(tmp_path)).submit()
    asked = work_off(tmp_path)
    assert {request["url"] for request in asked} == {"/v1/chat/completions"}
    assert {request["body"]["model"] for request in asked} == {"meta/llama-4"}
    manager = BatchManager(**given(tmp_path))
    summary = manager.run()
    assert (summary["completed_items"], summary["jobs_completed"], summary["total_cost"]) == (3, 2, None)
    assert [entry["result"] for entry in manager.results()] == ["one", "two", "three"]


def test_a_price_of_one_s_own_machine_counts(tmp_path: Path) -> None:
    """As it is billed: without a discount."""
    prices = {"jsonl/meta/llama-4": {"input": 1, "output": 0}}
    with pytest.warns((UntriedProviderWarning, PendingRunWarning)):
        BatchManager(**given(tmp_path, prices=prices)).submit()
    work_off(tmp_path)
    assert str(BatchManager(**given(tmp_path, prices=prices)).run()["total_cost"]) == "0.000027"


def test_a_submission_is_one_name_and_found_by_it(tmp_path: Path) -> None:
    """A file that was written and not named is no batch; a cut line of results is none either."""
    client = FolderClient(str(tmp_path))
    client.check()
    upload = client.stage("m-1", b'{"custom_id":"a"}\n')
    assert list(client.find(0, 1, Upload("", "m-1"))) == []
    assert client.submit(upload).batch_id == "m-1"
    (found,) = client.find(0, 1, Upload("", "m-1"))
    assert (found.batch_id, found.is_marked, found.ended) == ("m-1", True, False)
    assert client.poll(["m-1", "m-2"], 0).keys() == {"m-1"}
    (tmp_path / "m-1.results.jsonl").write_text('{"custom_id": "a", "resp')
    assert client.poll(["m-1"], 0)["m-1"].ended
    with pytest.raises(IncompleteResultsError):
        list(client.outcomes("m-1"))


def test_a_cancelled_batch_waits_for_nothing(tmp_path: Path) -> None:
    """Unless its results are there already."""
    client = FolderClient(str(tmp_path))
    batch = client.submit(client.stage("m", b"{}\n"))
    client.cancel(batch.batch_id)
    cancelled = client.poll(["m"], 0)["m"]
    assert cancelled.failure is not None
    (tmp_path / "m.results.jsonl").write_text("")
    ended = client.poll(["m"], 0)["m"]
    assert (ended.ended, ended.failure) == (True, None)


def test_a_folder_must_be_given(tmp_path: Path) -> None:
    """And be one that can be made."""
    with pytest.raises(ConfigurationError, match="give its path as base_url"):
        BatchManager(**given(tmp_path, base_url=None)).run()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be made"):
        FolderClient(str(tmp_path / "file" / "jobs")).check()
