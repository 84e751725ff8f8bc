"""Run `python -m batchata.jsonl`: write a run's requests as files, and read results into its log."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from batchata.cli.app import BatchataGroup
from batchata.core.state import Job, Run
from batchata.errors import InvalidInputError
from batchata.manager import BatchManager
from batchata.providers.folder_files import REQUESTS, RESULTS, file_of
from batchata.providers.registry import dialect_of
from batchata.replay import open as open_log
from batchata.replay.cli import prepare_streams
from batchata.replay.command_group import RunId
from batchata.text import clean, number_of

_PROVIDER = "jsonl"
_PENDING = 3  # exit code
_MOST_FILES = 1_000  # at a time; with fewer, some would have to wait until others are back

_Log = Annotated[str, typer.Argument(metavar="LOG", help="The file that keeps the run.")]


class _Group(BatchataGroup):
    speaker = "batchata.jsonl"
    default = None


app = typer.Typer(
    cls=_Group,
    help=(
        "Write a run's requests to files in OpenAI's batch form, for `vllm run-batch` or a service that "
        "Batchata cannot reach, and read their results back. The run's model is jsonl/NAME. "
        "Exit codes: 0 all is done, 2 it could not be done, 3 items are pending."
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class _Line(msgspec.Struct):
    custom_id: str


_custom_id_of = msgspec.json.Decoder(_Line).decode


@app.command("export")
def export(log: _Log, run_id: RunId = None) -> None:
    """Write the requests of all pending items, one file per job, into the folder that the run began with.

    \b
    batchata submit notes/*.txt --prompt "Sum up." --model jsonl/qwen3 --base-url jobs/ --log night.db
    python -m batchata.jsonl export night.db
    """
    manager, run = _opened(log, run_id)
    manager.submit(print_progress=False)
    folder, (_, run) = Path(run.base_url), _opened(log, run_id)
    for job in _waiting(run):
        typer.echo(file_of(folder, job.mark, REQUESTS))


@app.command("import")
def import_(
    log: _Log,
    results: Annotated[
        list[str], typer.Argument(metavar="RESULTS", help="Files of results, of any jobs and in any order.")
    ],
    run_id: RunId = None,
    *,
    partial: Annotated[
        bool, typer.Option("--partial", help="Take jobs that lack lines too; what is missing is sent again.")
    ] = False,
) -> None:
    """Read files of results into the log: each line belongs to the request with its custom_id.

    \b
    vllm run-batch -i jobs/JOB.jsonl -o out.jsonl --model qwen3
    python -m batchata.jsonl import night.db out.jsonl
    """
    manager, run = _opened(log, run_id)
    taken = _Taken(_waiting(run), _lines(results))
    taken.check(partial=partial)
    for job, lines in taken.of_jobs():
        _write(file_of(Path(run.base_url), job.mark, RESULTS), lines)
    if taken.strays:
        typer.echo(f"left out  {number_of(taken.strays, 'line')} of no open job", err=True)
    summary = manager.collect(print_progress=False)
    typer.echo(
        f"{summary['completed_items']} completed, {summary['failed_items']} failed, "
        f"{summary['pending_items']} pending"
    )
    if summary["pending_items"]:
        raise typer.Exit(_PENDING)


class _Taken:
    """The lines of results by the job whose requests they answer."""

    def __init__(self, jobs: Iterable[Job], lines: Iterator[tuple[str, bytes]]) -> None:
        self._jobs = {job.number: job for job in jobs}
        owner = {job.custom_id(index): job.number for job in self._jobs.values() for index in job.indexes()}
        self._lines: dict[int, dict[str, list[bytes]]] = {number: {} for number in self._jobs}
        self.strays = 0
        for custom_id, line in lines:
            number = owner.get(custom_id)
            if number is None:
                self.strays += 1
            else:
                self._lines[number].setdefault(custom_id, []).append(line)

    def of_jobs(self) -> Iterator[tuple[Job, list[bytes]]]:
        """Yield the jobs that have lines, each with all of them; of repeated lines the run decides.

        A request without a line gets one that says so, as in the file of a batch that expired.
        """
        for number, found in self._lines.items():
            job = self._jobs[number]
            if found:
                given = [line for lines in found.values() for line in lines]
                lacking = {job.custom_id(index) for index in job.indexes()} - found.keys()
                yield job, [*given, *map(_left_out, sorted(lacking))]

    def check(self, *, partial: bool) -> None:
        """Raise InvalidInputError where nothing can be taken, or a job lacks lines that may still come."""
        sizes = Counter({number: len(found) for number, found in self._lines.items() if found})
        if not sizes:
            raise InvalidInputError(
                "no line has the custom_id of a request that waits for its result; are they of this run?"
            )
        lacking = [n for n, size in sizes.items() if size < self._jobs[n].request_count]
        if lacking and not partial:
            number = lacking[0]
            total = self._jobs[number].request_count
            raise InvalidInputError(
                f"job {number} has lines for {sizes[number]} of its {total} requests: give all files of its "
                "results, or --partial to have the others sent again"
            )


def _opened(log: str, run_id: str | None) -> tuple[BatchManager[Any], Run]:
    """Return the run's manager, and its state; the folder of its files is taken from the log."""
    with open_log(log) as archive:
        run = archive.run(run_id).state_at()
    assert run.started is not None
    if run.started.provider != _PROVIDER:
        raise InvalidInputError(
            f"run {clean(run.started.run_id)} goes to {dialect_of(run.started).name}; only one that "
            "began with the model jsonl/NAME is taken out as files"
        )
    manager = BatchManager.open(log, run_id, base_url=run.base_url, max_parallel_jobs=_MOST_FILES)
    return manager, run


def _waiting(run: Run) -> list[Job]:
    """Return the jobs whose files are out."""
    return [job for job in run.open.values() if job.batch_id is not None]


def _lines(paths: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the lines of the files, each with its custom_id."""
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield _named(line, f"{path}, line {number}"), line.rstrip(b"\r\n") + b"\n"
        except OSError as exc:
            raise InvalidInputError(f"{path} cannot be read ({exc.strerror})") from exc


def _named(line: bytes, place: str) -> str:
    try:
        return _custom_id_of(line).custom_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InvalidInputError(f"{place} is not a result: it needs a custom_id ({exc})") from exc


def _left_out(custom_id: str) -> bytes:
    error = {"code": "batch_expired", "message": "it is not in the results that were imported"}
    return msgspec.json.encode({"custom_id": custom_id, "response": None, "error": error}) + b"\n"


def _write(path: Path, lines: list[bytes]) -> None:
    """Write a file whole before it gets the name under which it counts."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def main() -> None:
    """Run the command line and end the process."""
    prepare_streams("batchata.jsonl")
    app(prog_name="python -m batchata.jsonl")


if __name__ == "__main__":
    main()
