"""What is Gemini's own: operations and their states, uploads in two calls, batches that leave nothing."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from provider_given import json_bodies
from pydantic import BaseModel

from batchata import BatchManager
from batchata.core.values import Counts
from batchata.errors import (
    AuthenticationFailedError,
    ConfigurationError,
    ProviderUnavailableError,
    SpendLimitError,
    UntriedProviderWarning,
)
from batchata.providers.exchange import Upload
from batchata.providers.gemini.client import GeminiClient
from batchata.providers.gemini.replies import answers_in, batch_of, lean
from batchata.providers.gemini.results import outcome_of
from batchata.sandbox import Answer, Faults, Sandbox

MODEL = "gemini-2.5-flash"


def line(n: int) -> bytes:
    """One line of an input file."""
    request = {"model": f"models/{MODEL}", "contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    return json.dumps({"key": f"r{n}", "request": request}, separators=(",", ":")).encode() + b"\n"


def operation(state: str, *, done: bool = False, error: Any = None, file: bool = False, **stats: str) -> Any:
    """The operation of a batch."""
    output = {"responsesFile": "files/batch-1"}
    about = {"state": f"BATCH_STATE_{state}", "createTime": "2026-08-19T14:34:12.267870162Z"}
    ended = {"done": done} | ({"error": error} if error else {}) | ({"response": output} if file else {})
    return {"name": "batches/1", "metadata": about | {"batchStats": stats}} | ended


@pytest.mark.parametrize(
    ("given", "ended", "counts"),
    [
        (operation("PENDING", requestCount="3", pendingRequestCount="3"), False, (3, 0, 0, 0, 0)),
        (operation("RUNNING", requestCount="3", successfulRequestCount="1"), False, (2, 1, 0, 0, 0)),
        (operation("SUCCEEDED", file=True, requestCount="3", failedRequestCount="3"), True, (0, 0, 3, 0, 0)),
        (operation("CANCELLED", requestCount="3", successfulRequestCount="1"), True, (0, 1, 0, 2, 0)),
        (operation("EXPIRED", file=True, requestCount="3"), True, (0, 0, 0, 0, 3)),
        # It counts answers, which may be billed.
        (operation("FAILED", done=True, requestCount="3", successfulRequestCount="1"), True, (2, 1, 0, 0, 0)),
        (operation("SOMETHING_NEW", requestCount="many"), False, (0, 0, 0, 0, 0)),
        (operation("SOMETHING_NEW", done=True, file=True), True, (0, 0, 0, 0, 0)),
    ],
)
def test_a_state_is_read_with_its_counts(given: Any, ended: bool, counts: tuple[int, ...]) -> None:
    """Numbers are strings, those that are 0 are left out, and done is done whatever the state is called."""
    batch = batch_of(given)
    assert (batch.ended, batch.failure) == (ended, None)
    names = ("processing", "succeeded", "errored", "canceled", "expired")
    assert batch.counts == Counts(**dict(zip(names, counts, strict=True)))
    assert batch.created_at == 1_787_150_052_267_870


@pytest.mark.parametrize(
    ("given", "kind", "passing"),
    [
        (operation("EXPIRED", done=True), "batch_expired", True),
        (operation("CANCELLED", done=True, requestCount="2"), "batch_cancelled", True),
        (operation("FAILED", done=True, error={"code": 8, "message": "quota"}), "queue_full", True),
        (operation("FAILED", done=True, error={"code": 13, "message": "oops"}), "api_error", True),
        (operation("FAILED", done=True, error={"code": 3, "message": "bad"}), "invalid_request_error", False),
    ],
)
def test_a_batch_that_leaves_nothing_says_whether_it_may_be_taken_later(
    given: Any, kind: str, passing: bool
) -> None:
    """Expired and cancelled ones, and a full queue; what is wrong with the file stays wrong."""
    failure = batch_of(given).failure
    assert failure is not None
    assert (failure.error.kind, failure.passing) == (kind, passing)


def test_recorded_operations_are_read(shared: Path) -> None:
    """Of both modes, whichever client asked; a batch has its name from the first answer on."""
    states = set()
    for path in (shared / "providers/gemini").glob("*.json"):
        said = json.loads(path.read_text(encoding="utf-8"))
        found = json_bodies(said)
        found += [said["batch"]] if "metadata" in said.get("batch", {}) else []
        for value in found:
            if str(value.get("name")).startswith("batches/"):
                batch = batch_of(value)
                states.add(value["metadata"]["state"])
                assert batch.size == int(value["metadata"]["batchStats"]["requestCount"])
                assert batch.ended == value.get("done", False)
    assert states == {"BATCH_STATE_PENDING", "BATCH_STATE_RUNNING", "BATCH_STATE_SUCCEEDED"}


class City(BaseModel):
    """What is asked for."""

    name: str
    population: int | None


@pytest.mark.parametrize("inline", [False, True])
def test_a_run_goes_through_by_the_model_s_name_alone(
    inline: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key and address by the variables of Google's SDK; typed results, exact costs, a warning.

    Inline a job is one call, which bears its name and its requests.
    """
    seen: list[Any] = []

    def reply(request: Any) -> dict[str, Any]:
        seen.append(request.params)
        return {"name": request.text, "population": None}

    with Sandbox(reply) as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        manager = BatchManager(
            model=f"gemini-inline/{MODEL}" if inline else MODEL,
            messages=[[{"role": "user", "content": name}] for name in ("Rome", "Oslo", "Bonn")],
            response_model=City,
            state_path=tmp_path / "run.db",
            max_cost=1,
            max_tokens=100,
            items_per_job=2,
            poll_interval=0.01,
            prices={MODEL: {"input": 2, "output": 10}},
        )
        with pytest.warns(UntriedProviderWarning, match="the live service of gemini"):
            summary = manager.run()
        used = sandbox.usage()
    assert [entry["result"] for entry in manager.results()] == [
        City(name=name, population=None) for name in ("Rome", "Oslo", "Bonn")
    ]
    assert summary["total_cost"] == Decimal(used["input_tokens"] + used["output_tokens"] * 5) / 1_000_000
    config = seen[0]["generationConfig"]
    assert config["responseSchema"]["properties"]["population"] == {
        "title": "Population",
        "type": "INTEGER",
        "nullable": True,
    }
    posts = [path for method, path, _ in sandbox.exchanges if method == "POST"]
    creates = [path for path in posts if path.endswith(":batchGenerateContent")]
    assert creates == [f"/v1beta/models/{MODEL}:batchGenerateContent"] * 2
    assert len(posts) == (2 if inline else 6)  # a file is begun and filled by a call each


