"""Arguments and inputs that cannot work: one error that says what to change, before anything is written."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest
from bad_input_support import by_manager, given, refused
from pydantic import BaseModel
from pypdf import PdfWriter
from run_support import MODEL, Echo, Runs

import batchata
from batchata import BatchManager
from batchata.errors import (
    FileInputError,
    InvalidInputError,
    RetiredModelWarning,
    UnknownModelWarning,
    UnsupportedModelError,
)

SAMPLING = "the API refuses it on every model since version 2026-10-21"
ONE = [{"role": "user", "content": "hello"}]


class Root(pydantic.RootModel[list[int]]):
    """A model without fields."""


class Indescribable(BaseModel):
    """A field that JSON Schema has no words for."""

    model_config = {"arbitrary_types_allowed": True}
    made_of: Callable[[int], int]


BAD_INPUTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "both": ({"files": []}, ("give either messages or files (with a prompt); both were given",)),
    "neither": ({"messages": ...}, ("give either messages or files", "neither")),
    "no prompt": ({"messages": ..., "files": [b"x"]}, ("files need a prompt: prompt='what to do",)),
    "blank prompt": ({"messages": ..., "files": [b"x"], "prompt": " "}, ("files need a prompt",)),
    "prompt with messages": ({"prompt": "Read."}, ("prompt is for files",)),
    "one conversation": ({"messages": ONE}, ("a list of conversations: messages=[[...], [...]]",)),
    "one text": ({"messages": "hello"}, ("messages is a str; it must be a list",)),
    "one file": ({"messages": ..., "files": "a.pdf", "prompt": "Read."}, ("files is a str", "['a.pdf'")),
    "no role": ({"messages": [[{"content": "x"}]]}, ("messages[0][0] lacks 'role'",)),
    "no content": ({"messages": [ONE, [{"role": "user"}]]}, ("messages[1][0] lacks 'content'",)),
    "odd role": ({"messages": [[{"role": "bot", "content": "x"}]]}, ("'bot'", "user, assistant, system")),
    "odd key": (
        {"messages": [[{"role": "user", "content": "x", "name": "Y"}]]},
        ("'name'", "leave them out"),
    ),
    "empty conversation": ({"messages": [[]]}, ("messages[0] has no user message",)),
    "empty content": ({"messages": [[{"role": "user", "content": ""}]]}, ("messages[0][0].content",)),
    "not JSON": ({"messages": [[{"role": "user", "content": [{"type": "text", "text": {1}}]}]]}, ("[0][0]",)),
    "lone surrogate": ({"messages": [[{"role": "user", "content": "\ud800"}]]}, ("messages[0]",)),
    "prefill": (
        {"messages": [[*ONE, {"role": "assistant", "content": "{"}]]},
        ("messages[0] ends with an assistant message", "end with a user message"),
    ),
    "bytes for a model": ({"model": b"claude-sonnet-5-5"}, ("is not a Claude model",)),
    "other provider": (
        {"model": "acme/gemini-4-argon"},
        ("'acme/gemini-4-argon' names an unknown provider", "known are anthropic, anthropic-aws"),
    ),
    "no model": ({"model": ""}, ("model '' is not a Claude model",)),
    "temperature": ({"temperature": 0.2}, ("temperature cannot be given", SAMPLING)),
    "top_p": ({"top_p": 0.2}, ("top_p cannot be given", SAMPLING)),
    "top_k": ({"top_k": 5}, ("top_k cannot be given", SAMPLING)),
    "stream": ({"stream": True}, ("stream cannot be given", "leave it out")),
    "misspelt": ({"max_token": 9}, ("max_token is not a parameter", "did you mean max_tokens?")),
    "misspelt ours": ({"item_per_job": 9}, ("item_per_job", "did you mean items_per_job?")),
    "unheard of": ({"wisdom": 9}, ("wisdom is not a parameter", "known are")),
    "max_tokens 0": ({"max_tokens": 0}, ("max_tokens is 0", "from 1 to 128,000")),
    "max_tokens many": ({"max_tokens": 10**6}, ("max_tokens is 1000000", "128,000")),
    "max_tokens text": ({"max_tokens": "many"}, ("max_tokens is 'many'",)),
    "max_tokens None": ({"max_tokens": None}, ("max_tokens is None",)),
    "max_cost text": ({"max_cost": "cheap"}, ("max_cost must be an amount in USD above 0, not 'cheap'",)),
    "max_cost 0": ({"max_cost": 0}, ("max_cost", "above 0")),
    "max_cost NaN": ({"max_cost": float("nan")}, ("max_cost", "nan")),
    "max_cost inf": ({"max_cost": float("inf")}, ("max_cost", "inf")),
    "max_cost True": ({"max_cost": True}, ("max_cost", "True")),
    "max_cost list": ({"max_cost": [1]}, ("max_cost", "[1]")),
    "max_cost negative": ({"max_cost": "-1"}, ("max_cost must be an amount in USD above 0, not '-1'",)),
    "prices negative": ({"prices": {MODEL: {"input": -1, "output": 1}}}, (f"{MODEL}.input", "0 or more")),
    "prices NaN": ({"prices": {MODEL: {"input": "nan", "output": 1}}}, (f"{MODEL}.input", "'nan'")),
    "prices of another": (
        {"prices": {"claude-sonnet-5": {"input": 1, "output": 1}}},
        ("prices for 'claude-sonnet-5', but the run uses 'claude-sonnet-5-5'",),
    ),
    "prices file": ({"prices": "no-such.toml"}, ("prices file 'no-such.toml' cannot be read",)),
    "max_attempts 0": ({"max_attempts": 0}, ("max_attempts must be a whole number from 1 to 100, not 0",)),
    "max_attempts float": ({"max_attempts": 2.0}, ("max_attempts", "2.0")),
    "max_wait_time": (
        {"max_wait_time": -1},
        ("max_wait_time must be a number of seconds, 0 or more, not -1",),
    ),
    "poll_interval": ({"poll_interval": float("nan")}, ("poll_interval", "nan")),
    "poll_interval negative": ({"poll_interval": -0.5}, ("poll_interval", "0 or more, not -0.5")),
    "retry_delay negative": ({"retry_delay": -1}, ("retry_delay", "0 or more, not -1")),
    "settle_delay negative": ({"settle_delay": -1}, ("settle_delay", "0 or more, not -1")),
    "max_attempts negative": ({"max_attempts": -3}, ("max_attempts", "from 1 to 100, not -3")),
    "retry_delay": ({"retry_delay": "1"}, ("retry_delay", "'1'")),
    "settle_delay": ({"settle_delay": float("inf")}, ("settle_delay", "inf")),
    "on_interrupt": ({"on_interrupt": "die"}, ("on_interrupt must be 'detach' or 'cancel', not 'die'",)),
    "on_interrupt list": ({"on_interrupt": ["detach"]}, ("on_interrupt must be 'detach' or 'cancel'",)),
    "run_id": ({"run_id": ""}, ("run_id must be a string",)),
    "model instance": (
        {"response_model": Echo(said="x", length=1)},
        ("response_model is an instance of Echo; give the class: response_model=Echo",),
    ),
    "model dict": (
        {"response_model": {"type": "object"}},
        ("response_model is a dict; give a pydantic model",),
    ),
    "BaseModel": ({"response_model": BaseModel}, ("response_model must be a class", "with fields")),
    "RootModel": ({"response_model": Root}, ("a RootModel's value goes into a field of a model",)),
    "int": ({"response_model": int}, ("response_model must be a class", "int")),
    "no schema": ({"response_model": Indescribable}, ("Indescribable cannot be described in JSON Schema",)),
    "results_dir number": ({"results_dir": 5}, ("results_dir must be the path of a directory, not 5",)),
    "results_dir NUL": ({"results_dir": "a\0b"}, ("results_dir 'a\\x00b' contains a NUL character",)),
    "state_path NUL": ({"state_path": "a\0.db"}, ("state_path 'a\\x00.db' contains a NUL character",)),
    "state_path half": (
        {"state_path": "a\ud800.db"},
        ("state_path", "contains '\\ud800', which is not UTF-8"),
    ),
    "prices NUL": ({"prices": "a\0.toml"}, ("prices file 'a\\x00.toml' cannot be read",)),
    "run_id line": ({"run_id": "a\nb"}, ("run_id must be at most 200 printable characters on one line",)),
    "run_id half": ({"run_id": "a\ud800"}, ("run_id must be at most 200 printable characters",)),
    "run_id long": ({"run_id": "x" * 201}, ("run_id must be at most 200 printable characters", "xxx…")),
    "citations text": ({"enable_citations": "no"}, ("enable_citations must be True or False, not 'no'",)),
    "a long value": ({"max_cost": "9" * 5000}, ("max_cost must be an amount in USD above 0", "999…")),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_what_cannot_be_sent_is_refused(runs: Runs, start: Callable[..., None], name: str) -> None:
    """Arguments and messages: the error names the place, says what is wrong and what would be right."""
    changed, words = BAD_INPUTS[name]
    extra = {"response_model": Echo, "model": "claude-haiku-4-5"} if name == "prefill" else {}
    with refused(runs, InvalidInputError, *words):
        start(**given(runs, **changed, **extra))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"items_per_job": 0}, "items_per_job must be a whole number from 1 to 100,000, not 0"),
        ({"items_per_job": 100_001}, "not 100001"),
        ({"items_per_job": True}, "not True"),
        ({"items_per_job": "50"}, "not '50'"),
        ({"max_parallel_jobs": 0}, "max_parallel_jobs must be a whole number from 1 to 10,000, not 0"),
        ({"max_parallel_jobs": None}, "not None"),
    ],
)
def test_what_only_a_manager_takes_is_checked_too(runs: Runs, changed: dict[str, Any], words: str) -> None:
    """How items become jobs."""
    with refused(runs, InvalidInputError, words):
        by_manager(**given(runs, **changed))


def _locked(path: Path) -> None:
    writer = PdfWriter()
    writer.add_blank_page(width=72, height=72)
    writer.encrypt(user_password="secret", algorithm="RC4-128")
    writer.write(path)


BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing.pdf": (lambda path: None, "does not exist; check the path"),
    "empty.pdf": (lambda path: path.touch(), "is empty (0 bytes); there is nothing to send"),
    "folder.pdf": (lambda path: path.mkdir(), "is a directory; list its files"),
    "pipe.pdf": (os.mkfifo, "is not a regular file"),
    "locked.pdf": (_locked, "is an encrypted PDF"),
    "cut.pdf": (lambda path: path.write_bytes(b"%PDF-1.7\n1 0 obj\n"), "is a damaged PDF"),
    "image.png": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n broken"), "image.png"),
    "page.pdf": (lambda path: path.write_text("no PDF at all"), "page.pdf"),
    "word.docx": (lambda path: path.write_bytes(b"PK\x03\x04 word"), "word.docx"),
    "latin.txt": (lambda path: path.write_bytes("caf\xe9".encode("latin-1")), "latin.txt"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_one_bad_file_is_named_before_anything_is_sent(
    runs: Runs, start: Callable[..., None], name: str
) -> None:
    """Among good files too: nothing is sent in part."""
    make, words = BAD_FILES[name]
    path = runs.log.parent / name
    make(path)
    with refused(runs, FileInputError, words, f"files[1] ('{path}')"):
        start(**given(runs, messages=..., files=[b"good", path], prompt="Read."))


def test_a_file_of_no_known_kind_is_named(runs: Runs, start: Callable[..., None]) -> None:
    """Objects that are no file, and files that are closed."""
    with refused(runs, InvalidInputError, "files[0] is an int; give a path, bytes or a file opened"):
        start(**given(runs, messages=..., files=[5], prompt="Read."))
    closed = io.BytesIO(b"x")
    closed.close()
    with refused(runs, FileInputError, "files[0] cannot be read", "open it for reading"):
        start(**given(runs, messages=..., files=[closed], prompt="Read."))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(runs: Runs, start: Callable[..., None]) -> None:
    """Permissions."""
    path = runs.log.parent / "mine.txt"
    path.write_text("mine")
    path.chmod(0)
    with refused(runs, FileInputError, "cannot be read by this user; change its permissions"):
        start(**given(runs, messages=..., files=[path], prompt="Read."))


def test_a_model_without_documents_is_named_with_its_successor(
    runs: Runs, start: Callable[..., None]
) -> None:
    """Files, documents in messages and citations need a model that takes them."""
    old = "claude-3-haiku-20240307"
    with (
        pytest.warns(RetiredModelWarning),
        refused(runs, UnsupportedModelError, f"{old} takes no files; use claude-haiku-5-5"),
    ):
        start(**given(runs, messages=..., files=[b"x"], prompt="Read.", model=old))
    with (
        pytest.warns(RetiredModelWarning),
        refused(runs, UnsupportedModelError, f"{old} gives no citations", "claude-haiku-5-5"),
    ):
        start(**given(runs, model=old, enable_citations=True))


@pytest.mark.parametrize(
    ("model", "category", "said"),
    [
        ("claude-opus-4-1", RetiredModelWarning, "retired on 2026-08-05: .*Use claude-opus-5-5 instead"),
        (
            "claude-sonet-5-5",
            UnknownModelWarning,
            "claude-sonet-5-5 is unknown and looks like claude-sonnet-5-5",
        ),
    ],
)
def test_a_retired_or_misspelt_model_is_refused_unless_it_is_allowed(
    runs: Runs, start: Callable[..., None], model: str, category: type[Warning], said: str
) -> None:
    """With what to use instead and the argument that sends it all the same; nothing is written or sent."""
    with (
        pytest.warns(category),
        pytest.raises(UnsupportedModelError, match=f"{said}; nothing was sent.*allow_"),
    ):
        start(**given(runs, model=model))
    assert not runs.log.exists()
    assert runs.creates() == 0
    with pytest.warns(category):
        start(**given(runs, model=model, allow_unknown_model=True))
    assert runs.creates() == 1
    with pytest.warns(category):  # begun is begun: the same script without the argument goes on
        start(**given(runs, model=model))
    assert runs.creates() == 1


def test_a_model_newer_than_the_table_is_sent_with_a_warning(runs: Runs, start: Callable[..., None]) -> None:
    """A later version of a known family, and a name that looks like no other, are no slips of the pen."""
    for model in ("claude-sonnet-6", "claude-nova-1"):
        with pytest.warns(UnknownModelWarning, match=f"{model} is not in Batchata's model table"):
            start(**given(runs, model=model, state_path=runs.log.with_name(f"{model}.db")))
    assert runs.creates() == 2


def test_whether_unknown_models_are_allowed_is_a_yes_or_a_no(runs: Runs, start: Callable[..., None]) -> None:
    """The name of a model is no answer to it."""
    with refused(runs, InvalidInputError, "allow_unknown_model must be True or False, not 'claude-x'"):
        start(**given(runs, allow_unknown_model="claude-x"))


@pytest.mark.parametrize("kind", ["messages", "files", "rows"])
def test_nothing_to_send_is_an_error(runs: Runs, kind: str, start: Callable[..., None]) -> None:
    """Empty lists, and generators that give nothing: a misspelt folder is not a finished run."""
    empty = {} if kind == "messages" else {"messages": ..., "prompt": "Read {text}."}
    for nothing in ([], (), iter(())):
        with pytest.raises(
            InvalidInputError, match=rf"{kind} is empty, so there is nothing to send; look at"
        ):
            start(**given(runs, **(empty | {kind: nothing})))
    assert not runs.log.exists()
    assert runs.sandbox.exchanges == []


def test_what_a_method_is_given_is_checked_before_anything_is_sent(runs: Runs) -> None:
    """A number in the first place is not a yes: `run(20)` would pay for all items instead of 20."""
    manager: Any = BatchManager(**given(runs))
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: manager.run(20), "print_progress must be True or False, not 20; .* such as run(limit=20)"),
        (lambda: manager.submit(20), "print_progress must be True or False, not 20"),
        (lambda: manager.retry_failed(8000), ".* not 8000; .* retry_failed(max_tokens=8000)"),
        (lambda: manager.run(True, "5"), "progress_interval must be a number of seconds, 0 or more, not '5'"),
        (lambda: manager.estimate(300), "exact must be True or False, not 300"),
        (lambda: manager.stats("no"), "print_stats must be True or False, not 'no'"),
        (lambda: manager.export("out", force="no"), "force must be True or False, not 'no'"),
        (lambda: manager.rows(0), "response_model must be a class"),
        (lambda: manager.to_pandas(False), "response_model must be a class"),
        (lambda: batchata.models([]), "there is no provider []"),  # type: ignore[arg-type]
    ]
    for call, words in wrong:
        with pytest.raises(InvalidInputError, match=re.sub(r"([()\[])", r"\\\1", words)):
            call()
    assert not runs.log.exists()
    assert runs.sandbox.exchanges == []
