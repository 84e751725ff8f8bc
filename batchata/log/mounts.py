"""Which file systems are networked, where SQLite's shared memory does not work."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from batchata.errors import BatchataWarning

_NETWORKED = frozenset(
    (
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "ceph",
        "glusterfs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "lustre",
    )
)
_MOUNTS = Path("/proc/self/mounts")  # Linux only; elsewhere nothing is detected


def warn_if_networked(path: str) -> None:
    """Warn when the log lies on a network file system; silent where that cannot be told."""
    try:
        mounts = _MOUNTS.read_text(errors="surrogateescape")
    except OSError:
        return
    kind = network_file_system(path, mounts)
    if kind:
        warnings.warn(
            f"{path} lies on a network file system ({kind}), where SQLite logs can be damaged; "
            "keep the log on a local disk",
            BatchataWarning,
            stacklevel=4,
        )


def network_file_system(path: str, mounts: str) -> str | None:
    """The type of network file system that the absolute path lies on, or None; `mounts` as in /proc."""
    kind, longest = "", -1
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1])
        # Later lines cover earlier ones of the same mount point.
        if _lies_below(path, point) and len(point) >= longest:
            kind, longest = fields[2], len(point)
    return kind if kind in _NETWORKED else None


def _lies_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")
