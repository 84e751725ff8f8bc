"""What is sent for an item can be looked at: before, in the manager, and after, from the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from run_support import MODEL, Echo, Runs, echo

from batchata import BatchManager, InvalidInputError
from batchata.replay import cli
from batchata.sandbox import Request, Sandbox


def sent_for(log: Path, item: Any, *options: str, capsys: pytest.CaptureFixture[str]) -> tuple[Any, str]:
    """The request that `replay item --request` prints, and what it says beside it."""
    with pytest.raises(SystemExit) as ended:
        cli.app(["item", str(log), str(item), "--request", *options], prog_name="replay")
    printed = capsys.readouterr()
    assert ended.value.code == 0, printed.err
    return json.loads(printed.out), printed.err


@pytest.mark.parametrize("kind", ["files, cited", "files, native", "rows, cached"])
def test_what_was_sent_is_shown_before_and_after(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The preview and the request from the log are what the provider got, but for the custom id."""
    got: list[Any] = []

    def answer(request: Request) -> dict[str, Any]:
        got.append(request.params)
        return echo(request)

    (tmp_path / "a.md").write_text("Some text.")
    given: dict[str, Any] = {"files": [tmp_path / "a.md"], "prompt": "Read.", "system": "Be brief."}
    if kind.startswith("rows"):
        given = {"rows": [{"t": n} for n in range(40)], "prompt": "Read {t}", "system": "Be brief. " * 4_000}
    with Sandbox(answer) as sandbox:
        manager = BatchManager(
            **given,
            model=MODEL,
            response_model=Echo,
            enable_citations=kind.endswith("cited"),
            cache="auto" if kind.endswith("cached") else None,
            state_path=tmp_path / "run.db",
            poll_interval=0.01,
            api_key=sandbox.api_key,
            base_url=sandbox.url,
        )
        before = manager.preview(0)
        assert not (tmp_path / "run.db").exists()
        manager.run()
    shown, beside = sent_for(tmp_path / "run.db", 0, "--full", capsys=capsys)
    assert before["params"] == shown["params"]
    assert shown["params"] in got
    assert (before["custom_id"], beside) == ("preview-0", "")
    assert shown["custom_id"].endswith("-0")
    if kind.startswith("files"):
        (tmp_path / "a.md").unlink()
        without, beside = sent_for(tmp_path / "run.db", 0, capsys=capsys)
        assert without["params"]["system"] == shown["params"]["system"]
        assert "a.md" in beside
        assert "without its bytes" in beside


def test_the_note_of_a_second_attempt_is_in_its_request(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the model was told about its first answer was sent, and so it is shown."""
    got: list[Any] = []

    def answer(request: Request) -> Any:
        got.append(request.params)
        return "no JSON" if len(got) == 1 else echo(request)

    with Sandbox(answer) as sandbox:
        runs.manager(1, api_key=sandbox.api_key, base_url=sandbox.url).run()
    shown, _ = sent_for(runs.log, 0, capsys=capsys)
    assert shown["params"] == got[1] != got[0]


def test_what_is_not_sent_has_no_preview(runs: Runs, tmp_path: Path) -> None:
    """An item that is not there, or whose file cannot be used, is said to be such."""
    (tmp_path / "empty.pdf").touch()
    manager = runs.manager(messages=None, files=[tmp_path / "empty.pdf"], prompt="Read.", on_bad_file="fail")
    with pytest.raises(InvalidInputError, match=r"item 0 is not sent: .*empty"):
        manager.preview()
    with pytest.raises(InvalidInputError, match="there is no item 1: the run has 1 item, numbered from 0"):
        manager.preview(1)
    with pytest.raises(InvalidInputError, match="there is no item '0'"):
        manager.preview(cast("int", "0"))
