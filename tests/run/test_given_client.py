"""A client of the SDK that the user made is what calls go through; it stays open and is never written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from run_support import MODEL, Runs, conversations, echo

from batchata import BatchManager, batch
from batchata.errors import BatchataError, ConfigurationError, InvalidInputError
from batchata.sandbox import Faults, Sandbox

KEY = "sk-ant-of-another-workspace"


def given(runs: Runs, client: object, **more: Any) -> dict[str, Any]:
    shared = {"messages": conversations(3), "model": MODEL, "state_path": runs.log, "client": client}
    return {**shared, "poll_interval": 0.01, "retry_delay": 0.01, "settle_delay": 0.2, **more}


def client_of(sandbox: Sandbox, **more: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(**{"api_key": KEY, "base_url": sandbox.url, **more})


def watched(seen: list[httpx2.Request], **more: Any) -> httpx2.Client:
    """An HTTP client whose requests are seen."""
    return anthropic.DefaultHttpxClient(event_hooks={"request": [seen.append]}, **more)


def test_two_clients_are_two_workspaces_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key in the environment; each run goes where its client goes, with that client's headers."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    with Sandbox(echo) as first, Sandbox(echo) as second:
        for number, sandbox in enumerate((first, second)):
            runs = Runs(sandbox, tmp_path / str(number))
            runs.log.parent.mkdir()
            seen: list[httpx2.Request] = []
            client = client_of(sandbox, http_client=watched(seen), default_headers={"x-team": f"{number}"})
            manager = BatchManager(**given(runs, client))
            assert manager.run()["completed_items"] == 3
            assert not client.is_closed()
            assert {(each.headers["x-team"], each.headers["authorization"]) for each in seen} == {
                (f"{number}", f"Bearer {KEY}")
            }
            assert set(sandbox.billed().values()) == {1}
            assert KEY.encode() not in runs.log.read_bytes()


def test_calls_take_the_way_of_its_http_client(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hooks see every call, and no proxy of the environment comes in between."""
    seen: list[httpx2.Request] = []
    client = client_of(runs.sandbox, http_client=watched(seen, trust_env=False))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert batch(**given(runs, client)).run()["completed_items"] == 3
    assert [each.method for each in seen].count("POST") == 1
    assert len(seen) == len(runs.sandbox.exchanges)


def test_a_lost_answer_and_retries_of_the_client_make_no_second_batch(runs: Runs) -> None:
    """The SDK would repeat a create that may have worked; the run looks for the batch instead."""
    runs.sandbox.faults = Faults(lost_create_responses=1)
    client = client_of(runs.sandbox, max_retries=5)
    assert BatchManager(**given(runs, client)).run()["completed_items"] == 3
    assert (len(runs.sandbox.batches), set(runs.sandbox.billed().values())) == (1, {1})


def test_a_create_that_is_redirected_is_not_posted_again(runs: Runs) -> None:
    """Not by the client's HTTP client either, which would follow."""
    place = f"{runs.sandbox.url}/v1/messages/batches"
    runs.sandbox.faults = Faults(create_status=[307], headers={"location": place})
    with pytest.raises(BatchataError, match="which is not followed"):
        BatchManager(**given(runs, client_of(runs.sandbox))).run()
    assert runs.sandbox.batches == []


def test_a_run_is_opened_with_a_client(runs: Runs) -> None:
    """As it was submitted."""
    BatchManager(**given(runs, client_of(runs.sandbox))).submit()
    opened: BatchManager[Any] = BatchManager.open(runs.log, client=client_of(runs.sandbox))
    assert opened.collect()["completed_items"] == 3


@pytest.mark.parametrize(
    ("client", "more", "words"),
    [
        (
            lambda url: anthropic.AsyncAnthropic(api_key=KEY, base_url=url),
            {},
            "must be an anthropic.Anthropic",
        ),
        (lambda url: "sk-ant", {}, "must be an anthropic.Anthropic"),
        (lambda url: anthropic.AnthropicBedrock(aws_region="x", base_url=url), {}, "which has no batches"),
        (
            lambda url: anthropic.Anthropic(api_key=KEY, base_url=url),
            {"model": f"anthropic-aws/{MODEL}"},
            "give that platform's client, or name the model claude-",
        ),
        (
            lambda url: anthropic.Anthropic(api_key=KEY, base_url=url),
            {"model": "gpt-5.2"},
            "openai is called without its SDK",
        ),
        (lambda url: anthropic.Anthropic(api_key=KEY), {"api_key": KEY}, "client has api_key already"),
        (
            lambda url: anthropic.Anthropic(api_key=KEY),
            {"base_url": "http://x"},
            "client has base_url already",
        ),
    ],
    ids=["async", "text", "bedrock", "platform", "openai", "key", "address"],
)
def test_a_client_that_cannot_be_used_is_refused_at_once(
    runs: Runs, client: Any, more: dict[str, Any], words: str
) -> None:
    """Before anything is written, and without its key in the message."""
    with pytest.raises(InvalidInputError, match=words) as caught:
        BatchManager(**given(runs, client(runs.sandbox.url), **more))
    assert KEY not in str(caught.value)
    assert not runs.log.exists()


def test_a_client_is_not_sent_to_workers(runs: Runs) -> None:
    """What an executor's processes need is a key and an address."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(InvalidInputError, match="leave executor out"):
        BatchManager(**given(runs, client_of(runs.sandbox), executor=pool))


def test_a_client_with_a_blank_key_is_told_before_anything_is_written(runs: Runs) -> None:
    """The create call would say so only when the run had begun."""
    client = client_of(runs.sandbox, api_key=" ")
    with pytest.raises(ConfigurationError, match=r"Authorization .* a blank at its beginning or end"):
        BatchManager(**given(runs, client)).run()
    assert not runs.log.exists()


def test_a_closed_client_is_told_before_anything_is_sent(runs: Runs) -> None:
    """The run may be started again with one that is open."""
    client = client_of(runs.sandbox)
    client.close()
    with pytest.raises(ConfigurationError, match="client has been closed"):
        BatchManager(**given(runs, client)).run()
    assert runs.sandbox.exchanges == []
    assert BatchManager(**given(runs, client_of(runs.sandbox))).run()["completed_items"] == 3


def test_a_client_of_a_cloud_is_used_for_its_models(runs: Runs) -> None:
    """The same calls by its own class."""
    client = anthropic.AnthropicAWS(
        api_key=KEY, base_url=runs.sandbox.url, aws_region="eu-west-1", workspace_id="w"
    )
    manager = BatchManager(**given(runs, client, model=f"anthropic-aws/{MODEL}"))
    assert manager.run()["completed_items"] == 3
    assert isinstance(client._client, httpx2.Client)
