"""Which provider a model's name leads to, and what is said of those that there are not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import batchata
from batchata import BatchManager
from batchata.core.events import RunStarted
from batchata.errors import ConfigurationError, UnknownModelWarning, UnsupportedModelError
from batchata.log import read_log
from batchata.providers.registry import Access, dialect_for
from batchata.sandbox import Sandbox

TODAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("claude-sonnet-5-5", "anthropic", "claude-sonnet-5-5"),
        ("anthropic/claude-sonnet-5-5", "anthropic", "claude-sonnet-5-5"),
        ("anthropic-aws/claude-sonnet-5-5", "anthropic-aws", "claude-sonnet-5-5"),
        ("anthropic-google/claude-sonnet-5-5", "anthropic-google", "claude-sonnet-5-5"),
        ("gpt-5-nano", "openai", "gpt-5-nano"),
        ("openai/gpt-5-nano", "openai", "gpt-5-nano"),
        ("o3", "openai", "o3"),
        ("mistral-large-4", "mistral", "mistral-large-4"),
        ("xai/grok-4.3", "xai", "grok-4.3"),
        ("together/meta/llama-4", "together", "together/meta/llama-4"),
        ("gemini-4-argon", "gemini", "gemini-4-argon"),
        ("gemini/gemini-2.5-pro", "gemini", "gemini-2.5-pro"),
    ],
)
def test_a_name_leads_to_its_provider(name: str, provider: str, model: str) -> None:
    """The model itself is called alike in requests, whatever stands in front."""
    dialect = dialect_for(name)
    assert (dialect.name, dialect.model(name, TODAY).id) == (provider, model)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bedrock/claude-sonnet-5-5", "Amazon Bedrock runs batches from S3"),
        ("fireworks/llama-4", "Fireworks runs batches from datasets"),
        ("vllm/llama-4", "jsonl/MODEL with a folder"),
        ("anthropic-bedrock/claude-sonnet-5-5", "Amazon Bedrock runs batches from S3"),
        ("vertex/claude-sonnet-5-5", "Vertex AI runs batches from Cloud Storage"),
        ("foundry/claude-sonnet-5-5", "Microsoft Foundry has no batches"),
        ("opnai/gpt-5-nano", "did you mean openai?"),
        ("cohere/command-r", "any other service that speaks OpenAI's batch protocol is openai-compatible/"),
        ("anthropic/gpt-4o", "gpt-4o is a model of openai, not of anthropic: give 'gpt-4o' alone"),
        ("openai/claude-sonnet-5-5", "claude-sonnet-5-5 is a model of anthropic, not of openai"),
        ("gemini/grok-4.3", "grok-4.3 is a model of xai, not of gemini"),
        ("acme/gemini-4-argon", "names an unknown provider; known are anthropic"),
        ("gpt6-sol", "is not the name of a model; did you mean gpt-6-sol"),
        ("gemni-4-argon", "did you mean gemini-4-argon"),
        ("Mistral-Large-4", "did you mean mistral-large-4"),
        ("grok4.3", "did you mean grok-4.3"),
        ("sonnet", "is not a Claude model; did you mean claude-sonnet-5-5"),
        ("cluade-sonnet-5-5", "did you mean claude-sonnet-5-5"),
        ("llama-4", "nor like one; a model of another service .* such as groq/llama-4"),
    ],
)
def test_a_provider_that_there_is_not_is_refused_with_the_reason(name: str, said: str) -> None:
    """Before anything is written or sent, and with those that there are."""
    with pytest.raises(UnsupportedModelError, match=said):
        BatchManager(model=name, messages=[[{"role": "user", "content": "hi"}]])


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("gpt-6.1-tera", "gpt-6.1-terra"),
        ("openai/gpt-4o-minni", "gpt-4o-mini"),
        ("gemini-2.5-flsh", "gemini-2.5-flash"),
        ("mistral-lage-4", "mistral-large-4"),
    ],
)
def test_a_misspelt_model_is_doubted_with_the_nearest(name: str, near: str) -> None:
    """A new run with it is refused; one that is begun goes on with a warning."""
    with pytest.warns(UnknownModelWarning, match=f"Did you mean {near}"):
        doubt = dialect_for(name).model(name, TODAY).doubt
    assert doubt is not None
    assert doubt.endswith(f"and looks like {near}")


@pytest.mark.parametrize(
    "name", ["gpt-7-terra", "gpt-8", "o5", "gemini-5-argon", "mistral-large-5", "grok-9"]
)
def test_a_model_newer_than_the_price_table_is_not_doubted(name: str) -> None:
    """Its letters are those of a model that is known, or near none."""
    with pytest.warns(UnknownModelWarning):
        assert dialect_for(name).model(name, TODAY).doubt is None


@pytest.mark.filterwarnings("ignore:claude-sonnet-4-5:batchata.errors.BatchataWarning")
def test_the_models_that_are_known_can_be_listed() -> None:
    """As `model=` takes them, by provider or all; retired ones are not among them."""
    claude = batchata.models("anthropic")
    assert claude[0] == "claude-sonnet-5-5"
    assert "claude-opus-4-1" not in claude
    assert batchata.models("anthropic-aws")[0] == "anthropic-aws/claude-sonnet-5-5"
    assert batchata.models("groq") == []
    known = batchata.models()
    assert {*claude, "gpt-6.1-terra", "gemini-4-argon", "mistral-large-4"} <= {*known}
    assert all(dialect_for(name).model(name, TODAY).doubt is None for name in known)
    with pytest.raises(UnsupportedModelError, match="there is no provider 'acme'; there are anthropic, "):
        batchata.models("acme")


def test_a_run_on_aws_is_one_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client class of the platform, with its variables; the log says where the run went."""
    with Sandbox(lambda request: request.text) as sandbox:
        monkeypatch.setenv("ANTHROPIC_AWS_API_KEY", sandbox.api_key)
        monkeypatch.setenv("ANTHROPIC_AWS_BASE_URL", sandbox.url)
        monkeypatch.setenv("ANTHROPIC_AWS_WORKSPACE_ID", "wrkspc_sandbox")
        manager = BatchManager(
            model="anthropic-aws/claude-haiku-4-5",
            messages=[[{"role": "user", "content": "hello"}]],
            state_path=tmp_path / "run.db",
            poll_interval=0.01,
        )
        assert manager.run()["completed_items"] == 1
        assert manager.results()[0]["result"] == "hello"
        log = read_log(tmp_path / "run.db")
        (stream,) = log.streams()
        started = next(iter(log.events(stream))).event
        log.close()
    assert isinstance(started, RunStarted)
    assert (started.provider, started.base_url) == ("anthropic-aws", sandbox.url)


