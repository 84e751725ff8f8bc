"""Files of results get their names when the disk has them, many with one wait."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchata.views.whole_files import WholeFiles, whole_file


def test_files_wait_for_their_names_and_get_them_in_the_order_of_writing(tmp_path: Path) -> None:
    """What is written twice has the later content; what depends on a name is done after it is there."""
    files, done = WholeFiles(), list[bool]()
    for content in (b"old", b"new"):
        with files.written(str(tmp_path / "a"), lambda: done.append((tmp_path / "a").exists())) as file:
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
        with files.written(str(tmp_path / str(number))):
            pass
    with soon.written(str(tmp_path / "soon")):
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
        with files.written(str(tmp_path / name)):
            pass
    with pytest.raises(TypeError), files.written(str(tmp_path / "half")) as file:
        file.writelines([b"half", "no bytes"])  # type: ignore[list-item]
    files.remove(str(tmp_path / "removed"))
    files.name_all()
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_a_name_that_cannot_be_given_is_refused_each_time_in_the_same_way(tmp_path: Path) -> None:
    """What was to be named is tried again, and what stands in its way is said again."""
    files = WholeFiles()
    (tmp_path / "taken" / "in it").mkdir(parents=True)
    with files.written(str(tmp_path / "taken")) as file:
        file.write(b"whole")
    for _ in range(2):
        with pytest.raises(OSError, match="taken"):
            files.name_all()
    (tmp_path / "taken" / "in it").rmdir()
    (tmp_path / "taken").rmdir()
    files.name_all()
    assert (tmp_path / "taken").read_bytes() == b"whole"


def test_small_files_are_written_with_their_names_in_the_order_of_their_making(tmp_path: Path) -> None:
    """Until then nothing is there; whichever way a file is written, the last content of a name stays."""
    files, done = WholeFiles(), list[str]()
    files.put(str(tmp_path), "a", b"old", lambda: done.append((tmp_path / "a").read_text()))
    with files.written(str(tmp_path / "a"), lambda: done.append((tmp_path / "a").read_text())) as file:
        file.write(b"newer")
    files.put(str(tmp_path), "a", b"newest", lambda: done.append((tmp_path / "a").read_text()))
    files.put(str(tmp_path), "dropped", b"")
    files.remove(str(tmp_path / "dropped"))
    assert not (tmp_path / "a").exists()
    files.name_all()
    assert done == ["old", "newer", "newest"]
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("a", 0o600)]


def test_small_files_without_a_place_are_tried_again(tmp_path: Path) -> None:
    """What could not be written is refused each time, and is whole once it can be."""
    files = WholeFiles()
    for number in range(64):
        assert not files.is_due()
        files.put(tmp_path / "later", str(number), b"%d" % number)
    assert files.is_due()
    for _ in range(2):
        with pytest.raises(OSError, match="later"):
            files.name_all()
    (tmp_path / "later").mkdir()
    files.name_all()
    assert {path.name: path.read_text() for path in (tmp_path / "later").iterdir()} == {
        str(number): str(number) for number in range(64)
    }
    assert files.is_empty


def _full(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def full_disk(when: str) -> Iterator[None]:
    """It refuses what is written, or only when that is to last."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with pytest.MonkeyPatch.context() as patch:
        if when == "synced":
            patch.setattr(os, "fsync", _full)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("when", ["written", "synced"])
def test_a_small_file_that_a_full_disk_refuses_is_written_anew(tmp_path: Path, when: str) -> None:
    """Nothing is left of it then, and all of it is there once there is room."""
    files = WholeFiles()
    files.put(str(tmp_path), "a", b"x" * 100_000)
    with full_disk(when), pytest.raises(OSError, match=r"large|space"):
        files.name_all()
    assert list(tmp_path.iterdir()) == []
    files.name_all()
    assert (tmp_path / "a").read_bytes() == b"x" * 100_000


def test_what_a_killed_process_left_of_a_file_goes_when_it_is_written_again(tmp_path: Path) -> None:
    """What another process may be writing now stays, and so do the user's own hidden files."""
    old, young, own = (
        tmp_path / name for name in (".out.csv.ab12_xyz", ".out.csv.cd34_xyz", ".out.csv.note")
    )
    for path in (old, young, own):
        path.write_bytes(b"half")
    for path in (old, own):
        os.utime(path, (0, 0))
    with whole_file(tmp_path / "out.csv") as file:
        file.write(b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [young.name, own.name, "out.csv"]
