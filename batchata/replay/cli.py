"""Define the commands of `python -m batchata.replay`; their code is imported when they run."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from batchata.replay.command_group import ReplayGroup, RunId

app = typer.Typer(
    cls=ReplayGroup,
    help="Explain a Batchata log. LOG alone is `show LOG`. Nothing is sent. Times are UTC.",
    add_completion=False,
    no_args_is_help=True,
    # Boxes and colours around messages are in the way where they are piped or searched.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

LogPath = Annotated[
    str, typer.Argument(metavar="LOG", help="The log, as given to BatchManager as state_path.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
WhichItem = Annotated[
    str, typer.Argument(metavar="ITEM", help="Its index (0 is the first), key, or file's name.")
]
Files = Annotated[
    list[str] | None,
    typer.Option(
        "--files", metavar="DIR", help="Where documents are now, known by content; may be repeated."
    ),
]
_MODEL = "Read the answers with this response model instead of the run's own."
_MOMENT = "A version (120), a time in UTC (2026-11-22T10:00), or how long ago (-1h)."
_AT = "As it was then: after a version (120), at a time in UTC (2026-11-22T10:00), or how long ago (-1h)."


@app.command()
def show(
    log: LogPath,
    run: RunId = None,
    at: Annotated[str | None, typer.Option("--at", metavar="MOMENT", help=_AT)] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show every change until the run is complete.")
    ] = False,
    every_job: Annotated[bool, typer.Option("--all", help="Show all jobs of a long list.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show where the run stands, and what happens to it next.

    Lists the runs when the log holds several and none is chosen.

    \b
    batchata show runs.db                           as it is now
    batchata show runs.db --at 120                  as it was after event 120
    batchata show runs.db --at 2026-11-22T10:00     as it was at that time (UTC)
    batchata show runs.db --at -1h                  as it was an hour ago
    batchata show runs.db --watch                   as it changes
    """
    from batchata.replay.show import refuse_watching, show_log, watch_log

    if watch:
        refuse_watching(at, as_json)
        watch_log(log, run, every_job=every_job)
    else:
        show_log(log, run, at=at, every_job=every_job, json=as_json)