def test_what_a_cloud_lacks_is_said_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace on AWS, no key on Google Cloud: the error names what to set or to leave out."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="ANTHROPIC_AWS_WORKSPACE_ID"):
        Access("key", "http://127.0.0.1:9").client("anthropic-aws").check()
    with pytest.raises(ConfigurationError, match="takes no API key"):
        Access("key").client("anthropic-google").check()


@pytest.mark.parametrize(
    ("provider", "variable"),
    [
        ("anthropic", "ANTHROPIC_BASE_URL"),
        ("anthropic-aws", "ANTHROPIC_AWS_BASE_URL"),
        ("anthropic-google", "ANTHROPIC_GOOGLE_CLOUD_BASE_URL"),
        ("gemini", "GOOGLE_GEMINI_BASE_URL"),
        ("openai", "OPENAI_BASE_URL"),
        ("azure", "AZURE_OPENAI_BASE_URL"),
        ("mistral", "MISTRAL_BASE_URL"),
        ("xai", "XAI_BASE_URL"),
        ("together", "TOGETHER_BASE_URL"),
        ("openai-compatible", "OPENAI_COMPATIBLE_BASE_URL"),
        ("jsonl", None),
    ],
)
def test_a_run_that_moved_is_told_which_variable_moves_it_back(provider: str, variable: str | None) -> None:
    """Each provider's own; a folder is moved by the argument alone."""
    client = Access(None, "http://127.0.0.1:9").client(provider)
    assert client.address_variable == variable
