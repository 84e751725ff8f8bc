"""Files at addresses that fsspec reads: memory here, and a server that speaks S3."""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchata.errors import ConfigurationError, FileInputError, InvalidInputError, ProviderUnavailableError
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
        ("abfs://papers/a.txt", ConfigurationError, "abfs:// addresses cannot be read here.*pip install"),
        ("https://example.com/a.txt", FileInputError, "Batchata does not fetch URLs"),
        ("papers://a.txt", FileInputError, "Batchata does not fetch URLs"),
    ],
)
def test_what_cannot_be_read_is_told(memory: Any, given: Any, kind: type[Exception], said: str) -> None:
    """With what to change."""
    with pytest.raises(kind, match=said):
        read_file(given, 0, MOST)


def test_a_file_that_is_too_large_is_not_read(memory: Any) -> None:
    """Its size is asked for first."""
    memory.pipe("/papers/a.txt", b"x" * (MOST + 1))
    with pytest.raises(FileInputError, match="request of more than 1,001 bytes"):
        read_file("memory://papers/a.txt", 0, MOST)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server that speaks S3, with one bucket of one file; returns its address."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The file system of its one bucket, by the environment alone, as workers have it."""
    for name, value in {"KEY": "testing", "SECRET": "testing", "ENDPOINT_URL": s3}.items():
        monkeypatch.setitem(
            fsspec.config.conf, "s3", fsspec.config.conf.get("s3", {}) | {name.lower(): value}
        )
    system = fsspec.filesystem("s3")
    system.invalidate_cache()
    if not system.exists("papers"):
        system.mkdir("papers")
    system.pipe("papers/a.txt", b"a text")
    return system


def test_files_in_s3_are_read(bucket: Any) -> None:
    """By bucket and name; what is not there is told as for a path."""
    file = read_file("s3://papers/a.txt", 0, MOST).file
    assert (file.path, file.read()) == ("s3://papers/a.txt", b"a text")
    for gone in ("s3://papers/b.txt", "s3://nobucket/a.txt"):
        with pytest.raises(FileInputError, match="does not exist; check bucket and name"):
            read_file(gone, 0, MOST)


def test_a_bucket_without_rights_is_told(bucket: Any, s3: str) -> None:
    """Waiting would not help, so it is an error of the file; the key is in no message."""
    _enforce_rights(s3, after=0)
    try:
        with pytest.raises(FileInputError, match="cannot be read with the rights of this process") as caught:
            read_file("s3://papers/a.txt", 0, MOST)
    finally:
        _enforce_rights(s3, after=10**9)
    assert "testing" not in str(caught.value)


def _enforce_rights(s3: str, after: int) -> None:
    kind = {"Content-Type": "text/plain"}
    asked = urllib.request.Request(f"{s3}/moto-api/reset-auth", str(after).encode(), kind, method="POST")
    urllib.request.urlopen(asked).close()


def test_a_storage_that_does_not_answer_is_asked_again(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may pass fails no file: a job is built later."""
    nowhere = {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}}
    monkeypatch.setitem(fsspec.config.conf, "s3", fsspec.config.conf["s3"] | nowhere)
    with pytest.raises(ProviderUnavailableError, match="cannot be read now") as caught:
        read_file("s3://papers/a.txt", 0, MOST)
    assert caught.value.kind == "storage_unavailable"


def test_without_credentials_the_environment_is_named(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of a storage without them."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    bare = {"endpoint_url": fsspec.config.conf["s3"]["endpoint_url"]}
    monkeypatch.setitem(fsspec.config.conf, "s3", bare)
    with pytest.raises(ConfigurationError, match="give this process credentials"):
        read_file("s3://papers/a.txt", 0, MOST)
