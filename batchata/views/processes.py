"""Whether the process that drove a run is still there, as far as this machine can tell."""

from __future__ import annotations

import os
import socket

from batchata.core.values import Process


def is_alive(process: Process | None) -> bool | None:
    """Whether a process of that number exists here; None when it ran on another host or nobody can tell."""
    # Elsewhere than on POSIX, os.kill(pid, 0) is not a question but a signal.
    if process is None or os.name != "posix" or process.host != socket.gethostname() or process.pid <= 0:
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OverflowError:
        return None
    return True
