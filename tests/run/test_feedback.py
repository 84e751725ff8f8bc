"""Retries after an answer that is no good: the model is told what was wrong, and only it is asked again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from resume_support import fresh
from run_support import Runs, echo

from batchata.sandbox import Answer, Faults, Request

type Answers = Callable[[Request], Any]


def texts_of(answers: Answers) -> tuple[Answers, dict[str, list[str]]]:
    """The answers, and what each item was asked, attempt by attempt."""
    asked: dict[str, list[str]] = defaultdict(list)

    def answer(request: Request) -> Any:
        asked[request.text.split("\n")[0]].append(request.text)
        return answers(request)

    return answer, asked


@pytest.mark.parametrize("retry_delay", [0.0, 0.01])
def test_the_next_attempt_says_which_field_was_wrong(runs: Runs, retry_delay: float) -> None:
    """An answer that does not fit the schema is answered by its own mistake, with the field's name.

    Without a delay the next attempt is planned before the log has the answer.
    """

    def moody(request: Request) -> Any:
        if request.text == "message 1":
            return {"said": "message 1", "length": "a good deal"}
        return {"said": request.text.split("\n")[0], "length": 9}

    answers, asked = texts_of(moody)
    with fresh(runs.log.parent / "moody", answers=answers) as moody_runs:
        summary = moody_runs.manager(3, retry_delay=retry_delay).run()
        assert summary["completed_items"] == 3
        (first, second) = asked["message 1"]
        assert first == "message 1"
        assert "could not be used" in second
        assert "length" in second
        assert "integer" in second
        assert [len(asked[f"message {number}"]) for number in (0, 2)] == [1, 1]


def test_nothing_is_said_of_what_the_model_did_not_do(runs: Runs) -> None:
    """After an overloaded or expired request the same request is sent again, byte for byte."""
    answers, asked = texts_of(echo)
    faults = Faults(errored={0}, expired={1}, only_batches={0})
    with fresh(runs.log.parent / "over", answers=answers, faults=faults) as over:
        assert over.manager(3).run()["completed_items"] == 3
    assert {text for texts in asked.values() for text in texts} == set(asked)


def test_an_item_that_never_fits_fails_after_its_attempts_with_what_it_answered(runs: Runs) -> None:
    """After max_attempts it is a failure that keeps its raw text; the others are not hurt."""

    def stubborn(request: Request) -> Any:
        return Answer(text="no JSON") if request.text.startswith("message 0") else echo(request)

    with fresh(runs.log.parent / "stubborn", answers=stubborn) as stubborn_runs:
        made = stubborn_runs.manager(3, max_attempts=2)
        summary = made.run()
        assert (summary["completed_items"], summary["failed_items"]) == (2, 1)
        failed = next(item for item in made.items() if item.status == "failed")
        assert (failed.index, failed.attempts) == (0, 2)
        assert failed.raw is not None
        assert "no JSON" in str(failed.raw)
        assert sum(stubborn_runs.sandbox.billed().values()) == 4


def test_retry_failed_gives_a_fresh_set_of_attempts(runs: Runs) -> None:
    """What failed for good is sent again when the user says so, and only that, with as many attempts."""
    stubborn = [True]

    def answer(request: Request) -> Any:
        return Answer(text="no JSON") if stubborn[0] and "message 0" in request.text else echo(request)

    with fresh(runs.log.parent / "stubborn", answers=answer) as stubborn_runs:
        made = stubborn_runs.manager(3, max_attempts=2)
        made.run()
        again = made.retry_failed()
        assert (again["retry_count"], again["failed_items"]) == (1, 1)
        assert sum(stubborn_runs.sandbox.billed().values()) == 3 + 1 + 2
        stubborn[0] = False
        # An echo of the note as well: the answer says what the model was told.
        assert made.retry_failed()["completed_items"] == 3
        assert made.retry_failed()["retry_count"] == 0
        assert made.results()[0]["result"].said.startswith("message 0")


@pytest.mark.parametrize("kind", ["invalid_request_error", "authentication_error", "permission_error"])
def test_what_cannot_get_better_is_not_sent_again(runs: Runs, kind: str) -> None:
    """These errors of a request are final at once, and say what they were."""
    runs.sandbox.faults = Faults(errored={0}, error_type=kind, error_message="no use")
    made = runs.manager(3)
    summary = made.run()
    assert (summary["completed_items"], summary["failed_items"], runs.creates()) == (2, 1, 1)
    error = next(item.error for item in made.items() if item.error)
    assert (error.kind, "no use" in error.message) == (kind, True)


def test_a_note_is_part_of_what_may_be_spent(runs: Runs) -> None:
    """The reservation of a second attempt covers the note that it carries."""

    def moody(request: Request) -> Any:
        return echo(request) if "could not" in request.text else Answer(text="no JSON")

    with fresh(runs.log.parent / "moody", answers=moody) as moody_runs:
        moody_runs.manager(1, max_cost=1).run()
        reserved = [r.event.reserved for r in moody_runs.events() if r.event.TYPE == "submission_started"]
        assert len(reserved) == 2
        assert reserved[0] < reserved[1]


def test_the_backoff_is_in_the_log(runs: Runs) -> None:
    """Doubled with every attempt, jitter included: a replay needs no dice."""
    runs.sandbox.faults = Faults(errored={0})
    made = runs.manager(1, max_attempts=4, retry_delay=0.02)
    made.run()
    decided = [r.event for r in runs.events() if r.event.TYPE == "retry_scheduled"]
    assert [event.attempt for event in decided] == [2, 3, 4]
    for event, full in zip(decided, (0.02, 0.04, 0.08), strict=True):
        assert full / 2 <= event.delay <= full
