"""Events become JSON and come back the same, today's and those of every version before."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar

import msgspec
import pytest
from charges import cost_charged
from hypothesis import given, settings
from hypothesis import strategies as st

from batchata.core import codec
from batchata.core.codec import EVENT_TYPES, UPCASTERS, decoder, encode, hot_columns
from batchata.core.events import Event, JobAbandoned
from batchata.core.values import Checked, Limits
from batchata.errors import LogError, LogVersionError

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_SIMPLE = {
    Any: _JSON,
    type(None): st.none(),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(max_size=30),
    msgspec.UnsetType: st.just(msgspec.UNSET),  # left out of the JSON
    Checked: st.builds(
        Checked,
        index=st.integers(0, 2**63 - 1),
        body=st.integers(0, 2**63 - 1),
        found=st.text("+-?", max_size=5),
        places=st.lists(st.none() | st.tuples(st.text(max_size=5), st.integers(0, 99), st.integers(0, 99))),
    ),
    Limits: st.builds(
        Limits,
        batch_requests=st.integers(1, 2**63 - 1),
        batch_bytes=st.integers(1, 2**63 - 1),
        results_days=st.integers(0, 10_000),
        batch_factor=st.sampled_from(["1", "0.5", "0.25"]),
        final_errors=st.lists(st.text(max_size=30), max_size=3).map(tuple),
    ),
}


@cache  # a strategy is checked when it is first drawn from, and that takes longer than all draws
def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value that a field of this type may have."""
    if isinstance(kind, typing.TypeAliasType):
        return values_of(kind.__value__)
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return st.builds(kind, **{f.name: values_of(f.type) for f in msgspec.structs.fields(kind)})
    origin, parts = typing.get_origin(kind), [values_of(part) for part in typing.get_args(kind)]
    if origin in (typing.Union, types.UnionType):
        return st.one_of(parts)
    if origin is tuple:
        return st.tuples(*parts)
    if origin is list:
        return st.lists(parts[0], max_size=3)
    assert origin is dict
    return st.dictionaries(parts[0], parts[1], max_size=3)


@pytest.mark.parametrize("name", EVENT_TYPES)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_every_event_comes_back_as_it_was(name: str, data: st.DataObject) -> None:
    """What is encoded and decoded again is equal, for every type and whatever its fields hold."""
    event = data.draw(values_of(EVENT_TYPES[name]))
    text = encode(event)
    assert "\n" not in text
    assert decoder(name, EVENT_TYPES[name].SCHEMA)(text) == event


def test_what_could_not_be_read_again_is_not_written() -> None:
    """One value of another type, such as True for a number, would make a whole run unreadable."""
    with pytest.raises(LogError, match=r"job_abandoned was not written.*Expected `int`, got `bool`"):
        encode(JobAbandoned(job=True, batch_id="msgbatch_1"))
    with pytest.raises(LogError, match=r"job_abandoned was not written.*object is unsupported"):
        encode(JobAbandoned(job=1, batch_id=typing.cast("str", object())))


def test_a_member_of_an_enum_is_written_as_its_text() -> None:
    """Settings may come from enums; the log keeps what they stand for."""
    member = enum.StrEnum("Ids", {"ONE": "msgbatch_1"})["ONE"]
    assert encode(JobAbandoned(job=1, batch_id=member)) == '{"job":1,"batch_id":"msgbatch_1"}'


def test_type_names_are_literal_and_in_the_past_tense() -> None:
    """A type name is the class's own words, never an import path: a moved class must not break old logs."""
    for name, cls in EVENT_TYPES.items():
        assert name == "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")


def test_events_are_frozen() -> None:
    """A recorded fact cannot be changed in memory either."""
    for cls in EVENT_TYPES.values():
        assert cls.__struct_config__.frozen


@pytest.mark.parametrize("schema", [1, 2, 99])
def test_an_unknown_type_is_an_error(schema: int) -> None:
    """An event that this version does not know is never skipped: the state would be a guess."""
    with pytest.raises(LogVersionError, match=r"'batch_teleported'.*newer"):
        decoder("batch_teleported", schema)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_a_newer_schema_is_an_error(name: str) -> None:
    """A shape from the future is refused, however much of it could be read."""
    with pytest.raises(LogVersionError, match=name):
        decoder(name, EVENT_TYPES[name].SCHEMA + 1)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_older_schema_can_be_lifted(name: str) -> None:
    """From each version that was ever written, a step leads to the next."""
    assert all((name, schema) in UPCASTERS for schema in range(1, EVENT_TYPES[name].SCHEMA))


class PageTurned(Event, frozen=True, kw_only=True):
    """An event with a past: 1 counted pages from 0 as `page`; 2 from 1; 3 calls it `number`, with a book."""

    TYPE: ClassVar[str] = "test_page_turned"
    SCHEMA: ClassVar[int] = 3
    number: int
    book: str | None


@pytest.fixture
def page_turned() -> Iterator[None]:
    """The event and its upcasters, known for the time of one test."""
    EVENT_TYPES[PageTurned.TYPE] = PageTurned
    UPCASTERS[PageTurned.TYPE, 1] = lambda old: {**old, "page": old["page"] + 1}
    UPCASTERS[PageTurned.TYPE, 2] = lambda old: {"number": old["page"], "book": None}
    yield
    del EVENT_TYPES[PageTurned.TYPE], UPCASTERS[PageTurned.TYPE, 1], UPCASTERS[PageTurned.TYPE, 2]
    codec.decoder.cache_clear()


@pytest.mark.usefixtures("page_turned")
def test_old_shapes_are_lifted_one_version_at_a_time() -> None:
    """A row of version 1 passes through 2 to 3, one of 2 only to 3."""
    assert decoder("test_page_turned", 1)('{"page": 4}') == PageTurned(number=5, book=None)
    assert decoder("test_page_turned", 2)('{"page": 4}') == PageTurned(number=4, book=None)


@pytest.mark.usefixtures("page_turned")
def test_todays_shape_passes_no_upcaster() -> None:
    """An upcaster that touched today's rows would change facts."""
    event = PageTurned(number=4, book="b")
    assert decoder("test_page_turned", 3)(encode(event)) == event


def test_a_lifted_row_is_still_checked() -> None:
    """What an upcaster gives must be whole: a missing field is an error, never a default."""
    with pytest.raises(msgspec.ValidationError):
        decoder("batch_submitted", 1)('{"job": 1}')


def test_job_and_index_have_columns() -> None:
    """The log's columns hold what the event names, and nothing where it names nothing."""
    event = cost_charged(3, 14, None)
    assert hot_columns(event) == (3, 14)
    assert hot_columns(PageTurned(number=1, book=None)) == (None, None)
