"""A schema that the provider refuses goes into the prompt: a decision in the log, at no cost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from money_support import bill
from places import SUBMIT
from pydantic import BaseModel, create_model
from resume_support import Script, fresh, manager, opened
from run_support import MODEL, Echo, Runs, conversations, echo
from typer.testing import CliRunner

from batchata import BatchManager, batch
from batchata.errors import InvalidInputError, RequestRefusedError
from batchata.log.verify import verify
from batchata.providers.anthropic.refusals import is_about_schema
from batchata.replay.cli import app
from batchata.sandbox import Answer, Faults, Request

TOO_LARGE = (
    "The compiled grammar is too large, which would cause performance issues. Simplify your tool schemas or "
    "reduce the number of strict tools."
)
REFUSALS = [
    TOO_LARGE,
    "Schema is too complex for compilation",
    "output_config.format.schema: Schema is too complex for compilation",
    "Grammar compilation timed out after 180 seconds",
    "Schema compilation timed out.",
    "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
    "For 'array' type, 'minItems' values other than 0 or 1 are not supported",
    "requests.3.params.output_config.format.schema: For 'integer' type, property 'minimum' is not supported",
    "requests.0: output_config.format.schema: Schema type 'oneOf' is not supported",
    "Schemas contains too many parameters with union types (17 parameters with type arrays or anyOf).",
    "Schemas contains too many optional parameters (25), which would make grammar compilation inefficient.",
    "Circular reference detected in schema definitions: #/$defs/Node",
    "Unsupported keyword 'patternProperties' in schema",
    "Structured outputs are not supported by this model",
]
OTHERS = [
    "messages.0: Input does not match the expected shape.",
    "tools.0.custom.input_schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
    "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.",
    "`max_tokens` must be greater than `thinking.budget_tokens`.",
    "prompt is too long: 3333404 tokens > 200000 maximum",
    "too many total text bytes: 10000002 > 9000000",
    "Unable to download the file. Please verify the URL and try again.",
    "max_stepss: Extra inputs are not permitted",
    "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    "messages.1.content.0: Invalid `encrypted_content` in `search_result` block",
    "messages.0.content.0.document.context: Input should be a valid string",
    "output_config.effort: Input should be 'low', 'medium' or 'high'",
    "system: text content blocks must be non-empty",
]


@pytest.mark.parametrize("said", REFUSALS)
def test_a_refused_schema_is_known_by_its_words(said: str) -> None:
    """Also where the refusal names a place in the request or in the job."""
    assert is_about_schema(said)


@pytest.mark.parametrize("said", OTHERS)
def test_other_refusals_are_not_about_the_schema(said: str) -> None:
    """The caller's own tools, messages and parameters are mended by no other way of the schema."""
    assert not is_about_schema(said)


def echo_only(request: Request) -> None:
    """Nothing is refused."""


class Service:
    """Refuses native schemas in the results, and counts the ways that requests went."""

    def __init__(self) -> None:
        self.said: str | Callable[[Request], str | None] = echo_only
        self.ways: list[str] = []

    def __call__(self, request: Request) -> Any:
        native = "format" in (request.params.get("output_config") or {})
        self.ways.append("native" if native else "prompt")
        said = self.said if isinstance(self.said, str) else self.said(request)
        if native and said is not None:
            return Answer(kind="errored", error_type="invalid_request_error", error_message=said)
        return echo(request)


@pytest.fixture
def answering() -> Service:
    return Service()


@pytest.fixture
def runs(answering: Service, tmp_path: Path) -> Iterator[Runs]:
    """Runs against a service that refuses native schemas when it is told to."""
    with fresh(tmp_path / "run", answers=answering) as runs:
        yield runs


@pytest.fixture
def service(answering: Service) -> Callable[[Any], Service]:
    """Has the service refuse with these words."""

    def make(said: Any) -> Service:
        answering.said = said
        return answering

    return make


def decisions(runs: Runs) -> list[Any]:
    return [r.event for r in runs.events() if r.event.TYPE == "schema_route_changed"]


def check_log(runs: Runs) -> None:
    with opened(runs) as log:
        assert [verify(log, stream) for stream in log.streams()] == [[]]


