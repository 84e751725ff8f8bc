"""Write a run's results as files, from its log alone: `export`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import typer
from msgspec.structs import replace

from batchata.answers.answer import Block
from batchata.answers.reader import Reader, Reading
from batchata.core.money import plain_if_known
from batchata.core.state import Run
from batchata.core.values import Settings
from batchata.errors import InvalidInputError
from batchata.log.port import Log
from batchata.providers.registry import dialect_of
from batchata.replay.console import print_json, reading, the_run
from batchata.replay.table_files import CsvWriter, write_csv, write_json_lines, write_parquet, write_xlsx
from batchata.text import number_of
from batchata.views.column_types import Kind
from batchata.views.history import fold_events
from batchata.views.item_result import ItemResult, Support, result_values
from batchata.views.response_models import RunReader
from batchata.views.results import read_items, refuse_purged
from batchata.views.results_dir import ResultsWriter, make_folders, owner_of
from batchata.views.results_folder import Folders
from batchata.views.rows import CITATION_COLUMNS, cited_values
from batchata.views.tables import Table, flat_citations, provenance, row_columns
from batchata.views.whole_files import remove_unnamed, whole_file

_OURS = {
    "processed": re.compile(r"job_\d+_(?:results|support)\.json"),
    "raw": re.compile(r"job_\d+_raw\.jsonl"),
}


def make_room(folder: Path, format: str, *, force: bool) -> None:
    """Make sure that nothing is overwritten unasked, and that no older results stay among the new ones.

    With `force`, results that an earlier export or a run wrote there are removed. Raises InvalidInputError
    for what is in the way.
    """
    try:
        _check(folder, format, force)
    except OSError as exc:
        raise InvalidInputError(
            f"{exc.filename} cannot be used ({exc.strerror}); give another folder"
        ) from exc


def _written_to(folder: Path, format: str) -> list[Path]:
    """Return what an export makes or replaces below the folder."""
    if format != "json":
        return _tables(folder, format)
    inside = [folder / name for name in _OURS]
    return [*inside, *(path for home in inside if not home.is_symlink() for path in home.glob("*"))]


def _tables(folder: Path, format: str) -> list[Path]:
    """Return the file of a table; a CSV has its citations in a second one."""
    names = ["results", "results_citations"] if format == "csv" else ["results"]
    return [folder / f"{name}.{format}" for name in names]


def _check(folder: Path, format: str, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"{folder} is a file; give a folder")
    linked = [path for path in _written_to(folder, format) if path.is_symlink()]
    if linked:
        raise InvalidInputError(
            f"{linked[0]} is a link, and what is written there would land elsewhere; give another folder"
        )
    if format != "json":
        for path in _tables(folder, format):
            if path.is_dir():
                raise InvalidInputError(f"{path} is a folder; give another folder")
            if path.exists() and not force:
                raise InvalidInputError(
                    f"{path} is there already; give another folder, or --force (force=True) to replace it"
                )
        return
    for name, ours in _OURS.items():
        remove_unnamed(str(folder / name), ours)
    older = [path for name in _OURS for path in sorted((folder / name).glob("*"))]
    foreign = [path for path in older if not _OURS[path.parent.name].fullmatch(path.name)]
    if foreign:
        raise InvalidInputError(f"{foreign[0]} was not written by Batchata; give another folder")
    if older and not force:
        raise InvalidInputError(
            f"{folder} holds results already ({older[0].name}, …); "
            "give another folder, or --force (force=True) to replace them"
        )
    for path in older:
        path.unlink()


class Format(StrEnum):
    """How results are written: as `results_dir` has them, or one file for all."""

    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"


# The columns whose values these formats write as one text each, by themselves.
_AS_IS: dict[Format, frozenset[Kind]] = {
    Format.CSV: frozenset({"json"}),
    Format.XLSX: frozenset({"json", "list"}),
}


@dataclass(frozen=True, slots=True)
class Watched(Reader):
    """A reader that counts the answers it could not read."""

    misread: list[int] = field(default_factory=lambda: [0])

    def read_taken(self, blocks: list[Block]) -> Reading:
        """See `Reader.read_taken`."""
        found = Reader.read_taken(self, blocks)
        if found.error is not None:
            self.misread[0] += 1
        return found


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote; `misread` counts answers that the run accepted and this model could not read."""

    run_id: str
    files: list[Path]
    items: int
    misread: int
    response_model: str | None


def export_run(
    path: str,
    folder: str,
    run_id: str | None,
    *,
    format: Format,
    model: str | None,
    force: bool,
    json: bool,
    files: Sequence[str] | None = None,
) -> bool:
    """Write the results of a run to a folder and say so; return False when answers could not be read for it.

    `model` names another response model (module:Class) to read the answers with. Without `force` nothing
    that is there already is overwritten.

    Raises LogError when the file is no readable log or its bodies were purged, InvalidInputError for a run
    that it does not hold and a folder that cannot be used.
    """
    with reading(path, files=files) as log:
        stream = the_run(log, path, run_id)
        run = fold_events(log, stream)
        refuse_purged(run)
        found = write_results(log, run, Path(folder), format, RunReader.of(run, model), force=force)
    _say(found, json)
    return not found.misread


