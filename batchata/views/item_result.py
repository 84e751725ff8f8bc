"""Hold what is known of one item: its result and citations or why there are none, its cost, what to check."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, Literal, NamedTuple, TypedDict

import pydantic
from typing_extensions import TypeVar

from batchata.answers.answer import Citation
from batchata.answers.field_paths import inside, path_of
from batchata.answers.reader import Citations, Reading
from batchata.answers.values_by_path import uncited, value_at
from batchata.core.values import RequestError, Usage

R = TypeVar("R", default=Any)  # Python 3.12 has no defaults in its own syntax
type Status = Literal["completed", "failed", "pending"]


class Entry(TypedDict, Generic[R]):
    """One item as `results()` gives it; both are None where there is no result.

    entry: Entry[Invoice] = manager.results()[0]
    """

    result: R | None
    citations: Citations


@dataclass(slots=True)
class ItemResult(Generic[R]):
    """Everything known of one item; `R` is the type of its result, such as the response model.

        failed = [(item.name, item.error) for item in manager.items() if item.status == "failed"]

    `status` is "completed", "failed" or "pending". `error` says why the last answer is unusable, with a
    stable `kind` and a readable `message`; a pending item that waits for another attempt has one too.
    `cost` is in USD over all attempts, None when a price was unknown. `raw` is the provider's result line
    of the last attempt, as received. With `dedupe`, `same_as` is the index of the earlier item whose request
    the item shares; that one has the usage and the cost, and this one none.

    `name` is the item's key, or its file's name, or "item 3" where it has neither; `source` the path of its
    file, as it was given; `row` what stood in the row it was made from, by column.

    `unsupported` has the paths of the fields that a cited passage contradicts and none supports, `uncited`
    those of the fields that have a value and no citation; both are empty without citations of fields.
    """

    index: int
    status: Status
    result: R | None
    citations: Citations
    error: RequestError | None
    usage: Usage | None
    cost: Decimal | None
    attempts: int
    stop_reason: str | None
    raw: bytes | None = field(repr=False)
    same_as: int | None = None
    name: str = ""
    source: str | None = None
    row: dict[str, Any] | None = None

    @property
    def unsupported(self) -> list[str]:
        """The paths of the fields that a passage contradicts and none supports.

        doubtful = [item.name for item in manager.items() if item.unsupported]
        """
        return Support.of(self).unsupported

    @property
    def uncited(self) -> list[str]:
        """The paths of the fields that have a value and no citation.

        print({item.name: item.uncited for item in manager.items()})
        """
        return Support.of(self).uncited

    def cited(self, field: str) -> list[Citation]:
        """Return the citations of the field at this path; may be empty.

        quotes = [citation.cited_text for citation in item.cited("lines[2].price")]
        """
        return self.citations.get(field, []) if isinstance(self.citations, dict) else []

    def pages(self, field: str) -> list[int]:
        """Return the pages that the field's citations name, each once, ascending; the first page is 1.

        print(item.result.total, item.pages("total"))
        """
        found = {page for c in self.cited(field) if c.pages for page in range(c.pages[0], c.pages[1] + 1)}
        return sorted(found)

    def _repr_html_(self) -> str:
        """Show the item in a notebook: its fields, marks, passages and the pages these stand on."""
        from batchata.views.notebook import item_html  # draws pages, which few want

        values = [] if self.result is None else flat(result_values(self.result))
        return item_html(self, {path: text for path, text, _ in values})


class Support(NamedTuple):
    """What a person should look at first in a result: paths of fields that no passage supports."""

    unsupported: list[str]
    uncited: list[str]

    @classmethod
    def of(cls, read: Reading | ItemResult[Any]) -> Support:
        """Return it for a result with its citations; empty where fields have none."""
        if not isinstance(read.citations, dict) or not isinstance(read.result, pydantic.BaseModel):
            return cls([], [])
        from batchata.answers.supports import unsupported  # where fields have citations

        return cls(unsupported(read.citations), uncited(read.result, read.citations))


def result_values(result: object) -> Any:
    """Return the result as JSON values, by field names."""
    return result.model_dump(mode="json") if isinstance(result, pydantic.BaseModel) else result


def written_at(written: Any, path: Sequence[str], result: object) -> Any:
    """Return the value at a path of what a result's model writes; else that of the field itself.

    A model with a serializer of its own may write something else than its fields.
    """
    for step in path:
        if not isinstance(written, dict) or step not in written:
            return own_values(value_at(result, path_of(path)))
        written = written[step]
    return written


def own_values(value: Any) -> Any:
    """Return a value by the names of its fields, whatever its model's own serializers make of them."""
    match value:
        case pydantic.RootModel():
            return own_values(value.root)
        case pydantic.BaseModel():
            computed = {name: getattr(value, name) for name in type(value).model_computed_fields}
            members = {**value.__dict__, **(value.__pydantic_extra__ or {}), **computed}
            return {name: own_values(inner) for name, inner in members.items()}
        case dict():
            return {key: own_values(inner) for key, inner in value.items()}
        case list() | tuple():
            return [own_values(inner) for inner in value]
    return value


def citation_values(citations: Citations) -> Any:
    """Return the citations as JSON values, under the paths of their fields where they have some."""
    if isinstance(citations, dict):
        return {path: [c.as_dict() for c in found] for path, found in citations.items()}
    return None if citations is None else [c.as_dict() for c in citations]


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str, bool]]:
    """Yield each single value as (path, text, whether the text is a JSON literal and not a string).

    Numbers are written here and not in the browser, whose numbers have only 53 bits.
    """
    match value:
        case dict() if value:
            for key, inner in value.items():
                if inner.__class__ is str:
                    yield inside(path, str(key)), inner, False
                else:
                    yield from flat(inner, inside(path, str(key)))
        case list() if value:
            for number, inner in enumerate(value):
                yield from flat(inner, inside(path, number))
        case str():
            yield path, value, False
        case _:
            yield path, _in_json(value), True


_in_json = json.JSONEncoder(ensure_ascii=False).encode  # `json.dumps` would make one for each value


def entry(reading: Reading | ItemResult) -> Entry[Any]:
    """Return an item in the shape of `results()`."""
    return {"result": reading.result, "citations": reading.citations}
