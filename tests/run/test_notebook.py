"""What a notebook shows of items, estimates, summaries and managers: text as text, and marked pages."""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64decode
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import BaseModel

from batchata import BatchManager
from batchata.sandbox import Answer, Request, Sandbox

DOCUMENTS = Path(__file__).resolve().parents[2] / "examples" / "documents"
INVOICE = "invoice-brightwater.pdf"
EVIL = "</td></table><script>window.hacked = 1</script><img src=x onerror=alert(1)>"


class Read(BaseModel):
    """What is read from a document."""

    total: str
    note: str


def answer(request: Request) -> Answer:
    """A total that stands on the second page, and a note that wants to be markup, cited by markup."""
    place: dict[str, Any] = {"type": "page_location", "document_index": 0, "document_title": EVIL}
    right = place | {"cited_text": "Amount due: $857.00", "start_page_number": 2, "end_page_number": 3}
    odd = place | {"cited_text": EVIL, "start_page_number": 1, "end_page_number": 2}
    parts = [
        ('{"total": ', None),
        ('"857.00"', [right]),
        (', "note": ', None),
        (json.dumps(EVIL + " 1"), [odd]),
        ("}", None),
    ]
    return Answer(content=[{"type": "text", "text": text, "citations": cited} for text, cited in parts])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BatchManager[Read]]:
    """A run over one invoice."""
    folder = tmp_path_factory.mktemp("notebook")
    shutil.copy(DOCUMENTS / INVOICE, folder)
    with Sandbox(answers=answer) as served:
        manager = BatchManager[Read](
            files=[folder / INVOICE],
            prompt="Extract.",
            model="claude-sonnet-5-5",
            response_model=Read,
            enable_citations=True,
            state_path=folder / "run.db",
            poll_interval=0.01,
            api_key="k",
            base_url=served.url,
        )
        manager.run()
        yield manager


class Elements(HTMLParser):
    """The elements of a text of HTML, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.names.add(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def test_an_item_shows_its_fields_marks_and_pages(made: BatchManager[Read]) -> None:
    """Markup of models and documents stays letters; only the page on which a passage is found is drawn."""
    (item,) = made.items()
    shown = item._repr_html_()
    found = Elements(shown)
    assert found.names == {"div", "b", "table", "tbody", "tr", "th", "td", "br", "svg", "image", "rect"}
    assert found.words.count("<script>window.hacked = 1</script>") == 4  # value, passage, two titles
    assert f"item 0 · {INVOICE}" in found.words
    assert "says the value" in found.words
    assert re.findall(r"page \d(?=<)", shown) == ["page 2"]
    assert_no_line_is_cut(shown)


def assert_no_line_is_cut(shown: str) -> None:
    """The first and the last row of what is shown of the page are paper."""
    top, height, data = re.findall(r'viewBox="0 (\d+) \d+ (\d+)"[^<]+<image href="[^,]+,([^"]+)"', shown)[0]
    with Image.open(BytesIO(b64decode(data))) as page:
        rows = page.convert("L")
    for y in (int(top), int(top) + int(height)):
        row = rows.crop((0, y, rows.width, y + 1)).tobytes()
        assert max(row) - min(row) < 64, y


def test_a_file_that_is_gone_shows_no_page(made: BatchManager[Read]) -> None:
    """The item shows all the rest."""
    (item,) = made.items()
    item.source = "gone.pdf"
    assert "svg" not in Elements(item._repr_html_()).names


def test_estimate_summary_and_manager_show_their_lines(made: BatchManager[Read]) -> None:
    """What they print is what they show."""
    assert Elements(made.estimate()._repr_html_()).words == str(made.estimate())
    summary: Any = made.run()
    assert "completed items     1\n" in Elements(summary._repr_html_()).words
    assert json.loads(json.dumps(summary, default=str))["total_items"] == 1
    shown = Elements(made._repr_html_())
    assert shown.names == {"pre"}
    assert "items     1: 1 completed" in shown.words
