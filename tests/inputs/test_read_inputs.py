"""How inputs are given, numbered, identified and kept."""

from __future__ import annotations

import hashlib
import json
import pickle
import random
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from claude_inputs import read_inputs
from hypothesis import given
from hypothesis import strategies as st

from batchata.errors import ConfigurationError, InvalidInputError, UnsupportedModelError
from batchata.inputs import Inputs
from batchata.log.format import Segment, unpack
from batchata.providers.anthropic.models import MODELS, Model

MODEL = MODELS["claude-sonnet-5-5"]


def conversation(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def of_texts(texts: list[str]) -> Inputs:
    return read_inputs(messages=[conversation(text) for text in texts], model=MODEL)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "either messages or files .* neither"),
        ({"messages": [], "files": [], "prompt": "x"}, "either messages or files .* both"),
        ({"files": []}, "files need a prompt"),
        ({"files": [], "prompt": "  "}, "files need a prompt"),
        ({"files": [], "prompt": 5}, "files need a prompt"),
        ({"files": [], "prompt": "\ud800"}, "prompt cannot be encoded"),
        ({"messages": [], "prompt": "x"}, "prompt is for files"),
        ({"messages": "Hello"}, "messages is a str; it must be a list"),
        ({"messages": {"role": "user"}}, "messages is a dict; it must be a list"),
        ({"messages": conversation("Hello")}, "messages is a single conversation; .* list of conversations"),
        ({"messages": 5}, "messages is an int"),
        ({"files": "a.pdf", "prompt": "x"}, "files is a str; .* files="),
        ({"files": b"%PDF-", "prompt": "x"}, "files is a bytes"),
        ({"files": Path("a.pdf"), "prompt": "x"}, "files is a .*Path; it must be a list"),
    ],
)
def test_the_classic_mistakes_have_their_own_errors(arguments: dict[str, Any], words: str) -> None:
    """Exactly one of messages and files, as a list, and a prompt with files."""
    with pytest.raises(InvalidInputError, match=words):
        read_inputs(model=MODEL, **arguments)


def test_an_open_file_is_not_a_list_of_files(tmp_path: Path) -> None:
    """A file object could be iterated by lines; it is one file."""
    path = tmp_path / "a.txt"
    path.write_text("a\nb\n")
    with path.open("rb") as file, pytest.raises(InvalidInputError, match="files is a BufferedReader"):
        read_inputs(files=file, prompt="x", model=MODEL)


def test_no_items_are_fine() -> None:
    """Empty lists give inputs of count 0, with a fingerprint."""
    assert read_inputs(messages=[], model=MODEL).count == 0
    assert read_inputs(files=[], prompt="x", model=MODEL).count == 0
    assert read_inputs(messages=[], model=MODEL).fingerprint() == hashlib.sha256(b"").hexdigest()


def test_iterables_are_read_once(tmp_path: Path) -> None:
    """Generators do as well as lists, for both kinds."""
    (tmp_path / "a.txt").write_text("Hello")
    (tmp_path / "b.txt").write_text("World")
    assert read_inputs(messages=(conversation(str(n)) for n in range(3)), model=MODEL).count == 3
    assert read_inputs(files=tmp_path.glob("*.txt"), prompt="x", model=MODEL).count == 2


def test_a_model_without_files_or_citations_is_refused() -> None:
    """What the model cannot do is said before any file is read."""
    model = MODELS["claude-3-haiku-20240307"]
    with pytest.raises(
        UnsupportedModelError, match="claude-3-haiku-20240307 takes no files; use claude-haiku-5-5"
    ):
        read_inputs(files=["nowhere.pdf"], prompt="x", model=model)
    with pytest.raises(UnsupportedModelError, match="gives no citations"):
        read_inputs(messages=[conversation("x")], model=model, enable_citations=True)


def test_the_body_of_a_conversation_is_what_the_user_gave() -> None:
    """The log keeps messages as given, on one line."""
    given_messages = [
        {"role": "system", "content": "a\nb\u2028c"},
        {"role": "user", "content": [{"type": "text", "text": "é"}]},
    ]
    body = read_inputs(messages=[given_messages], model=MODEL).body(0)
    assert b"\n" not in body
    assert json.loads(body) == {"messages": given_messages}