def client(sandbox: Sandbox) -> GeminiClient:
    """The client at the sandbox."""
    return GeminiClient(api_key=sandbox.api_key, base_url=sandbox.url)


def test_an_expired_batch_is_sent_again_without_using_an_attempt(tmp_path: Path) -> None:
    """It has no results at all; nothing of it is billed, and its items are sent once more."""
    slow = iter([1000.0])
    with Sandbox(lambda request: request.text, delay=lambda _: next(slow, 0.0)) as sandbox:
        given: dict[str, Any] = {
            "model": MODEL,
            "messages": [[{"role": "user", "content": "hello"}]],
            "state_path": tmp_path / "run.db",
            "base_url": sandbox.url,
            "api_key": sandbox.api_key,
            "poll_interval": 0.01,
            "retry_delay": 0.01,
            "max_attempts": 1,
        }
        with pytest.warns(UntriedProviderWarning):
            BatchManager(**given).submit()
        sandbox.expire(sandbox.batches[0].id)
        manager = BatchManager(**given)
        assert manager.run()["completed_items"] == 1
        (item,) = manager.items()
        assert (item.result, item.attempts, sum(sandbox.billed().values())) == ("hello", 1, 1)


def test_the_key_goes_where_it_was_meant_to_go_alone() -> None:
    """Into a header, and to the base URL also where the service names another host for the upload."""
    with Sandbox("fine") as sandbox:
        there = client(sandbox)
        upload = there.stage("mark", line(0) + line(1))
        assert (upload.handle[:6], upload.mark, upload.model) == ("files/", "mark", MODEL)
        assert there.count_tokens(line(0)) > 0
    with pytest.raises(ConfigurationError, match="set the environment variable GEMINI_API_KEY"):
        GeminiClient().check()
    with pytest.raises(ConfigurationError, match="'/v1beta' is added to it"):
        GeminiClient(api_key="k", base_url="https://example.com/v1beta").check()


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (Faults(spend_limit=True), SpendLimitError),
        (Faults(upload_status=[403]), AuthenticationFailedError),
        (Faults(unfound_files=1), ProviderUnavailableError),
    ],
)
def test_an_error_says_whether_money_the_key_or_time_is_lacking(
    faults: Faults, error: type[Exception]
) -> None:
    """Without credit the status is a rate limit's; of a file that is not there yet, a key's."""
    with Sandbox("fine", faults=faults) as sandbox:
        there = client(sandbox)
        with pytest.raises(error):
            there.submit(there.stage("m", line(0)))


def test_a_batch_without_a_name_is_a_candidate_only_if_it_can_be_the_job_s() -> None:
    """Ours was given a name, which the list shows; others' that have none are judged by their size."""
    nameless = operation("RUNNING", requestCount="1") | {"name": "batches/nameless"}
    with Sandbox("fine", faults=Faults(entries=[nameless])) as sandbox:
        found = [list(client(sandbox).find(0, size, Upload("", "m"))) for size in (1, 2)]
    assert [[(batch.batch_id, batch.is_marked) for batch in each] for each in found] == [
        [("nameless", False)],
        [],
    ]


