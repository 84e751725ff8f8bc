"""Prose with citations, then JSON: a citation goes to the values that its words are equal to, or to none."""

from __future__ import annotations

import json
import time
from datetime import date
from typing import Any

import pydantic
import pytest
from citing import supported

from batchata.answers.citations import UNMATCHED
from batchata.answers.normalize import fold, fold_with_places
from batchata.answers.numbers_and_dates import figures, meanings


class Party(pydantic.BaseModel):
    name: str
    city: str | None = None


class Line(pydantic.BaseModel):
    text: str
    qty: int
    price: float


class Invoice(pydantic.BaseModel):
    number: str = "INV-17"
    issued: date = date(2024, 3, 5)
    vendor: Party | None = None
    lines: list[Line] = []
    sub_total: float = 150
    total: float = 1234.5
    pages: int | None = None
    note: str = pydantic.Field("", alias="remark")


def cited(prose: str, /, **values: Any) -> dict[str, list[str]]:
    """What the citations in the prose before this JSON support."""
    return supported(f"{prose}\n\n```json\n{json.dumps(values)}\n```", Invoice)


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("$1,234.50", {"total": 1234.5}),
        ("1.234,50 €", {"total": 1234.5}),
        ("EUR 1 234,50", {"total": 1234.50}),
        ("CHF 1'234.50", {"total": 1234.5}),
        ("a loss of (1,234.50)", {"total": -1234.5}),
        ("1,234", {"total": 1234}),
        ("a total of 19 %", {"total": 0.19}),
        ("5 March 2024", {"issued": "2024-03-05"}),
        ("March 5th, 2024", {"issued": "2024-03-05"}),
        ("05.03.2024", {"issued": "2024-03-05"}),
        ("3/5/24", {"issued": "2024-03-05"}),
        ("5. März 2024", {"issued": "2024-03-05"}),
        ("le 1er décembre 2024", {"issued": "2024-12-01"}),
        ("invoice inv-17", {"number": "INV-17"}),
        ("INV\u201117", {"number": "INV-17"}),
        ("\uff29\uff2e\uff36\uff0d\uff11\uff17", {"number": "INV-17"}),
        ("to be paid: 42", {"total": 42}),
        ("42 in all", {"number": "42"}),
        ("with a re\u00admark\u00adable dis\x02count", {"remark": "Remarkable discount"}),
        ("“so   called\nquotes”", {"remark": '"so called quotes"'}),
        ("cafe\u0301", {"remark": "Café"}),
    ],
)
def test_a_value_is_known_in_another_notation(said: str, values: dict[str, Any]) -> None:
    """Numbers, dates, amounts, case, width, marks, soft hyphens, white space; by the Python name."""
    path = "note" if "remark" in values else next(iter(values))
    assert cited(f"It says «{said}|c».", **values) == {path: ["c"]}


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("invoice INV-175", {"number": "INV-17"}),
        ("invoice INV-17", {"total": 17}),
        ("12,345", {"total": 345}),
        ("1.5k", {"total": 1.5}),
        ("12:30", {"total": 30}),
        ("5 March 2024", {"total": 2024}),
        ("6 March 2024", {"issued": "2024-03-05"}),
        ("on page 3", {"total": 3}),
        ("all 3 pages", {"total": 3}),
        ("section 3", {"number": "3"}),
        ("as said there [3]", {"total": 3}),
        ("call +49 40 123", {"total": 40}),
        ("as it is", {"number": "IS"}),
        ("interest of 8 %", {"total": 8}),
        ("the Acmeists", {"number": "Acme"}),
        ("nothing of it", {"total": 5}),
        ("the sub-total is 1,234.50", {"total": 1234.5, "sub_total": 150}),
        ("true", {"number": "x"}),
    ],
)
def test_what_is_not_equal_supports_nothing(said: str, values: dict[str, Any]) -> None:
    """Parts of words and of other figures, small numbers without a label, and other fields' labels."""
    assert cited(f"It says «{said}|c».", **values) == {UNMATCHED: ["c"]}


def test_a_passage_supports_every_value_that_it_names() -> None:
    """With all of its citations; a longer value is not also the shorter one inside it."""
    assert cited(
        "«INV-17 of Acme Holding GmbH over 1,234.50|a|b»",
        number="INV-17", total=1234.5, vendor={"name": "Acme Holding GmbH", "city": "Acme"},
    ) == {"number": ["a", "b"], "vendor.name": ["a", "b"], "total": ["a", "b"]}  # fmt: skip


def test_the_label_beside_an_equal_value_decides() -> None:
    """In front of it, or behind where nothing stands in front; the longer label where two fit."""
    equal = {"sub_total": 150, "total": 150, "pages": 3}
    assert cited("Sub-total: «150.00|s». «Total: 150.00|t».", **equal) == {"sub_total": ["s"], "total": ["t"]}
    assert cited("«It has 3 pages|p». «The total is 150|t».", **equal) == {"pages": ["p"], "total": ["t"]}


