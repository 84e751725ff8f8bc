"""A run is continued from its log alone: BatchManager.open."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel, Field, model_validator
from run_support import MODEL, Echo, Runs, conversations

from batchata import BatchManager, load_results_from_disk
from batchata.core.events import ItemsAdded, RunResumed, RunStarted
from batchata.errors import (
    BatchataWarning,
    CostLimitError,
    FileInputError,
    InvalidInputError,
    LogError,
    NotALogError,
    RunMismatchError,
)
from batchata.log import open_log, read_log
from batchata.run.definition import this_process
from batchata.sandbox import Sandbox


class Strict(BaseModel):
    """A response model with an alias, a bound and a validator."""

    said: str = Field(alias="whatWasSaid")
    length: int = Field(ge=0)

    @model_validator(mode="after")
    def _is_short(self) -> Strict:
        assert self.length < 1_000
        return self


DEFINITIONS: dict[str, dict[str, Any]] = {
    "a schema": {},
    "texts": {"response_model": None},
    "an alias, in the prompt": {"response_model": Strict, "structured_output": "prompt"},
    "parameters": {"system": "Be brief.", "stop_sequences": ["END"], "max_tokens": 100},
    "a shared beginning that is cached": {"system": "Read. " * 3_000, "cache": "auto", "count": 12},
    "turns of blocks": {
        "messages": [[{"role": "user", "content": [{"type": "text", "text": f"Grüße {n}"}]}] for n in (1, 2)]
    },
    "OpenAI": {"model": "openai/gpt-6.1-terra"},
}


@pytest.mark.parametrize("given", DEFINITIONS.values(), ids=DEFINITIONS)
def test_the_same_requests_are_made_from_the_log(runs: Runs, given: dict[str, Any]) -> None:
    """Byte for byte those of the script that began it, at the same bounds of size and cost."""
    first = runs.manager(**given)
    first.submit()
    opened = BatchManager.open(runs.log)
    before, now = first._engine.definition, opened._engine.definition
    for index in range(before.inputs.count):
        assert now.template.encode("id", now.inputs.source(index)) == before.template.encode(
            "id", before.inputs.source(index)
        )
        assert now.measures().size(index) == before.measures().size(index)
        assert now.measures().worst_cost(index) == before.measures().worst_cost(index)
    assert opened.stats() == first.stats()


def test_what_was_sent_is_collected_and_the_rest_is_sent(runs: Runs) -> None:
    """Nothing but the log's path is given, nothing is sent twice, and the first script finds it all done."""
    runs.manager(max_parallel_jobs=1).submit()
    assert runs.creates() == 1
    opened = BatchManager.open(runs.log)
    assert opened.run()["completed_items"] == 7
    assert runs.creates() == 3
    results = [entry["result"].model_dump() for entry in opened.results()]
    assert results == [{"said": f"message {n}", "length": 9} for n in range(7)]
    assert runs.manager(max_parallel_jobs=1).run() == opened.run()
    assert runs.creates() == 3


def test_a_finished_run_has_nothing_to_do(runs: Runs, tmp_path: Path) -> None:
    """No event and no file is written, by whatever start, until results are wanted in another folder."""
    first = runs.manager(results_dir=runs.out)
    summary = first.run()

    def written() -> tuple[int, dict[str, int]]:
        return len(runs.events()), {path.name: path.stat().st_ino for path in runs.out.rglob("*")}

    before = written()
    assert BatchManager.open(runs.log).run() == summary
    assert runs.manager(results_dir=runs.out, max_cost=50, poll_interval=9.0, max_tokens=99).run() == summary
    assert written() == before
    elsewhere = tmp_path / "elsewhere"
    assert BatchManager.open(runs.log, results_dir=elsewhere).run() == summary
    assert load_results_from_disk(elsewhere, Echo) == first.results()


def test_inputs_of_a_finished_run_are_read_when_they_are_wanted(runs: Runs) -> None:
    """Its summary and results need none of them; a request that is shown does."""
    first = runs.manager()
    summary = first.run()
    opened = BatchManager.open(runs.log, response_model=Echo)
    assert (opened.run(), opened.stats(), opened.results()) == (summary, first.stats(), first.results())
    assert "inputs" not in vars(opened._engine.definition)
    assert opened.preview(3) == first.preview(3)
    assert opened.estimate().items == 0


def test_a_cron_job_needs_two_lines(runs: Runs) -> None:
    """One pass a call, in as many objects as there are days."""
    runs.manager(max_parallel_jobs=1).submit()
    pending = [BatchManager.open(runs.log).collect()["pending_items"] for _ in range(9)]
    assert pending[-1] == 0
    assert pending == sorted(pending, reverse=True)
    assert runs.creates() == 3


def test_the_class_may_be_given_and_is_checked(runs: Runs) -> None:
    """With it its validators judge the answers; another class is refused before anything happens."""
    runs.manager(response_model=Strict, structured_output="prompt").submit()
    opened = BatchManager.open(runs.log, response_model=Strict)
    assert opened._engine.definition.reader.response_model is Strict
    with pytest.raises(RunMismatchError, match=r"items\(OtherModel\)"):
        BatchManager.open(runs.log, response_model=Echo)


