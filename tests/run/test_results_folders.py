"""A results_dir belongs to one run: it says so, and no other run writes to it, whatever way leads there."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from resume_support import Script, check_complete, left_running, manager, wait_for
from run_support import Echo, Runs, conversations
from typer.testing import CliRunner

from batchata import load_results_from_disk
from batchata.errors import AuthenticationFailedError, InvalidInputError
from batchata.replay.cli import app
from batchata.sandbox import Faults
from batchata.views.folder_marks import MARK, Owner, owner_in, put_mark, remove_mark
from batchata.views.results_folder import Folders

OTHERS = conversations(2, first=50)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def another(runs: Runs, **given: Any) -> Any:
    """A run of other messages with a log of its own."""
    chosen: dict[str, Any] = {
        "messages": OTHERS,
        "state_path": runs.log.parent / "other.db",
        "results_dir": runs.out,
    }
    return runs.manager(**(chosen | given))


def into(runs: Runs, kind: str) -> dict[str, Any]:
    """A way into the folder that a run with `results_dir=runs.out` has."""
    out, folder = runs.out, runs.out.parent
    (folder / "link").symlink_to(out, target_is_directory=True)
    (folder / "half").mkdir()
    (folder / "half" / "processed").symlink_to(out / "processed", target_is_directory=True)
    return {
        "the same folder": {},
        "without a log": {"state_path": None},
        "spelled in another way": {"results_dir": out / "raw" / ".."},
        "relative": {"results_dir": os.path.relpath(out)},
        "a symlink to it": {"results_dir": folder / "link"},
        "its processed by a symlink": {"results_dir": folder / "half"},
        "a folder in it": {"results_dir": out / "second"},
        "in its processed": {"results_dir": out / "processed"},
        "the folder around it": {"results_dir": folder},
        "its raw for the lines": {"results_dir": None, "raw_results_dir": out / "raw"},
        "its raw beside a folder of its own": {"results_dir": folder / "own", "raw_results_dir": out / "raw"},
        "the lines right into it": {"results_dir": folder / "own", "raw_results_dir": out},
    }[kind]


KINDS = [
    "the same folder",
    "without a log",
    "spelled in another way",
    "relative",
    "a symlink to it",
    "its processed by a symlink",
    "a folder in it",
    "in its processed",
    "the folder around it",
    "its raw for the lines",
    "its raw beside a folder of its own",
    "the lines right into it",
]


@pytest.mark.parametrize("kind", KINDS)
def test_another_run_is_refused_before_it_writes_or_sends_anything(runs: Runs, kind: str) -> None:
    """The error names the folder and its run; the files and the log's place stay as they were."""
    first = runs.manager(results_dir=runs.out)
    first.run()
    before, calls = files(runs.out), len(runs.sandbox.exchanges)
    with pytest.raises(InvalidInputError, match="a folder belongs to one run: give another directory"):
        another(runs, **into(runs, kind)).run()
    assert (files(runs.out), len(runs.sandbox.exchanges)) == (before, calls)
    assert not (runs.log.parent / "other.db").exists()
    assert load_results_from_disk(runs.out, Echo) == first.results()
    assert load_results_from_disk(runs.out / "not" / "there" / ".." / "..", Echo) == first.results()


@pytest.mark.skipif(sys.platform == "win32", reason="no sticky bit there")
def test_a_folder_that_all_may_write_to_becomes_no_runs(runs: Runs, tmp_path: Path) -> None:
    """Right in /tmp a run would close every folder below it to all others; a folder in it is fine."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    for given in ({"results_dir": shared}, {"results_dir": runs.out, "raw_results_dir": shared}):
        with pytest.raises(InvalidInputError, match=r"right into .*/shared, .* such as .*/shared/results$"):
            runs.manager(**given).run()
    assert runs.sandbox.exchanges == []
    assert files(shared) == {}
    own = runs.manager(results_dir=shared / "results")
    own.run()
    with pytest.raises(InvalidInputError, match="give a folder of its own"):
        own.export(shared, force=True)
    assert sorted(path.name for path in shared.iterdir()) == ["results"]


class _Meanwhile(ThreadPoolExecutor):
    """Has something happen between a start's first look into its log and its first write."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__(1)
        self._happens = [happens]

    def submit(self, *given: Any, **named: Any) -> Any:
        while self._happens:
            self._happens.pop()()
        return super().submit(*given, **named)


