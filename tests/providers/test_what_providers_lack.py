"""What a provider lacks is said before anything is sent, with what to give instead or who has it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from like_openai import model_of

from batchata import BatchManager
from batchata.errors import BatchataError, ConfigurationError, InvalidInputError
from batchata.providers.openai.services import SERVICES
from batchata.providers.registry import dialect_for
from batchata.sandbox import Sandbox

PDF = Path(__file__).resolve().parents[2] / "examples/documents/invoice-brightwater.pdf"
GPT, GEMINI = "gpt-6-sol", "gemini-4-argon"
ASKED: dict[str, Any] = {"messages": [[{"role": "user", "content": "hi"}]]}
HOSTED = [name for name, service in SERVICES.items() if service.needs_key and service.base_url]


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the keys and addresses of this machine."""
    for service in SERVICES.values():
        for name in (service.key, service.address):
            monkeypatch.delenv(name or "BATCHATA_NONE", raising=False)
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def part(**block: Any) -> dict[str, Any]:
    """A message that holds one block."""
    return {"messages": [[{"role": "user", "content": [block]}]]}


@pytest.mark.parametrize("service", [name for name, service in SERVICES.items() if service.models])
def test_a_name_of_another_maker_is_answered_with_one_that_fits(service: str) -> None:
    """The name that is given as an example is one that the service takes."""
    example = SERVICES[service].one_of_them
    with pytest.raises(BatchataError, match=f"is not a model of .*, such as {example}$"):
        dialect_for(f"{service}/argon").model(f"{service}/argon", datetime.now(UTC).date())
    assert example is not None
    assert dialect_for(example).name == service


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
@pytest.mark.parametrize("service", [*HOSTED, "gemini"])
def test_a_provider_without_its_key_names_the_variable(service: str) -> None:
    """Each its own, and none takes another's."""
    model = GEMINI if service == "gemini" else model_of(service)
    variable = "GEMINI_API_KEY" if service == "gemini" else SERVICES[service].key
    with pytest.raises(ConfigurationError, match=f"API key: set the environment variable {variable}"):
        BatchManager(model=model, **ASKED).run()


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"model": "azure/mine"},
            r"set AZURE_OPENAI_BASE_URL, such as https://NAME\.openai\.azure\.com/openai/v1",
        ),
        (
            {"model": "openai-compatible/x"},
            "give base_url, or set OPENAI_COMPATIBLE_BASE_URL, such as http://local",
        ),
        ({"model": "openai-compatible/x", "base_url": " "}, "base_url is blank"),
        (
            {"model": "openai-compatible/x", "base_url": "localhost:8000"},
            "did you mean http://localhost:8000",
        ),
        ({"model": "jsonl/x"}, "works with a folder: give its path as base_url"),
        (
            {"model": GPT, "enable_citations": True},
            "give one, leave enable_citations out, or use a model with citations",
        ),
        ({"model": GEMINI, "enable_citations": True}, "or use a model with citations"),
        (
            {"model": GPT, "thinking": {"type": "adaptive"}},
            r"give reasoning=\{'effort': 'low'\}; known are endpoint",
        ),
        (
            {"model": GEMINI, "thinking": {"type": "adaptive"}},
            r"give thinking_config=\{'thinkingBudget': 1000\}",
        ),
        (
            {"model": GPT, "stop_sequences": ["x"]},
            "stop_sequences cannot be given for gpt-6-sol: Claude and Gemini",
        ),
        ({"model": GPT, "inference_geo": "us"}, "only Claude has it"),
        ({"model": GPT, "cache_control": {"type": "ephemeral"}}, "the service caches by itself"),
        ({"model": GPT, "logit_bias": {}}, "logit_bias cannot be given for gpt-6-sol; known are endpoint"),
        (
            {"model": GPT, "max_cots": 1},
            r"max_cots cannot be given for gpt-6-sol; did you mean max_cost\?$",
        ),
        ({"model": GEMINI, "item_per_job": 1}, r"did you mean items_per_job\?$"),
        ({"model": GPT, "system": ["a"]}, r"system \(instructions\) must be a text"),
        ({"model": GPT, "system": "a", "instructions": "b"}, "instructions is given twice: "),
        ({"model": GEMINI, "metadata": {}}, "Claude and OpenAI have it"),
        ({"model": GEMINI, "inline": True}, "name the model gemini-inline/MODEL"),
        ({"model": GPT, "inline": True}, "Gemini has it, as gemini-inline/MODEL"),
        (
            {"model": "mistral-large-4", "endpoint": "/v1/responses"},
            "batches of Mistral are for '/v1/chat/completions'",
        ),
        ({"model": GPT} | part(type="search_result"), "search results and tool blocks are Claude's alone"),
        (
            {"model": GEMINI} | part(type="image_url", image_url={"url": "https://a/b.png"}),
            "its data in base64",
        ),
    ],
)
def test_what_it_lacks_is_said_with_what_to_give(given: dict[str, Any], said: str) -> None:
    """The name of the thing there, or of the providers that have it; never only that it is wrong."""
    with pytest.raises(BatchataError, match=said):
        BatchManager(**(ASKED | given)).run()


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
@pytest.mark.parametrize("model", ["mistral-large-4", "grok-4.3"])
def test_a_document_goes_to_those_who_take_it(model: str) -> None:
    """They are named."""
    with pytest.raises(InvalidInputError, match=re.escape("Claude, GPT and Gemini do, or give its text")):
        BatchManager(files=[PDF], prompt="Read.", model=model).run()


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
@pytest.mark.parametrize("model", [GPT, GEMINI])
def test_what_stands_before_a_conversation_has_one_name_for_all(model: str) -> None:
    """`system` or `instructions`: the same script goes to each provider."""
    found = dialect_for(model).model(model, datetime(2026, 11, 26, tzinfo=UTC).date())
    assert found.check_params({"system": "Be brief."}) == found.check_params({"instructions": "Be brief."})


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
@pytest.mark.parametrize(
    ("model", "given"),
    [("mistral-large-4", {}), ("grok-4.3", {}), (GPT, {"endpoint": "/v1/chat/completions"})],
)
def test_tokens_that_no_call_counts_are_not_said_to_be_counted(model: str, given: dict[str, Any]) -> None:
    """Only the Responses API has such a call; without `exact` they are estimated as everywhere."""
    with Sandbox() as sandbox:
        made = BatchManager(model=model, api_key="k", base_url=f"{sandbox.url}/v1", **ASKED, **given)
        with pytest.raises(BatchataError, match="no call that counts the tokens of chat completions"):
            made.estimate(exact=True)
    assert made.estimate().input_tokens > 0
