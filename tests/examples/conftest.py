"""Examples as their users run them: processes of their own, started somewhere else, without a key.

They are forked from a process that has the SDK imported, but for those that bring a library of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forked import Program
from ran import Ran

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"

type Told = Callable[[str], Any]
type Process = Program | subprocess.Popen[str]

# A proxy that nobody can reach: an offline example must not ask it for this machine.
_PROXIES = dict.fromkeys(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"], "http://127.0.0.1:9")
# Without bytecode, each of two dozen processes would compile every module anew.
_DROPPED = ("ANTHROPIC_", "LIVE", "NO_PROXY", "no_proxy", "PYTHONDONTWRITEBYTECODE")


class Runner:
    """Starts scripts in one directory of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *arguments: object, **env: str) -> Process:
        """A Python process with these arguments; a script's bare name is that of an example."""
        first, *rest = map(str, arguments)
        script = str(EXAMPLES / first) if (EXAMPLES / first).is_file() else first
        clean = {name: value for name, value in os.environ.items() if not name.startswith(_DROPPED)}
        given = {**clean, **_PROXIES, "COLUMNS": "80", **env}
        if "PYTHONPATH" not in env:
            return Program([script, *rest], cwd=self.folder, env=given)
        return subprocess.Popen(
            [sys.executable, script, *rest],
            cwd=self.folder,
            env=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: object, **env: str) -> Ran:
        """Start, and wait for the end."""
        began = time.monotonic()
        return self.end(self.start(*arguments, **env), began)

    def end(self, process: Process, began: float) -> Ran:
        out, err = process.communicate(timeout=300)
        return Ran(process.returncode or 0, out, err, time.monotonic() - began)

    def stop_when(self, due: Callable[[Path], bool], signal: int, *arguments: object) -> Ran:
        """Start, and send a signal as soon as the directory is as `due` wants it."""
        began = time.monotonic()
        process = self.start(*arguments)
        self.wait_for(due, process)
        process.send_signal(signal)
        return self.end(process, began)

    def wait_for(self, due: Callable[[Path], bool], process: Process) -> None:
        """Until the directory is as wanted, or the process has ended."""
        while not due(self.folder) and process.poll() is None:
            time.sleep(0.01)


@pytest.fixture
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, once_for_all: Any) -> Told:
    """What came of one of the STORIES of the test's module, which is told once in the whole run of tests."""
    stories = request.module.STORIES
    return lambda name: once_for_all(
        f"story of {name}", lambda: stories[name](Runner(tmp_path_factory.mktemp("elsewhere")))
    )


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """Runs scripts in the test's own directory."""
    return Runner(tmp_path)


@pytest.fixture(scope="session")
def expected() -> dict[str, dict[str, Any]]:
    """What the example documents truly say, by file name."""
    return dict(json.loads((EXAMPLES / "documents" / "expected.json").read_text()))
