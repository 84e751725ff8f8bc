"""The rule-based reader: labelled values, typed by the schema, cited where they stand."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from batchata.sandbox import Sandbox
from batchata.sandbox.anthropic.messages import blocks_of
from batchata.sandbox.anthropic.requests import MessageRequest
from batchata.sandbox.reading import read

INVOICE = """ACME GmbH
Invoice No: A-2024/17        Invoice date: March 5, 2024
Due date: 04/04/2024
Customer: Jane Müller
Status: paid

Description        Quantity    Unit price    Amount
Blue widget        2           10.00         20.00
Red widget, big    1           1,250.50      1,250.50
Subtotal                                     1,270.50
VAT 19%                                      241.40
Total              EUR                       1,511.90
Contact: billing@acme.example, phone +49 30 1234567
IBAN DE89 3704 0044 0532 0130 00
"""


def obj(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def nullable(kind: str, **more: Any) -> dict[str, Any]:
    return {"anyOf": [{"type": kind, **more}, {"type": "null"}]}


def text_document(data: str, title: str | None = None, cited: bool = True) -> dict[str, Any]:
    source = {"type": "text", "media_type": "text/plain", "data": data}
    return {"type": "document", "title": title, "source": source, "citations": {"enabled": cited}}


def pdf_document(content: bytes) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(content).decode()}
    return {"type": "document", "source": source, "citations": {"enabled": True}}


def ask(content: Any, schema: dict[str, Any] | None = None, **params: Any) -> list[dict[str, Any]]:
    """The content blocks of the answer; the schema goes by the system prompt, as with citations."""
    system = {"system": f"Answer with JSON that fits this schema:\n{json.dumps(schema)}"} if schema else {}
    messages = [{"role": "user", "content": content}]
    return blocks_of(read(MessageRequest("r", {"messages": messages, **system, **params})))


def filled(content: Any, schema: dict[str, Any]) -> Any:
    return json.loads("".join(block["text"] for block in ask(content, schema)))


def test_labelled_values_are_typed_by_the_schema() -> None:
    """Strings, ISO dates, numbers, enums, currencies, e-mail, IBAN: read, not invented."""
    schema = obj(
        {
            "invoice_number": {"type": "string"},
            "invoice_date": {"type": "string", "format": "date"},
            "due_date": nullable("string", format="date"),
            "customer": {"type": "string"},
            "status": {"enum": ["open", "paid"]},
            "net": {"type": "number"},
            "tax": {"type": "number"},
            "total": {"type": "number"},
            "currency": {"type": "string"},
            "email": {"type": "string"},
            "iban": {"type": "string"},
            "is_paid": {"type": "boolean"},
            "order_number": nullable("string"),
        }
    )
    assert filled([text_document(INVOICE)], schema) == {
        "invoice_number": "A-2024/17",
        "invoice_date": "2024-03-05",
        "due_date": "2024-04-04",
        "customer": "Jane Müller",
        "status": "paid",
        "net": 1270.5,
        "tax": 241.4,
        "total": 1511.9,
        "currency": "EUR",
        "email": "billing@acme.example",
        "iban": "DE89 3704 0044 0532 0130 00",
        "is_paid": True,
        "order_number": None,
    }


def test_tables_become_lists_of_objects_and_objects_nest() -> None:
    """Rows by their headings; a nested object by its own labels; references are followed."""
    line = obj(
        {"description": {"type": "string"}, "quantity": {"type": "integer"}, "amount": {"type": "number"}}
    )
    schema = obj(
        {
            "customer": obj({"name": {"type": "string"}, "phone": nullable("string")}),
            "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        }
    ) | {"$defs": {"Line": line}}
    answer = filled([text_document(INVOICE)], schema)
    assert answer["customer"] == {"name": "Jane Müller", "phone": "+49 30 1234567"}
    assert answer["lines"] == [
        {"description": "Blue widget", "quantity": 2, "amount": 20.0},
        {"description": "Red widget, big", "quantity": 1, "amount": 1250.5},
    ]


def test_columns_may_be_headed_by_other_words() -> None:
    """What means the same serves the field; each column serves one."""
    kinds = {"description": "string", "quantity": "integer", "unit_price": "number", "amount": "number"}
    line = obj({name: {"type": kind} for name, kind in kinds.items()})
    text = "Item          Qty    Rate    Total\nBlue widget   2      10.50   21.00\nBalance due 21.00"
    assert filled(text, obj({"lines": {"type": "array", "items": line}}))["lines"] == [
        {"description": "Blue widget", "quantity": 2, "unit_price": 10.5, "amount": 21.0}
    ]


def test_what_is_not_there_is_null_or_empty() -> None:
    """Nothing is invented: null where the schema allows it, else the empty value of the type."""
    schema = obj(
        {
            "invoice_number": nullable("string"),
            "total": nullable("number"),
            "vendor": {"type": "string"},
            "lines": {
                "type": "array",
                "items": obj({"name": {"type": "string"}, "price": {"type": "number"}}),
            },
            "customer": {"anyOf": [obj({"name": {"type": "string"}}), {"type": "null"}]},
        }
    )
    assert filled([text_document("Nothing of the kind.")], schema) == {
        "invoice_number": None,
        "total": None,
        "vendor": "",
        "lines": [],
        "customer": None,
    }


def test_a_plain_text_citation_has_exact_offsets() -> None:
    """Each read value is a block of its own whose cited text stands at its offsets in the document."""
    schema = obj(
        {"invoice_number": {"type": "string"}, "total": {"type": "number"}, "po_number": nullable("string")}
    )
    blocks = ask([text_document("Not this one."), text_document("\U0001f600 é\n" + INVOICE, "T")], schema)
    assert json.loads("".join(block["text"] for block in blocks))["total"] == 1511.9
    cited = {block["text"]: block["citations"] for block in blocks if block["citations"]}
    assert set(cited) == {'"A-2024/17"', "1511.9"}
    for (citation,) in cited.values():
        data = "\U0001f600 é\n" + INVOICE
        assert citation["type"] == "char_location"
        assert citation["document_index"] == 1
        assert citation["document_title"] == "T"
        assert citation["file_id"] is None
        start, end = citation["start_char_index"], citation["end_char_index"]
        assert data[start:end] == citation["cited_text"]
    assert "Invoice No: A-2024/17" in cited['"A-2024/17"'][0]["cited_text"]


def test_custom_content_is_cited_by_whole_blocks() -> None:
    """Custom content is not cut: the citation is the block, its index 0-based and its end exclusive."""
    blocks = [{"type": "text", "text": t} for t in ("Hello there.", "Total: 12,50 EUR. Thanks.")]
    source = {"type": "content", "content": blocks}
    document = {"type": "document", "source": source, "citations": {"enabled": True}}
    (cited,) = [b for b in ask([document], obj({"total": {"type": "number"}})) if b["citations"]]
    assert cited["text"] == "12.5"
    (citation,) = cited["citations"]
    assert citation["type"] == "content_block_location"
    assert (citation["start_block_index"], citation["end_block_index"]) == (1, 2)
    assert citation["cited_text"] == "Total: 12,50 EUR. Thanks."


def test_without_citations_there_is_one_block() -> None:
    """The same answer uncut."""
    (block,) = ask([text_document(INVOICE, cited=False)], obj({"total": {"type": "number"}}))
    assert json.loads(block["text"]) == {"total": 1511.9}
    assert block["citations"] is None


def test_prose_quotes_the_sentence_that_answers() -> None:
    """Without a schema: the sentences nearest to the question, each cited where it stands."""
    data = "The grass is green. The sky is blue today.\nWater is wet."
    blocks = ask([text_document(data), {"type": "text", "text": "What colour is the sky?"}])
    (cited,) = [block for block in blocks if block["citations"]]
    assert cited["text"] == "The sky is blue today."
    citation = cited["citations"][0]
    assert data[citation["start_char_index"] : citation["end_char_index"]] == citation["cited_text"]


def test_a_choice_is_read_only_where_it_is_written() -> None:
    """The reader finds what stands in the text; it judges nothing: an enum without a word takes its first."""
    schema = obj({"mode": {"enum": ["air", "sea_freight"]}, "is_urgent": {"type": "boolean"}})
    assert filled("Shipped by sea freight.\nUrgent: yes", schema) == {
        "mode": "sea_freight",
        "is_urgent": True,
    }
    assert filled("Shipped somehow.", schema) == {"mode": "air", "is_urgent": False}


def test_what_is_no_common_field_is_read_by_its_own_name() -> None:
    """Whatever a property is called: numbers and shares, lists in one line, texts that hold an amount."""
    schema = obj(
        {
            "voltage": {"type": "integer"},
            "humidity": {"type": "number"},
            "keywords": {"type": "array", "items": {"type": "string"}},
            "readings": {"type": "array", "items": {"type": "number"}},
            "serialNumber": {"type": "string"},
            "total": {"type": "string"},
            "kind": {"const": "report"},
        }
    )
    text = (
        "Voltage: 230\nHumidity: 45.5 %\nKeywords: dry, calm, cold\nReadings: 1.5, 2\n"
        "Serial no: K-77\nTotal: 12.50 EUR"
    )
    assert filled(text, schema) == {
        "voltage": 230,
        "humidity": 45.5,
        "keywords": ["dry", "calm", "cold"],
        "readings": [1.5, 2],
        "serialNumber": "K-77",
        "total": "12.50 EUR",
        "kind": "report",
    }


def test_a_forced_tool_gets_the_filled_schema() -> None:
    """Older models may still be forced to use a tool; its input is the answer."""
    tool = {"name": "save", "input_schema": obj({"total": {"type": "number"}})}
    (block,) = ask(INVOICE, tools=[tool], tool_choice={"type": "tool", "name": "save"})
    assert (block["type"], block["name"], block["input"]) == ("tool_use", "save", {"total": 1511.9})


def test_real_invoices_are_read_and_cited(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
    shared: Any,
) -> None:
    """All labelled numbers, dates and amounts of seven real invoices, each cited on a page that has it."""
    schema = obj(
        {
            "invoice_number": nullable("string"),
            "date": nullable("string", format="date"),
            "amount": nullable("number"),
        }
    )
    system = f"Answer with JSON that fits this schema:\n{json.dumps(schema)}"
    paths = {path.stem: path for path in sorted((shared / "pdf").glob("invoice_*.pdf"))}
    requests = [
        request_of(name, [pdf_document(path.read_bytes())], model="claude-sonnet-5-5", system=system)
        for name, path in paths.items()
    ]
    client = connect(serve())
    batch = client.messages.batches.create(requests=requests)
    right, wrong = 0, []
    for line in client.messages.batches.results(batch.id):
        truth = json.loads(paths[line.custom_id].with_suffix(".expected.json").read_text())[0]
        pages = MessageRequest("r", requests[list(paths).index(line.custom_id)]["params"]).documents[0].pages
        blocks = [block for block in line.result.message.content if block.type == "text"]
        answer = json.loads("".join(block.text for block in blocks))
        for field in schema["properties"]:
            if field in truth:
                right += answer[field] == truth[field]
                wrong += [(line.custom_id, field)] * (answer[field] != truth[field])
        for citation in [c for block in blocks for c in block.citations or []]:
            assert citation.end_page_number == citation.start_page_number + 1
            assert citation.cited_text in pages[citation.start_page_number - 1]
    assert wrong == []
    assert right == 20
