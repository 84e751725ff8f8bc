"""Rules of `item`: one item's whole life, and where each value of its result comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from report_support import DOCUMENTS, citing
from typer.testing import Result

from batchata.core import events as e
from batchata.core import values
from batchata.core.events import RunStarted
from batchata.sandbox import Sandbox

type Replay = Callable[..., Result]
type Write = Callable[..., Path]


class Invoice(BaseModel):
    vendor: str
    invoice_number: str
    total: float


class Total(BaseModel):
    total: str | float


ERROR = values.RequestError(kind="no_answer", message="none came")


def sending(job: int, item: int) -> e.SubmissionStarted:
    return e.SubmissionStarted(
        job=job, items=[(item, item)], request_count=1, bytes=1, custom_ids=f"t-{job}-{{index}}", reserved="1"
    )


def settled(batch_id: str | None) -> e.SubmissionSettled:
    return e.SubmissionSettled(
        job=0,
        verdict="absent" if batch_id is None else "adopted",
        batch_id=batch_id,
        created_at=None,
        expires_at=None,
        looked_at=0,
        evidence="seen",
    )


@pytest.fixture(scope="module")
def cited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two invoices, read into a model with citations."""
    path = tmp_path_factory.mktemp("cited") / "run.db"
    files = [DOCUMENTS / "invoice-brightwater.pdf", DOCUMENTS / "invoice-harbor-lane.pdf"]
    with Sandbox() as served:
        citing(served, path, files, Invoice).run()
    return path


