"""The shapes in which the sandbox writes typed answers, and that all of them are read the same."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pydantic
import pytest

from batchata import BatchManager
from batchata.errors import InvalidInputError
from batchata.sandbox import Sandbox
from batchata.sandbox.reading import MIXED, STYLES
from batchata.views.item_result import ItemResult

DOCUMENTS = Path(__file__).resolve().parents[2] / "examples" / "documents"
FILES = [DOCUMENTS / "invoice-kestrel-freight.pdf", DOCUMENTS / "invoice-tidewater.txt"] * 3


class Vendor(pydantic.BaseModel):
    name: str


class Line(pydantic.BaseModel):
    description: str
    amount: Decimal


class Invoice(pydantic.BaseModel):
    invoice_number: str
    vendor: Vendor
    lines: list[Line]
    total: Decimal


def items(monkeypatch: pytest.MonkeyPatch, style: str, **given: Any) -> list[ItemResult]:
    with Sandbox(style=style) as running:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", running.api_key)
        manager = BatchManager(
            files=FILES, prompt="Extract the invoice.", model="claude-sonnet-5-5", response_model=Invoice,
            poll_interval=0.01, state_path=None, max_attempts=1, **({"enable_citations": True} | given),
        )  # fmt: skip
        manager.run()
        return list(manager.items())


def blocks(item: ItemResult) -> list[dict[str, Any]]:
    assert item.raw is not None
    content = json.loads(item.raw)["result"]["message"]["content"]
    return [block for block in content if block["type"] == "text"]


@pytest.mark.parametrize("style", [*STYLES, MIXED])
def test_whatever_the_shape_each_field_has_its_citations(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested and in lists, from a PDF and a text: as from plain JSON, and all of them stand in the source."""
    plain = items(monkeypatch, "plain")
    assert {"vendor.name", "lines[1].amount", "total"} <= (plain[0].citations or {}).keys()
    for item, expected in zip(items(monkeypatch, style), plain, strict=True):
        assert (item.error, item.result) == (None, expected.result)
        assert item.citations == expected.citations
        assert all(citation.grounded for found in item.citations.values() for citation in found)


def test_the_shapes_are_what_they_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in cited blocks, values in two, citations in prose alone; mixed has one after the other."""
    mixed = [blocks(item) for item in items(monkeypatch, MIXED)]
    _, fenced, keyed, cut, prose_first, again = mixed
    texts = ["".join(block["text"] for block in found) for found in mixed]
    assert json.loads(texts[0])
    assert "```json\n{\n  " in texts[1]
    assert any(b["citations"] and b["text"].startswith(',\n  "total": ') for b in keyed)
    pairs = [(a, b) for a, b in pairwise(cut) if a["citations"] and b["citations"]]
    assert len(pairs) > 4
    assert all(a["citations"] == b["citations"] for a, b in pairs)
    assert prose_first[-1]["citations"] is None
    assert json.loads(texts[4].split("```json")[1].strip("`\n"))
    assert not texts[4].startswith("{")
    assert json.loads("".join(block["text"] for block in again))
    assert len(fenced) > 5


def test_a_native_format_leaves_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service lets nothing else through."""
    for item in items(monkeypatch, "prose_first", enable_citations=False):
        assert json.loads(blocks(item)[0]["text"])


def test_styles_are_checked() -> None:
    """The error names those that there are; a given answer is written as it is given."""
    with pytest.raises(InvalidInputError, match="one of plain, fenced, keyed, cut, prose_first, mixed"):
        Sandbox(style="loud")
    with pytest.raises(InvalidInputError, match="given answers have their own"):
        Sandbox(answers="yes", style="cut")