def test_two_first_starts_of_one_script_write_to_one_folder(runs: Runs) -> None:
    """The slower one finds the folder marked by a run that was not there when it looked: its own."""
    with _Meanwhile(runs.manager(results_dir=runs.out).submit) as executor:
        second = runs.manager(results_dir=runs.out, executor=executor)
        assert second.run()["completed_items"] == len(second.results())
    assert load_results_from_disk(runs.out, Echo) == second.results()


def test_a_run_in_memory_is_refused_by_the_results_of_one_in_memory(runs: Runs) -> None:
    """A second start without state_path would overwrite what was paid for and is nowhere else."""
    first = runs.manager(results_dir=runs.out, state_path=None)
    first.run()
    with pytest.raises(InvalidInputError, match=f"holds the results of the run {first.run_id}"):
        runs.manager(results_dir=runs.out, state_path=None).run()
    assert load_results_from_disk(runs.out, Echo) == first.results()
    first.run()


def test_a_shared_raw_results_dir_is_refused_and_holds_nothing_but_lines(runs: Runs, tmp_path: Path) -> None:
    """The lines themselves say whose they are."""
    lines = tmp_path / "lines"
    runs.manager(results_dir=runs.out, raw_results_dir=lines).run()
    assert sorted(path.name for path in lines.iterdir()) == [f"job_{n}_raw.jsonl" for n in range(3)]
    for other in ({"results_dir": None}, {"results_dir": tmp_path / "b"}, {"state_path": None}):
        with pytest.raises(InvalidInputError, match="result lines of another run"):
            another(runs, **({"raw_results_dir": lines, "results_dir": tmp_path / "a"} | other)).run()
    assert runs.manager(8, results_dir=runs.out, raw_results_dir=lines).run()["total_items"] == 8


@pytest.mark.parametrize(
    "place", [{"results_dir": "out"}, {"raw_results_dir": "lines"}], ids=["results_dir", "raw_results_dir"]
)
def test_of_two_managers_at_once_one_is_refused(
    patient: tuple[Runs, list[float]], tmp_path: Path, place: dict[str, str]
) -> None:
    """While nothing is collected yet, the folder is the first one's all the same."""
    runs, delay = patient
    delay[0] = 0.5
    where: dict[str, Any] = {"results_dir": None} | {name: tmp_path / path for name, path in place.items()}
    one = runs.manager(2, **where)
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        wait_for(lambda: runs.creates() == 1)
        for path in (runs.log.parent / "other.db", None):
            with pytest.raises(InvalidInputError, match=f"holds the results of the run {one.run_id}"):
                another(runs, **where, state_path=path).run()
        assert runs.creates() == 1
    finally:
        thread.join(300)
    assert one.stats()["completed_items"] == 2


