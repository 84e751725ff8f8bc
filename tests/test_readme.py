"""The README's code runs as it is pasted, and what it names exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from forked import run

from batchata.sandbox import Sandbox

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_first_python_block_runs_as_pasted(sandbox: Sandbox, tmp_path: Path) -> None:
    """Someone pastes the first screen into a file and gets typed, cited results with their cost."""
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "vendor='Brightwater Software Inc.' invoice_number='BW-10982' total=857.0 [2] 0.0" in done.stdout
    assert "2/2 items" in done.stderr


def test_the_first_python_block_is_checked_by_a_type_checker() -> None:
    """`make check` runs mypy strictly on the folder `typed`; one file of it is the first screen."""
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    assert code == (REPOSITORY / "tests" / "typed" / "first_screen.py").read_text(encoding="utf-8")


def test_the_citations_that_are_shown_are_those_of_the_first_block(sandbox: Sandbox, tmp_path: Path) -> None:
    """The loop behind it prints to the character what the README says."""
    found = re.findall(r"```\w*\n(.*?)```", README, re.DOTALL)
    shown = next(n for n, block in enumerate(found) if "c.grounded" in block)
    code = next(block for block in found if "BatchManager(" in block) + found[shown]
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    done = run(["-c", code], cwd=tmp_path)
    assert done.stdout.endswith(found[shown + 1]), done.stderr


def test_the_sandbox_block_runs_as_pasted() -> None:
    """The sandbox's few lines work without anything set up."""
    code = next(b for b in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "Sandbox(" in b)
    run(["-c", code], check=True)


def test_every_file_that_the_readme_names_exists() -> None:
    """Examples, links and folders are where they are said to be."""
    named = re.findall(r"`(examples/[\w/.-]+)`", README) + re.findall(r"\]\(([A-Z]+\.md)\)", README)
    assert len(named) >= 9
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


def test_the_make_targets_that_the_readme_names_exist() -> None:
    """`make demo`, `make test`, `make check`, `make bench` and `make wheel`."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:`|^)make (\w+)", README, re.MULTILINE))
    assert {"demo", "test", "check", "bench", "wheel"} <= targets
    assert [target for target in targets if f"\n{target}:" not in makefile] == []
