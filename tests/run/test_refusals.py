"""Whatever is refused, results that are paid for come first, and what can go on goes on."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from resume_support import COUNT, check_complete, left_running, manager, paid_by_item, seen, wait_for
from run_support import Runs, conversations
from typer.testing import CliRunner

from batchata import load_results_from_disk
from batchata.errors import AuthenticationFailedError, BatchataError, RequestRefusedError, SpendLimitError
from batchata.replay.cli import app
from batchata.sandbox import Faults
from batchata.sandbox.protocol import Refusal
from batchata.terminal.progress_line import line

NO_CREDIT = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."


@pytest.mark.parametrize(
    ("status", "says", "raised"),
    [
        (400, NO_CREDIT, SpendLimitError),
        (402, None, SpendLimitError),
        (401, None, AuthenticationFailedError),
        (403, None, AuthenticationFailedError),
        (400, "max_tokens: too many for this account", RequestRefusedError),
        (422, None, RequestRefusedError),
        (404, None, RequestRefusedError),
    ],
)
def test_a_refused_create_ends_submitting_and_not_collecting(
    runs: Runs, status: int, says: str | None, raised: type[BatchataError]
) -> None:
    """What is out is collected before the error is raised, and each next start collects before it sends."""
    runs.sandbox.faults = Faults(
        create_status=[0, 0] + [status] * 50, create_says=says, slow_results=0.05, poll_status=[0, 529]
    )
    made = manager(runs, 8)
    with pytest.raises(raised):
        made.run()
    assert made.stats()["completed_items"] == 4
    assert runs.types().count("submitting_stopped") == 1
    creates = runs.creates()
    assert creates <= 4  # two were taken, and as many may have been under way
    with pytest.raises(raised):
        manager(runs, 8).run()
    runs.sandbox.faults = Faults()
    check_complete(runs, 8)


def test_each_start_collects_before_it_submits(patient: tuple[Runs, list[float]]) -> None:
    """A start that finds ended batches fetches them, and only then sends: they might be the last it gets."""
    runs, delay = patient
    left_running(runs, 2, count=8)
    runs.sandbox.end_all()
    delay[0] = 0.0
    runs.sandbox.faults = Faults(create_status=[400] * 50, slow_results=0.1)
    before = len(runs.sandbox.exchanges)
    with pytest.raises(RequestRefusedError):
        manager(runs, 8, max_parallel_jobs=4).run()
    calls = [(method, path.rpartition("/")[2]) for method, path, _ in runs.sandbox.exchanges[before:]]
    assert calls.index(("POST", "batches")) > max(n for n, (_, end) in enumerate(calls) if end == "results")
    assert manager(runs, 8).stats()["completed_items"] == 4


def test_a_running_batch_does_not_keep_a_start_from_submitting(patient: tuple[Runs, list[float]]) -> None:
    """It is asked once; what has not ended is not waited for."""
    runs, delay = patient
    left_running(runs, 1, max_parallel_jobs=1)
    delay[0] = 0.0
    made = manager(runs)
    driving = threading.Thread(target=made.run)
    driving.start()
    wait_for(lambda: runs.creates() == 2)
    runs.sandbox.end_all()
    driving.join(300)
    check_complete(runs)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("invalid_request_error", NO_CREDIT),
        ("billing_error", "Payment required"),
        ("rate_limit_error", "You exceeded your current quota, please check your plan and billing details."),
    ],
)
def test_an_account_without_credit_shows_in_results_too(runs: Runs, kind: str, says: str) -> None:
    """What was not answered stays pending with its attempts; nothing more is sent, and one error says so."""
    runs.sandbox.faults = Faults(errored={1}, error_type=kind, error_message=says)
    given = {"max_parallel_jobs": 1, "max_attempts": 1}
    made = manager(runs, 8, **given)
    with pytest.raises(SpendLimitError, match="until the account has credit") as raised:
        made.run()
    assert says in str(raised.value)
    assert runs.creates() == 1
    assert (made.stats()["completed_items"], made.stats()["failed_items"]) == (1, 0)
    with pytest.raises(SpendLimitError):
        manager(runs, 8, **given).run()
    assert made.stats()["failed_items"] == 0
    runs.sandbox.faults = Faults()
    check_complete(runs, 8, **given)


def test_an_account_without_credit_shows_in_a_poll_too(patient: tuple[Runs, list[float]]) -> None:
    """The error is raised, nothing is given up, and the next start goes on."""
    runs, delay = patient
    left_running(runs, 1, max_parallel_jobs=1)
    runs.sandbox.end_all()
    delay[0] = 0.0
    runs.sandbox.faults = Faults(poll_status=[402])
    with pytest.raises(SpendLimitError, match="until the account has credit"):
        manager(runs).run()
    assert runs.creates() == 1
    check_complete(runs)


@pytest.mark.parametrize("items_per_job", [COUNT, 2])
def test_a_job_refused_for_one_item_goes_without_it(runs: Runs, items_per_job: int) -> None:
    """The item that the refusal names fails under its name, at no cost; the others go without it."""
    runs.sandbox.faults = Faults(refused=lambda custom_id, _: custom_id.endswith(("-1", "-3")))
    made = manager(runs, items_per_job=items_per_job)
    summary = made.run()
    assert (summary["completed_items"], summary["failed_items"]) == (2, 2)
    items = list(made.items())
    assert [item.status for item in items] == ["completed", "failed", "completed", "failed"]
    assert items[3].error is not None
    assert items[3].error.message.startswith("item 3 was refused")
    assert (items[3].cost, items[3].usage, items[3].raw, items[3].attempts) == (0, None, None, 0)
    assert load_results_from_disk(runs.out) == [
        {**entry, "result": entry["result"] and entry["result"].model_dump()} for entry in made.results()
    ]
    assert set(paid_by_item(runs).values()) == {1}
    runs.sandbox.faults = Faults()
    assert made.retry_failed()["retry_count"] == 2
    check_complete(runs, items_per_job=items_per_job)


@pytest.mark.parametrize(
    "says",
    [
        "requests[2].params.max_tokens: must be at most 100",
        "requests/2/params/max_tokens: too large",
        "Validation error at $.requests[2].params: bad",
        "body -> requests -> 2 -> params -> max_tokens: bad",
        "requests: 2: params: bad",
        "requests['2'].params: bad",
        "the request at index 2 is not valid",
        "requests.2.params: bad; requests.2.custom_id: bad; requests.3.params: bad",
    ],
)
def test_an_item_is_named_in_many_ways(runs: Runs, says: str) -> None:
    """However the refusal writes the place in the job, that item fails, and the others go."""
    runs.sandbox.faults = Faults(create_status=[400], create_says=says)
    made = manager(runs, items_per_job=COUNT)
    assert made.run()["failed_items"] == 1
    assert [item.index for item in made.items() if item.status == "failed"] == [2]


def test_an_item_is_named_by_its_custom_id(runs: Runs) -> None:
    """Custom ids are nobody else's."""

    def refuse(custom_id: str, position: int) -> bool:
        if custom_id.endswith("-1"):
            raise Refusal(400, f"custom_id {custom_id!r}: this request cannot be processed")
        return False

    runs.sandbox.faults = Faults(refused=refuse)
    made = manager(runs, items_per_job=COUNT)
    assert made.run()["failed_items"] == 1
    assert [item.index for item in made.items() if item.status == "failed"] == [1]


