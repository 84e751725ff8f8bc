"""What a response model takes at each place of its JSON: which keys, which kinds of values, which words."""

from __future__ import annotations

import dataclasses
import types
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pydantic
from pydantic.fields import FieldInfo

from batchata.answers.expected_scalars import Scalars, kind_of_scalar
from batchata.answers.field_declarations import (
    aliases_of,
    asks_for_percents,
    declared,
    extra_of,
    fields_with_validators,
    is_own,
)
from batchata.answers.field_paths import aliased, is_typed_dict
from batchata.answers.written_keys import folded

_UNIONS = (Union, types.UnionType)
_SEQUENCES = (deque, Sequence, MutableSequence)  # a list, to pydantic; not any class that is one of them


class Place(Scalars):
    """One place: its scalars, records, mapping or list; `is_open`: anything may stand here.

    `percents`: what is asked for is a number of percents. `is_strict`: no kind may stand for another.
    `beneath`: what is read of it after the user's own code has seen it. `is_root`: a RootModel may hold what
    stands here. `texts`: what the model makes of every text.
    """

    def __init__(
        self,
        annotation: Any,
        metadata: Iterable[Any] = (),
        *,
        percents: bool = False,
        texts: pydantic.ConfigDict | None = None,
        made: dict[object, Place] | None = None,
    ) -> None:
        super().__init__()
        self._annotation = annotation
        self._texts = texts
        self._made = {} if made is None else made  # by annotation, since an alias may hold itself
        self._made[_key_of(annotation)] = self
        self.records: list[Record] = []
        self.mapping: tuple[Place, Place] | None = None
        self.fixed: list[Place] = []
        self.is_strict = False
        self.percents = percents
        self.beneath: Place | None = None
        self.is_root = False
        self._elements: list[Any] = []
        if is_own(metadata):
            self._add_own(annotation)
        else:
            self._add(annotation)

    @cached_property
    def element(self) -> Place:
        """What a list takes."""
        return self._inner(Union[tuple(self._elements)])  # noqa: UP007 - made at run time

    @cached_property
    def is_any_text(self) -> bool:
        """Every text may stand here, unchanged."""
        return self._annotation is str and not self._texts

    def as_key(self, written: str) -> object:
        """Return what a key of a dict becomes: 1 and 01 are one number, and so one key."""
        if self.is_any_text or self._keys is None:
            return written
        try:
            return self._keys.validate_strings(written)
        except pydantic.ValidationError:
            return written

    @cached_property
    def _keys(self) -> pydantic.TypeAdapter[Any] | None:
        try:
            return pydantic.TypeAdapter(self._annotation, config=self._texts)
        except pydantic.PydanticUserError:
            return None

    @cached_property
    def is_list(self) -> bool:
        """Whether a list or a tuple may stand here."""
        return bool(self._elements or self.fixed)

    @cached_property
    def has_decimals(self) -> bool:
        """A number in what stands here may become a Decimal."""
        return has_decimals(self)

    @cached_property
    def holds(self) -> bool:
        """Something other than a scalar may stand here."""
        return bool(self.records or self.mapping or self.is_list or self.is_open)

    @cached_property
    def is_alone(self) -> bool:
        """Only one kind of objects or lists may stand here, or nothing."""
        ways = len(self.records) + bool(self.mapping) + self.is_list + self.is_open
        return ways == 1 and not self.words and self.kinds <= {"null"}

    def item(self, number: int) -> Place:
        """Return what stands at this index of a list or tuple."""
        if self.fixed:
            return self.fixed[number] if number < len(self.fixed) else ANYWHERE
        return self.element

    def _add(self, annotation: Any) -> None:
        if (meant := aliased(annotation)) is not annotation:
            return self._add(meant)
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            if is_own(inner[1:]):
                self._add_own(inner[0])
            else:
                self._add(inner[0])
        elif origin in _UNIONS:
            for option in inner:
                self._add(option)
        elif origin is Literal:
            self.add_words(inner)
        elif (kind := kind_of_scalar(annotation)) is not None:
            self.add_kind(kind)
        elif isinstance(origin or annotation, type):
            self._add_class(annotation, origin or annotation, inner)
        else:
            self.is_open = True
        return None

    def _add_own(self, annotation: Any) -> None:
        self.is_open = True
        # What its annotation says by itself; the place of that name is this one, where the code is metadata.
        others = {key: place for key, place in self._made.items() if key != _key_of(annotation)}
        self.beneath = Place(annotation, percents=self.percents, texts=self._texts, made=others)

    def _add_class(self, annotation: Any, kind: type, inner: tuple[Any, ...]) -> None:
        if issubclass(kind, Enum):
            self.add_words(list(kind))
        elif issubclass(kind, pydantic.RootModel):
            self.is_root = True
            root = kind.model_fields["root"]
            self._add(Annotated[(root.annotation, *root.metadata)] if root.metadata else root.annotation)
        elif issubclass(kind, pydantic.BaseModel) or dataclasses.is_dataclass(kind) or is_typed_dict(kind):
            record = record_of(annotation)
            self.is_open |= record is None
            self.records += [] if record is None else [record]
        elif issubclass(kind, Counter) and inner:
            self.mapping = (Place(inner[0], texts=self._texts), self._inner(int))
        elif issubclass(kind, Mapping) and len(inner) == 2:
            self.mapping = (Place(inner[0], texts=self._texts), self._inner(inner[1]))
        elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
            self._add_named(annotation, kind)
        elif issubclass(kind, tuple) and inner and inner[-1] is not Ellipsis:
            self.fixed = [self._inner(option) for option in inner]
        elif (issubclass(kind, (list, tuple, AbstractSet)) or kind in _SEQUENCES) and inner:
            self._elements += [option for option in inner if option is not Ellipsis]
        else:
            self.is_open = True

    def _add_named(self, annotation: Any, kind: Any) -> None:
        """Add a NamedTuple, which is taken from a list or from an object."""
        record = record_of(annotation)
        self.is_open |= record is None
        if record is not None:
            self.records.append(record)
            by_name = {part.name: part.place for part in record.fields}
            self.fixed = [by_name[name] for name in kind._fields]

    def _inner(self, annotation: Any) -> Place:
        made = self._made.get(_key_of(annotation))
        return made or Place(annotation, percents=self.percents, texts=self._texts, made=self._made)