def test_what_stays_ambiguous_has_its_own_key() -> None:
    """And nothing is attached twice."""
    assert cited("They want «150.00|c».", sub_total=150, total=150) == {UNMATCHED: ["c"]}


def test_the_neighbour_tells_the_record() -> None:
    """Equal values of two lines belong to the line whose text stands beside them."""
    lines = [{"text": "Widget", "qty": 2, "price": 50}, {"text": "Gadget", "qty": 2, "price": 50}]
    assert cited("- Gadget: «2 at 50.00|g»\n- Widget: «2 at 50.00|w»", lines=lines) == {
        "lines[1].qty": ["g"], "lines[1].price": ["g"], "lines[0].qty": ["w"], "lines[0].price": ["w"]
    }  # fmt: skip
    assert cited("«50.00|x»", lines=lines) == {UNMATCHED: ["x"]}


def test_values_that_stand_together_tell_the_record() -> None:
    """Small numbers and equal texts, too, where only one line has all of them."""
    lines = [{"text": "Widget", "qty": 2, "price": 50}, {"text": "Widget", "qty": 3, "price": 50}]
    assert cited("«3 x Widget at 50.00|w»", lines=lines) == {
        "lines[1].qty": ["w"], "lines[1].text": ["w"], "lines[1].price": ["w"]
    }  # fmt: skip
    assert cited("«Widget at 50.00|w»", lines=lines) == {UNMATCHED: ["w"]}


def test_the_numbers_of_a_list_are_no_values() -> None:
    """Only what stands behind them is."""
    prose = "«1. It is from Acme|a»\n«2. It has 2 lines and costs 7|b»"
    assert cited(prose, number="Acme", total=2, sub_total=7) == {"number": ["a"], "sub_total": ["b"]}


def test_a_number_with_its_label_outdoes_one_without() -> None:
    """The same figure elsewhere means something else."""
    assert cited("«It took 150 days|d». «The total is 150|t».", total=150) == {
        UNMATCHED: ["d"], "total": ["t"]
    }  # fmt: skip


def test_where_the_words_say_nothing_the_cited_text_does() -> None:
    """Each citation for itself."""
    prose = "«The sums are given|Total due: 1,234.50|No. INV-17|See below»."
    assert cited(prose, total=1234.5, number="INV-17") == {
        "total": ["Total due: 1,234.50"], "number": ["No. INV-17"], UNMATCHED: ["See below"]
    }  # fmt: skip


def test_a_long_answer_takes_no_seconds() -> None:
    """Hundreds of lines with equal values, each with its own passage."""
    lines = [{"text": f"Item {n:03}", "qty": 10 + n % 7, "price": n % 5} for n in range(400)]
    prose = "\n".join(f"- «Item {n:03}: {10 + n % 7} at {n % 5}.00|{n}»" for n in range(400))
    began = time.process_time()
    found = cited(prose, lines=lines)
    assert time.process_time() - began < 3
    assert found.keys() >= {f"lines[{n}].{name}" for n in range(400) for name in ("text", "qty", "price")}
    assert all(citations == [path[6:].split("]")[0]] for path, citations in found.items())


def test_prose_behind_the_json_counts_too() -> None:
    """Wherever it stands."""
    assert supported('{"total": 1234.5} «The total is 1,234.50|c».', Invoice) == {"total": ["c"]}


def test_what_is_known_by_its_place_is_not_matched_by_words() -> None:
    """Positions are certain; the passage in prose is kept apart."""
    assert supported('«The total is 1,234.50|p». {"total": «1234.5|c», "number": "x"}', Invoice) == {
        "total": ["c"], UNMATCHED: ["p"]
    }  # fmt: skip


def test_a_single_quoted_text_is_matched_too() -> None:
    """Nearly JSON has its own escapes."""
    assert supported("«It\u2019s here|c». {'number': 'it\\'s here'}", Invoice) == {"number": ["c"]}
    assert cited("«back\\\u2019s|c»", number="back\\'s") == {"number": ["c"]}


@pytest.mark.parametrize("text", ["\uff21 é\u0301 x\u00ad y  \n z", "", "ﬁ ½ №", "a\u0308 ß"])
def test_a_folded_text_knows_where_its_characters_stood(text: str) -> None:
    """Also where one became several, or several one."""
    folded = fold_with_places(text)
    assert folded.text == fold(text)
    assert len(folded.places) == len(folded.text) + 1
    assert folded.places == sorted(folded.places)


def test_only_a_whole_figure_has_a_meaning() -> None:
    """A text value is a number or a date only when it is nothing else."""
    assert meanings("eur 1,234.50") == meanings("1234.5 €")
    assert meanings("2024-03-05t10:00:00z") == meanings("5 march 2024") == {(2024, 3, 5)}
    assert not meanings("12 apples")
    assert not meanings("inv-17")
    assert not meanings("30.02.2024")  # a day that no month has
    assert not meanings("31 april 2024")
    assert [len(found.meanings) for found in figures("05/03/2024 or 1,234")] == [2, 2]