def test_of_many_that_begin_together_one_gets_the_folder(runs: Runs) -> None:
    """Nothing of the others' is in it, and theirs is not lost: they can write elsewhere."""
    managers = [another(runs, state_path=runs.log.parent / f"{n}.db") for n in range(6)]
    refused: list[InvalidInputError] = []

    def run(one: Any) -> None:
        try:
            one.run()
        except InvalidInputError as exc:
            refused.append(exc)

    threads = [threading.Thread(target=run, args=[one]) for one in managers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert len(refused) == 5
    assert len(load_results_from_disk(runs.out)) == 2
    assert len(runs.sandbox.batches) == 1


def test_the_same_run_comes_back_to_its_folder(runs: Runs) -> None:
    """Another start, more items, other jobs, a folder that was emptied meanwhile."""
    runs.manager(4, results_dir=runs.out).run()
    assert runs.manager(6, results_dir=runs.out, items_per_job=2).run()["completed_items"] == 6
    shutil.rmtree(runs.out)
    last = runs.manager(7, results_dir=runs.out)
    last.run()
    assert load_results_from_disk(runs.out, Echo) == last.results()


def test_what_a_kill_left_without_a_name_is_removed_and_nothing_else(runs: Runs) -> None:
    """A killed process leaves files that had no name yet; a file of the user's stays."""
    runs.manager(4, results_dir=runs.out).run()
    left = [f"processed/.job_0_{kind}.json.ab12_xyz" for kind in ("results", "support")]
    left += ["raw/.job_11_raw.jsonl.00000000", ".batchata-run.json.ab12_xyz"]
    kept = [
        "processed/.job_0_results.json.bak",
        "processed/.mine.json.ab12_xyz",
        "raw/job_0_raw.jsonl.ab12_xyz",
    ]
    for name in left + kept:
        (runs.out / name).write_bytes(b"half")
    runs.manager(5, results_dir=runs.out).run()
    there = files(runs.out)
    assert [name for name in left if name in there] == []
    assert [name for name in kept if there.get(name) != b"half"] == []


def test_a_refused_key_leaves_the_folder_free(runs: Runs) -> None:
    """A run in memory that could not begin left nothing: the next cell of a notebook takes the folder."""
    runs.sandbox.faults = Faults(create_status=[401])
    with pytest.raises(AuthenticationFailedError):
        runs.manager(2, results_dir=runs.out, state_path=None).run()
    runs.sandbox.faults = Faults()
    again = another(runs, state_path=None)
    again.run()
    assert load_results_from_disk(runs.out, Echo) == again.results()


def test_what_a_killed_process_kept_in_memory_and_never_collected_is_given_up(
    patient: tuple[Runs, list[float]],
) -> None:
    """Nobody can come back for it: its folder is free, and its files of what waited go."""
    runs, delay = patient
    log = runs.log
    script = Script(runs, story=_in_memory)
    wait_for(lambda: runs.creates() == 1)
    with pytest.raises(InvalidInputError, match="holds the results"):
        another(runs).run()
    script.send(9)
    script.ends()
    delay[0] = 0.0
    other = another(runs, state_path=log)
    other.run()
    assert load_results_from_disk(runs.out, Echo) == other.results()


def _in_memory(runs: Runs) -> None:
    manager(runs, 20, state_path=None, results_dir=runs.out, items_per_job=5, max_parallel_jobs=1).run()


@pytest.fixture
def old(runs: Runs) -> Callable[[], None]:
    """Makes the folder one of an older version, without a mark."""
    return (runs.out / "batchata-run.json").unlink


def test_an_old_folder_is_adopted_by_its_own_run_only(runs: Runs, old: Callable[[], None]) -> None:
    """Its lines say whose it is; where there are none, nothing does."""
    runs.manager(results_dir=runs.out).run()
    old()
    with pytest.raises(InvalidInputError, match="lines of another run"):
        another(runs).run()
    assert runs.manager(8, results_dir=runs.out).run()["completed_items"] == 8
    assert (runs.out / "batchata-run.json").exists()
    old()
    shutil.rmtree(runs.out / "raw")
    for run in (another(runs), runs.manager(9, results_dir=runs.out)):
        with pytest.raises(InvalidInputError, match="nothing in it says that they are this run's"):
            run.run()


def test_a_folder_in_which_two_runs_are_mixed_is_nobodys_and_is_not_read(
    runs: Runs, tmp_path: Path, old: Callable[[], None]
) -> None:
    """An older version let a second run write over the first one's files."""
    runs.manager(results_dir=runs.out).run()
    another(runs, results_dir=tmp_path / "b").run()
    old()
    for kind, name in (("processed", "job_0_results.json"), ("raw", "job_0_raw.jsonl")):
        shutil.copy(tmp_path / "b" / kind / name, runs.out / kind / name)
    for folder in (runs.out, runs.out / "processed"):
        with pytest.raises(InvalidInputError, match=r"files of 2 runs.*replay export"):
            load_results_from_disk(folder)
    with pytest.raises(InvalidInputError, match="lines of another run"):
        runs.manager(8, results_dir=runs.out).run()


def test_an_exported_folder_belongs_to_the_exported_run(runs: Runs, tmp_path: Path) -> None:
    """It is marked as the run itself marks one: that run may go on in it, no other may."""
    runs.manager(4, results_dir=runs.out).run()
    again = tmp_path / "again"
    assert CliRunner().invoke(app, ["export", str(runs.log), str(again)]).exit_code == 0
    assert files(again) == files(runs.out)
    with pytest.raises(InvalidInputError, match="holds the results of the run"):
        another(runs, results_dir=again).run()
    more = runs.manager(6, results_dir=again)
    more.run()
    assert load_results_from_disk(again, Echo) == more.results()


def test_an_export_into_another_runs_folder_needs_force(runs: Runs, tmp_path: Path) -> None:
    """And with it the folder is the exported run's; the one that had it is refused."""
    runs.manager(4, results_dir=runs.out).run()
    other = another(runs, results_dir=tmp_path / "b")
    other.run()
    export = ["export", str(runs.log), str(tmp_path / "b")]
    assert CliRunner().invoke(app, export).exit_code == 2
    assert CliRunner().invoke(app, [*export, "--force"]).exit_code == 0
    assert len(load_results_from_disk(tmp_path / "b")) == 4
    with pytest.raises(InvalidInputError, match="holds the results"):
        another(runs, results_dir=tmp_path / "b", messages=OTHERS + conversations(1)).run()


def test_a_folder_that_is_taken_over_while_a_run_writes_to_it_stops_the_run(
    patient: tuple[Runs, list[float]],
) -> None:
    """Its results are in the log, and go to another directory at its next start."""
    runs, delay = patient
    left_running(runs, 2)
    mark = runs.out / "batchata-run.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"run_id": "b", "tag": "b"}))
    delay[0] = 0.0
    runs.sandbox.end_all()
    with pytest.raises(InvalidInputError, match="holds the results of the run b"):
        manager(runs).run()
    runs.out = runs.out.parent / "elsewhere"
    check_complete(runs)


def test_a_run_that_has_just_begun_has_no_results(runs: Runs) -> None:
    """A file of them says that its job is over, to whoever looks for the first."""
    runs.sandbox.faults = Faults(create_status=[401])
    with pytest.raises(AuthenticationFailedError):
        runs.manager(2, results_dir=runs.out).run()
    assert [*files(runs.out)] == ["batchata-run.json"]


def test_a_mark_is_taken_away_only_from_the_run_that_was_looked_at(tmp_path: Path) -> None:
    """Another start may have put its own there meanwhile: that one stays."""
    ours, theirs, home = Owner("ours", "t1"), Owner("theirs", "t2"), str(tmp_path)
    remove_mark(home, ours.encode())
    put_mark(home, theirs)
    remove_mark(home, ours.encode())
    assert owner_in(home) == theirs
    with pytest.raises(InvalidInputError, match="another run has just begun to write to"):
        put_mark(home, ours)
    remove_mark(home, theirs.encode())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidInputError, match="results cannot be written to"):
        put_mark(str(tmp_path / "gone"), ours)


