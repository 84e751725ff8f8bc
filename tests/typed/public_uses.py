"""How a user's type checker sees the public names; checked by mypy in `make check`, and never run."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any, assert_type

from pydantic import BaseModel

from batchata import (
    BatchataError,
    BatchJob,
    BatchManager,
    Citation,
    Entry,
    InvalidInputError,
    ItemResult,
    Stats,
    Summary,
    batch,
    models,
)


class Invoice(BaseModel):
    """A response model."""

    vendor: str
    total: float


class Total(BaseModel):
    """Another one, to read the same answers with."""

    total: float


def typed_by_the_response_model(manager: BatchManager[Invoice]) -> None:
    """Results are instances of the response model, or None."""
    for item in manager.items():
        assert_type(item, ItemResult[Invoice])
        assert_type(item.result, Invoice | None)
        assert_type(item.cost, Decimal | None)
        assert_type(item.cited("total"), list[Citation])
        assert_type(item.pages("total"), list[int])
        if item.status == "completed" and item.result is not None:
            assert_type(item.result.vendor, str)
    for entry in manager.results():
        assert_type(entry, Entry[Invoice])
        assert_type(entry["result"], Invoice | None)
    assert_type(next(manager.items(Total)).result, Total | None)
    assert_type(manager.results(Total)[0]["result"], Total | None)


def inferred() -> None:
    """The response model decides; without one results are texts, and with tools what the caller says."""
    typed = BatchManager(model="claude-sonnet-5-5", messages=[], response_model=Invoice)
    assert_type(typed, BatchManager[Invoice])
    with ProcessPoolExecutor() as pool:
        assert_type(BatchManager(model="claude-sonnet-5-5", messages=[], executor=pool), BatchManager[str])
    texts = BatchManager(model="claude-sonnet-5-5", messages=[], allow_unknown_model=True)
    assert_type(models("anthropic"), list[str])
    assert_type(next(texts.items()).result, str | None)
    calls = BatchManager[dict[str, Any]](model="claude-sonnet-5-5", messages=[], tools=[])
    assert_type(next(calls.items()).result, dict[str, Any] | None)
    job = batch(model="claude-sonnet-5-5", messages=[], response_model=Invoice)
    assert_type(job, BatchJob[Invoice])
    assert_type(job.results()[0]["result"], Invoice | None)


def from_the_log() -> None:
    """Typed by the class that is given, and settings by their names."""
    assert_type(BatchManager.open("night.db", response_model=Invoice), BatchManager[Invoice])
    assert_type(BatchManager.open("night.db", max_cost=5, on_interrupt="cancel"), BatchManager[Any])
    BatchManager.open("night.db", prompt="Read.")  # type: ignore[call-arg]


def tables(manager: BatchManager[Invoice]) -> None:
    """Rows are dicts, files are paths, and a format is one of those there are."""
    assert_type(manager.rows(), list[dict[str, Any]])
    assert_type(manager.citations_rows(Total), list[dict[str, Any]])
    assert_type(manager.export("out", format="csv", force=True), list[Path])
    assert_type(manager.report("run.html"), Path)
    manager.export("out", format="xls")  # type: ignore[arg-type]


def named_by_the_caller() -> None:
    """Rows and keys are given as people have them, and come back with each item."""
    rows: list[dict[str, Any]] = [{"id": 1, "text": "Hello"}]
    texts = BatchManager(model="claude-sonnet-5-5", rows=rows, prompt="Classify: {text}", keys="id")
    BatchManager(model="claude-sonnet-5-5", rows="reviews.csv", prompt="Classify: {text}")
    batch(model="claude-sonnet-5-5", messages=["Hello"], keys=[1])
    item = next(texts.items())
    assert_type(item.name, str)
    assert_type(item.source, str | None)
    assert_type(item.row, dict[str, Any] | None)


def summaries(manager: BatchManager[Invoice]) -> None:
    """The keys of summaries are known, and a misspelt one is an error."""
    summary = manager.run()
    assert_type(summary, Summary)
    assert_type(manager.run(limit=20), Summary)
    assert_type(manager.run(sample=20, seed=7), Summary)
    assert_type(summary["total_cost"], Decimal | None)
    stats = manager.stats()
    assert_type(stats, Stats)
    assert_type(stats["completed_items"], int)
    stats["completd_items"]  # type: ignore[typeddict-item]


def misspelt_choices() -> None:
    """A word that is none of those allowed is an error before anything runs."""
    BatchManager(model="claude-sonnet-5-5", messages=[], on_interrupt="stop")  # type: ignore[arg-type]
    BatchManager(model="claude-sonnet-5-5", messages=[], check_support="ask")  # type: ignore[arg-type]
    BatchManager(model="claude-sonnet-5-5", messages=[], cache="always")  # type: ignore[arg-type]
    BatchManager(model="claude-sonnet-5-5", messages=[], structured_output="no")  # type: ignore[arg-type]


def errors() -> None:
    """Errors stand beside what raises them."""
    try:
        BatchManager(model="claude-sonnet-5-5", messages=[])
    except InvalidInputError as exc:
        wider: BatchataError = exc
        assert_type(wider.args, tuple[Any, ...])
