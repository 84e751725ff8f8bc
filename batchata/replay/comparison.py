"""Print two runs side by side, and how they do against known values: `compare`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

import typer

from batchata.core.money import plain_if_known
from batchata.core.state import Run
from batchata.errors import InvalidInputError
from batchata.inputs.rows import read_table
from batchata.log import A_LOG
from batchata.paths import check_path
from batchata.replay.console import Paper, aligned, print_json, reading, the_run
from batchata.replay.report.page import GENERATOR, check_target, policy, style_sheet, template, unwritable
from batchata.text import clean, number_of, short, shown, size, span, usd
from batchata.views.comparison import (
    Comparison,
    Difference,
    Side,
    compare_sides,
    read_side,
    scores_by_field,
    side_by_side,
)
from batchata.views.history import fold_events
from batchata.views.known_values import Labels, Score, labels_of
from batchata.views.whole_files import whole_file

_MOST = 200  # characters of a value or a passage


def compare(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str] | None = None,
    *,
    runs: Sequence[str | None] = (),
    labels: str | os.PathLike[str] | None = None,
) -> Comparison:
    """Compare two runs over the same inputs, field by field, and with known values where `labels` are given.

        print(batchata.replay.compare("a.db", "b.db", labels="known.csv"))

    Args:
        first: The log of the first run.
        second: The log of the second run; without it, the first log holds both.
        runs: The ids of the runs, needed where a log holds several. One id alone, or a log with one run
            and no second, is scored by its labels.
        labels: A CSV or JSONL file with a row for each labelled item: `index` or `file`, and its fields.

    Raises LogError for what is no readable log or was purged, InvalidInputError for runs and labels that
    do not fit.
    """
    if isinstance(runs, str) or not isinstance(runs, Sequence):
        raise InvalidInputError(f"runs must be a list of run ids, not {shown(runs)}")
    wanted = [*runs] or ([None] if second is None else [None, None])
    if len(wanted) > 2:
        raise InvalidInputError(f"two runs can be compared, not {len(wanted)}")
    logs = {"first": first} if second is None else {"first": first, "second": second}
    paths = [check_path(name, path, A_LOG) for name, path in logs.items()]
    with ExitStack() as stack:
        sides: list[Side] = []
        fields: list[list[str]] = []
        for path, run_id in zip(cycle(paths), wanted, strict=False):
            log = stack.enter_context(reading(path))
            run = fold_events(log, the_run(log, path, run_id))
            sides.append(read_side(log, run))
            fields.append(_top_fields(run))
    if len(sides) == 1 and labels is None:
        raise InvalidInputError("one run alone is compared with known values: give --labels, or a second run")
    rows = [] if labels is None else _read_labels(labels)
    known: list[Labels] = [
        labels_of(rows, side.items, names) for side, names in zip(sides, fields, strict=True) if labels
    ]
    return compare_sides(sides, known)


def _read_labels(labels: str | os.PathLike[str]) -> list[Mapping[str, Any]]:
    return read_table(Path(check_path("labels", labels, "the path of a CSV or JSONL file")))


def _top_fields(run: Run) -> list[str]:
    schema = None if run.started is None else run.started.result_schema
    return list((schema or {}).get("properties", {}))


def show_comparison(
    log: str,
    runs: Sequence[str],
    *,
    other: str | None,
    labels: str | None,
    as_json: bool,
    html: str | None = None,
) -> None:
    """Print the comparison, or write it as a page; see `compare`."""
    if html is not None and as_json:
        raise InvalidInputError("--html writes a page and --json prints; leave one of them out")
    if html is not None:
        check_target(Path(html), html)
    found = compare(log, other, runs=runs, labels=labels)
    if html is not None:
        _write_page(found, html)
    elif as_json:
        print_json(_json(found))
    else:
        _print(found)


def _write_page(found: Comparison, out: str) -> None:
    """Write the comparison as one HTML file that needs no script."""
    style, rows = style_sheet(), scores_of(found)
    names = [side.run_id for side in found.sides]
    page = template("compared.html.j2").render(
        generator=GENERATOR,
        policy=policy(style),
        style=style,
        title=" and ".join(names),
        sides=[
            {
                "label": label,
                "run_id": side.run_id,
                "model": side.model,
                "size": number_of(side.total, "item"),
            }
            for label, side in zip(("first", "second"), found.sides, strict=False)
        ],
        pairs=pairs_of(found) if len(found.sides) == 2 else "",
        facts=facts_of(found),
        scores=rows,
        by_chance=bool(found.contests),
        fields=fields_of(found),
        items=[_item(item) for item in found.items],
    )
    try:
        with whole_file(Path(out)) as file:
            file.write(page.encode())
    except OSError as exc:
        raise InvalidInputError(unwritable(out, exc)) from exc
    typer.echo(f"{clean(out)}: {' and '.join(map(clean, names))}, {size(len(page.encode()))}")


def _item(item: Difference) -> dict[str, Any]:
    return {
        "name": f"{item.first} and {item.second} {item.name}".rstrip(),
        "fields": [(path, [(mine, said), (theirs, told)]) for path, mine, theirs, said, told in item.fields],
    }


def _json(found: Comparison) -> dict[str, Any]:
    said = asdict(found)
    for side, whole in zip(said["sides"], found.sides, strict=True):
        del side["items"]
        side["cost"] = plain_if_known(whole.cost)
    said["scores"] = [
        [asdict(one) | {"low": one.low, "high": one.high} for one in side] for side in found.scores
    ]
    return said


def _print(found: Comparison) -> None:
    paper = Paper()
    for label, side in zip(("first", "second"), found.sides, strict=False):
        paper.field(label, clean(f"{side.run_id}, {side.model}, {number_of(side.total, 'item')}"), "bold")
    if len(found.sides) == 2:
        paper.field("pairs", pairs_of(found))
    paper.line()
    rows = facts_of(found)
    paper.columns(aligned(rows, right=(1, 2)))
    if found.fields:
        paper.line()
        paper.columns(aligned(fields_of(found), right=(1, 2, 3, 4)))
    if found.scores:
        paper.line()
        paper.columns(aligned(scores_of(found), right=(1,)))
    for item in found.items:
        paper.line()
        paper.field("item", clean(f"{item.first} and {item.second} {item.name}".rstrip()), "bold")
        for path, mine, theirs, said, told in item.fields:
            paper.field("", f"{short(path, _MOST)}: {_value(mine)} | {_value(theirs)}")
            if said or told:
                paper.field("", f"passages: {_passages(said)} | {_passages(told)}")


def _value(text: str | None) -> str:
    return "-" if text is None else short(text, _MOST)


def _passages(found: Sequence[str]) -> str:
    return "; ".join(short(text, _MOST) for text in found) or "-"


def facts_of(found: Comparison) -> list[Sequence[str]]:
    """Return what each run got and cost, as rows with a header."""
    rows: list[Sequence[str]] = [("", "first", "second")[: len(found.sides) + 1]]
    rows += [(name, *values) for name, values in side_by_side(found.sides)]
    rows.append(("cost", *[usd(side.cost) for side in found.sides]))
    rows.append(("took", *[span(round(side.seconds * 1e6)) for side in found.sides]))
    return rows


def fields_of(found: Comparison) -> list[Sequence[str]]:
    """Return how often the runs agree in each field, as rows with a header; nothing for a single run."""
    if not found.fields:
        return []
    rows: list[Sequence[str]] = [("field", "agree", "differ", "only first", "only second")]
    rows += [
        (short(f.path, _MOST), f"{f.agree:,}", f"{f.differ:,}", f"{f.only_first:,}", f"{f.only_second:,}")
        for f in found.fields
    ]
    return rows


def scores_of(found: Comparison) -> list[Sequence[str]]:
    """Return how the runs do against known values, as rows with a header; nothing without known values."""
    if not found.scores:
        return []
    names = ("first", "second")[: len(found.scores)]
    heads = ["field", "labels", *[f"{name} right (95 %)" for name in names]]
    chance = {contest.path: f"{contest.p:.3f}" for contest in found.contests}
    rows: list[Sequence[str]] = [[*heads, "by chance"] if chance else heads]
    for path, scores in scores_by_field(found.scores):
        labels = max(one.labels for one in scores if one)
        row = [short(path, _MOST), f"{labels:,}", *[_share(one) for one in scores]]
        rows.append([*row, chance.get(path, "-")] if chance else row)
    return rows


def pairs_of(found: Comparison) -> str:
    """Say how many inputs two runs share."""
    left = " and ".join(f"{count:,}" for count in found.unpaired)
    return f"{number_of(found.pairs, 'input')} in both; {left} in one alone"


def _share(score: Score | None) -> str:
    if score is None:
        return "-"
    bounds = f"{100 * score.low:.0f}-{100 * score.high:.0f} %"
    return (
        f"{score.right:,} ({bounds}), {score.exact:,} exact, {score.wrong:,} wrong, {score.missing:,} missing"
    )
