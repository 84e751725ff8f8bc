"""Serve the Anthropic Message Batches protocol offline, for tests and examples."""

from __future__ import annotations

from batchata.sandbox.faults import Faults
from batchata.sandbox.sandbox import Sandbox
from batchata.sandbox.values import Answer, BatchView, Document, Request

__all__ = ["Answer", "BatchView", "Document", "Faults", "Request", "Sandbox"]
