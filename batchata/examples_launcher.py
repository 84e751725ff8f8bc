"""The examples as console scripts: where they lie in a wheel and in a checkout."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_PLACES = (_PACKAGE / "examples", _PACKAGE.parent / "examples")


def spam_detection() -> None:
    """`batchata-example`."""
    _run("spam_detection.py")


def pdf_extraction() -> None:
    """`batchata-pdf-example`."""
    _run("pdf_extraction.py")


def _run(name: str) -> None:
    folder = next((place for place in _PLACES if (place / name).is_file()), None)
    if folder is None:
        raise SystemExit(f"{name} is in none of {', '.join(map(str, _PLACES))}; reinstall batchata")
    sys.path.insert(0, str(folder))  # for the module that the examples share
    runpy.run_path(str(folder / name), run_name="__main__")