def files_in(folder: Path, count: int = 4) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{n}.txt" for n in range(count)]
    for n, path in enumerate(paths):
        path.write_text(f"page {n}")
    return paths


def of_files(runs: Runs, files: list[Path], **given: Any) -> BatchManager[Any]:
    chosen: dict[str, Any] = {"messages": None, "files": files, "prompt": "Read.", "items_per_job": 1}
    return runs.manager(**{**chosen, "max_parallel_jobs": 2, **given})


def test_files_that_are_gone_fail_by_name_and_only_if_they_were_not_sent(runs: Runs, tmp_path: Path) -> None:
    """What is at the provider is collected without its files, what was not sent costs nothing."""
    files = files_in(tmp_path / "inbox")
    of_files(runs, files).submit()
    for path in files[:3]:  # two were sent
        path.unlink()
    with pytest.raises(FileInputError, match=f"{files[2].name}.*is gone.*files=") as raised:
        BatchManager.open(runs.log, on_bad_file="raise")
    assert [(bad.index, bad.name) for bad in raised.value.bad_files] == [(2, str(files[2]))]
    opened = BatchManager.open(runs.log)
    assert opened.run()["failed_items"] == 1
    errors = [item.error for item in opened.items()]
    assert [error is None for error in errors] == [True, True, False, True]
    assert errors[2] is not None
    assert str(files[2]) in errors[2].message
    assert opened.stats()["cost_per_item"] is not None
    assert runs.creates() == 3


def test_moved_files_are_known_by_their_content(runs: Runs, tmp_path: Path) -> None:
    """Under another name and beside a changed one that has the old name; sent under the name of before."""
    files = files_in(tmp_path / "inbox")
    of_files(runs, files).submit()
    (tmp_path / "done" / "2026").mkdir(parents=True)
    for n, path in enumerate(files):
        path.rename(tmp_path / "done" / "2026" / f"moved-{n}.txt")
        path.write_text("something else")
    opened = BatchManager.open(runs.log, files=[tmp_path / "done"])
    assert opened.run()["completed_items"] == 4
    assert opened._engine.definition.inputs.source(3).name == "3.txt"  # type: ignore[union-attr]
    opened = BatchManager.open(runs.log)
    assert opened.run()["completed_items"] == 4


def test_of_many_files_only_those_that_may_be_the_run_s_are_read(runs: Runs, tmp_path: Path) -> None:
    """A folder of documents may be huge: others are told by their size, and a finished run needs none."""
    files = files_in(tmp_path / "inbox")
    of_files(runs, files).submit()
    for n, path in enumerate(files):
        path.rename(tmp_path / f"moved-{n}.txt")
    (tmp_path / "huge.bin").touch()
    os.truncate(tmp_path / "huge.bin", 1 << 42)  # reading it would take all memory
    assert BatchManager.open(runs.log, files=[tmp_path]).run()["completed_items"] == 4
    assert BatchManager.open(runs.log, files=[tmp_path]).run()["completed_items"] == 4


def test_a_file_that_was_gone_is_sent_by_retry_failed(runs: Runs, tmp_path: Path) -> None:
    """Once it is said where it is now; the others are not sent again."""
    files = files_in(tmp_path / "inbox")
    of_files(runs, files).submit()
    moved = tmp_path / "moved.txt"
    files[3].rename(moved)
    assert BatchManager.open(runs.log).run()["failed_items"] == 1
    summary = BatchManager.open(runs.log, files=moved).retry_failed()
    assert (summary["retry_count"], summary["completed_items"]) == (1, 4)
    assert runs.creates() == 4


def test_a_changed_file_is_not_sent_for_the_one_that_was_checked(runs: Runs, tmp_path: Path) -> None:
    """It fails; retry_failed is the word to send it as it is now."""
    files = files_in(tmp_path / "inbox")
    of_files(runs, files).submit()
    files[3].write_text("page three, corrected")
    opened = BatchManager.open(runs.log)
    assert opened.run()["failed_items"] == 1
    assert opened.retry_failed()["completed_items"] == 4


def test_identical_items_still_share_a_request(runs: Runs) -> None:
    """What dedupe decided when they were added stays so."""
    runs.manager(messages=conversations(3) * 3, dedupe=True, max_parallel_jobs=1, items_per_job=1).submit()
    opened = BatchManager.open(runs.log)
    assert opened.estimate().shared_items == 6
    assert opened.run()["completed_items"] == 9
    assert runs.creates() == 3


