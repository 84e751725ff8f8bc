"""Citations of providers that give none: the model is asked to quote, and what it quotes is looked up."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from batchata import BatchManager, Citation, load_results_from_disk
from batchata.answers.answer import Block, joined_text
from batchata.answers.grounding import Blocks, Characters, Source, Sources
from batchata.answers.located import found_in, quoted_schema, with_citations
from batchata.errors import UnsupportedModelError
from batchata.inputs.pdf_pages import PdfText
from batchata.providers.file_sources import source_of_file, sources_of_parts
from batchata.sandbox import Request, Sandbox

PDF = Path(__file__).resolve().parents[2] / "examples/documents/invoice-brightwater.pdf"
QUOTES = "quotes_from_the_documents"


class Vendor(BaseModel):
    """Who sells."""

    name: str


class Invoice(BaseModel):
    """What is read."""

    vendor: Vendor
    total: float
    invoice_number: str


def told(citation: Citation) -> tuple[Any, ...]:
    """What is known of a citation."""
    return citation.kind, citation.pages, citation.grounded, citation.supports


ANSWER = {"vendor": {"name": "Brightwater Software Inc."}, "total": 857.0, "invoice_number": "BW-10982"}
QUOTED = [
    {"field": "$.vendor.name", "quote": "\u201cSold by: Brightwater  Software Inc.\u201d"},
    {"field": "total", "quote": "...Amount due: $857.00,"},
    {"field": "invoice_number", "quote": "Invoice no.: BW-99999"},
    {"field": "nothing", "quote": "Amount due"},
]


@pytest.mark.parametrize("model", ["gpt-5-nano", "gemini-2.5-flash", "groq/llama-4"])
def test_a_quote_is_looked_up_in_the_document(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By native schemas and by the prompt: page, grounded and supports; one that is not there is kept."""
    seen: list[Any] = []

    def reply(request: Request) -> dict[str, Any]:
        seen.append(request)
        return {"answer": ANSWER, QUOTES: QUOTED}

    with Sandbox(reply) as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        place = {"base_url": f"{sandbox.url}/v1", "api_key": sandbox.api_key} if "/" in model else {}
        document = Path(shutil.copy(PDF, tmp_path))
        manager = BatchManager[Invoice](
            files=[document],
            prompt="Extract.",
            model=model,
            response_model=Invoice,
            enable_citations=True,
            state_path=tmp_path / "run.db",
            results_dir=tmp_path / "out",
            poll_interval=0.01,
            **place,
        )
        assert manager.run()["completed_items"] == 1
        (item,) = manager.items()
        document.unlink()
        (later,) = manager.items()
    assert item.result == Invoice.model_validate(ANSWER)
    assert isinstance(item.citations, dict)
    found = {path: [told(citation) for citation in each] for path, each in item.citations.items()}
    assert found == {
        "(unmatched)": [("located", (2, 2), True, None)],
        "vendor.name": [("located", (1, 1), True, True)],
        "total": [("located", (2, 2), True, True)],
        "invoice_number": [("located", None, False, False)],
    }
    assert {c.document_title for c in item.cited("total")} == {PDF.name}
    assert isinstance(later.citations, dict)  # as they were found when the answer was collected
    assert {path: [told(citation) for citation in each] for path, each in later.citations.items()} == found
    assert {(c.document_title, c.checked_at is None) for c in later.cited("total")} == {(PDF.name, False)}
    assert item.unsupported == ["invoice_number"]
    assert seen[0].schema["required"] == ["answer", QUOTES]
    (entry,) = load_results_from_disk(tmp_path / "out", Invoice)
    assert isinstance(entry["citations"], dict)
    assert entry["citations"]["total"][0].kind == "located"


def test_a_text_is_quoted_by_its_characters(tmp_path: Path) -> None:
    """Whatever the case and the blanks between its words; texts of the user's messages are quoted, too."""
    text = "Total\n due:  857.00"
    answer = {"answer": ANSWER, QUOTES: [{"field": "total", "quote": "total due: 857.00"}]}
    with Sandbox(lambda _: answer) as sandbox:
        manager = BatchManager[Invoice](
            messages=[[{"role": "user", "content": text}]],
            model="gpt-5-nano",
            response_model=Invoice,
            enable_citations=True,
            api_key=sandbox.api_key,
            base_url=f"{sandbox.url}/v1",
            poll_interval=0.01,
        )
        manager.run()
        (item,) = manager.items()
    (citation,) = item.cited("total")
    assert (citation.start_char_index, citation.end_char_index) == (0, len(text))
    assert (citation.grounded, citation.supports) == (True, True)
    assert item.uncited == ["vendor.name", "invoice_number"]


