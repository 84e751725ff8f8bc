"""What reading costs: usual answers beside json.loads and model_validate, hostile texts by the megabyte.

python tests/benchmarks/reading_cost.py [usual | hostile [SHAPE ...]]
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import pydantic
from citation_corpus import Invoice
from hostile_answers import LINES, SHAPES, Order

from batchata.answers.answer import Block, Citation
from batchata.answers.reader import Reader

_ROUNDS = 15
_ANSWERS_A_ROUND = 200
_SIZES = (0.25, 0.5, 1.0, 2.0)  # megabytes


class Four(pydantic.BaseModel):
    vendor: str
    number: str
    total: float
    paid: bool


class Payment(pydantic.BaseModel):
    payee: str
    amount: Decimal
    fee: Decimal | None = None
    booked: datetime


class Part(pydantic.BaseModel):
    name: str
    code: str
    count: int
    price: float
    tags: list[str] = []


class Section(pydantic.BaseModel):
    title: str
    parts: list[Part]
    note: str | None = None


class Catalogue(pydantic.BaseModel):
    publisher: str
    year: int
    sections: list[Section]


class Usual(NamedTuple):
    """An answer as a model gives it most of the time; `json` is what stands in it."""

    name: str
    model: type[pydantic.BaseModel]
    blocks: list[Block]
    json: str
    is_cited: bool = False


FOUR = '{"vendor": "Brightwater Software Inc.", "number": "INV-2041", "total": 857.5, "paid": false}'
PAYMENT = '{"payee": "Ann Lee", "amount": 1234.50, "fee": 0.35, "booked": "2025-03-04T10:11:12Z"}'


def _invoice() -> str:
    lines = [
        {"description": f"Consulting, month {k} of the project", "quantity": k, "unitPrice": 120.5}
        for k in range(1, 7)
    ]
    party = {"name": "Kestrel Freight Ltd", "city": "Hamburg", "taxId": "DE123456789"}
    value: dict[str, object] = {
        "invoice_number": "INV-2041",
        "issued": "2025-03-04",
        "due": "2025-04-03",
        "vendor": party,
    }
    value |= {"customer": {**party, "city": "Lyon"}, "lines": lines}
    value |= {"sub_total": 2530.5, "tax": 480.8, "total": 3011.3, "currency": "EUR", "paid": True}
    return json.dumps(
        {**value, "remarks": {"terms": "30 days net", "delivery": "by road, as agreed in March"}}
    )


def _catalogue() -> str:
    def part(k: int) -> dict[str, object]:
        return {
            "name": f"Part {k}",
            "code": f"C-{k:05d}",
            "count": k,
            "price": k + 0.25,
            "tags": ["new", "x"],
        }

    sections = [
        {"title": f"Section {s}", "parts": [part(10 * s + k) for k in range(10)], "note": "as of March"}
        for s in range(11)
    ]
    return json.dumps({"publisher": "Delta", "year": 2025, "sections": sections})


def _cited(text: str) -> list[Block]:
    """The text in blocks, each value of it with a citation, as the API cuts it."""
    blocks: list[Block] = []
    rest = text
    for n in range(23):
        before, colon, rest = rest.partition('": ')
        if not colon:
            break
        value, comma, rest = rest.partition(", ")
        said = Citation("page_location", f"the source of {value}", 0, "a.pdf", n + 1, n + 2)
        blocks += [Block("text", before + colon), Block("text", value, [said]), Block("text", comma)]
    return [*blocks, Block("text", rest)]


def _said(text: str) -> list[Block]:
    return [Block("text", text)]


WILD = (
    "Here is what I found:\n\n"
    + FOUR.replace('"', "'").replace("false", "False")
    + "\n\nTell me if you need more."
)
USUAL = [
    Usual("four fields", Four, _said(FOUR), FOUR),
    Usual("1 KB", Invoice, _said(_invoice()), _invoice()),
    Usual("10 KB, nested", Catalogue, _said(_catalogue()), _catalogue()),
    Usual("Decimal and datetime", Payment, _said(PAYMENT), PAYMENT),
    Usual("23 cited values", Invoice, _cited(_invoice()), _invoice(), is_cited=True),
    Usual("in a fence", Four, _said(f"```json\n{FOUR}\n```"), FOUR),
    Usual("wild: prose and single quotes", Four, _said(WILD), FOUR),
]


def microseconds(run: Callable[[], object]) -> float:
    """The CPU time of one call, in the mean over a round."""
    began = time.process_time()
    for _ in range(_ANSWERS_A_ROUND):
        run()
    return (time.process_time() - began) / _ANSWERS_A_ROUND * 1e6


def measured(usual: Usual) -> tuple[float, float]:
    """Reading, and the plain way to the same value; measured in turn, the best round of each."""
    reader = Reader(usual.model, enable_citations=usual.is_cited)
    assert reader.read(usual.blocks, "end_turn").error is None, usual.name
    rounds = [
        (
            microseconds(lambda: reader.read(usual.blocks, "end_turn")),
            microseconds(lambda: usual.model.model_validate(json.loads(usual.json))),
        )
        for _ in range(_ROUNDS)
    ]
    ours, plain = zip(*rounds, strict=True)
    return min(ours), min(plain)


def usual() -> None:
    """Print the table of usual answers."""
    print(f"{'answer':32} {'bytes':>7} {'µs':>8} {'json.loads + model_validate':>28} {'ratio':>6}")
    for answer in USUAL:
        ours, plain = measured(answer)
        print(f"{answer.name:32} {len(answer.json):7,} {ours:8.1f} {plain:28.1f} {ours / plain:6.2f}")


def _seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def _characters(blocks: list[Block]) -> int:
    cited = [citation for block in blocks for citation in block.citations or []]
    return sum(len(block.text or "") for block in blocks) + sum(len(one.cited_text) for one in cited)


def hostile(chosen: list[str]) -> None:
    """Print the seconds a megabyte of each hostile shape, by size; equal figures are linear."""
    reader = Reader(Order, enable_citations=True)
    plain = json.dumps({"name": "x", "tags": ["a plain text of some words"] * 35_000})
    took = min(_seconds(lambda: Order.model_validate(json.loads(plain))) for _ in range(3))
    floor = took / (len(plain) / 1e6)
    print(f"json.loads and model_validate of plain text: {floor * 1e3:.1f} ms a MB; below: s a MB")
    print(f"{'shape':44}" + "".join(f"{size:>8} MB" for size in _SIZES) + f"{'ratio':>10}")
    for name, build in SHAPES.items():
        if not chosen or name in chosen:
            rates: list[float] = []
            for size in _SIZES:
                blocks = build(int(size * 1e6))
                took = _seconds(lambda given=blocks: reader.read(given, "end_turn"))  # type: ignore[misc]
                rates.append(took / (_characters(blocks) / 1e6))
            _print_rates(name, rates, floor)
    for name, shape in LINES.items():
        if not chosen or name in chosen:
            _print_rates(name, [_rate_of_lines(shape, size) for size in _SIZES], floor)


def _rate_of_lines(shape: Callable[[int], bytes], size: float) -> float:
    from batchata.providers.anthropic.results import decode_line

    line = shape(int(size * 1e6))
    return _seconds(lambda: decode_line(line)) / (len(line) / 1e6)


def _print_rates(name: str, rates: list[float], floor: float) -> None:
    shown = "".join(f"{rate:11.2f}" for rate in rates)
    print(f"{name:44}{shown}{statistics.median(rates) / floor:10.0f}", flush=True)


def main() -> None:
    what, *chosen = sys.argv[1:] or [""]
    if what != "hostile":
        usual()
    if what != "usual":
        hostile(chosen)


if __name__ == "__main__":
    main()