@pytest.mark.parametrize("said", [TOO_LARGE, REFUSALS[3], REFUSALS[5]])
def test_items_refused_for_their_schema_go_again_at_once_by_the_prompt(
    runs: Runs, service: Callable[[Any], Service], said: str
) -> None:
    """One decision for all jobs that come back so, no attempt used up, nothing paid for the refusals."""
    found = service(said)
    driven = runs.manager(9, max_attempts=1, retry_delay=60)
    summary = driven.run()
    assert (summary["completed_items"], summary["failed_items"]) == (9, 0)
    assert [e["result"].said for e in driven.results()] == [f"message {i}" for i in range(9)]
    (decision,) = decisions(runs)
    assert (decision.route, decision.error.message) == ("prompt", said)
    assert found.ways.count("prompt") == 9
    assert summary["total_cost"] == bill(runs.sandbox)
    assert {item.attempts for item in driven.items()} == {2}
    check_log(runs)


def test_a_resumed_run_keeps_the_decision(runs: Runs, service: Callable[[Any], Service]) -> None:
    """New items and later starts go by the prompt at once; nothing is decided twice."""
    found = service(TOO_LARGE)
    runs.manager(3).run()
    natively = found.ways.count("native")
    again = runs.manager(8)
    assert again.run()["completed_items"] == 8
    assert (found.ways.count("native"), len(decisions(runs))) == (natively, 1)
    assert again.stats()["output_route"] == "prompt"
    check_log(runs)


def test_only_what_is_refused_goes_another_way(runs: Runs, service: Callable[[Any], Service]) -> None:
    """What was answered natively stays as it is and is not paid for again."""
    found = service(lambda request: TOO_LARGE if request.text == "message 4" else None)
    driven = runs.manager(9, max_parallel_jobs=3)
    summary = driven.run()
    assert summary["completed_items"] == 9
    assert found.ways == ["native"] * 9 + ["prompt"]
    assert summary["total_cost"] == bill(runs.sandbox)


def test_a_create_that_is_refused_for_the_schema_goes_again_by_the_prompt(
    runs: Runs, service: Callable[[Any], Service]
) -> None:
    """A 400 for the whole job, whichever request it names, fails no item and ends nothing."""
    found = service(lambda request: None)
    runs.sandbox.faults = Faults(
        create_status=[400],
        create_says="requests.1.params.output_config.format.schema: too complex",
    )
    driven = runs.manager(4, max_parallel_jobs=1)
    summary = driven.run()
    assert (summary["completed_items"], summary["failed_items"]) == (4, 0)
    assert found.ways == ["prompt"] * 4
    assert len(decisions(runs)) == 1
    check_log(runs)


def test_with_native_the_items_fail_and_the_cure_is_named(
    runs: Runs, service: Callable[[Any], Service]
) -> None:
    """Nothing is sent another way unasked; with the cure they are, for the price of one answer."""
    found = service(TOO_LARGE)
    driven = runs.manager(3, structured_output="native")
    assert driven.run()["failed_items"] == 3
    for item in driven.items():
        assert item.error.kind == "invalid_request_error"
        assert "compiled grammar" in item.error.message
        assert "structured_output='native'" in item.error.message
        assert "give 'auto' or 'prompt'" in item.error.message
    assert decisions(runs) == []
    again = runs.manager(3, structured_output="prompt")
    assert again.retry_failed()["completed_items"] == 3
    (decision,) = decisions(runs)
    assert (decision.route, decision.job, decision.error) == ("prompt", None, None)
    assert found.ways == ["native"] * 3 + ["prompt"] * 3
    check_log(runs)


def test_with_native_a_refused_create_ends_the_run_with_the_cure(runs: Runs) -> None:
    """No item is failed for it."""
    runs.sandbox.faults = Faults(create_status=[400] * 9, create_says=f"requests.0: {TOO_LARGE}")
    with pytest.raises(RequestRefusedError, match="give 'auto' or 'prompt'"):
        runs.manager(3, structured_output="native").run()
    assert runs.manager(3, structured_output="native").stats()["failed_items"] == 0
    runs.sandbox.faults = Faults()
    assert runs.manager(3, structured_output="prompt").run()["completed_items"] == 3


def test_prompt_never_asks_natively_and_auto_does(runs: Runs, service: Callable[[Any], Service]) -> None:
    """The way may change between starts; "auto" then keeps the last one."""
    found = service(lambda request: None)
    runs.manager(2, structured_output="prompt").run()
    runs.manager(3).run()
    runs.manager(4, structured_output="native").run()
    assert found.ways == ["prompt"] * 3 + ["native"]
    assert [e.route for e in decisions(runs)] == ["native"]


