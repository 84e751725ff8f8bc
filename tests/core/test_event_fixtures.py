"""The log format as it was released decodes for ever: a stored run per schema version, never rewritten.

Each file in `fixtures/` is a whole run, one row of the log a line. A file is added when a shape changes;
the files that are there are the proof that old logs still read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchata.core.codec import EVENT_TYPES, decoder, encode
from batchata.core.events import AnswerAccepted, CitationsChecked, Event, OutcomeRecorded
from batchata.core.evolve import fold
from batchata.core.retry import noted_in
from batchata.core.values import Checked, Limits, RequestError

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.jsonl"))


def rows(path: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, path.read_text(encoding="utf-8").splitlines())


def recorded(path: Path) -> Iterator[tuple[int, int, Event]]:
    for row in rows(path):
        yield row["version"], row["at"], decoder(row["type"], row["schema"])(json.dumps(row["data"]))


def test_every_shape_of_today_is_in_a_fixture() -> None:
    """A new event type or schema version comes with a stored example of it."""
    stored = {(row["type"], row["schema"]) for path in FIXTURES for row in rows(path)}
    assert {(name, cls.SCHEMA) for name, cls in EVENT_TYPES.items()} <= stored


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_stored_rows_decode_to_todays_events(path: Path) -> None:
    """Whatever version wrote a row, it becomes today's event of the same name."""
    for row, (_, _, event) in zip(rows(path), recorded(path), strict=True):
        assert type(event) is EVENT_TYPES[row["type"]]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_a_row_of_todays_schema_is_written_back_as_it_was(path: Path) -> None:
    """Encoding is part of the format: the same fact gives the same JSON, field for field."""
    for row, (_, _, event) in zip(rows(path), recorded(path), strict=True):
        if row["schema"] == event.SCHEMA:
            assert json.loads(encode(event)) == row["data"]


def test_the_first_released_run_means_what_it_meant() -> None:
    """The stored run of schema 1 folds to the totals it had when it was released."""
    run = fold(recorded(Path(__file__).parent / "fixtures/schema_1.jsonl"))
    assert (run.total, run.completed, run.failed, run.pending) == (5, 3, 2, 0)
    assert run.status == "completed"
    assert (run.spent, run.total_cost, run.reserved) == (Decimal("0.00048"), None, Decimal(0))
    assert [run.items.cost(i) for i in range(5)] == [
        Decimal("0.00016"),
        Decimal("0.00016"),
        None,
        Decimal("0.00016"),
        Decimal(0),
    ]
    assert run.usage == {
        "input_tokens": 367,
        "output_tokens": 4216,
        "cache_write_5m_tokens": 11,
        "cache_write_1h_tokens": 13,
        "cache_read_tokens": 17,
        "web_search_requests": 0,
    }
    assert (run.retries, run.polls, run.strays) == (1, 4, {"foreign": 1})
    assert [job.status for job in run.jobs.values()] == [
        "completed",
        "failed",
        "failed",
        "completed",
        "completed",
    ]
    assert run.jobs[0].bodies == [(5, 8)]
    assert run.settings is not None
    assert (run.settings.max_cost, run.settings.max_parallel_jobs) == (None, 1)


def test_a_job_that_was_refused_for_one_item_means_what_it_meant() -> None:
    """That item has failed, the others wait as if the job had never been, and nothing more is sent."""
    run = fold(recorded(Path(__file__).parent / "fixtures/schema_1_refused_job.jsonl"))
    assert (run.failed, run.pending, run.reserved) == (1, run.total - 1, Decimal(0))
    assert len(run.requeued) == 2
    assert run.sending_ended is not None
    assert run.sending_ended.kind == "billing_error"


def test_batches_that_failed_as_a_whole_mean_what_they_meant() -> None:
    """One was too much for the queue, unbilled and with no attempt used; one failed for its second line."""
    run = fold(recorded(Path(__file__).parent / "fixtures/schema_1_uploaded.jsonl"))
    assert [job.status for job in run.jobs.values()] == ["failed", "failed"]
    assert run.jobs[0].upload == "file-5dskxx7B6SVyAyRgAHzTJ2"
    assert (run.failed, run.pending, run.spent, run.reserved) == (1, 4, Decimal(0), Decimal(0))
    assert [run.items.attempts[index] for index in range(3)] == [0, 0, 0]
    assert run.most_bytes == 3127 // 2  # nothing else was open: a smaller one is tried


def test_a_run_with_longer_answers_means_what_it_meant() -> None:
    """The run's limit as the last start said it, those of the items that were raised, and of each job."""
    run = fold(recorded(Path(__file__).parent / "fixtures/schema_1_longer.jsonl"))
    assert (run.completed, run.failed, run.spent) == (3, 0, Decimal("0.1011"))
    assert (run.max_tokens, run.items.raised) == (1024, {1: 8192, 2: 8192})
    assert [run.max_tokens_of(index) for index in range(3)] == [1024, 8192, 8192]
    assert [run.max_tokens_in(number) for number in run.jobs] == [4096, 8192]


