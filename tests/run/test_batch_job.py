"""What batch() and BatchJob promise: one job, sent at once, looked at when its caller likes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pypdf import PdfReader
from resume_support import check_money
from run_support import MODEL, Echo, Runs, conversations, echo

from batchata import BatchJob, Citation, batch, load_results_from_disk, pdf_to_document_block
from batchata.errors import FileInputError, InvalidInputError, RequestRefusedError, RunMismatchError
from batchata.sandbox import Answer, Faults, Request, Sandbox

COUNT = 7


class Waiting(Runs):
    """Runs of single jobs whose batches end when the test says so."""

    def send(self, count: int = COUNT, **given: Any) -> BatchJob:
        """One job of that many messages."""
        chosen = {
            "messages": conversations(count),
            "model": MODEL,
            "response_model": Echo,
            "poll_interval": 0.01,
            "retry_delay": 0.01,
            "settle_delay": 0.05,
            "max_wait_time": 20,
        }
        return batch(**{name: value for name, value in (chosen | given).items() if value is not ...})

    def polls(self) -> int:
        """How many questions the sandbox answered, creations left out."""
        return len(self.sandbox.exchanges) - self.creates()


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Waiting]:
    """A sandbox whose batches take a minute, unless they are ended."""
    with Sandbox(answers=echo, delay=60.0) as sandbox:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", sandbox.api_key)
        yield Waiting(sandbox, tmp_path)


def test_a_job_is_sent_at_once_and_whole(waiting: Waiting) -> None:
    """batch() returns when the provider has the batch: one create, with all items."""
    job = waiting.send(120)
    assert [len(sent.custom_ids) for sent in waiting.sandbox.batches] == [120]
    assert waiting.creates() == 1
    assert job.results() == [{"result": None, "citations": None}] * 120


def test_is_complete_asks_once_and_no_more_when_it_is(waiting: Waiting) -> None:
    """One question while the batch runs, the results when it has ended, and then no call at all."""
    job = waiting.send()
    before = waiting.polls()
    assert not job.is_complete()
    assert waiting.polls() == before + 1
    waiting.sandbox.end_all()
    assert job.is_complete()
    assert waiting.polls() == before + 3
    assert job.is_complete()
    assert waiting.polls() == before + 3
    assert [entry["result"].said for entry in job.results()] == [f"message {i}" for i in range(COUNT)]


def test_run_waits_and_returns_the_summary(waiting: Waiting) -> None:
    """The same summary as a manager's, and the costs agree everywhere."""
    job = waiting.send(state_path=waiting.log)
    waiting.sandbox.end_all()
    summary = job.run()
    assert summary == {
        "total_items": COUNT,
        "completed_items": COUNT,
        "failed_items": 0,
        "pending_items": 0,
        "total_cost": summary["total_cost"],
        "jobs_completed": 1,
        "cost_limit_reached": False,
    }
    check_money(waiting, summary["total_cost"], list(job._engine.items()))


def test_what_failed_for_now_is_sent_again_in_a_job_of_its_own(runs: Runs) -> None:
    """is_complete() is true only when nothing is left to be tried."""
    runs.sandbox.faults = Faults(errored={0, 3}, only_batches={0})
    job = Waiting.send(runs)  # type: ignore[arg-type]  # these batches end at once
    assert job.run()["completed_items"] == COUNT
    assert [len(sent.custom_ids) for sent in runs.sandbox.batches] == [COUNT, 2]


def test_stats_are_a_dict_and_lines_for_a_person(
    waiting: Waiting, capsys: pytest.CaptureFixture[str]
) -> None:
    """Printed only when asked for, to standard output."""
    job = waiting.send(max_cost=1)
    stats = job.stats()
    assert capsys.readouterr().out == ""
    assert (stats["status"], stats["jobs"], stats["pending_items"]) == ("running", 1, COUNT)
    assert stats["batches"] == [waiting.sandbox.batches[0].id]
    assert stats["reserved_cost"] > 0
    waiting.sandbox.end_all()
    job.run()
    stats = job.stats(print_stats=True)
    out = capsys.readouterr().out
    assert f"{job.run_id} (completed), model {MODEL}" in out
    assert f"items     {COUNT}: {COUNT} completed, 0 failed, 0 pending" in out
    assert stats["usage"]["output_tokens"] == waiting.sandbox.usage()["output_tokens"] > 0
    assert stats["reserved_cost"] == 0


