"""Build a table row for each item: where it came from, what it says, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pydantic
from pydantic_core import to_jsonable_python

from batchata.answers.answer import Citation, is_with_calls
from batchata.answers.field_paths import inside, path_of
from batchata.answers.reader import Citations, Result
from batchata.answers.schema import result_schema
from batchata.answers.values_by_path import value_at
from batchata.answers.written_results import reads_what_it_writes
from batchata.core.state import Run
from batchata.core.values import Usage
from batchata.log.port import Log
from batchata.views.column_types import (
    CITATION,
    JSON,
    MONEY,
    NUMBER,
    TEXT,
    WHOLE,
    YES_NO,
    Column,
    Kind,
    Type,
    result_columns,
)
from batchata.views.item_inputs import called
from batchata.views.item_result import ItemResult, Support, own_values, result_values, written_at

_PROVENANCE = [
    Column("run_id", TEXT),
    Column("index", WHOLE),
    Column("name", TEXT),
    Column("source", TEXT),
    Column("status", TEXT),
    Column("attempt", WHOLE),
    Column("job", WHOLE),
    Column("batch_id", TEXT),
    Column("custom_id", TEXT),
    Column("same_as", WHOLE),
    Column("model", TEXT),
    Column("cost", MONEY),
    *(Column(kind, WHOLE) for kind in Usage.__struct_fields__),
    Column("stop_reason", TEXT),
    Column("error_kind", TEXT),
    Column("error_message", TEXT),
]

_NO_USAGE = dict.fromkeys(Usage.__struct_fields__)


def row_columns(log: Log, run: Run) -> list[Column]:
    """Return the columns of the rows that a run was made from, `row.text` for `text`; none without rows."""
    assert run.started is not None
    kinds: dict[str, set[type]] = {}
    for body in log.bodies(run.started.run_id, map(run.input_body, range(run.total))):
        row = called(body, 0).row
        if row is None:
            break  # all have one, or none has
        for name, value in row.items():
            kinds.setdefault(name, set()).add(type(value))
    return [Column(inside("row", name), _of_types(found), (name,)) for name, found in kinds.items()]


def _of_types(found: set[type]) -> Type:
    match found - {type(None)}:
        case some if some == {int}:
            return WHOLE
        case some if some and some <= {int, float}:
            return NUMBER
        case some if some == {bool}:
            return YES_NO
        case some if some <= {str}:
            return TEXT
        case _:
            return JSON


class Table:
    """The columns of a run's results and the values of each item in them.

    Results are in columns of their own, by the fields of `response_model`; None for texts. `given` are the
    columns of the rows that the items were made from. A value without a single type is a JSON text; in
    columns of the kinds in `as_is` all values are as JSON has them. The last column lists the citations,
    unless these go elsewhere.
    """

    def __init__(
        self,
        run: Run,
        response_model: type[pydantic.BaseModel] | None,
        given: Sequence[Column] = (),
        *,
        as_is: frozenset[Kind] = frozenset(),
        with_citations: bool = True,
    ) -> None:
        assert run.started is not None
        self._run = run
        schema = None if response_model is None else result_schema(response_model)
        self._of_result = result_columns(schema)
        is_cited = run.started.enable_citations
        cited = [Column("citations", Type("list", CITATION))] if is_cited and with_citations else []
        looked = [Column(name, Type("list", TEXT)) for name in Support._fields] if is_cited and schema else []
        self._given = given
        self._as_is = as_is
        self.columns = [*_PROVENANCE, *given, *self._of_result, *looked, *cited]
        self._is_cited = bool(cited)
        self._is_looked_at = bool(looked)
        self._has_fields = schema is not None
        self._is_written_plainly = response_model is None or reads_what_it_writes(response_model)

    def row(self, item: ItemResult) -> list[Any]:
        """Return the item's values, one for each column; None where there is none."""
        result = _tabular(item.result, self._has_fields)
        values = [self._result_cell(result, column, item.result) for column in self._of_result]
        cited = [flat_citations(item.citations)] if self._is_cited else []
        looked = Support.of(item) if self._is_looked_at else ()
        row = item.row or {}
        given = [self._cell(row, column) for column in self._given]
        return [*provenance(self._run, item).values(), *given, *values, *looked, *cited]

    def _result_cell(self, written: Any, column: Column, result: Result) -> Any:
        if self._is_written_plainly:
            return self._cell(written, column)
        found = to_jsonable_python(written_at(written, column.path, result))
        if not _fits(found, column.type):
            own = to_jsonable_python(own_values(value_at(result, path_of(column.path))))
            found = own if _fits(own, column.type) else found
        return self._in_column(found, column)

    def _cell(self, value: Any, column: Column) -> Any:
        return self._in_column(_at(value, column.path), column)

    def _in_column(self, found: Any, column: Column) -> Any:
        return found if column.type.kind in self._as_is else _converted(found, column.type)


