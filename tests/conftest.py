"""What all tests share: an environment of their own, the real documents, and how results are told."""

from __future__ import annotations

import faulthandler
import gc
import importlib
import os
import pickle
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import certifi
import forked
import forked_workers
import postgres_server
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from typer.main import get_command

from batchata.providers.openai.services import SERVICES
from batchata.sandbox import Sandbox

REPOSITORY = Path(__file__).resolve().parent.parent

# The files whose single tests take seconds come first, so that no worker is left alone with them at the end.
_LONG = (
    "test_crash_matrix",
    "test_power_loss",
    "test_random_histories",
    "test_limit_property",
    "test_packaging",
    "test_readme",
    "test_examples_launcher",
)
# What each tells is told once for all of its tests, and is mostly a wait for a simulated service.
_TOLD_ONCE = ("test_examples_demo", "test_examples_offline", "test_examples_live")
# They look through our own source, which is parsed once; meanwhile most of the others wait for processes.
_OF_THE_SOURCE = ("test_layers", "test_messages")

_MEMORY = Path("/dev/shm")
_ROOM = 8_000_000_000  # bytes free, for what all tests leave until their end

# The folders most of whose processes are forked (`forked.py`), and the file that says from where.
_FORKING = {"cli", "examples", "replay", "run", "sandbox"}
_ZYGOTE = "zygote"

# A third of a second each. Polars is not among them: its threads would be missing after a fork.
_SHARED_LIBRARIES = ("pandas", "fpdf", "alembic.command", "sqlmodel")

_HANGS = 600.0  # seconds after which a test that hangs shows where
_REARMED = 60.0  # seconds; to arm the timer for each of thousands of tests means to start a thread for each

type OnceForAll = Callable[[str, Callable[[], Any]], Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests run in forked processes."""
    forked_workers.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    """What a test's processes inherit is what a terminal would give them."""
    _keep_temporary_files_in_memory()
    gc.disable()  # until all is collected: looking through what stays is a quarter of the time
    # Without bytecode each of some hundred processes would compile every module anew, and this one its tests.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # How long a draw or an example takes says how busy the machine is, and nothing of the code.
    drawn = 400 if "BATCHATA_THOROUGH" in os.environ else 25
    busy = [HealthCheck.too_slow]
    settings.register_profile("any machine", max_examples=drawn, deadline=None, suppress_health_check=busy)
    settings.load_profile("any machine")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # started by `&` in a script
    config.pluginmanager.register(_Watch())
    if number := forked_workers.forks(config):
        config.pluginmanager.register(forked_workers.Forks(number, _LONG, (_TOLD_ONCE, _OF_THE_SOURCE)))


def _keep_temporary_files_in_memory() -> None:
    """Wait for no disk, which may be busy; `test_power_loss.py` is about what a disk keeps."""
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long ones."""
    items.sort(key=lambda item: item.path.stem not in (*_TOLD_ONCE, *_OF_THE_SOURCE, *_LONG))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep the garbage collector from walking through the SDK and all tests again and again."""
    config = session.config
    if forked_workers.forks(config) and any(_folder_of(item.nodeid) in _FORKING for item in session.items):
        _share_zygote(_folder_of_all(config))
    if _all_are_forked(config):
        _import_what_many_use()
    gc.freeze()
    gc.enable()


def _all_are_forked(config: pytest.Config) -> bool:
    """Whether all tests there are run in forked workers."""
    return bool(forked_workers.forks(config)) and config.args_source is pytest.Config.ArgsSource.TESTPATHS


def _import_what_many_use() -> None:
    """Import once, before the workers are forked, what each of them would import for some test."""
    for name in _SHARED_LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)


class _Watch:
    """Shows where a test hangs; `faulthandler_timeout` would do so with a thread for each test."""

    def __init__(self) -> None:
        self._armed = -_REARMED
        self._told = os.dup(sys.__stderr__.fileno()) if sys.__stderr__ is not None else 2

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        # Hypothesis times collections in a function of its own, where a later test's Ctrl-C would be lost.
        gc.callbacks.clear()
        now = time.monotonic()
        if now - self._armed >= _REARMED:
            self._armed = now
            faulthandler.dump_traceback_later(_HANGS + _REARMED, file=self._told)

    def pytest_exception_interact(self) -> None:
        self._armed = -_REARMED  # pytest's own plugin has cancelled the timer

    def pytest_unconfigure(self) -> None:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Says at the end of pytest's output what was measured."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures, of whichever worker."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "figure":
                terminalreporter.write_line(str(text))


