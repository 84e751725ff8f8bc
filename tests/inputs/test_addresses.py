"""Files at addresses that fsspec reads: what is read of them, and what is no such address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchata.errors import ConfigurationError, FileInputError, InvalidInputError
from batchata.inputs.files import read_file

fsspec: Any = pytest.importorskip("fsspec")
MOST = 1_000


@pytest.fixture
def memory() -> Iterator[Any]:
    """The file system that lives in this process."""
    system = fsspec.filesystem("memory")
    system.pipe("/papers/a.txt", b"a text")
    yield system
    system.rm("/papers", recursive=True)


def test_an_address_is_read_and_checked_as_a_path_is(memory: Any) -> None:
    """It is kept whole, its last part is the title, and what changed since the check is not sent."""
    file, data, place = read_file("memory://papers/a.txt", 3, MOST)
    assert (file.path, file.name, file.size, data) == ("memory://papers/a.txt", "a.txt", 6, b"a text")
    assert place == "files[3] ('memory://papers/a.txt')"
    assert file.read() == data
    for changed in (b"b text", b"a longer text"):
        memory.pipe("/papers/a.txt", changed)
        with pytest.raises(FileInputError, match="was changed after it was checked"):
            file.read()


def test_a_upath_is_its_address(memory: Any) -> None:
    """One with options is refused: they may be secrets, and the log keeps none."""
    upath = pytest.importorskip("upath")
    assert read_file(upath.UPath("memory://papers/a.txt"), 0, MOST).file.path == "memory://papers/a.txt"
    with pytest.raises(
        InvalidInputError, match=r"options of its own \(key, secret\).*by the environment"
    ) as caught:
        read_file(upath.UPath("s3://papers/a.txt", key="AKIA1", secret="hush"), 0, MOST)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ("memory://papers/none.txt", FileInputError, "does not exist; check bucket and name"),
        ("memory://papers", FileInputError, "is a folder; list its files"),
        (Path("s3://papers/a.txt"), FileInputError, "with one slash.*give it as text: 's3://papers/a.txt'"),
        (b"s3://papers/a.txt", FileInputError, "is a path given as bytes"),
        ("abfs://papers/a.txt", ConfigurationError, "abfs:// addresses cannot be read here.*install what is"),
        ("https://example.com/a.txt", FileInputError, "Batchata does not fetch URLs"),
        ("papers://a.txt", FileInputError, "Batchata does not fetch URLs"),
        ("s3://key:s3cret@papers/a.txt", InvalidInputError, "has a password in it, which the log would keep"),
        ("sftp://ann:s3cret@host/a.txt", InvalidInputError, "has a password in it, which the log would keep"),
    ],
)
def test_what_cannot_be_read_is_told(memory: Any, given: Any, kind: type[Exception], said: str) -> None:
    """With what to change, and without a password."""
    with pytest.raises(kind, match=said) as told:
        read_file(given, 0, MOST)
    assert "s3cret" not in str(told.value)


def test_a_file_that_is_too_large_is_not_read(memory: Any) -> None:
    """Its size is asked for first."""
    memory.pipe("/papers/a.txt", b"x" * (MOST + 1))
    with pytest.raises(FileInputError, match="request of more than 1,001 bytes"):
        read_file("memory://papers/a.txt", 0, MOST)
