"""Whole runs against a service that redirects, delays and answers oddly: an end, and no double bill."""

from __future__ import annotations

import re
import time
from email.utils import formatdate
from typing import Any

import pytest
from run_support import Runs, echo

from batchata.errors import (
    BatchataError,
    ConfigurationError,
    RequestRefusedError,
    UnknownSubmissionError,
    UnreadableReplyError,
)
from batchata.providers.anthropic.client import AnthropicClient
from batchata.run.workers import Workers
from batchata.sandbox import Faults, Sandbox


def check_paid_once(runs: Runs, count: int = 7, **given: Any) -> None:
    """The next start completes every item, and none was ever answered twice."""
    runs.sandbox.faults = Faults()
    summary = runs.manager(count, **given).run()
    assert (summary["completed_items"], summary["pending_items"]) == (count, 0)
    assert set(runs.sandbox.billed().values()) == {1}
    assert len(runs.sandbox.billed()) == count


def failing(runs: Runs, count: int = 7, **given: Any) -> BatchataError:
    """A start that ends with an error of ours, soon."""
    began = time.monotonic()
    with pytest.raises(BatchataError) as caught:
        runs.manager(count, **given).run()
    assert time.monotonic() - began < 20
    return caught.value


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("far", [False, True])
def test_a_redirected_create_ends_the_start_and_is_not_posted_elsewhere(
    runs: Runs, status: int, far: bool
) -> None:
    """One batch at most was asked for in each job; the mended start pays for everything once."""
    with Sandbox(answers=echo) as elsewhere:
        place = f"{(elsewhere if far else runs.sandbox).url}/v1/messages/batches"
        runs.sandbox.faults = Faults(create_status=[status] * 50, headers={"location": place})
        error = failing(runs)
        assert f"redirected to {place}, which is not followed" in str(error)
        assert (elsewhere.exchanges, runs.sandbox.batches) == ([], [])
        assert runs.creates() <= 3
        check_paid_once(runs)
        assert elsewhere.exchanges == []


@pytest.mark.parametrize("status", [301, 303, 307, 308, 399])
def test_a_create_that_was_done_and_redirected_is_found(runs: Runs, status: int) -> None:
    """A redirect proves nothing: the batch is looked for and adopted, not made again."""
    runs.sandbox.faults = Faults(
        create_status_after=[status] * 3, headers={"location": "http://127.0.0.1:1/done"}
    )
    assert isinstance(failing(runs), UnknownSubmissionError)
    check_paid_once(runs)