def test_older_jobs_told_the_model_of_an_answer_that_was_cut_off() -> None:
    """What went with a request stays what it was: a note in jobs that say no limit, none in others."""
    cut = OutcomeRecorded(
        job=0,
        index=0,
        kind="succeeded",
        stop_reason="max_tokens",
        error=RequestError(kind="max_tokens", message="cut off"),
        usage=None,
        body=None,
    )
    old = fold(recorded(Path(__file__).parent / "fixtures/schema_1.jsonl"))
    new = fold(recorded(Path(__file__).parent / "fixtures/schema_1_longer.jsonl"))
    assert "longer than 4,096 tokens" in (noted_in(cut, old, 4) or "")
    assert noted_in(cut, new, 1) is None


def test_the_first_refused_items_mean_what_they_meant() -> None:
    """Two files that could not be used, mended to the same content: one request for both, the third waits."""
    run = fold(recorded(Path(__file__).parent / "fixtures/schema_1_refused.jsonl"))
    assert (run.total, run.completed, run.failed, run.pending) == (3, 0, 0, 3)
    assert run.items.same_as == {1: 0}
    assert [run.input_body(index) for index in range(3)] == [3, 4, 2]


def test_an_answer_accepted_later_is_the_items_result() -> None:
    """One of two items failed, was read again and is completed: nothing was sent or charged for that."""
    run = fold(recorded(Path(__file__).parent / "fixtures/schema_1_accepted.jsonl"))
    assert (run.completed, run.failed, run.pending, len(run.jobs)) == (2, 0, 0, 1)
    (accepted,) = [
        e
        for _, _, e in recorded(Path(__file__).parent / "fixtures/schema_1_accepted.jsonl")
        if isinstance(e, AnswerAccepted)
    ]
    assert (run.items.outcome[0], run.items.body[0]) == (accepted.outcome, accepted.body)
    assert run.status == "completed"


def test_what_was_found_of_citations_means_what_it_meant() -> None:
    """Two of two stood where they are said to, as the event says that the job's record points at."""
    path = Path(__file__).parent / "fixtures/schema_1_checked.jsonl"
    run = fold(recorded(path))
    (event,) = [event for version, _, event in recorded(path) if version in run.jobs[0].checks]
    assert isinstance(event, CitationsChecked)
    assert event.answers == [Checked(index=0, body=run.items.body[0], found="++")]


def test_a_refused_schema_went_another_way_at_no_cost() -> None:
    """The decision is in the log: what asked for the native way alone failed, the rest went on."""
    run = fold(recorded(Path(__file__).parent / "fixtures/schema_1_schema_route.jsonl"))
    assert [job.route for job in run.jobs.values()] == ["native", "native", "prompt", "native"]
    assert (run.completed, run.failed, run.pending, run.route) == (1, 3, 0, "native")
    assert run.spent == Decimal("0.000189")
    assert run.items.attempts[2] == 1


def test_pilots_mean_what_they_meant() -> None:
    """A sample, then the first three, then all: what the sample sent belongs to the jobs around it."""
    path = Path(__file__).parent / "fixtures/schema_1_chosen.jsonl"
    sampled = fold((version, at, event) for version, at, event in recorded(path) if version <= 12)
    assert (sampled.chosen, sampled.is_pilot_done, sampled.next_fresh) == ([(1, 1), (5, 5)], True, 0)
    run = fold(recorded(path))
    assert (run.completed, run.chosen, run.next_fresh) == (6, None, 6)
    assert run.chunks == {1: (0, 2), 2: (3, 5)}


def test_a_log_that_says_no_limits_has_those_of_anthropic() -> None:
    """There was no other provider; what a log says of its own provider holds whatever is known today."""
    folder = Path(__file__).parent / "fixtures"
    assert fold(recorded(folder / "schema_1.jsonl")).limits == Limits()
    said = fold(recorded(folder / "schema_1_limits.jsonl")).limits
    assert (said.batch_requests, said.results_days, said.final_errors) == (2, 30, ("invalid_image",))
    assert {"invalid_request_error", "not_found_error"} <= {*Limits().final_errors}


def test_a_log_tells_whose_prices_a_job_was_sent_by() -> None:
    """Those that the user gave, by their source, before anything is charged; older logs say none."""
    folder = Path(__file__).parent / "fixtures"
    assert fold(recorded(folder / "schema_1_prices.jsonl")).given_prices == "prices file mine.json"
    assert fold(recorded(folder / "schema_1_longer.jsonl")).given_prices is None
