"""Each citation says whether its text stands in what was sent, at the place that it names."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pydantic
import pytest

from batchata import BatchManager, Citation, load_results_from_disk
from batchata.answers.answer import Block
from batchata.answers.citations import of_blocks
from batchata.answers.grounding import Blocks, Characters, Sources, is_grounded
from batchata.inputs.pdf_pages import PdfText
from batchata.providers.anthropic.checked_files import sources_of
from batchata.sandbox import Answer, Request, Sandbox

TEXT = "Order 17.\nTotal: 5.00 \N{EURO SIGN}\n"


class Order(pydantic.BaseModel):
    total: float


def pdf(*pages: str) -> bytes:
    from fpdf import FPDF  # here, since each worker imports this file

    made = FPDF()
    made.set_font("Helvetica", size=12)
    for page in pages:
        made.add_page()
        made.multi_cell(0, 8, page)
    return bytes(made.output())


def cited(kind: str, text: str, first: int, end: int, index: int = 0) -> dict[str, Any]:
    """A citation as the API writes it."""
    unit = {"char_location": "char_index", "page_location": "page_number"}.get(kind, "block_index")
    counted = "search_result_index" if kind == "search_result_location" else "document_index"
    places = {f"start_{unit}": first, f"end_{unit}": end, counted: index}
    return {"type": kind, "cited_text": text, "document_title": None, **places}


@pytest.fixture
def grounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., list[bool | None]]]:
    """What the library says of an answer's citations when the item is this."""
    citations: list[dict[str, Any]] = []

    def answer(_: Request) -> Answer:
        return Answer(content=[{"type": "text", "text": '{"total": 5}', "citations": citations}])

    with Sandbox(answers=answer) as running:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", running.api_key)

        def ask(*said: dict[str, Any], **given: Any) -> list[bool | None]:
            citations[:] = said
            manager = BatchManager(
                model="claude-haiku-4-5", response_model=Order, enable_citations=True, poll_interval=0.01,
                state_path=tmp_path / "log.db", results_dir=tmp_path / "out", **given,
            )  # fmt: skip
            manager.run()
            (item,) = manager.items()
            assert item.citations == manager.results()[0]["citations"]
            (stored,) = load_results_from_disk(tmp_path / "out", Order)
            assert stored["citations"] == item.citations, "the files say the same"
            return [citation.grounded for citation in item.citations["total"]]

        yield ask


def messages(*blocks: dict[str, Any]) -> list[list[dict[str, Any]]]:
    return [[{"role": "user", "content": [*blocks, {"type": "text", "text": "Total?"}]}]]


def document(kind: str, **source: Any) -> dict[str, Any]:
    return {"type": "document", "source": {"type": kind, **source}}


CHAR = cited("char_location", "Total: 5.00 €", 10, 23)


def test_a_text_file_is_checked_by_its_characters(grounds: Any, tmp_path: Path) -> None:
    """At exactly this place, counted in code points; elsewhere in the text is not enough."""
    (tmp_path / "order.txt").write_text(TEXT, encoding="utf-16")
    assert TEXT[10:23] == CHAR["cited_text"]
    assert grounds(
        CHAR,
        cited("char_location", "Total: 5.00 €", 9, 22),
        cited("char_location", "Total: 6.00 €", 10, 23),
        cited("char_location", "Total: 5.00 €", 100, 113),
        cited("char_location", "Total: 5.00 €", 10, 23, index=1),
        files=[tmp_path / "order.txt"],
        prompt="Total?",
    ) == [True, False, False, False, None]


def test_a_pdf_is_checked_by_its_pages(grounds: Any, tmp_path: Path) -> None:
    """On the pages named, whose end is exclusive; line ends do not count."""
    (tmp_path / "order.pdf").write_bytes(pdf("Order 17\nof March", "Total: 5.00"))
    assert grounds(
        cited("page_location", "Total: 5.00", 2, 3),
        cited("page_location", "Total: 5.00", 1, 2),
        cited("page_location", "Order 17 of March", 1, 3),
        cited("page_location", "Total: 5.00", 3, 4),
        files=[tmp_path / "order.pdf"],
        prompt="Total?",
    ) == [True, False, True, False]


def test_what_two_pages_have_is_not_joined_to_one_number() -> None:
    """A word that a hyphen divides there is one."""
    source = PdfText(pdf("For example 12", "34 exam-", "ples"))
    for text, first, is_there in [("1234", 1, False), ("12 34", 1, True), ("34 examples", 2, True)]:
        citation = Citation("page_location", text, 0, None, first, first + 2)
        assert is_grounded(citation, Sources([source])) is is_there


