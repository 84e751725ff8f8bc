"""Print one item's whole history on one screen: `item`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pydantic
import typer

from batchata.answers.reader import Result
from batchata.core.events import CostCharged
from batchata.core.state import Run
from batchata.core.values import Usage, known
from batchata.providers.registry import dialect_of
from batchata.replay.console import Paper, aligned, print_json, reading, the_run
from batchata.run.request_again import request_again
from batchata.text import clean, moment, number_of, short, short_kind, span, usage_in_words, usd
from batchata.views.cited_answer import Answer, found_there, place_of, read_answer
from batchata.views.item_history import Attempt, Life, read_life
from batchata.views.item_inputs import documents, find_item, shortened, turns
from batchata.views.item_result import ItemResult, Support, flat, result_values
from batchata.views.item_values import item_json

_STYLES = {"completed": "green", "failed": "red", "pending": "yellow"}
_LONG, _WHOLE = 600, 1 << 62  # characters of a text that are shown, without and with --full
_MOST_ROWS = 40
_PURGED = "its body was purged from the log; the history stays"


def show_item(
    path: str,
    run_id: str | None,
    which: str,
    *,
    model: str | None,
    full: bool,
    json: bool,
    request: bool = False,
    files: Sequence[str] | None = None,
) -> None:
    """Print the item's history; see `read_life` for `model`.

    Raises LogError when the file is no readable log, InvalidInputError when it holds no such run or item.
    """
    with reading(path, files=files) as log:
        stream = the_run(log, path, run_id)
        life = read_life(log, stream, find_item(log, stream, which), model)
    if request:
        _print_request(life, full)
        return
    started = life.history.run.started
    assert started is not None
    answer = read_answer(life.result.raw, life.result.citations, dialect_of(started))
    if json:
        print_json(item_json(life, answer))
    else:
        _print(life, answer, _WHOLE if full else _LONG)


def _print_request(life: Life, full: bool) -> None:
    """Print what was sent for the item as JSON; bytes of documents are counted, or whole."""
    found, why = request_again(life)
    started = life.history.run.started
    assert started is not None
    print_json(found if full else shortened(found))
    if why is not None:
        typer.echo(f"batchata: {clean(why)}", err=True)
    if started.library_version != version("batchata"):
        typer.echo(
            f"batchata: Batchata {clean(started.library_version)} began the run; this is how "
            f"{version('batchata')} builds the request",
            err=True,
        )


def _print(life: Life, answer: Answer, most: int) -> None:
    paper, run, item = Paper(), life.history.run, life.result
    assert run.started is not None
    paper.field("run", clean(run.started.run_id), "bold")
    called = "" if item.name == f"item {life.index}" else f"{clean(item.name)}, "
    which = f"{called}{life.index} (of 0 to {run.total - 1}): {item.status}"
    if item.status == "completed" or item.error is None:
        paper.field("item", which, _STYLES[item.status])
    else:
        why = f"{clean(item.error.kind)}: {short(item.error.message, most)}"
        paper.field("item", f"{which}: {why}", _STYLES[item.status])
    _question(paper, run, life, most)
    for attempt in life.attempts:
        _attempt(paper, attempt, most)
    if not life.attempts:
        paper.field("attempts", "none yet")
    if item.same_as is not None:
        paper.field(
            "shared", f"shares the request of item {item.same_as}, which is identical and bears the cost"
        )
    many = f" for {number_of(item.attempts, 'attempt')}" if item.attempts > 1 else ""
    paper.field("cost", usd(item.cost) + many)
    _result(paper, item, answer, most)
    for number, citation in enumerate(answer.citations, 1):
        label = "citations" if number == 1 else ""
        place = f"{clean(place_of(citation))}, {found_there(citation)}"
        paper.field(label, f"[{number}] {place}: {short(citation.cited_text, most)}")
    unseen = any(c.grounded is None or c.checked_at for c in answer.citations)
    if unseen and item.source and not Path(item.source).exists():
        paper.field("", "the document is not where it was: --files DIR finds it by its content", "yellow")
    _answer(paper, life, answer, most)


def _question(paper: Paper, run: Run, life: Life, most: int) -> None:
    started = run.started
    assert started is not None
    paper.field("added", moment(life.added_at))
    if life.input is None:
        paper.field("request", _PURGED)
    else:
        for document in documents(life.input):
            paper.field("document", clean(str(document)))
            if document.path:
                paper.field("", f"from {clean(document.path)}")
        for role, text in turns(life.input):
            paper.field(role, short(text, most))
    if started.prompt is not None:
        paper.field("prompt", short(started.prompt, most))
    if isinstance(started.params.get("system"), str):
        paper.field("system", short(started.params["system"], most))
    asked = started.response_model or "text"
    most_tokens = life.attempts[-1].max_tokens if life.attempts else run.max_tokens_of(life.index)
    limit = f", at most {most_tokens:,} tokens"
    paper.field("asked for", clean(asked + (", with citations" if started.enable_citations else "") + limit))


def _attempt(paper: Paper, attempt: Attempt, most: int) -> None:
    batch = "no batch" if attempt.batch_id is None else f"batch {clean(attempt.batch_id)}"
    sent = moment(attempt.started_at)
    head = f"job {attempt.job}, {batch}, sent {sent} as {clean(attempt.custom_id)}"
    paper.field(f"attempt {attempt.number}", head, "bold")
    if attempt.note is not None:
        paper.field("", f"told: {short(attempt.note, most)}")
    paper.field("", _fate(attempt, most), "" if attempt.error is None else "yellow")
    if attempt.charge is not None:
        paper.field("", _price(attempt.charge))
    if attempt.accepted_at is not None:
        when = moment(attempt.accepted_at)
        paper.field("", f"refused at first; read again and accepted on {when}, at no cost", "green")
    if attempt.retry is not None:
        retry = attempt.retry
        begins = "a fresh set of attempts" if retry.attempt == 1 else f"attempt {retry.attempt}"
        when = "" if retry.delay == 0 else f", {span(round(retry.delay * 1e6))} later at the earliest"
        raised = known(retry.max_tokens)
        limit = "" if raised is None else f", with at most {raised:,} tokens"
        paper.field("", f"then {begins} was decided: {clean(retry.reason)}{when}{limit}")


def _fate(attempt: Attempt, most: int) -> str:
    outcome, words = attempt.outcome, [clean(attempt.fate)]
    if outcome is not None and outcome.stop_reason:
        words[0] += f" ({clean(outcome.stop_reason)})"
    if attempt.answered_at is not None:
        words.append(f"{span(attempt.answered_at - attempt.started_at)} after it was sent")
    if attempt.polls:
        words.append(f"after {number_of(attempt.polls, 'poll')}")
    text = ", ".join(words)
    if attempt.error is not None:
        text += f": {clean(attempt.error.kind)}: {short(attempt.error.message, most)}"
    return text


def _price(charge: CostCharged) -> str:
    used = {kind: getattr(charge, kind) for kind in Usage.__struct_fields__}
    rates = ", ".join(
        f"{usd(charge.unit_prices[kind])} {short_kind(kind)}"
        for kind, n in used.items()
        if n and kind in charge.unit_prices
    )
    if charge.ticks:
        return (
            f"{usd(charge.amount)}: {usage_in_words(used) or 'nothing used'} ({clean(charge.price_source)})"
        )
    source = f" at {rates} per million ({clean(charge.price_source)})" if rates else " (no price known)"
    return f"{usd(charge.amount)}: {usage_in_words(used) or 'nothing used'}{source}"


def _result(paper: Paper, item: ItemResult, answer: Answer, most: int) -> None:
    result: Result = item.result
    looked = Support.of(item)
    marks = dict.fromkeys(looked.unsupported, "NOT said there") | dict.fromkeys(looked.uncited, "no citation")
    if not isinstance(result, pydantic.BaseModel | dict):
        return  # a text is the answer itself
    values = flat(result_values(result))
    rows = [
        (
            short(path, most),
            short(text, most),
            " ".join(filter(None, (_numbers(answer, path), marks.get(path)))),
        )
        for path, text, _ in values
    ]
    shown = rows if most == _WHOLE else rows[:_MOST_ROWS]
    for number, line in enumerate(aligned(shown) if shown else ["no fields"]):
        paper.literal("result" if number == 0 else "", line)
    if len(shown) < len(rows):
        paper.field("", f"{number_of(len(rows) - len(shown), 'more value')}; --full shows all")


def _numbers(answer: Answer, path: str) -> str:
    return "".join(f"[{number}]" for number in answer.fields.get(path, []))


def _answer(paper: Paper, life: Life, answer: Answer, most: int) -> None:
    run, body = life.history.run, life.history.run.items.body[life.index]
    if 0 <= body < run.purged:
        paper.field("answer", _PURGED)
    elif answer.text:
        marked = answer.marked()
        _lines(paper, "answer", marked if len(marked) <= most * 3 else f"{marked[: most * 3]}…")
        if len(marked) > most * 3:
            paper.field("", f"{len(answer.text):,} characters; --full shows all")


def _lines(paper: Paper, label: str, text: str) -> None:
    lines: Sequence[str] = text.splitlines() or [""]
    for number, line in enumerate(lines):
        paper.literal(label if number == 0 else "", clean(line))