def _key_of(annotation: Any) -> object:
    try:
        hash(annotation)
    except TypeError:  # with metadata that has no hash; the place keeps it alive
        return id(annotation)
    return annotation


class Field:
    """One field of a record: the keys under which it is taken, and what it takes."""

    def __init__(
        self,
        name: str,
        info: FieldInfo | None,
        annotation: Any,
        keys: list[str],
        *,
        strict: bool = False,
        texts: pydantic.ConfigDict | None = None,
    ) -> None:
        self.name = name
        self.keys = keys
        self.required = info is None or info.is_required()
        self.metadata = [] if info is None else info.metadata
        self._info = info
        self.annotation = annotation
        self._strict = strict
        self._texts = texts

    @cached_property
    def place(self) -> Place:
        """What the field takes."""
        percents = asks_for_percents([self.name, *self.keys], self._info)
        made = Place(self.annotation, self.metadata, percents=percents, texts=self._texts)
        if made.is_open and made.beneath is None and self._info is not None:
            made.beneath = Place(self._info.annotation)
        made.is_strict = self._strict or any(getattr(part, "strict", False) for part in self.metadata)
        return made

    @property
    def is_constant(self) -> bool:
        """Only one word may stand there, and the field has it even without an answer."""
        place = self.place
        return not self.required and len(place.words) == 1 and not (place.kinds or place.is_open)

    @cached_property
    def may_be_left_out(self) -> bool:
        """Whether null means no value here, and the field then is an empty list or dict."""
        info, place = self._info, self.place
        if info is None or "null" in place.kinds or place.is_open or place.is_strict:
            return False
        if not (place.is_list or place.mapping):
            return False
        return info.default_factory in (list, dict, set) or info.default in ([], {}, (), set())


class Record:
    """A model, dataclass or typed dict: its fields by their keys, exact and folded.

    `others` are keys that lead into something without being a field's own, or that the model computes.
    `takes_more`: other keys are kept, and `extra` is what stands under them where the model says so.
    `is_open`: code of the user's sees the object first. `is_exact`: a value has the keys that were written,
    and no others, and its texts are as they were written.
    """

    def __init__(self, name: str, fields: list[Field], others: Iterable[str] = ()) -> None:
        self.name = name
        self.kind: Any = None
        self.fields = fields
        self.takes_more = False
        self.extra: Place | None = None
        self.is_open = False
        self.is_exact = True
        self.others = frozenset(others)
        self.by_key = {key: field for field in fields for key in field.keys}
        self._by_folded: dict[str, list[Field]] = {}
        for field in fields:
            for key in {folded(key) for key in (field.name, *field.keys)}:
                self._by_folded.setdefault(key, []).append(field)

    def meant(self, key: str) -> list[Field]:
        """Return the fields that a key may mean."""
        exact = self.by_key.get(key)
        if exact is not None:
            return [exact]
        return [] if key in self.others else self._by_folded.get(folded(key), [])


