"""A program hears of each event once it is durable, and of each item once it has ended."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from resume_support import fresh
from run_support import MODEL, Runs, conversations

from batchata import BatchManager, ItemResult, batch
from batchata.errors import InvalidInputError, ProviderError
from batchata.log import read_log
from batchata.log.port import Recorded
from batchata.sandbox import Faults


def test_every_event_is_told_once_it_is_in_the_log(runs: Runs) -> None:
    """In their order, as the log has them; when told, another process could read the event."""
    told: list[Recorded] = []
    is_durable = []

    def on_event(recorded: Recorded) -> None:
        told.append(recorded)
        log = read_log(runs.log)
        (stream,) = log.streams()
        is_durable.append(log.events_at(stream, [recorded.version]) == [recorded])
        log.close()

    runs.manager(on_event=on_event).run()
    assert told == runs.events()
    assert all(is_durable)


def test_batch_tells_as_a_manager_does(runs: Runs) -> None:
    """Every event of its job, and each item once."""
    events: list[Recorded] = []
    items: list[ItemResult[Any]] = []
    job = batch(
        messages=conversations(2),
        model=MODEL,
        state_path=runs.log,
        poll_interval=0.01,
        on_event=events.append,
        on_item=items.append,
    )
    job.run()
    assert events == runs.events()
    assert [(item.index, item.status) for item in items] == [(0, "completed"), (1, "completed")]


@pytest.fixture
def failing(tmp_path: Path) -> Any:
    """Runs whose second item fails in its first job."""
    faults = Faults(errored=lambda custom_id, _: custom_id.endswith("-1"), only_batches=[0])
    with fresh(tmp_path / "failing", faults=faults) as runs:
        yield runs


def test_each_item_is_told_once_when_it_has_ended(failing: Runs) -> None:
    """Completed or failed, again only when it was tried again, and not by a start that changes nothing."""
    told: list[ItemResult[Any]] = []
    given: dict[str, Any] = {"max_attempts": 1, "on_item": told.append, "items_per_job": 10}
    failing.manager(**given).run()
    assert [item.index for item in told] == list(range(7))
    assert told == list(failing.manager(**given).items())
    told.clear()
    failing.manager(**given).run()
    assert told == []
    BatchManager.open(failing.log, on_item=told.append).retry_failed()
    assert [(item.index, item.status) for item in told] == [(1, "completed")]


def test_items_that_share_a_request_end_together(runs: Runs) -> None:
    """Each is told, with its own index."""
    told: list[int] = []
    runs.manager(
        messages=conversations(3) * 2, dedupe=True, on_item=lambda item: told.append(item.index)
    ).run()
    assert sorted(told) == list(range(6))


def test_an_item_that_is_never_sent_is_told_too(runs: Runs, tmp_path: Path) -> None:
    """A file that cannot be used fails at the start."""
    (tmp_path / "good.txt").write_text("good")
    told: list[str] = []
    files = [tmp_path / "good.txt", tmp_path / "none.txt"]
    runs.manager(
        messages=None,
        files=files,
        prompt="Read.",
        on_bad_file="fail",
        on_item=lambda item: told.append(item.name),
    ).run()
    assert told == ["none.txt", "good.txt"]


def test_what_a_function_raises_is_logged_and_stops_nothing(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    """The run is worth more."""

    def fails(_value: object) -> None:
        raise ZeroDivisionError("ours")

    with caplog.at_level(logging.WARNING, logger="batchata"):
        assert runs.manager(on_event=fails, on_item=fails).run()["completed_items"] == 7
    hooks = [vars(r)["hook"] for r in caplog.records if r.getMessage().startswith("hook_failed ")]
    assert hooks.count("on_item") == 7
    assert hooks.count("on_event") == len(runs.types())


def test_what_cannot_be_called_is_refused(runs: Runs) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidInputError, match="on_item must be a function"):
        runs.manager(on_item="print")


def test_items_are_iterated_over_as_they_end(runs: Runs) -> None:
    """All of them, those of an earlier start first."""
    runs.manager(2).run()

    async def names() -> list[int]:
        return [item.index async for item in runs.manager(items_per_job=1).completed()]

    found = asyncio.run(names())
    assert found[:2] == [0, 1]
    assert sorted(found) == list(range(7))


def test_a_loop_that_is_left_leaves_the_batches_running(patient: tuple[Runs, list[float]]) -> None:
    """As detach() does: another start collects them, and nothing is sent twice."""
    runs, _ = patient
    runs.manager(1).submit()
    resumed: list[Recorded] = []

    async def leave() -> None:
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_event(recorded: Recorded) -> None:
            resumed.append(recorded)
            loop.call_soon_threadsafe(begun.set)

        waiting = asyncio.ensure_future(anext(runs.manager(1, on_event=on_event).completed()))
        await begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(leave())
    assert resumed[0].event.TYPE == "run_resumed"
    assert runs.types()[-1] == "run_interrupted"
    assert runs.creates() == 1


def test_the_loop_raises_what_the_run_raises(tmp_path: Path) -> None:
    """After the items that ended before it."""
    with fresh(tmp_path / "refusing", faults=Faults(create_status=[401] * 9)) as runs:

        async def read() -> None:
            async for _ in runs.manager(2).completed():
                pass

        with pytest.raises(ProviderError):
            asyncio.run(read())
