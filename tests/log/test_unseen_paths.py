"""What lies at a path that cannot be looked at may be a log: nothing says that there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchata import BatchManager, NotALogError
from batchata.log import is_begun, read_log

NOBODY = 65_534


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """A folder that the user may not look into; to root none is closed."""
    user = os.geteuid()
    folder.chmod(0)
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


def check_unseen(path: Path, reason: str) -> None:
    """Reading refuses it, and so does what would begin a run where there is none."""
    for look in (read_log, is_begun):
        with pytest.raises(NotALogError, match=f"what is at .* cannot be seen: {reason}; give another path"):
            look(path)


def test_a_closed_folder_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    """Its items would be shown as never sent, and its log as one that does not exist."""
    path = tmp_path / "closed" / "run.db"
    path.parent.mkdir()
    manager = BatchManager(
        messages=[[{"role": "user", "content": "hi"}]],
        model="claude-sonnet-5-5",
        state_path=path,
        api_key="x",
    )
    assert [item.status for item in manager.items()] == ["pending"]
    with pytest.raises(NotALogError, match="does not exist"):
        read_log(path)
    with closed(path.parent):
        check_unseen(path, "Permission denied")
        with pytest.raises(NotALogError, match="Permission denied"):
            list(manager.items())


def test_paths_that_lead_nowhere_say_why(tmp_path: Path) -> None:
    """Below a file, with a name that is too long, and round in links."""
    (tmp_path / "file").touch()
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    check_unseen(tmp_path / "file" / "run.db", "Not a directory")
    check_unseen(tmp_path / ("n" * 300), "File name too long")
    check_unseen(tmp_path / "a", "Too many levels of symbolic links")
    check_unseen(tmp_path / "a" / "run.db", "Too many levels of symbolic links")
    assert not is_begun(tmp_path / "nothing" / "run.db")
