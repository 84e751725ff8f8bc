"""Start, continue and end runs from the command line."""

from __future__ import annotations

import glob
import json
import shlex
import warnings
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pydantic
import typer

from batchata.cli.options import Estimating, Inputs, Logged, Resuming, Sending, Waiting
from batchata.cli.output import Output
from batchata.clock import utc
from batchata.core.money import plain_if_known
from batchata.errors import InvalidInputError, RetiredModelWarning, UnknownModelWarning
from batchata.log import place_of
from batchata.manager import BatchManager
from batchata.providers.registry import dialect_for
from batchata.replay.console import print_json
from batchata.run.settings import Changes
from batchata.text import number_of
from batchata.views.history import fold_events
from batchata.views.json_schemas import model_of_file
from batchata.views.response_models import load_response_model
from batchata.views.run_summary import Summary

_FAILED, _PENDING = 1, 3  # exit codes
_TABLES = (".csv", ".tsv", ".jsonl", ".json")


def run_inputs(given: Waiting) -> None:
    """Run to the end; see `batchata run`."""
    _drive(
        given,
        _beginning(given, given.max_wait, given.poll_interval),
        lambda manager: manager.run(not given.quiet, limit=given.limit, sample=given.sample, seed=given.seed),
    )


def submit_inputs(given: Sending) -> None:
    """Send without waiting; items that are pending are what was asked for."""
    _drive(given, _beginning(given), lambda manager: manager.submit(not given.quiet), pending=0)


def estimate_inputs(given: Estimating) -> None:
    """Print an estimate."""
    found = _manager(given).estimate(given.exact)
    if given.as_json:
        values = {name: getattr(found, name) for name in found.__dataclass_fields__}
        print_json({name: str(v) if _is_amount(v) else v for name, v in values.items()})
    else:
        typer.echo(str(found))


def collect_log(given: Logged) -> None:
    """Take one pass over the run in a log."""
    _drive(given, _opened(given), lambda manager: manager.collect(not given.quiet))


def cancel_log(given: Logged) -> None:
    """Cancel what is open, and say so where nothing is."""

    def drive(manager: BatchManager[Any]) -> Summary:
        with closing(manager.open_log()) as log:
            is_open = bool(fold_events(log, str(manager.run_id)).open)
        if not (is_open or given.quiet):
            typer.echo("nothing was cancelled: no batch is open", err=True)
        return manager.cancel()

    _drive(given, _opened(given), drive)


def resume_log(given: Resuming) -> None:
    """Continue to the end, or give failed items a fresh set of attempts."""
    if given.max_tokens is not None and not given.retry_failed:
        raise InvalidInputError("--max-tokens is for failed items: give --retry-failed too")
    manager = _opened(given, max_wait_time=given.max_wait, poll_interval=given.poll_interval)

    def drive(manager: BatchManager[Any]) -> Summary:
        if not given.retry_failed:
            return manager.run(not given.quiet)
        summary = manager.retry_failed(not given.quiet, max_tokens=given.max_tokens)
        if not given.quiet:
            typer.echo(f"retried   {number_of(summary['retry_count'], 'item')}", err=True)
        return summary

    _drive(given, manager, drive)


def _drive(
    given: Sending | Logged,
    manager: BatchManager[Any],
    call: Callable[[BatchManager[Any]], Summary],
    pending: int = _PENDING,
) -> None:
    """Make the call, write the results and the summary, and end with what became of the items."""
    output = Output(given.out)
    summary = call(manager)
    written = output.write(manager)
    if given.as_json:
        print_json({**summary, "total_cost": plain_if_known(summary["total_cost"])})
    elif not given.quiet:
        for path in written:
            typer.echo(f"results   {path}", err=True)
    if summary["pending_items"]:
        _say_pending(given, summary)
        raise typer.Exit(pending)
    if summary["failed_items"]:
        raise typer.Exit(_FAILED)


def _say_pending(given: Sending | Logged, summary: Summary) -> None:
    if not given.quiet:
        items = number_of(summary["pending_items"], "item")
        run = [] if given.run_id is None else ["--run", given.run_id]
        again = shlex.join(["batchata", "resume", place_of(given.log), *run])
        typer.echo(f"pending   {items}; go on with: {again}", err=True)