TERMS = (
    "Terms. The subtotal is no price. The “total\namount” of all goods, delivered in May, "
    "is due: $1,857.00 by Friday. Of the goods: " + "more of them, " * 40 + "and their total amount."
)
LEFT_OUT = {
    'The "total amount" … is due:': "The “total\namount” of all goods, delivered in May, is due",
    "all goods [...] is due ... Friday": "all goods, delivered in May, is due: $1,857.00 by Friday",
    "…the goods: more. . . more of them": "the goods: more of them, more of them",
    "the goods… more of them": "the goods: more of them",
    "is due: $1,857.00 … delivered in May": None,  # in another order
    "delivered in May ... due: $857.00": None,  # a part of a number
    "total is … delivered": None,  # a part of a word
    "no price … and their total amount": None,  # too far apart
    "is … by": None,  # stands anywhere
    "of … of … of … goods … May … Friday": None,
}


@pytest.mark.parametrize(("quote", "found"), LEFT_OUT.items())
def test_the_pieces_of_a_quote_with_dots_are_found_in_order_near_each_other(
    quote: str, found: str | None
) -> None:
    """As words of their own; the place goes from the first to the last."""
    citation = found_in(Citation(cited_text=quote, kind="located"), Sources([None, Characters(TERMS)]))
    place = TERMS[citation.start_char_index or 0 : citation.end_char_index or 0]
    assert place == (found or "")
    assert citation.grounded is (True if found else None)
    assert citation.document_index == (1 if found else None)


def test_the_pieces_of_a_quote_may_stand_on_two_pages() -> None:
    """At the end of one and the beginning of the next, and no further apart."""
    pages = Blocks(["Goods are sold here.", "They are due", "on delivery in May.", "In all: 857.00"])
    for quote, place in {
        "Goods … sold here": (1, 1),
        "They are … delivery in May": (2, 3),
        "Goods are ... in May": None,
        "They are due … in all: 857.00": None,
    }.items():
        citation = found_in(Citation(cited_text=quote, kind="located"), Sources([pages]))
        assert (citation.pages, citation.grounded) == (place, place is not None)


NUMBERS = "Loss (1,234.50) of 4.03.2024 for 12,000.00 kg, see 5.1. Bolt 3 1.50"
PARTS = {
    "1,234.50": True, "Loss (1,234.50)": True, "234.50": False, "1,234.5": False, "1,234": False,
    "12,000": True, "2,000.00": False, "2024": True, "4.03": True, "03.2024": True,
    "of 4.03.2024": True, "see 5": False,
    "| Bolt | 3 | 1.50 |": True, "Bolt|3|1.50": True, "Bolt | 4 | 1.50": False,
}  # fmt: skip


@pytest.mark.parametrize(("quote", "is_there"), PARTS.items())
@pytest.mark.parametrize("source", [Characters(NUMBERS), Blocks([NUMBERS])], ids=["text", "pages"])
def test_a_part_of_a_number_is_not_in_the_document(quote: str, is_there: bool, source: Source) -> None:
    """But cents of 00 may be left out, and a day or a year may be quoted of a date; pipes are of tables."""
    found = found_in(Citation(cited_text=quote, kind="located"), Sources([source]))
    assert found.grounded is is_there


def test_a_quote_may_go_on_where_a_page_ends() -> None:
    """Also in the middle of a word; two numbers do not become one."""
    pages = Blocks(["This is an exam-", "ple of 12", "34 things. " + "More. " * 300, "The end."])
    for quote, place in {
        "an example of 12": (1, 2),
        "of 12 34 things": (2, 3),
        "of 1234 things": None,
        "an example of 12 34 things": None,
    }.items():
        citation = found_in(Citation(cited_text=quote, kind="located"), Sources([pages]))
        assert (citation.pages, citation.grounded) == (place, place is not None)


def test_a_digit_more_behind_a_quote_may_be_the_mark_of_a_footnote() -> None:
    """The text of a PDF has it like any other; in plain text it is a part of the number."""
    for source, is_there in ((Blocks(["Total 1,2341 EUR"]), None), (Characters("Total 1,2341 EUR"), False)):
        found = found_in(Citation(cited_text="Total 1,234", kind="located"), Sources([source]))
        assert found.grounded is is_there


def test_marks_of_typesetters_in_a_text_are_not_looked_for() -> None:
    """As on pages."""
    text = "Das ist \u201eBright\u00adwater\u201c \u2013 it\u2019s of\ufb01ce"
    found = found_in(
        Citation(cited_text='"Brightwater" - it\'s office', kind="located"), Sources([Characters(text)])
    )
    assert (found.start_char_index, found.end_char_index, found.grounded) == (8, len(text), True)


