"""Serve the Anthropic Message Batches protocol offline, for tests and examples."""

from __future__ import annotations

import os
from typing import Any

from batchata.sandbox.faults import Faults
from batchata.sandbox.sandbox import Sandbox
from batchata.sandbox.values import Answer, BatchView, Document, Request

__all__ = ["Answer", "BatchView", "Document", "Faults", "Request", "Sandbox", "use"]


def use(**options: Any) -> Sandbox:
    """Start a sandbox in this process and have every run that begins after it go there; return it.

        batchata.sandbox.use()

    The options are those of `Sandbox`. It sets the variables in which the SDKs look for address and key, and
    ends with the process, with all that it has answered; `state="folder/"` keeps that.
    """
    sandbox = Sandbox(**options).start()
    os.environ.update(sandbox.environment)
    return sandbox
