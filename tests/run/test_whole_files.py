"""Files of results get their names when the disk has them, many with one wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchata.views.whole_files import WholeFiles


def test_files_wait_for_their_names_and_get_them_in_the_order_of_writing(tmp_path: Path) -> None:
    """What is written twice has the later content; what depends on a name is done after it is there."""
    files, done = WholeFiles(), list[bool]()
    for content in (b"old", b"new"):
        with files.written(tmp_path / "a", lambda: done.append((tmp_path / "a").exists())) as file:
            file.write(content)
    assert not (tmp_path / "a").exists()
    assert not files.is_due()
    files.name_all()
    assert ((tmp_path / "a").read_bytes(), done, files.is_empty) == (b"new", [True, True], True)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_many_files_are_due_and_those_that_need_not_survive_at_once(tmp_path: Path) -> None:
    """Each that waits holds a descriptor."""
    files, soon = WholeFiles(), WholeFiles(durable=False)
    for number in range(64):
        assert not files.is_due()
        with files.written(tmp_path / str(number)):
            pass
    with soon.written(tmp_path / "soon"):
        assert not soon.is_due()
    assert files.is_due()
    assert soon.is_due()
    files.drop()
    soon.drop()
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_keeps_no_other_from_its_name(tmp_path: Path) -> None:
    """Nothing is left of it, and one that was removed meanwhile does not appear."""
    files = WholeFiles()
    for name in ("whole", "removed"):
        with files.written(tmp_path / name):
            pass
    with pytest.raises(TypeError), files.written(tmp_path / "half") as file:
        file.writelines([b"half", "no bytes"])  # type: ignore[list-item]
    files.remove(tmp_path / "removed")
    files.name_all()
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_a_name_that_cannot_be_given_is_refused_each_time_in_the_same_way(tmp_path: Path) -> None:
    """What was to be named is tried again, and what stands in its way is said again."""
    files = WholeFiles()
    (tmp_path / "taken" / "in it").mkdir(parents=True)
    with files.written(tmp_path / "taken") as file:
        file.write(b"whole")
    for _ in range(2):
        with pytest.raises(OSError, match="taken"):
            files.name_all()
    (tmp_path / "taken" / "in it").rmdir()
    (tmp_path / "taken").rmdir()
    files.name_all()
    assert (tmp_path / "taken").read_bytes() == b"whole"
