"""What every provider's client keeps, whatever its protocol: one create, proof, each line once, no guess."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from like_openai import OWN_WORDS

from batchata.answers.schema import Route
from batchata.errors import (
    IncompleteResultsError,
    ProviderUnavailableError,
    RateLimitedError,
    RequestRefusedError,
    SpendLimitError,
    UnknownSubmissionError,
)
from batchata.providers.exchange import Batch, Outcome, Upload
from batchata.providers.openai.services import SERVICES
from batchata.providers.port import Client
from batchata.providers.registry import Access, dialect_for
from batchata.providers.rest.batch_client import BatchClient
from batchata.sandbox import Faults, Sandbox
from batchata.sandbox.openai.flavors import FLAVORS

COUNT = 6
TODAY = date(2026, 11, 26)


@dataclass
class Door:
    """One provider's client at a sandbox of its own, and how a job is sent through it."""

    client: Client
    sandbox: Sandbox
    handles: dict[str, str] = field(default_factory=dict)  # of uploads, by their marks

    def body(self, count: int = COUNT) -> bytes:
        """The requests of a job, as the provider's protocol has them."""
        if self.client.name.startswith("anthropic"):
            params = {"model": "claude-haiku-4-5", "max_tokens": 100}
            asked = {**params, "messages": [{"role": "user", "content": "hello"}]}
            return json.dumps(
                {"requests": [{"custom_id": f"m-{n}", "params": asked} for n in range(count)]}
            ).encode()
        if self.client.name.startswith("gemini"):
            template = dialect_for(f"{self.client.name}/gemini-2.5-flash").model("gemini-2.5-flash", TODAY)
            made = template.template({"max_tokens": 100}, Route("text"), None, False)
            head, between, tail = made.envelope
            turns = [{"role": "user", "content": "hello"}]
            return head + between.join(made.encode(f"m-{n}", turns) for n in range(count)) + tail
        if self.client.name == "openai":
            wanted = {"model": "gpt-5-nano", "input": [{"role": "user", "content": "hello"}], "store": False}
            url = "/v1/responses"
        else:
            wanted = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}
            url = "/v1/chat/completions"
        is_bare = self.client.name in SERVICES and SERVICES[self.client.name].bare_lines
        where = {} if is_bare else {"method": "POST", "url": url}
        lines = [{"custom_id": f"m-{n}", **where, "body": wanted} for n in range(count)]
        return joined(lines)

    def send(self, mark: str = "m", count: int = COUNT) -> Batch:
        """Upload where that comes first, and create."""
        body = self.body(count)
        if not self.client.stages:
            return self.client.submit(body)
        upload = self.client.stage(mark, body)
        self.handles[mark] = upload.handle
        return self.client.submit(upload)

    def send_marked(self, mark: str) -> Batch:
        """The same with a mark as runs have them, which inline stands in the custom ids alone."""
        if self.client.stages:
            return self.send(mark)
        return self.client.submit(self.body().replace(b'"m-', f'"{mark}-'.encode()))

    def described(self, batch: Batch) -> Any:
        """What the service itself says of a batch."""
        assert isinstance(self.client, BatchClient)
        return self.client._rest.ask_for(self.client._path(batch.batch_id), "looking")

    def found(self, mark: str = "m") -> list[Batch]:
        """The batches that may be the job's, by its mark and its file where there are any."""
        handle = (
            "" if _shows_mark(self.client.name) else self.handles.get(mark, "")
        )  # else the mark is enough
        return list(self.client.find(0, COUNT, Upload(handle, mark)))

    def results(self, batch: Batch) -> list[Outcome]:
        """All outcomes, in the order that they come in."""
        return [outcome for chunk in self.client.outcomes(batch.batch_id) for outcome in chunk]

    def now(self, batch: Batch) -> Batch:
        """The batch as it is described now."""
        return self.client.poll([batch.batch_id], 0)[batch.batch_id]


def joined(lines: list[dict[str, Any]]) -> bytes:
    """A file of lines."""
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)