def test_cancel_keeps_what_was_finished(waiting: Waiting) -> None:
    """The rest stays pending, and nothing is sent again by looking."""
    waiting.sandbox.faults = Faults(processed=0.5)
    job = waiting.send(6)
    summary = job.cancel()
    assert (summary["completed_items"], summary["pending_items"], summary["failed_items"]) == (3, 3, 0)
    assert sum(entry["result"] is not None for entry in job.results()) == 3
    assert job.cancel() == summary
    assert waiting.creates() == 1


@pytest.mark.parametrize("beside", [True, False])
def test_raw_lines_go_where_they_are_wanted(waiting: Waiting, beside: bool) -> None:
    """raw_results_dir alone, or beside a results_dir, holds the provider's own lines."""
    raw = waiting.out / "elsewhere"
    job = waiting.send(raw_results_dir=raw, results_dir=waiting.out / "results" if beside else None)
    waiting.sandbox.end_all()
    job.run()
    lines = (raw / "job_0_raw.jsonl").read_bytes().splitlines()
    assert sorted(json.loads(line)["custom_id"] for line in lines) == sorted(waiting.sandbox.billed())
    if beside:
        assert load_results_from_disk(waiting.out / "results", Echo) == job.results()
        assert not (waiting.out / "results" / "raw").exists()
    stats = job.stats()
    assert stats["raw_results_dir"] == str(raw)
    assert (stats["results_dir"] is None) is not beside


def test_the_same_call_takes_up_the_same_job(waiting: Waiting) -> None:
    """With a state_path nothing is sent a second time: not while it runs, and not when it is done."""
    waiting.send(state_path=waiting.log)
    again = waiting.send(state_path=waiting.log)
    assert not again.is_complete()
    waiting.sandbox.end_all()
    done = waiting.send(state_path=waiting.log)
    assert done.is_complete()
    calls = len(waiting.sandbox.exchanges)
    last = waiting.send(state_path=waiting.log)
    assert last.results() == done.results()
    assert last.run_id == done.run_id == again.run_id
    assert (waiting.creates(), len(waiting.sandbox.exchanges)) == (1, calls)
    assert set(waiting.sandbox.billed().values()) == {1}


def test_another_call_on_the_same_log_is_refused(waiting: Waiting) -> None:
    """What differs is said, and nothing is sent."""
    waiting.send(state_path=waiting.log)
    with pytest.raises(RunMismatchError, match="system: was not given, is Be brief"):
        waiting.send(state_path=waiting.log, system="Be brief.")
    assert waiting.creates() == 1


def test_too_many_items_for_one_batch_point_to_the_manager(waiting: Waiting) -> None:
    """By number, and by size."""
    with pytest.raises(InvalidInputError, match=r"50,001 items are more than one batch.*use BatchManager"):
        waiting.send(messages=conversations(1) * 50_001, model="gpt-6-sol")
    large = [[{"role": "user", "content": "x" * 25_000_000}]] * 10
    with pytest.raises(InvalidInputError, match=r"250 MB are more than one batch.*use BatchManager"):
        waiting.send(messages=large)
    assert waiting.sandbox.exchanges == []


def test_a_refusal_of_the_provider_comes_out_of_batch(waiting: Waiting) -> None:
    """There is no job then; the log, if there is one, takes the next call up."""
    waiting.sandbox.faults = Faults(create_status=[400])
    with pytest.raises(RequestRefusedError, match="400"):
        waiting.send(state_path=waiting.log)
    job = waiting.send(state_path=waiting.log)
    waiting.sandbox.end_all()
    assert job.run()["completed_items"] == COUNT
    assert set(waiting.sandbox.billed().values()) == {1}


def _pdf(*lines: str) -> bytes:
    fpdf = pytest.importorskip("fpdf")
    document = fpdf.FPDF()
    document.set_font("helvetica", size=12)
    for line in lines:
        document.add_page()
        document.cell(text=line)
    return bytes(document.output())


class Bill(BaseModel):
    """Two values from two pages."""

    number: str
    total: float


CITED = {"number": ("INV-77", 1), "total": ("12.50", 2)}


def _cite(request: Request) -> Answer:
    """JSON in blocks, each value cited from its own page; or the same as prose."""
    (document,) = request.documents
    blocks: list[dict[str, Any]] = []
    for name, (value, page) in CITED.items():
        shown = f'"{value}"' if request.schema and name == "number" else value
        lead = f'{"," if blocks else "{"}"{name}": ' if request.schema else f"The {name} is "
        location = {
            "type": "page_location",
            "cited_text": document.pages[page - 1].strip(),
            "document_index": 0,
            "document_title": document.title,
            "start_page_number": page,
            "end_page_number": page + 1,
        }
        blocks += [
            {"type": "text", "text": lead, "citations": None},
            {"type": "text", "text": shown, "citations": [location]},
        ]
    blocks.append({"type": "text", "text": "}" if request.schema else ".", "citations": None})
    return Answer(content=blocks)


