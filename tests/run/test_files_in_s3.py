"""Files in a storage that speaks S3: a run whose workers read them, and what cannot be read."""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from crash_support import OPENAI
from run_support import Runs

from batchata.errors import (
    ConfigurationError,
    FileInputError,
    ProviderUnavailableError,
)
from batchata.inputs.files import read_file

fsspec: Any = pytest.importorskip("fsspec")
MOST = 1_000


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


def options(s3: str) -> dict[str, Any]:
    """What a process needs to call that server, as its environment would say it."""
    return {"key": "testing", "secret": "testing", "endpoint_url": s3}


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The file system of its one bucket, by the environment alone, as workers have it."""
    monkeypatch.setitem(fsspec.config.conf, "s3", options(s3))
    system = fsspec.filesystem("s3")
    system.invalidate_cache()
    if not system.exists("papers"):
        system.mkdir("papers")
    system.pipe("papers/a.txt", b"a text")
    return system


def test_files_in_s3_are_read(bucket: Any) -> None:
    """By bucket and name, however the scheme is written; what is empty or not there is told as for a path."""
    for address in ("s3://papers/a.txt", "S3://papers/a.txt"):
        file = read_file(address, 0, MOST).file
        assert (file.path, file.read()) == (address, b"a text")
    bucket.pipe("papers/empty.txt", b"")
    with pytest.raises(FileInputError, match="is empty"):
        read_file("s3://papers/empty.txt", 0, MOST)
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


def test_workers_read_the_files_of_a_run_in_s3(runs: Runs, bucket: Any) -> None:
    """When they are checked, and again when they are sent; one that changed in between is not sent."""
    for number in range(7):
        bucket.pipe(f"papers/{number}.txt", f"document {number}".encode())
    with ThreadPoolExecutor(2) as pool:
        made = runs.manager(
            messages=None,
            files=[f"s3://papers/{number}.txt" for number in range(7)],
            prompt="Say what it says.",
            executor=pool,
            api_key=runs.sandbox.api_key,
            base_url=runs.sandbox.environment["OPENAI_BASE_URL"],
            model=OPENAI,
            on_bad_file="fail",
        )
        bucket.pipe("papers/3.txt", b"another text")
        summary = made.run()
    assert (summary["completed_items"], summary["failed_items"]) == (6, 1)
    for number, item in enumerate(made.items()):
        assert item.source == f"s3://papers/{number}.txt"
        if number == 3:
            assert item.error is not None
            assert "was changed after it was checked" in item.error.message
        else:
            assert item.result is not None
            assert f"document {number}" in item.result.said
    assert set(runs.sandbox.billed().values()) == {1}
