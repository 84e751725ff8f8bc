"""Built answers that cite in prose first and give their JSON, without citations, afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from random import Random
from typing import Any

from citation_corpus import Case, Marks, Value, invoice, print_json

# How people call the fields; a third of the names are not the field's own.
_LABELS = {
    "invoice_number": ["invoice number", "invoice no.", "reference"],
    "issued": ["issue date", "date it was issued", "invoice date"],
    "due": ["due date", "payment deadline"],
    "vendor.name": ["vendor", "vendor's name", "seller"],
    "vendor.city": ["vendor's city", "seat of the vendor"],
    "vendor.tax_id": ["tax ID", "VAT number"],
    "customer.name": ["customer", "customer name", "buyer"],
    "customer.city": ["customer's city"],
    "customer.tax_id": ["customer's tax ID"],
    "sub_total": ["subtotal", "sub-total", "net amount"],
    "tax": ["tax", "VAT"],
    "total": ["total", "total amount", "amount payable"],
    "currency": ["currency"],
}
_NOTHING = [
    "Payment is possible by bank transfer or card.",
    "The document has 3 pages and a footer.",
    "See section 2 of the terms.",
    "Late payments bear interest of 8 % above the base rate.",
    "Questions are answered at +49 40 123456.",
]


def prose_first(random: Random) -> Case:
    """Sentences and list items about some of the values, and some about nothing that was asked for."""
    value = invoice(random, lines=random.choice([0, 0, 2, 3]))
    printed, found = print_json(value, random)
    text = _Prose(random)
    bullets = random.random() < 0.5
    for item in _chosen(found, random):
        text.say_value(item, found, bullets)
        if random.random() < 0.12:
            text.say_nothing()
    for number in range(len(value["lines"])):
        if random.random() < 0.8:
            text.say_line(value["lines"], number, bullets)
    return text.done(random.choice(["\n\n```json\n{}\n```", "\n\nAs JSON:\n{}", "\n{}"]), printed)


def _chosen(found: list[Value], random: Random) -> list[Value]:
    labelled = [item for item in found if item.path in _LABELS and item.value is not None]
    return [item for item in labelled if random.random() < 0.6]


class _Prose:
    """An answer's prose being written; a citation's own text tells what it is for."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._marks = Marks("prose, then JSON", random)
        self._text = ""

    def say_value(self, item: Value, found: list[Value], bullets: bool) -> None:
        """One sentence about one value, cited as a whole or where the value stands."""
        random = self._random
        label, shown = random.choice(_LABELS[item.path]), notation(item.value, random)
        is_clear = _is_clear(item, found, label)
        kind = random.random()
        if kind < 0.08:  # the words say nothing, the cited text does
            self._say(
                "The document states this.", "", [item.path] if is_clear else [], f"{label.title()}: {shown}"
            )
            return
        if bullets:
            before, after = f"- **{label[0].upper()}{label[1:]}**: ", "\n"
        else:
            before, after = random.choice([
                (f"The {label} is ", ". "), (f"{label[0].upper()}{label[1:]}: ", "\n"),
                (f"According to the document, the {label} is given as ", ". "),
            ])  # fmt: skip
        if kind < 0.55:
            self._say(before + shown, after, [item.path] if is_clear else [], f"{label} {shown}")
        else:
            self._text += before
            self._say(shown, after, [item.path] if is_clear else [], f"{label} {shown}")

    def say_line(self, lines: list[dict[str, Any]], number: int, bullets: bool) -> None:
        """One line of the invoice, cited as a whole: its three values, unless another is the same."""
        line = lines[number]
        price = notation(line["unitPrice"], self._random)
        name = " ".join(line["description"].split())
        count = line["quantity"]
        said = self._random.choice(
            [f"{count} x {name} at {price} each", f"{name}: quantity {count}, unit price {price}"]
        )
        same = [n for n, other in enumerate(lines) if other == line]
        paths = [f"lines[{number}].{key}" for key in ("description", "quantity", "unit_price")]
        self._say(("- " if bullets else "") + said, "\n", paths if len(same) == 1 else [], said)

    def say_nothing(self) -> None:
        """A cited sentence about nothing that the model has a field for."""
        said = self._random.choice(_NOTHING)
        self._say(said, " ", [], said)

    def _say(self, cited: str, after: str, paths: list[str], source: str) -> None:
        self._marks.cite(len(self._text), len(self._text) + len(cited), paths, source)
        self._text += cited + after

    def done(self, frame: str, printed: str) -> Case:
        return self._marks.done(self._text + frame.replace("{}", printed))


def notation(value: Any, random: Random) -> str:
    """The value as a person writes it."""
    if isinstance(value, int | float):
        return _amount(value, random)
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return random.choice([value, value, value.upper()]).replace("\n", " ")
    return random.choice([
        value, f"{day.day} {day:%B} {day.year}", f"{day:%B} {day.day}, {day.year}", f"{day:%d.%m.%Y}",
        f"{day:%m/%d/%Y}", f"{day:%b} {day.day}, {day.year}",
    ])  # fmt: skip


def _amount(value: float, random: Random) -> str:
    english = f"{value:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    return random.choice([f"${english}", f"{german} €", f"EUR {english}", english, str(value)])


def _is_clear(item: Value, found: list[Value], label: str) -> bool:
    """Whether a reader of the sentence and the JSON could tell the field: by its value, or by the label."""
    equal = [other for other in found if _plain(other.value) == _plain(item.value)]
    own = item.path.replace("_", " ").replace(".", " ").split()
    words = label.lower().replace("subtotal", "sub total").replace("-", " ").replace("'s", "").split()
    return len(equal) == 1 or set(own) <= set(words) or own[0] in words


def _plain(value: Any) -> str:
    text = str(value).casefold()
    return f"{float(text):g}" if text.replace(".", "", 1).isdigit() else text


def prose(count: int, seed: int = 2) -> Iterator[Case]:
    """`count` answers."""
    random = Random(seed)
    for _ in range(count):
        yield prose_first(random)
