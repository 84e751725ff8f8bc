"""Write the report as one HTML file, piece by piece: the frame, the data, then the script that draws it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from base64 import b64encode
from collections.abc import Sequence
from functools import cache, partial
from importlib.resources import files
from itertools import batched
from pathlib import Path
from typing import IO, NamedTuple

import typer
from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from batchata.clock import now
from batchata.core.events import RunStarted
from batchata.errors import InvalidInputError, LogError
from batchata.log.port import Log
from batchata.replay.console import reading, the_run
from batchata.replay.report.items import Record, columns, encode, names_block, read_records, shortened
from batchata.replay.report.pictures import in_order, write_pictures
from batchata.replay.report.sections import heading, identity, job_rows, story, totals, what_came_back
from batchata.replay.report.size_budget import Budget, Detail, block
from batchata.replay.report.timeline import Chronicle, chart, read_chronicle
from batchata.text import clean, iso, moment, number_of, short, size
from batchata.views.history import At, parse_at
from batchata.views.response_models import RunReader
from batchata.views.whole_files import whole_file

GENERATOR = "batchata.replay report"
_SCRIPTS = ("data.js", "table.js", "jobs.js", "items.js", "main.js")
_WINDOW = 2_048  # items read together; their names are one block
_CHUNK = 256  # items in one block: what is unpacked to show one of them


def write_page(
    file: IO[bytes], log: Log, stream: str, chronicle: Chronicle, started: RunStarted, head: str | None
) -> int:
    """Write the page in constant memory; return how many items were cut.

    The same log gives the same bytes: nothing in it is of today.
    """
    history = chronicle.history
    script = "".join(map(asset, _SCRIPTS))
    budget = Budget(history.run.total, file)
    budget.write(_frame(log, stream, chronicle, started, head, script).encode())
    budget.write(block("columns", columns(history)))
    budget.write(block("jobs", job_rows(chronicle)))
    reader = RunReader.of(history.run, None).reader
    look: dict[str, list[int]] = {"unsupported": [], "uncited": []}
    placed: list[int] = []
    for window in batched(range(history.run.total), _WINDOW):
        names: list[str] = []
        place = window[0]
        for chunk in batched(read_records(log, stream, chronicle, window, reader, placed), _CHUNK):
            for index, record in enumerate(chunk, place + len(names)):
                if record.unsupported:
                    look["unsupported"].append(index)
                elif record.uncited:
                    look["uncited"].append(index)
            names += [record.input.name for record in chunk]
            budget.write_items("items", len(chunk), partial(_lines, chunk))
        budget.write(block("names", names_block(names, history.run.total)))
    write_pictures(budget, log, history.run, reader, in_order(placed, look))
    budget.write(block("look", json.dumps(look, separators=(",", ":")).encode()))
    budget.write(block("cut", str(budget.cut).encode()))
    budget.write(f'<script type="module">{script}</script>\n</body></html>\n'.encode())
    return budget.cut


def _lines(records: Sequence[Record], detail: Detail) -> list[bytes]:
    return [encode(shortened(record, detail.characters, detail.entries)) for record in records]


def asset(name: str) -> str:
    """Return the text of a style sheet or script of the page."""
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def style_sheet() -> Markup:
    """Return the style sheet of our pages."""
    return Markup(asset("report.css"))


def _hash(source: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def policy(style: str, script: str | None = None) -> str:
    """Return a page's content security policy: only our own script, if any, and style, nothing loaded."""
    scripts = "'none'" if script is None else _hash(script)
    return (
        f"default-src 'none'; script-src {scripts}; img-src data:; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _frame(
    log: Log, stream: str, chronicle: Chronicle, started: RunStarted, head: str | None, script: str
) -> str:
    """Render the page up to its data."""
    history, style = chronicle.history, style_sheet()
    return template("page.html.j2").render(
        generator=GENERATOR,
        policy=policy(style, script),
        style=style,
        run_id=stream,
        heading=heading(history),
        totals=totals(history),
        chart=chart(chronicle),
        outcomes=what_came_back(log, stream, history),
        story=story(chronicle),
        facts=identity(history, started, head),
    )


def template(name: str) -> Template:
    """Return the template of this name, compiled once; it cleans and escapes everything that is inserted."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(lambda name: files(__package__).joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else clean(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"iso": iso, "moment": moment, "short": short, "lines": _each_line}
    return environment


def _each_line(value: str) -> Markup:
    """Clean a text of several lines, line by line."""
    return Markup("\n").join(clean(line) for line in value.replace("\r\n", "\n").split("\n"))


def write_report(
    path: str, out: str, run_id: str | None, *, at: str | None, files: Sequence[str] | None = None
) -> None:
    """Write the run of this id, or the only one, as one HTML file that only its owner can read.

    The file appears when it is complete. It replaces a report of ours under that name, but nothing else.

    Raises LogError when `path` is no readable log, InvalidInputError when it holds no such run or moment, or
    when the file cannot be written.
    """
    wanted = None if at is None else parse_at(at, now())
    with reading(path, files=files) as log:
        done = report_run(log, the_run(log, path, run_id), out, wanted)
    typer.echo(f"{clean(out)}: {number_of(done.items, 'item')}, {size(done.size)}")
    if done.cut:
        typer.echo(f"long texts of {number_of(done.cut, 'item')} are cut in it; the log holds them in full")


class Reported(NamedTuple):
    """How many items a report shows, how many bytes it has, and how many items were cut in it."""

    items: int
    size: int
    cut: int


def report_run(log: Log, stream: str, out: str, wanted: At | None = None) -> Reported:
    """Write the run as it is in this log, or was at a moment; see `write_report`."""
    target = Path(out)
    check_target(target, out)
    chronicle = read_chronicle(log, stream, wanted)
    run = chronicle.history.run
    if run.started is None:
        raise LogError(f"the run {stream!r} does not begin with run_started; it cannot be reported")
    head = None if wanted is not None else log.head(stream)
    try:
        with whole_file(target) as file:
            cut = write_page(file, log, stream, chronicle, run.started, head)
            return Reported(run.total, file.tell(), cut)
    except OSError as exc:
        raise InvalidInputError(unwritable(out, exc)) from exc


def check_target(target: Path, out: str) -> None:
    """Refuse a target that must not be replaced or has no page's name, before anything is read."""
    if target.suffix.lower() not in ("", ".html", ".htm") and not target.is_dir():
        raise InvalidInputError(f"{out} does not end in .html; a report is an HTML file")
    try:
        found = target.stat()
        if stat.S_ISDIR(found.st_mode):
            raise InvalidInputError(f"{out} is a directory; name the file, such as {target / 'report.html'}")
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInputError(f"{out} is not a regular file; name one that ends in .html")
        if found.st_size and not _is_ours(target):
            raise InvalidInputError(
                f"{out} exists and is not a report of ours; give another name, or remove it first"
            )
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise InvalidInputError(f"there is no directory {target.parent} to write {out} to") from None
    except OSError as exc:
        raise InvalidInputError(unwritable(out, exc)) from exc
    if not os.access(target.parent, os.W_OK):
        raise InvalidInputError(f"{out} cannot be written: the directory {target.parent} is read-only")


def _is_ours(target: Path) -> bool:
    with target.open("rb") as file:
        return f'name="generator" content="{GENERATOR}"'.encode() in file.read(512)


def unwritable(out: str, exc: OSError) -> str:
    """Say why a page cannot be written."""
    return f"{out} cannot be written ({exc.strerror or exc}); make room or give another place"
