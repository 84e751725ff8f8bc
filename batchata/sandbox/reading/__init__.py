"""The rule-based reader: answers a request from what stands in its text and documents."""

from __future__ import annotations

from batchata.sandbox.reading.reader import read
from batchata.sandbox.reading.styles import MIXED, STYLES

__all__ = ["MIXED", "STYLES", "read"]