def life(replay: Replay, path: Path, index: int, *options: object) -> dict[str, Any]:
    """What `item --json` says."""
    result = replay("item", path, index, "--json", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_every_cited_part_of_the_answer_is_marked(cited: Path, replay: Replay) -> None:
    """In JSON by characters, in text by angle quotes; each value names its citations, each its page."""
    said = life(replay, cited, 0)
    assert said["result"]["total"] == 857.0
    answer = said["answer"]
    spans = {answer["text"][m["start"] : m["end"]]: m["citations"] for m in answer["cited"]}
    (number,) = next(numbers for text, numbers in spans.items() if "857" in text)
    assert answer["citations"][number] | {"supports": True} == said["citations"]["total"][0]
    assert answer["citations"][number]["start_page_number"] == 2
    text = replay("item", cited, 0).stdout
    marked = next(line for line in text.splitlines() if line.startswith("answer"))
    assert f"«857.0»[{number + 1}]" in marked
    assert f"[{number + 1}] invoice-brightwater.pdf, page 2, found there: " in text
    row = next(line for line in text.splitlines() if "857.0" in line and "«" not in line)
    assert row.endswith(f"[{number + 1}]")
    assert "Brightwater Software Inc." in text


def test_what_was_asked_is_there(cited: Path, replay: Replay) -> None:
    """The document with its kind, size, pages and hash; the prompt; the model that answers must fit."""
    asked = life(replay, cited, 1)["request"]
    (document,) = asked["documents"]
    assert (document["name"], document["pages"]) == ("invoice-harbor-lane.pdf", 1)
    assert document["size"] == (DOCUMENTS / "invoice-harbor-lane.pdf").stat().st_size
    assert (asked["prompt"], asked["enable_citations"]) == ("Extract the invoice.", True)
    text = replay("item", cited, 1).stdout
    for fact in ("invoice-harbor-lane.pdf (application/pdf, 1 page", "Extract the invoice.", ":Invoice"):
        assert fact in text


def test_every_attempt_is_told_with_its_reason(troubled: Path, replay: Replay) -> None:
    """Jobs, batches, outcomes, the decision to send again, and what each attempt cost."""
    first, second = life(replay, troubled, 1)["attempts"]
    assert (first["fate"], first["cost"], first["retry"]["reason"]) == ("expired", None, "expired")
    assert (second["fate"], second["retry"], second["stop_reason"]) == ("succeeded", None, "end_turn")
    assert first["batch_id"] != second["batch_id"]
    assert second["cost"] == life(replay, troubled, 1)["cost"] != "0"
    text = replay("item", troubled, 1).stdout
    assert text.index("attempt 1") < text.index("then attempt 2 was decided: expired") < text.index("$0.")


@pytest.mark.parametrize(
    ("events", "fate"),
    [
        ([], "sending"),
        ([e.SubmissionFailed(job=0, error=ERROR, not_before=0)], "not sent"),
        ([e.SubmissionUnknown(job=0, error=ERROR)], "unknown"),
        ([e.SubmissionUnknown(job=0, error=ERROR), settled(None)], "never arrived"),
        ([e.SubmissionUnknown(job=0, error=ERROR), settled("b")], "processing"),
        ([settled("b"), e.BatchFailed(job=0, batch_id="b", error=ERROR, passing=True)], "batch failed"),
        ([settled("b"), e.JobAbandoned(job=0, batch_id="b")], "abandoned"),
        ([e.JobAbandoned(job=1, batch_id="b")], "sending"),
    ],
)
def test_the_fate_of_an_attempt_is_that_of_its_job(
    write_log: Write, started: Callable[..., e.RunStarted], replay: Replay, events: list[e.Event], fate: str
) -> None:
    """Until the answer is there: it was sent, never arrived, failed as a whole, or was given up."""
    sent = [sending(0, 0), sending(1, 1)]
    log = write_log(
        [started(), e.ItemsAdded(first=0, count=2, digest="d", first_body=0), *sent, *events],
        bodies=[b'{"messages":[{"role":"user","content":"x"}]}'] * 2,
    )
    (attempt,) = life(replay, log, 0)["attempts"]
    assert attempt["fate"] == fate
    assert (attempt["error"] is None) == (fate in ("sending", "processing", "abandoned"))


def test_a_failed_item_says_why(troubled: Path, replay: Replay) -> None:
    """Its last error stands at the top; what the provider wrote is harmless."""
    text = replay("item", troubled, 2, FORCE_COLOR="").stdout
    assert "2 (of 0 to 9): failed: invalid_request_error: bad [red]news[/red] \\x1b[31mred" in text
    assert life(replay, troubled, 2)["error"]["kind"] == "invalid_request_error"
    assert life(replay, troubled, 2)["answer"] is None


def test_what_the_model_was_told_is_shown(
    run_log: Callable[..., Path], tmp_path: Path, replay: Replay
) -> None:
    """The second request names what was wrong with the first answer, word for word as it was sent."""
    asked: list[str] = []

    def answer(request: Any) -> str:
        asked.append(request.text)
        return '{"total": null}' if len(asked) == 1 else '{"total": 5}'

    path = run_log(tmp_path / "run.db", 1, Sandbox(answer), response_model=Total)
    first, second = life(replay, path, 0)["attempts"]
    assert first["error"]["kind"] == "invalid_output"
    assert first["note"] is None
    assert second["note"] in asked[1]
    assert "could not be used" in replay("item", path, 0).stdout


def test_answers_are_read_with_the_model_in_the_log_or_another(cited: Path, replay: Replay) -> None:
    """Without the class at hand the result is the run's own; --model reads the stored answer again."""
    assert set(life(replay, cited, 0)["result"]) == {"vendor", "invoice_number", "total"}
    again = life(replay, cited, 0, "--model", f"{__name__}:Total")
    assert again["result"] == {"total": 857.0}
    assert again["status"] == "completed"
    wrong = replay("item", cited, 0, "--model", "no.such:Model")
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)


