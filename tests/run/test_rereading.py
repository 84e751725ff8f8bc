"""Stored answers are read again with another model, for free, also from a log alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pydantic
import pytest

import batchata.replay
from batchata import BatchManager
from batchata.errors import InvalidInputError
from batchata.sandbox import Sandbox
from batchata.views.response_models import load_response_model


class Strict(pydantic.BaseModel):
    name: str
    age: int


class Wide(pydantic.BaseModel):
    name: str
    age: int | str

    class Inner(pydantic.BaseModel):
        name: str


ANSWERS = ['{"name": "Ann", "age": 30}', '{"name": "Bob", "age": "about 40"}']


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(answers=lambda request: ANSWERS[int(request.text)]) as running:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", running.api_key)
        yield running


@pytest.fixture
def manager(sandbox: Sandbox, tmp_path: Path) -> BatchManager:
    """A finished run of two items, of which the second did not fit its model."""
    manager = BatchManager(
        messages=[[{"role": "user", "content": str(n)}] for n in range(2)],
        model="claude-haiku-4-5",
        response_model=Strict,
        state_path=tmp_path / "log.db",
        max_attempts=1,
        poll_interval=0.01,
    )
    assert manager.run()["failed_items"] == 1
    return manager


def test_what_failed_may_pass_with_another_model(manager: BatchManager, sandbox: Sandbox) -> None:
    """Nothing is sent and nothing is paid; without the other model all is as before."""
    calls = len(sandbox.exchanges)
    assert manager.results(response_model=Wide)[1]["result"] == Wide(name="Bob", age="about 40")
    assert [item.status for item in manager.items(Wide)] == ["completed", "completed"]
    assert manager.results()[1]["result"] is None
    assert len(sandbox.exchanges) == calls


def test_a_log_alone_is_enough(manager: BatchManager, tmp_path: Path) -> None:
    """Whoever has the file can read it with a model of their own; the manager's own view agrees."""
    with batchata.replay.open(tmp_path / "log.db") as log:
        assert list(log.results(Wide)) == list(manager.items(Wide))
        assert [item.error and item.error.kind for item in log.results(Strict)] == [None, "invalid_output"]


def test_a_model_is_found_by_its_name() -> None:
    """As `module:Class`, and inside other classes too."""
    assert load_response_model(f"{__name__}:Strict") is Strict
    assert load_response_model(f"{__name__}:Wide.Inner") is Wide.Inner


def test_a_model_in_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed command has its own folder on the path instead; a file here hides no installed module."""
    source = "from pydantic import BaseModel\nclass Found(BaseModel):\n    name: str\n"
    for name in ("shelf_of_this_folder.py", "json.py"):
        (tmp_path / name).write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.delitem(sys.modules, "json")
    assert load_response_model("shelf_of_this_folder:Found").__name__ == "Found"
    with pytest.raises(InvalidInputError, match="no attribute 'Found'"):
        load_response_model("json:Found")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Strict", "module:Class"),
        (":Strict", "module:Class"),
        ("no.such.module:Strict", "no module 'no'"),
        ("json:Strict", "no attribute 'Strict'"),
        (f"{__name__}:Strickt", "no attribute 'Strickt'; did you mean Strict\\?$"),
        (f"{__name__}:Other", "response models there are Strict, Wide"),
        ("json:dumps.x", "no attribute 'x'$"),
        ("json:dumps", "class derived from pydantic.BaseModel"),
    ],
)
def test_a_name_that_is_no_model_says_what_is_wrong(name: str, said: str) -> None:
    """One clear line instead of a traceback of imports."""
    with pytest.raises(InvalidInputError, match=said):
        load_response_model(name)
