"""Keys and addresses that cannot work, and what may be said of those that do: nothing secret, anywhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_input_support import given, refused
from run_support import MODEL, Runs, conversations, echo
from typer.testing import CliRunner

from batchata import BatchManager, batch
from batchata.errors import BatchataError, ConfigurationError, InvalidInputError, RunMismatchError
from batchata.replay.cli import app
from batchata.replay.report.page import write_report
from batchata.sandbox import Faults, Sandbox

KEY = "sk-ant-api03-Qm7xT2vB9LkW4"
NO_HEADER = {
    "line break": (f"{KEY}\n", "ends in a line break"),
    "carriage return": (f"{KEY}\r\n", "ends in a line break"),
    "blank": ("   ", "is blank"),
    "only a line break": ("\n", "is blank"),
    "blank before": (f" {KEY}", "blanks or line breaks around it"),
    "blank behind": (f"{KEY}\t", "blanks or line breaks around it"),
    "two lines": (f"{KEY}\nsk-ant-other", "U+000A at position 27"),
    "double quotes": (f'"{KEY}"', "has quotes around it"),
    "single quotes": (f"'{KEY}'", "has quotes around it"),
    "printed quotes": (f"\u201c{KEY}\u201d", "has quotes around it"),
    "escape": (f"sk\x1b[0m{KEY}", "U+001B at position 3"),
    "zero width": (f"sk\u200b{KEY}", "U+200B at position 3"),
    "byte order mark": (f"\ufeff{KEY}", "U+FEFF at position 1"),
    "not latin-1": (f"sk\u0416{KEY}", "U+0416 at position 3, which is not ASCII"),
    "latin-1": (f"sk\u00e9{KEY}", "U+00E9 at position 3, which is not ASCII"),
    "bytes that are no text": (f"sk\udcff{KEY}", "U+DCFF at position 3"),
    "inner blank": (f"sk ant {KEY}", "holds a blank"),
    "scheme": (f"Bearer {KEY}", "begins with 'Bearer', which is added by itself"),
    "a whole file": (KEY * 1000, "is longer than any key"),
}


def secret_parts(value: str) -> list[str]:
    return [part for part in value.split() if len(part) > 8]


@pytest.mark.parametrize("variable", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
@pytest.mark.parametrize("kind", NO_HEADER)
def test_a_key_that_no_header_can_carry_is_refused_at_once(
    runs: Runs, start: Callable[..., None], monkeypatch: pytest.MonkeyPatch, variable: str, kind: str
) -> None:
    """Before anything is written or sent, with the variable and the fault, and without the key."""
    value, fault = NO_HEADER[kind]
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv(variable, value)
    with refused(runs, ConfigurationError, variable, fault, "nothing was sent") as caught:
        start(**given(runs))
    assert not any(part in str(caught.value) for part in secret_parts(value))


@pytest.mark.parametrize("kind", [*NO_HEADER, "empty"])
def test_the_argument_is_checked_like_the_variable(runs: Runs, start: Callable[..., None], kind: str) -> None:
    """It wins over the environment, so its faults count and not the good key there."""
    value, fault = NO_HEADER.get(kind, ("", "is blank"))
    with refused(runs, ConfigurationError, "api_key ", fault):
        start(**given(runs, api_key=value))


def test_an_empty_variable_is_no_key(
    runs: Runs, start: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the SDK; the message says that it is there, and blank."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    with refused(runs, ConfigurationError, "no Anthropic API key (ANTHROPIC_API_KEY is blank)"):
        start(**given(runs))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("anthropic-beta", "line 1 of ANTHROPIC_CUSTOM_HEADERS has no colon"),
        ("a: b\nBearer of a secret", "line 2 of ANTHROPIC_CUSTOM_HEADERS has no colon"),
        ("x y: b", "does not begin with a header's name"),
        (": b", "does not begin with a header's name"),
        ("x-team: a\x01b", "the header x-team of ANTHROPIC_CUSTOM_HEADERS holds U+0001 at position 2"),
        ("x-team: a\rb", "the header x-team of ANTHROPIC_CUSTOM_HEADERS holds U+000D"),
    ],
)
def test_headers_of_the_environment_that_cannot_be_sent_are_told(
    runs: Runs, start: Callable[..., None], monkeypatch: pytest.MonkeyPatch, lines: str, words: str
) -> None:
    """The line or the header is named; the SDK would leave the one out and fail for ever with the other."""
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", lines)
    with refused(runs, ConfigurationError, words):
        start(**given(runs))


def test_headers_of_the_environment_are_sent(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """With blank lines and blanks around, as the SDK takes them; a key may be among them."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "\n x-api-key :  key-of-headers \r\nx-team: Köln\n")
    assert runs.manager().run()["completed_items"] == 7


