"""Which PDFs are accepted: real documents, and each way of being none."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from claude_inputs import read_inputs
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DecodedStreamObject, NameObject

from batchata import pdf_to_document_block
from batchata.errors import FileInputError
from batchata.inputs import FileInput, Inputs
from batchata.providers.anthropic.models import Model

ODD = {"corrupted_zen_of_python.pdf", "empty.pdf", "encrypted_password_test.pdf", "eu_treaty_344p.pdf"}


def read(path: Path | bytes, model: Model) -> Inputs:
    return read_inputs(files=[path], prompt="Summarise.", model=model)


def test_every_readable_document_is_accepted(shared: Path, small_model: Model) -> None:
    """Invoices, scans, tables, right-to-left and CJK text, and one malformed file that readers open."""
    paths = [path for path in sorted((shared / "pdf").glob("*.pdf")) if path.name not in ODD]
    assert len(paths) >= 27
    for path in paths:
        source = read(path, small_model).source(0)
        assert isinstance(source, FileInput)
        assert source.pages == len(PdfReader(path).pages), path.name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "corrupted_zen_of_python.pdf",
            r"is a damaged PDF: page 1 has content that does not match its checksum",
        ),
        ("empty.pdf", r"is empty \(0 bytes\)"),
        ("encrypted_password_test.pdf", r"is an encrypted PDF.*save a copy without password"),
        ("eu_treaty_344p.pdf", r"has 344 pages and the model takes at most 100 in one request; split it"),
    ],
)
def test_each_odd_document_has_its_own_error(shared: Path, small_model: Model, name: str, words: str) -> None:
    """Corrupted, empty, encrypted, too long: said before anything is sent.

    344 pages are too many for models with a context below a million tokens, which take 100.
    """
    with pytest.raises(FileInputError, match=words) as caught:
        read(shared / "pdf" / name, small_model)
    assert name in str(caught.value)


def test_344_full_pages_do_not_fit_even_where_600_pages_are_taken(shared: Path, model: Model) -> None:
    """Pages full of text fill the context window long before the page limit; the error says so."""
    with pytest.raises(FileInputError, match=r"344 pages, which make about .* tokens .* split it"):
        read(shared / "pdf" / "eu_treaty_344p.pdf", model)


def test_more_than_600_pages_are_refused_on_every_model(model: Model, make_pdf: Callable[..., bytes]) -> None:
    """The error gives both numbers."""
    assert read(make_pdf(600), model).count == 1
    with pytest.raises(FileInputError, match="has 601 pages and the model takes at most 600"):
        read(make_pdf(601), model)


def test_protection_without_a_password_is_encryption_too(
    model: Model, make_pdf: Callable[..., bytes]
) -> None:
    """A PDF that opens without a password but may not be printed is encrypted, and refused by the API."""
    with pytest.raises(FileInputError, match="is an encrypted PDF"):
        read(make_pdf(1, owner_password="secret"), model)


def test_a_document_without_pages_is_refused(model: Model, make_pdf: Callable[..., bytes]) -> None:
    """A sound PDF with nothing in it."""
    with pytest.raises(FileInputError, match="is a PDF without pages"):
        read(make_pdf(0), model)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_download_that_broke_off_is_damaged(shared: Path, model: Model, part: float) -> None:
    """Half a document would be read as a shorter one; it is refused instead."""
    for name in ("us_federal_register_15p.pdf", "contract_sample_10p.pdf", "multi_page_5p.pdf"):
        whole = (shared / "pdf" / name).read_bytes()
        with pytest.raises(FileInputError, match="is a damaged PDF"):
            read(whole[: int(len(whole) * part)], model)


def with_content(raw: bytes) -> bytes:
    writer = PdfWriter()
    page = writer.add_blank_page(width=72, height=72)
    stream = DecodedStreamObject()
    stream.set_data(raw)
    stream[NameObject("/Filter")] = NameObject("/FlateDecode")
    page[NameObject("/Contents")] = writer._add_object(stream)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


GOOD = zlib.compress(b"BT (Hello) Tj ET " * 200)
LARGE = zlib.compress(b"BT (Hello) Tj ET " * 200_000)


@pytest.mark.parametrize("raw", [GOOD, GOOD + b"\r\n", GOOD[:-1], GOOD[:-4], LARGE, b""])
def test_content_that_readers_take_is_taken(model: Model, raw: bytes) -> None:
    """Bytes after the stream, and a checksum that is cut short, are known habits of PDF writers."""
    assert read(with_content(raw), model).count == 1


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (GOOD[:-1] + b"\0", "does not match its checksum"),
        (GOOD[:20], "is cut off"),
        (LARGE[:-2000], "is cut off"),
        (b"x\x9c" + b"\xff" * 40, "cannot be decompressed"),
    ],
)
def test_content_that_would_be_lost_unseen_is_damage(model: Model, raw: bytes, words: str) -> None:
    """A page whose text is partly gone is an error, not a shorter page."""
    with pytest.raises(
        FileInputError, match=f"page 1 has content that .*{words.removeprefix('has content that ')}"
    ):
        read(with_content(raw), model)


def test_malformed_files_are_read_without_a_word(
    shared: Path, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    """What the PDF library repairs is not the caller's business, and its log level is left as it was."""
    logging.getLogger("pypdf").setLevel(logging.INFO)
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("error")
        for name in ("malformed_issue932.pdf", "apples.pdf", "multi_page_5p.pdf"):
            read(shared / "pdf" / name, model)
    assert not caplog.records
    assert logging.getLogger("pypdf").level == logging.INFO


