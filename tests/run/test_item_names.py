"""Items are called by the user's own keys, or by their files, wherever results are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from run_support import Runs

import batchata
from batchata import RunMismatchError
from batchata.replay import cli
from batchata.sandbox import Faults

ROWS = [{"id": f"R{n}", "text": f"row {n}", "lang": "en"} for n in range(3)]


def rows(runs: Runs, count: int = 3, **given: Any) -> batchata.BatchManager[Any]:
    """A manager over rows, which are called by a column."""
    chosen = {"messages": None, "rows": ROWS[:count], "prompt": "Say {text}", "keys": "id"} | given
    return runs.manager(**chosen)


def replay(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str]:
    """The exit code of a replay command, and what it printed."""
    with pytest.raises(SystemExit) as ended:
        cli.app(list(map(str, arguments)), prog_name="replay")
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out + printed.err


def names(items: Any) -> list[tuple[str, str | None, dict[str, Any] | None]]:
    return [(item.name, item.source, item.row) for item in items]


def test_names_are_the_same_before_during_and_after_a_run(runs: Runs) -> None:
    """A key names an item from the start on, in the manager and in the log alone, with its row."""
    manager = rows(runs)
    before = names(manager.items())
    manager.run()
    with batchata.replay.open(runs.log) as log:
        assert names(manager.items()) == before == names(log.results())
    assert before == [(row["id"], None, row) for row in ROWS]


def test_files_are_called_by_their_names_and_keys_come_first(runs: Runs, tmp_path: Path) -> None:
    """Without keys an item has its file's name; with them the file is still its source."""
    paths = [tmp_path / "a.md", tmp_path / "b.md"]
    for path in paths:
        path.write_text(path.name)
    given = {"messages": None, "files": [*paths, b"bytes"], "prompt": "Read."}
    plain, keyed = runs.manager(**given), runs.manager(**given, keys=[1, 2, 3])
    assert names(plain.items()) == [
        ("a.md", str(paths[0]), None),
        ("b.md", str(paths[1]), None),
        ("document-3.txt", None, None),
    ]
    assert [item.name for item in keyed.items()] == ["1", "2", "3"]
    assert [item.source for item in keyed.items()] == [str(paths[0]), str(paths[1]), None]
    assert [item.name for item in runs.manager(2).items()] == ["item 0", "item 1"]


def test_keys_may_be_continued_and_not_changed(runs: Runs) -> None:
    """With another key an answer would come under a foreign name; more rows at the end are an addition."""
    rows(runs, 2).run()
    for keys, words in (
        (["R0", "X"], "key of item 1: was R1, is X"),
        (None, "key of item 0: was R0, is not given"),
    ):
        with pytest.raises(RunMismatchError, match=words):
            rows(runs, 2, keys=keys).items()
    more = rows(runs, 3)
    more.run()
    assert [item.name for item in more.items()] == ["R0", "R1", "R2"]


def test_a_run_that_is_opened_from_its_log_has_its_names(runs: Runs) -> None:
    """Keys and rows are in the log, and results of what is sent only now come under them too."""
    rows(runs, max_parallel_jobs=1, items_per_job=1).submit()
    opened = batchata.BatchManager.open(runs.log, poll_interval=0.01)
    assert opened.run()["completed_items"] == 3
    assert names(opened.items()) == [(row["id"], None, row) for row in ROWS]


def test_other_columns_of_a_row_may_change(runs: Runs) -> None:
    """What was asked is the same, so the run goes on; the log keeps the row as it was."""
    rows(runs).run()
    again = rows(runs, rows=[row | {"lang": "de", "more": 1} for row in ROWS])
    assert again.run()["completed_items"] == 3
    assert [item.row for item in again.items()] == ROWS


def test_an_item_is_found_by_its_key(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    """`replay item` takes a key, or an index that is no key, and proposes what a misspelt one is near to."""
    rows(runs, keys=["A-1", "A-2", "0"]).run()
    assert "A-2, 1 (of 0 to 2): completed" in replay(capsys, "item", runs.log, "A-2")[1]
    assert "0, 2 (of 0 to 2): completed" in replay(capsys, "item", runs.log, "0")[1]
    assert "A-2, 1 (of 0 to 2): completed" in replay(capsys, "item", runs.log, "1")[1]
    code, told = replay(capsys, "item", runs.log, "A-3")
    assert code == 2
    assert "has no item 'A-3'; did you mean A-1 or A-2?" in told or "did you mean A-2 or A-1?" in told


def test_a_file_is_found_by_name_or_path(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of files that are called alike the path tells which is meant."""
    paths = [tmp_path / folder / "a.md" for folder in ("x", "y")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(str(path))
    (tmp_path / "b.md").write_text("b")
    runs.manager(messages=None, files=[*paths, tmp_path / "b.md"], prompt="Read.").run()
    assert "b.md, 2 (of 0 to 2)" in replay(capsys, "item", runs.log, "b.md")[1]
    assert "a.md, 1 (of 0 to 2)" in replay(capsys, "item", runs.log, paths[1])[1]
    code, told = replay(capsys, "item", runs.log, "a.md")
    assert (code, "2 items of the run are called 'a.md': 0, 1; give one of these" in told) == (2, True)


def test_a_failed_item_is_named_by_its_key(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    """The end of a run says which of the user's own things failed."""
    runs.sandbox.faults = Faults(errored={1})
    rows(runs, max_attempts=1).run(print_progress=True)
    assert "item 1 ('R1')" in capsys.readouterr().err
