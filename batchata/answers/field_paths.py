"""Name what stands in an answer's JSON by the response model: fields by their Python names."""

from __future__ import annotations

import collections.abc
import json
import re
import types
from collections.abc import Iterable
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeAliasType, TypeVar, Union, get_args, get_origin

import pydantic

from batchata.answers.field_declarations import declared

# A key that stands in a path as it is; any other stands as a JSON text in brackets.
_PLAIN = re.compile(r"[^.\[\]\"\\()\x00-\x1f]+")
_STEP = re.compile(r"\[(?:\d+|\"(?:[^\"\\]|\\.)*\")\]|[^.\[\]]+")


def step_to(key: str) -> str:
    """Write a key as a step of a path."""
    return _short_step(key) if len(key) < _SHORT else _step(key)


def _step(key: str) -> str:
    return key if _PLAIN.fullmatch(key) else f"[{json.dumps(key, ensure_ascii=False)}]"


_SHORT = 64  # characters of a key; longer ones are not kept
_short_step = lru_cache(maxsize=4_096)(_step)


def behind(path: str, step: str) -> str:
    """Append a step that `step_to` has written to a path."""
    return f"{path}.{step}" if path and step[0] != "[" else path + step


def inside(path: str, step: str | int) -> str:
    """Return the path of a member by its key, or of an element by its index."""
    return f"{path}[{step}]" if isinstance(step, int) else behind(path, step_to(step))


def path_of(steps: Iterable[str | int]) -> str:
    """Write keys and indexes as a path."""
    path = ""
    for step in steps:
        path = inside(path, step)
    return path


def steps_of(path: str) -> list[str]:
    """Split a path into its steps as written: names, and what stands in brackets."""
    return _STEP.findall(path)


@lru_cache(maxsize=8_192)
def keys_of(path: str) -> tuple[str | int, ...]:
    """Return the steps of a path as keys and numbers."""
    return tuple([json.loads(step[1:-1]) if step[0] == "[" else step for step in steps_of(path)])


def prefixes(path: str) -> tuple[str, str]:
    """Return how the paths of everything inside a value begin."""
    return f"{path}.", f"{path}["


_UNIONS = (Union, types.UnionType)
_MOST_NAMES = 1_000  # remembered for one type; the keys of an open dict have no end


class Shape:
    """One type. `names` maps a key as it is written to the step of the path and the shape behind it."""

    __slots__ = ("_element", "_options", "names", "root")

    def __init__(self, annotation: Any) -> None:
        self.names: dict[str, tuple[str, Shape]] = {}
        self._options = _options(annotation)
        self._element: Shape | None = None
        self.root: Any = None  # what `steps` keeps of the values of this shape

    def field(self, written: str) -> tuple[str, Shape]:
        """Add the step for a key that is not yet in `names`; `written` is its JSON without quotes."""
        found = self._field(_unescaped(written))
        if len(self.names) < _MOST_NAMES:
            self.names[written] = found
        return found

    @property
    def element(self) -> Shape:
        """The shape of a list's elements."""
        if self._element is None:
            inner = [inner for option in self._options for inner in _element_types(option)]
            self._element = Shape(Union[tuple(inner)]) if inner else ANYTHING  # noqa: UP007 - made at run time
        return self._element

    def behind(self, key: str) -> Shape:
        """Return the shape of the member with this key."""
        return self._field(key)[1]

    @property
    def choices(self) -> tuple[str, ...]:
        """The texts that a `Literal` lists; none where others may stand there as well."""
        listed = [option for option in self._options if get_origin(option) is Literal]
        others = [option for option in self._options if option not in (*listed, types.NoneType)]
        found = [text for option in listed for text in get_args(option) if isinstance(text, str)]
        return () if others else tuple(found)

    def _field(self, key: str) -> tuple[str, Shape]:
        for option in self._options:
            if isinstance(option, type) and issubclass(option, pydantic.BaseModel):
                name = _names(option).get(key)
                if name is not None:
                    return step_to(name), Shape(option.model_fields[name].annotation)
            elif found := _named(option).get(key):
                return step_to(found[0]), Shape(found[1])
        values = [get_args(option)[1] for option in self._options if _is_mapping(option)]
        return step_to(key), Shape(values[0]) if values else ANYTHING


