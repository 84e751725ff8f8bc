"""The notebook of the examples runs, and shows what it shows as it was kept."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from forked import run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOK = EXAMPLES / "walkthrough.ipynb"


def cells() -> list[dict[str, Any]]:
    """Its cells with code."""
    kept: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in kept["cells"] if cell["cell_type"] == "code"]


def test_its_cells_run_in_their_order() -> None:
    """As one script, offline."""
    done = run(["-c", "\n\n".join("".join(cell["source"]) for cell in cells())], cwd=EXAMPLES)
    assert done.returncode == 0, done.stderr
    assert "Brightwater Software Inc. 857.0 [2] 0.010715" in done.stdout


def test_it_was_kept_as_it_was_run() -> None:
    """Every cell has its outputs, none an error or on standard error, and no paths of a machine."""
    kept = cells()
    assert [cell["execution_count"] for cell in kept] == list(range(1, len(kept) + 1))
    outputs = [output for cell in kept for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} == {"execute_result", "display_data", "stream"}
    assert {output.get("name") for output in outputs} == {None, "stdout"}
    assert re.search(r"/(home|root|tmp|Users)/", NOTEBOOK.read_text(encoding="utf-8")) is None


def test_a_kernel_shows_one_line_in_place_and_short_tracebacks(tmp_path: Path) -> None:
    """Progress replaces itself, the account is no red error, and an error shows the cell's own line alone."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    new = nbformat.v4
    asked = [
        "import batchata.sandbox; batchata.sandbox.use(); given = {'model': 'claude-haiku-5-5'}",
        "batchata.BatchManager(messages=['hi'] * 4, items_per_job=1, **given).run(print_progress=True)",
        "batchata.BatchManager(messages=['hi'], temperature=1, **given)",
    ]
    book = new.new_notebook(cells=[new.new_code_cell(source) for source in asked])
    nbclient.NotebookClient(
        book, allow_errors=True, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute(env={**os.environ, "IPYTHONDIR": str(tmp_path)})
    told = [output for output in book.cells[1].outputs if "UnsavedRunWarning" not in output.get("text", "")]
    assert [output.output_type for output in told] == [
        "display_data",
        *["stream"] * (len(told) - 2),
        "execute_result",
    ]
    assert "4/4 items · jobs 4/4" in told[0].data["text/plain"]
    assert {output.name for output in told[1:-1]} == {"stdout"}
    (error,) = book.cells[2].outputs
    # Since Python 3.13 a call is underlined.
    lines = [line for line in "\n".join(error.traceback).splitlines() if set(line) - {*" ~^"}]
    assert len(lines) == 3
    assert "temperature=1, **given" in lines[1]
    assert lines[2].startswith("batchata.errors.InvalidInputError: temperature cannot be given")
