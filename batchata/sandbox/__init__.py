"""Serve the batch protocols of providers offline, for tests and examples."""

from __future__ import annotations

import os
from typing import Any

from batchata.sandbox.faults import Faults
from batchata.sandbox.sandbox import Sandbox
from batchata.sandbox.values import Answer, BatchView, Document, Request

__all__ = ["Answer", "BatchView", "Document", "Faults", "Request", "Sandbox", "use"]


_used: list[tuple[dict[str, Any], Sandbox]] = []  # the one that `use` has started, with its options


def use(**options: Any) -> Sandbox:
    """Start a sandbox in this process and have every run that begins after it go there; return it.

        batchata.sandbox.use()

    The options are those of `Sandbox`. It sets the variables in which clients look for address and key,
    whatever the provider, and ends with the process, with all that it has answered; `state="folder/"` keeps
    that. Called again with the same options, as by a cell that is run again, it is the same one; with others
    it takes its place.
    """
    started, sandbox = _used.pop() if _used else (None, None)
    if sandbox is None or started != options or not sandbox.is_running:
        if sandbox is not None:
            sandbox.stop()
        sandbox = Sandbox(**options).start()
    _used.append((options, sandbox))
    os.environ.update(sandbox.environment)
    return sandbox