def test_a_header_that_would_replace_the_key_given_is_refused(
    runs: Runs, start: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workspaces must not be mistaken for each other without a word."""
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", f"X-Api-Key: {KEY}")
    with refused(runs, ConfigurationError, "x-api-key, which would be used instead of api_key"):
        start(**given(runs, api_key="another-key-of-mine"))


BAD_URLS = {
    "blank": ("", "is blank"),
    "blanks": ("  ", "is blank"),
    "line break": ("http://127.0.0.1:1\n", "with blanks, line breaks or control characters"),
    "quotes": ('"http://127.0.0.1:1"', "with quotes around it"),
    "no scheme": ("gateway.example.org/claude", "did you mean https://gateway.example.org/claude?"),
    "local, no scheme": ("localhost:8080", "did you mean http://localhost:8080?"),
    "address, no scheme": ("127.0.0.1:8080", "did you mean http://127.0.0.1:8080?"),
    "one slash": ("http:/127.0.0.1:1", "is not an http(s) URL"),
    "backslashes": ("http:\\\\127.0.0.1", "is not an http(s) URL"),
    "v1": ("http://127.0.0.1:1/v1", "give http://127.0.0.1:1"),
    "v1 and a slash": ("http://127.0.0.1:1/v1//", "give http://127.0.0.1:1"),
    "endpoint": ("http://127.0.0.1:1/team/v1/messages/batches", "give http://127.0.0.1:1/team"),
    "messages": ("http://127.0.0.1:1/v1/messages", "give http://127.0.0.1:1"),
    "query": ("http://127.0.0.1:1/x?token=hush-hush", "a base URL cannot have a query or fragment"),
    "fragment": ("http://127.0.0.1:1/#hush-hush", "a base URL cannot have a query or fragment"),
    "secret and port": ("http://user:hush-hush@127.0.0.1:99999", "is not an http(s) URL"),
    "secret with a slash": ("http://user:hush-hush/x@127.0.0.1:1", "is not an http(s) URL"),
    "secret with a hash": ("http://user:12#hush-hush@127.0.0.1:1", "fragment"),
    "secret, no scheme": ("user:hush-hush@127.0.0.1:1", "is not an http(s) URL"),
    "secret, v1": ("http://user:hush-hush@127.0.0.1:1/v1", "give http://127.0.0.1:1"),
}


@pytest.mark.parametrize("by_argument", [False, True], ids=["variable", "argument"])
@pytest.mark.parametrize("kind", BAD_URLS)
def test_a_base_url_that_cannot_work_is_told_with_its_cure(
    runs: Runs, start: Callable[..., None], monkeypatch: pytest.MonkeyPatch, kind: str, by_argument: bool
) -> None:
    """Before anything is written; the variable or argument is named, and no secret that stands in it."""
    url, words = BAD_URLS[kind]
    name = "base_url" if by_argument else "ANTHROPIC_BASE_URL"
    if not by_argument:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    with refused(runs, ConfigurationError, name, words) as caught:
        start(**given(runs, base_url=url if by_argument else None))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("end", ["", "/", "///"])
def test_slashes_at_the_end_of_a_base_url_change_nothing(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """The address is the same, also for the next start."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", runs.sandbox.url + end)
    assert runs.manager().run()["completed_items"] == 7
    monkeypatch.setenv("ANTHROPIC_BASE_URL", runs.sandbox.url)
    assert runs.manager(8).run()["completed_items"] == 8


def test_a_password_in_the_base_url_is_used_and_never_kept(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The call goes through; no file, command, page, message or record of any logger holds the password."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", runs.sandbox.url.replace("//", "//user:hush%2Dhush@"))
    runs.sandbox.faults = Faults(poll_status=[500], results_status=[503])
    manager = runs.manager(results_dir=runs.out)
    assert manager.run()["completed_items"] == 7
    write_report(str(runs.log), str(tmp_path / "report.html"), None, at=None)
    said = caplog.text + json.dumps(manager.stats(), default=str)
    for command in ("show", "events", "costs", "verify"):
        for option in ((), ("--json",)):
            said += CliRunner().invoke(app, [command, str(runs.log), *option]).output
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert runs.sandbox.url in said
    assert len(files) > 5
    for secret in ("hush-hush", "hush%2Dhush"):
        assert secret not in said
        assert not any(secret.encode() in path.read_bytes() for path in files)


