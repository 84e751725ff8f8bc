"""A file system whose files may kill the process that reads them; imported by workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import fsspec
from elsewhere_support import Placed
from fsspec.implementations.local import LocalFileSystem


class Filed(Placed):
    """An echo whose worker has this file system, too."""


class DeadlyFiles(LocalFileSystem):
    """Local files, of which one beside a file "armed" kills the process that reads it, once."""

    protocol = "deadly"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("deadly://").lstrip("/")

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """The bytes of the file, or the end of the process."""
        local = Path(self._strip_protocol(path))
        armed = local.with_name("armed")
        if armed.exists():
            armed.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return local.read_bytes()[start:end]


fsspec.register_implementation("deadly", "deadly_files.DeadlyFiles", clobber=True)