def test_settings_are_those_of_the_last_start_but_for_those_given(runs: Runs, tmp_path: Path) -> None:
    """A change is in the log, as it is from script to script; the limit holds."""
    runs.manager(max_cost=5, max_parallel_jobs=1, results_dir=tmp_path / "out").submit()
    opened = BatchManager.open(runs.log, max_parallel_jobs=3, max_tokens=50, poll_interval=0.02)
    opened.run()
    changed = [r.event.changed for r in runs.events() if isinstance(r.event, RunResumed)][-1]
    assert {name: tuple(pair) for name, pair in changed.items()} == {
        "max_parallel_jobs": (1, 3),
        "max_tokens": (4096, 50),
        "poll_interval": (0.01, 0.02),
        "on_bad_file": ("raise", "fail"),
    }
    assert len(list((tmp_path / "out" / "processed").glob("job_*.json"))) == 3


def test_a_limit_holds_for_what_is_still_to_be_sent(runs: Runs) -> None:
    """Nothing of it is sent where it does not fit."""
    runs.manager(max_parallel_jobs=1).submit()
    opened = BatchManager.open(runs.log, max_cost="0.0001")
    summary = opened.run()
    assert (summary["completed_items"], summary["cost_limit_reached"]) == (3, True)
    assert runs.creates() == 1


def test_what_cannot_be_opened_is_said(runs: Runs, tmp_path: Path) -> None:
    """No log, no run, several runs, no such setting, no such folder, no such limit."""
    with pytest.raises(NotALogError, match="there is no log"):
        BatchManager.open(runs.log)
    open_log(runs.log).close()
    with pytest.raises(LogError, match="holds no run"):
        BatchManager.open(runs.log)
    for name in ("one", "two"):
        runs.manager(run_id=name).submit()
    with pytest.raises(LogError, match="holds no run 'three'; give run_id=… one of: one, two"):
        BatchManager.open(runs.log, run_id="three")
    with pytest.raises(LogError, match="2 runs; say which is meant with run_id=…: one, two"):
        BatchManager.open(runs.log)
    assert BatchManager.open(runs.log, "two").run_id == "two"
    wrong: dict[str, Any] = {"prompt": "Read."}
    with pytest.raises(InvalidInputError, match="prompt is not a setting"):
        BatchManager.open(runs.log, "two", **wrong)
    with pytest.raises(InvalidInputError, match="files are paths of files or folders, not an int"):
        BatchManager.open(runs.log, "two", files=cast("Any", 5))
    for nowhere in ("nowhere", "nowhere" * 50):  # which is too long for a name
        with pytest.raises(FileInputError, match=r"nowhere.*does not exist"):
            BatchManager.open(runs.log, "two", files=nowhere)
        with pytest.raises(InvalidInputError, match=r"no job_<n>_results\.json"):
            load_results_from_disk(nowhere)
    with pytest.raises(InvalidInputError, match="max_tokens"):
        BatchManager.open(runs.log, "two", max_tokens=0)
    with Sandbox() as other, pytest.raises(RunMismatchError, match="ANTHROPIC_BASE_URL"):
        BatchManager.open(runs.log, "two", base_url=other.url).run()


def test_a_log_that_changed_after_it_was_opened_is_not_continued(runs: Runs) -> None:
    """Items added meanwhile have no inputs here, and another log is another run."""
    runs.manager(3).submit()
    opened = BatchManager.open(runs.log)
    runs.manager(5).submit()
    with pytest.raises(RunMismatchError, match="open it again"):
        opened.run()
    assert BatchManager.open(runs.log).run()["completed_items"] == 5


def test_items_that_a_killed_start_had_not_recorded_are_said(runs: Runs, tmp_path: Path) -> None:
    """They are in no log; the script that began the run adds them."""
    runs.manager(1_002, items_per_job=2_000).submit()
    with closing(open_log(tmp_path / "killed.db")) as killed, closing(read_log(runs.log)) as log:
        (stream,) = log.streams()
        claim = killed.claim(stream, this_process())
        started, added, *_ = (r.event for r in log.events(stream, types=[RunStarted.TYPE, ItemsAdded.TYPE]))
        claim.append(1, [started, added], [body or b"" for body in log.bodies(stream, range(1_000))])
        claim.release()
    with pytest.warns(BatchataWarning, match="its last 2 items"):
        opened = BatchManager.open(tmp_path / "killed.db")
    assert len(list(opened.items())) == 1_000


def test_a_price_that_was_given_has_to_be_given_again(runs: Runs) -> None:
    """No log keeps it, and without it a limit cannot be kept."""
    prices = {"claude-new-9": {"input": 1, "output": 5}}
    runs.manager(model="claude-new-9", max_cost=9, prices=prices, max_parallel_jobs=1).submit()
    with pytest.raises(CostLimitError, match="prices="):
        BatchManager.open(runs.log).run()
    assert BatchManager.open(runs.log, prices=prices).run()["pending_items"] == 0


def test_a_script_with_other_inputs_is_told_to_collect_from_the_log(runs: Runs) -> None:
    """While paid batches wait, the advice is nothing that would pay again."""
    runs.manager(model=MODEL).submit()
    with pytest.raises(RunMismatchError, match=r"BatchManager\.open\(state_path\)\.collect\(\)"):
        runs.manager(messages=conversations(2, first=50)).run()
