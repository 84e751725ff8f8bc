"""The page as a whole, written piece by piece: the frame in HTML, then the data, then what draws them."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from itertools import batched
from typing import IO

from batchata.core.events import RunStarted
from batchata.log.port import Log
from batchata.replay.report.chart import chart
from batchata.replay.report.html import Html, join, tag, text
from batchata.replay.report.items import Record, columns, encode, names_block, read_records, shortened
from batchata.replay.report.sections import heading, identity, job_rows, story, totals, what_came_back
from batchata.replay.report.size_budget import Budget, Detail, block
from batchata.replay.report.timeline import Chronicle
from batchata.views.readers import RunReader

GENERATOR = "batchata.replay report"
_SCRIPTS = ("data.js", "table.js", "jobs.js", "items.js", "main.js")
_WINDOW = 2_048  # items read together; their names are one block
_CHUNK = 256  # items in one block: what is unpacked to show one of them


def write_page(
    file: IO[bytes], log: Log, stream: str, chronicle: Chronicle, started: RunStarted, head: str | None
) -> int:
    """Write the page in memory that does not grow with the items' content; return how many items were cut.

    The same log gives the same bytes: nothing in it is of today.
    """
    history = chronicle.history
    style, script = _asset("report.css"), "".join(map(_asset, _SCRIPTS))
    budget = Budget(history.run.total, file)
    budget.write(_head(stream, style, script).encode())
    budget.write(_body(log, stream, chronicle, started, head).encode())
    budget.write(block("columns", columns(history)))
    budget.write(block("jobs", job_rows(chronicle)))
    reader = RunReader.of(history.run, None).reader
    for window in batched(range(history.run.total), _WINDOW):
        names: list[str] = []
        for chunk in batched(read_records(log, stream, chronicle, window, reader), _CHUNK):
            names += [record.input.name for record in chunk]
            budget.write_items("items", len(chunk), partial(_lines, chunk))
        budget.write(block("names", names_block(names, history.run.total)))
    budget.write(block("cut", str(budget.cut).encode()))
    budget.write(f'<script type="module">{script}</script>\n</body></html>\n'.encode())
    return budget.cut


def _lines(records: Sequence[Record], detail: Detail) -> list[bytes]:
    return [encode(shortened(record, detail.characters, detail.entries)) for record in records]


def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def _head(stream: str, style: str, script: str) -> Html:
    """Nothing may be loaded, only our own script and style may run, and no text may become markup."""
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return join(
        [
            Html('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'),
            tag("meta", name="generator", content=GENERATOR),
            tag("meta", http_equiv="Content-Security-Policy", content=policy),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("meta", name="referrer", content="no-referrer"),
            tag("title", text(f"Run {stream} · Batchata report")),
            Html(f"<style>{style}</style></head>\n"),
        ]
    )


def _hash(source: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _body(log: Log, stream: str, chronicle: Chronicle, started: RunStarted, head: str | None) -> Html:
    history = chronicle.history
    sections = [
        ("Totals", totals(history)),
        ("Cost over time", chart(chronicle)),
        ("Outcomes", what_came_back(log, stream, history)),
        ("Jobs", tag("div", Html(""), id="jobs")),
        ("Items", tag("div", Html(""), id="items")),
        ("What happened", story(chronicle)),
        ("What was run", identity(history, started, head)),
    ]
    return join(
        [
            Html('<body><a class="skip" href="#items">Skip to the items</a>\n'),
            tag("header", join([heading(history, stream), _zone_button()])),
            Html("\n<main>\n"),
            join((_section(name, content) for name, content in sections), "\n"),
            Html("\n</main>\n"),
            tag("noscript", tag("p", text("The tables of jobs and items need JavaScript."))),
            tag("p", Html(""), id="trouble", role="alert"),
            tag("footer", tag("p", text(_FOOT))),
            Html("\n"),
        ]
    )


_FOOT = (
    "Written from the run's event log by batchata.replay report. Texts of models and documents are shown as "
    "they are; this file loads nothing. Whether the log is as it was written, `verify LOG --head HASH` tells."
)


def _zone_button() -> Html:
    words = text("Times are UTC. Show local time")
    return tag("p", tag("button", words, type="button", id="zone", aria_pressed="false"), class_="zone")


def _section(name: str, content: Html) -> Html:
    key = name.lower().replace(" ", "-")
    inner = join([tag("h2", text(name), id=f"h-{key}"), content])
    return tag("section", inner, aria_labelledby=f"h-{key}")
