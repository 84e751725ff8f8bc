"""Turn rows (a data frame, a CSV or JSONL file, a list of dicts) and a prompt into conversations."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from string import Formatter
from typing import Any, Final, NamedTuple

from batchata.errors import InvalidInputError
from batchata.inputs.json_values import DEEPEST, check_text
from batchata.text import did_you_mean, type_of

type Row = dict[str, Any]

_DELIMITERS: Final = ",;\t|"
_CELLS: Final = frozenset({".csv", ".tsv", ".txt"})
_ENDINGS: Final = _CELLS | {".jsonl", ".ndjson", ".json"}
# By what pandas reads tables of other kinds.
_FRAMES: Final = {
    **dict.fromkeys([".parquet", ".orc"]),
    **dict.fromkeys([".feather", ".arrow"], "feather"),
    **dict.fromkeys([".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"], "excel"),
}
_LONGEST_CELL: Final = 100_000_000  # bytes; the csv module's own limit is 131,072
_MOST_LISTED: Final = 20  # columns
_EXAMPLE: Final = "rows='reviews.csv' with prompt='Classify: {text}'"
_FORMATS: Final = "a path that ends in .csv, .tsv, .jsonl or .json, a data frame, or a list of dicts"


class Asked(NamedTuple):
    """What rows become: a conversation for each, their keys where a column has them, and their values."""

    texts: list[str]
    keys: list[Any] | None
    rows: list[Row]


def ask_rows(rows: Any, prompt: Any, keys: Any) -> Asked:
    """Read the rows, and put each into the prompt; `keys` may name the column that holds their keys.

    Raises InvalidInputError for what are not rows, and for a prompt that names a column they lack.
    """
    values = _json_rows(read_rows(rows))
    columns = list(dict.fromkeys(column for row in values for column in row))
    template = _Template.of(prompt, columns, known=bool(values))
    if isinstance(keys, str):
        if values and keys not in columns:
            raise InvalidInputError(f"keys={keys!r} is not a column of the rows; {_other(keys, columns)}")
        keys = [row.get(keys) for row in values]
    return Asked([template.filled(row, number) for number, row in enumerate(values)], keys, values)


def read_rows(rows: Any) -> list[Mapping[str, Any]]:
    """Return the rows of a data frame, a table file, or an iterable of dicts.

    Raises InvalidInputError for anything else.
    """
    if isinstance(rows, str | os.PathLike):
        return read_table(Path(os.fspath(rows)))
    if callable(to_dicts := getattr(rows, "to_dicts", None)):  # Polars
        found = list(to_dicts())
    elif callable(to_pylist := getattr(rows, "to_pylist", None)):  # Arrow
        _check_once(getattr(rows, "column_names", ()), "rows")
        found = list(to_pylist())
    elif callable(to_dict := getattr(rows, "to_dict", None)) and hasattr(rows, "columns"):  # pandas
        _check_once(rows.columns, "rows")
        found = list(to_dict(orient="records"))
    elif isinstance(rows, bytes | Mapping) or not isinstance(rows, Iterable):
        raise InvalidInputError(f"rows is {type_of(rows)}; give {_FORMATS}")
    else:
        found = list(rows)
    for number, row in enumerate(found):
        if not isinstance(row, Mapping):
            raise InvalidInputError(
                f"rows[{number}] is {type_of(row)}, not a dict of columns; texts go into messages=[…]"
            )
    return found


def read_table(path: Path) -> list[Mapping[str, Any]]:
    """Read the rows of a CSV file with a head, or of a file with a JSON object per line.

    Raises InvalidInputError for a file that is neither, or is not UTF-8.
    """
    if (kind := path.suffix.lower()) not in _ENDINGS:
        frame = f"; pandas.read_{_FRAMES[kind] or kind[1:]}({str(path)!r}) is one" if kind in _FRAMES else ""
        raise InvalidInputError(f"rows are read from {_FORMATS}, not from {path.name!r}{frame}")
    try:
        text = path.expanduser().read_text(encoding="utf-8-sig")
    except UnicodeError as exc:
        raise InvalidInputError(f"{path} is not UTF-8 ({exc}); save it as UTF-8") from exc
    except (OSError, ValueError) as exc:
        raise InvalidInputError(f"{path} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    return list(_csv_rows(text, path) if kind in _CELLS else _json_objects(text, path))


def _csv_rows(text: str, path: Path) -> Iterator[Row]:
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        head = text.partition("\n")[0]
        delimiter = max(_DELIMITERS, key=lambda one: len(next(csv.reader([head], delimiter=one), [])))
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        names = [name.strip() for name in reader.fieldnames or []]
        _check_head(names, path)
        reader.fieldnames = names
        for row in reader:
            if None in row or None in row.values():
                raise InvalidInputError(
                    f"{path}: the row that ends in line {reader.line_num} does not have as many cells "
                    f"as the header ({len(names)}); put cells that hold {delimiter!r} in quotes"
                )
            yield row
    except csv.Error as exc:
        raise InvalidInputError(
            f"{path}, line {reader.reader.line_num}: {exc}; save it as CSV again"
        ) from exc
    finally:
        csv.field_size_limit(limit)


def _check_head(names: list[str], path: Path) -> None:
    if not any(names):
        raise InvalidInputError(f"{path} has no header: its first line must name the columns")
    _check_once(names, str(path))


def _check_once(columns: Iterable[Any], place: str) -> None:
    """Raise InvalidInputError for two columns of one name: only one of them would be seen."""
    names = [str(column) for column in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInputError(f"{place}: two columns are called {twice!r}; rename one of them")


def _json_objects(text: str, path: Path) -> Iterator[Row]:
    if path.suffix.lower() == ".json":
        found = _parsed(text, str(path))
        yield from _objects(enumerate(found if isinstance(found, list) else [found], 1), f"{path}, entry")
        return
    lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    yield from _objects(
        ((number, _parsed(line, f"{path}, line {number}")) for number, line in lines), f"{path}, line"
    )


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, place))
    except InvalidInputError:
        raise
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(f"{place} is not JSON: {exc}") from exc


def _once(pairs: list[tuple[str, Any]], place: str) -> dict[str, Any]:
    """Return the pairs of an object. Raises InvalidInputError where a key has two different values."""
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next((key for key, value in pairs if made[key] != value), None)
        if twice is not None:
            raise InvalidInputError(f"{place}: {twice!r} stands there twice, with different values; keep one")
    return made


def _objects(found: Iterable[tuple[int, Any]], place: str) -> Iterator[Row]:
    for number, value in found:
        if not isinstance(value, dict):
            raise InvalidInputError(
                f"{place} {number} is not a JSON object; give one with the columns by name"
            )
        yield value


def _json_rows(rows: list[Mapping[str, Any]]) -> list[Row]:
    found = []
    for number, row in enumerate(rows):
        place = f"rows[{number}]"
        if len({str(name) for name in row}) < len(row):
            _check_once(row, place)
        found.append({str(name): json_value(value, f"{place}[{name!r}]") for name, value in row.items()})
    return found


def json_value(value: Any, place: str, depth: int = 0) -> Any:
    """Return a cell as JSON holds it: times in ISO form, decimals as text, None for what is missing or NaN.

    Raises InvalidInputError for anything else.
    """
    if depth > DEEPEST:
        raise InvalidInputError(f"{place} is nested deeper than {DEEPEST} levels, or holds itself")
    match value:
        case None | bool():
            return value
        case str():
            check_text(value, place)
            return str(value)
        case float():
            _check_finite(math.isinf(value), value, place)
            return None if math.isnan(value) else float(value)
        case int():
            return int(value)
        case list() | tuple():
            return [json_value(inner, place, depth + 1) for inner in value]
        case dict():
            return {str(name): json_value(inner, place, depth + 1) for name, inner in value.items()}
    return _of_a_library(value, place, depth)


def _of_a_library(value: Any, place: str, depth: int) -> Any:
    if type(value).__name__ in ("NaTType", "NAType"):  # pandas' missing values
        return None
    if isinstance(value, Decimal):
        _check_finite(value.is_infinite(), value, place)
        return None if value.is_nan() else str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if callable(tolist := getattr(value, "tolist", None)):  # numpy's numbers, and its arrays in cells
        return json_value(tolist(), place, depth)
    raise InvalidInputError(f"{place} is {type_of(value)}; make it a text or a number")


def _check_finite(is_infinite: bool, number: float | Decimal, place: str) -> None:
    """Refuse infinity, which is a value, other than NaN, by which libraries say that one is missing."""
    if is_infinite:
        raise InvalidInputError(
            f"{place} is {number}, which JSON cannot hold; make it a finite number or a text, or None where "
            "the value is missing"
        )


class _Template(NamedTuple):
    """A prompt in pieces: each a text and the column that follows it, None after the last."""

    pieces: list[tuple[str, str | None]]

    @classmethod
    def of(cls, prompt: Any, columns: list[str], *, known: bool) -> _Template:
        """Take the prompt apart; its columns are checked only where some row is `known`."""
        if not isinstance(prompt, str) or not prompt.strip():
            raise InvalidInputError(f"rows need a prompt that names their columns: {_EXAMPLE}")
        check_text(prompt, "prompt")
        try:
            parsed = list(Formatter().parse(prompt))
        except ValueError as exc:
            raise InvalidInputError(f"prompt: {exc}; double each brace of the text: {{{{ or }}}}") from exc
        pieces: list[tuple[str, str | None]] = []
        for text, name, layout, conversion in parsed:
            column = _column(name, layout, conversion)
            if column is not None and known and column not in columns:
                raise InvalidInputError(
                    f"prompt names {{{column}}}, which is not a column of the rows; "
                    f"{_other(column, columns)}. Double each brace of the text: {{{{ or }}}}"
                )
            pieces.append((text, column))
        if all(column is None for _, column in pieces):
            raise InvalidInputError(
                f"prompt names no column, so all items would ask the same; write it like {_EXAMPLE}"
            )
        return cls(pieces)

    def filled(self, row: Row, number: int) -> str:
        """Return the prompt with the row's values; missing ones are left empty."""
        values = {column: _text(row.get(column)) for _, column in self.pieces if column is not None}
        if not any(value.strip() for value in values.values()):
            raise InvalidInputError(
                f"rows[{number}] is empty in {_listed(list(values))}, which is all that the prompt asks "
                "about; leave the row out"
            )
        return "".join(text + ("" if column is None else values[column]) for text, column in self.pieces)


def _column(name: str | None, layout: str | None, conversion: str | None) -> str | None:
    """Return the column that a pair of braces names, all of it: a column may be called "size:mm"."""
    if name is None:
        return None
    return name + (f"!{conversion}" if conversion else "") + (f":{layout}" if layout else "")


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case list() | dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _other(word: str, columns: list[str]) -> str:
    """Name the columns there are; of many, the one that was probably meant."""
    meant = did_you_mean(word, columns) if len(columns) > _MOST_LISTED else ""
    return f"{meant}{' ' if meant else ''}they have {_listed(columns)}"


def _listed(columns: list[str]) -> str:
    names = ", ".join(map(repr, columns[:_MOST_LISTED]))
    more = f" and {len(columns) - _MOST_LISTED} more" if len(columns) > _MOST_LISTED else ""
    return f"{names}{more}"