@pytest.mark.parametrize("written", [b"", b"[]", b'{"run_id":"a"}', b'{"memory_of":{"pid":"x"}}', b"\xff"])
def test_a_mark_that_says_nothing_names_no_run(tmp_path: Path, written: bytes) -> None:
    """What else lies there under its name keeps no run out, and is no reason to fail."""
    (tmp_path / MARK).write_bytes(written)
    assert owner_in(str(tmp_path)) is None


def test_marks_stand_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On such a file system too, one run gets the folder."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    ours = Owner("ours", "t1")
    put_mark(str(tmp_path), ours)
    with pytest.raises(InvalidInputError, match="another run has just begun to write to"):
        put_mark(str(tmp_path), Owner("theirs", "t2"))
    assert owner_in(str(tmp_path)) == ours


def test_lines_of_another_run_are_never_overwritten(tmp_path: Path) -> None:
    """A folder for lines alone has no mark: what is in the file of a job tells whose it is."""
    folders, ours = Folders(None, str(tmp_path), None), Owner("ours", "0f1e2d3c4b5a")
    lines = tmp_path / "job_0_raw.jsonl"
    for text in ("", "no line\n", '{"custom_id":"stranger"}\n{"custom_id":"0f1e2d3c4b5a-0-1"}\n'):
        lines.write_text(text)
        folders.keep_lines(lines.name, ours)
    lines.write_text('{"custom_id":"stranger"}\n{"custom_id":"aaaaaaaaaaaa-0-1"}\n')
    with pytest.raises(InvalidInputError, match="holds result lines of another run"):
        folders.keep_lines(lines.name, ours)


def test_a_symlink_leads_to_the_run_that_is_behind_it(tmp_path: Path) -> None:
    """A `processed` that is elsewhere has a mark there, and what is above or below counts as it really is."""
    out, other, around = (tmp_path.resolve() / name for name in ("out", "other", "around"))
    for folder in (out, other / "deep", around):
        folder.mkdir(parents=True)
    (out / "processed").symlink_to(other / "deep", target_is_directory=True)
    (around / "link").symlink_to(other, target_is_directory=True)
    ours = Folders(processed=str(out / "processed"), raw=str(out / "raw"), results_dir=str(out))
    assert ours.homes() == [str(out), str(other / "deep")]
    put_mark(str(other), Owner("theirs", "0123456789ab"))
    for folders in (ours, Folders(processed=None, raw=str(around), results_dir=None)):
        with pytest.raises(InvalidInputError, match="of the run theirs"):
            folders.check(Owner("ours", "ba9876543210"))
