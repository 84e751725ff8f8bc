"""How one stored answer becomes a result, or the reason why there is none: recorded answers and made ones."""

from __future__ import annotations

import json
import pickle
from typing import Any, Literal

import msgspec
import pydantic
import pytest

from batchata.answers.answer import Block
from batchata.answers.citations import Citation, from_dict, of_blocks
from batchata.answers.reader import Reader, Reading


class Person(pydantic.BaseModel):
    name: str
    age: int


PERSON = Reader(Person, enable_citations=False)
TEXT = Reader(None, enable_citations=False)


def text_blocks(*texts: str) -> list[Block]:
    return [Block(type="text", text=text) for text in texts]


def stored(content: list[dict[str, Any]]) -> list[Block]:
    return msgspec.convert(content, list[Block])


def with_keys(keys: list[str]) -> type[pydantic.BaseModel]:
    fields: dict[str, Any] = {f"f{n}": (Any, pydantic.Field(alias=key)) for n, key in enumerate(keys)}
    return pydantic.create_model("Wanted", **fields)


def test_structured_answers_are_read_as_recorded(recordings: Any) -> None:
    """Every native answer that was finished is the value in its text, thinking blocks or not."""
    finished = [row for row in recordings("structured") if row[2]["stop_reason"] == "end_turn"]
    assert len(finished) > 15
    for name, _, answer in finished:
        value = json.loads("".join(b["text"] for b in answer["content"] if b["type"] == "text"))
        reading = Reader(with_keys(list(value)), False).read(stored(answer["content"]), "end_turn")
        assert reading.error is None, name
        assert isinstance(reading.result, pydantic.BaseModel)
        assert reading.result.model_dump(by_alias=True) == value


def test_a_recorded_call_of_a_tool_is_a_result(recordings: Any) -> None:
    """What it calls and with what, also where the run's model has nothing to do with it."""
    calls = [row for row in recordings("structured") if row[2]["stop_reason"] == "tool_use"]
    assert calls
    for name, _, answer in calls:
        given = [block for block in answer["content"] if block["type"] == "tool_use"]
        said = [{"id": call["id"], "name": call["name"], "input": call["input"]} for call in given]
        text = "".join(block["text"] for block in answer["content"] if block["type"] == "text")
        for reader in (PERSON, TEXT):
            reading = reader.read(stored(answer["content"]), "tool_use")
            assert reading == Reading({"text": text, "tool_calls": said}, None), name


@pytest.mark.parametrize("reader", [PERSON, TEXT], ids=["model", "text"])
def test_recorded_stops_are_failures_of_their_own(recordings: Any, reader: Reader) -> None:
    """A refusal and a cut answer are billed successes for the provider, and never results for us."""
    found = recordings("stop_reasons")
    assert {answer["stop_reason"] for _, _, answer in found} == {"refusal", "max_tokens"}
    for name, _, answer in found:
        reading = reader.read(stored(answer["content"]), answer["stop_reason"])
        assert (reading.result, reading.citations) == (None, None), name
        assert reading.error is not None
        assert reading.error.kind == answer["stop_reason"]


@pytest.mark.parametrize(
    ("stop_reason", "said"),
    [
        ("max_tokens", "retry_failed(max_tokens=…)"),
        ("model_context_window_exceeded", "context window"),
        ("pause_turn", "not finished"),
        ("refusal", "refused"),
    ],
)
def test_an_unfinished_answer_is_none_even_when_it_looks_whole(stop_reason: str, said: str) -> None:
    """Valid JSON that was cut at a lucky place may lack its end; the error says what happened."""
    reading = PERSON.read(text_blocks('{"name": "Ann", "age": 30}'), stop_reason)
    assert reading.result is None
    assert reading.error is not None
    assert reading.error.kind == stop_reason
    assert said in reading.error.message


@pytest.mark.parametrize("stop_reason", ["end_turn", "stop_sequence", None, "something_new"])
def test_a_finished_answer_is_read(stop_reason: str | None) -> None:
    """Also when the reason is one that did not exist yet."""
    assert PERSON.read(text_blocks('{"name": "Ann", "age": 30}'), stop_reason).result == Person(
        name="Ann", age=30
    )


def test_blocks_are_told_by_type_not_by_place() -> None:
    """Thinking leads and tools interrupt; the text blocks joined without anything between are the answer."""
    blocks = [
        Block(type="thinking", text="let me see"),
        *text_blocks('{"name": "A'),
        Block(type="server_tool_use"),
        *text_blocks('nn", "age": 30}'),
    ]
    assert PERSON.read(blocks, "end_turn").result == Person(name="Ann", age=30)
    assert TEXT.read(blocks, "end_turn").result == '{"name": "Ann", "age": 30}'


@pytest.mark.parametrize("reader", [PERSON, TEXT], ids=["model", "text"])
@pytest.mark.parametrize("blocks", [[], text_blocks(""), text_blocks(" \n"), [Block("thinking", "hm")]])
def test_an_empty_answer_is_no_result(reader: Reader, blocks: list[Block]) -> None:
    """Not even an empty text."""
    error = reader.read(blocks, "end_turn").error
    assert error is not None
    assert error.kind == "empty_output"


