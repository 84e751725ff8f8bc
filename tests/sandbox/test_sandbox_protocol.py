"""The protocol as the real SDK sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anthropic
import httpx2
import pytest
from pydantic import BaseModel

from batchata.sandbox import Answer, Sandbox

KINDS = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}


def many(request_of: Any, count: int, **params: Any) -> list[dict[str, Any]]:
    return [request_of(f"r-{n}", f"message {n}", **params) for n in range(count)]


def results_of(client: anthropic.Anthropic, batch_id: str) -> dict[str, Any]:
    return {line.custom_id: line.result for line in client.messages.batches.results(batch_id)}


def raw(sandbox: Sandbox, method: str, path: str, **options: Any) -> httpx2.Response:
    headers = options.pop("headers", {"x-api-key": "k"})
    return httpx2.request(method, sandbox.url + path, headers=headers, **options)


def test_a_batch_is_in_progress_when_created_and_ends_by_itself(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """Create answers in_progress with every counter but processing at zero; the next look finds it ended."""
    client = connect(serve("fine"))
    created = client.messages.batches.create(requests=many(request_of, 3))
    assert created.processing_status == "in_progress"
    assert created.request_counts.to_dict() == {**KINDS, "processing": 3}
    assert created.results_url is None
    assert created.ended_at is None
    assert created.expires_at - created.created_at == timedelta(hours=24)

    ended = client.messages.batches.retrieve(created.id)
    assert ended.processing_status == "ended"
    assert ended.request_counts.to_dict() == {**KINDS, "succeeded": 3}
    assert ended.results_url == f"{str(client.base_url).rstrip('/')}/v1/messages/batches/{created.id}/results"
    assert len(created.id) == len("msgbatch_") + 24


def test_a_batch_object_has_every_key_of_the_protocol(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """Absent keys would be a protocol of our own."""
    sandbox = serve("fine")
    body = {"requests": many(request_of, 1)}
    assert set(raw(sandbox, "POST", "/v1/messages/batches", json=body).json()) == {
        *("id", "type", "processing_status", "request_counts", "created_at", "expires_at", "ended_at"),
        *("archived_at", "cancel_initiated_at", "results_url"),
    }


def test_a_delayed_batch_counts_nothing_until_it_has_ended(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """Counters stay zero and there are no results while a batch is in progress."""
    now = [1_800_000_000.0]
    sandbox = serve("fine", delay=60.0, clock=lambda: now[0])
    client = connect(sandbox)
    batch = client.messages.batches.create(requests=many(request_of, 2))
    now[0] += 59
    assert client.messages.batches.retrieve(batch.id).request_counts.to_dict() == {**KINDS, "processing": 2}
    with pytest.raises(anthropic.AnthropicError, match="results_url"):
        client.messages.batches.results(batch.id)
    assert raw(sandbox, "GET", f"/v1/messages/batches/{batch.id}/results").status_code == 404
    now[0] += 1
    assert client.messages.batches.retrieve(batch.id).processing_status == "ended"


def test_a_batch_expires_after_a_day(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """A batch slower than 24 hours ends then; what was not processed is expired."""
    now = [1_800_000_000.0]
    client = connect(serve("fine", delay=2 * 86_400.0, clock=lambda: now[0]))
    batch = client.messages.batches.create(requests=many(request_of, 10))
    now[0] += 86_400
    counts = client.messages.batches.retrieve(batch.id).request_counts
    assert (counts.succeeded, counts.expired) == (5, 5)


def test_results_are_gone_after_29_days(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """An archived batch is listed, without results."""
    now = [1_800_000_000.0]
    sandbox = serve("fine", clock=lambda: now[0])
    batch = connect(sandbox).messages.batches.create(requests=many(request_of, 1))
    connect(sandbox).messages.batches.retrieve(batch.id)
    now[0] += 29 * 86_400
    assert connect(sandbox).messages.batches.retrieve(batch.id).archived_at is not None
    assert raw(sandbox, "GET", f"/v1/messages/batches/{batch.id}/results").status_code == 404


def test_results_hold_the_answers_by_custom_id(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """Every request has one line, with the message the answering function gave."""
    client = connect(serve(lambda request: f"{request.custom_id}: {request.text}"))
    batch = client.messages.batches.create(requests=many(request_of, 20))
    results = results_of(client, batch.id)
    assert {i: r.message.content[0].text for i, r in results.items()} == {
        f"r-{n}": f"r-{n}: message {n}" for n in range(20)
    }
    message = results["r-3"].message
    assert message.id.startswith("msg_sandbox_")
    assert message.usage.service_tier == "batch"
    assert message.usage.input_tokens > 0


def test_lines_are_shuffled_by_a_seed(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """The order of lines is not the order of requests, and the same seed gives the same order."""

    def order(**options: Any) -> list[str]:
        client = connect(serve("fine", **options))
        batch = client.messages.batches.create(requests=many(request_of, 50))
        return [line.custom_id for line in client.messages.batches.results(batch.id)]

    sent = [f"r-{n}" for n in range(50)]
    assert order(shuffle=False) == sent
    assert order(seed=1) == order(seed=1) != sent
    assert sorted(order(seed=2)) == sorted(sent)


def test_all_kinds_of_outcomes(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """An answer may be any outcome; only succeeded ones are billed and carry usage."""
    kinds = {
        "ok": "text",
        "bad": Answer(kind="errored", error_type="overloaded_error", error_message="Overloaded"),
        "gone": Answer(kind="expired"),
        "stopped": Answer(kind="canceled"),
        "new": Answer(kind="postponed"),
        "no": Answer("", stop_reason="refusal", stop_details={"type": "refusal", "category": None}),
    }
    sandbox = serve(kinds)
    client = connect(sandbox)
    batch = client.messages.batches.create(requests=[request_of(name) for name in kinds])
    results = results_of(client, batch.id)
    assert {name: r.type for name, r in results.items()} == {
        "ok": "succeeded",
        "bad": "errored",
        "gone": "expired",
        "stopped": "canceled",
        "new": "postponed",
        "no": "succeeded",
    }
    assert results["bad"].error.error.type == "overloaded_error"
    assert results["no"].message.stop_reason == "refusal"
    counts = client.messages.batches.retrieve(batch.id).request_counts
    assert sum(counts.to_dict().values()) == 6
    assert sandbox.billed() == {"ok": 1, "no": 1}
    assert sandbox.usage()["input_tokens"] == sum(
        results[name].message.usage.input_tokens for name in ("ok", "no")
    )


def test_an_answer_may_be_a_model_or_any_json_value(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """A pydantic model, a dict and a mapping by custom id all become the text of an answer."""

    class Fruit(BaseModel):
        name: str

    sandbox = serve({"a": Fruit(name="fig"), "b": {"name": "kiwi"}})
    client = connect(sandbox)
    batch = client.messages.batches.create(requests=[request_of("a"), request_of("b"), request_of("c")])
    results = results_of(client, batch.id)
    assert json.loads(results["a"].message.content[0].text) == {"name": "fig"}
    assert json.loads(results["b"].message.content[0].text) == {"name": "kiwi"}
    assert results["c"].error.error.type == "api_error"


def test_an_answering_function_that_raises_is_an_errored_result(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """Somebody's broken function must not take the server down."""

    def answer(request: Any) -> str:
        if request.number == 1:
            raise LookupError("no such fruit")
        return "fine"

    client = connect(serve(answer))
    batch = client.messages.batches.create(requests=many(request_of, 2))
    results = results_of(client, batch.id)
    assert results["r-0"].type == "succeeded"
    assert "no such fruit" in results["r-1"].error.error.message