def _manager(
    given: Inputs, max_wait: float | None = None, poll_interval: float | None = None
) -> BatchManager[Any]:
    return BatchManager(
        **_inputs(given),
        prompt=_text_of(given.prompt),
        model=given.model,
        response_model=_response_model(given.schema),
        enable_citations=given.citations,
        items_per_job=given.items_per_job,
        max_parallel_jobs=given.max_parallel_jobs,
        max_cost=given.max_cost,
        max_wait_time=max_wait,
        poll_interval=poll_interval,
        state_path=given.log,
        run_id=given.run_id,
        results_dir=given.results_dir,
        max_attempts=given.max_attempts,
        max_tokens=given.max_tokens,
        dedupe=given.dedupe,
        cache="auto" if given.cache else None,
        base_url=given.base_url,
        on_bad_file="fail" if given.skip_bad_files else "raise",
        allow_unknown_model=given.allow_unknown_model,
        **_params(given),
    )


def _beginning(
    given: Sending, max_wait: float | None = None, poll_interval: float | None = None
) -> BatchManager[Any]:
    """Return the manager of a run that may begin now; a refused model is not also warned of."""
    with warnings.catch_warnings(record=True, action="always") as told:
        manager = _manager(given, max_wait, poll_interval)
        doubt = dialect_for(given.model).model(given.model, utc().date()).doubt
    _say_new_folder(given)
    is_refused = doubt is not None and not given.allow_unknown_model and not Path(given.log).exists()
    for one in {str(each.message): each for each in told}.values():
        if not (is_refused and issubclass(one.category, UnknownModelWarning | RetiredModelWarning)):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return manager


def _say_new_folder(given: Sending) -> None:
    """Say that the log's folder will be created: its name may be misspelt."""
    folder = Path(given.log).parent
    if not (given.quiet or "://" in given.log or folder.exists()):
        typer.echo(f"log       there is no folder {folder} yet; it is made with the log", err=True)


def _opened(given: Logged, **settings: Any) -> BatchManager[Any]:
    changes = cast(
        "Changes", settings if given.max_cost is None else {**settings, "max_cost": given.max_cost}
    )
    model = _response_model(given.schema)
    beside: dict[str, Any] = {} if model is None else {"response_model": model}
    files = given.files or None
    return BatchManager.open(
        given.log, given.run_id, files=files, base_url=given.base_url, **beside, **changes
    )


def _inputs(given: Inputs) -> dict[str, Any]:
    """Return the rows of a single table, or the files."""
    files = _files(given.inputs)
    tables = [file for file in files if Path(file).suffix.lower() in _TABLES]
    if len(tables) == len(files) > 1:
        raise InvalidInputError(
            f"{len(tables)} tables are given, and a run has the rows of one: join them, or run each with a "
            "log of its own"
        )
    is_table = bool(tables) and len(files) == 1
    if given.key is not None and not is_table:
        raise InvalidInputError("--key is the column of a table: give one CSV or JSONL file of rows")
    return {"rows": files[0], "keys": given.key} if is_table else {"files": files}


def _files(inputs: list[str]) -> list[str]:
    """Return the files; a pattern that the shell did not expand is expanded here."""
    found: list[str] = []
    for one in inputs:
        path = Path(one)
        matches = sorted(glob.glob(one, recursive=True)) if glob.has_magic(one) and not path.exists() else []
        if path.is_dir():
            raise InvalidInputError(f"{one} is a folder; name its files: {one.rstrip('/')}/*.pdf")
        if glob.has_magic(one) and not path.exists() and not matches:
            raise InvalidInputError(f"no file matches {one}; check the folder and the pattern")
        found += matches or [one]
    return found


def _response_model(schema: str | None) -> type[pydantic.BaseModel] | None:
    if schema is None:
        return None
    if schema.lstrip().startswith("{"):
        raise InvalidInputError("--schema is the text of a JSON Schema; write it to a file and give its path")
    path = Path(schema)
    return model_of_file(path) if path.is_file() or path.suffix == ".json" else load_response_model(schema)


def _is_amount(value: object) -> bool:
    return isinstance(value, Decimal)


def _params(given: Inputs) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in given.param or []:
        name, is_there, value = one.partition("=")
        if not is_there or not name.isidentifier():
            raise InvalidInputError(f"--param {one} is not of the form NAME=JSON, such as top_k=5")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value  # a mere text needs no quotes
    if given.system is not None:
        found["system"] = _text_of(given.system)
    return found


def _text_of(given: str) -> str:
    """Return the text, or that of the file which `@FILE` names."""
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise InvalidInputError(f"{given[1:]} cannot be read ({reason})") from exc