class Open(BaseModel):
    """A model that no native format carries."""

    said: str
    more: dict[str, int]


def test_a_way_that_cannot_be_taken_is_refused_at_once(runs: Runs) -> None:
    """By the constructor, with the reason and what to give."""
    for given, words in (
        ({"response_model": Open}, "open dict"),
        ({"enable_citations": True}, "together with citations"),
        ({"structured_output": "tool"}, "must be 'auto', 'native' or 'prompt'"),
    ):
        with pytest.raises(InvalidInputError, match=words):
            runs.manager(2, **({"structured_output": "native"} | given))
    assert isinstance(runs.manager(2, response_model=None, structured_output="native"), BatchManager)


def test_the_limit_holds_for_the_longer_prompts(runs: Runs, service: Callable[[Any], Service]) -> None:
    """What is held back follows the way: the worst case of a request with the schema in its prompt."""
    service(TOO_LARGE)
    driven = runs.manager(6, max_cost=1)
    driven.run()
    reserved = [Decimal(r.event.reserved) for r in runs.events() if r.event.TYPE == "submission_started"]
    sizes = [r.event.bytes for r in runs.events() if r.event.TYPE == "submission_started"]
    assert len(reserved) == 4
    measured = runs.manager(6, state_path=None, structured_output="prompt").estimate()
    native = runs.manager(6, state_path=None, structured_output="native").estimate()
    assert sum(reserved[-2:]) == measured.worst_cost != native.worst_cost == sum(reserved[:2])
    assert sizes[0] != sizes[-1]
    check_log(runs)


def test_a_limit_that_only_native_requests_fit_into_stops_and_names_the_other(
    runs: Runs, service: Callable[[Any], Service]
) -> None:
    """Nothing above max_cost is sent for the decision's sake."""
    service(TOO_LARGE)
    kinds = Literal[tuple(f"kind {n}" for n in range(40))]  # type: ignore[valid-type]  # much to quote
    more: Any = {f"field_{n}": (kinds, "kind 0") for n in range(20)}
    wide = {"response_model": create_model("Wide", __base__=Echo, **more)}
    least, most = (
        runs.manager(1, state_path=None, structured_output=way, **wide).estimate().worst_cost
        for way in ("native", "prompt")
    )
    assert least < most
    driven = runs.manager(1, max_cost=least, **wide)
    assert driven.run()["cost_limit_reached"]
    assert driven.stats()["needed_cost"] == most
    assert runs.manager(1, max_cost=most, **wide).run()["completed_items"] == 1


def test_killed_with_the_decision_in_the_log_the_next_start_follows_it(
    runs: Runs, service: Callable[[Any], Service]
) -> None:
    """It is in the log before anything is sent in the other way."""
    found = service(TOO_LARGE)
    place = (SUBMIT, False, 2)
    assert Script(runs, place, max_parallel_jobs=1).ends() == -signal.SIGKILL
    assert "schema_route_changed" in runs.types()
    assert manager(runs, max_parallel_jobs=1).run()["completed_items"] == 4
    assert found.ways == ["native"] * 2 + ["prompt"] * 4
    assert len(decisions(runs)) == 1
    check_log(runs)


def test_replay_says_what_was_decided_and_why(runs: Runs, service: Callable[[Any], Service]) -> None:
    """In show and in the timeline."""
    service(TOO_LARGE)
    runs.manager(2).run()
    show = " ".join(CliRunner().invoke(app, ["show", str(runs.log)]).output.split())
    assert "in the prompt since job 0 was refused for it: The compiled grammar is too large" in show
    events = " ".join(CliRunner().invoke(app, ["events", str(runs.log)]).output.split())
    assert "schema_route_changed the schema goes into the prompt from now on; job 0" in events


def test_batch_does_the_same(runs: Runs, service: Callable[[Any], Service]) -> None:
    """One job, sent again at once."""
    service(TOO_LARGE)
    job = batch(
        messages=conversations(3),
        model=MODEL,
        response_model=Echo,
        poll_interval=0.01,
        state_path=runs.log,
        structured_output="auto",
    )
    assert job.run()["completed_items"] == 3
