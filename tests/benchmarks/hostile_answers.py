"""Answers and result lines that cost much to read, each of a given number of characters."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pydantic

from batchata.answers.answer import Block, Citation

type Shape = Callable[[int], list[Block]]


class Order(pydantic.BaseModel):
    name: str
    total: Decimal | None = None
    due: date | None = None
    rows: list[dict[str, Decimal]] = []
    tags: list[str] = []


ORDER = Block("text", '{"name": "Ann", "total": 12.50, "due": "2025-03-04"}')


def said(text: str, *cited: str) -> Block:
    return Block("text", text, [Citation("char_location", cites) for cites in cited] or None)


def _again(unit: str, size: int) -> str:
    return unit * (size // len(unit))


def _prose(unit: str) -> Shape:
    """A cited prose in front of the answer."""
    return lambda size: [said(_again(unit, size), "x"), ORDER]


def _source(unit: str) -> Shape:
    """A cited text as long as that."""
    return lambda size: [said("It is so. ", _again(unit, size)), ORDER]


def _in_list(name: str, unit: str, begin: str = "[", end: str = "]") -> Shape:
    head = '{"name": "x", "' + name + '": ' + begin

    def build(size: int) -> list[Block]:
        return [said(head + _again(unit + ", ", size) + unit + end + "}")]

    return build


def _alone(unit: str) -> Shape:
    return lambda size: [said(_again(unit, size))]


def _dense_numbers(size: int) -> list[Block]:
    return [said("It is so. ", " ".join(f"{k % 977}.{k % 100:02d}" for k in range(size // 7))), ORDER]


def _different_cited(size: int) -> list[Block]:
    return [*[said("Total 12.50. ", f"Ann owes 12.50, said {k}") for k in range(size // 35)], ORDER]


def _citations_of_one_value(size: int) -> list[Block]:
    return [said('{"name": "'), *[said("A", f"said {k}") for k in range(size // 12)], said('", "total": 1}')]


def _same_key_at_the_top(size: int) -> list[Block]:
    return [said("{" + _again('"name": "x", ', size) + '"total": 1}')]


def _many_keys(size: int) -> list[Block]:
    return [said(json.dumps({"name": "x", "rows": [{f"k{k}": k for k in range(size // 17)}]}))]


def _unknown_keys(size: int) -> list[Block]:
    return [said(json.dumps({"name": "x", **{f"k{k}": k for k in range(size // 17)}}))]


def _json_in_string(size: int) -> list[Block]:
    rows = "[" + ", ".join(['{"a": 1.50}'] * (size // 16)) + "]"
    return [said(json.dumps({"name": "x", "rows": rows}))]


def _deep(size: int) -> list[Block]:
    return [said("[" * (size // 2) + "]" * (size // 2)), ORDER]


def _deep_rows(size: int) -> list[Block]:
    return [said('{"name": "x", "tags": [' + _again("[" * 150 + "]" * 150 + ", ", size) + "[]]}")]


def _long_digits(size: int) -> list[Block]:
    return [said('{"name": "x", "total": ' + "7" * size + "}")]


def _long_amount(size: int) -> list[Block]:
    return [said('{"name": "x", "total": "1,234' + ",567" * (size // 4) + '"}')]


def _no_end(size: int) -> list[Block]:
    return [said('{"name": "' + _again('\\"', size))]


def _near_json(size: int) -> list[Block]:
    return [said("{'name': 'x', 'rows': [" + _again("{'a': 1.50}, ", size) + "]}")]


def _python_words(size: int) -> list[Block]:
    return [said("{name: 'x', tags: [" + _again("None, True, 'a b', ", size) + "]}")]


def _prose_of_words(size: int) -> list[Block]:
    names = {f"k{k}": k for k in range(2_000)}
    return [
        said(_again("no such word here at all, ", size), "x"),
        said(json.dumps({"name": "no", "rows": [names]})),
    ]


def _equal_values(size: int) -> list[Block]:
    prose = [said("Said value. ", f"words value words {k}") for k in range(size // 70)]
    return [*prose, said(json.dumps({"name": "x", "tags": ["value"] * (size // 25)}))]


def _cjk_values(size: int) -> list[Block]:
    return [said(_again("合計は十二万円です。", size), "x"), said('{"name": "合計", "total": 120000}')]


def _marks(size: int) -> list[Block]:
    return [said("a" + "\u0301" * size, "x"), ORDER]


SHAPES: dict[str, Shape] = {
    "prose of numbers": _prose("12.51 13.60 "),
    "prose of values": _prose("Ann 12.50 "),
    "prose of values and dates": _prose("The total is 12.50 for Ann, as of 4 March 2025. "),
    "cited text of numbers": _dense_numbers,
    "cited text of values": _source("Ann 12.50 "),
    "days in words": _prose("on 12 May 2021, 3 June 2022 and March 4, 2025; "),
    "days in digits": _source("2025-03-04 04.03.2025 3/4/25 "),
    "prose of words": _prose_of_words,
    "prose in Chinese": _prose("这是一个没有任何数值的句子而且很长"),
    "prose in Japanese with amounts": _cjk_values,
    "prose of punctuation": _prose(";!?|.,:- "),
    "prose of short clauses": _prose("aaaa. "),
    "prose of brackets": _prose("(a) [b] "),
    "prose of line breaks": _prose("a\n"),
    "prose of soft hyphens": _prose("to\u00adtal "),
    "prose of combining marks": _marks,
    "prose of full-width digits": _prose("\uff11\uff12.\uff15\uff10 "),
    "prose of ligatures": _prose("e\ufb03cient \ufb01nal "),
    "prose of emoji": _prose("\U0001f600\U0001f3fd "),
    "different cited sentences": _different_cited,
    "citations of one value": _citations_of_one_value,
    "equal values and their citations": _equal_values,
    "amounts as text": _in_list("rows", '{"a": "1.200,00 EUR"}'),
    "amounts as text, with a point": _in_list("rows", '{"price": "$1,200.00"}'),
    "texts in a list of amounts": _in_list("rows", '"1.200,00 EUR"'),
    "empty objects": _in_list("rows", "{}"),
    "empty objects where texts belong": _in_list("tags", "{}"),
    "lists of nothing": _in_list("tags", "[]"),
    "numbers where texts belong": _in_list("tags", "1.50"),
    "words where amounts belong": _in_list("rows", '{"a": "about ten"}'),
    "the same key again": _in_list("rows", '"a": 1', "[{", "}]"),
    "the same key again, differing": _in_list("rows", '"a": 1, "a": 2', "[{", "}]"),
    "the same key again, at the top": lambda size: [
        said("{" + _again('"name": "x", ', size) + '"total": 1}')
    ],
    "many keys": _many_keys,
    "unknown keys": _unknown_keys,
    "null where amounts belong": _in_list("rows", '{"a": null}'),
    "JSON inside a string": _json_in_string,
    "near JSON": _near_json,
    "words of Python": _python_words,
    "deep": _deep,
    "deep rows": _deep_rows,
    "long digits": _long_digits,
    "long amount": _long_amount,
    "string without an end": _no_end,
    "backslashes": _in_list("tags", '"\\\\\\\\\\\\"'),
    "escapes": _in_list("tags", '"\\% \\ud83d \\alpha"'),
    "escaped text": _in_list("tags", '"\\u0041\\n\\t\\u00e9"'),
    "paths of Windows": _in_list("tags", '"C:\\temp\\new"'),
    "byte-order marks": lambda size: [said("\ufeff" * size), ORDER],
    "open braces": _alone("{ x "),
    "fences": _alone("```json\n{'a': b}\n```\n"),
    "fences of JSON": _alone('```json\n{"a": 1}\n```\n'),
    "lists in prose": _alone("[1] see [2, 3] "),
    "spaces": lambda size: [said(" " * (size // 2) + '{"name": "x",' + " " * (size // 2) + '"total": 1}')],
    "spaces before colons": _in_list("rows", '{"a"  : 1.50}'),
    "true and false": _in_list("rows", '{"a": true}'),
}


def _line(content: str, usage: str = '{"input_tokens": 1, "output_tokens": 1}') -> bytes:
    message = f'{{"content": {content}, "stop_reason": "end_turn", "usage": {usage}}}'
    return f'{{"custom_id": "a", "result": {{"type": "succeeded", "message": {message}}}}}'.encode()


def _blocks(unit: str, odd: str) -> Callable[[int], bytes]:
    """Blocks, behind one that no strict decoder takes."""
    return lambda size: _line(f"[{odd}, " + _again(unit + ",", size) + unit + "]")


_TEXT = '[{"type": "text", "text": "x"}]'
_CITED = '[{"type": "text", "text": "x", "citations": '
_ODD_CITATION = '{"cited_text":"a","type":1},'
_LIST = '"a": [], '
_DEEP = '[{"type": "text", "text": "x", "z": '
_LONG = '[{"type": "text", "text": "'
_BACKSLASHES = "\\\\"
_ODD = '{"type": "text", "text": "x", "citations": {}}'
LINES: dict[str, Callable[[int], bytes]] = {
    "line of tiny blocks": _blocks('{"text":"a"}', _ODD),
    "line of texts": _blocks('{"type":"text","text":"a"}', _ODD),
    "line of empty blocks": _blocks("{}", _ODD),
    "line of numbers": _blocks("1", _ODD),
    "line of odd blocks": _blocks('{"text":1}', _ODD),
    "line of citations": lambda size: _line(f"{_CITED}[{_again(_ODD_CITATION, size)}1]}}]"),
    "line with an odd usage": lambda size: _line(
        _TEXT, f'{{"input_tokens": NaN, {_again(_LIST, size)}"b": 1}}'
    ),
    "line of brackets": lambda size: _line(f"{_DEEP}{'[' * (size // 2)}{']' * (size // 2)}}}]"),
    "line of backslashes": lambda size: _line(f'{_LONG}{_again(_BACKSLASHES, size)}", "citations": {{}}}}]'),
}