def test_documents_in_messages_are_counted_over_all_of_them(grounds: Any) -> None:
    """Text, custom content and PDF, each in its own units."""
    blocks = [{"type": "text", "text": "Total: 5.00"}, {"type": "text", "text": "Paid."}]
    data = b64encode(pdf("Total: 5.00")).decode()
    assert grounds(
        CHAR,
        cited("content_block_location", "Total: 5.00Paid.", 0, 2, index=1),
        cited("content_block_location", "Total: 5.00", 1, 2, index=1),
        cited("page_location", "Total: 5.00", 1, 2, index=2),
        cited("page_location", "Total: 5.00", 1, 2, index=3),
        messages=[[
            {"role": "user", "content": [document("text", media_type="text/plain", data=TEXT)]},
            {"role": "assistant", "content": "Go on."},
            *messages(
                document("content", content=blocks),
                document("base64", media_type="application/pdf", data=data),
                document("url", url="https://x.example/a.pdf"),
            )[0],
        ]],
    ) == [True, True, False, True, None]  # fmt: skip


def test_search_results_are_counted_by_themselves(grounds: Any) -> None:
    """Also in the results of tools, where they are cited as well."""
    found = {
        "type": "search_result",
        "source": "kb",
        "title": "T",
        "content": [{"type": "text", "text": TEXT}],
    }
    use = {"type": "tool_use", "id": "t1", "name": "search", "input": {}}
    assert grounds(
        cited("search_result_location", "Total: 5.00 €", 0, 1, index=1),
        cited("search_result_location", "Total: 5.00 €", 1, 2, index=1),
        cited("search_result_location", "Order 17.", 0, 1, index=0),
        messages=[[
            *messages({**found, "content": [{"type": "text", "text": "Nothing."}]})[0],
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [found]}]},
        ]],
    ) == [True, False, False]  # fmt: skip


def test_documents_in_the_results_of_tools_make_counting_uncertain(grounds: Any) -> None:
    """Whether they are counted among the others is not documented, so nothing is claimed."""
    text = document("text", media_type="text/plain", data=TEXT)
    use = {"type": "tool_use", "id": "t1", "name": "read", "input": {}}
    assert grounds(
        CHAR,
        messages=[[
            *messages(text)[0],
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [text]}]},
        ]],
    ) == [None]  # fmt: skip


def test_what_is_not_held_cannot_be_told(grounds: Any, tmp_path: Path, shared: Path) -> None:
    """A scan has no text, and a web page is not ours."""
    assert grounds(
        cited("page_location", "anything", 1, 2),
        {"type": "web_search_result_location", "cited_text": "x", "url": "https://x.example", "title": "x"},
        files=[shared / "pdf" / "scanned_ocr_test.pdf"],
        prompt="Total?",
    ) == [None, None]