def test_without_a_response_model_there_is_nothing_to_quote_for() -> None:
    """The error says what to give, before anything is sent."""
    with pytest.raises(UnsupportedModelError, match="with a response_model it is asked for quotes"):
        BatchManager(
            messages=[[{"role": "user", "content": "hi"}]], model="gpt-5-nano", enable_citations=True
        )


@pytest.mark.parametrize(
    "text",
    [
        "plain words",
        json.dumps(ANSWER),
        json.dumps({"answer": ANSWER, QUOTES: "none"}),
        json.dumps({"answer": ANSWER, QUOTES: [], "more": 1}),
        f'{{"answer": {{"a": 1}}, "{QUOTES}": [',
    ],
)
def test_what_is_no_answer_with_quotes_is_left_to_the_reader(text: str) -> None:
    """It says what is wrong with it."""
    blocks = [Block("text", text)]
    assert with_citations(blocks) == blocks


def test_the_answer_keeps_its_characters() -> None:
    """Digits and escapes as they were written; a quote of a list is one of all its values."""
    inner = '{"a": 1.500, "l": ["\\u00e9", {"b": 2}]}'
    quotes = [{"field": "l", "quote": "x"}, {"field": "l[1].b", "quote": "y"}]
    whole = f'{{"answer": {inner}, "{QUOTES}": {json.dumps(quotes)}}}'
    blocks = with_citations([Block("text", f"```json\n{whole}\n```")])
    assert joined_text(blocks) == inner
    cited = {block.text: [c.cited_text for c in block.citations] for block in blocks if block.citations}
    assert cited == {"\\u00e9": ["x"], "2": ["y"]}


def test_definitions_stay_at_the_root_of_the_schema() -> None:
    """References point there."""
    made = quoted_schema(Invoice.model_json_schema())
    assert made["$defs"].keys() == {"Vendor"}
    assert "$defs" not in made["properties"]["answer"]


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
@pytest.mark.parametrize("model", ["gpt-6-sol", "gemini-2.5-flash"])
def test_the_sandbox_quotes_what_it_reads(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """So that the same script shows its citations offline, whichever provider it goes to."""
    with Sandbox() as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        manager = BatchManager[Invoice](
            files=[PDF],
            prompt="Extract.",
            model=model,
            response_model=Invoice,
            enable_citations=True,
            state_path=tmp_path / "run.db",
            poll_interval=0.01,
        )
        manager.run()
    (item,) = manager.items()
    assert item.result is not None
    assert (item.result.total, item.result.vendor.name) == (857.0, "Brightwater Software Inc.")
    (citation,) = item.cited("total")
    assert told(citation) == ("located", (2, 2), True, True)
    assert (item.uncited, item.unsupported) == ([], [])


def test_what_was_sent_is_read_again_part_by_part() -> None:
    """Texts and PDFs can be quoted from; pictures, and what only the service has, cannot."""
    data = f"data:application/pdf;base64,{b64encode(PDF.read_bytes()).decode()}"
    told = [
        {"type": "text", "text": "Sold by Acme"},
        {"type": "input_file", "filename": "a.pdf", "file_data": data},
        {"type": "input_image", "image_url": "data:image/png;base64,eA=="},
        {"type": "input_file", "file_id": "file-1"},
    ]
    messages = [{"role": "user", "content": told}, {"role": "assistant", "content": "None of it"}]
    found = sources_of_parts(json.dumps({"messages": messages}).encode())
    text, pdf, *others = found.documents
    assert isinstance(text, Characters)
    assert isinstance(pdf, PdfText)
    assert (text.text(0, 4), others) == ("Sold", [None, None])
    assert "Amount due" in (pdf.text(0, 2) or "")
    other = {"messages": [{"role": "user", "content": [{"type": "of another version"}]}]}
    assert sources_of_parts(json.dumps(other).encode()).documents == ()


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ({"media_type": "text/plain", "data": b64encode(b"Acme").decode()}, Characters),
        ({"media_type": "text/plain", "data": b64encode(b"\xff\xfe\xff").decode()}, None),
        ({"media_type": "image/png", "data": b64encode(b"x").decode()}, None),
        ({"media_type": "text/plain", "path": None}, None),
        ({"media_type": "text/plain", "path": "/nowhere/a.txt", "sha256": "0"}, None),
        ({"media_type": "application/pdf", "path": str(PDF), "sha256": "0"}, None),  # changed since
        ({"media_type": "application/pdf", "path": str(PDF)}, PdfText),
    ],
)
def test_a_file_is_quoted_from_as_it_was_sent(file: dict[str, Any], kind: type | None) -> None:
    """Not once it is gone or was changed, and a picture never."""
    whole = {"sha256": sha256(PDF.read_bytes()).hexdigest()} | file
    found = source_of_file(whole)
    assert (None if found is None else type(found)) is kind