@lru_cache(maxsize=256)
def shape_of(model: type[pydantic.BaseModel]) -> Shape:
    """Return the shape of a response model, kept with the keys it has met."""
    return Shape(model)


def _options(annotation: Any) -> list[Any]:
    """Return the types that a value may have here, with root models and type aliases resolved."""
    if (meant := aliased(annotation)) is not annotation:
        return _options(meant)
    origin = get_origin(annotation)
    if origin is Annotated:
        return _options(get_args(annotation)[0])
    if origin in _UNIONS:
        return [inner for option in get_args(annotation) for inner in _options(option)]
    if isinstance(annotation, type) and issubclass(annotation, pydantic.RootModel):
        return _options(annotation.model_fields["root"].annotation)
    return [annotation]


def aliased(annotation: Any) -> Any:
    """Return what a type alias stands for, with the types that it is given; other types as they are."""
    if isinstance(annotation, TypeAliasType):
        return annotation.__value__
    origin = get_origin(annotation)
    if not isinstance(origin, TypeAliasType):
        return annotation
    given: dict[Any, Any] = dict(zip(origin.__type_params__, get_args(annotation), strict=False))
    meant = origin.__value__
    if isinstance(meant, TypeVar):
        return given.get(meant, meant)
    # In the order in which it uses its parameters, which may be another one, and without some of them.
    used = getattr(meant, "__parameters__", ())
    try:
        return meant[tuple(given[parameter] for parameter in used)] if used else meant
    except (KeyError, TypeError):  # a parameter that stands for several types, or has a default
        return meant


def _is_mapping(option: Any) -> bool:
    origin = get_origin(option)
    is_mapping = isinstance(origin, type) and issubclass(origin, collections.abc.Mapping)
    return is_mapping and len(get_args(option)) == 2


def _element_types(option: Any) -> list[Any]:
    origin = get_origin(option)
    if (
        not isinstance(origin, type)
        or not issubclass(origin, collections.abc.Iterable)
        or _is_mapping(option)
    ):
        return []
    return [inner for inner in get_args(option) if inner is not Ellipsis]


@lru_cache(maxsize=256)
def _names(model: type[pydantic.BaseModel]) -> dict[str, str]:
    """Map every name of each field to the field; the first field wins a shared name."""
    names: dict[str, str] = {}
    for name, field in model.model_fields.items():
        for key in (name, *_aliases(field)):
            names.setdefault(key, name)
    return names


def _aliases(field: pydantic.fields.FieldInfo) -> list[str]:
    found = [field.alias, field.validation_alias]
    if isinstance(field.validation_alias, pydantic.AliasChoices):
        found += field.validation_alias.choices
    paths = [str(alias.path[0]) for alias in found if isinstance(alias, pydantic.AliasPath)]
    return [*paths, *(alias for alias in found if isinstance(alias, str))]


def is_typed_dict(kind: Any) -> bool:
    """Whether a type is a TypedDict, of `typing` or of `typing_extensions`, which are different."""
    return hasattr(kind, "__required_keys__") and hasattr(kind, "__total__")


def _named(option: Any) -> dict[str, tuple[str, Any]]:
    """Return the fields of a dataclass or TypedDict by every name of each, with their types."""
    if not (is_dataclass(option) or is_typed_dict(option)):
        return {}
    try:
        fields = declared(option)
    except (NameError, TypeError):  # a type that is only known where it was written
        return {}
    return {key: (name, info.annotation) for name, info in fields.items() for key in (name, *_aliases(info))}


def _unescaped(written: str) -> str:
    return str(json.loads(f'"{written}"', strict=False)) if "\\" in written else written


ANYTHING = Shape(Any)


_MOST_KEPT = 20_000  # for one model; the keys of open dicts and the lengths of lists have no end
_SIGN = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([{\[])|([}\]])', re.DOTALL)
_KEY, _OPENED = 1, 2
_LONGEST_KEPT = 500  # characters between two scalars; white space has no end, either

