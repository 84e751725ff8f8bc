"""Which conversations are accepted, and what the caller is told about the others."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from claude_inputs import read_inputs
from hypothesis import given
from hypothesis import strategies as st
from images_given import GIF, PNG

from batchata.errors import InvalidInputError, UnsupportedModelError
from batchata.providers.anthropic.models import MODELS, Model

USER = {"role": "user", "content": "Hello"}
MODEL = MODELS["claude-sonnet-5-5"]


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def document(**more: Any) -> dict[str, Any]:
    source = {"type": "text", "media_type": "text/plain", "data": "The sky is blue."}
    return {"type": "document", "source": source, **more}


PDF_SOURCE = {"type": "base64", "media_type": "application/pdf"}


def pdf_block(data: bytes) -> dict[str, Any]:
    return document(source={**PDF_SOURCE, "data": base64.b64encode(data).decode()})


def called(*ids: str) -> dict[str, Any]:
    """A turn of the model that calls tools."""
    blocks = [{"type": "tool_use", "id": id, "name": "f", "input": {}} for id in ids]
    return {"role": "assistant", "content": blocks}


def result(id: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": "x"}


LOOP: list[Any] = []
LOOP.append(LOOP)
TEXT = {"type": "text", "text": "Hello"}

REFUSED: dict[str, tuple[Any, str]] = {
    "no dict": (["Hello"], r"messages\[1\]\[0\] must be a dict"),
    "a number": (7, r"messages\[1\] must be a text or a conversation"),
    "an empty text": ("", r"messages\[1\].*empty"),
    "no list": (USER, r"messages\[1\] is a single message; wrap it"),
    "nothing": ([], r"messages\[1\] has no user message"),
    "no role": ([{"content": "x"}], r"messages\[1\]\[0\] lacks 'role'"),
    "no content": ([USER, {"role": "user"}], r"messages\[1\]\[1\] lacks 'content'"),
    "a name": ([{**USER, "name": "Jo"}], r"keys that the API refuses: 'name'"),
    "unknown role": ([{"role": "tool", "content": "x"}], r"role is 'tool'; .* user, assistant, system"),
    "role no text": ([{"role": ["user"], "content": "x"}], r"role is \['user'\]"),
    "empty text": ([{"role": "user", "content": ""}], r"\[0\]\.content is empty"),
    "white space": ([{"role": "user", "content": " \n\t"}], r"\[0\]\.content is only white space"),
    "no blocks": ([user()], r"\[0\]\.content is empty"),
    "None": ([{"role": "user", "content": None}], r"must be text or a list of blocks, not None"),
    "text as bytes": ([{"role": "user", "content": b"x"}], r"not a bytes"),
    "block no dict": ([user("Hello")], r"content\[0\] is not a content block"),
    "block no type": ([user({"text": "Hello"})], r"content\[0\] is not a content block"),
    "empty text block": ([user(TEXT, {"type": "text", "text": ""})], r"content\[1\]\.text is empty"),
    "text block no text": ([user({"type": "text"})], r"content\[0\]\.text must be text, not None"),
    "only system": ([{"role": "system", "content": "Be brief."}], r"no user message"),
    "system with image": ([{"role": "system", "content": [{"type": "image"}]}, USER], "must be a text block"),
    "prefill": ([USER, {"role": "assistant", "content": "{"}], r"claude-sonnet-5-5 does not continue one"),
    "prefill, then system": (
        [USER, {"role": "assistant", "content": "{"}, {"role": "system", "content": "x"}],
        r"does not continue one",
    ),
    "NaN": ([user({**TEXT, "x": float("nan")})], r"content\[0\]\.x is nan, which JSON cannot hold"),
    "infinite": ([user({**TEXT, "x": [1, float("inf")]})], r"content\[0\]\.x\[1\] is inf"),
    "bytes": ([user({**TEXT, "x": {"y": b"1"}})], r"content\[0\]\.x\.y is a bytes, .*b64encode"),
    "set": ([user({**TEXT, "x": {1}})], r"content\[0\]\.x is a set, .* use a list"),
    "object": ([user({**TEXT, "x": object()})], r"content\[0\]\.x is an object"),
    "integer key": ([user({**TEXT, 1: "x"})], r"content\[0\] has the key 1"),
    "huge integer": ([user({**TEXT, "x": 2**64})], r"more than 64 bits"),
    "loop": ([user({**TEXT, "x": LOOP})], r"nested deeper than 100 levels"),
    "surrogate": ([{"role": "user", "content": "a\ud800"}], r"content cannot be encoded .* character 1"),
    "assistant's document": (
        [{"role": "assistant", "content": [document()]}, USER],
        r"document in an assistant message",
    ),
    "cited user text": (
        [user({**TEXT, "citations": [{"type": "char_location"}]})],
        r"content\[0\] has citations in a user message",
    ),
    "cited search result": (
        [user({"type": "search_result", "content": [{**TEXT, "citations": [{}]}]})],
        r"content\[0\]\.content\[0\] has citations in a user message",
    ),
    "an unknown key": ([user({**TEXT, "name": "Jo"})], r"content\[0\] has keys that the API refuses: 'name'"),
    "a title of a number": ([user(document(title=5))], r"content\[0\]\.title must be text, not an int"),
    "cached thinking": (
        [USER, {"role": "assistant", "content": [{"type": "thinking", "cache_control": {}}]}, USER],
        r"\[1\]\.content\[0\] has a cache_control, which the API refuses on thinking",
    ),
    "a result of no call": ([user(result("a"))], r"\[0\]\.content has a tool_result of 'a', and the message"),
    "a call without a result": ([USER, called("a", "b"), user(result("a"))], r"\[2\]\.content lacks .*'b'"),
    "a call answered in words": ([USER, called("a"), USER], r"\[2\]\.content lacks the tool_result of .*'a'"),
    "one id for two calls": ([USER, called("a", "a"), user(result("a"))], r"two calls of the id 'a'"),
    "document no source": ([user({"type": "document"})], r"content\[0\]\.source must be a dict"),
    "document wrong type": ([user(document(source={**PDF_SOURCE, "media_type": "text/csv"}))], "be 'appl"),
    "document no base64": ([user(document(source={**PDF_SOURCE, "data": "%%"}))], r"not valid base64"),
    "document no PDF": ([user(pdf_block(b"hello"))], r"source\.data is not a PDF"),
    "document a broken PDF": ([user(pdf_block(b"%PDF-1.4 hello"))], r"source\.data is a damaged PDF"),
    "document empty text": (
        [user(document(source={"type": "text", "media_type": "text/plain", "data": ""}))],
        r"source\.data is empty",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_api_would_refuse_is_refused_at_once(case: str) -> None:
    """Each mistake has an error that names its place and says what is wrong there."""
    conversation, words = REFUSED[case]
    with pytest.raises(InvalidInputError, match=words):
        read_inputs(messages=[[USER], conversation], model=MODEL)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,x"}}, "give {'type': 'image'"),
        ({"type": "input_image", "image_url": "https://x"}, "give {'type': 'image'"),
        ({"type": "input_text", "text": "x"}, "give {'type': 'text'"),
        ({"type": "input_file", "file_data": "x"}, "which pdf_to_document_block"),
        ({"type": "file", "file": {"file_data": "x"}}, "give {'type': 'document'"),
        ({"type": "input_audio", "input_audio": {}}, "give a transcript"),
        ({"type": "image", "source": {"type": "path", "path": "a.png"}}, "it is one of base64, url, file"),
        ({"type": "image", "source": {"type": "url"}}, "url is None; it must be 'https://...'"),
        ({"type": "document", "source": {"type": "url", "url": "a.pdf"}}, "url is 'a.pdf'; it must be"),
        ({"type": "document", "source": {"type": "file"}}, "file_id is None"),
        ({"type": "document", "source": {"type": "bytes"}}, "it is one of base64, text, content, url, file"),
    ],
)
def test_blocks_of_other_services_are_named_with_the_right_form(block: dict[str, Any], words: str) -> None:
    """They would fail in the results, hours later."""
    with pytest.raises(InvalidInputError) as caught:
        read_inputs(messages=[[user(block)]], model=MODEL)
    assert words in str(caught.value)


def test_many_images_have_to_be_smaller() -> None:
    """With more than 20 in one request, none may have more than 2,000 pixels a side; alone it may."""

    def image(side: int) -> dict[str, Any]:
        data = PNG[:16] + struct.pack(">II", side, 10) + PNG[24:]
        source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(data).decode()}
        return {"type": "image", "source": source}

    def count(*images: dict[str, Any]) -> int:
        return read_inputs(messages=[[user(*images)]], model=MODEL).count

    assert count(image(8_000), *[image(10)] * 19) == 1
    assert count(*[image(2_000)] * 21) == 1
    with pytest.raises(InvalidInputError, match=r"messages\[0\] has 21 images, one of them of 2,001 pixels"):
        count(image(2_001), *[image(10)] * 20)


def caching(*lengths: str) -> list[dict[str, Any]]:
    """Text blocks, each with a mark that holds so long."""
    controls = [{"type": "ephemeral", "ttl": length} for length in lengths]
    return [{"type": "text", "text": "x", "cache_control": control} for control in controls]


@pytest.mark.parametrize(
    ("lengths", "system", "words"),
    [
        (["5m"] * 5, [], r"messages\[0\] has 5 cache_control marks"),
        (["5m"] * 3, ["5m"] * 2, r"messages\[0\] has 5 cache_control marks"),
        (["1h"], ["5m"], "a cache_control of 1h behind one of 5m"),
        (["5m", "1h"], [], "a cache_control of 1h behind one of 5m"),
        (["2h"], [], r"messages\[0\]\[0\]\.content\[0\]\.cache_control is"),
    ],
)
def test_marks_of_messages_and_parameters_count_together(
    lengths: list[str], system: list[str], words: str
) -> None:
    """At most four in a request, and none of an hour behind one of five minutes."""
    params = {"system": caching(*system)}
    with pytest.raises(InvalidInputError, match=words):
        read_inputs(messages=[[user(*caching(*lengths))]], model=MODEL, params=params)
    good = read_inputs(messages=[[user(*caching("1h", "5m"))]], model=MODEL, params={"system": caching("1h")})
    assert good.count == 1


def test_calls_that_are_answered_at_once_are_taken() -> None:
    """Over several turns, and in any order."""
    turns = [USER, called("a", "b"), user(result("b"), result("a"), TEXT), called("a"), user(result("a"))]
    read_inputs(messages=[turns], model=MODEL)


def test_all_roles_and_kinds_of_content_are_accepted() -> None:
    """System, user and assistant turns, as text or blocks, pass as they are."""
    conversation = [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": [TEXT]},
        user(TEXT, document(), {"type": "search_result", "title": "t", "source": "s", "content": [TEXT]}),
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        user({"type": "tool_result", "tool_use_id": "a", "content": "42"}),
        ({"role": "user", "content": (TEXT,)}),
    ]
    assert read_inputs(messages=[conversation, tuple(conversation)], model=MODEL).count == 2


def test_a_prefill_is_accepted_where_the_model_continues_it() -> None:
    """Models of the 4.5 generation continue an assistant turn; the first such conversation is known."""
    prefilled = [USER, {"role": "assistant", "content": "{"}]
    inputs = read_inputs(messages=[[USER], prefilled, prefilled], model=MODELS["claude-haiku-4-5"])
    assert inputs.first_prefilled == 1
    assert read_inputs(messages=[[USER]], model=MODEL).first_prefilled is None


@pytest.mark.parametrize(
    "block", [document(), {"type": "image", "source": {"type": "url", "url": "https://x"}}]
)
def test_files_in_messages_need_a_model_that_takes_them(block: dict[str, Any]) -> None:
    """A document or image in a message to a model without files is refused."""
    model = MODELS["claude-3-haiku-20240307"]
    with pytest.raises(
        UnsupportedModelError, match=r"content\[0\] holds a file.*claude-3-haiku.*use claude-haiku"
    ):
        read_inputs(messages=[[user(block, TEXT)]], model=model)
    nested = {"type": "tool_result", "tool_use_id": "a", "content": [block]}
    with pytest.raises(UnsupportedModelError, match=r"content\[0\]\.content\[0\] holds a file"):
        read_inputs(messages=[[user(nested)]], model=model)


@pytest.mark.parametrize(("enable", "stated"), [(True, False), (False, True)])
def test_a_document_may_not_contradict_the_citations_of_the_run(enable: bool, stated: bool) -> None:
    """Citations are on for all documents of a request or for none."""
    block = document(citations={"enabled": stated})
    with pytest.raises(InvalidInputError, match=r"content\[0\]\.citations contradicts enable_citations"):
        read_inputs(messages=[[user(block, TEXT)]], model=MODEL, enable_citations=enable)
    agreeing = document(citations={"enabled": enable})
    assert read_inputs(messages=[[user(agreeing, TEXT)]], model=MODEL, enable_citations=enable).count == 1


def test_citations_without_a_document_are_no_error() -> None:
    """A conversation without documents just gets no citations."""
    assert read_inputs(messages=[[USER]], model=MODEL, enable_citations=True).count == 1


def test_images_in_messages_are_looked_at() -> None:
    """An image's data must be what its media type says."""
    source = {"type": "base64", "media_type": "image/gif", "data": base64.b64encode(GIF).decode()}
    assert read_inputs(messages=[[user({"type": "image", "source": source})]], model=MODEL).count == 1
    source["media_type"] = "image/png"
    with pytest.raises(InvalidInputError, match=r"media_type is 'image/png', its data image/gif"):
        read_inputs(messages=[[user({"type": "image", "source": source})]], model=MODEL)


