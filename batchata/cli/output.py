"""Write the results of a run to the file that the user names."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from batchata.core.values import Process
from batchata.errors import ConfigurationError, InvalidInputError
from batchata.manager import BatchManager
from batchata.replay.export import Format, write_results
from batchata.run.definition import this_process
from batchata.views.history import fold_events, is_alive
from batchata.views.response_models import RunReader

_NEEDS: Final = {"parquet": "pyarrow", "xlsx": "openpyxl"}
_TABLES: Final = ("csv", "jsonl", "xlsx", "parquet")


class Output:
    """A place for results, checked before anything is paid for; what is there is replaced.

    Raises InvalidInputError for a place that cannot be written, ConfigurationError without the package that
    writes it.
    """

    def __init__(self, out: str | None) -> None:
        self._path = None if out is None else Path(out)
        if self._path is not None:
            self._format = _format_of(self._path)
            _check(self._path, self._format)

    def write(self, manager: BatchManager[Any]) -> list[Path]:
        """Write the results that there are so far; return the files, or the folder."""
        if self._path is None:
            return []
        log, run_id = manager.open_log(), manager.run_id
        assert run_id is not None
        _sweep(self._path.parent)
        work = Path(mkdtemp(prefix=_prefix(this_process()), dir=self._path.parent))
        try:
            run = fold_events(log, run_id)
            folder = self._path if self._format is Format.JSON else work
            write_results(log, run, folder, self._format, RunReader.of(run, None), force=True)
            return [self._path] if self._format is Format.JSON else _moved(work, self._path)
        finally:
            shutil.rmtree(work)
            log.close()


def _prefix(process: Process) -> str:
    """Return how the name of a folder begins in which a process writes what is to be moved."""
    return f".batchata-{process.host}-{process.pid}-"


def _sweep(folder: Path) -> None:
    """Remove what processes of this host left here when they were killed."""
    for path in folder.glob(".batchata-*-*"):
        of, _, pid = path.name.removeprefix(".batchata-").rpartition("-")[0].rpartition("-")
        if pid.isdecimal() and is_alive(Process(pid=int(pid), host=of)) is False:
            shutil.rmtree(path, ignore_errors=True)


def _moved(work: Path, out: Path) -> list[Path]:
    """Move `results.…` to where the user wants it, and the file that belongs to it beside it."""
    return [
        each.replace(out.with_name(f"{out.stem}{each.stem.removeprefix('results')}{out.suffix}"))
        for each in sorted(work.iterdir())
    ]


def _format_of(path: Path) -> Format:
    ending = path.suffix.lower().removeprefix(".")
    if ending in _TABLES:
        return Format(ending)
    if ending:
        raise InvalidInputError(f"-o {path}: results are written as {', '.join(_TABLES)}, or to a folder")
    return Format.JSON


def _check(path: Path, format: Format) -> None:
    if not path.parent.is_dir():
        raise InvalidInputError(f"-o {path}: there is no folder {path.parent}; make it, or name another")
    if format is not Format.JSON and path.is_dir():
        raise InvalidInputError(f"-o {path} is a folder; name a file")
    package = _NEEDS.get(format)
    if package is not None and find_spec(package) is None:
        raise ConfigurationError(f"-o {path} needs {package}: pip install 'batchata[{format}]'")