def test_an_answer_longer_than_max_tokens_is_cut(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """The cut is a succeeded result with stop_reason max_tokens, as the service has it."""
    client = connect(serve("word " * 100))
    batch = client.messages.batches.create(requests=[request_of("a", max_tokens=5)])
    message = results_of(client, batch.id)["a"].message
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 5
    assert len(message.content[0].text) == 20


def test_newest_models_think_first(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """Models from 5 on answer with a thinking block before the text."""
    client = connect(serve("fine"))
    batch = client.messages.batches.create(
        requests=[request_of("new", model="claude-sonnet-5-5"), request_of("old", model="claude-sonnet-4-6")]
    )
    results = results_of(client, batch.id)
    assert [b.type for b in results["new"].message.content] == ["thinking", "text"]
    assert [b.type for b in results["old"].message.content] == ["text"]


def test_batches_are_listed_newest_first_in_pages(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """limit, after_id and before_id walk the list in both directions; the SDK's own paging sees all."""
    client = connect(serve("fine"))
    ids = [client.messages.batches.create(requests=many(request_of, 1)).id for _ in range(7)][::-1]
    page = client.messages.batches.list(limit=3)
    assert [b.id for b in page.data] == ids[:3]
    assert (page.has_more, page.first_id, page.last_id) == (True, ids[0], ids[2])
    after = client.messages.batches.list(limit=3, after_id=ids[5])
    assert ([b.id for b in after.data], after.has_more) == (ids[6:], False)
    before = client.messages.batches.list(limit=2, before_id=ids[5])
    assert ([b.id for b in before.data], before.has_more) == (ids[3:5], True)
    assert [b.id for b in client.messages.batches.list(limit=2)] == ids


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_page_has_1_to_1000_batches(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], limit: Any
) -> None:
    """Other limits are a 400."""
    with pytest.raises(anthropic.BadRequestError, match="limit: Input should be"):
        connect(serve("fine")).messages.batches.list(limit=limit)


def test_a_cancelled_batch_is_canceling_then_ended_with_a_mix(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """What was processed before the cancel is succeeded and billed, the rest canceled."""
    now = [1_800_000_000.0]
    sandbox = serve("fine", delay=100.0, clock=lambda: now[0])
    client = connect(sandbox)
    batch = client.messages.batches.create(requests=many(request_of, 10))
    now[0] += 30
    canceling = client.messages.batches.cancel(batch.id)
    assert canceling.processing_status == "canceling"
    assert canceling.request_counts.processing == 10
    assert canceling.cancel_initiated_at is not None
    counts = client.messages.batches.retrieve(batch.id).request_counts
    assert (counts.succeeded, counts.canceled) == (3, 7)
    assert sum(sandbox.billed().values()) == 3
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.cancel(batch.id)


def test_a_batch_is_deleted_only_after_it_ended(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """Deleting keeps what was billed."""
    sandbox = serve("fine", delay=100.0)
    client = connect(sandbox)
    batch = client.messages.batches.create(requests=many(request_of, 1))
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.delete(batch.id)
    sandbox.end_all()
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(batch.id)
    assert sandbox.billed() == {"r-0": 1}


def test_synchronous_messages_and_token_counts_use_the_same_machinery(
    serve: Callable[..., Sandbox], connect: Callable[..., Any]
) -> None:
    """One message is answered at once, refused at once, and counted as it will be billed."""
    client = connect(serve(lambda request: f"you said {request.text}"))
    params: dict[str, Any] = {
        "model": "claude-haiku-4-5",
        "messages": [{"role": "user", "content": "hi " * 30}],
    }
    message = client.messages.create(max_tokens=100, **params)
    assert message.content[0].text.startswith("you said hi")
    assert message.usage.service_tier == "standard"
    assert client.messages.count_tokens(**params).input_tokens == message.usage.input_tokens
    with pytest.raises(anthropic.NotFoundError, match="model: claude-2"):
        client.messages.create(max_tokens=100, **{**params, "model": "claude-2"})


def test_exchanges_and_batches_can_be_looked_at(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """A test reads what was called, and what the batches are, also over HTTP."""
    sandbox = serve("fine")
    client = connect(sandbox)
    batch = client.messages.batches.create(requests=many(request_of, 2))
    client.messages.batches.retrieve(batch.id)
    assert sandbox.exchanges == [
        ("POST", "/v1/messages/batches", 200),
        ("GET", f"/v1/messages/batches/{batch.id}", 200),
    ]
    (view,) = sandbox.batches
    assert (view.id, view.custom_ids, view.status) == (batch.id, ("r-0", "r-1"), "ended")
    state = raw(sandbox, "GET", "/sandbox", headers={}).json()
    assert state["simulation"] is True
    assert state["billed"] == {"r-0": 1, "r-1": 1}
    assert state["batches"][0]["id"] == batch.id