def test_the_token_bound_of_a_pdf_grows_with_its_pages(
    shared: Path, model: Model, make_pdf: Callable[..., bytes]
) -> None:
    """A page costs an image and 3,000 tokens of text or more; no request costs more than the context."""
    bounds = {
        name: read(shared / "pdf" / f"{name}.pdf", model).token_bound(0)
        for name in ("apples", "contract_sample_10p")
    }
    assert 7_784 <= bounds["apples"] < 8_000
    assert 77_840 <= bounds["contract_sample_10p"] < 90_000
    assert read(make_pdf(600), model).token_bound(0) == model.context_window


def test_the_pdf_library_is_not_loaded_for_text() -> None:
    """Importing the inputs loads neither the PDF library nor the SDK."""
    code = "import sys, batchata.inputs; print(sys.modules.keys() & {'pypdf', 'anthropic', 'pydantic'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_pdf_becomes_a_document_block(tmp_path: Path, blank_pdf: bytes) -> None:
    """From a path or bytes alike; the title is the file's name, and citations are on when asked for."""
    path = tmp_path / "a.pdf"
    path.write_bytes(blank_pdf)
    block = pdf_to_document_block(blank_pdf)
    assert {**block, "title": "a.pdf"} == pdf_to_document_block(path) == pdf_to_document_block(str(path))
    assert set(block) == {"type", "source"}
    assert block["source"]["media_type"] == "application/pdf"
    full = pdf_to_document_block(blank_pdf, enable_citations=True, title="A")
    assert full == {**block, "title": "A", "citations": {"enabled": True}}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Hello", "is text/plain, not a PDF"),
        (b"", "is empty"),
        (b"%PDF-1.4", "is a damaged PDF"),
    ],
)
def test_a_document_block_is_made_of_sound_pdfs_only(data: bytes, words: str) -> None:
    """The same checks as for files."""
    with pytest.raises(FileInputError, match=words):
        pdf_to_document_block(data)


def test_a_document_block_has_no_more_pages_than_any_model_takes(make_pdf: Callable[..., bytes]) -> None:
    """The model is not known yet, so the limit is the largest."""
    with pytest.raises(FileInputError, match=r"601 pages .* at most 600"):
        pdf_to_document_block(make_pdf(601))