# What is between the scalars of a list most often; the quotes are those of the strings at both sides.
_COMMAS = (",", ", ", ",\n")
_ITEM_ENDS = frozenset([*_COMMAS, *[f'"{comma}' for comma in _COMMAS], *[f'{comma}"' for comma in _COMMAS]])
_ITEM_ENDS |= {f'"{comma}"' for comma in _COMMAS}
_NO_STEPS: Any = {}  # of the places that have none inside, which most are

# The place of the next scalar, or None behind the last; the paths of the objects and lists that are opened
# before it; and how much of what is between was read, which is less than all where the whole value ends.
type Move = tuple[Step | None, list[str], int]


class Step:
    """One place. `fields` are the places inside it by their keys as written, `elements` those by number.

    `moves` are the places of the scalars that were met next, by the text between. `number` is that of an
    element in its list, and -1 in an object.
    """

    __slots__ = ("_kept", "elements", "fields", "moves", "number", "parent", "path", "shape")

    def __init__(self, path: str, shape: Shape, parent: Step | None, number: int, kept: list[int]) -> None:
        self.path = path
        self.shape = shape
        self.parent = parent
        self.number = number
        self.fields: dict[str, Step] = _NO_STEPS
        self.elements: dict[int, Step] = _NO_STEPS
        self.moves: dict[str, Move] = _NO_STEPS
        self._kept = kept  # how much there is of the model, in one list for all

    def move(self, between: str) -> Move:
        """Return the next scalar's place by what is written before it: keys and brackets, and both quotes."""
        found = self._move(between)
        if len(between) <= _LONGEST_KEPT and self._may_keep():
            self.moves = self.moves or {}
            self.moves[between] = found
        return found

    def _move(self, between: str) -> Move:
        if self.number >= 0 and between in _ITEM_ENDS and self.parent is not None:
            return self.parent._at("", self.number + 1), [], len(between)
        inside, index = (self, 0) if self.parent is None else self._behind()
        key, opened = "", list[str]()
        for sign in _SIGN.finditer(between, 1 if between[:1] == '"' else 0):
            if sign.lastindex == _KEY:
                key = sign[1]
            elif sign.lastindex == _OPENED:
                inside, index = inside._at(key, index), 0 if sign[0] == "[" else -1
                opened.append(inside.path)
            else:
                inside, index = inside._behind()
                if inside.parent is None:
                    return None, opened, sign.end()
        return inside._at(key, index), opened, len(between)

    def _behind(self) -> tuple[Step, int]:
        """Return the enclosing place and the index of its next element."""
        assert self.parent is not None
        return self.parent, self.number + 1 if self.number >= 0 else -1

    def _at(self, key: str, index: int) -> Step:
        if index < 0:
            return self.fields.get(key) or self._field(key)
        return self.elements.get(index) or self._element(index)

    def _field(self, written: str) -> Step:
        """Add the place of a key that is not in `fields` yet; `written` is its JSON without quotes."""
        name, shape = self.shape.names.get(written) or self.shape.field(written)
        made = Step(behind(self.path, name), shape, self, -1, self._kept)
        if self._may_keep():
            self.fields = self.fields or {}
            self.fields[written] = made
        return made

    def _element(self, number: int) -> Step:
        """Add the place of an element that is not in `elements` yet."""
        made = Step(inside(self.path, number), self.shape.element, self, number, self._kept)
        if self._may_keep():
            self.elements = self.elements or {}
            self.elements[number] = made
        return made

    def _may_keep(self) -> bool:
        self._kept[0] += 1
        return self._kept[0] <= _MOST_KEPT


def before(shape: Shape) -> Step:
    """Where reading begins: the whole value is its one element."""
    if shape.root is None:
        origin = Step("", shape, None, -1, [0])
        shape.root = Step("", shape, origin, 0, origin._kept)
        origin.elements = {0: shape.root}
    found: Step = shape.root.parent
    return found