def test_a_model_that_cannot_be_made_again_is_told(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """A description that is none: one line that names the model to give."""
    schema = {"properties": {"a": {"type": "string", "pattern": "("}}, "title": "Odd"}
    begun = started(response_schema=schema, result_schema=schema, response_model="shop:Odd")
    added = e.ItemsAdded(first=0, count=1, digest="d", first_body=0)
    path = write_log([begun, added], bodies=[b'{"messages":[]}'])
    result = replay("item", path, 0)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "--model shop:Odd" in result.stderr


def test_an_item_that_waits_has_no_attempts_yet(waiting: Path, replay: Replay) -> None:
    """Sent and unsent items are pending; nothing is made up for them."""
    unsent, sent = life(replay, waiting, 29), life(replay, waiting, 0)
    assert (unsent["status"], unsent["attempts"], unsent["cost"]) == ("pending", [], "0")
    assert (sent["status"], sent["attempts"][0]["fate"]) == ("pending", "processing")
    assert sent["result"] is None
    assert "none yet" in replay("item", waiting, 29).stdout


def test_a_submission_that_made_no_batch_is_an_attempt_too(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """What was refused says so, and why; what was never heard of again says that."""
    sent: dict[str, Any] = {
        "items": [(0, 0)],
        "request_count": 1,
        "bytes": 9,
        "custom_ids": "t-{index}",
        "reserved": None,
    }
    error = values.RequestError(kind="overloaded_error", message="busy")
    path = write_log(
        [
            started(input_kind="files", prompt="p"),
            e.ItemsAdded(first=0, count=1, digest="d", first_body=0),
            e.SubmissionStarted(job=0, **sent),
            e.SubmissionFailed(job=0, error=error, not_before=0),
            e.SubmissionStarted(job=1, **sent),
            e.SubmissionUnknown(job=1, error=error),
        ],
        bodies=[b'{"file":{"name":"a.pdf"}}'],
    )
    refused, unknown = life(replay, path, 0)["attempts"]
    assert (refused["fate"], refused["error"]["message"]) == ("not sent", "busy")
    assert (unknown["fate"], unknown["batch_id"]) == ("unknown", None)


def test_documents_in_messages_are_named_and_their_bytes_counted(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """A screen of base64 helps nobody; roles and texts are shown."""
    source = {"type": "base64", "media_type": "application/pdf", "data": "QUJD" * 500}
    content = [
        {"type": "document", "source": source, "title": "terms.pdf"},
        {"type": "text", "text": "When does it end?"},
    ]
    body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
    path = write_log([started(), e.ItemsAdded(first=0, count=1, digest="d", first_body=0)], bodies=[body])
    for options in ((), ("--json",), ("--full",)):
        text = replay("item", path, 0, *options).stdout
        assert "QUJD" not in text
        assert "terms.pdf" in text
        assert "When does it end?" in text
    assert life(replay, path, 0)["request"]["documents"][0]["size"] == 1_500


def test_long_texts_are_cut_unless_asked_for(
    run_log: Callable[..., Path], tmp_path: Path, replay: Replay
) -> None:
    """One screen by default, everything with --full; the cut says so."""
    path = run_log(tmp_path / "run.db", 1, Sandbox("word " * 1_500 + "end"))
    assert "--full shows all" in replay("item", path, 0).stdout
    assert "word end" not in replay("item", path, 0).stdout
    assert "word end" in replay("item", path, 0, "--full").stdout


def test_an_item_that_does_not_exist(done: Path, replay: Replay) -> None:
    """One line that says which there are, and exit code 2."""
    for index, said in ((12, "has no item 12: it has 12, 0 to 11"), ("x", "has no item 'x'; give its index")):
        result = replay("item", done, index)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
        assert said in result.stderr
    assert replay("item", done, 0, "--run", "other").exit_code == 2


GONE = values.RequestError(kind="api_error", message="no room")


@pytest.mark.parametrize(
    ("ended", "fate"),
    [
        (e.SubmissionFailed(job=0, error=GONE, not_before=0), "not sent"),
        (e.SubmissionUnknown(job=0, error=GONE), "unknown"),
        (e.BatchFailed(job=0, batch_id="b", error=GONE, passing=True), "batch failed"),
        (e.JobAbandoned(job=0, batch_id="b"), "abandoned"),
    ],
)
def test_an_attempt_without_an_answer_says_how_it_ended(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay, ended: e.Event, fate: str
) -> None:
    """In a word, with the provider's own where there are some."""
    begun: list[e.Event] = [
        started(),
        e.ItemsAdded(first=0, count=1, digest="d", first_body=0),
        e.SubmissionStarted(
            job=0, items=[(0, 0)], request_count=1, bytes=9, custom_ids="t-{index}", reserved=None
        ),
    ]
    if isinstance(ended, e.BatchFailed | e.JobAbandoned):
        begun.append(e.BatchSubmitted(job=0, batch_id="b", created_at=1, expires_at=None))
    path = write_log([*begun, ended], bodies=[b'{"messages":[]}'])
    (attempt,) = life(replay, path, 0)["attempts"]
    assert attempt["fate"] == fate
    assert fate in replay("item", path, 0).stdout