def test_a_run_follows_an_api_that_has_moved_once_its_user_says_so(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old address may hold a batch, and redirects every look for it: giving the job up is the way on."""
    with Sandbox(answers=echo) as elsewhere:
        moved: dict[str, Any] = {"headers": {"location": f"{elsewhere.url}/v1/messages/batches"}}
        runs.sandbox.faults = Faults(create_status=[308] * 9, list_status=[308] * 9, **moved)
        assert isinstance(failing(runs, items_per_job=7), UnknownSubmissionError)
        assert isinstance(failing(runs, items_per_job=7), RequestRefusedError)
        with monkeypatch.context() as there:
            there.setenv("ANTHROPIC_BASE_URL", elsewhere.url)
            assert re.search(r"has moved .* abandon\(0\) with the old address", str(failing(runs)))
        runs.manager(items_per_job=7).abandon(0)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", elsewhere.url)
        assert runs.manager(items_per_job=7).run()["completed_items"] == 7
        assert (runs.sandbox.batches, set(elsewhere.billed().values())) == ([], {1})


@pytest.mark.parametrize("which", ["poll_status", "list_status", "results_status"])
def test_a_redirected_question_is_not_followed(runs: Runs, which: str) -> None:
    """The key goes nowhere else; what was created is collected by the next start."""
    with Sandbox(answers=echo) as elsewhere:
        faults: dict[str, Any] = {which: [307] * 50, "lost_create_responses": int(which == "list_status")}
        runs.sandbox.faults = Faults(headers={"location": f"{elsewhere.url}/x"}, **faults)
        # One batch: several that are due together are looked up in the list.
        assert isinstance(failing(runs, items_per_job=7), RequestRefusedError)
        assert elsewhere.exchanges == []
        check_paid_once(runs)


PAUSES = {
    "epoch of next year": str(time.time() + 3e7),
    "epoch of long ago": "1100000000",
    "infinite": "inf",
    "NaN": "nan",
    "negative": "-60",
    "past date": formatdate(time.time() - 1e6, usegmt=True),
    "far date": formatdate(time.time() + 1e8, usegmt=True),
    "huge": "1e300",
    "words": "after lunch",
}


@pytest.mark.parametrize("kind", PAUSES)
def test_an_absurd_pause_is_not_kept(runs: Runs, kind: str) -> None:
    """Neither for creates nor for questions: our own pause takes its place, and the run completes."""
    runs.sandbox.faults = Faults(
        create_status=[429], poll_status=[429], list_status=[529], results_status=[503],
        headers={"retry-after": PAUSES[kind]},
    )  # fmt: skip
    summary = runs.manager().run()
    assert summary["completed_items"] == 7


ODD = [None, 7, [], {}, {"id": "a b", "processing_status": "ended"}, {"id": "x" * 100_000}, {"id": "../.."}]


@pytest.mark.parametrize("endless", [False, True])
@pytest.mark.parametrize("lost", ["dropped", "500", "unreadable"])
def test_our_own_batch_on_an_odd_page_is_adopted(runs: Runs, lost: str, endless: bool) -> None:
    """Whatever else stands in the list, and however it goes on."""
    runs.sandbox.faults = Faults(
        lost_create_responses=int(lost == "dropped"),
        create_status_after=[500] if lost == "500" else [],
        created_as=[b"<html>"] if lost == "unreadable" else [],
        entries=ODD,
        endless_list=endless,
    )
    assert runs.manager().run()["completed_items"] == 7
    assert set(runs.sandbox.billed().values()) == {1}
    assert runs.creates() == 3


@pytest.mark.parametrize(
    "faults", [{"entries": [None]}, {"endless_list": True}, {"counts": "many"}], ids=repr
)
def test_absence_is_not_concluded_from_what_cannot_be_read(runs: Runs, faults: dict[str, Any]) -> None:
    """Nothing was created, but nobody can say so: the job is not sent again, until somebody can."""
    runs.sandbox.faults = Faults(create_status=[500], **faults)
    manager = runs.manager(3)
    if "counts" in faults:  # no batch at all: there is nothing that could not be read
        assert manager.run()["completed_items"] == 3
    else:
        assert isinstance(failing(runs, 3), UnreadableReplyError)
        assert runs.creates() == 1
    check_paid_once(runs, 3)


@pytest.mark.parametrize("counts", ["many", [3, 0], {}, {"succeeded": [1]}, {"succeeded": -1}], ids=repr)
def test_a_lost_batch_with_odd_counts_is_found_by_its_ids(runs: Runs, counts: Any) -> None:
    """Its size says nothing then, so that it must not be needed."""
    runs.sandbox.faults = Faults(lost_create_responses=2, counts=counts)
    assert runs.manager().run()["completed_items"] == 7
    assert set(runs.sandbox.billed().values()) == {1}
    assert runs.creates() == 3


@pytest.mark.parametrize(
    "said", [b"", b"null", b"<html>", b"[" * 100_000, b'{"id": "\xff"}', b"{}"], ids=repr
)
def test_an_odd_description_ends_a_start_and_loses_nothing(runs: Runs, said: bytes) -> None:
    """An error of ours, not of Python's; the next start collects what this one has sent."""
    runs.sandbox.faults = Faults(descriptions=[said] * 50)
    assert isinstance(failing(runs, 3), UnreadableReplyError)
    check_paid_once(runs, 3)
    assert runs.creates() == 1


def test_an_odd_description_keeps_no_other_batch_from_being_collected(runs: Runs) -> None:
    """What is paid for comes first: the other job is done when the error is raised."""
    runs.sandbox.faults = Faults(descriptions=[b"null", None, *[b"null"] * 50])
    with pytest.raises(UnreadableReplyError):
        runs.manager(6).run()
    assert runs.manager(6).stats()["completed_items"] == 3
    check_paid_once(runs, 6)


def test_an_odd_description_now_and_then_ends_nothing(runs: Runs) -> None:
    """Where others can be read, it is asked for again."""
    runs.sandbox.faults = Faults(descriptions=[b"null", None] * 50)
    assert runs.manager(6).run()["completed_items"] == 6


def test_creates_that_answer_nonsense_end_the_sending(runs: Runs) -> None:
    """Each may have made a batch: after the second nothing more is sent, and all are found."""
    runs.sandbox.faults = Faults(created_as=[b"<html>"] * 50)
    assert isinstance(failing(runs, 30, max_parallel_jobs=1), UnknownSubmissionError)
    assert runs.creates() == 2
    check_paid_once(runs, 30)


def test_a_key_that_breaks_between_two_starts_is_refused_and_costs_nothing(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With batches open; the mended key collects them, and there is nothing to settle."""
    key = runs.sandbox.api_key
    runs.sandbox.faults = Faults(poll_status=[500] * 50, list_status=[500] * 50)
    runs.manager(max_wait_time=1).run()
    monkeypatch.setenv("ANTHROPIC_API_KEY", f"{key}\n")
    assert isinstance(failing(runs), ConfigurationError)
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    check_paid_once(runs)
    assert "submission_unknown" not in runs.types()


@pytest.mark.parametrize("status", [401, 403, 405, 407, 426, 451, 501])
def test_what_stays_refused_is_not_waited_for(runs: Runs, status: int) -> None:
    """One start, one error; nothing was made, and the mended start makes it."""
    runs.sandbox.faults = Faults(create_status=[status] * 50)
    assert isinstance(failing(runs), RequestRefusedError)
    assert "submission_failed" in runs.types()
    assert "submission_unknown" not in runs.types()
    check_paid_once(runs)


def test_a_batch_of_unknown_size_without_lines_is_nobodys_yet(runs: Runs) -> None:
    """Its own lines may be what lacks, so that it is looked at again and not taken for a stranger's."""
    runs.sandbox.faults = Faults(lost_create_responses=1, counts="many", truncate_results=[0])
    assert runs.manager(3).run()["completed_items"] == 3
    assert (runs.creates(), set(runs.sandbox.billed().values())) == (1, {1})


def test_what_no_one_expected_is_raised_where_the_run_is_driven() -> None:
    """A mistake of ours in a thread must not leave the run waiting for a report."""

    def mistaken(*_: object) -> None:
        raise ZeroDivisionError("ours")

    workers = Workers(AnthropicClient(api_key="key"), 1)
    workers.call("poll", [0], mistaken)
    with pytest.raises(ZeroDivisionError, match="ours"):
        workers.report(60.0)
    assert workers.close()  # the call is still noted, so that nothing takes the job for free