def _shows_mark(provider: str) -> bool:
    """Whether a batch of the provider bears the mark of its job."""
    service = SERVICES.get(provider)
    return service is None or "the mark" in str(service.wire.wanted(Upload("", "the mark"), ""))


CLOUDS = ["anthropic-aws", "anthropic-google"]
DOORS = ["anthropic", *CLOUDS, "openai", "openai-compatible", *OWN_WORDS, "gemini", "gemini-inline"]


@pytest.fixture(params=DOORS)
def door(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> Iterator[Callable[..., Door]]:
    """Opens doors to one provider; sandboxes and clients end with the test."""
    opened: list[Door] = []
    record_property("door", request.param)
    by_key = request.param != "anthropic-google"
    monkeypatch.setenv("ANTHROPIC_AWS_WORKSPACE_ID", "wrkspc_sandbox")
    if not by_key:
        monkeypatch.setenv(
            "GOOGLE_APPLICATION_CREDENTIALS", str(request.getfixturevalue("google_credentials"))
        )

    def open_(**given: Any) -> Door:
        sandbox = Sandbox("fine", **given).start()
        places = {name: f"/{name}/v1" for name in FLAVORS} | {"openai": "/v1"}
        base_url = sandbox.url + places.get(request.param, "")
        client = Access(sandbox.api_key if by_key else None, base_url).client(request.param)
        opened.append(Door(client, sandbox))
        return opened[-1]

    yield open_
    for each in opened:
        each.client.close()
        each.sandbox.stop()


def named(outcome: Outcome) -> str:
    """What the line that was received calls its request."""
    line = json.loads(outcome.line)
    line |= line.get("metadata", {})  # where it stands inline
    return str(next(line[key] for key in ("custom_id", "key", "batch_request_id") if key in line))


def creates(door: Door) -> int:
    """How many create calls arrived."""
    like_openai = (f"/v1/{service.wire.batches}" for service in SERVICES.values())
    paths = ("/v1/messages/batches", *like_openai, ":batchGenerateContent")
    return sum(method == "POST" and path.endswith(paths) for method, path, _ in door.sandbox.exchanges)


def test_each_request_comes_back_once_under_its_own_name(door: Callable[..., Door]) -> None:
    """In whatever order, with the line as it was received."""
    there = door()
    batch = there.send()
    found = there.results(batch)
    assert sorted(outcome.custom_id for outcome in found) == [f"m-{n}" for n in range(COUNT)]
    assert {outcome.kind for outcome in found} == {"succeeded"}
    assert all(named(outcome) == outcome.custom_id for outcome in found)
    assert all(outcome.usage is not None and outcome.usage.output_tokens for outcome in found)
    assert (creates(there), there.now(batch).ended) == (1, True)


def test_a_look_at_the_newest_batches_shows_whose_they_are(door: Callable[..., Door]) -> None:
    """By one call for the list; where that would not show it, or be dear, nothing is said of any batch."""
    there = door()
    first, second = there.send_marked("0123456789ab-0-00aa00"), there.send_marked("0123456789ab-1-00bb00")
    there.now(first), there.now(second)  # they end when they are looked at
    before = len(there.sandbox.exchanges)
    signs = dict(there.client.signs(0, {first.batch_id}))
    lists = [path for _, path, _ in there.sandbox.exchanges[before:] if not path.endswith("results")]
    if there.client.name in ("gemini-inline", "together"):
        assert (signs, lists) == ({}, [])
        return
    assert (signs.keys(), len(lists)) == ({second.batch_id}, 1)
    assert signs[second.batch_id].startswith("0123456789ab-1-00bb00")
    later = dict(there.client.signs(10**18, ()))
    assert len(later) == (2 if there.client.name == "xai" else 0)  # whose batches show a date alone


@pytest.mark.parametrize(
    "faults",
    [
        Faults(lost_create_responses=1),
        Faults(create_status_after=[500]),
        Faults(create_status_after=[408]),
        Faults(created_as=[b"<html>"]),
    ],
    ids=["lost", "500", "408", "html"],
)
def test_a_create_without_an_answer_is_unknown_made_once_and_found(
    door: Callable[..., Door], faults: Faults
) -> None:
    """Exactly one call; where batches bear a mark, the list proves whose the batch is at once."""
    there = door(faults=faults, delay=1000.0)
    with pytest.raises(UnknownSubmissionError):
        there.send()
    assert creates(there) == len(there.sandbox.batches) == 1
    (candidate,) = there.found()
    assert candidate.batch_id == there.sandbox.batches[0].id
    bears_marks = not there.client.name.startswith("anthropic")
    assert candidate.is_marked == bears_marks
    if bears_marks:
        assert there.found("another") == []


def test_services_that_speak_openai_s_own_words_are_sent_and_settled_alike() -> None:
    """Each by its name, to one sandbox: a lost create is found by its mark, and every request comes back."""
    with Sandbox("fine") as sandbox:
        for name in ("groq", "azure", "deepinfra", "doubleword"):
            sandbox.faults = Faults(lost_create_responses=1)
            there = Door(Access(sandbox.api_key, f"{sandbox.url}/v1").client(name), sandbox)
            with pytest.raises(UnknownSubmissionError):
                there.send(name)
            (found,) = there.found(name)
            assert found.is_marked
            assert len(there.results(found)) == COUNT
            there.client.close()


MARKS = ("0123456789ab-0-abcdef", "0123456789ab-1-abcdef")


def test_an_answer_with_another_jobs_mark_is_not_believed(door: Callable[..., Door]) -> None:
    """A cache or a gateway repeats an earlier answer: the batch is looked for, the upload is made again."""
    there = door(delay=1000.0)
    if there.client.name.startswith(("anthropic", "together")):
        pytest.skip("these batches bear no mark: their results tell")
    first = there.send_marked(MARKS[0])
    there.sandbox.faults = Faults(created_as=[there.described(first)])
    with pytest.raises(UnknownSubmissionError, match=f"{first.batch_id}, which bears the mark of another"):
        there.send_marked(MARKS[1])
    assert creates(there) == len(there.sandbox.batches) == 2
    (found,) = there.found(MARKS[1])
    assert found.batch_id == there.sandbox.batches[-1].id
    if there.client.stages:
        names = {"filename": f"{MARKS[0]}.jsonl", "displayName": MARKS[0], "name": "files/one"}
        there.sandbox.faults = Faults(uploaded_as=[{"id": "file-one", "file": names, **names}])
        with pytest.raises(ProviderUnavailableError, match="names no file of it"):
            there.client.stage(MARKS[1], there.body())


def test_an_upload_that_is_lost_is_no_batch(door: Callable[..., Door]) -> None:
    """It may be repeated, and nothing is to be looked for."""
    there = door(faults=Faults(lost_uploads=1))
    if not there.client.stages:
        pytest.skip("this provider takes no file first")
    with pytest.raises(ProviderUnavailableError):
        there.send()
    assert (creates(there), there.found()) == (0, [])
    assert len(there.results(there.send())) == COUNT


def test_a_file_that_is_not_visible_yet_is_tried_again(door: Callable[..., Door]) -> None:
    """The refusal names the file: certainly no batch, and later there may be one."""
    there = door(faults=Faults(unfound_files=1))
    if not there.client.stages:
        pytest.skip("this provider takes no file first")
    with pytest.raises(ProviderUnavailableError, match=r"Cannot find file|access the File"):
        there.send()
    assert there.sandbox.batches == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, RequestRefusedError),
        (429, RateLimitedError),
        (402, SpendLimitError),
        (500, UnknownSubmissionError),
    ],
)
def test_a_refused_create_says_what_it_means(
    door: Callable[..., Door], status: int, expected: type[Exception]
) -> None:
    """No batch, unless the status leaves that open; asked once in any case."""
    there = door(faults=Faults(create_status=[status]))
    with pytest.raises(expected):
        there.send()
    assert (creates(there), there.sandbox.batches) == (1, [])


