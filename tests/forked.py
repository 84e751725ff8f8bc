"""Programs in processes of their own, forked from one that has imported what they need (`zygote.py`).

A Python that starts afresh takes three seconds to import the SDK. Where the start itself is what a test is
about, it uses `subprocess`.
"""

from __future__ import annotations

import atexit
import ctypes
import io
import multiprocessing
import os
import pickle
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest

_TESTS = Path(__file__).resolve().parent

# One server has imported everything and forks a process per script.
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["zygote"])
_SHARED = ("_forkserver_address", "_forkserver_authkey")  # the second since Python 3.14


def start_zygote() -> None:
    """Start the server, unless it runs; it finds modules by the environment alone (Python 3.12)."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", os.pathsep.join([str(_TESTS), *filter(None, sys.path)]))
        if (library := recorder()) is not None:
            environment.setenv("LD_PRELOAD", str(library))
        forkserver._forkserver.ensure_running()  # type: ignore[attr-defined]


def share_zygote(note: Path) -> None:
    """Start the server, and leave its address in the file for other processes of these tests."""
    start_zygote()
    server = forkserver._forkserver  # type: ignore[attr-defined]
    known = {name: getattr(server, name, None) for name in _SHARED}
    note.write_bytes(pickle.dumps(known))


def use_shared_zygote(note: Path) -> None:
    """Use the server whose address is in the file, if there is one; it ends with whoever started it."""
    if note.exists():
        server = forkserver._forkserver  # type: ignore[attr-defined]
        known = pickle.loads(note.read_bytes())
        vars(server).update(known, _forkserver_alive_fd=os.pipe()[1], ensure_running=lambda: None)


@cache
def recorder() -> Path | None:
    """The library that records what a script asks of the disk, if it wants that; None without a compiler."""
    source = _TESTS / "run" / "disk_recorder.c"
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "built.so"
        try:
            subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", built, source, "-ldl"], check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return lasting("disk_recorder", ".so", built.read_bytes())


def lasting(name: str, ending: str, content: bytes) -> Path:
    """Keep a file for as long as a process may start, which may be after the tests have ended."""
    kept = Path(tempfile.gettempdir()) / f"{name}-{sha256(content).hexdigest()[:16]}{ending}"
    if not kept.exists():
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "whole"
            whole.write_bytes(content)
            whole.replace(kept)
    return kept


class Program:
    """A Python program in a process of its own, with what the tests use of `subprocess.Popen`.

    `arguments` are those of `python`: -c and code, -m and a module, or a file, and what the program gets.
    After a Ctrl-C that it does not take it ends with 130, as shells say it.
    """

    def __init__(
        self, arguments: Sequence[object], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        start_zygote()
        out, told_out = context.Pipe(duplex=False)
        err, told_err = context.Pipe(duplex=False)
        environment = dict(os.environ if env is None else env)
        folder = Path.cwd() if cwd is None else cwd
        self._process = context.Process(
            target=_program,
            args=([*map(str, arguments)], folder, environment, told_out, told_err),
            daemon=True,
        )
        self._process.start()
        told_out.close()
        told_err.close()
        self.pid = self._process.pid or 0
        self.stdout, self.stderr = (_text(end) for end in (out, err))

    @property
    def returncode(self) -> int | None:
        """How it ended, minus the signal that ended it; None while it goes on."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Everything it writes to its standard output and error, to its end; it is killed after `timeout`."""
        told: list[str] = []
        reading = threading.Thread(target=lambda: told.append(self.stderr.read()))
        late = threading.Timer(timeout, self.kill)
        for thread in (reading, late):
            thread.start()
        with self.stdout, self.stderr:
            said = self.stdout.read()
            reading.join()
        self._process.join()
        late.cancel()
        return said, told[0]


def run(
    arguments: Sequence[object],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as `subprocess.run` does that captures what is printed."""
    program = Program(arguments, cwd=cwd, env=env)
    out, err = program.communicate(300)
    done = subprocess.CompletedProcess([*map(str, arguments)], program.returncode or 0, out, err)
    if check:
        assert done.returncode == 0, err
    return done


def _text(end: Connection) -> io.TextIOWrapper:
    with end:
        return os.fdopen(os.dup(end.fileno()), encoding="utf-8")


def _program(
    arguments: list[str], cwd: Path, environment: dict[str, str], out: Connection, err: Connection
) -> NoReturn:
    """In the forked process: be what `python` with these arguments is, from its first line to its end."""
    ended: list[int] = []
    _begin(cwd, environment, out, err)
    atexit.register(_leave, ended)  # the first one is called last
    try:
        code = _main(arguments)
    except BaseException as exc:  # noqa: BLE001 - as at the end of every Python program
        sys.last_exc = exc
        sys.excepthook(type(exc), exc, exc.__traceback__)
        code = 130 if isinstance(exc, KeyboardInterrupt) else 1
    ended.append(code)
    ctypes.pythonapi.Py_Exit(code)  # threads are waited for, exit functions called: Python comes to its end
    raise AssertionError("it goes on")


def _begin(cwd: Path, environment: dict[str, str], out: Connection, err: Connection) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    atexit._clear()
    for end, number in ((out, 1), (err, 2)):
        os.dup2(end.fileno(), number)
        end.close()
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    sys.stdout = sys.__stdout__ = open(1, "w", encoding=encoding, closefd=False)  # type: ignore[misc] # noqa: SIM115 - open to the end of the process
    sys.stderr = sys.__stderr__ = open(  # type: ignore[misc] # noqa: SIM115 - open to the end of the process
        2, "w", encoding=encoding, errors="backslashreplace", buffering=1, closefd=False
    )
    sys.path[:] = [path for path in sys.path if not Path(path).is_relative_to(_TESTS)]


def _leave(ended: list[int]) -> None:
    """Spare it what Python does after all else: it takes thousands of modules apart, for 0.1 s of CPU."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(ended[0])


def _main(arguments: list[str]) -> int:
    """Run the program, and return what it exits with."""
    first, *rest = arguments
    try:
        match first:
            case "-c":
                sys.argv = ["-c", *rest[1:]]
                sys.path.insert(0, "")
                sys.modules["__main__"] = main = ModuleType("__main__")
                exec(compile(rest[0], "<string>", "exec"), main.__dict__)
            case "-m":
                sys.argv = rest
                sys.path.insert(0, str(Path.cwd()))
                runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
            case _:
                sys.argv = arguments
                sys.path.insert(0, str(Path(first).resolve().parent))
                runpy.run_path(first, run_name="__main__")
    except SystemExit as exc:
        if exc.code is None or isinstance(exc.code, int):
            return exc.code or 0
        sys.stderr.write(f"{exc.code}\n")
        return 1
    return 0
