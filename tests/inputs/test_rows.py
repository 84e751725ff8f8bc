"""Rows of tables become items, keys are the own ids of a user, and texts are turns of the user."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from claude_inputs import read_inputs

from batchata.errors import InvalidInputError
from batchata.inputs import Inputs
from batchata.providers.anthropic.models import MODELS

MODEL = MODELS["claude-sonnet-5-5"]
ROWS = [{"id": 7, "text": "Win money", "lang": "en"}, {"id": 8, "text": "Hallo", "lang": None}]
PROMPT = "Is it spam? {text} {{yes or no}}"


def texts(inputs: Inputs) -> list[str]:
    """What is asked of each item."""
    return [json.loads(inputs.body(index))["messages"][0]["content"] for index in range(inputs.count)]


def read(rows: Any, prompt: Any = PROMPT, keys: Any = None) -> Inputs:
    return read_inputs(rows=rows, prompt=prompt, keys=keys, model=MODEL)


def test_a_text_is_one_turn_of_the_user() -> None:
    """messages=["Hello"] and the conversation of one user turn are the same item."""
    short, long = (
        read_inputs(messages=given, model=MODEL)
        for given in (["Hello"], [[{"role": "user", "content": "Hello"}]])
    )
    assert short.body(0) == long.body(0)
    assert short.fingerprint() == long.fingerprint()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,text,lang\r\n7,Win money,en\r\n8,Hallo,\r\n"),
        ("a.csv", '\ufeffid;text;lang\n7;"Win money";en\n8;Hallo;\n'),
        ("a.tsv", "id\ttext\tlang\n7\tWin money\ten\n\n8\tHallo\t\n"),
        ("a.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("a.json", json.dumps(ROWS)),
    ],
    ids=["excel", "semicolons and a mark", "tabs and a blank line", "JSON lines", "JSON"],
)
def test_rows_are_read_from_files(tmp_path: Path, name: str, text: str) -> None:
    """Each row is put into the prompt, doubled braces are braces, and its values stay beside the item."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    inputs = read(tmp_path / name, keys="id")
    assert texts(inputs) == ["Is it spam? Win money {yes or no}", "Is it spam? Hallo {yes or no}"]
    assert list(inputs.keys) == ["7", "8"]
    assert [row["text"] for row in inputs.rows] == ["Win money", "Hallo"]
    assert not inputs.rows[1]["lang"]
    assert inputs.called(1).name == "8"
    assert inputs.place(1) == "item 1 ('8')"


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_rows_are_read_from_data_frames(library: str) -> None:
    """A frame's missing values are nothing, its times are ISO texts, and its index is no column."""
    module: Any = pytest.importorskip(library)
    at = datetime.datetime(2026, 11, 26, 10, tzinfo=datetime.UTC)
    columns = {"text": ["Win money", "Hallo"], "seen": [at, None], "score": [1.5, None]}
    frame = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    inputs = read(frame)
    assert texts(inputs)[0] == "Is it spam? Win money {yes or no}"
    assert inputs.rows[0] == {"text": "Win money", "seen": at.isoformat(), "score": 1.5}
    assert inputs.rows[1] == {"text": "Hallo", "seen": None, "score": None}


def test_a_column_that_a_frame_has_twice_is_refused() -> None:
    """Only the last of the two would be sent; and a column alone is no table."""
    pandas: Any = pytest.importorskip("pandas")
    arrow: Any = pytest.importorskip("pyarrow")
    names = ["text", "text"]
    for frame in (
        pandas.DataFrame([["a", "b"]], columns=names),
        arrow.Table.from_arrays([["a"], ["b"]], names=names),
    ):
        with pytest.raises(InvalidInputError, match="rows: two columns are called 'text'; rename one"):
            read(frame)
    with pytest.raises(InvalidInputError, match=r"rows\[0\] is a str, not a dict"):
        read(arrow.chunked_array([["a"]]))


