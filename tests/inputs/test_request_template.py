"""What is sent for an item."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from claude_inputs import read_inputs
from hypothesis import example, given
from hypothesis import strategies as st
from images_given import GIF

from batchata.errors import FileInputError
from batchata.providers.anthropic.models import MODELS
from batchata.providers.anthropic.requests import RequestTemplate

MODEL = MODELS["claude-sonnet-5-5"]
PARAMS: dict[str, Any] = {"model": MODEL.id, "max_tokens": 100}
USER = {"role": "user", "content": "Hello"}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}


def sent(template: RequestTemplate, source: Any) -> Any:
    request = json.loads(template.encode("run-1-0", source))
    assert request["custom_id"] == "run-1-0"
    return request["params"]


def test_a_request_is_params_and_messages() -> None:
    """The common parameters and the conversation, nothing else."""
    assert sent(RequestTemplate(PARAMS), [USER]) == {**PARAMS, "messages": [USER]}
    assert sent(RequestTemplate({}), [USER]) == {"messages": [USER]}


@pytest.mark.parametrize(
    ("params", "turns", "suffix", "expected"),
    [
        (None, [], None, None),
        ("P", [], None, "P"),
        (None, ["A", "B"], None, "A\n\nB"),
        ("P", ["A"], "S", "P\n\nA\n\nS"),
        (None, [], "S", "S"),
        (
            [{"type": "text", "text": "P", "cache_control": {"type": "ephemeral"}}],
            ["A"],
            "S",
            [
                {"type": "text", "text": "P", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "A"},
                {"type": "text", "text": "S"},
            ],
        ),
        (
            "P",
            [[{"type": "text", "text": "A"}]],
            None,
            [{"type": "text", "text": "P"}, {"type": "text", "text": "A"}],
        ),
    ],
)
def test_system_turns_become_the_system_prompt(
    params: Any, turns: list[Any], suffix: Any, expected: Any
) -> None:
    """In order: the run's own, the conversation's, the suffix; blocks stay blocks."""
    messages = [{"role": "system", "content": turn} for turn in turns]
    template = RequestTemplate(PARAMS | ({"system": params} if params else {}), system_suffix=suffix)
    request = sent(template, [*messages[:1], USER, *messages[1:]])
    assert request["messages"] == [USER]
    assert request.get("system") == expected


def test_citations_are_switched_on_for_every_document() -> None:
    """All documents and search results of user messages; the user's own objects stay as they were."""
    result = {
        "type": "search_result",
        "title": "t",
        "source": "s",
        "content": [{"type": "text", "text": "x"}],
    }
    used = {"type": "tool_result", "tool_use_id": "t", "content": [result, {"type": "text", "text": "x"}]}
    content = [DOCUMENT, result, {"type": "text", "text": "Why?"}, used]
    template = RequestTemplate(PARAMS, enable_citations=True)
    (message,) = sent(template, [{"role": "user", "content": content}])["messages"]
    assert [block.get("citations") for block in message["content"]] == [
        {"enabled": True},
        {"enabled": True},
        None,
        None,
    ]
    assert [block.get("citations") for block in message["content"][3]["content"]] == [{"enabled": True}, None]
    assert "citations" not in DOCUMENT
    assert "citations" not in result
    assert sent(template, [USER])["messages"] == [USER]


@pytest.mark.parametrize("citations", [True, False])
def test_a_file_is_sent_before_the_prompt(tmp_path: Path, blank_pdf: bytes, citations: bool) -> None:
    """One user message: the document with its name as title, then the prompt."""
    path = tmp_path / 'a "b".pdf'
    path.write_bytes(blank_pdf)
    source = read_inputs(files=[path], prompt="Why?", model=MODEL).source(0)
    template = RequestTemplate(PARAMS, prompt="Why?", enable_citations=citations)
    switch = {"citations": {"enabled": True}} if citations else {}
    assert sent(template, source)["messages"] == [
        {
            "role": "user",
            "content": [
                {
                    "type": "document",
                    "source": {
                        "type": "base64",
                        "media_type": "application/pdf",
                        "data": base64.b64encode(blank_pdf).decode(),
                    },
                    "title": 'a "b".pdf',
                    **switch,
                },
                {"type": "text", "text": "Why?"},
            ],
        }
    ]


