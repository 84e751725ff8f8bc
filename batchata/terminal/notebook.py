"""Show a run's progress in a notebook: one line below the cell, which changes in place."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import Any

from batchata.core.state import Run
from batchata.text import preformatted

__all__ = ["Line", "is_notebook"]

_AT_LEAST = 0.5  # seconds between two changes: each goes through the kernel's connection


def is_notebook() -> bool:
    """Whether this process is a notebook's kernel. Nothing is imported to find that out."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class Line:
    """One output of a cell, which is replaced; other outputs of the cell stay as they are."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown, self._at, self._status = "", 0.0, ""

    def show(self, text: str, run: Run) -> None:
        """Show the text instead of the last one, unless that was shown just now."""
        at = time.monotonic()
        if text == self._shown or (at - self._at < _AT_LEAST and run.status == self._status):
            return
        self._shown, self._at, self._status = text, at, run.status
        bundle = {"text/plain": text, "text/html": preformatted(text)}
        if self._handle is None:
            display = import_module("IPython.display").display  # it is there: the notebook is made of it
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
