"""The console scripts find the examples in a checkout; `test_packaging.py` has a wheel's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import batchata

ROOT = Path(__file__).resolve().parents[2]
CALL = "import batchata, batchata.examples_launcher as launcher; print(batchata.__file__); launcher.{}()"


def test_a_checkout_runs_the_examples_beside_the_package(runner: Any) -> None:
    """`batchata-pdf-example --help` of an editable installation: the arguments are the example's own."""
    ran = runner.run("-c", CALL.format("pdf_extraction"), "--help")
    assert ran.code == 0, ran.err
    assert ran.out.startswith(str(batchata.__file__))
    assert "PDF extraction: invoices in, typed invoices out." in ran.out
    assert "--live" in ran.out


def test_a_broken_installation_is_told(runner: Any, tmp_path: Path) -> None:
    """Without the examples the launcher says where it looked."""
    site = tmp_path / "site"
    (site / "batchata").mkdir(parents=True)
    for name in ("__init__.py", "garbage.py", "examples_launcher.py"):
        shutil.copy(ROOT / "batchata" / name, site / "batchata")
    ran = runner.run("-c", CALL.format("spam_detection"), PYTHONPATH=str(site))
    assert ran.code == 1
    assert ran.err.startswith("spam_detection.py is in none of ")