def test_a_start_that_may_not_wait_sends_the_others_too(runs: Runs) -> None:
    """A refusal for one item's sake ends neither the sending nor the pass."""
    runs.sandbox.faults = Faults(refused=lambda custom_id, _: custom_id.endswith(("-1", "-2")))
    made = manager(runs, 6, items_per_job=3)
    made.submit()
    assert sum(len(batch.custom_ids) for batch in runs.sandbox.batches) == 4
    assert made.stats()["failed_items"] == 2


@pytest.mark.parametrize(
    "says", ["requests.99.params: bad", "at most 3 requests: 100 per minute", "Request 2: bad"]
)
def test_a_refusal_that_names_no_item_of_the_job_fails_none(runs: Runs, says: str) -> None:
    """A place beyond the job, and what may count from one, name nobody: the create is refused."""
    runs.sandbox.faults = Faults(create_status=[400], create_says=says)
    made = manager(runs, items_per_job=COUNT)
    with pytest.raises(RequestRefusedError):
        made.run()
    assert made.stats()["failed_items"] == 0
    check_complete(runs, items_per_job=COUNT)


def test_a_refused_file_is_named(runs: Runs, tmp_path: Any) -> None:
    """A position in a job means nothing to whoever gave a list of files."""
    files = []
    for name in ("first.txt", "second.txt"):
        files.append(tmp_path / name)
        files[-1].write_text(name)
    runs.sandbox.faults = Faults(refused={1})
    made = runs.manager(messages=None, files=files, prompt="Say it.")
    assert made.run()["failed_items"] == 1
    (_, second) = made.items()
    assert second.error is not None
    assert "item 1 ('second.txt') was refused" in second.error.message


