"""Answers whose cited stretches are marked in one line of text."""

from __future__ import annotations

import pydantic

from batchata.answers.answer import Block, Citation
from batchata.answers.reader import Reader


def cited(name: str) -> Citation:
    return Citation("page_location", name, 0, "a.pdf", 1, 2)


def answer(marked: str) -> list[Block]:
    """Blocks from a text in which «…» is cited as `…`, «…|a|b» as `a` and `b`."""
    blocks: list[Block] = []
    for part in marked.replace("»", "«").split("«"):
        text, *names = part.split("|")
        is_cited = len(blocks) % 2 == 1
        blocks.append(Block("text", text, [cited(n) for n in names or [text]] if is_cited else None))
    return [block for block in blocks if block.text]


def supported(marked: str, model: type[pydantic.BaseModel]) -> dict[str, list[str]]:
    reading = Reader(model, enable_citations=True).read(answer(marked), "end_turn")
    assert reading.error is None, reading.error
    assert isinstance(reading.citations, dict)
    return {path: [c.cited_text for c in found] for path, found in reading.citations.items()}
