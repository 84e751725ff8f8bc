"""OpenAI's adapter against servers of its batch protocol that others wrote: llmock and aibrix.

`make foreign` installs them, each into an environment of its own; without it the tests are skipped.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
from provider_given import closed_port

from batchata import BatchManager
from batchata.core.events import BatchSubmitted, SubmissionSettled
from batchata.log import read_log

ENVIRONMENTS = Path(__file__).resolve().parents[2] / ".foreign"
SERVERS = {
    "llmock": ["llmock", "serve", "--host", "127.0.0.1", "--port"],
    "aibrix": ["aibrix_metadata", "--dry-run", "--host", "127.0.0.1", "--port"],
}
COUNT, A_JOB = 5, 2


class _Losing(BaseHTTPRequestHandler):
    """Hands calls on, and breaks the connection where the answer to the first create would be given."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        kept = ("authorization", "content-type")
        headers = {name: value for name, value in self.headers.items() if name.lower() in kept}
        answer = server.upstream.request(self.command, self.path, content=body, headers=headers)
        is_create = (self.command, self.path) == ("POST", "/v1/batches")
        server.creates += is_create
        if is_create and server.creates == 1:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status_code)
        self.send_header("content-type", answer.headers.get("content-type", "application/json"))
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        """Nothing: pytest's output is for failures."""


@contextmanager
def losing(url: str) -> Iterator[Any]:
    """A proxy to that server that loses the first create's answer; it counts them."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Losing)
    server.creates, server.upstream = 0, httpx2.Client(base_url=url, timeout=30)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        server.upstream.close()


@contextmanager
def serving(name: str, folder: Path) -> Iterator[str]:
    """That server, in a folder of its own; the test is skipped where it is not installed."""
    command, *options = SERVERS[name]
    program = ENVIRONMENTS / name / "bin" / command
    if not program.exists():
        pytest.skip(f"{name} is not installed: make foreign")
    port = closed_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "server.txt").open("wb") as said:
        process = subprocess.Popen(
            [program, *options, str(port)],
            cwd=folder,
            env={**os.environ, "STORAGE_LOCAL_PATH": str(folder / "storage")},
            stdout=said,
            stderr=said,
        )
    try:
        if not _answers(process, url):
            pytest.skip(f"{name} does not start here:\n{(folder / 'server.txt').read_text()[-1_000:]}")
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    """Whether the server answers within two minutes."""
    for _ in range(1_200):
        if process.poll() is not None:
            return False
        try:
            return httpx2.get(f"{url}/v1/batches", timeout=10).is_success
        except httpx2.TransportError:
            time.sleep(0.1)
    return False


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
@pytest.mark.parametrize("name", list(SERVERS))
def test_a_server_of_others_is_sent_each_job_once(name: str, tmp_path: Path) -> None:
    """A create whose answer is lost is found by its mark, and never made again; lines are told by their ids.

    aibrix answers with the request, which is no answer that could be read: its outcomes are kept as they are.
    """
    with serving(name, tmp_path) as url, losing(url) as proxy:
        manager = BatchManager(
            model="openai-compatible/small",
            messages=[f"Say {n}" for n in range(COUNT)],
            items_per_job=A_JOB,
            max_parallel_jobs=1,  # so that the first create is the first job's
            state_path=tmp_path / "run.db",
            base_url=f"http://127.0.0.1:{proxy.server_port}/v1",
            api_key="key",
            poll_interval=0.1,
            settle_delay=0.1,
            max_wait_time=120,
        )
        summary = manager.run()
        listed = httpx2.get(f"{url}/v1/batches?limit=100", headers={"authorization": "Bearer key"}).json()
    jobs = -(-COUNT // A_JOB)
    assert (summary["pending_items"], summary["jobs_completed"], proxy.creates) == (0, jobs, jobs)
    settled, submitted = _told(tmp_path / "run.db")
    assert [(each.job, each.verdict) for each in settled] == [(0, "adopted")]
    assert "mark" in settled[0].evidence
    ours = [settled[0].batch_id, *submitted]
    assert sorted(batch["id"] for batch in listed["data"]) == sorted(map(str, ours))
    assert len(ours) == jobs
    for item in manager.items():
        assert item.raw is not None
        assert item.status == "completed" if name == "llmock" else "Say" in str(item.raw)


def _told(path: Path) -> tuple[list[SubmissionSettled], list[str]]:
    """What was settled, and the batches that were created in plain sight."""
    log = read_log(path)
    try:
        (stream,) = log.streams()
        events = [record.event for record in log.events(stream)]
    finally:
        log.close()
    settled = [event for event in events if isinstance(event, SubmissionSettled)]
    return settled, [event.batch_id for event in events if isinstance(event, BatchSubmitted)]