def test_items_that_are_all_refused_are_not_tried_one_by_one_for_ever(runs: Runs) -> None:
    """After ten in a row it is not the items: submitting ends, and the error says which was next."""
    runs.sandbox.faults = Faults(refused={0})
    made = manager(runs, 40, items_per_job=40)
    with pytest.raises(RequestRefusedError, match="10 items were refused one after another"):
        made.run()
    assert runs.creates() == 11
    assert (made.stats()["failed_items"], made.stats()["pending_items"]) == (10, 30)


def test_a_job_that_is_too_large_for_whoever_stands_between_goes_in_smaller_ones(runs: Runs) -> None:
    """A 413 halves what the next jobs may have; an item that is too large alone fails, nothing else."""
    runs.sandbox._server.max_body = 4_000  # type: ignore[union-attr]
    messages = conversations(12)
    messages[7] = [{"role": "user", "content": "x" * 9_000}]
    made = manager(runs, 0, messages=messages, items_per_job=12)
    summary = made.run()
    assert (summary["completed_items"], summary["failed_items"]) == (11, 1)
    items = list(made.items())
    assert items[7].error is not None
    assert items[7].error.kind == "request_too_large"
    assert set(paid_by_item(runs).values()) == {1}
    assert runs.creates() < 16


def test_the_reason_is_told_before_what_is_out_has_come_back(patient: tuple[Runs, list[float]]) -> None:
    """Batches may run for hours: a warning and an event say at once that nothing more is sent."""
    runs, _ = patient
    runs.sandbox.faults = Faults(create_status=[0] + [400] * 9, create_says=NO_CREDIT)
    made = manager(runs, max_parallel_jobs=1 + 1)
    raised: list[BaseException] = []

    def drive() -> None:
        try:
            made.run()
        except SpendLimitError as error:
            raised.append(error)

    driving = threading.Thread(target=drive)
    driving.start()
    wait_for(seen(runs, "submitting_stopped"))
    assert driving.is_alive()
    assert NO_CREDIT in str(manager(runs, max_parallel_jobs=2).stats()["sending_ended"])
    assert "nothing more is sent (creating a batch: HTTP 400" in line(made._engine.state())
    shown = CliRunner().invoke(app, ["show", str(runs.log)])
    assert "sending ended in this start: creating a batch: HTTP 400" in " ".join(shown.output.split())
    assert "for the first time" not in shown.output
    runs.sandbox.end_all()
    driving.join(300)
    assert len(raised) == 1
    assert NO_CREDIT in str(made.stats()["sending_ended"])
    assert str(made.stats()["interrupted_by"]).startswith("error: ")
    assert made.stats()["completed_items"] == 2
