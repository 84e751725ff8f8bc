"""A value and its citation have one path everywhere, and a place in a source one wording."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict

import pytest
from pydantic import BaseModel
from report_support import records
from typer.testing import Result

import batchata.replay
from batchata import BatchManager
from batchata.answers.answer import Citation
from batchata.answers.field_paths import path_of, steps_of
from batchata.sandbox import Answer, Sandbox
from batchata.views.cited_answer import place_of
from batchata.views.item_result import flat

type Replay = Callable[..., Result]

KEYS = [
    "handling.fee",
    "a[0]",
    'say "no"',
    "back\\slash",
    "(unmatched)",
    "line\nbreak",
    "",
    "plain",
    "two words",
]
Odd = TypedDict("Odd", {"net.total": float})


class Bill(BaseModel):
    fees: dict[str, float]
    odd: Odd


VALUE = {"fees": {key: number + 0.5 for number, key in enumerate(KEYS)}, "odd": {"net.total": 99.5}}
SOURCE = "Handling 0.5 " + ", ".join(f"fee {n}.5" for n in range(1, len(KEYS))) + ", net 99.5"


def cited_blocks() -> list[dict[str, Any]]:
    """The answer's JSON with each number in a block of its own, cited from a document without a title."""
    blocks: list[dict[str, Any]] = []
    rest = json.dumps(VALUE)
    for number in [*VALUE["fees"].values(), 99.5]:
        before, digits, rest = rest.partition(str(number))
        start = SOURCE.index(digits)
        cited = {
            "type": "char_location",
            "cited_text": digits if number != 1.5 else "nowhere",
            "document_index": 0,
            "document_title": None,
            "start_char_index": start,
            "end_char_index": start + len(digits),
        }
        blocks += [
            {"type": "text", "text": before, "citations": None},
            {"type": "text", "text": digits, "citations": [cited]},
        ]
    return [*blocks, {"type": "text", "text": rest, "citations": None}]


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run with one item, whose result has keys of all kinds."""
    path = tmp_path_factory.mktemp("bill") / "run.db"
    source = {"type": "text", "media_type": "text/plain", "data": SOURCE}
    document = {"type": "document", "source": source, "citations": {"enabled": True}}
    content = [document, {"type": "text", "text": "Read it."}]
    with pytest.MonkeyPatch.context() as patch, Sandbox(Answer(content=cited_blocks())) as served:
        patch.setenv("ANTHROPIC_BASE_URL", served.url)
        patch.setenv("ANTHROPIC_API_KEY", "k")
        BatchManager(
            messages=[[{"role": "user", "content": content}]],
            model="claude-sonnet-5-5",
            response_model=Bill,
            enable_citations=True,
            state_path=path,
            poll_interval=0.01,
        ).run()
        yield path


def test_every_value_finds_its_citation_under_its_path(bill: Path, replay: Replay, tmp_path: Path) -> None:
    """In `item`, in its JSON, in the page, and in what programs read: the paths are the same."""
    expected = [path for path, _, _ in flat(VALUE)]
    assert len(expected) == len(KEYS) + 1
    said = json.loads(replay("item", bill, 0, "--json").stdout)
    assert list(said["citations"]) == expected
    with batchata.replay.open(bill) as log:
        (item,) = log.results()
    assert isinstance(item.citations, dict)
    assert list(item.citations) == expected
    page = tmp_path / "page.html"
    assert replay("report", bill, page).exit_code == 0
    (record,) = records(page.read_text(encoding="utf-8"))
    assert [path for path, _, _ in record[1]] == [path for path, _ in record[2]] == expected
    rows = [line.split() for line in replay("item", bill, 0, "--full").stdout.splitlines()]
    for number in range(1, len(expected) + 1):
        mark = [f"[{number}]", *(["NOT", "said", "there"] if number == 2 else [])]  # which cites "nowhere"
        assert any(row[-len(mark) :] == mark for row in rows), number


def test_a_place_is_told_in_one_wording(bill: Path, replay: Replay, tmp_path: Path) -> None:
    """A document without a title has the number that a reader counts, from 1, in `item` and in the page."""
    text = replay("item", bill, 0, "--full").stdout
    place = "document 1, characters 9-12"
    assert f"[1] {place}, found there: 0.5" in text
    page = tmp_path / "page.html"
    replay("report", bill, page)
    (record,) = records(page.read_text(encoding="utf-8"))
    assert record[2][0][1] == [["0.5", place, True, True]]


def test_what_is_not_at_its_place_is_told(bill: Path, replay: Replay, tmp_path: Path) -> None:
    """A citation whose words stand elsewhere, or nowhere, says so in `item` and in the page."""
    text = replay("item", bill, 0, "--full").stdout
    assert text.count("NOT found there") == 1
    assert ", NOT found there: nowhere" in text
    page = tmp_path / "page.html"
    replay("report", bill, page)
    (record,) = records(page.read_text(encoding="utf-8"))
    assert [cited[0][2] for _, cited in record[2]] == [True, False, *[True] * (len(KEYS) - 1)]


@pytest.mark.parametrize(
    ("citation", "place"),
    [
        (Citation(document_index=2), "document 3"),
        (
            Citation(document_index=0, document_title="a.pdf", start_page_number=1, end_page_number=2),
            "a.pdf, page 1",
        ),
        (Citation(document_index=1, start_page_number=2, end_page_number=5), "document 2, pages 2-4"),
        (
            Citation(source="notes", start_content_block_index=0, end_content_block_index=2),
            "notes, blocks 0-2",
        ),
        (Citation(document_title="t", url="http://u"), "t, http://u"),
        (Citation(kind="located"), "a quote"),
    ],
)
def test_each_kind_of_place_is_told(citation: Citation, place: str) -> None:
    """Document, page, characters, block and address."""
    assert place_of(citation) == place


def test_a_path_is_read_as_it_was_written() -> None:
    """Each step by itself, whatever is in a key."""
    for key in KEYS:
        (step,) = steps_of(path_of([key]))
        assert steps_of(path_of(["a", key, 3, key])) == ["a", step, "[3]", step]
