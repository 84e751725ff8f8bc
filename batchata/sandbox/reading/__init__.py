"""Read answers from a request's text and documents, by rules."""

from __future__ import annotations

from batchata.sandbox.reading.reader import MIXED, STYLES, read

__all__ = ["MIXED", "STYLES", "read"]