def _folder_of_all(config: pytest.Config) -> Path:
    """The folder of temporary files that this run's workers have in common."""
    if forked_workers.FOLDER in config.stash:
        return config.stash[forked_workers.FOLDER]
    base: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    return base


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start that server while one process collects, where all tests are to be run in forked ones."""
    config = session.config
    if forked_workers.forks(config):
        base: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        config.stash[forked_workers.FOLDER] = base
        if _all_are_forked(config):
            _share_zygote(base)


def _share_zygote(folder: Path) -> None:
    note = folder / _ZYGOTE
    if not note.exists():
        with pytest.MonkeyPatch.context() as environment:
            _leave_accounts(environment)
            environment.delenv("COLUMNS", raising=False)
            environment.setenv("SSL_CERT_FILE", str(_one_authority()))
            forked.share_zygote(note)


def _folder_of(nodeid: str) -> str:
    return PurePosixPath(nodeid.partition("::")[0]).parent.name


@pytest.fixture(autouse=True, scope="session")
def _one_zygote(request: pytest.FixtureRequest) -> None:
    """One server forks the scripts of all workers; without workers a test starts its own."""
    forked.use_shared_zygote(_folder_of_all(request.config) / _ZYGOTE)


@pytest.fixture(scope="session")
def once_for_all(request: pytest.FixtureRequest) -> OnceForAll:
    """What takes long and can be pickled is made by one worker, and read by the others."""
    folder = _folder_of_all(request.config)

    def make(name: str, made: Callable[[], Any]) -> Any:
        kept = folder / f"{name}.pickle"
        with FileLock(f"{kept}.lock"):
            if not kept.exists():
                kept.write_bytes(pickle.dumps(made()))
        return pickle.loads(kept.read_bytes())

    return make


@pytest.fixture(scope="session")
def postgres_of_all(request: pytest.FixtureRequest) -> postgres_server.Server:
    """The PostgreSQL server of this run; the test is skipped where none can be had."""
    return postgres_server.shared(_folder_of_all(request.config))


@pytest.fixture
def postgres(postgres_of_all: postgres_server.Server) -> Iterator[str]:
    """The address of an empty schema in it, which is dropped afterwards."""
    with postgres_of_all.schema() as url:
        yield url


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the server that the workers shared."""
    postgres_server.end_shared(_folder_of_all(session.config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Name what failed as the very last, where a `tail` of any length finds it."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    failed = [report.nodeid for kind in ("failed", "error") for report in reporter.getreports(kind)]
    for nodeid in dict.fromkeys(failed):
        reporter.write_line(f"FAILED {nodeid}")


_LIKE_OPENAI = (service.key.partition("_")[0] for service in SERVICES.values() if service.key)
_ACCOUNTS = tuple(f"{whose}_" for whose in ("ANTHROPIC", "GEMINI", "GOOGLE", *_LIKE_OPENAI))


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test may reach a real account: only what a test sets up is there to be used.

    What is printed goes into a pipe of no width, and what `batchata.sandbox.use()` set ends with the test.
    """
    _leave_accounts(monkeypatch)
    monkeypatch.delenv("COLUMNS", raising=False)
    unproxied = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    yield
    for name, value in unproxied.items():
        os.environ.pop(name, None)
        os.environ.update({} if value is None else {name: value})


@pytest.fixture(autouse=True, scope="session")
def _one_certificate() -> Iterator[None]:
    """A bundle of one authority: loading all takes each new client 80 ms, and no test uses TLS."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", str(_one_authority()))
        yield


@pytest.fixture(autouse=True, scope="session")
def _one_command() -> Iterator[None]:
    """Typer reads all signatures anew for each call in a test: two thirds of the time of a command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(get_command))
        yield


def _leave_accounts(environment: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(_ACCOUNTS)]:
        environment.delenv(name)


@cache
def _one_authority() -> Path:
    end = "-----END CERTIFICATE-----\n"
    first = Path(certifi.where()).read_text(encoding="utf-8").partition(end)[0]
    return forked.lasting("one_authority", ".pem", (first + end).encode())


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox that the SDK finds through its environment variables."""
    with Sandbox() as running:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", running.api_key)
        yield running


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real documents and recordings, which is not part of the repository."""
    folder = Path(os.environ.get("BATCHATA_SHARED", REPOSITORY.parent / "shared" / "data" / "dev"))
    if not folder.is_dir():
        pytest.skip("the real documents (../shared/data/dev) are not here")
    return folder
