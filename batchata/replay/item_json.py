"""One item's life as one JSON object."""

from __future__ import annotations

from typing import Any

import msgspec
import pydantic

from batchata.answers.reader import Citations, Result
from batchata.core.money import plain
from batchata.text import iso
from batchata.views.cited_answer import Answer
from batchata.views.item_history import Attempt, Life, documents, shortened


def item_json(life: Life, answer: Answer) -> dict[str, Any]:
    """Everything that `item` tells, texts whole; bytes of documents are counted, not shown.

    `request.input` and `answer` are null once purged or before there is one. In `answer.cited` characters
    `start` to `end` (exclusive) rest on the citations with these positions in `answer.citations`.
    """
    run, item = life.history.run, life.result
    started = run.started
    assert started is not None
    return {
        "run_id": started.run_id,
        "index": life.index,
        "status": item.status,
        "same_as": item.same_as,
        "error": item.error,
        "cost": None if item.cost is None else plain(item.cost),
        "request": {
            "model": started.model,
            "params": started.params,
            "prompt": started.prompt,
            "response_model": started.response_model,
            "enable_citations": started.enable_citations,
            "documents": [] if life.input is None else [d._asdict() for d in documents(life.input)],
            "input": None if life.input is None else shortened(life.input),
            "added_at": iso(life.added_at),
        },
        "attempts": [_attempt(attempt) for attempt in life.attempts],
        "result": _result(item.result),
        "citations": _citations(item.citations),
        "stop_reason": item.stop_reason,
        "answer": _answer(answer) if answer.text else None,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    retry, charge = attempt.retry, attempt.charge
    return {
        "attempt": attempt.number,
        "job": attempt.job,
        "custom_id": attempt.custom_id,
        "batch_id": attempt.batch_id,
        "started_at": iso(attempt.started_at),
        "max_tokens": attempt.max_tokens,
        "submitted_at": iso(attempt.submitted_at),
        "answered_at": iso(attempt.answered_at),
        "note": attempt.note,
        "polls": attempt.polls,
        "fate": attempt.fate,
        "stop_reason": None if attempt.outcome is None else attempt.outcome.stop_reason,
        "error": attempt.error,
        "usage": None if attempt.outcome is None else attempt.outcome.usage,
        "cost": None if charge is None else charge.amount,
        "unit_prices": None if charge is None else charge.unit_prices,
        "price_source": None if charge is None else charge.price_source,
        "retry": None if retry is None else msgspec.to_builtins(retry),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "text": answer.text,
        "cited": [
            {"start": start, "end": end, "citations": [n - 1 for n in numbers]}
            for start, end, numbers in answer.marks
        ],
        "citations": [citation.as_dict() for citation in answer.citations],
    }


def _result(result: Result) -> Any:
    return result.model_dump(mode="json") if isinstance(result, pydantic.BaseModel) else result


def _citations(citations: Citations) -> Any:
    if isinstance(citations, dict):
        return {path: [c.as_dict() for c in found] for path, found in citations.items()}
    return None if citations is None else [c.as_dict() for c in citations]
