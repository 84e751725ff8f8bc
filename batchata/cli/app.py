"""Define the commands of `batchata`; their code is imported when they run."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import Annotated, TextIO

import typer

from batchata.cli.options import Estimating, Logged, Resuming, Sending, Waiting, taking
from batchata.errors import BatchataWarning
from batchata.replay.cli import app as replay
from batchata.replay.cli import prepare_streams
from batchata.replay.command_group import ReplayGroup
from batchata.text import clean


class BatchataGroup(ReplayGroup):
    """The commands of a run, and those that explain one."""

    speaker = "batchata"

    def _written(self, message: str) -> str:
        """Return the message with its further lines indented, so that none is taken for another message."""
        return "\n  ".join(map(clean, message.splitlines()))


app = typer.Typer(
    cls=BatchataGroup,
    help=(
        "Run documents or prompts through batch APIs, and explain what became of them. LOG alone is "
        "`show LOG`. The key is taken from the environment or a .env file. Exit codes: 0 all is done "
        "(submit: sent), 1 items failed, 2 it could not be done, 3 items are pending, 130 Ctrl-C."
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"batchata {version('batchata')}")
        raise typer.Exit


@app.callback()
def _batchata(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    return


@app.command()
@taking(Waiting)
def run(given: Waiting) -> None:
    """Send inputs, wait until all are done, and write the results.

    Started again, the same command continues where it was left; nothing is paid twice.

    \b
    batchata run inbox/*.pdf --prompt "Extract the invoice." --model claude-sonnet-5-5 \\
        --schema shop:Invoice --log night.db -o out.csv
    batchata run rows.csv --prompt "Classify: {text}" --model claude-haiku-5-5 --log rows.db -o out.csv
    batchata run notes/*.txt --prompt @prompt.txt --model claude-haiku-5-5 --log notes.db
    batchata run notes/*.txt --prompt @prompt.txt --model claude-haiku-5-5 --log notes.db --limit 20
    """
    from batchata.cli.running import run_inputs

    run_inputs(given)


@app.command()
@taking(Estimating)
def estimate(given: Estimating) -> None:
    """Say what a run would use and cost; nothing is sent or written.

    No key is needed, but for --exact.

    \b
    batchata estimate inbox/*.pdf --prompt "Extract the invoice." --model claude-sonnet-5-5 --log night.db
    batchata estimate rows.csv --prompt "Classify: {text}" --model claude-haiku-5-5 --log rows.db --exact
    """
    from batchata.cli.running import estimate_inputs

    estimate_inputs(given)


@app.command()
@taking(Sending)
def submit(given: Sending) -> None:
    """Send what may be sent now, and return without waiting.

    Exit code 0 when that is done, though the items are pending.

    \b
    batchata submit inbox/*.pdf --prompt "Extract the invoice." --model claude-sonnet-5-5 --log night.db
    batchata collect night.db -o out.csv       any time later
    """
    from batchata.cli.running import submit_inputs

    submit_inputs(given)


@app.command()
@taking(Logged)
def collect(given: Logged) -> None:
    """Collect what has ended, send what may be sent, and return.

    It does not wait, and the log is all it needs. Exit code 3 while items are pending.

    \b
    batchata collect night.db
    batchata collect night.db -o out.csv
    """
    from batchata.cli.running import collect_log

    collect_log(given)


@app.command()
@taking(Resuming)
def resume(given: Resuming) -> None:
    """Go on with a run from its log alone, and wait until all is done.

    \b
    batchata resume night.db
    batchata resume night.db --files done/     files that were not sent yet are there now
    batchata resume night.db --retry-failed
    """
    from batchata.cli.running import resume_log

    resume_log(given)


@app.command()
@taking(Logged)
def cancel(given: Logged) -> None:
    """Cancel the open batches, and collect what they had finished.

    \b
    batchata cancel night.db
    """
    from batchata.cli.running import cancel_log

    cancel_log(given)


app.registered_commands += replay.registered_commands


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if issubclass(category, BatchataWarning):
        typer.echo(f"batchata: {message}", err=True)
    else:
        _others(message, category, filename, lineno, file, line)


_others = warnings.showwarning


def main() -> None:
    """Run the command line and end the process."""
    prepare_streams("batchata")
    warnings.simplefilter("always", BatchataWarning)
    warnings.showwarning = _warn
    app(prog_name="batchata")
