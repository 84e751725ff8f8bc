"""A table of results as a file: JSON lines, CSV that no spreadsheet takes for formulas, or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import batched
from typing import IO, Any

import msgspec

from batchata.core.money import plain
from batchata.errors import ConfigurationError, InvalidInputError
from batchata.replay.tables import Column, Type
from batchata.text import escaped

_ROWS = 1_000  # written together to a Parquet file
# A cell that begins like this is a formula to a spreadsheet, or can become one after trimming.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width ones count too
_encode = msgspec.json.Encoder().encode


def write_json_lines(file: IO[bytes], objects: Iterable[dict[str, Any]]) -> None:
    """One JSON object per line."""
    file.writelines(_encode(value) + b"\n" for value in objects)


def write_csv(file: IO[bytes], columns: list[Column], rows: Iterable[list[Any]]) -> None:
    """UTF-8 with a head; no value is an empty cell, lists are JSON.

    A text that a spreadsheet would take for a formula gets an apostrophe in front, and control characters,
    which a terminal would obey, are visible escapes.
    """
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    writer = csv.writer(text)
    writer.writerow([_guarded(column.name) for column in columns])
    writer.writerows([_cell(value) for value in row] for row in rows)
    text.flush()
    text.detach()


def _cell(value: Any) -> Any:
    match value:
        case bool():
            return "true" if value else "false"
        case None | int() | float():
            return value
        case Decimal():
            return plain(value)
        case str():
            return _guarded(value)
        case list() | dict():
            return _encode(value).decode()  # begins with a bracket, so no formula
        case _:
            return value.isoformat()


def _guarded(text: str) -> str:
    text = escaped(text)
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def write_parquet(file: IO[bytes], columns: list[Column], rows: Iterable[list[Any]]) -> None:
    """Typed columns; money is an exact decimal, lists of objects are lists of structs.

    Raises ConfigurationError without pyarrow, InvalidInputError for a value that its column cannot hold.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as exc:
        raise ConfigurationError("Parquet needs pyarrow: pip install 'batchata[parquet]'") from exc
    schema, count = pa.schema([(column.name, _arrow(pa, column.type)) for column in columns]), 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batched(rows, _ROWS):
            writer.write_batch(pa.record_batch(list(_arrays(pa, schema, batch, count)), schema=schema))
            count += len(batch)


def _arrays(pa: Any, schema: Any, batch: tuple[list[Any], ...], first: int) -> Iterator[Any]:
    for field, values in zip(schema, zip(*batch, strict=True), strict=True):
        try:
            yield pa.array(values, type=field.type)
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as exc:
            last = first + len(batch) - 1
            raise InvalidInputError(
                f"column {field.name}: a value of items {first} to {last} is no {field.type} ({exc}); "
                "use --format jsonl, which holds every value"
            ) from exc


def _arrow(pa: Any, type_: Type) -> Any:
    match type_.kind:
        case "list":
            assert type_.inner is not None
            return pa.list_(_arrow(pa, type_.inner))
        case "object":
            return pa.struct([(name, _arrow(pa, part)) for name, part in type_.fields.items()])
        case "money":
            return pa.decimal128(38, 18)
        case "time":
            return pa.timestamp("us", tz="UTC")
        case "date":
            return pa.date32()
        case kind:
            return {"whole": pa.int64(), "number": pa.float64(), "yes_no": pa.bool_()}.get(kind, pa.string())
