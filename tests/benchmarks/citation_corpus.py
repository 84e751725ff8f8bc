"""Built answers whose citations are known to belong to certain fields, in the shapes in which answers come.

What is true is known from how an answer is built; nothing of the library takes part in it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

import pydantic

from batchata.answers.answer import Block, Citation


class Party(pydantic.BaseModel):
    name: str
    city: str | None = None
    tax_id: str | None = pydantic.Field(None, alias="taxId")


class Line(pydantic.BaseModel):
    description: str
    quantity: int
    unit_price: float = pydantic.Field(alias="unitPrice")


class Invoice(pydantic.BaseModel):
    invoice_number: str
    issued: date
    due: date | None = None
    vendor: Party
    customer: Party | None = None
    lines: list[Line] = []
    sub_total: float
    tax: float
    total: float
    currency: str = "EUR"
    paid: bool = False
    remarks: dict[str, str] = {}


@dataclass
class Case:
    """An answer, and which citations (by their texts) belong to which fields; all others to none."""

    shape: str
    blocks: list[Block]
    truth: set[tuple[str, str]] = field(default_factory=set)


class Value(NamedTuple):
    """A scalar in a printed JSON: its path by Python names, and its characters without quotes."""

    path: str
    value: Any
    start: int
    end: int


_NAMES = ["Acme", "Nordwind", "Bright Water", "Kestrel", "Łódź Trade", "Müller & Söhne", "17 Mile", "Delta 3"]
_FORMS = ["GmbH", "Inc.", "Ltd", "S.A.", "KG", '"Best" Co']
_CITIES = ["Hamburg", "Lyon", "Köln", "Kraków", "Austin", "São Paulo", "東京"]
_THINGS = [
    "Widget",
    "Gadget",
    "Consulting",
    "Cloud hosting, 12 months",
    "Cable 3 m",
    "Paper A4",
    "Licence\nper seat",
]
_PYTHON_NAMES = {"taxId": "tax_id", "unitPrice": "unit_price"}


def invoice(random: Random, lines: int | None = None) -> dict[str, Any]:
    """An invoice as JSON, by aliases; values repeat, and stand inside others, as they do in life."""
    count = random.randint(0, 6) if lines is None else lines
    day = date(2020, 1, 1) + timedelta(random.randint(0, 2200))
    sub_total = random.choice([round(random.uniform(1, 9_999), 2), random.randint(1, 500), 17])
    tax = random.choice([0, round(sub_total * 0.19, 2), sub_total])
    made: dict[str, Any] = {
        "invoice_number": random.choice(
            ["17", "INV-17", f"{random.randint(1, 99_999)}/A", f"R {day.year}-17"]
        ),
        "issued": day.isoformat(),
        "vendor": _party(random),
        "lines": [_line(random) for _ in range(count)],
        "sub_total": sub_total,
        "tax": tax,
        "total": round(sub_total + tax, 2),
        "currency": random.choice(["EUR", "USD", "PLN"]),
    }
    if random.random() < 0.5:
        made["due"] = random.choice([None, day.isoformat(), (day + timedelta(30)).isoformat()])
    if random.random() < 0.5:
        made["customer"] = random.choice([None, made["vendor"], _party(random)])
    if random.random() < 0.4:
        made["remarks"] = {
            "terms": "30 days",
            "no. 2": random.choice(["17", "see \\ above", made["vendor"]["name"]]),
        }
    if random.random() < 0.3:
        made["paid"] = random.random() < 0.5
    keys = list(made)
    if random.random() < 0.5:
        random.shuffle(keys)
    return {key: made[key] for key in keys}


def _party(random: Random) -> dict[str, Any]:
    made: dict[str, Any] = {"name": f"{random.choice(_NAMES)} {random.choice(_FORMS)}"}
    if random.random() < 0.7:
        made["city"] = random.choice(_CITIES)
    if random.random() < 0.4:
        made["taxId"] = f"DE{random.randint(100_000_000, 999_999_999)}"
    return made


def _line(random: Random) -> dict[str, Any]:
    price = random.choice([17, 5, round(random.uniform(1, 900), 2)])
    return {"description": random.choice(_THINGS), "quantity": random.randint(1, 20), "unitPrice": price}


def print_json(value: Any, random: Random) -> tuple[str, list[Value]]:
    """The value as JSON in one of several styles, and where its scalars stand."""
    style = random.choice(["compact", "spaced", "indented", "indented"])
    ascii_only = random.random() < 0.3
    parts: list[str] = []
    found: list[Value] = []
    length = 0

    def write(text: str) -> None:
        nonlocal length
        parts.append(text)
        length += len(text)

    def gap(depth: int) -> str:
        return "\n" + "  " * depth if style == "indented" else ""

    def walk(value: Any, path: str, depth: int) -> None:
        if not isinstance(value, dict | list) or not value:
            text = json.dumps(value, ensure_ascii=ascii_only)
            quote = 1 if isinstance(value, str) else 0
            if not isinstance(value, dict | list):
                found.append(Value(path, value, length + quote, length + len(text) - quote))
            write(text)
            return
        is_dict = isinstance(value, dict)
        write("{" if is_dict else "[")
        for n, entry in enumerate(value.items() if is_dict else value):
            write(("," if n else "") + ("" if style != "spaced" or not n else " ") + gap(depth + 1))
            if is_dict:
                key, item = entry
                write(json.dumps(key, ensure_ascii=ascii_only) + (":" if style == "compact" else ": "))
                step = _PYTHON_NAMES.get(key, key) if "." not in key else f'["{key}"]'
                walk(item, f"{path}.{step}" if path and step[0] != "[" else path + step, depth + 1)
            else:
                walk(entry, f"{path}[{n}]", depth + 1)
        write(gap(depth) + ("}" if is_dict else "]"))

    walk(value, "", 0)
    return "".join(parts), found


class Marks:
    """Cited stretches of a text, and the truth of them."""

    def __init__(self, shape: str, random: Random) -> None:
        self.case = Case(shape, [])
        self._random = random
        # Of letters: a number would be one more thing that a cited text says.
        self._names = ("".join(letters) for letters in itertools.product("qxz", repeat=8))
        self._stretches: list[tuple[int, int, list[Citation]]] = []

    def cite(self, start: int, end: int, paths: list[str], text: str = "") -> None:
        """A block from start to end with one or two citations that belong to these paths."""
        citations = []
        for _ in range(1 if self._random.random() < 0.8 else 2):
            name = f"{text} [{next(self._names)}]".strip()
            citations.append(Citation("page_location", name, 0, "a.pdf", 1, 2))
            self.case.truth |= {(path, name) for path in paths}
        self._stretches.append((start, end, citations))

    def done(self, text: str) -> Case:
        """The answer as blocks."""
        at = 0
        for start, end, citations in sorted(self._stretches, key=lambda stretch: stretch[0]):
            assert at <= start < end <= len(text)
            if start > at:
                self.case.blocks.append(Block("text", text[at:start]))
            self.case.blocks.append(Block("text", text[start:end], citations))
            at = end
        if at < len(text):
            self.case.blocks.append(Block("text", text[at:]))
        return self.case


def at_values(random: Random) -> Case:
    """Blocks that are values, with or without quotes, or with their key."""
    return _positional("at values", random, invoice(random), _one_value)


def many_fields(random: Random) -> Case:
    """Up to a hundred and more values, most of them cited."""
    return _positional("many fields", random, invoice(random, lines=random.randint(15, 40)), _one_value)


def inside_values(random: Random) -> Case:
    """Values cut into two or three blocks, cited or not."""
    return _positional("cut inside values", random, invoice(random), _parts_of_value)


def over_values(random: Random) -> Case:
    """Blocks that cover two values and what is between, and blocks of keys and punctuation alone."""
    return _positional("over several values", random, invoice(random), _two_values)


def in_prose(random: Random) -> Case:
    """JSON in a fence, with prose before and behind."""
    lead = random.choice(
        ["Here is the invoice {as asked}:\n\n```json\n", "Based on [1] the document:\n", "```\n"]
    )
    tail = "\n```\nAnything else?" if "```" in lead else "\n\nThat is all."
    return _positional("in fences and prose", random, invoice(random), _one_value, lead, tail)


type Citing = Callable[[Marks, list[Value], int, Random], int]


def _positional(
    shape: str, random: Random, value: Any, citing: Citing, lead: str = "", tail: str = ""
) -> Case:
    text, found = print_json(value, random)
    found = [v._replace(start=v.start + len(lead), end=v.end + len(lead)) for v in found]
    text = lead + text + tail
    marks, at = Marks(shape, random), 0
    while at < len(found):
        at += citing(marks, found, at, random) if random.random() < 0.75 else 1
    return marks.done(text)


def _one_value(marks: Marks, found: list[Value], at: int, random: Random) -> int:
    value = found[at]
    if value.start == value.end:
        return 1
    quotes = 1 if isinstance(value.value, str) and random.random() < 0.6 else 0
    before = found[at - 1].end + 1 if at else value.start
    start = value.start - quotes
    if random.random() < 0.1 and before < start:
        start = random.randint(before, start)  # some of the key
    marks.cite(start, value.end + quotes, [value.path])
    return 1


def _parts_of_value(marks: Marks, found: list[Value], at: int, random: Random) -> int:
    value = found[at]
    cuts = sorted({random.randint(value.start, value.end) for _ in range(random.randint(1, 3))})
    for first, last in itertools.pairwise([value.start, *cuts, value.end]):
        if last > first and random.random() < 0.7:
            marks.cite(first, last, [value.path])
    return 1


def _two_values(marks: Marks, found: list[Value], at: int, random: Random) -> int:
    value = found[at]
    if at + 1 < len(found) and random.random() < 0.6:
        following = found[at + 1]
        if value.start < value.end and following.start < following.end:
            marks.cite(value.start, following.end, [value.path, following.path])
        return 2
    if at + 1 < len(found) and found[at + 1].start - value.end > 3:
        marks.cite(value.end, found[at + 1].start, [])  # nothing but quotes, commas and a key
    return 1


POSITIONAL: dict[str, Callable[[Random], Case]] = {
    "at values": at_values,
    "many fields": many_fields,
    "cut inside values": inside_values,
    "over several values": over_values,
    "in fences and prose": in_prose,
}


def positional(count: int, seed: int = 1) -> Iterator[Case]:
    """`count` answers of each shape in which positions decide."""
    random = Random(seed)
    for build in POSITIONAL.values():
        for _ in range(count):
            yield build(random)
