"""Define the options of the commands that drive a run, each group once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, get_type_hints

import typer

from batchata.replay.command_group import RunId

_SCHEMA = "What each answer must fit: module:Class (a pydantic model), or the file of a JSON Schema."
_OUT = "Write the results there when the command ends: .csv, .jsonl, .xlsx or .parquet, or a folder."
_WAIT = "Seconds to wait at most; the batches then go on. Without it, until all is done."
_POLL = "Seconds between two looks at the batches; without it 2 to 60, by their age."

BaseUrl = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="Where the API is, if elsewhere.")
]
MaxWait = Annotated[float | None, typer.Option("--max-wait", metavar="SECONDS", help=_WAIT)]
PollInterval = Annotated[float | None, typer.Option("--poll-interval", metavar="SECONDS", help=_POLL)]


@dataclass(kw_only=True)
class Printing:
    """What every command prints."""

    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False


@dataclass(kw_only=True)
class Ending(Printing):
    """What every command that drives a run says and writes at its end."""

    out: Annotated[str | None, typer.Option("--out", "-o", metavar="OUT", help=_OUT)] = None
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress and no account.")] = False


@dataclass(kw_only=True)
class Inputs(Printing):
    """What a run sends, and how."""

    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Files, or patterns in quotes; or one CSV or JSONL of rows."),
    ]
    model: Annotated[
        str, typer.Option("--model", metavar="MODEL", help="Such as claude-sonnet-5-5; decides the provider.")
    ]
    prompt: Annotated[
        str,
        typer.Option(
            "--prompt",
            metavar="TEXT",
            help="What to do with each file, or with a row: {column}; @FILE reads it.",
        ),
    ]
    log: Annotated[
        str, typer.Option("--log", metavar="LOG", help="The file that keeps the run, made if missing.")
    ]
    schema: Annotated[str | None, typer.Option("--schema", metavar="SCHEMA", help=_SCHEMA)] = None
    key: Annotated[
        str | None, typer.Option("--key", metavar="COLUMN", help="The column that names the rows' items.")
    ] = None
    citations: Annotated[bool, typer.Option("--citations", help="Have values cite their documents.")] = False
    system: Annotated[
        str | None, typer.Option("--system", metavar="TEXT", help="The system prompt; @FILE reads it.")
    ] = None
    max_cost: Annotated[
        str | None, typer.Option("--max-cost", metavar="USD", help="What the run may cost at most.")
    ] = None
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", metavar="N", help="Tokens of one answer at most.")
    ] = 4096
    items_per_job: Annotated[
        int, typer.Option("--items-per-job", metavar="N", help="Items in one batch at most.")
    ] = 50
    max_parallel_jobs: Annotated[
        int, typer.Option("--max-parallel-jobs", metavar="N", help="Batches open at the same time.")
    ] = 10
    max_attempts: Annotated[
        int, typer.Option("--max-attempts", metavar="N", help="How often an item is sent at most.")
    ] = 3
    dedupe: Annotated[bool, typer.Option("--dedupe", help="Let identical items share one request.")] = False
    cache: Annotated[
        bool, typer.Option("--cache", help="Cache what all requests begin with, where it pays.")
    ] = False
    skip_bad_files: Annotated[
        bool,
        typer.Option("--skip-bad-files", help="Let files that cannot be used fail, and send the others."),
    ] = False
    allow_unknown_model: Annotated[
        bool,
        typer.Option(
            "--allow-unknown-model", help="Send also to a model that looks misspelt, or that is retired."
        ),
    ] = False
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=JSON", help="A parameter of the API; may be repeated."),
    ] = None
    results_dir: Annotated[
        str | None,
        typer.Option("--results-dir", metavar="DIR", help="Also write results there as they come."),
    ] = None
    run_id: RunId = None
    base_url: BaseUrl = None


@dataclass(kw_only=True)
class Estimating(Inputs):
    """The same, and how input is counted."""

    exact: Annotated[
        bool, typer.Option("--exact", help="Have the provider count up to 20 inputs, free; needs a key.")
    ] = False


@dataclass(kw_only=True)
class Sending(Inputs, Ending):
    """What a run sends, and what is said and written at its end."""


@dataclass(kw_only=True)
class Waiting(Sending):
    """The same, how long to wait, and whether only some of the inputs are sent for now."""

    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="A pilot: the first N inputs only.")
    ] = None
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, metavar="N", help="A pilot: N inputs spread over all.")
    ] = None
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Draw the sample at random, with this seed.")
    ] = None
    max_wait: MaxWait = None
    poll_interval: PollInterval = None


@dataclass(kw_only=True)
class Logged(Ending):
    """Which run in a log is taken up, and what changes for it."""

    log: Annotated[str, typer.Argument(metavar="LOG", help="The file that keeps the run.")]
    run_id: RunId = None
    files: Annotated[
        list[str] | None,
        typer.Option("--files", metavar="DIR", help="Where files are that were moved; may be repeated."),
    ] = None
    schema: Annotated[
        str | None, typer.Option("--schema", metavar="SCHEMA", help="As when it began, for its validators.")
    ] = None
    max_cost: Annotated[
        str | None, typer.Option("--max-cost", metavar="USD", help="Another limit for the whole run.")
    ] = None
    base_url: BaseUrl = None


@dataclass(kw_only=True)
class Resuming(Logged):
    """The same, how long to wait, and whether failed items are tried again."""

    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Send failed items again, with their files as they are now."),
    ] = False
    max_tokens: Annotated[
        int | None,
        typer.Option("--max-tokens", metavar="N", help="With --retry-failed: a higher limit of the answers."),
    ] = None
    max_wait: MaxWait = None
    poll_interval: PollInterval = None


def taking[T: Printing](group: type[T]) -> Callable[[Callable[[T], None]], Callable[..., None]]:
    """Give a command the options of a group, as typer reads them, and call it with one object of it."""
    hints = get_type_hints(group, include_extras=True)
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]
    parameters.sort(key=lambda one: one.default is not inspect.Parameter.empty)

    def of(command: Callable[[T], None]) -> Callable[..., None]:
        def called(**given: Any) -> None:
            command(group(**given))

        called.__name__, called.__doc__ = command.__name__, command.__doc__
        called.__annotations__ = hints
        called.__dict__["__signature__"] = inspect.Signature(parameters)
        return called

    return of
