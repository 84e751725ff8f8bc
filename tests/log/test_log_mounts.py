"""Which paths lie on network file systems, by a text like /proc/mounts."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from batchata.log import open_log
from batchata.log.sqlite.files import network_file_system

MOUNTS = r"""/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/vdb /home/local ext4 rw 0 0
//nas/share /mnt/my\040share cifs rw 0 0
host /host 9p rw 0 0
someone@there:/ /mnt/ssh fuse.sshfs rw 0 0
server:/old /data nfs rw 0 0
/dev/vdc /data xfs rw 0 0
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/log.db", None),
        ("/home/me/log.db", "nfs4"),
        ("/homer/log.db", None),
        ("/home/local/log.db", None),
        ("/mnt/my share/log.db", "cifs"),
        ("/mnt/ssh/a/log.db", "fuse.sshfs"),
        ("/host/log.db", None),
        ("/data/log.db", None),
    ],
)
def test_the_closest_mount_decides(path: str, kind: str | None) -> None:
    """The longest mount point above the path, the last one of the same name; local ones are no network."""
    assert network_file_system(path, MOUNTS) == kind


def test_a_local_log_gives_no_warning(tmp_path: Path) -> None:
    """Opening a log here is quiet."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_log(tmp_path / "log.db").close()
