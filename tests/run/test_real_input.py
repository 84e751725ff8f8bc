"""Whole runs over documents and messages that other people wrote."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import pypdfium2
import pytest
from pydantic import BaseModel
from run_support import MODEL

from batchata import BatchManager, Citation, load_results_from_disk
from batchata.errors import FileInputError
from batchata.sandbox import Request, Sandbox

# What the collection holds to be refused, and why.
ODD = {
    "corrupted_zen_of_python.pdf": ("claude-sonnet-5-5", "is a damaged PDF"),
    "empty.pdf": ("claude-sonnet-5-5", r"is empty \(0 bytes\)"),
    "encrypted_password_test.pdf": ("claude-sonnet-5-5", "is an encrypted PDF"),
    "eu_treaty_344p.pdf": ("claude-haiku-4-5", "has 344 pages and the model takes at most 100"),
}


class Paper(BaseModel):
    """What may stand in any document."""

    date: str | None = None
    total: float | None = None
    invoice_number: str | None = None


class Label(BaseModel):
    """Ham or spam, and proof of which text was read."""

    label: Literal["ham", "spam"]
    proof: str


class Seen(BaseModel):
    """What the sandbox says of the document it got."""

    title: str
    sha256: str


@pytest.fixture
def sandboxed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], Sandbox]]:
    """Starts a sandbox with these answers; None reads the documents by rules."""
    running: list[Sandbox] = []

    def start(answers: Any) -> Sandbox:
        running.append(Sandbox(answers, seed=len(running) + 1).start())
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running[-1].url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", running[-1].api_key)
        return running[-1]

    yield start
    for sandbox in running:
        sandbox.stop()


@pytest.fixture
def pdfs(shared: Path) -> list[Path]:
    """Every PDF that can be sent, and that together make a run of seconds."""
    return [path for path in sorted((shared / "pdf").glob("*.pdf")) if path.name not in ODD]


def run(**given: Any) -> BatchManager:
    """A finished run with short waits."""
    manager = BatchManager(
        **({"model": MODEL, "poll_interval": 0.02, "retry_delay": 0.01, "max_wait_time": 200} | given)
    )
    summary = manager.run()
    assert summary["pending_items"] == 0
    return manager


def test_real_pdfs_get_their_own_results(pdfs: list[Path], tmp_path: Path, sandboxed: Any) -> None:
    """Shuffled results of all documents: each belongs to its file, in memory and on disk."""
    sandboxed(_seen)
    manager = run(
        files=pdfs,
        prompt="Which document is this?",
        response_model=Seen,
        items_per_job=5,
        results_dir=tmp_path / "out",
        state_path=tmp_path / "run.db",
    )
    entries = manager.results()
    assert len(entries) == len(pdfs) > 20
    for path, entry in zip(pdfs, entries, strict=True):
        assert entry["result"] == Seen(title=path.name, sha256=sha256(path.read_bytes()).hexdigest())
    assert load_results_from_disk(tmp_path / "out", Seen) == entries


def _seen(request: Request) -> dict[str, str]:
    document: Any
    (document,) = request.documents
    return {"title": document.title or "", "sha256": sha256(document.bytes).hexdigest()}


@pytest.mark.parametrize("response_model", [None, Paper])
def test_citations_of_real_pdfs_stand_where_they_say(
    pdfs: list[Path], sandboxed: Any, response_model: type[BaseModel] | None
) -> None:
    """Each names its file as the document, its text stands on the page that it names, and it says so.

    Every document gives a result of the model, whatever of it the document says; the two longest are read
    for text alone, as the sandbox looks for each field on every page.
    """
    sandboxed(None)
    if response_model is not None:
        pdfs = [path for path in pdfs if len(_page_texts(path)) <= 10]
    manager = run(
        files=pdfs,
        prompt="What is the total, the date, and the invoice number?",
        response_model=response_model,
        enable_citations=True,
        items_per_job=9,
    )
    cited = 0
    for path, entry in zip(pdfs, manager.results(), strict=True):
        found = list(_flat(entry["citations"]))
        pages = _page_texts(path) if found else []
        for citation in found:
            assert citation.document_title == path.name
            first, last = citation.pages or (0, 0)
            assert 1 <= first <= last
            assert _letters(citation.cited_text) in "".join(pages[first - 1 : last]), path.name
            assert citation.grounded is True
        cited += len(found)
    assert cited > 20
    if response_model is not None:
        results = [item.result for item in manager.items()]
        assert all(isinstance(result, Paper) for result in results)
        filled = Counter(name for result in results for name, value in result if value is not None)
        assert filled.keys() == Paper.model_fields.keys()


def _flat(citations: Any) -> Iterator[Citation]:
    if isinstance(citations, dict):
        for found in citations.values():
            yield from found
    else:
        yield from citations or []


def _page_texts(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as document:
        return [_letters(page.get_textpage().get_text_bounded()) for page in document]


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


@pytest.mark.parametrize("name", ODD)
def test_an_odd_pdf_among_real_ones_is_refused_by_name(
    pdfs: list[Path], shared: Path, tmp_path: Path, sandboxed: Any, name: str
) -> None:
    """Each has its own clear error, before anything is written or sent for the good ones beside it."""
    sandbox = sandboxed(None)
    model, words = ODD[name]
    with pytest.raises(FileInputError, match=rf"files\[1\] \('.*{name}'\) {words}"):
        run(
            files=[pdfs[0], shared / "pdf" / name],
            prompt="Read.",
            model=model,
            state_path=tmp_path / "run.db",
        )
    assert (sandbox.exchanges, (tmp_path / "run.db").exists()) == ([], False)


def test_real_messages_get_their_own_labels(shared: Path, sandboxed: Any, tmp_path: Path) -> None:
    """All rows of the SMS collection in jobs of 500: every label belongs to its own text."""
    lines = (shared / "text" / "sms_spam.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t", 1) for line in lines]
    labels = {text: label for label, text in rows}
    sandbox = sandboxed(lambda request: {"label": labels[request.text], "proof": _proof(request.text)})
    began = time.monotonic()
    manager = run(
        messages=[[{"role": "user", "content": text}] for _, text in rows],
        response_model=Label,
        items_per_job=500,
        state_path=tmp_path / "run.db",
        max_cost=50,
    )
    entries = manager.results()
    seconds = time.monotonic() - began
    expected = [Label(label=labels[text], proof=_proof(text)) for _, text in rows]
    assert [entry["result"] for entry in entries] == expected
    assert len(sandbox.billed()) == sum(sandbox.billed().values()) == len(rows) == 3_344
    counts = Counter(entry["result"].label for entry in entries)
    cost = manager.stats()["total_cost"]
    print(f"{len(rows):,} messages in {seconds:.1f} s: {dict(counts)}, ${cost}")  # noqa: T201 - the totals
    assert counts["spam"] == sum(label == "spam" for label, _ in rows)
    assert seconds < 20


def _proof(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
