"""The switch to the real service: asked for, said, and only with a key."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchata.sandbox import Sandbox

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOWHERE = "http://127.0.0.1:9"  # if a test's guard should fail, nothing is sent anywhere


def _live_twice(runner: Any) -> dict[str, Any]:
    """--live against a sandbox that stands for the service, with the key in a .env."""
    (runner.folder / ".env").write_text("ANTHROPIC_API_KEY=of-the-env-file\n")
    with Sandbox() as service:
        env = {"ANTHROPIC_BASE_URL": service.url, "NO_PROXY": "127.0.0.1"}
        first = runner.run("raw_text_example.py", "--live", **env)
        sent = len(service.exchanges)
        second = runner.run("raw_text_example.py", "--live", **env)
        more = len(service.exchanges) - sent
    return {"url": service.url, "first": first, "second": second, "sent": sent, "more": more} | {
        "folder": runner.folder
    }


def _without_a_key(*arguments: str, **env: str) -> Callable[[Any], Any]:
    return lambda runner: runner.run(*arguments, ANTHROPIC_BASE_URL=NOWHERE, **env)


WITHOUT_A_KEY = {
    "an example with --live": _without_a_key("spam_detection.py", "--live"),
    "the demo with --live": _without_a_key("demo.py", "--live"),
    "an example with LIVE=1": _without_a_key("raw_text_example.py", LIVE="1"),
}
STORIES = {"live twice": _live_twice, **WITHOUT_A_KEY}


@pytest.mark.parametrize("start", WITHOUT_A_KEY)
def test_live_without_a_key_is_one_line_and_status_2(told: Callable[[str], Any], start: str) -> None:
    """--live and LIVE=1 never fall back to the sandbox: without a key they end at once."""
    ran = told(start)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err == "--live needs ANTHROPIC_API_KEY, in the environment or in a file .env\n"


def test_live_talks_to_the_service_with_the_key_of_the_env_file(told: Callable[[str], Any]) -> None:
    """The key may stand in a .env; where it goes and what it may cost is said first."""
    live = told("live twice")
    assert live["first"].code == 0, live["first"].err
    assert live["sent"] > 0
    assert live["first"].out.startswith(f"Live: {live['url']} answers")
    assert "costs money, at most $1.00 (max_cost)" in live["first"].out


def test_a_live_run_is_kept_and_not_paid_again(told: Callable[[str], Any]) -> None:
    """The log stays in out/<example>, and a second start shows the same results without a call."""
    live = told("live twice")
    assert (live["folder"] / "out" / "raw_text_example" / "summaries.db").is_file()
    assert live["second"].code == 0, live["second"].err
    assert live["second"].out == live["first"].out
    assert live["more"] == 0


SCRIPTS = sorted(path for path in EXAMPLES.glob("*.py") if "from _service import" in path.read_text())


@pytest.mark.parametrize("example", SCRIPTS, ids=lambda path: path.name)
def test_every_example_limits_its_cost_to_what_is_announced(example: Path) -> None:
    """The announcement says $1.00, so every run in an example has that max_cost."""
    source = example.read_text()
    runs = len(re.findall(r"\b(?:BatchManager|batch)\(\n", source))
    assert runs == source.count("max_cost=1.00,") == 1


def test_an_error_that_its_user_can_mend_is_one_line(runner: Any) -> None:
    """A log of another run in the live folder: the message says so, without a traceback."""
    folder = runner.folder / "out" / "raw_text_example"
    folder.mkdir(parents=True)
    (folder / "summaries.db").write_text("not a log")
    ran = runner.run("raw_text_example.py", "--live", ANTHROPIC_BASE_URL=NOWHERE, ANTHROPIC_API_KEY="key")
    assert ran.code == 1
    assert ran.err.startswith("NotALogError: ")
    assert "To start afresh: rm -r out/raw_text_example" in ran.err
    assert "Traceback" not in ran.err


def test_a_env_file_above_the_folder_is_nobodys(runner: Any) -> None:
    """Neither its key is taken nor the address that it sets: the environment's key goes where it says."""
    (runner.folder / ".env").write_text("ANTHROPIC_API_KEY=of-above\n")
    below = type(runner)(runner.folder / "below")
    below.folder.mkdir()
    ran = below.run("raw_text_example.py", "--live", ANTHROPIC_BASE_URL=NOWHERE)
    assert (ran.code, ran.err) == (
        2,
        "--live needs ANTHROPIC_API_KEY, in the environment or in a file .env\n",
    )
    with Sandbox() as thief, Sandbox() as service:
        (runner.folder / ".env").write_text(f"ANTHROPIC_BASE_URL={thief.url}\n")
        env = {"ANTHROPIC_BASE_URL": service.url, "NO_PROXY": "127.0.0.1", "ANTHROPIC_API_KEY": "key"}
        assert below.run("raw_text_example.py", "--live", **env).code == 0
        assert (thief.exchanges, service.exchanges != []) == ([], True)


@pytest.mark.parametrize(
    "name", ["ANTHROPIC_BASE_URL", "ANTHROPIC_CUSTOM_HEADERS", "HTTPS_PROXY", "all_proxy"]
)
def test_an_env_file_that_moves_the_address_is_refused(runner: Any, name: str) -> None:
    """It would take the environment's key elsewhere; what is meant is set in the environment."""
    (runner.folder / ".env").write_text(f"{name}=http://user:hush@127.0.0.1:9\n")
    ran = runner.run("demo.py", "--live", **{"ANTHROPIC_API_KEY": "key", name: ""})
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"--live: .env sets {name}, which moves where the key and the documents go")
    assert "hush" not in ran.err


def test_the_address_is_named_without_its_password(runner: Any) -> None:
    """Before anything is sent, and in the error too."""
    env = {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": "http://u:hush@127.0.0.1:9"}
    direct = dict.fromkeys(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"], "")
    ran = runner.run("raw_text_example.py", "--live", **env, **direct)
    assert ran.code == 1
    assert "http://127.0.0.1:9" in ran.out
    assert "hush" not in ran.out + ran.err
