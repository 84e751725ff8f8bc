"""Answers as models vary them, built with the values that are right, by a generator of its own.

It knows nothing of the reader. It varies keys, amounts in the notations of the world, wrappers, escapes, and
writes texts for numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import pydantic


class Party(pydantic.BaseModel):
    name: str
    tax_id: str | None = None


class Item(pydantic.BaseModel):
    description: str
    quantity: int
    unit_price: Decimal = pydantic.Field(alias="unitPrice")


class Invoice(pydantic.BaseModel):
    invoice_number: str
    issued: date
    vendor: Party
    items: list[Item]
    total: Decimal
    vat_percent: float
    remark: str | None = None


@dataclass
class Variant:
    """An answer of a kind; `value` is what it says, None where it may say several things or lost one."""

    kind: str
    text: str
    value: Invoice | None


def variants(count: int, seed: int = 7) -> Iterator[Variant]:
    """So many answers of each kind."""
    random = Random(seed)
    for kind, vary in {**ONE_READING, **TWO_READINGS}.items():
        for _ in range(count):
            value = _value(random)
            text = vary(random, value)
            yield Variant(kind, text, Invoice.model_validate(value) if kind in ONE_READING else None)


def _value(random: Random) -> dict[str, Any]:
    items = [
        {"description": f"Part {n}", "quantity": random.randint(1, 900), "unitPrice": str(_amount(random))}
        for n in range(random.randint(1, 4))
    ]
    return {
        "invoice_number": f"{random.randint(1, 99)}-{random.randint(100, 999)}",
        "issued": date(random.randint(1990, 2030), random.randint(1, 12), random.randint(1, 28)).isoformat(),
        "vendor": {"name": random.choice(["Acme", "Łódź Trade", 'The "Best" Co']), "tax_id": "DE12"},
        "items": items,
        "total": str(_amount(random)),
        "vat_percent": random.choice([7.0, 7.5, 19.0, 21.0]),
        "remark": random.choice([None, "thanks", "a: b"]),
    }


def _amount(random: Random) -> Decimal:
    whole = random.choice([random.randint(0, 999), random.randint(1_000, 99_999_999), 12345678901234567])
    return Decimal(f"{random.choice(['', '', '-'])}{whole}.{random.randint(0, 99):02d}")


def _dumps(value: Any, random: Random) -> str:
    return json.dumps(value, ensure_ascii=random.random() < 0.5, indent=random.choice([None, 2]))


def _with_digits(text: str, value: dict[str, Any]) -> str:
    for amount in [value["total"], *(item["unitPrice"] for item in value["items"])]:
        text = text.replace(f'"{amount}"', amount)
    return text


def _respelled(random: Random, key: str) -> str:
    words = key.replace("unitPrice", "unit_price").split("_")
    return random.choice([
        "_".join(words).upper(),
        " ".join(word.title() for word in words),
        "-".join(words),
        "".join(word.title() for word in words),
        words[0] + "".join(word.title() for word in words[1:]),
    ])  # fmt: skip


def _keys(random: Random, value: Any) -> Any:
    if isinstance(value, dict):
        return {_respelled(random, key): _keys(random, part) for key, part in value.items()}
    return [_keys(random, part) for part in value] if isinstance(value, list) else value


def _grouped(whole: str, sign: str) -> str:
    return f"{int(whole):,}".replace(",", sign)


def _indian(whole: str) -> str:
    head, last = whole[:-3], whole[-3:]
    pairs: list[str] = []
    while head:
        pairs.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*pairs, last])


NOTATIONS: dict[str, Callable[[str, str], str]] = {
    "english": lambda whole, cents: f"{_grouped(whole, ',')}.{cents}",
    "german": lambda whole, cents: f"{_grouped(whole, '.')},{cents}",
    "french": lambda whole, cents: f"{_grouped(whole, chr(0x202F))},{cents}",
    "spaced": lambda whole, cents: f"{_grouped(whole, ' ')}.{cents}",
    "swiss": lambda whole, cents: f"{_grouped(whole, chr(0x2019))}.{cents}",
    "indian": lambda whole, cents: f"{_indian(whole)}.{cents}",
    "plain": lambda whole, cents: f"{whole}.{cents}",
    "comma": lambda whole, cents: f"{whole},{cents}",
}
_CURRENCIES = ["{}", "${}", "€ {}", "{} EUR", "{} €", "CHF {}", "US${}", "{} kr", "₹{}", "Rs. {}", "{} zł"]
_NEGATIVES = ["-{}", "({})", "{}-", "\u2212{}"]


def _written(random: Random, amount: str) -> str:
    notation = random.choice(list(NOTATIONS.values()))
    whole, cents = amount.removeprefix("-").split(".")
    said = random.choice(_CURRENCIES).format(notation(whole, cents))
    return random.choice(_NEGATIVES).format(said) if amount.startswith("-") else said


def _amounts(random: Random, value: dict[str, Any]) -> dict[str, Any]:
    items = [{**item, "unitPrice": _written(random, item["unitPrice"])} for item in value["items"]]
    return {**value, "items": items, "total": _written(random, value["total"])}


def _day(random: Random, value: dict[str, Any]) -> dict[str, Any]:
    day = date.fromisoformat(value["issued"])
    said = [
        f"{day:%d %B %Y}",
        f"{day:%B} {day.day}, {day.year}",
        f"{day:%d %b %Y}",
        f"{day:%Y%m%d}",
        f"{day.year}年{day.month}月{day.day}日",
        *([f"{day:%d.%m.%Y}", f"{day:%d/%m/%Y}"] if day.day > 12 else []),
    ]
    return {**value, "issued": random.choice(said)}


def _wrapped(random: Random, value: Any) -> Any:
    return random.choice([
        {"result": value}, {"Invoice": value}, [value], {"data": [value]}, {"Answer": json.dumps(value)},
        {"response": {"invoice": value}},
    ])  # fmt: skip


def _prose(random: Random, text: str) -> str:
    return random.choice(["```json\n{}\n```", "Here it is:\n{}\nAnything else?", "{}"]).replace("{}", text)


_LATEX = [r"\alpha \% x", r"$\frac{a}{b}$", r"C:\path \u12", r"3 \times 4", r"\ud83d half", r"\_ \&"]
_MEANT = [r"\alpha \% x", r"$\frac{a}{b}$", r"C:\path \u12", r"3 \times 4", "\ufffd half", r"\_ \&"]


def _escapes(random: Random, value: dict[str, Any]) -> str:
    n = random.randrange(len(_LATEX))
    value["remark"] = _MEANT[n]
    return json.dumps({**value, "remark": "@@"}).replace("@@", _LATEX[n])


def _nested_text(random: Random, value: dict[str, Any]) -> str:
    part = random.choice(["vendor", "items"])
    return _dumps({**value, part: json.dumps(value[part])}, random)


def _text_for(value: dict[str, Any]) -> dict[str, Any]:
    value["invoice_number"] = value["invoice_number"].replace("-", "")
    return {**value, "invoice_number": int(value["invoice_number"])}


def _percent(random: Random, value: dict[str, Any]) -> dict[str, Any]:
    said = f"{value['vat_percent']:g}"
    return {**value, "vat_percent": random.choice([f"{said}%", f"{said} %", f"{said.replace('.', ',')}%"])}


def _twice(random: Random, value: dict[str, Any], *, differs: bool) -> str:
    key = random.choice(["total", "TOTAL", "To-tal"])
    other = json.dumps(f"{value['total']}" if not differs else "17.77")
    return f'{_dumps(value, random)[:-1]}, "{key}": {other}}}'


ONE_READING: dict[str, Callable[[Random, dict[str, Any]], str]] = {
    "as asked": lambda r, v: _prose(r, _dumps(v, r)),
    "all digits": lambda r, v: _prose(r, _with_digits(_dumps(v, r), v)),
    "keys": lambda r, v: _prose(r, _dumps(_keys(r, v), r)),
    "amounts": lambda r, v: _prose(r, _dumps(_amounts(r, v), r)),
    "days": lambda r, v: _prose(r, _dumps(_day(r, v), r)),
    "wrappers": lambda r, v: _prose(r, _dumps(_wrapped(r, v), r)),
    "keys in wrappers": lambda r, v: _dumps(_wrapped(r, _keys(r, v)), r),
    "escapes": _escapes,
    "JSON in strings": _nested_text,
    "numbers for texts": lambda r, v: _dumps(_text_for(v), r),
    "percentages": lambda r, v: _dumps(_percent(r, v), r),
    "the same twice": lambda r, v: _twice(r, v, differs=False),
    "unknown keys": lambda r, v: _dumps({**v, "confidence": 0.9, "note": "x"}, r),
}
TWO_READINGS: dict[str, Callable[[Random, dict[str, Any]], str]] = {
    "thousands or decimals": lambda r, v: _dumps(
        {**v, "total": f"{r.randint(1, 999)}{r.choice('.,')}{r.randint(100, 999)}"}, r
    ),
    "percentage of what": lambda r, v: _dumps({**v, "total": "15%"}, r),
    "twice, and different": lambda r, v: _twice(r, v, differs=True),
    "lost": lambda r, v: _dumps({**{k: p for k, p in v.items() if k != "remark"}, "comment": "x"}, r),
    "lost below": lambda r, v: _dumps({**v, "vendor": {"name": "A", "vat_number": "DE12"}}, r),
    "two answers": lambda r, v: f"{_dumps(v, r)}\nOr: {_dumps({**v, 'total': '17.77'}, r)}",
    "day or month": lambda r, v: _dumps({**v, "issued": "05/06/2024"}, r),
    "a list of two": lambda r, v: _dumps([v, {**v, "total": "17.77"}], r),
    "unknown words": lambda r, v: _dumps(
        {**v, "total": r.choice(["about 5", "12 kg", "1.2.3", "5²", "x"])}, r
    ),
}
