"""Turn the text of an answer into the value that fits the response model, or fail with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec
import pydantic

from batchata.answers.candidates import Candidate, candidates
from batchata.answers.direct_reading import NotJson, Unsure, read_usually, reads_in_its_own_way
from batchata.answers.expected_shape import place_of
from batchata.answers.field_paths import path_of
from batchata.answers.finite_numbers import is_finite
from batchata.answers.fitted_scalars import Refused
from batchata.answers.json_nodes import Mended, Node, Object, written
from batchata.answers.json_strings import without_halves
from batchata.answers.lenient_json import CutOff, NotNearJson, read_value
from batchata.answers.lenient_reading import fitted
from batchata.answers.misfits import misfit
from batchata.answers.opened_strings import opened

_SHOWN = 5
_LONG = 20_000  # characters, from which on it pays to look for what fits in no reading
_DEEP = "[" * 8  # pydantic copies all of such a list for its message
_UNREADABLE = 1_000_000  # more than the problems of anything that can be read
# What may stand around an empty object that is the answer; in prose, a pair of braces is not one.
_FENCES = re.compile(r"```\w*|\s")
_JSON_BEGINS = frozenset('{["-0123456789tfnNI')  # with these; prose and fences mostly do not


class UnreadableAnswer(Exception):
    """The answer holds no value that fits; the message says why."""


class Parsed[M: pydantic.BaseModel](msgspec.Struct, frozen=True):
    """A value that fits the model, and where its JSON begins in the text; `mended` if it was rewritten."""

    value: M
    start: int
    mended: Mended | None = None


class _Misfit(Exception):
    """A value does not fit; `problems` counts what is wrong, to choose which misfit to report."""

    def __init__(self, problems: int, message: str) -> None:
        super().__init__(message)
        self.problems = problems


def parse[M: pydantic.BaseModel](text: str, model: type[M]) -> Parsed[M]:
    """Return the one JSON value in the text that fits the model.

    The whole text is tried first, then every whole object or list in it: in fences, in prose, nearly JSON. A
    value that is merely written in another way, and has one reading, is read.

    Raises UnreadableAnswer when nothing fits, or several different values do; what is cut off never fits, and
    neither does what lost a value under another name.
    """
    if not text.isascii():
        text = without_halves(text)
    is_json = text[:1] in _JSON_BEGINS or text.lstrip()[:1] in _JSON_BEGINS
    if is_json:
        if len(text) > _LONG:
            _refuse_deep(text, model)
        try:
            return Parsed(read_usually(text, model), 0)
        except Unsure:
            pass
        except NotJson:
            is_json = False
    return _Search(text, model).only_fitting(_found(text, is_json))


def _refuse_deep(text: str, model: type[pydantic.BaseModel]) -> None:
    """Raise UnreadableAnswer for a long JSON with lists in lists where the model has none."""
    if _DEEP in text and (problem := _misfit_in(text, model)):
        raise UnreadableAnswer(problem)


def _misfit_in(text: str, model: type[pydantic.BaseModel]) -> str | None:
    return None if reads_in_its_own_way(model) else misfit(text, place_of(model))


def parse_taken[M: pydantic.BaseModel](text: str, model: type[M]) -> Parsed[M]:
    """Parse an answer that an older run accepted under less strict rules.

    Where pydantic takes a value, that is the result; else what has two readings is read as pydantic reads it.
    Raises UnreadableAnswer when nothing fits.
    """
    text = without_halves(text)
    try:
        return _PlainSearch(text, model).only_fitting(candidates(text))
    except UnreadableAnswer:
        return _Search(text, model, refuses=False).only_fitting(candidates(text))


def _found(text: str, is_json: bool) -> Iterator[Candidate]:
    return iter([Candidate(0, len(text), text)]) if is_json else candidates(text)


def _reason(text: str, misfits: list[_Misfit]) -> str:
    if misfits:
        return str(min(misfits, key=lambda misfit: misfit.problems))
    return "the answer holds no JSON object" if text.strip() else "the answer is empty"


def _uncut(found: Iterable[Candidate]) -> Iterator[Candidate]:
    try:
        yield from found
    except CutOff as exc:
        raise UnreadableAnswer("the answer's JSON is cut off") from exc


class _Search[M: pydantic.BaseModel]:
    """The search for the one value of a text that fits a model."""

    def __init__(self, text: str, model: type[M], *, refuses: bool = True) -> None:
        self._text = text
        self._model = model
        self._refuses = refuses

    def only_fitting(self, found: Iterable[Candidate]) -> Parsed[M]:
        fitting: Parsed[M] | None = None
        misfits: list[_Misfit] = []
        for candidate in _uncut(found):
            try:
                parsed = self._fit(candidate)
            except _Misfit as exc:
                if exc.problems == _UNREADABLE and fitting is not None:
                    raise UnreadableAnswer(
                        "the answer may hold a second value, which cannot be read"
                    ) from exc
                misfits.append(exc)
                continue
            if fitting is not None and fitting.value != parsed.value:
                raise UnreadableAnswer("the answer holds several different values that fit")
            fitting = fitting or parsed
        if fitting is None:
            raise UnreadableAnswer(_reason(self._text, misfits))
        return fitting

    def _fit(self, candidate: Candidate) -> Parsed[M]:
        """Return the candidate as an instance of the model, or raise _Misfit."""
        if candidate.json is not None and candidate.json is not self._text:
            try:
                return Parsed(read_usually(candidate.json, self._model), candidate.start)
            except (NotJson, Unsure):
                pass
        self._refuse_misfit(candidate.json)
        node, end = self._node(candidate)
        try:
            if usual := self._usual(self._without_strings(candidate, node, end), candidate.start):
                return usual
            if candidate.node is not None:
                nearly = written(node, end)
                if usual := self._usual(nearly, candidate.start):
                    return usual
                self._refuse_misfit(nearly.json)
            mended = written(fitted(node, place_of(self._model), self._text, refuses=self._refuses), end)
        except Refused as exc:
            raise _Misfit(exc.problems, str(exc)) from exc
        except RecursionError as exc:
            raise _Misfit(_UNREADABLE, "the answer is nested too deeply") from exc
        return Parsed(self._checked(mended, node), candidate.start, mended)

    def _without_strings(self, candidate: Candidate, node: Node, end: int) -> Mended | None:
        """Return the candidate with strings that hold lists or objects as JSON replaced by these."""
        if candidate.json is None:
            return None
        return opened(node, place_of(self._model), self._text, _start_of(candidate), end)

    def _usual(self, mended: Mended | None, start: int) -> Parsed[M] | None:
        """Return near-JSON as pydantic takes it, where it takes all of it."""
        if mended is None:
            return None
        try:
            return Parsed(read_usually(mended.json, self._model), start, mended)
        except (NotJson, Unsure):
            return None

    def _refuse_misfit(self, text: str | None) -> None:
        """Raise _Misfit for a long JSON with a value that fits in no reading."""
        if self._refuses and text is not None and len(text) > _LONG:
            problem = _misfit_in(text, self._model)
            if problem is not None:
                raise _Misfit(1, problem)

    def _node(self, candidate: Candidate) -> tuple[Node, int]:
        if candidate.node is not None:
            return candidate.node, candidate.end
        if candidate.json is None:
            raise _Misfit(_UNREADABLE, "what looks like the answer is not valid JSON")
        try:
            return read_value(self._text, _start_of(candidate))
        except (NotNearJson, CutOff) as exc:
            raise _Misfit(_UNREADABLE, "what looks like the answer is not valid JSON") from exc

    def _checked(self, mended: Mended, node: Node) -> M:
        try:
            value = self._model.model_validate_json(mended.json)
        except pydantic.ValidationError as exc:
            is_list = not isinstance(node, Object) and mended.json[0] == "["
            said = (
                f"the answer is a list, and {self._model.__name__} is an object" if is_list else explain(exc)
            )
            raise _Misfit(exc.error_count(), said) from exc
        if not value.model_fields_set and _FENCES.sub("", self._text) != "{}":
            raise _Misfit(1, f"the answer has none of the fields of {self._model.__name__}")
        if not is_finite(value):
            raise _Misfit(1, "a number in the answer is not finite, which JSON cannot hold")
        return value


def _start_of(candidate: Candidate) -> int:
    """Return where the value itself begins in the text."""
    before = 0 if candidate.json is None else len(candidate.json) - len(candidate.json.lstrip())
    return candidate.start + before


class _PlainSearch[M: pydantic.BaseModel](_Search[M]):
    """The search for what pydantic takes exactly as it is written."""

    def _fit(self, candidate: Candidate) -> Parsed[M]:
        node, end = self._node(candidate)
        mended = written(node, end)
        if candidate.json is None:
            return Parsed(self._checked(mended, node), candidate.start, mended)
        return Parsed(self._checked(mended._replace(json=candidate.json), node), candidate.start)


def explain(exc: pydantic.ValidationError) -> str:
    """Describe what does not fit, field by field, on one line without the answer's own text."""
    errors = exc.errors(include_url=False, include_input=False)
    shown = "; ".join(
        [f"{path_of(error['loc']) or 'the answer'}: {error['msg']}" for error in errors[:_SHOWN]]
    )
    return shown if len(errors) <= _SHOWN else f"{shown}; and {len(errors) - _SHOWN} more"
