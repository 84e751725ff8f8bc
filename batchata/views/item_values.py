"""Give everything that is known of one item as plain values: what `item --json` prints."""

from __future__ import annotations

from typing import Any

import msgspec

from batchata.core.money import plain_if_known
from batchata.text import iso
from batchata.views.cited_answer import Answer
from batchata.views.item_history import Attempt, Life
from batchata.views.item_inputs import documents, shortened
from batchata.views.item_result import Support, citation_values, result_values


def item_json(life: Life, answer: Answer) -> dict[str, Any]:
    """Return everything that `item` shows, with whole texts; bytes of documents are counted, not shown.

    `request.input` is null once purged, `answer` also before there is one. In `answer.cited` characters
    `start` to `end` (exclusive) rest on the citations with these positions in `answer.citations`.
    """
    run, item = life.history.run, life.result
    started = run.started
    assert started is not None
    return {
        "run_id": started.run_id,
        "index": life.index,
        "name": item.name,
        "source": item.source,
        "row": item.row,
        "status": item.status,
        "same_as": item.same_as,
        "error": item.error,
        "cost": plain_if_known(item.cost),
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
        "attempts": [_attempt_json(attempt) for attempt in life.attempts],
        "result": result_values(item.result),
        "citations": citation_values(item.citations),
        **Support.of(item)._asdict(),
        "stop_reason": item.stop_reason,
        "answer": _answer_json(answer) if answer.text else None,
    }


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
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
        "accepted_at": iso(attempt.accepted_at),
        "usage": None if attempt.outcome is None else attempt.outcome.usage,
        "cost": None if charge is None else charge.amount,
        "unit_prices": None if charge is None else charge.unit_prices,
        "price_source": None if charge is None else charge.price_source,
        "retry": None if retry is None else msgspec.to_builtins(retry),
    }


def _answer_json(answer: Answer) -> dict[str, Any]:
    return {
        "text": answer.text,
        "cited": [
            {"start": start, "end": end, "citations": [n - 1 for n in numbers]}
            for start, end, numbers in answer.marks
        ],
        "citations": [citation.as_dict() for citation in answer.citations],
    }