def write_results(
    log: Log, run: Run, folder: Path, format: Format, how: RunReader, *, force: bool
) -> Exported:
    """Write the results as files below the folder."""
    reader = Watched(how.reader.response_model, how.reader.enable_citations)
    how = RunReader(reader, how.again)
    if format is Format.JSON:
        Folders.of(_settings(run, folder)).refuse_shared(owner_of(run))
    make_room(folder, format.value, force=force)
    if format is Format.JSON and not force:
        Folders.of(_settings(run, folder)).check(owner_of(run))
    started = run.started
    assert started is not None
    if format is Format.JSON:
        files = _write_results_dir(log, run, folder, how)
    else:
        files = _write_table(log, run, folder, format, how)
    misread = 0 if how.again else reader.misread[0]
    return Exported(started.run_id, files, run.total, misread, started.response_model)


def _write_results_dir(log: Log, run: Run, folder: Path, how: RunReader) -> list[Path]:
    settings = run.settings = _settings(run, folder)
    make_folders(Folders.of(settings))
    Folders.of(settings).take(owner_of(run))
    (_RereadWriter if how.again else _Writer)(log, run, how.reader).all()
    return [folder / "processed", folder / "raw"]


def _settings(run: Run, folder: Path) -> Settings:
    assert run.settings is not None
    found: Settings = replace(run.settings, results_dir=str(folder.absolute()), raw_results_dir=None)
    return found


class _Writer(ResultsWriter):
    """Writes what the run itself wrote, without syncing to disk: the log can give it again."""

    durable = False


class _RereadWriter(_Writer):
    """Writes what another model than the run's makes of the answers."""

    def _readings(self, indexes: Iterable[int]) -> Iterator[Reading]:
        assert self._run.started is not None
        dialect = dialect_of(self._run.started)
        for item in read_items(self._log, self._run, indexes, self._reader, again=True):
            text = None if item.raw is None else self._reader.kept_beside(dialect.blocks(item.raw))
            yield Reading(item.result, item.citations, None, text)


def _write_table(log: Log, run: Run, folder: Path, format: Format, how: RunReader) -> list[Path]:
    items = read_items(log, run, range(run.total), how.reader, again=how.again)
    table = Table(
        run,
        how.reader.response_model,
        row_columns(log, run),
        as_is=_AS_IS.get(format, frozenset()),
        with_citations=format is not Format.CSV,
    )
    path, *beside = _tables(folder, format.value)
    if format is Format.CSV:
        assert run.started is not None
        if run.started.enable_citations:
            return _write_csvs(path, beside[0], table, items)
        written = _write_csvs(path, None, table, items)
        beside[0].unlink(missing_ok=True)  # of an older export that was replaced
        return written
    with _whole(path) as file:
        match format:
            case Format.PARQUET:
                write_parquet(file, table.columns, map(table.row, items))
            case Format.XLSX:
                write_xlsx(file, table, items)
            case _:
                write_json_lines(file, (_object(run, item) for item in items))
    return [path]


def _write_csvs(path: Path, beside: Path | None, table: Table, items: Iterable[ItemResult]) -> list[Path]:
    """Write a row an item, and to a second file a row a citation."""
    names = [column.name for column in table.columns]
    if beside is None:
        with _whole(path) as file:
            write_csv(file, names, map(table.row, items))
        return [path]
    with _whole(path) as file, _whole(beside) as citations:
        cited = CsvWriter(citations, [*CITATION_COLUMNS, "checked_at"])

        def rows() -> Iterator[list[Any]]:
            for item in items:
                cited.add(cited_values(item))
                yield table.row(item)

        write_csv(file, names, rows())
        cited.end()
    return [path, beside]


def _object(run: Run, item: ItemResult) -> dict[str, Any]:
    cost = plain_if_known(item.cost)
    cited = flat_citations(item.citations)
    return {
        **provenance(run, item),
        "cost": cost,
        **({} if item.row is None else {"row": item.row}),
        "result": result_values(item.result),
        "citations": None if cited is None else [_without_nulls(citation) for citation in cited],
        **({} if cited is None else Support.of(item)._asdict()),
    }


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in value.items() if part is not None}


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            yield file
    except OSError as exc:
        raise InvalidInputError(f"{path} cannot be written ({exc.strerror}); give another folder") from exc


def _say(found: Exported, json: bool) -> None:
    files = [str(path) for path in found.files]
    if json:
        print_json({"run_id": found.run_id, "items": found.items, "files": files, "unread": found.misread})
    else:
        sys.stdout.write(f"{number_of(found.items, 'item')} to {' and '.join(files)}\n")
    if found.misread:
        own = found.response_model or "module:Class"
        typer.echo(
            f"batchata: {number_of(found.misread, 'answer')} could not be read with the model as the "
            f"log describes it, and are null in the files; give the model itself with --model {own}",
            err=True,
        )
