"""What is found out before anything is sent: key, address, and whether somebody listens there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from provider_given import closed_port

from batchata.errors import (
    ConfigurationError,
    ProviderUnavailableError,
)
from batchata.providers.registry import Access


def test_a_check_sends_nothing(serve: Any, connect: Any) -> None:
    """It finds out whether requests can be sent without sending one."""
    sandbox = serve("fine")
    connect(sandbox).check()
    assert sandbox.exchanges == []


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment in which the SDK finds no credentials of any kind."""
    for name in (
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_PROFILE",
        "ANTHROPIC_CUSTOM_HEADERS",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("ANTHROPIC_CONFIG_DIR", raising=False)
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))


def test_a_missing_key_is_a_clear_error(
    serve: Any, connect: Any, no_key: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sent, with the name of the variable to set."""
    sandbox = serve("fine")
    provider = connect(sandbox)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(ConfigurationError, match="ANTHROPIC_API_KEY"):
        provider.check()
    assert sandbox.exchanges == []


@pytest.mark.parametrize(
    "url", ["ftp://example.org", "example.org", "http://", "http://[::1", "http://a:port"]
)
def test_a_malformed_address_is_a_clear_error(connect: Any, url: str) -> None:
    """It names what is wrong in the environment, not an error of the HTTP library."""
    with pytest.raises(ConfigurationError):
        connect(url).check()


def test_nobody_at_the_address_is_a_clear_error(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address and the variable that holds it are named."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    url = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(ProviderUnavailableError, match=f"{url}.*ANTHROPIC_BASE_URL"):
        connect(url).check()


def test_a_proxy_does_not_hide_that_nobody_answers_where_it_is_not_used(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where NO_PROXY takes the address out, it is asked who listens there; else only the proxy can tell."""
    url = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    connect(url).check()
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    with pytest.raises(ProviderUnavailableError, match=f"{url}.*ANTHROPIC_BASE_URL"):
        connect(url).check()


PLACES = [
    ("openai", "OPENAI_PROJECT_ID"),
    ("openai", "OPENAI_ORG_ID"),
    ("anthropic-aws", "ANTHROPIC_AWS_WORKSPACE_ID"),
    ("anthropic-google", "ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID"),
]


@pytest.mark.parametrize(("name", "variable"), PLACES)
def test_a_key_is_told_apart_by_the_project_or_workspace_it_is_used_for(
    name: str, variable: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Each has batches of its own: a look into another one proves nothing of a lost batch."""
    monkeypatch.setenv("ANTHROPIC_AWS_WORKSPACE_ID", "one")
    if name == "anthropic-google":
        monkeypatch.setenv(
            "GOOGLE_APPLICATION_CREDENTIALS", str(request.getfixturevalue("google_credentials"))
        )
    key = None if name == "anthropic-google" else "a-key"
    found = []
    for value in ("one", "two", "one"):
        monkeypatch.setenv(variable, value)
        client = Access(key, "http://127.0.0.1:1").client(name)
        found.append(client.key)
        client.close()
    assert found[0] == found[2] != found[1]
    assert {str(each).startswith("?") for each in found} == {key is None}