def test_texts_and_images_have_their_own_blocks() -> None:
    """Text is sent as text, in whatever encoding it came; an image has neither title nor citations."""
    gif = GIF
    inputs = read_inputs(files=["Grüße".encode("utf-16"), gif], prompt="Why?", model=MODEL)
    template = RequestTemplate(PARAMS, prompt="Why?", enable_citations=True)
    text, image = (sent(template, inputs.source(n))["messages"][0]["content"][0] for n in (0, 1))
    assert text == {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
        "title": "document-1.txt",
        "citations": {"enabled": True},
    }
    encoded = base64.b64encode(gif).decode()
    assert image == {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/gif", "data": encoded},
    }


@pytest.mark.parametrize("change", ["edit", "delete"])
def test_a_file_that_changed_since_the_check_is_not_sent(tmp_path: Path, change: str) -> None:
    """What is sent is what was checked and logged, or nothing."""
    path = tmp_path / "a.txt"
    path.write_text("Hello")
    source = read_inputs(files=[path], prompt="Why?", model=MODEL).source(0)
    path.unlink() if change == "delete" else path.write_text("Hallo")
    with pytest.raises(FileInputError, match=r"a\.txt' (was changed after it was checked|does not exist)"):
        RequestTemplate(PARAMS, prompt="Why?").encode("a", source)


def test_a_template_travels_to_other_processes() -> None:
    """Pickled before or after its first use it encodes the same."""
    template = RequestTemplate(PARAMS, system_suffix="S", prompt="P", enable_citations=True)
    fresh = pickle.loads(pickle.dumps(template))
    assert fresh.encode("a", [USER]) == template.encode("a", [USER])
    assert pickle.loads(pickle.dumps(template)) == template


def test_naughty_strings_arrive_as_they_are(shared: Path) -> None:
    """Every string that has text in it goes through byte for byte."""
    strings = json.loads((shared / "text" / "naughty_strings.json").read_text())
    check_round_trip([text for text in strings if text.strip()], at_least=290)


def test_seventy_five_languages_arrive_as_they_are(shared: Path) -> None:
    """Sentences of 75 languages go through byte for byte."""
    lines = (shared / "text" / "multilingual_75_languages.tsv").read_text().split("\n")
    check_round_trip([line for line in lines if line], at_least=1800)


def check_round_trip(texts: list[str], at_least: int) -> None:
    assert len(texts) >= at_least
    inputs = read_inputs(messages=[[{"role": "user", "content": text}] for text in texts], model=MODEL)
    template = RequestTemplate(PARAMS)
    for n, text in enumerate(texts):
        encoded = template.encode("a", inputs.source(n))
        assert json.loads(encoded)["params"]["messages"] == [{"role": "user", "content": text}]
        assert json.loads(inputs.body(n)) == {"messages": [{"role": "user", "content": text}]}
        assert b"\n" not in encoded
        assert len(text.encode()) <= inputs.token_bound(n)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
turns = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": texts})


@given(st.lists(turns, max_size=5), texts)
def test_any_valid_conversation_arrives_as_it_is(earlier: list[dict[str, str]], last: str) -> None:
    """The turns in order without the system turns, those joined in `system`, within the announced size."""
    conversation = [*earlier, {"role": "user", "content": last}]
    inputs = read_inputs(messages=[conversation], model=MODEL)
    template = RequestTemplate(PARAMS, system_suffix="S")
    encoded = template.encode("x" * 64, inputs.source(0))
    params = json.loads(encoded)["params"]
    system = [turn["content"] for turn in conversation if turn["role"] == "system"]
    assert params["messages"] == [turn for turn in conversation if turn["role"] != "system"]
    assert params["system"] == "\n\n".join([*system, "S"])
    assert len(encoded) <= inputs.request_size(0) + template.size


@example(
    text=b"%PDF-", prompt="a", citations=False
)  # in hexadecimal it begins like a PDF, and is too short for one
@given(
    text=st.binary(min_size=1, max_size=50),
    prompt=st.text('ab"\\\u2028ä', min_size=1, max_size=40),
    citations=st.booleans(),
)
def test_the_announced_size_is_never_too_small(text: bytes, prompt: str, citations: bool) -> None:
    """The bound holds for files of every kind, and is close."""
    gif = GIF + text
    prompt += "?"
    inputs = read_inputs(files=[gif, text.hex().encode() + b'"\n'], prompt=prompt, model=MODEL)
    template = RequestTemplate(PARAMS, prompt=prompt, enable_citations=citations)
    for n in (0, 1):
        size = len(template.encode("x" * 64, inputs.source(n)))
        assert size <= inputs.request_size(n) + template.size < size + 500