def test_digests_tell_contents_apart_and_nothing_else() -> None:
    """The same messages have the same digest whatever the order of their keys."""
    swapped = [{"content": "a", "role": "user"}]
    inputs = read_inputs(messages=[conversation("a"), swapped, conversation("b")], model=MODEL)
    assert inputs.digest(0) == inputs.digest(1) != inputs.digest(2)
    assert len(inputs.digest(0)) == 32
    assert inputs.digest(-1) == inputs.digest(2)
    with pytest.raises(IndexError):
        inputs.digest(3)


def test_more_items_leave_the_fingerprints_of_prefixes_unchanged() -> None:
    """Appended items are an addition: every earlier cut keeps its fingerprint."""
    short, long = of_texts(["a", "b"]), of_texts(["a", "b", "c"])
    assert long.fingerprint(2) == short.fingerprint()
    assert long.fingerprint(0) == of_texts([]).fingerprint()
    assert long.fingerprint() != short.fingerprint()
    assert of_texts(["b", "a"]).fingerprint() != short.fingerprint()
    assert of_texts(["c", "b"]).fingerprint() != short.fingerprint()
    with pytest.raises(IndexError):
        short.fingerprint(3)


@given(st.lists(st.text("ab", min_size=1, max_size=2), max_size=6), st.data())
def test_fingerprints_at_many_cuts_are_those_at_each(texts: list[str], data: st.DataObject) -> None:
    """One pass gives what asking for each cut would, in the order asked."""
    inputs = of_texts(texts)
    cuts = data.draw(st.lists(st.integers(0, len(texts)), max_size=5))
    assert inputs.fingerprints(cuts) == [of_texts(texts[:cut]).fingerprint() for cut in cuts]


def test_sources_travel_to_other_processes(tmp_path: Path, blank_pdf: bytes) -> None:
    """What a worker gets can be pickled, and a path's source does not carry the file."""
    path = tmp_path / "a.pdf"
    path.write_bytes(blank_pdf)
    inputs = read_inputs(files=[path, blank_pdf], prompt="x", model=MODEL)
    assert [pickle.loads(pickle.dumps(inputs.source(n))) for n in (0, 1)] == [
        inputs.source(0),
        inputs.source(1),
    ]
    assert len(pickle.dumps(inputs.source(0))) < len(blank_pdf)


def test_ten_thousand_conversations_cost_less_than_200_bytes_each(model: Model) -> None:
    """Inputs hold no copies of the messages and no encoded requests."""
    messages = [conversation(f"{n} " + "x" * 2000) for n in range(10_000)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        inputs = read_inputs(messages=messages, model=model)
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert held / inputs.count < 200


def test_inputs_are_read_back_as_they_were_added_and_go_to_the_log_in_whole_segments() -> None:
    """In memory and in a file; only what a cut divides, or waits to be packed, goes as single bodies."""
    texts = [random.Random(number).randbytes(9_000).hex() for number in range(450)]  # 4 MB packed
    inputs = read_inputs(messages=(conversation(text) for text in texts), model=MODEL)
    assert [inputs.source(number) for number in range(450)] == [conversation(text) for text in texts]
    assert inputs.source(3) == conversation(texts[3])  # behind a later one
    for first, end, most in ((0, 450, 70), (30, 420, 150), (449, 450, 1), (7, 7, 0)):
        pieces = [*inputs.bodies(first, end)]
        unpacked = [unpack(piece) if isinstance(piece, Segment) else [piece] for piece in pieces]
        assert [body for some in unpacked for body in some] == [
            inputs.body(number) for number in range(first, end)
        ]
        assert len(pieces) <= most


def test_a_full_disk_says_where_room_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Inputs of more than some megabytes are kept in the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    texts = (random.Random(number).randbytes(9_000).hex() for number in range(600))
    with pytest.raises(ConfigurationError, match=r"no room for the inputs in .*gone .*set TMPDIR"):
        read_inputs(messages=(conversation(text) for text in texts), model=MODEL)