@app.command()
def events(
    log: LogPath,
    run: RunId = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="Only events of this type; may be repeated."),
    ] = None,
    job: Annotated[int | None, typer.Option(min=0, metavar="N", help="Only events about this job.")] = None,
    item: Annotated[
        int | None, typer.Option(min=0, metavar="INDEX", help="Only events that name this item.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Follow new events until the run is complete.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Print the timeline: one line per event, oldest first.

    \b
    batchata events runs.db                         everything
    batchata events runs.db --follow                … and what happens from now on
    batchata events runs.db --item 7                what happened to item 7
    batchata events runs.db --type retry_scheduled --type job_completed --json
    """
    from batchata.replay.events import Wanted, print_timeline

    print_timeline(log, run, Wanted(types or [], job, item), json=as_json, follow=follow)


@app.command()
def item(
    log: LogPath,
    which: WhichItem,
    run: RunId = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODULE:CLASS", help=_MODEL)] = None,
    full: Annotated[bool, typer.Option("--full", help="Show whole texts.")] = False,
    request: Annotated[
        bool, typer.Option("--request", help="Print the request of its last attempt as it was sent.")
    ] = False,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Show one item's history, from the request to the cited answer.

    In the answer, what is cited stands between angle quotes: «52.00»[1] rests on citation 1.

    \b
    batchata item runs.db 7                         at a glance
    batchata item runs.db invoice-17.pdf            by the name of its file, or by your own key
    batchata item runs.db 7 --full                  with whole texts
    batchata item runs.db 7 --json | jq .result
    batchata item runs.db 7 --model shop:Invoice    the stored answer read with another model
    batchata item runs.db 7 --request               what was sent; --full with the bytes of files
    batchata item runs.db 7 --files documents/      citations checked in the documents that are there
    """
    from batchata.replay.item import show_item

    show_item(log, run, which, model=model, full=full, json=as_json, request=request, files=files)


@app.command()
def page(
    log: LogPath,
    which: WhichItem,
    field: Annotated[
        str, typer.Argument(metavar="FIELD", help="The path of a value, such as lines[0].price.")
    ],
    out: Annotated[str, typer.Argument(metavar="OUT.png", help="The picture to write.")],
    run: RunId = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODULE:CLASS", help=_MODEL)] = None,
    files: Files = None,
) -> None:
    """Draw the page that a value was read from, the passage marked.

    The document must still be where it was, unchanged, or in the log, or among --files.

    \b
    batchata page runs.db 7 total total.png
    batchata page runs.db 7 lines[2].price price.png
    """
    from batchata.replay.page import write_picture

    write_picture(log, run, which, field, out, model=model, files=files)


@app.command()
def costs(
    log: LogPath,
    run: RunId = None,
    every_job: Annotated[bool, typer.Option("--all", help="Show all jobs of a long list.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what was spent, at which prices, and what is reserved.

    By kind of token, with each price and where it came from, and by job. When the log holds several runs and
    none is chosen, it shows what each run and each model has cost.

    \b
    batchata costs runs.db                          the ledger of the only run
    batchata costs runs.db --run nightly-7          of one of several
    batchata costs runs.db --json | jq .total_cost
    """
    from batchata.replay.costs import show_costs

    show_costs(log, run, every_job=every_job, json=as_json)


@app.command()
def export(
    log: LogPath,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The folder to write to; created if missing.")],
    run: RunId = None,
    format: Annotated[
        str,
        typer.Option(
            "--format", metavar="FORMAT", help="json (as results_dir), jsonl, csv, parquet or xlsx."
        ),
    ] = "json",
    model: Annotated[str | None, typer.Option("--model", metavar="MODULE:CLASS", help=_MODEL)] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace results that are there already.")] = False,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Write the results as files, from the log alone.

    json makes DIR what results_dir was, byte for byte; the others make one file, results.FORMAT, a row per
    item, with where it came from: run, attempt, job, batch, model, cost, status. Exit code 1 when an answer
    cannot be read without the class of the response model.

    \b
    batchata export runs.db out/                          processed/ and raw/
    batchata export runs.db out/ --format parquet         for pandas or Hugging Face datasets
    batchata export runs.db out/ --format xlsx            for Excel: the sheets Items and Citations
    batchata export runs.db out/ --format csv --model shop:Invoice
    """
    from batchata.replay.export import Format, export_run

    if format not in [*Format]:
        raise typer.BadParameter(f"{format!r} is not one of {', '.join(Format)}", param_hint="--format")
    how = Format(format)
    if not export_run(log, folder, run, format=how, model=model, force=force, json=as_json, files=files):
        raise typer.Exit(1)


# A moment such as -1h is no option.
@app.command(context_settings={"ignore_unknown_options": True})
def diff(
    log: LogPath,
    first: Annotated[str, typer.Argument(metavar="FROM", help=_MOMENT)],
    second: Annotated[
        str | None, typer.Argument(metavar="TO", help="The later moment (default: now).")
    ] = None,
    run: RunId = None,
    every_job: Annotated[bool, typer.Option("--all", help="Show all jobs of a long list.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what changed in the run between two moments.

    \b
    batchata diff runs.db 120 240                   between two versions
    batchata diff runs.db -1h                       in the last hour
    batchata diff runs.db 2026-11-22T10:00 2026-11-22T10:05 --json
    """
    from batchata.replay.diff import show_changes

    show_changes(log, run, first, second, every_job=every_job, json=as_json)


@app.command()
def compare(
    log: LogPath,
    first: Annotated[str, typer.Argument(metavar="RUN_A", help="The id of a run.")],
    second: Annotated[str | None, typer.Argument(metavar="RUN_B", help="The id of another.")] = None,
    other: Annotated[
        str | None, typer.Option("--with", metavar="LOG_B", help="The log of RUN_B, if it is in another.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", metavar="FILE", help="Known values: CSV or JSONL, by index, key or file."),
    ] = None,
    html: Annotated[
        str | None, typer.Option("--html", metavar="OUT.html", help="Write it as a page instead.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs over the same inputs, field by field.

    Items are paired by what was sent. With --labels each run is also scored against known values, a single
    run alone too: how many are right, wrong and missing, the bounds of the right ones' share (Wilson, 95 %),
    and how often chance alone would make two runs differ as much (McNemar's exact test).

    \b
    batchata compare runs.db sonnet haiku                         two runs of one log
    batchata compare runs.db sonnet haiku --with other.db         the second in another log
    batchata compare runs.db sonnet haiku --labels known.csv      which of them reads better
    batchata compare runs.db sonnet --labels known.jsonl --json   how well one reads
    batchata compare runs.db sonnet haiku --html compared.html    as a page to pass on
    """
    from batchata.replay.comparison import show_comparison

    runs = [first] if second is None else [first, second]
    show_comparison(log, runs, other=other, labels=labels, as_json=as_json, html=html)


@app.command()
def verify(
    log: LogPath,
    run: RunId = None,
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="HASH", help="A log head that the run printed when it ended."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check whether the log can be trusted.

    Exit code 0 when everything holds, 1 with a list of what does not.
    Finds every change of an event or a body, gaps, missing bodies, and sums that do not add up. Whether whole
    commits were cut off the end shows only by a hash that was noted elsewhere. Times in the future are a
    remark: a clock was wrong.

    \b
    batchata verify runs.db                         every run
    batchata verify runs.db --head 3f9c21…          and nothing since that hash was cut off
    """
    from batchata.replay.verify import verify_log

    if not verify_log(log, run, head, json=as_json):
        raise typer.Exit(1)


@app.command()
def purge(
    log: LogPath,
    run: Annotated[str, typer.Option("--run", metavar="ID", help="Which run; required.")],
    as_json: AsJson = False,
) -> None:
    """Remove the inputs and answers of a completed run for good.

    Its history stays: show, costs, events and verify work as before, results and export do not. What defines
    the run, such as its prompt, and the names of files belong to the history. Files in a results_dir are not
    touched. No process may drive the run.

    \b
    batchata purge runs.db --run nightly-7
    """
    from batchata.replay.purge import purge_run

    purge_run(log, run, json=as_json)


@app.command()
def report(
    log: LogPath,
    out: Annotated[
        str, typer.Argument(metavar="OUT.html", help="The file to write; an older report is replaced.")
    ],
    run: RunId = None,
    at: Annotated[str | None, typer.Option("--at", metavar="MOMENT", help=_AT)] = None,
    files: Files = None,
) -> None:
    """Write the run as one HTML file that opens from disk.

    It needs neither the log nor Batchata. It holds prompts, answers and cited passages (at most 30 MB: long
    texts of a huge run are cut), loads nothing, and is readable by its owner alone. The same log gives the
    same file.

    \b
    batchata report runs.db run.html
    batchata report runs.db then.html --at 2026-11-22T10:00
    batchata report runs.db run.html --files documents/
    """
    from batchata.replay.report.page import write_report

    write_report(log, out, run, at=at, files=files)


def main() -> None:
    """Run the command line and end the process: 0, or 2 when what was asked for does not exist."""
    prepare_streams("batchata.replay")
    app(prog_name="python -m batchata.replay")


def prepare_streams(speaker: str) -> None:
    """Let every text be printed, and take the environment from a `.env` file."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    _load_env_file(speaker)


def _load_env_file(speaker: str) -> None:
    """Take keys, NO_COLOR, COLUMNS and the like from the `.env` of the working directory or one above it."""
    try:
        here = Path.cwd()
        if any((folder / ".env").is_file() for folder in (here, *here.parents)):
            import dotenv  # most often there is none, and every command would pay for it

            dotenv.load_dotenv(dotenv.find_dotenv(usecwd=True))
    except (OSError, ValueError) as exc:
        typer.echo(f"{speaker}: the .env file is not used: {exc}", err=True)
