"""Batches by hand: request files in a folder, whose results something else writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from batchata import BatchManager
from batchata.errors import (
    ConfigurationError,
    IncompleteResultsError,
    PendingRunWarning,
    UnreadableReplyError,
    UntriedProviderWarning,
)
from batchata.jsonl import app
from batchata.log import read_log
from batchata.providers.exchange import Upload
from batchata.providers.openai.folder import FolderClient
from batchata.sandbox import Sandbox


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


def _by_hand(*arguments: object) -> tuple[int, str, str]:
    """What `python -m batchata.jsonl` does: exit code, output, errors."""
    told = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return told.exit_code, told.stdout, told.stderr


def _out(folder: Path) -> tuple[Path, list[Path]]:
    """A run that was begun and taken out: its log and its files of requests."""
    log = folder / "run.db"
    with pytest.warns((UntriedProviderWarning, PendingRunWarning)):
        BatchManager(**given(folder, max_parallel_jobs=1)).submit()
    code, out, _ = _by_hand("export", log)
    assert code == 0
    return log, [Path(line) for line in out.splitlines()]


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
def test_a_run_is_taken_out_and_its_results_in_again_by_the_command(tmp_path: Path) -> None:
    """All jobs at once; results in one file, under whatever name and in any order, are told by their ids."""
    log, files = _out(tmp_path)
    assert [len(path.read_text().splitlines()) for path in files] == [2, 1]
    work_off(tmp_path)
    made = [path.with_suffix(".results.jsonl") for path in files]
    mixed = tmp_path / "out of vllm.jsonl"
    foreign = '{"custom_id": "not-ours", "response": null, "error": null}\n'
    mixed.write_text(foreign + "\n" + "".join(path.read_text() for path in reversed(made)))
    for path in made:
        path.unlink()
    code, out, err = _by_hand("import", log, mixed)
    assert (code, out) == (0, "3 completed, 0 failed, 0 pending\n")
    assert "left out  1 line of no open job" in err
    manager = BatchManager.open(log)
    assert [entry["result"] for entry in manager.results()] == ["one", "two", "three"]
    types = [event.event.TYPE for event in manager_events(log)]
    assert types.count("batch_submitted") == types.count("job_completed") == 2


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
def test_a_job_that_lacks_lines_is_taken_only_when_that_is_meant(tmp_path: Path) -> None:
    """The lines may still come; with --partial what is missing is sent again, as another file."""
    log, files = _out(tmp_path)
    work_off(tmp_path)
    whole = files[0].with_suffix(".results.jsonl")
    some = tmp_path / "some.jsonl"
    some.write_text(whole.read_text().splitlines()[0] + "\n")
    for path in files:
        path.with_suffix(".results.jsonl").unlink()
    code, _, err = _by_hand("import", log, some)
    assert (code, "job 0 has lines for 1 of its 2 requests: give all files" in err) == (2, True)
    assert not whole.exists()
    code, out, _ = _by_hand("import", log, some, "--partial")
    assert (code, out) == (3, "1 completed, 0 failed, 2 pending\n")
    _by_hand("export", log)
    assert len(work_off(tmp_path)) == 2
    assert BatchManager.open(log, base_url=str(tmp_path / "jobs")).run()["completed_items"] == 3


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"custom_id": "another"}\n', "no line has the custom_id of a request that waits"),
        ("hello\n", "line 1 is not a result: it needs a custom_id"),
        ('{"id": "x"}\n', "line 1 is not a result: it needs a custom_id"),
        ("", "no line has the custom_id"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_holds_no_results_of_the_run_is_refused(
    tmp_path: Path, text: str | None, said: str
) -> None:
    """Before anything is written: the run waits as before."""
    log, files = _out(tmp_path)
    results = tmp_path / "results.jsonl"
    if text is not None:
        results.write_text(text)
    code, _, err = _by_hand("import", log, results)
    assert (code, said in err) == (2, True), err
    assert not any(path.with_suffix(".results.jsonl").exists() for path in files)


def test_only_a_run_by_hand_is_taken_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batches of others are at their providers."""
    with Sandbox() as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        BatchManager(
            messages=["hi"], model="claude-sonnet-5-5", state_path=tmp_path / "run.db", poll_interval=0.01
        ).run()
    code, _, err = _by_hand("export", tmp_path / "run.db")
    assert (code, "goes to anthropic; only one that began with the model jsonl/NAME" in err) == (2, True)
    assert _by_hand("exprot", "x")[0] == 2


def manager_events(log: Path) -> list[Any]:
    """All events of the log's only run."""
    opened = read_log(log)
    try:
        (stream,) = opened.streams()
        return list(opened.events(stream))
    finally:
        opened.close()


def test_a_folder_must_be_given(tmp_path: Path) -> None:
    """And be one that can be made."""
    with pytest.raises(ConfigurationError, match="give its path as base_url"):
        BatchManager(**given(tmp_path, base_url=None)).run()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be made"):
        FolderClient(str(tmp_path / "file" / "jobs")).check()


def test_results_are_collected_when_the_requests_were_cleared_away(tmp_path: Path) -> None:
    """Whoever has worked off a file may move it: its results say that there was a batch."""
    manager = BatchManager(**given(tmp_path))
    manager.submit()
    work_off(tmp_path)
    for path in (tmp_path / "jobs").glob("*.jsonl"):
        if not path.name.endswith(".results.jsonl"):
            path.unlink()
    assert manager.run()["completed_items"] == 3


def test_a_file_that_left_the_folder_is_not_written_again(tmp_path: Path) -> None:
    """It may be worked on elsewhere; one that never got its name is certainly not."""
    client = FolderClient(str(tmp_path))
    upload = client.stage("m", b"{}\n")
    assert list(client.find(0, 1, upload)) == []
    client.submit(upload)
    (tmp_path / "m.jsonl").rename(tmp_path.parent / "m.taken")
    with pytest.raises(UnreadableReplyError, match="not there any more: put it back"):
        list(client.find(0, 1, upload))
    (tmp_path / "m.results.jsonl").write_text("")
    (found,) = client.find(0, 1, upload)
    assert (found.is_marked, found.ended) == (True, True)