def provenance(run: Run, item: ItemResult) -> dict[str, Any]:
    """Return where the item's result came from and what it cost, by the names of the columns."""
    started, number = run.started, run.items.job[item.index]
    assert started is not None
    job = run.jobs.get(number)
    return {
        "run_id": started.run_id,
        "index": item.index,
        "name": item.name,
        "source": item.source,
        "status": item.status,
        "attempt": item.attempts,
        "job": None if job is None else number,
        "batch_id": None if job is None else job.batch_id,
        "custom_id": None
        if job is None
        else job.custom_id(item.index if item.same_as is None else item.same_as),
        "same_as": item.same_as,
        "model": started.model,
        "cost": item.cost,
        **(_NO_USAGE if item.usage is None else msgspec.structs.asdict(item.usage)),
        "stop_reason": item.stop_reason,
        "error_kind": None if item.error is None else item.error.kind,
        "error_message": None if item.error is None else item.error.message,
    }


def _tabular(result: Result, has_fields: bool) -> Any:
    """Return the result for its columns: calls of tools are one text, and have no fields."""
    if not is_with_calls(result):
        return result_values(result)
    return None if has_fields else msgspec.json.encode(result).decode()


def flat_citations(citations: Citations) -> list[dict[str, Any]] | None:
    """Yield the citations in order, each with the `field` that it supports; None without a field."""
    if citations is None:
        return None
    if isinstance(citations, list):
        return [_citation(None, citation) for citation in citations]
    return [_citation(path, citation) for path, found in citations.items() for citation in found]


def _citation(path: str | None, citation: Citation) -> dict[str, Any]:
    known = citation.as_dict()
    return {name: path if name == "field" else known.get(name) for name in CITATION.fields}


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = None if value is None else value.get(step)
    return value


def _fits(value: Any, type_: Type) -> bool:
    """Whether a JSON value is of a column's type; a serializer may write another than its field says."""
    match type_.kind, value:
        case (_, None) | ("json", _) | ("text", str()) | ("yes_no", bool()):
            return True
        case ("whole" | "number", bool()):
            return False
        case ("whole", int()) | ("number", int() | float()):
            return True
        case ("date" | "time", str()):
            return _is_moment(value, type_)
        case ("list", list()):
            return all(_fits(part, type_.inner or JSON) for part in value)
        case ("object", dict()):
            return all(name in value and _fits(value[name], part) for name, part in type_.fields.items())
    return False


def _is_moment(value: str, type_: Type) -> bool:
    try:
        _converted(value, type_)
    except ValueError:
        return False
    return True


def _converted(value: Any, type_: Type) -> Any:
    if value is None:
        return None
    match type_.kind:
        case "json":
            return msgspec.json.encode(value).decode()
        case "date":
            return date.fromisoformat(value)
        case "time":
            when = datetime.fromisoformat(value)
            return when.replace(tzinfo=UTC) if when.tzinfo is None else _in_utc(when)
        case "list":
            inner = type_.inner
            assert inner is not None
            return [_converted(part, inner) for part in value]
        case "object":
            return {name: _converted(value.get(name), part) for name, part in type_.fields.items()}
        case _:
            return value


def _in_utc(when: datetime) -> datetime:
    try:
        return when.astimezone(UTC)
    except OverflowError:  # it would be before the year 1, or after 9999
        return when
