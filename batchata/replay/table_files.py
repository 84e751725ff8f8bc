"""Write a table of results as JSON lines, Parquet, CSV or Excel, with no text taken for a formula."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import batched
from typing import IO, Any

import msgspec

from batchata.core.money import plain
from batchata.errors import ConfigurationError, InvalidInputError
from batchata.text import escaped
from batchata.views.column_types import CITATION, Column, Type
from batchata.views.item_result import ItemResult
from batchata.views.tables import Table

_ROWS = 1_000  # written together to a Parquet file
# A cell that begins like this is a formula to a spreadsheet, or can become one after trimming.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width ones count too
_HARMLESS = re.compile(r"[0-9A-Za-z][ -~]*+")  # most texts
_encode = msgspec.json.Encoder().encode


def write_json_lines(file: IO[bytes], objects: Iterable[dict[str, Any]]) -> None:
    """One JSON object per line."""
    file.writelines(_encode(value) + b"\n" for value in objects)


class CsvWriter:
    """Writes UTF-8 with the byte order mark that Excel relies on, and a header; None is an empty cell.

    Lists are put in words. A text that a spreadsheet would take for a formula gets an apostrophe in front,
    and control characters, which a terminal would obey, become visible escapes.
    """

    def __init__(self, file: IO[bytes], columns: Iterable[str]) -> None:
        file.write(codecs.BOM_UTF8)
        self._text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
        self._writer = csv.writer(self._text)
        self._writer.writerow(map(_guarded, columns))

    def add(self, rows: Iterable[Iterable[Any]]) -> None:
        """Add rows."""
        self._writer.writerows(
            [value if value is None or value.__class__ is int else _cell(value) for value in row]
            for row in rows
        )

    def end(self) -> None:
        """Write what is still held back, and leave the file open."""
        self._text.flush()
        self._text.detach()


def write_csv(file: IO[bytes], columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a table of these columns; see `CsvWriter`."""
    writer = CsvWriter(file, columns)
    writer.add(rows)
    writer.end()


def _cell(value: Any) -> Any:
    if value.__class__ is str:
        return value if _HARMLESS.fullmatch(value) else _guarded(value)
    if value.__class__ is list and not value:
        return ""
    match value:
        case str():
            return _guarded(value)
        case bool():
            return "true" if value else "false"
        case int() | float():
            return value
        case Decimal():
            return plain(value)
        case list() | dict():
            return _guarded(in_words(value))
        case _:
            return value.isoformat()


def in_words(value: Any) -> str:
    """Write a value of a list or an object for a person: "text: x, price: 1.10; text: y, price: 2.00"."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return "; ".join(map(in_words, value))
        case dict():
            return ", ".join(f"{name}: {in_words(part)}" for name, part in value.items() if part is not None)
        case Decimal():
            return plain(value)
        case _:
            return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _guarded(text: str) -> str:
    if _HARMLESS.fullmatch(text):
        return text
    text = escaped(text)
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def write_parquet(file: IO[bytes], columns: list[Column], rows: Iterable[list[Any]]) -> None:
    """Write typed columns; money is an exact decimal, lists of objects are lists of structs.

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
                f"column {field.name}: a value of items {first} to {last} is not a {field.type} ({exc}); "
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


_MOST_SHEET_ROWS, _MOST_CELL = 1_048_576, 32_767  # of an Excel sheet; characters of a cell
_MOST_DIGITS = 15  # that Excel keeps of a number
_NOT_IN_XML = re.compile("[\ufffe\uffff]")
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")  # to Excel, such a text is the character of that number


def write_xlsx(file: IO[bytes], table: Table, items: Iterable[ItemResult]) -> None:
    """Write a workbook: Items has a row per item, Citations a row per citation, with its item.

    Texts stay texts, whatever they begin with; numbers with more digits than Excel keeps are texts too.

    Raises ConfigurationError without openpyxl, InvalidInputError for what does not fit into a sheet or cell.
    """
    try:
        from openpyxl import Workbook
    except ImportError as exc:
        raise ConfigurationError("Excel files need openpyxl: pip install 'batchata[xlsx]'") from exc
    book = Workbook(write_only=True)  # rows go to temporary files, not to memory
    columns = [column.name for column in table.columns if column.name != "citations"]
    rows = _Sheet(book, "Items", columns)
    cited = _Sheet(book, "Citations", ["index", "name", *CITATION.fields])
    try:
        for item in items:
            values = table.row(item)
            rows.add(values[: len(columns)], item.index)
            for found in (values[len(columns) :] or [None])[0] or []:
                cited.add([item.index, item.name, *found.values()], item.index)
    finally:
        for sheet in book.worksheets:
            sheet.close()
    book.save(file)


class _Sheet:
    """A sheet that is written row by row below its header."""

    def __init__(self, book: Any, name: str, heads: list[str]) -> None:
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.styles import Font

        self._sheet, self._name, self._heads, self._rows = book.create_sheet(name), name, heads, 0
        self._sheet.freeze_panes = "A2"
        self._new_cell, self._bold = WriteOnlyCell, Font(bold=True)
        self.add([*heads], None)

    def add(self, values: list[Any], index: int | None) -> None:
        """Add a row for the item of this index; None for the header."""
        self._rows += 1
        if self._rows > _MOST_SHEET_ROWS:
            raise InvalidInputError(
                f"the sheet {self._name} would have more than {_MOST_SHEET_ROWS:,} rows, which is the most "
                "that Excel reads; use --format csv or parquet"
            )
        named = zip(self._heads, values, strict=True)
        self._sheet.append([self._cell(name, value, index) for name, value in named])

    def _cell(self, name: str, value: Any, index: int | None) -> Any:
        value = _for_excel(value)
        if not isinstance(value, str):
            return value
        if len(value) > _MOST_CELL:
            raise InvalidInputError(
                f"column {name}: the text of item {index} has {len(value):,} characters, and a cell of Excel "
                f"holds {_MOST_CELL:,}; use --format csv or jsonl"
            )
        cell = self._new_cell(self._sheet, value)
        cell.data_type = "s"  # what begins with "=" is not computed, "#N/A" is not an error, and …
        cell.quotePrefix = True  # … it stays so when the cell is edited
        if index is None:
            cell.font = self._bold
        return cell


def _for_excel(value: Any) -> Any:
    """Return the value as a cell can hold it: a number, a day, a time in UTC, or a text."""
    match value:
        case None | bool():
            return value
        case float() if not math.isfinite(value):
            return str(value)
        case int() | Decimal() if len(Decimal(value).as_tuple().digits) > _MOST_DIGITS:
            return str(value) if isinstance(value, int) else plain(value)
        case int() | float() | Decimal():
            return value
        case date() if value.year < 1900:  # before Excel's first day
            return value.isoformat()
        case datetime():
            return value.replace(tzinfo=None)
        case date():
            return value
        case list() | dict():
            return _text_for_excel(_encode(value).decode())
        case _:
            return _text_for_excel(str(value))


def _text_for_excel(text: str) -> str:
    writable = escaped(text).encode(errors="backslashreplace").decode()
    return _LOOKS_ESCAPED.sub("_x005F_", _NOT_IN_XML.sub(lambda found: f"\\u{ord(found[0]):x}", writable))
