"""Logs of any size, as a run of that many items would have written them, down to the bodies and the sums."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from charges import cost_charged
from pydantic import BaseModel

from batchata.answers.schema import json_schema, result_schema
from batchata.core import events as e
from batchata.core import values
from batchata.log import open_log

PER_JOB = 50
START = 1_764_000_000_000_000
PRICES = {"input_tokens": "1.5", "output_tokens": "7.5"}
AMOUNT = "0.0018"  # 950 input and 50 output tokens


class Invoice(BaseModel):
    vendor: str
    invoice_number: str
    total: float


def write_big_log[Place: Path | str](path: Place, items: int, **started: Any) -> Place:
    """A completed run of so many items in jobs of fifty, with an answer of about 1 KB for each, cited."""
    log = open_log(path)
    claim = log.claim("big", values.Process(pid=1, host="elsewhere"))
    claim.append(START, [_started(items, **started)])
    for first in range(0, items, 5_000):
        count = min(5_000, items - first)
        added = e.ItemsAdded(first=first, count=count, digest=f"d{first}", first_body=claim.next_body)
        claim.append(START + 1, [added], [_input(index) for index in range(first, first + count)])
    for number, first in enumerate(range(0, items, PER_JOB)):
        indexes = range(first, min(first + PER_JOB, items))
        at = START + 2 + number * 1_000_000
        claim.append(at, [_sending(number, indexes)])
        claim.append(at + 1_000, [_submitted(number, at), _polled(number, len(indexes), ended=False)])
        claim.append(at + 60_000_000, [_polled(number, len(indexes), ended=True)])
        events, bodies = _outcomes(number, indexes, claim.next_body)
        claim.append(at + 61_000_000, [*events, _completed(number, len(indexes))], bodies)
    claim.append(START + 10**9 * 3, [_ended(items)])
    claim.release()
    log.close()
    return path


def _started(items: int, **changes: Any) -> e.RunStarted:
    settings = dict.fromkeys(values.Settings.__struct_fields__) | {
        "on_bad_file": "raise",
        "check_support": "report",
    }
    settings |= {
        "items_per_job": PER_JOB,
        "max_parallel_jobs": 10,
        "max_attempts": 3,
        "on_interrupt": "detach",
    }
    settings["max_cost"] = "10000"
    fields: dict[str, Any] = {
        "run_id": "big",
        "tag": "tag",
        "provider": "anthropic",
        "base_url": "https://api.anthropic.com",
        "library_version": "0",
        "model": "claude-sonnet-5-5",
        "params": {"model": "claude-sonnet-5-5", "max_tokens": 1_000},
        "prompt": None,
        "response_model": f"{__name__}:Invoice",
        "response_schema": json_schema(Invoice),
        "result_schema": result_schema(Invoice),
        "enable_citations": True,
        "output_route": "prompt",
        "input_kind": "messages",
        "input_count": items,
        "input_fingerprint": "f",
        "settings": values.Settings(**settings),
        "process": values.Process(pid=1, host="elsewhere"),
    }
    return e.RunStarted(**{**fields, **changes})


def _input(index: int) -> bytes:
    text = f"Invoice {index} of Harbor Lane {index % 977}. " + "Payable within thirty days of receipt. " * 12
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def _sending(number: int, indexes: range) -> e.SubmissionStarted:
    return e.SubmissionStarted(
        job=number,
        items=[(indexes[0], indexes[-1])],
        request_count=len(indexes),
        bytes=600 * len(indexes),
        custom_ids=f"tag-{number}-{{index}}",
        reserved="0.5",
    )


def _submitted(number: int, at: int) -> e.BatchSubmitted:
    return e.BatchSubmitted(
        job=number, batch_id=f"msgbatch_{number:024}", created_at=at, expires_at=at + 86_400_000_000
    )


def _polled(number: int, count: int, *, ended: bool) -> e.BatchPolled:
    counts = values.Counts(
        processing=0 if ended else count, succeeded=count if ended else 0, errored=0, canceled=0, expired=0
    )
    status = "ended" if ended else "in_progress"
    return e.BatchPolled(job=number, batch_id=f"msgbatch_{number:024}", status=status, counts=counts)


def _outcomes(number: int, indexes: range, next_body: int) -> tuple[list[e.Event], list[bytes]]:
    events: list[e.Event] = []
    for position, index in enumerate(indexes):
        events.append(
            e.OutcomeRecorded(
                job=number,
                index=index,
                kind="succeeded",
                stop_reason="end_turn",
                error=None,
                usage=values.Usage(input_tokens=950, output_tokens=50),
                body=next_body + position,
            )
        )
        events.append(
            cost_charged(
                number,
                index,
                AMOUNT,
                input_tokens=950,
                output_tokens=50,
                unit_prices=PRICES,
                price_source="the list of May",
            )
        )
    return events, [_line(number, index) for index in indexes]


def _line(number: int, index: int) -> bytes:
    cited = {
        "type": "page_location",
        "cited_text": f"Harbor Lane {index % 977}, invoice {index}, total {index % 89}.{index % 7}0 USD",
        "document_index": 0,
        "document_title": f"invoice-{index}.pdf",
        "start_page_number": 1,
        "end_page_number": 2,
    }
    content = [
        {"type": "text", "text": '{"vendor": "'},
        {"type": "text", "text": f"Harbor Lane {index % 977}", "citations": [cited]},
        {"type": "text", "text": f'", "invoice_number": "HL-{index:06}", "total": '},
        {"type": "text", "text": f"{index % 89}.{index % 7}", "citations": [cited]},
        {"type": "text", "text": "}"},
    ]
    message = {
        "id": f"msg_{index:024}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": content,
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 950, "output_tokens": 50},
    }
    result = {"type": "succeeded", "message": message}
    return json.dumps({"custom_id": f"tag-{number}-{index}", "result": result}).encode()


def _completed(number: int, count: int) -> e.JobCompleted:
    return e.JobCompleted(
        job=number, batch_id=f"msgbatch_{number:024}", outcomes={"succeeded": count}, strays={}
    )


def _ended(items: int) -> e.RunCompleted:
    cents = items * 18
    return e.RunCompleted(
        completed_items=items, failed_items=0, total_cost=f"{cents // 10_000}.{cents % 10_000:04}"
    )