def test_of_a_file_that_was_changed_since_it_is_told_what_was_found_then(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As of one that is gone: nothing is looked up in what was not sent, and it is told when it was."""
    path = tmp_path / "order.txt"
    path.write_text(TEXT)
    with Sandbox() as running:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", running.api_key)
        manager = BatchManager(
            files=[path], prompt="Total?", model="claude-haiku-4-5", response_model=Order,
            enable_citations=True, poll_interval=0.01, state_path=tmp_path / "log.db",
        )  # fmt: skip
        manager.run()

    def told() -> list[tuple[str, bool | None, bool]]:
        (item,) = manager.items()
        return [
            (path, citation.grounded, citation.checked_at is not None)
            for path, found in item.citations.items()
            for citation in found
        ]

    assert told() == [("total", True, False)]
    path.write_text(TEXT.replace("5.00", "7.00"))
    assert told() == [("total", True, True)]
    path.unlink()
    assert told() == [("total", True, True)]


def test_recorded_citations_stand_in_what_was_sent(recordings: Any, shared: Path) -> None:
    """Every recorded citation of a text, PDF, custom content or search result that is at hand."""
    pdfs = {"cited_ruby_llm_sample": "page__ruby_llm__V6y1AxTR"}
    checked: dict[str, int] = {}
    for name, said, answer in recordings("citations"):
        if "request" not in said:
            continue
        asked = json.dumps({"messages": said["request"]["messages"]})
        for file, recording in pdfs.items():
            if name.startswith(recording):
                data = b64encode((shared / "pdf" / f"{file}.pdf").read_bytes()).decode()
                asked = _with_data(asked, data)
        sources = sources_of(asked.encode())
        for citation in _citations(answer):
            told = is_grounded(citation, sources)
            if sources.documents or sources.search_results:
                assert told is True, (name, citation)
                checked[citation.type] = checked.get(citation.type, 0) + 1
            else:
                assert told is None, "fetched by the service, not sent by us"
    assert checked == {
        "char_location": 3, "content_block_location": 6, "page_location": 3, "search_result_location": 2
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("page__cookbook__pdf_constitutional_ai", "constitutional_ai_34p"),
        ("page__prism__Cyd5NQhz", "cited_prism_answer42"),
    ],
)
def test_recorded_citations_stand_on_their_pages(recordings: Any, shared: Path, name: str, file: str) -> None:
    """Of these the request was not recorded, only which PDF it held."""
    (answer,) = [answer for found, _, answer in recordings("citations") if found.startswith(name)]
    body = {"file": {"data": b64encode((shared / "pdf" / f"{file}.pdf").read_bytes()).decode(),
                     "media_type": "application/pdf"}}  # fmt: skip
    sources = sources_of(json.dumps(body).encode())
    found = [msgspec.structs.replace(citation, document_index=0) for citation in _citations(answer)]
    assert found
    assert all(is_grounded(citation, sources) for citation in found)
    moved = [
        msgspec.structs.replace(c, start_page_number=c.end_page_number, end_page_number=c.end_page_number + 1)
        for c in found
    ]
    assert not any(is_grounded(citation, sources) for citation in moved)


def test_an_answer_without_sources_stays_untold() -> None:
    """Nothing is claimed of what cannot be looked up."""
    citation = Citation("char_location", "x", 0, start_char_index=0, end_char_index=1)
    assert is_grounded(citation, Sources()) is None


def _citations(answer: dict[str, Any]) -> list[Citation]:
    return of_blocks(msgspec.convert(answer["content"], list[Block]))


def _with_data(asked: str, data: str) -> str:
    value = json.loads(asked)
    for message in value["messages"]:
        for block in message["content"]:
            if block["type"] == "document":
                block["source"]["data"] = data
    return json.dumps(value)


def page_cited(text: str) -> Citation:
    place: dict[str, Any] = {"document_index": 0, "start_page_number": 1, "end_page_number": 2}
    return Citation(type="page_location", cited_text=text, **place)


def said_of(text: str, page: str) -> bool | None:
    """What is said of a citation of this text where the only block is this."""
    place: dict[str, Any] = {
        "document_index": 0,
        "start_content_block_index": 0,
        "end_content_block_index": 1,
    }
    citation = Citation(type="content_block_location", cited_text=text, **place)
    return is_grounded(citation, Sources([Blocks([page])]))


@pytest.mark.parametrize("mark", "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_marks_of_direction_do_not_count(mark: str) -> None:
    """Copying and extracting software puts them into text of any script, in the page or in what is cited."""
    for text in ("مرحبا بالعالم", "שלום 12.50", "Total 12.50"):
        assert said_of(f"{mark}{text}{mark}", f"Page 1\n{text}\n") is True
        assert said_of(text, f"Page 1\n{mark}{text}{mark}\n") is True


@pytest.mark.parametrize(
    ("cited", "page", "found"),
    [
        ("463500", "Postbus 46\n3500 MJ Utrecht", False),
        ("46 3500", "Postbus 46\n3500 MJ Utrecht", True),
        ("3500MJ Utrecht", "Postbus 46\n3500 MJ Utrecht", True),
        ("463500 MJ Utrecht", "Postbus 46\r\n3500 MJ Utrecht", False),
        ("1 234,50", "Total 1\u2009234,50 €", True),
        ("1\u202f234,50", "Total 1 234,50 €", True),
        ("1234,50", "Total 1 234,50 €", False),
        ("1,234.50", "Total 1, 234.50 €", True),
        ("Total1234", "Total 1234", True),
        ("12", "1 2", False),
        ("12", "1\n2", False),
        ("1 2", "12", False),
        ("\u0664\u0666\u0663", "\u0664\u0666\n\u0663", False),
        ("20212022", "in 2021\x02\r\n2022 and", True),
        ("2021-22", "in 2021-\n22", True),
        ("covenant", "the cove\x02\r\nnant", True),
        ("No. 5 of 7", "No.5 of7", True),
        ("Total 120", "Total 120\u00b9", True),
        ("Total 120\u00b9", "Total 120 1", True),
        ("Total 120\u00b9", "Total 1201", True),
        ("invoice 12", "in-\nvoice 12", True),
        ("invoice", "in-\r\nvoice", True),
        ("x-ray", "x-\nray", True),
        ("1/2 cup", "½ cup", True),
        ("½ cup", "1/2 cup", True),
        ("12 1/2", "12½", True),
        ("121/2", "12½", False),
        ("1½", "11/2", False),
        ("1½", "1 1/2", True),
        ("coeur 12", "cœur 12", True),
        ("Cœur", "COEUR", True),
        ("office 1", "of\ufb01ce 1", True),
    ],
)
def test_white_space_between_digits_parts_numbers(cited: str, page: str, found: bool) -> None:
    """A number that stands on no page is not found, however the page is broken into lines; other text is."""
    assert said_of(cited, page) is found


def test_white_space_between_digits_parts_numbers_in_characters_too() -> None:
    """Where the place is given by characters, these have to be the cited text."""
    text = "46\n3500 MJ"
    place: dict[str, Any] = {"document_index": 0, "start_char_index": 0, "end_char_index": 7}
    for cited_text, found in (("463500", False), ("46 3500", True)):
        citation = Citation(type="char_location", cited_text=cited_text, **place)
        assert is_grounded(citation, Sources([Characters(text)])) is found


def form(value: str, text: str = "First Name") -> bytes:
    """A page with a text, and with a field that is filled with the value."""
    look, content = f"BT /F1 12 Tf 2 4 Td ({value}) Tj ET", f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET"
    fonts = "/Resources << /Font << /F1 5 0 R >> >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] >> >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] {fonts} /Contents 4 0 R /Annots [6 0 R] >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        (
            f"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V ({value}) /Rect [150 690 300 710] /F 4 "
            "/P 3 0 R /AP << /N 7 0 R >> >>"
        ),
        (
            f"<< /Type /XObject /Subtype /Form /BBox [0 0 150 20] {fonts} /Length {len(look)} >>\n"
            f"stream\n{look}\nendstream"
        ),
    ]
    out, places = "%PDF-1.4\n", []
    for number, inner in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{inner}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    count = len(objects) + 1
    end = f"trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return f"{out}xref\n0 {count}\n0000000000 65535 f \n{table}{end}".encode()


@pytest.mark.parametrize(
    ("cited_text", "found"),
    [
        ("Alice", True),
        ("First Name", True),
        ("First Name Alice", True),
        ("Alice First", None),
        ("Bob", False),
    ],
)
def test_values_that_are_filled_into_fields_are_found(cited_text: str, found: bool | None) -> None:
    """PDFium's text of a page is without them; where they stand among its text, nobody knows."""
    sources = Sources([PdfText(form("Alice"))])
    assert is_grounded(page_cited(cited_text), sources) is found


@pytest.mark.parametrize(
    ("filled", "found"), [("D E 8 9 3 7", True), ("7 3 9 8 E D", None), ("D E 8 9 3 6", False)]
)
def test_what_is_filled_into_boxes_is_one_word(filled: str, found: bool | None) -> None:
    """An IBAN with a box for each character; PDFium may give a turned page's boxes in another order."""
    assert is_grounded(page_cited("DE8937"), Sources([PdfText(form(filled))])) is found


def test_a_filled_field_is_found_on_a_page_without_text() -> None:
    """On a scan only what is filled in can be told."""
    sources = Sources([PdfText(form("Alice", text=""))])
    assert is_grounded(page_cited("Alice"), sources) is True
    assert is_grounded(page_cited("Bob"), sources) is None


def test_a_real_filled_form(shared: Path) -> None:
    """One made by an office program."""
    path = shared.parents[1] / "cases/files/filled-form.pdf"
    if not path.exists():
        pytest.skip("the shared cases are not here")
    sources = Sources([PdfText(path.read_bytes())])
    assert is_grounded(page_cited("Alice"), sources) is True
    assert is_grounded(page_cited("Mallory"), sources) is False


def test_citations_of_one_page_cost_little_more_than_one() -> None:
    """A page is brought into its comparable form once."""
    page = "Größe 12 \u2009 345 und mehr\n" * 20_000
    began = time.process_time()
    assert all(said_of(f"größe 12 345 und mehr größe 12 {n}x", page) is False for n in range(100))
    assert time.process_time() - began < 10