def test_a_login_in_the_base_url_and_a_token_cannot_both_be_sent(
    runs: Runs, start: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both would be the Authorization header: said at once."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", KEY)
    with refused(runs, ConfigurationError, "take the place of ANTHROPIC_AUTH_TOKEN"):
        start(**given(runs, base_url="http://user:pass@127.0.0.1:1"))


def test_a_log_with_a_password_in_its_address_goes_on(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was written by older versions: the place is the same, and is named without the password."""
    from batchata.run.same_run import check_same_place

    runs.manager().run()
    old = _run_at(runs, runs.sandbox.url.replace("//", "//user:hush@"))
    check_same_place(old, "anthropic", runs.sandbox.url, "ANTHROPIC_BASE_URL")
    with pytest.raises(RunMismatchError) as caught:
        check_same_place(old, "anthropic", "http://127.0.0.1:2", "ANTHROPIC_BASE_URL")
    assert "hush" not in str(caught.value)
    with pytest.raises(RunMismatchError, match="set XAI_BASE_URL as it was"):
        check_same_place(old, "anthropic", "http://127.0.0.1:2", "XAI_BASE_URL")
    with pytest.raises(RunMismatchError, match="give base_url as it was"):
        check_same_place(old, "anthropic", "/elsewhere", None)


def _run_at(runs: Runs, base_url: str) -> Any:
    """The run of the log, as if it had been started there."""
    from msgspec.structs import replace

    from batchata.core.events import RunStarted
    from batchata.core.evolve import fold

    return fold(
        (r.version, r.at, replace(r.event, base_url=base_url) if isinstance(r.event, RunStarted) else r.event)
        for r in runs.events()
    )


def test_two_workspaces_work_in_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each manager calls its own address with its own key, whatever the environment says."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-the-environment")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    with Sandbox(answers=echo) as one, Sandbox(answers=echo) as other:
        managers = [
            Runs(sandbox, tmp_path / name).manager(api_key=KEY + name, base_url=sandbox.url)
            for sandbox, name in ((one, "a"), (other, "b"))
            if (tmp_path / name).mkdir() is None
        ]
        summaries = [manager.run() for manager in managers]
        assert [summary["completed_items"] for summary in summaries] == [7, 7]
        assert [len(one.batches), len(other.batches)] == [3, 3]
        job = batch(messages=conversations(1), model=MODEL, api_key=KEY, base_url=other.url)
        job.run()
        assert [len(one.batches), len(other.batches)] == [3, 4]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()
    for manager in managers:
        assert KEY not in repr(vars(manager._engine))


def test_a_run_goes_on_with_its_key_from_elsewhere(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same key by argument and by variable is the same key: their fingerprints are equal."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    runs.manager().run()
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    runs.manager(8, api_key=KEY).run()
    keys = [json.loads(json.dumps(r.event.key)) for r in runs.events() if r.event.TYPE.startswith("run_") and
            hasattr(r.event, "key")]  # fmt: skip
    assert len(keys) == 2
    assert keys[0] == keys[1] != KEY


@pytest.mark.parametrize("name", ["api_key", "base_url"])
def test_key_and_address_are_texts(runs: Runs, start: Callable[..., None], name: str) -> None:
    """Anything else is refused without being shown."""
    with refused(runs, InvalidInputError, f"{name} must be a string, or None, not a bytes"):
        start(**given(runs, **{name: b"hush"}))


@pytest.mark.parametrize(("status", "kind"), [(401, "authentication_error"), (403, "permission_error")])
def test_a_refused_key_is_named_by_where_it_stands(runs: Runs, status: int, kind: str) -> None:
    """With the address that refused it, in one error and without waiting; the key itself is not said."""
    runs.sandbox.faults = Faults(create_status=[status] * 9)
    with pytest.raises(BatchataError) as caught:
        runs.manager().run()
    assert f"HTTP {status} {kind}: the key in ANTHROPIC_API_KEY was refused by {runs.sandbox.url}" in str(
        caught.value
    )
    assert runs.sandbox.api_key not in str(caught.value)


def test_unknown_arguments_are_answered_with_our_own_first(runs: Runs) -> None:
    """Whoever mistypes one of ours finds it in the list; what belongs elsewhere is said to."""
    with pytest.raises(InvalidInputError, match=r"Batchata's own are .*api_key, base_url, .*Messages API"):
        BatchManager(**given(runs, xyzzy=1))
    with pytest.raises(InvalidInputError, match=r"client=anthropic\.Anthropic\(http_client="):
        BatchManager(**given(runs, http_client=object()))