def test_pages_of_several_documents_are_added_up(blank_pdf: bytes, small_model: Model) -> None:
    """The page limit holds for the request, not for each document."""
    enough = [pdf_block(blank_pdf) for _ in range(50)]
    assert read_inputs(messages=[[user(*enough)]], model=small_model).count == 1
    with pytest.raises(
        InvalidInputError, match=r"messages\[0\] has 102 PDF pages; claude-haiku-4-5 takes 100"
    ):
        read_inputs(messages=[[user(*enough, pdf_block(blank_pdf))]], model=small_model)


def test_the_token_bound_of_messages(blank_pdf: bytes) -> None:
    """Text counts a token a byte, a PDF by its pages, and what only the API can see the whole context."""
    inputs = read_inputs(
        messages=[
            [{"role": "user", "content": "ä" * 1000}],
            [user(pdf_block(blank_pdf))],
            [user({"type": "document", "source": {"type": "file", "file_id": "file_1"}})],
        ],
        model=MODEL,
    )
    assert 2000 <= inputs.token_bound(0) < 2200
    assert 2 * 4_784 <= inputs.token_bound(1) < 2 * (4_784 + 3_000) + 400
    assert inputs.token_bound(2) == MODEL.context_window


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=3)
    | st.just("user"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "source", "data"]) | st.integers(), inner
        )
    ),
    max_leaves=8,
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "x"]), "content": values},
)


@given(st.lists(values | st.lists(messages, max_size=3), max_size=3))
def test_whatever_is_given_is_accepted_or_refused_with_our_error(given_messages: list[Any]) -> None:
    """No value makes the check itself fail."""
    try:
        count = read_inputs(messages=given_messages, model=MODEL).count
    except InvalidInputError:
        return
    assert count == len(given_messages)
