"""The same items in another order are the same run: sent once, and read in the new order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from run_support import Echo, Runs, conversations

from batchata import BatchManager
from batchata.errors import LogError, RunMismatchError


def said(manager: BatchManager[Any]) -> list[str | None]:
    """What each item was answered, in the order of items()."""
    return [None if item.result is None else item.result.said for item in manager.items()]


ROWS = [{"id": "a", "text": "same"}, {"id": "b", "text": "same"}, {"id": "c", "text": "other"}]


def _texts(count: int) -> list[str]:
    return [f"text {number}" for number in range(count)]


WAYS: dict[str, tuple[dict[str, Any], Callable[[Sequence[Any]], dict[str, Any]], list[Any]]] = {
    "messages": ({}, lambda given: {"messages": given}, [*conversations(9), "a text of its own"]),
    "the same text twice": ({}, lambda given: {"messages": given}, ["one", "two", "one", "three", "one"]),
    "shared requests": (
        {"dedupe": True},
        lambda given: {"messages": given},
        ["one", "two", "one", "two", "x"],
    ),
    "keys": (
        {},
        lambda given: {"messages": [text for _, text in given], "keys": [key for key, _ in given]},
        [("k1", "same"), ("k2", "same"), ("k3", "other")],
    ),
    "rows": ({"prompt": "Read {text}"}, lambda given: {"messages": None, "rows": given}, ROWS),
    "bytes": (
        {"prompt": "Read."},
        lambda given: {"messages": None, "files": [text.encode() for text in given]},
        _texts(11),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_items_in_another_order_cost_nothing_and_are_read_in_that_order(runs: Runs, way: str) -> None:
    """A query without ORDER BY, a glob elsewhere: nothing is sent, and zip(inputs, items) holds."""
    beside, given, items = WAYS[way]
    first = runs.manager(**beside, **given(items))
    first.run()
    calls, events = len(runs.sandbox.exchanges), runs.types()
    whole = [(item.name, item.row, item.result, item.source) for item in first.items()]
    for seed in range(3):
        order = random.Random(seed).sample(range(len(items)), len(items))
        again = runs.manager(**beside, **given([items[at] for at in order]))
        assert again.run()["completed_items"] == len(items)
        found = list(again.items())
        if way != "bytes":  # these are called by their place in the run
            named = [(item.row, item.result) for item in found]
            assert named == [(whole[at][1], whole[at][2]) for at in order]
            keyed = [item.name for item in found if way == "keys"]
            assert keyed == [whole[at][0] for at in order if way == "keys"]
        assert [entry["result"] for entry in again.results()] == [item.result for item in found]
        assert [item.result.said for item in found] == [first.results()[at]["result"].said for at in order]
        assert sorted(item.index for item in found) == list(range(len(items)))
    assert (len(runs.sandbox.exchanges), runs.types()) == (calls, events)


def test_new_items_anywhere_are_added_and_alone_paid(runs: Runs) -> None:
    """A file that sorts first, one in the middle: additions; results come in the script's order."""
    runs.manager(messages=["b", "d", "f"]).run()
    grown = runs.manager(messages=["a", "b", "c", "d", "e", "f"])
    assert said(grown) == [None, "b", None, "d", None, "f"]
    assert (grown.estimate().items, grown.preview(3)["params"]["messages"][0]["content"]) == (3, "a")
    assert grown.run()["completed_items"] == 6
    assert said(grown) == [*"abcdef"]
    assert said(runs.manager(messages=[*"fedcba"])) == [*"fedcba"]
    assert sorted(runs.sandbox.billed().values()) == [1] * 6


def test_a_run_under_way_is_gone_on_with_in_another_order(patient: tuple[Runs, list[float]]) -> None:
    """What is at the provider is collected into its own items, what was not sent is sent, nothing twice."""
    runs, delay = patient
    delay[0] = 0.5
    texts = [f"message {number}" for number in range(7)]
    assert runs.manager(messages=texts, max_parallel_jobs=1).submit()["pending_items"]
    again = runs.manager(messages=texts[::-1])
    assert again.run()["completed_items"] == 7
    assert said(again) == texts[::-1]
    assert sorted(runs.sandbox.billed().values()) == [1] * 7


def test_files_that_could_not_be_used_are_known_in_another_order(runs: Runs, tmp_path: Path) -> None:
    """By their names; one that was mended since is sent by retry_failed alone."""
    names = ["a.txt", "b.txt", "c.txt", "d.txt"]
    for name in names:
        (tmp_path / name).write_text("" if name in ("b.txt", "c.txt") else f"of {name}")

    def manager(order: list[str]) -> BatchManager[Any]:
        files = [tmp_path / name for name in order]
        return runs.manager(messages=None, files=files, prompt="Read.", on_bad_file="fail")

    assert manager(names).run()["failed_items"] == 2
    (tmp_path / "b.txt").write_text("of b.txt")
    turned = manager(names[::-1])
    assert turned.run()["failed_items"] == 2
    assert [item.status for item in turned.items()] == ["completed", "failed", "failed", "completed"]
    assert turned.retry_failed()["completed_items"] == 3
    mixed = manager(["c.txt", "b.txt", "d.txt", "a.txt"])
    assert [(item.name, item.status) for item in mixed.items()] == [
        ("c.txt", "failed"),
        ("b.txt", "completed"),
        ("d.txt", "completed"),
        ("a.txt", "completed"),
    ]
    assert len(runs.sandbox.billed()) == 3


def test_a_missing_item_is_refused_in_any_order(runs: Runs) -> None:
    """The difference names what is missing and what is new; the order is none."""
    runs.manager(messages=[*"abcd"]).run()
    with pytest.raises(
        RunMismatchError, match=r"missing now: item 1 \('b'\)\n  - new, or changed: item 3 \('x'\)"
    ):
        runs.manager(messages=[*"dcax"]).results()


def test_of_several_runs_the_one_in_this_order_comes_first(runs: Runs) -> None:
    """Two runs over the same items tell themselves apart by their order, where one has it; else by name."""
    runs.manager(run_id="up", messages=[*"abc"]).run()
    runs.manager(run_id="down", messages=[*"cba"]).run()
    runs.manager(run_id="others", messages=[*"xyz"]).run()
    assert runs.manager(messages=[*"cba"]).stats()["run_id"] == "down"
    assert runs.manager(messages=[*"zxy"]).stats()["run_id"] == "others"
    with pytest.raises(LogError, match=r"2 runs of these items.*: up, down"):
        runs.manager(messages=[*"bca"]).results()


def test_results_with_another_model_follow_the_order_too(runs: Runs) -> None:
    """results(Other), rows() and tables are made from items()."""
    runs.manager(messages=[*"abc"]).run()
    turned = runs.manager(messages=[*"cab"])
    assert [entry["result"].said for entry in turned.results(Echo)] == [*"cab"]
    assert [row["said"] for row in turned.rows()] == [*"cab"]
