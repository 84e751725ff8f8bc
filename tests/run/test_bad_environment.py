"""Logs, directories, keys and URLs that cannot work: one error that says what to change."""

from __future__ import annotations

import http.server
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from bad_input_support import given, refused
from run_support import Runs

from batchata.errors import (
    ConfigurationError,
    InvalidInputError,
    LogError,
    ProviderUnavailableError,
    RequestRefusedError,
)

SILENT = "http://127.0.0.1:1"


def _json_state(path: Path) -> None:
    path.write_text(json.dumps({"jobs": [], "batches": {}}))


def _database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
        connection.commit()


BAD_LOGS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "folder": (lambda path: path.mkdir(), ("is a folder", "give the path of a file")),
    "text": (lambda path: path.write_text("notes"), ("is not a SQLite database", "give another path")),
    "JSON state": (_json_state, ("JSON state file of an older version", "give another state_path")),
    "database": (_database, ("not a Batchata log",)),
    "cut": (lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(50)), ("run.db",)),
}


@pytest.mark.parametrize("name", BAD_LOGS)
def test_what_is_no_log_is_left_as_it_is(runs: Runs, start: Callable[..., None], name: str) -> None:
    """Somebody else's file is neither written to nor taken for a log."""
    make, words = BAD_LOGS[name]
    make(runs.log)
    stored = runs.log.read_bytes() if runs.log.is_file() else None
    with refused(runs, LogError, *words, stored=stored):
        start(**given(runs))


@pytest.mark.parametrize("path", [5, "", b"run.db"])
def test_a_state_path_is_a_path(runs: Runs, start: Callable[..., None], path: object) -> None:
    """Or None."""
    with refused(runs, InvalidInputError, "state_path must be the path of a log's file", repr(path)):
        start(**given(runs, state_path=path))


def test_a_results_dir_that_is_a_file_is_refused(runs: Runs, start: Callable[..., None]) -> None:
    """Before the run begins, also for the raw lines and for a directory below a file."""
    file = runs.log.parent / "results"
    file.write_text("mine")
    for name in ("results_dir", "raw_results_dir"):
        with refused(runs, InvalidInputError, f"{name} '{file}' is a file; give a directory"):
            start(**given(runs, **{name: file}))
        with refused(
            runs, InvalidInputError, f"{name} '{file}/below' cannot be made", "give another directory"
        ):
            start(**given(runs, **{name: file / "below"}))
    assert file.read_text() == "mine"


def test_a_missing_key_is_told_with_its_remedy(
    runs: Runs, start: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What to set, and that there is a sandbox."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with refused(runs, ConfigurationError, "set the environment variable ANTHROPIC_API_KEY", "sandbox"):
        start(**given(runs))


@pytest.mark.parametrize(
    "url", ["not a url", "ftp://127.0.0.1", "http://", "http://[::1", "http://127.0.0.1:99999"]
)
def test_a_malformed_base_url_is_told(
    runs: Runs, start: Callable[..., None], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """The variable is named."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    with refused(runs, ConfigurationError, "ANTHROPIC_BASE_URL"):
        start(**given(runs))


def test_a_base_url_where_nobody_listens_is_told(
    runs: Runs, start: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written for a run that could not begin."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", SILENT)
    with refused(runs, ProviderUnavailableError, f"no answer from {SILENT}", "check ANTHROPIC_BASE_URL"):
        start(**given(runs))


def test_a_base_url_with_a_wrong_path_is_told(
    runs: Runs, start: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the first call can find that out: the run says so and stays pending."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"{runs.sandbox.url}/elsewhere")
    with pytest.raises(
        RequestRefusedError, match=r"404.*is ANTHROPIC_BASE_URL the address of the Anthropic API"
    ):
        start(**given(runs))
    assert runs.types()[-3:] == ["submission_failed", "submitting_stopped", "run_interrupted"]


@pytest.fixture
def website() -> Iterator[str]:
    """A server that is not the API: it lists a directory and takes no POST."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Website) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Website(http.server.SimpleHTTPRequestHandler):
    """Says nothing of what it serves."""

    def log_message(self, *args: object) -> None:
        pass


def test_a_base_url_of_something_else_is_told(
    runs: Runs, start: Callable[..., None], website: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the answer means that a batch was created is asked, and that question gets the clear no."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", website)
    with pytest.raises(RequestRefusedError, match="not the API's own; is ANTHROPIC_BASE_URL the address"):
        start(**given(runs))
    assert runs.types()[-1] == "run_interrupted"