@pytest.mark.parametrize("how", ["expired", "canceled"])
def test_what_was_done_before_the_end_is_kept(door: Callable[..., Door], how: str) -> None:
    """A batch that ended early has the answers that it came to, and names the others."""
    there = door(delay=1000.0, faults=Faults(processed=0.5, validation=0.0))
    batch = there.send()
    if there.client.name in ("gemini", "gemini-inline", "xai") and how == "expired":
        pytest.skip("there an expired batch has no results, or none expires")
    if how == "expired":
        there.sandbox.expire(batch.batch_id)
    else:
        there.client.cancel(batch.batch_id)
    ended = there.now(batch)
    found = there.results(ended)
    kinds = sorted(outcome.kind for outcome in found)
    assert kinds == sorted([how] * 3 + ["succeeded"] * 3)
    counted = (3, 3) if ended.size else (0, 0)  # not every service counts
    assert (ended.ended, ended.counts.succeeded, getattr(ended.counts, how)) == (True, *counted)
    assert sum(there.sandbox.billed().values()) == 3


@pytest.mark.parametrize("status", [400, 409])
def test_a_batch_that_has_ended_already_needs_no_cancel(door: Callable[..., Door], status: int) -> None:
    """Services refuse that in two ways; where it may be a passing conflict, the batch is looked at."""
    there = door()
    over = there.send()
    assert there.now(over).ended
    is_told_apart = status == 400 or isinstance(there.client, BatchClient)  # Claude says 400
    there.sandbox.faults = Faults(cancel_status=[status])
    with nullcontext() if is_told_apart else pytest.raises(ProviderUnavailableError):
        there.client.cancel(over.batch_id)
    assert there.sandbox.faults.cancel_status == []
    there.client.cancel(over.batch_id)


