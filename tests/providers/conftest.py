"""The real client against real servers on loopback, and recorded API traffic, where it is at hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from batchata.providers.anthropic.client import AnthropicClient
from batchata.sandbox import Sandbox


@pytest.fixture(scope="session")
def recorded(shared: Path) -> Path:
    """The directory of recorded Anthropic API traffic."""
    return shared / "anthropic"


@dataclass
class Script:
    """A server that answers every call by the script, and what it was asked."""

    url: str
    replies: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def says(self, status: int, body: bytes | str, **headers: str) -> None:
        """The next answer, or the only one from here on when it is the last."""
        content = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.replies.append((status, named, content))


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: two would wait for the client's delayed acknowledgement

    def do_GET(self) -> None:
        script: Script = self.server.script  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        script.asked.append((self.command, self.path, headers, body))
        status, extra, content = script.replies.pop(0) if len(script.replies) > 1 else script.replies[0]
        self.send_response(status)
        for name, value in ({"content-type": "application/json"} | extra).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        """Nothing: pytest's output is for failures."""


@contextmanager
def answering() -> Iterator[Script]:
    """A real server on loopback that says what it is told to say."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    server.script = Script(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.script  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def script() -> Iterator[Script]:
    """A real server on loopback that says what it is told to say."""
    with answering() as made:
        yield made


@pytest.fixture(scope="session")
def google_credentials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Application default credentials, whose tokens a server on loopback gives out."""
    pytest.importorskip("google.auth", reason="Google's credentials are not installed here")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("google") / "credentials.json"
    with answering() as tokens:
        tokens.says(200, json.dumps({"access_token": "token", "expires_in": 3600, "token_type": "Bearer"}))
        account = {
            "type": "service_account",
            "client_email": "batches@project.iam.gserviceaccount.com",
            "private_key": private.decode(),
            "private_key_id": "1",
            "project_id": "project",
            "token_uri": f"{tokens.url}/token",
        }
        path.write_text(json.dumps(account), encoding="utf-8")
        yield path


@pytest.fixture
def serve() -> Iterator[Callable[..., Sandbox]]:
    """Starts sandboxes that end with the test."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(Sandbox(*args, **options))


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AnthropicClient]:
    """The provider as a user has it: address and key come from the environment."""

    def provider(server: Sandbox | Script | str, **options: Any) -> AnthropicClient:
        monkeypatch.setenv("ANTHROPIC_API_KEY", Sandbox.api_key)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server if isinstance(server, str) else server.url)
        return AnthropicClient(**options)

    return provider


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the rules of the contract that each door keeps, and those whose subject it lacks."""
    counts: Counter[tuple[str, str]] = Counter()
    for outcome in ("passed", "skipped"):
        for report in terminalreporter.getreports(outcome):
            door = dict(report.user_properties).get("door")
            counts[str(door), outcome] += door is not None and (outcome == "skipped" or report.when == "call")
    for door in sorted({door for (door, _), count in counts.items() if count}):
        kept, lacking = counts[door, "passed"], counts[door, "skipped"]
        terminalreporter.write_line(f"contract, {door}: {kept} kept, {lacking} without a subject there")
