"""Typed results and their citations as a user gets them, from the request to the result."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Any

import pydantic
import pytest
from run_support import MODEL

from batchata import BatchManager
from batchata.sandbox import Answer, Request, Sandbox
from batchata.views.item_result import ItemResult

ASKED = [[{"role": "user", "content": "Order 17, total 5.00"}]]
TEXT = "Order 17\nTotal: 5.00\n"


class Colour(Enum):
    DARK_RED = "Dark red"
    BLUE = "blue"


class Tree(pydantic.BaseModel):
    name: str
    children: list[Tree] = []


class Odd(pydantic.BaseModel):
    """Everything that the native format cannot carry."""

    pair: tuple[int, str]
    counts: dict[str, int]
    anything: Any
    tree: Tree


class Plain(pydantic.BaseModel):
    """An order."""

    number: int = pydantic.Field(ge=1, le=99, description="as printed", alias="orderNo")
    colour: Colour = pydantic.Field(description="of the paint")
    note: str | None = None


class Order(pydantic.BaseModel):
    total_: float = pydantic.Field(alias="total")


class Bill(pydantic.BaseModel):
    amount: float = pydantic.Field(alias="total")
    paid: bool | None = None


class Run:
    """One run against a sandbox that keeps the requests it answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.monkeypatch = monkeypatch
        self.folder = folder
        self.requests: list[Request] = []

    def manager(self, answer: Any, **given: Any) -> BatchManager:
        def answers(request: Request) -> Any:
            self.requests.append(request)
            return answer

        chosen: dict[str, Any] = {"messages": ASKED, "model": MODEL, "max_attempts": 1} | given
        with Sandbox(answers=answers) as running:
            self.monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
            self.monkeypatch.setenv("ANTHROPIC_API_KEY", running.api_key)
            manager = BatchManager(state_path=self.folder / "log.db", poll_interval=0.01, **chosen)
            manager.run()
        return manager

    def item(self, answer: Any, **given: Any) -> ItemResult:
        (item,) = self.manager(answer, **given).items()
        return item


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    return Run(monkeypatch, tmp_path)


def test_what_the_native_format_carries_goes_that_way(run: Run) -> None:
    """With bounds as words; enumerated values come back in any case, aliases as what they are called."""
    item = run.item({"orderNo": 17, "colour": "DARK RED"}, response_model=Plain)
    assert item.result == Plain(orderNo=17, colour=Colour.DARK_RED)
    schema = run.requests[0].params["output_config"]["format"]["schema"]
    assert schema["properties"]["orderNo"]["description"] == "as printed (minimum: 1; maximum: 99)"
    assert schema["properties"]["colour"]["description"] == "of the paint"
    assert "system" not in run.requests[0].params


@pytest.mark.parametrize(("model", "citations"), [(Odd, False), (Plain, True)])
def test_what_it_cannot_carry_goes_into_the_prompt(
    run: Run, model: type[pydantic.BaseModel], citations: bool
) -> None:
    """Whole and unchanged: open dicts, tuples, anything, recursion; and all models with citations."""
    tree = {"name": "a", "children": [{"name": "b", "children": []}]}
    odd = {"pair": [1, "x"], "counts": {"k": 2}, "anything": [None], "tree": tree}
    answer = odd if model is Odd else {"orderNo": 3, "colour": "blue"}
    item = run.item(answer, response_model=model, enable_citations=citations)
    assert item.result == model.model_validate(answer)
    assert "output_config" not in run.requests[0].params
    assert json.loads(run.requests[0].system.split("\n", 1)[1]) == model.model_json_schema()


def test_a_bound_that_the_answer_breaks_is_told_by_its_field(run: Run) -> None:
    """The raw answer is kept."""
    item = run.item({"orderNo": 100, "colour": "blue"}, response_model=Plain)
    assert item.error is not None
    assert (item.status, item.error.kind) == ("failed", "invalid_output")
    assert item.error.message == "orderNo: Input should be less than or equal to 99"
    assert item.raw is not None
    assert b"orderNo" in item.raw


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer('{"total": 5', stop_reason="max_tokens"), "max_tokens"),
        (Answer('{"total": 5}', stop_reason="refusal"), "refusal"),
        (Answer(""), "empty_output"),
        (Answer("Five."), "invalid_output"),
        (Answer('{"total": 5'), "invalid_output"),
    ],
)
def test_an_answer_that_is_none_has_its_own_error(run: Run, answer: Answer, kind: str) -> None:
    """And keeps its text."""
    item = run.item(answer, response_model=Order)
    assert item.error is not None
    assert (item.result, item.citations, item.status, item.error.kind) == (None, None, "failed", kind)
    assert item.raw is not None
    assert json.dumps(answer.text).encode()[1:-1] in item.raw


@pytest.mark.parametrize(("model", "empty"), [(Order, {}), (None, [])])
def test_citations_of_messages_without_a_document_are_empty(run: Run, model: Any, empty: Any) -> None:
    """Not an error: other items may have documents, and tools of the service may bring sources."""
    item = run.item('{"total": 5}', response_model=model, enable_citations=True)
    assert (item.status, item.citations) == ("completed", empty)


def test_titles_are_the_names_of_files(run: Run, tmp_path: Path) -> None:
    """Every document of a run with citations has them enabled."""
    (tmp_path / "order.txt").write_text(TEXT)
    files = [tmp_path / "order.txt", TEXT.encode()]
    list(run.manager('{"total": 5}', messages=None, files=files, prompt="?", enable_citations=True).items())
    documents = [document for request in run.requests for document in request.documents]
    assert {document.title for document in documents} == {"order.txt", "document-2.txt"}
    assert all(document.citations_enabled for document in documents)


def test_another_model_names_the_citations_its_own_way(run: Run, tmp_path: Path) -> None:
    """Read again for free, by the other model's Python names."""
    (tmp_path / "order.txt").write_text(TEXT)
    found = {"type": "char_location", "cited_text": "Total: 5.00", "document_index": 0,
             "document_title": "order.txt", "start_char_index": 9, "end_char_index": 20}  # fmt: skip
    blocks = [('{"total": ', None), ("5.0", [found]), ("}", None)]
    answer = Answer(content=[{"type": "text", "text": text, "citations": cited} for text, cited in blocks])
    manager = run.manager(
        answer, messages=None, files=[tmp_path / "order.txt"], prompt="?", response_model=Order,
        enable_citations=True,
    )  # fmt: skip
    (own,), (other,) = manager.results(), manager.results(response_model=Bill)
    assert own["result"] == Order(total=5)
    assert other["result"] == Bill(total=5)
    assert list(own["citations"]) == ["total_"]
    assert own["citations"]["total_"] == other["citations"]["amount"]
    assert own["citations"]["total_"][0].grounded is True
    assert len(run.requests) == 1
