"""The wheel holds all that an installed Batchata needs, and works without a checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from batchata.sandbox import Sandbox

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(
    once_for_all: Callable[[str, Callable[[], Path]], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A wheel that was built from this checkout."""
    return once_for_all("wheel", lambda: _built(tmp_path_factory.mktemp("dist")))


def _built(dist: Path) -> Path:
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(dist),
        str(REPOSITORY),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (built,) = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's contents."""
    folder = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with the wheel's contents before everything else, far from the checkout."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_an_index_takes_the_wheel_and_shows_its_page(wheel: Path) -> None:
    """As `twine check --strict` has it; its version is the newest that the changelog has."""
    twine = pytest.importorskip("twine.commands.check")
    assert twine.check([str(wheel)], strict=True) is False  # no failure
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d[\w.]*)\]", changelog, re.MULTILINE)
    assert wheel.name.startswith(f"batchata-{released[0]}-")


def test_migrations_examples_and_types_are_inside(installed: Path) -> None:
    """Migrations and examples live beside the package in a checkout and inside it in a wheel."""
    package = installed / "batchata"
    assert (package / "py.typed").exists()
    assert {p.name for p in (REPOSITORY / "migrations" / "versions").glob("*.py")} == {
        p.name for p in (package / "migrations" / "versions").glob("*.py")
    }
    assert (package / "examples" / "documents" / "expected.json").exists()
    report = "batchata/replay/report/assets"
    assert {p.name for p in (REPOSITORY / report).iterdir()} == {
        p.name for p in (installed / report).iterdir()
    }
    assert not list(installed.rglob("*.pyc"))


def test_the_wheel_alone_runs_replays_and_has_its_examples(
    installed: Path, tmp_path: Path, sandbox: Sandbox
) -> None:
    """In an empty folder a run makes a log with the wheel's own migrations, which replay reads.

    batchata-example and batchata-pdf-example find their examples inside the wheel.
    """
    code = (
        "import batchata, sys; assert batchata.__file__.startswith(sys.argv[1]), batchata.__file__;"
        "m = batchata.BatchManager(messages=[[{'role': 'user', 'content': 'hello'}]],"
        " model='claude-haiku-5-5', state_path='run.db', poll_interval=0.01); print(m.run());"
        "from batchata.replay.cli import app; app(['run.db'], standalone_mode=False);"
        "app(['report', 'run.db', 'run.html'], standalone_mode=False);"
        "from batchata.examples_launcher import pdf_extraction, spam_detection;"
        "sys.argv[1:] = []; spam_detection(); pdf_extraction()"
    )
    done = run(installed, tmp_path, "-c", code, str(installed))
    assert done.returncode == 0, done.stderr
    assert "'completed_items': 1" in done.stdout
    assert "1 completed" in done.stdout
    assert (tmp_path / "run.html").read_text().rstrip().endswith("</html>")
    assert "SPAM" in done.stdout
    assert "Brightwater" in done.stdout
