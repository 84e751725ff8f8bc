"""Read answers from a request's text and documents, by rules."""

from __future__ import annotations

from batchata.sandbox.reading.reader import read
from batchata.sandbox.reading.styles import MIXED, STYLES

__all__ = ["MIXED", "STYLES", "read"]