def record_of(kind: Any) -> Record | None:
    """Return the record for a type; None when its parts cannot be determined."""
    try:
        return _record(kind)
    except (NameError, TypeError):  # a type that is only known where it was written
        return None


@lru_cache(maxsize=1_024)
def _record(kind: Any) -> Record:
    if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
        found = _of_class(kind, kind.model_fields, kind.model_config)
        found.kind = kind
        return found
    origin = get_origin(kind) or kind
    fields = declared(origin)
    if is_typed_dict(origin):
        return Record(origin.__name__, _fields(fields, getattr(origin, "__pydantic_config__", {}), set())[0])
    found = _of_class(origin, fields, getattr(origin, "__pydantic_config__", {}))
    found.is_exact = False  # its instances do not tell which fields were set
    return found


_TEXT_OF_NUMBER = "coerce_numbers_to_str"  # by which pydantic writes 1.10 as "1.1"
_OF_TEXTS = ("str_strip_whitespace", "str_to_lower", "str_to_upper")


def _fields(
    infos: Mapping[str, FieldInfo], config: Mapping[str, Any], own: set[str]
) -> tuple[list[Field], list[str]]:
    """Return the fields, and the keys that lead into something; `own` have validators that come before."""
    strict = bool(config.get("strict"))
    texts: Any = {name: True for name in _OF_TEXTS if config.get(name)}
    by_name = bool(config.get("populate_by_name") or config.get("validate_by_name"))
    by_alias = config.get("validate_by_alias", True)
    fields: list[Field] = []
    others: list[str] = []
    for name, info in infos.items():
        aliases, paths = aliases_of(info)
        others += paths
        keys = [*(aliases if by_alias else []), *([name] if by_name or not (aliases or paths) else [])]
        if keys:
            annotation = Any if own & {name, "*"} else info.annotation
            fields.append(Field(name, info, annotation, keys, strict=strict, texts=texts))
    return fields, others


def _of_class(kind: Any, infos: Mapping[str, FieldInfo], config: Mapping[str, Any]) -> Record:
    """Return the record for a model, a dataclass or a NamedTuple."""
    decorators = getattr(kind, "__pydantic_decorators__", None)
    own = set() if decorators is None else fields_with_validators(decorators, before=True)
    fields, others = _fields(infos, config, own)
    found = Record(kind.__name__, fields, others)
    found.takes_more = config.get("extra") == "allow"
    if found.takes_more:
        found.extra = Place(extra_of(kind))
    if decorators is None:
        return found
    found.others |= {
        key for name, part in decorators.computed_fields.items() for key in (name, part.info.alias)
    }
    validators = decorators.model_validators.values()
    found.is_open = any(part.info.mode != "after" for part in validators) or bool(decorators.root_validators)
    found.is_exact = not (
        validators
        or found.is_open
        or others
        or fields_with_validators(decorators, before=False)
        or config.get(_TEXT_OF_NUMBER)
        or any(getattr(part, _TEXT_OF_NUMBER, False) for each in fields for part in each.metadata)
    )
    return found


def places_below(place: Place, seen: set[int] | None = None) -> Iterator[Place]:
    """Yield the place and all places inside it, each once."""
    seen = set() if seen is None else seen
    if id(place) in seen:
        return
    seen.add(id(place))
    yield place
    inner = [field.place for record in place.records for field in record.fields]
    inner += [*(place.mapping or ()), *place.fixed, *([place.element] if place._elements else [])]
    for found in inner:
        yield from places_below(found, seen)


def has_decimals(place: Place) -> bool:
    """Whether a number that stands in the place, or is seen there by the user's code, may be a Decimal."""
    seen: set[int] = set()
    to_look_at = [place]
    while to_look_at:
        for found in places_below(to_look_at.pop(), seen):
            if "decimal" in found.kinds:
                return True
            to_look_at += [] if found.beneath is None else [found.beneath]
    return False


def names_fields(value: Any, model: type[pydantic.BaseModel]) -> bool:
    """Whether a JSON value, or the one object in it, has a key that means a field of the model."""
    record = record_of(model)
    if record is None or not isinstance(value, dict):
        return False
    if any(record.meant(key) for key in value):
        return True
    return len(value) == 1 and names_fields(next(iter(value.values())), model)


ANYWHERE = Place(Any)


@lru_cache(maxsize=256)
def place_of(model: type[pydantic.BaseModel]) -> Place:
    """Return the place of the whole answer."""
    return Place(model)
