"""Give results as rows of plain values, for data frames: one per item, or one per citation."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Final

import pydantic
from pydantic_core import to_jsonable_python

from batchata.answers.field_paths import path_of
from batchata.answers.schema import result_schema
from batchata.answers.values_by_path import value_at
from batchata.views.column_types import Column, result_columns
from batchata.views.item_result import ItemResult, Support, flat, own_values, result_values, written_at

type Row = dict[str, Any]

_BEFORE: Final = ("item", "name", "status")
_BEHIND: Final = ("unsupported", "uncited", "cost", "error")
_CITED: Final = ("unsupported", "uncited")


class ItemRows:
    """The columns of a run's items: what they are called, what was given, what was read, what it cost.

    A column of the caller's rows or of the response model whose name is taken has "row." or "result." before
    it.
    """

    def __init__(
        self, response_model: type[pydantic.BaseModel] | None, given: Iterable[str], *, cited: bool
    ) -> None:
        schema = None if response_model is None else result_schema(response_model)
        behind = [name for name in _BEHIND if (cited and schema is not None) or name not in _CITED]
        taken = {*_BEFORE, *behind}
        self._fields: dict[str, Column] = {}
        for column in result_columns(schema):
            path = path_of(column.path) or "result"
            self._fields[f"result.{path}" if path in taken else path] = column
        taken |= self._fields.keys()
        self._given = {f"row.{name}" if name in taken else name: name for name in given}
        self._pages = (
            {f"pages.{name}": c.path for name, c in self._fields.items()} if cited and schema else {}
        )
        self.columns = [*_BEFORE, *self._given, *self._fields, *self._pages, *behind]

    def row(self, item: ItemResult) -> Row:
        """Return the item's values by column; None where there is none."""
        values = _values(item.result)
        support = Support.of(item)
        row: Row = {"item": item.index, "name": item.name, "status": item.status}
        row |= {column: _plain((item.row or {}).get(name)) for column, name in self._given.items()}
        row |= {
            name: _plain(written_at(values, column.path, item.result))
            for name, column in self._fields.items()
        }
        row |= {name: _pages(item, path) for name, path in self._pages.items()}
        row |= {
            "unsupported": ", ".join(support.unsupported) or None,
            "uncited": ", ".join(support.uncited) or None,
            "cost": item.cost,
            "error": None if item.error is None else f"{item.error.kind}: {item.error.message}",
        }
        return {name: row[name] for name in self.columns}


CITATION_COLUMNS: Final = (
    "item",
    "name",
    "field",
    "value",
    "document",
    "page",
    "quote",
    "grounded",
    "supports",
)


def citation_rows(item: ItemResult) -> Iterator[Row]:
    """Yield a row per citation; `field` and `value` are None without a response model."""
    for found in cited_values(item):
        yield dict(zip(CITATION_COLUMNS, found, strict=False))


def cited_values(item: ItemResult) -> Iterator[tuple[Any, ...]]:
    """Yield the column values of each citation, and after them when that was found out."""
    cited = item.citations if isinstance(item.citations, dict) else {None: item.citations or []}
    values = dict(_texts(result_values(item.result))) if item.result else {}
    for path, citations in cited.items():
        for citation in citations:
            yield (
                item.index,
                item.name,
                path,
                None if path is None else _text_at(values, path, item.result),
                citation.document_title,
                citation.pages[0] if citation.pages else None,
                citation.cited_text,
                citation.grounded,
                citation.supports,
                citation.checked_at,
            )


def _values(result: Any) -> Any:
    """Return the result by field names, with numbers and dates as Python has them."""
    return result.model_dump() if isinstance(result, pydantic.BaseModel) else result


def _text_at(values: dict[str, str], path: str, result: Any) -> str | None:
    if path in values:
        return values[path]
    own = value_at(result, path)  # where the model writes something else than its fields
    return None if own is None else dict(_texts(to_jsonable_python(own_values(own)))).get("")


def _texts(written: Any) -> Iterator[tuple[str, str]]:
    return ((path, text) for path, text, _ in flat(written))


def _plain(value: Any) -> Any:
    """Return one value of a cell: lists and objects as JSON."""
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, bool | int | float | str | Decimal | date | time):
        return value
    if isinstance(value, timedelta):
        return str(value)
    written = _written(value)
    return written if isinstance(written, str) else json.dumps(written, ensure_ascii=False)


def _written(value: Any) -> Any:
    try:
        return to_jsonable_python(value, fallback=str)
    except UnicodeDecodeError:  # bytes that a validator made
        return to_jsonable_python(value, fallback=str, bytes_mode="base64")


def _pages(item: ItemResult, path: Sequence[str]) -> str | None:
    """Return the pages that are cited for the field, or for anything in it: "2" or "1, 3"."""
    field = path_of(path)
    cited = item.citations if isinstance(item.citations, dict) else {}
    within = [name for name in cited if name == field or name.startswith((f"{field}.", f"{field}["))]
    return ", ".join(map(str, sorted({page for name in within for page in item.pages(name)}))) or None