def test_recorded_answers_of_an_inline_batch_are_read(shared: Path) -> None:
    """They stand in its description; each becomes a line of its own, and the rest is read without them."""
    calls = json.loads((shared / "providers/gemini/ruby_llm__inline.json").read_text(encoding="utf-8"))
    body = str(calls["interactions"][-1]["raw_body"])
    lines = answers_in(body.replace('"custom_id"', '"key"').encode())
    found = [outcome_of(line) for line in lines]
    assert [(o.custom_id, o.kind, [b.text for b in o.blocks]) for o in found] == [
        ("0", "succeeded", ["4"]),
        ("1", "succeeded", ["Jupiter"]),
    ]
    assert not any(b"\n" in line for line in lines)
    described = lean(body.encode())
    assert described["metadata"]["output"] == {"inlinedResponses": True}
    assert (batch_of(described).ended, batch_of(described).size) == (True, 2)


def test_numbers_of_an_inline_answer_keep_their_digits() -> None:
    """As they were written, whatever a float would make of them."""
    answer = b'{"metadata": {"key": "k"}, "response": {"n": 1.50000000000000000000000001}}'
    held = b'{"inlinedResponses": {"inlinedResponses": [\n%b]}}' % answer
    for place in (b'{"response": %b}', b'{"metadata": {"output": %b}}'):
        assert answers_in(place % held) == [answer.replace(b" ", b"")]
    assert answers_in(b'{"response": {"responsesFile": "files/1"}}') == []


def test_the_list_is_read_where_others_batches_hold_their_answers() -> None:
    """More than any list should have: our batch is found among them, as it bears its name."""
    long = {"inlinedResponses": {"inlinedResponses": [{"response": {"text": "x" * 9_000_000}}] * 2}}
    other = operation("SUCCEEDED", done=True) | {"name": "batches/other", "response": long}
    other["metadata"]["displayName"] = "other"
    with Sandbox("fine", faults=Faults(entries=[other])) as sandbox:
        there = client(sandbox)
        made = there.submit(there.stage("m", line(0)))
        (found,) = there.find(0, 1, Upload("", "m"))
    assert (found.batch_id, found.is_marked) == (made.batch_id, True)


def test_an_answer_that_was_blocked_is_a_refusal() -> None:
    """With its own error and its cost, and not sent again."""
    with Sandbox(Answer("no", stop_reason="refusal")) as sandbox:
        manager = BatchManager(
            model="gemini/gemini-2.5-flash",
            messages=[[{"role": "user", "content": "hello"}]],
            base_url=sandbox.url,
            api_key=sandbox.api_key,
            poll_interval=0.01,
        )
        with pytest.warns(UntriedProviderWarning):
            assert manager.run()["failed_items"] == 1
    (item,) = manager.items()
    assert item.error is not None
    assert (item.error.kind, item.attempts) == ("refusal", 1)
    assert item.cost


def test_the_official_sdk_cannot_tell_the_sandbox() -> None:
    """Upload, create, get, list, download and a single answer, through its own types."""
    genai = pytest.importorskip("google.genai", reason="Google's SDK is not installed here")
    with Sandbox(lambda request: request.text.upper()) as sandbox:
        options = {"base_url": sandbox.url, "api_version": "v1beta"}
        sdk = genai.Client(api_key=sandbox.api_key, http_options=options)
        assert sdk.models.generate_content(model=MODEL, contents="hello").text == "HELLO"
        assert sdk.models.count_tokens(model=MODEL, contents="hello").total_tokens > 0
        config = {"display_name": "job", "mime_type": "jsonl"}
        file = sdk.files.upload(file=io.BytesIO(line(0) + line(1)), config=config)
        batch = sdk.batches.create(model=MODEL, src=file.name, config={"display_name": "job"})
        assert batch.display_name == "job"
        done = sdk.batches.get(name=batch.name)
        assert done.state.name == "JOB_STATE_SUCCEEDED"
        assert [listed.name for listed in sdk.batches.list(config={"page_size": 5})] == [batch.name]
        lines = sdk.files.download(file=done.dest.file_name).splitlines()
        assert sorted(json.loads(each)["key"] for each in lines) == ["r0", "r1"]
        asked = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}], "metadata": {"key": "r7"}}
        inline = sdk.batches.get(name=sdk.batches.create(model=MODEL, src=[asked]).name)
        (answer,) = inline.dest.inlined_responses
        assert (answer.response.text, answer.metadata) == ("HELLO", {"key": "r7"})
        with pytest.raises(genai.errors.ClientError):
            sdk.batches.get(name="batches/none")
