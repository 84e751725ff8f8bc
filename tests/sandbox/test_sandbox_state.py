"""Batches outlive the sandbox that made them, and the command line serves them again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from forked import Program

import batchata.sandbox
from batchata.providers.exchange import Upload
from batchata.providers.openai.services import SERVICES
from batchata.providers.registry import Access
from batchata.sandbox import Faults, Sandbox
from batchata.sandbox.cli import main
from batchata.sandbox.openai.flavors import FLAVORS


def batch_of(client: Any, request_of: Any, count: int = 4) -> Any:
    return client.messages.batches.create(requests=[request_of(f"r-{n}") for n in range(count)])


class Served:
    """A sandbox in a process of its own."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.ready = directory / "ready"
        self.ready.unlink(missing_ok=True)
        command = ["-m", "batchata.sandbox", "--port", "0", "--ready-file", self.ready]
        self.process = Program([*command, *options], cwd=directory)

    @property
    def url(self) -> str:
        deadline = time.monotonic() + 60
        while not self.ready.exists():
            assert self.process.poll() is None, "the sandbox ended before it was ready"
            assert time.monotonic() < deadline, "the sandbox did not become ready"
            time.sleep(0.01)
        return self.ready.read_text()

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        self.said, _ = self.process.communicate(300)
        assert self.process.returncode is not None
        return self.process.returncode


@pytest.fixture
def process(tmp_path: Path) -> Any:
    """Starts sandboxes in processes of their own, killed at the end of the test."""
    started: list[Served] = []

    def start(*options: str) -> Served:
        started.append(Served(tmp_path, *options))
        return started[-1]

    yield start
    for served in started:
        if served.process.poll() is None:
            served.end(signal.SIGKILL)


def test_one_call_points_the_process_at_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Called again it is the same one; with other options, or after its end, it is another."""
    with Sandbox() as other:
        for name in other.environment:
            monkeypatch.setenv(name, "")
    first = batchata.sandbox.use()
    assert (os.environ["ANTHROPIC_BASE_URL"], batchata.sandbox.use()) == (first.url, first)
    second = batchata.sandbox.use(delay=1.0)
    assert (first.is_running, second.is_running) == (False, True)
    assert os.environ["OPENAI_BASE_URL"] == f"{second.url}/v1"
    second.stop()
    third = batchata.sandbox.use(delay=1.0)
    assert third is not second
    third.stop()


def test_no_provider_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run after `use()` goes to the sandbox whatever its model, and past any proxy."""
    for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", ".corp")
    with Sandbox("fine") as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        for provider in SERVICES.keys() - {"jsonl"} | {
            "anthropic",
            "anthropic-aws",
            "gemini",
            "gemini-inline",
        }:
            client = Access().client(provider)
            client.check()
            assert not list(client.find(0, 1, Upload("f", "m"))), provider
            client.close()
        asked = {path.removeprefix("/").partition("/v1")[0] for _, path, _ in sandbox.exchanges}
        assert asked >= FLAVORS.keys()
        assert sandbox.environment["NO_PROXY"] == ".corp,127.0.0.1"
        assert sandbox.environment["ANTHROPIC_GOOGLE_CLOUD_BASE_URL"] == sandbox.url


