"""Makes runs with citations, one of texts that try to break out of a page, and reads what a page holds."""

from __future__ import annotations

import io
import json
import re
import zlib
from base64 import b64decode
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from batchata import BatchManager
from batchata.sandbox import Answer, Request, Sandbox

DOCUMENTS = Path(__file__).resolve().parents[2] / "examples" / "documents"

SCRIPT = "<script>window.hacked = 1</script>"
BREAKOUT = f'</script>{SCRIPT}<img src=x onerror="window.hacked=1">"\'&amp;\u202e-->'
ERROR = f"no good: {BREAKOUT}"
# A file's name holds no slash; a name like this would still start an element.
FILE = '<img src=x onerror="window.hacked=1">{}.txt'


class Invoice(BaseModel):
    """What is read from a document."""

    vendor: str
    total: float


def citing(
    sandbox: Sandbox, path: Path, files: Sequence[Path], response_model: type[BaseModel] = Invoice
) -> BatchManager[Any]:
    """A run over files whose values are cited, with its log at `path`; nothing is sent yet."""
    return BatchManager(
        files=files,
        prompt="Extract the invoice.",
        model="claude-sonnet-5-5",
        response_model=response_model,
        enable_citations=True,
        state_path=path,
        poll_interval=0.01,
        api_key=sandbox.api_key,
        base_url=sandbox.url,
    )


class Note(BaseModel):
    """What the model says of a document."""

    said: str
    number: int


def hostile_answer(request: Request) -> Answer:
    """Markup in the value and in the cited passage; the third document is refused with markup."""
    number = int(str(request.documents[0].title).split(">")[1].removesuffix(".txt"))
    if number == 2:
        return Answer(kind="errored", error_type="invalid_request_error", error_message=ERROR)
    cited = {
        "type": "char_location",
        "cited_text": f"passage {BREAKOUT}",
        "document_index": 0,
        "document_title": FILE.format(number),
        "start_char_index": 0,
        "end_char_index": 9,
    }
    value = json.dumps(f"said {BREAKOUT}")
    return Answer(
        content=[
            {"type": "text", "text": '{"said": ', "citations": None},
            {"type": "text", "text": value, "citations": [cited]},
            {"type": "text", "text": f', "number": {number}}}', "citations": None},
        ]
    )


def hostile_run(path: Path, count: int = 5) -> None:
    """A run over named texts; everything a model, a document or the user wrote has markup in it."""
    files = []
    for number in range(count):
        files.append(io.BytesIO(f"{BREAKOUT} number{number}".encode()))
        files[-1].name = FILE.format(number)
    BatchManager(
        files=files,
        prompt=f"Read this. {BREAKOUT}",
        system=BREAKOUT,
        model="claude-sonnet-5-5",
        response_model=Note,
        enable_citations=True,
        items_per_job=2,
        state_path=path,
        run_id=f"run {SCRIPT}",
        poll_interval=0.01,
        retry_delay=0.01,
        max_cost=5,
    ).run()


def blocks(page: str, kind: str) -> list[Any]:
    """The JSON of each block of a kind, as the page's own script reads it."""
    found = re.findall(rf'<script type="text/plain" data-kind="{kind}">([A-Za-z0-9+/=]*)</script>', page)
    return [
        [json.loads(line) if line else None for line in text.split("\n")]
        if kind == "items"
        else json.loads(text)
        for text in (zlib.decompress(b64decode(block)).decode() for block in found)
    ]


def records(page: str) -> list[Any]:
    """The record of every item."""
    return [record for block in blocks(page, "items") for record in block]


def words(page: str) -> str:
    """The page's text without its markup, style and scripts."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", " ", bare))