def test_a_conflict_while_a_batch_runs_is_no_cancel(door: Callable[..., Door]) -> None:
    """It is asked again: taken for cancelled, the batch would run on, and be paid for."""
    there = door(delay=1000.0, faults=Faults(cancel_status=[409], validation=0.0))
    running = there.send()
    with pytest.raises(ProviderUnavailableError):
        there.client.cancel(running.batch_id)
    there.client.cancel(running.batch_id)
    assert there.now(running).ended or there.client.name == "gemini"


def test_lines_are_told_by_their_names_alone(door: Callable[..., Door]) -> None:
    """What is missing, repeated or foreign is handed over as it is: order and number prove nothing."""
    there = door(faults=Faults(missing={0}, duplicated={1}, foreign=1, errored={2}))
    found = [outcome.custom_id for outcome in there.results(there.send())]
    assert sorted(found) == ["m-1", "m-1", "m-2", "m-3", "m-4", "m-5", "sandbox-foreign-0"]


def test_a_download_that_breaks_off_may_be_repeated(door: Callable[..., Door]) -> None:
    """The error says that there was more; the next download has all of it."""
    there = door(faults=Faults(drop_results_after=[2]))
    batch = there.send()
    with pytest.raises((ProviderUnavailableError, IncompleteResultsError)):
        there.results(batch)
    assert len(there.results(batch)) == COUNT


def test_a_line_cut_in_its_middle_is_no_result(door: Callable[..., Door]) -> None:
    """What came before it is handed over."""
    there = door(faults=Faults(cut_last_line=1))
    batch = there.send()
    with pytest.raises(IncompleteResultsError):
        there.results(batch)


def test_many_batches_are_asked_for_by_a_page(door: Callable[..., Door]) -> None:
    """And an id that is not known is left out, whatever else is asked for."""
    there = door()
    batches = [there.send(f"job-{n}") for n in range(4)]
    before = len(there.sandbox.exchanges)
    known = there.client.poll([batch.batch_id for batch in batches], 0)
    assert known.keys() == {batch.batch_id for batch in batches}
    assert len(there.sandbox.exchanges) == before + 1
    assert there.client.poll([f"{batches[0].batch_id}x"], 0) == {}