def test_values_of_rows_are_kept_as_json() -> None:
    """Decimals keep their digits as texts, dates are in ISO form, and lists and objects stay such."""
    row = {"text": "a", "sum": Decimal("1.10"), "day": datetime.date(2026, 1, 2), "tags": ("x", {"n": 1})}
    numpy: Any = pytest.importorskip("numpy")
    row["list"] = numpy.array([1, 2])  # as pandas reads them from Parquet
    row |= {"none": Decimal("NaN"), "nan": numpy.float64("nan"), "huge": Decimal("1E+999")}
    (kept,) = read([row]).rows
    assert kept == {
        "text": "a", "sum": "1.10", "day": "2026-01-02", "tags": ["x", {"n": 1}], "list": [1, 2],
        "none": None, "nan": None, "huge": "1E+999",
    }  # fmt: skip
    assert texts(read([row], "{sum} {day} {tags}")) == ['1.10 2026-01-02 ["x", {"n": 1}]']


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelt column": ({"prompt": "{txt}"}, r"\{txt\}, which is not a column .* 'id', 'text', 'lang'"),
    "no column": ({"prompt": "Is it spam?"}, "names no column"),
    "no prompt": ({"prompt": None}, "rows need a prompt"),
    "a single brace": ({"prompt": "{text} {"}, "double each brace of the text"),
    "nothing to ask": ({"rows": [{"text": " "}]}, r"rows\[0\] is empty in 'text'"),
    "no rows": ({"rows": 7}, "rows is an int; give a path"),
    "texts": ({"rows": ["a"]}, r"rows\[0\] is a str, not a dict"),
    "one column for two": ({"rows": [{"text": "a", "1": "b", 1: "c"}]}, "two columns are called '1'"),
    "an object": ({"rows": [{"text": "a", "x": object()}]}, r"rows\[0\]\['x'\] is an object"),
    "infinity": ({"rows": [{"text": "a", "x": float("-inf")}]}, r"rows\[0\]\['x'\] is -inf, which JSON"),
    "infinity within": (
        {"rows": [{"text": "a", "x": [{"y": Decimal("Infinity")}]}]},
        "is Infinity, which JSON",
    ),
    "a list in itself": ({"rows": [{"text": "a", "x": ENDLESS}]}, "nested deeper than 100 levels, or holds"),
    "no such file": ({"rows": "nowhere.csv"}, "nowhere.csv cannot be read: No such file"),
    "another kind of file": ({"rows": __file__}, "not from 'test_rows.py'"),
    "a file of another library": (
        {"rows": "rows.parquet"},
        r"; pandas.read_parquet\('rows.parquet'\) is one",
    ),
    "a Feather file": (
        {"rows": "a/b.feather"},
        r"not from 'b.feather'; pandas.read_feather\('a/b.feather'\) is",
    ),
    "a workbook": ({"rows": "rows.XLSX"}, r"; pandas.read_excel\('rows.XLSX'\) is one"),
    "a sheet": ({"rows": "rows.ods"}, r"; pandas.read_excel\('rows.ods'\) is one"),
    "an ORC file": ({"rows": "rows.orc"}, r"; pandas.read_orc\('rows.orc'\) is one"),
    "a misspelt column of many": (
        {"rows": [{f"column_{n}": "a" for n in range(30)}], "prompt": "{colum_27}"},
        r"\{colum_27\}, .* did you mean column_27\? they have .* and 10 more",
    ),
    "a key column that is missing": ({"keys": "number"}, "keys='number' is not a column"),
    "a key twice": ({"keys": ["a", "a"]}, r"keys\[1\] and keys\[0\] are both 'a'"),
    "too few keys": ({"keys": ["a"]}, "there is 1 key for 2 items"),
    "a key that is a number with a fraction": ({"keys": [1.5, 2]}, r"keys\[0\] is 1.5"),
    "a blank key": ({"keys": ["a", " "]}, r"keys\[1\] is blank"),
    "one key": ({"keys": 7}, "keys is an int; it must be a list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused_with_what_to_change(case: str) -> None:
    """Nothing is read half: the error names the argument, and the row or column."""
    given, words = REFUSED[case]
    with pytest.raises(InvalidInputError, match=words):
        read(**({"rows": ROWS} | given))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"id,text\n1,a,b\n", "ends in line 2 does not have as many cells"),
        ("a.csv", b"id,text\n1\n", "ends in line 2 does not have as many cells"),
        ("a.csv", b"text,text\n1,2\n", "two columns are called 'text'"),
        ("a.csv", b"", "has no header"),
        ("a.csv", "text\ncaf\u00e9\n".encode("latin-1"), "is not UTF-8"),
        ("a.csv", b'text\n"a\n', "line 2: unexpected end of data"),
        ("a.jsonl", b'{"text": "a"}\n{"text"\n', "line 2 is not JSON"),
        ("a.jsonl", b"[1]\n", "line 1 is not a JSON object"),
        (
            "a.jsonl",
            b'{"text": "a"}\n{"text": "b", "text": "c"}\n',
            "line 2: 'text' stands there twice",
        ),
        ("a.json", b'[{"a": {"b": 1, "b": 2}}]', "a.json: 'b' stands there twice, with different values"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    """A cell that moved into the next column would be asked about under a wrong name."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInputError, match=words):
        read(tmp_path / name)


def test_exactly_one_kind_of_input_is_given() -> None:
    """Rows beside messages or files are refused."""
    with pytest.raises(InvalidInputError, match="give one of messages, files and rows; messages and rows"):
        read_inputs(messages=["a"], rows=ROWS, prompt=PROMPT, model=MODEL)
