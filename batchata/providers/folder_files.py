"""Name the files of batches that are run by hand: requests, and results beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["REQUESTS", "RESULTS", "file_of"]

REQUESTS: Final = ".jsonl"
RESULTS: Final = ".results.jsonl"


def file_of(folder: Path, mark: str, ending: str) -> Path:
    """Return the file of the batch with this mark; no mark leads out of the folder."""
    return folder / f"{Path(mark).name}{ending}"
