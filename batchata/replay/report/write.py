"""The command `report`: where the file goes, and what it must not replace."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import typer

from batchata.clock import now
from batchata.errors import InvalidInputError, LogError
from batchata.replay.open_log import reading, the_run
from batchata.replay.report.page import GENERATOR, write_page
from batchata.replay.report.timeline import read_chronicle
from batchata.text import clean, number_of, size
from batchata.views.moments import parse_at
from batchata.views.results_dir import whole_file


def write_report(path: str, out: str, run_id: str | None, *, at: str | None) -> None:
    """Write the run of this id, or the only one, as one HTML file that its owner alone can read.

    The file appears when it is whole. A report of ours under that name is replaced, nothing else is.

    Raises LogError when `path` is no readable log, InvalidInputError when it holds no such run or moment,
    or when the file cannot be written.
    """
    wanted = None if at is None else parse_at(at, now())
    target = Path(out)
    with reading(path) as log:
        stream = the_run(log, path, run_id)
        _check(target, out)
        chronicle = read_chronicle(log, stream, wanted)
        run = chronicle.history.run
        if run.started is None:
            raise LogError(f"the run {stream!r} does not begin with run_started; it cannot be reported")
        head = None if wanted is not None else log.head(stream)
        try:
            with whole_file(target) as file:
                cut = write_page(file, log, stream, chronicle, run.started, head)
                written = file.tell()
        except OSError as exc:
            raise InvalidInputError(_unwritable(out, exc)) from exc
    typer.echo(f"{clean(out)}: {number_of(run.total, 'item')}, {size(written)}")
    if cut:
        typer.echo(f"long texts of {number_of(cut, 'item')} are cut in it; the log holds them in full")


def _check(target: Path, out: str) -> None:
    """Refuse what must not be replaced before anything is read."""
    try:
        found = target.stat()
        if stat.S_ISDIR(found.st_mode):
            raise InvalidInputError(f"{out} is a directory; name the file, such as {target / 'report.html'}")
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInputError(f"{out} is not a regular file; name one that ends in .html")
        if found.st_size and not _is_ours(target):
            raise InvalidInputError(
                f"{out} exists and is no report of ours; give another name, or remove it first"
            )
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise InvalidInputError(f"there is no directory {target.parent} to write {out} to") from None
    except OSError as exc:
        raise InvalidInputError(_unwritable(out, exc)) from exc
    if not os.access(target.parent, os.W_OK):
        raise InvalidInputError(f"{out} cannot be written: the directory {target.parent} is read-only")


def _is_ours(target: Path) -> bool:
    with target.open("rb") as file:
        return f'name="generator" content="{GENERATOR}"'.encode() in file.read(512)


def _unwritable(out: str, exc: OSError) -> str:
    return f"{out} cannot be written ({exc.strerror or exc}); make room or give another place"