def test_an_answer_that_does_not_fit_says_why() -> None:
    """With the field, without the value."""
    error = PERSON.read(text_blocks('{"name": "Ann", "age": "x"}'), "end_turn").error
    assert error is not None
    assert (error.kind, error.message.split(":")[0]) == ("invalid_output", "age")


class Broken(pydantic.BaseModel):
    name: str

    @pydantic.field_validator("name")
    @classmethod
    def known(cls, value: str) -> str:
        return {"Ann": "A. Smith"}[value]


def test_a_validator_that_breaks_fails_its_item_alone() -> None:
    """What a response model raises beside ValueError costs no other item its result, and is named."""
    reader = Reader(Broken, enable_citations=False)
    assert reader.read(text_blocks('{"name": "Ann"}'), None).result == Broken.model_construct(name="A. Smith")
    for read in (
        reader.read(text_blocks('{"name": "Bob"}'), None),
        reader.read_taken(text_blocks('{"name": "Bob"}')),
    ):
        assert read.error is not None
        assert read.error.kind == "response_model_error"
        assert "Broken raised KeyError: 'Bob'" in read.error.message


class Listed(pydantic.BaseModel):
    terms: Literal["net 30", "net 60"] | None = None
    total: float | None = None


@pytest.mark.parametrize(
    "given", [{"terms": "net 30", "total": 1.5}, {"terms": None, "total": None}, {"total": 2.0}]
)
def test_one_of_several_texts_or_none_is_no_number(given: dict[str, Any]) -> None:
    """A field of listed texts that may be left out is read beside numbers that may be."""
    read = Reader(Listed, enable_citations=False).read(text_blocks(json.dumps(given)), "end_turn")
    assert read.error is None
    assert read.result == Listed(**given)


def test_citations_are_given_only_when_asked_for() -> None:
    """None when not enabled; a list, perhaps empty, without a response model."""
    blocks = text_blocks("plain")
    assert TEXT.read(blocks, "end_turn").citations is None
    assert Reader(None, enable_citations=True).read(blocks, "end_turn").citations == []


LOCATIONS = {
    "char_location": {"start_char_index", "end_char_index", "document_index"},
    "page_location": {"start_page_number", "end_page_number", "document_index"},
    "content_block_location": {"start_content_block_index", "end_content_block_index", "document_index"},
    "search_result_location": {"search_result_index", "source", "start_content_block_index"},
    "web_search_result_location": {"url"},
}
RENAMED = {
    "start_block_index": "start_content_block_index",
    "end_block_index": "end_content_block_index",
    "title": "document_title",
}


def test_recorded_citations_are_all_there_with_their_places(recordings: Any) -> None:
    """Every citation of every recorded answer, in order, with each figure that the API gave."""
    kinds, count = set(), 0
    for name, said, answer in recordings("citations"):
        raw = [c for b in answer["content"] if b["type"] == "text" for c in b.get("citations") or []]
        found = of_blocks(stored(answer["content"]))
        assert len(found) == len(raw) == said["n_citations"], name
        for citation, given in zip(found, raw, strict=True):
            kept = citation.as_dict()
            for key, value in given.items():
                if value is not None:
                    assert kept[RENAMED.get(key, key)] == value, (name, key)
            if not said.get("partial_shape"):  # those are a notebook's own excerpts of answers
                assert kept.keys() >= LOCATIONS[citation.type], name
        kinds |= {citation.type for citation in found}
        count += len(found)
    assert kinds == LOCATIONS.keys()
    assert count > 100


def test_citations_survive_being_written_and_read(recordings: Any) -> None:
    """What is stored as JSON comes back as the same citation."""
    for _, _, answer in recordings("citations"):
        for citation in of_blocks(stored(answer["content"])):
            assert from_dict(json.loads(json.dumps(citation.as_dict()))) == citation


def test_a_citation_shows_what_it_has_and_can_be_compared() -> None:
    """Without the names that do not apply; equal ones are one in a set."""
    citation = Citation("page_location", "text", 0, "a.pdf", 1, 2)
    shown = "type='page_location', cited_text='text', document_index=0, document_title='a.pdf'"
    assert repr(citation) == f"Citation({shown}, start_page_number=1, end_page_number=2)"
    assert {citation, Citation("page_location", "text", 0, "a.pdf", 1, 2)} == {citation}
    assert pickle.loads(pickle.dumps(citation)) == citation


@pytest.mark.parametrize(
    ("first", "end", "pages"), [(5, 6, (5, 5)), (5, 8, (5, 7)), (3, 3, (3, 3)), (None, None, None)]
)
def test_pages_are_told_with_both_ends(first: int | None, end: int | None, pages: Any) -> None:
    """The API's end is exclusive; a reader wants the pages themselves."""
    citation = Citation("page_location", "text", start_page_number=first, end_page_number=end)
    assert citation.pages == pages


def test_a_location_of_a_new_kind_keeps_what_is_known() -> None:
    """Unknown keys are left out, and nothing fails."""
    citation = from_dict({"type": "video_location", "cited_text": "x", "second": 4, "document_index": 2})
    assert citation == Citation("video_location", "x", document_index=2)