@pytest.fixture
def citing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., BatchJob]]:
    """Sends a job to a sandbox that cites, and waits for it."""
    with Sandbox(answers=_cite) as sandbox:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", sandbox.api_key)

        def send(**given: Any) -> BatchJob:
            job = batch(
                model=MODEL,
                enable_citations=True,
                poll_interval=0.01,
                max_wait_time=20,
                max_attempts=1,
                **given,
            )
            assert job.run()["completed_items"] == 1
            return job

        yield send


def _asking(block: dict[str, Any]) -> list[list[dict[str, Any]]]:
    return [[{"role": "user", "content": [block, {"type": "text", "text": "Number and total?"}]}]]


def test_citations_of_text_are_a_list(citing: Callable[..., BatchJob]) -> None:
    """In the order of the answer, with title and page."""
    bill = _pdf("Invoice INV-77", "Total 12.50")
    job = citing(messages=_asking(pdf_to_document_block(bill, enable_citations=True, title="bill.pdf")))
    (entry,) = job.results()
    assert entry["result"] == "The number is INV-77The total is 12.50."
    assert [type(citation) for citation in entry["citations"]] == [Citation, Citation]
    assert [(c.document_title, c.pages) for c in entry["citations"]] == [
        ("bill.pdf", (1, 1)),
        ("bill.pdf", (2, 2)),
    ]
    assert "INV-77" in entry["citations"][0].cited_text


def test_citations_of_a_model_are_found_by_field(citing: Callable[..., BatchJob], tmp_path: Path) -> None:
    """A dict by field path, in memory and when loaded from disk."""
    path = tmp_path / "bill.pdf"
    path.write_bytes(_pdf("Invoice INV-77", "Total 12.50"))
    job = citing(files=[path], prompt="Read.", response_model=Bill, results_dir=tmp_path / "out")
    (entry,) = job.results()
    assert entry["result"] == Bill(number="INV-77", total=12.5)
    assert {name: [c.pages for c in found] for name, found in entry["citations"].items()} == {
        "number": [(1, 1)],
        "total": [(2, 2)],
    }
    assert entry["citations"]["total"][0].document_title == "bill.pdf"
    assert load_results_from_disk(tmp_path / "out", Bill) == [entry]


def test_a_pdf_in_messages_arrives_as_it_is(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    """pdf_to_document_block takes a path or bytes; the provider gets every byte and the title."""
    pdf = _pdf("one", "two")
    path = waiting.log.parent / "two.pdf"
    path.write_bytes(pdf)
    got: list[tuple[bytes, str | None]] = []

    def answer(request: Request) -> str:
        documents: list[Any] = list(request.documents)
        got.extend((document.bytes, document.title) for document in documents)
        return "read"

    with Sandbox(answers=answer) as sandbox:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        blocks = [pdf_to_document_block(path), pdf_to_document_block(pdf, title="Mine")]
        messages = [conversation for block in blocks for conversation in _asking(block)]
        job = waiting.send(messages=messages, response_model=None)
        assert [entry["result"] for entry in job.results()] == [None, None]
        assert job.run()["completed_items"] == 2
    assert sorted(got, key=str) == sorted([(pdf, "two.pdf"), (pdf, "Mine")], key=str)
    assert len(PdfReader(io.BytesIO(got[0][0])).pages) == 2


@pytest.mark.parametrize(
    ("given", "words"), [(b"", "empty"), (b"hello", "not a PDF"), (b"%PDF-1.4 x", "damaged")]
)
def test_what_is_no_pdf_makes_no_block(given: bytes, words: str) -> None:
    """The error says what it is instead."""
    with pytest.raises(FileInputError, match=words):
        pdf_to_document_block(given)


@pytest.mark.parametrize("name", ["items_per_job", "max_parallel_jobs", "cache"])
def test_arguments_that_make_no_sense_for_one_job_are_named_as_such(name: str) -> None:
    """The error points to BatchManager instead of suggesting the same name again."""
    with pytest.raises(InvalidInputError, match=f"{name} is an argument of BatchManager"):
        batch(messages=conversations(2), model=MODEL, **{name: 2})