def test_batches_survive_a_restart_on_the_same_port(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    """Ended, running and deleted batches, their answers, and what was billed are as before."""
    with Sandbox("first", state=tmp_path) as before:
        client = connect(before)
        ended = batch_of(client, request_of)
        lines = [line.to_dict() for line in client.messages.batches.results(ended.id)]
        deleted = batch_of(client, request_of, 1)
        client.messages.batches.retrieve(deleted.id)
        client.messages.batches.delete(deleted.id)
        billed, usage, url = before.billed(), before.usage(), before.url
    with Sandbox("second", state=tmp_path) as after:
        assert after.url == url
        assert [b.id for b in after.batches] == [ended.id]
        assert [line.to_dict() for line in connect(after).messages.batches.results(ended.id)] == lines
        assert (after.billed(), after.usage()) == (billed, usage)
        assert batch_of(connect(after), request_of).id != ended.id


def test_a_running_batch_keeps_its_time_across_a_restart(
    connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """It ends when it would have ended, answered from the stored body."""
    now = [1_800_000_000.0]
    with Sandbox(delay=60.0, state=tmp_path, clock=lambda: now[0]) as before:
        batch = batch_of(connect(before), request_of)
    now[0] += 60
    with Sandbox(lambda r: r.text, state=tmp_path, clock=lambda: now[0]) as after:
        assert after.batches[0].status == "ended"
        lines = list(connect(after).messages.batches.results(batch.id))
        assert {line.result.message.content[0].text for line in lines} == {"hello"}


def test_a_stopped_sandbox_breaks_kept_alive_connections(
    connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """A client must notice that its server is gone, as with a process that died."""
    sandbox = Sandbox("fine").start()
    client = connect(sandbox)
    batch = batch_of(client, request_of)
    sandbox.stop()
    with pytest.raises(Exception, match="Connection error"):
        client.messages.batches.retrieve(batch.id)


def test_a_batch_survives_kill_9_right_after_create(
    process: Any,
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    """The body is stored before create answers; the next process has the batch on the same port."""
    first = process("--state", str(tmp_path / "state"), "--delay", "0")
    url = first.url
    batch = batch_of(connect(url), request_of)
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    second = process("--state", str(tmp_path / "state"))
    assert second.url == url
    lines = list(connect(url).messages.batches.results(batch.id))
    assert {line.custom_id for line in lines} == {"r-0", "r-1", "r-2", "r-3"}
    assert httpx2.get(f"{url}/sandbox").json()["billed"] == {f"r-{n}": 1 for n in range(4)}
    assert second.end(signal.SIGTERM) == 0


def test_the_command_line_says_what_to_export_and_takes_answers_and_faults(
    process: Any,
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    """A remark, and a shell's line for each variable; answers by module and function; Ctrl-C ends cleanly."""
    (tmp_path / "my_answers.py").write_text("def answer(request):\n    return 'mine ' + request.custom_id\n")
    served = process("--answers", "my_answers:answer", "--fault", "create_status=[529]", "--seed", "3")
    url = served.url
    with pytest.raises(Exception, match="Overloaded"):
        batch_of(connect(url), request_of)
    batch = batch_of(connect(url), request_of, 1)
    (line,) = connect(url).messages.batches.results(batch.id)
    assert line.result.message.content[0].text == "mine r-0"
    assert served.end(signal.SIGINT) == 0
    remark, *lines = served.said.splitlines()
    assert remark == f"# simulation at {url}; a script finds it by these variables:"
    assert lines[:2] == [f"export ANTHROPIC_BASE_URL={url}", "export ANTHROPIC_API_KEY=sandbox-key"]
    assert all(line.startswith("export ") for line in lines)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--host", "0.0.0.0"], "loopback"),
        (["--fault", "nonsense=1"], "no such fault"),
        (["--fault", "errored"], "not of the form NAME=VALUE"),
        (["--answers", "nowhere_to_be_found:x"], "nowhere_to_be_found"),
        (["--answers", "reply"], "not of the form MODULE:FUNCTION"),
        (["--port", "99999"], "ports are numbers from 0 to 65535"),
        (["--port", "0", "--state", __file__], "give a folder"),
    ],
)
def test_wrong_options_are_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], options: Any, text: Any
) -> None:
    """No traceback for a typing mistake."""
    assert main(options) == 2
    errors = capsys.readouterr().err
    assert text in errors
    assert errors.count("\n") == 1


def test_a_port_that_is_taken_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """With what to give instead."""
    with Sandbox() as sandbox:
        assert main(["--port", sandbox.url.rpartition(":")[2]]) == 2
    assert "Address already in use); --port 0 takes a free one" in capsys.readouterr().err


def test_results_do_not_change_once_a_batch_has_ended(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """Answers are given once: a second download is the same, also when faults changed between."""
    calls: list[str] = []

    def answer(request: Any) -> str:
        calls.append(request.custom_id)
        return f"{len(calls)}"

    sandbox = serve(answer)
    client = connect(sandbox)
    batch = batch_of(client, request_of)
    first = [line.to_dict() for line in client.messages.batches.results(batch.id)]
    sandbox.faults = Faults(missing={0})
    assert [line.to_dict() for line in client.messages.batches.results(batch.id)] == first
    assert len(calls) == 4
