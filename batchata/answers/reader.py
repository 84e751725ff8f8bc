"""Read one stored answer: its result and citations, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pydantic
from msgspec.structs import replace

from batchata.answers.answer import (
    CALL,
    Block,
    Citation,
    Unasked,
    calls_as_text,
    has_calls,
    joined_text,
    with_calls,
)
from batchata.answers.citations import (
    UNMATCHED,
    Cited,
    Spans,
    add_mentions,
    by_field,
    of_blocks,
    parts,
    text_and_cited,
    value_spans,
)
from batchata.answers.expected_shape import names_fields
from batchata.answers.field_paths import shape_of
from batchata.answers.grounding import Sources
from batchata.answers.located import looked_up
from batchata.answers.parsing import Parsed, UnreadableAnswer, parse, parse_taken
from batchata.answers.values_by_path import value_at
from batchata.answers.written_results import reads_what_it_writes
from batchata.core.values import RequestError
from batchata.text import cut

type Result = pydantic.BaseModel | dict[str, Any] | str | None
type Citations = list[Citation] | dict[str, list[Citation]] | None

MODEL_ERROR = "response_model_error"  # the response model raised something else than ValueError
_CUT = {
    "max_tokens": "the answer was cut off at max_tokens, where it would be cut off again: "
    "retry_failed(max_tokens=…) sends it once more with a higher limit",
    "model_context_window_exceeded": "the answer was cut off at the end of the model's context window: "
    "make its input shorter",
    "pause_turn": "the model paused its turn; the answer is not finished",
}


class Reading(msgspec.Struct, frozen=True):
    """What one answer says: a result, or an error in its place.

    `text`: what the result was read from, where its model may not read what it writes.
    """

    result: Result
    citations: Citations
    error: RequestError | None = None
    text: str | None = None

    def checked_in(self, sources: Sources | None) -> Reading:
        """Return the reading with `grounded` and `supports` set; without sources only the latter."""
        if isinstance(self.citations, list):
            return replace(self, citations=[_told(citation, sources, None) for citation in self.citations])
        if not self.citations:
            return replace(self, citations={})
        from batchata.answers.supports import Verdict, Verdicts  # with all ways to state a value

        told: dict[str, list[Citation]] = {}
        for path, found in self.citations.items():
            verdicts = Verdicts(self.result, path, found)
            told[path] = [_told(cited, sources, Verdict(verdicts, n)) for n, cited in enumerate(found)]
        return replace(self, citations=told)


def _told(citation: Citation, sources: Sources | None, supports: Unasked | None) -> Citation:
    return _with(citation if sources is None else looked_up(citation, sources), supports=supports)


_with = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads answers for one run: with its response model, or as text."""

    response_model: type[pydantic.BaseModel] | None
    enable_citations: bool

    def judge(self, blocks: list[Block], stop_reason: str | None) -> Reading:
        """Read as `read` does, but without citations outside of tool calls."""
        if has_calls(blocks):
            return self._read_calls(blocks, stop_reason)
        text = joined_text(blocks)
        return self._uncited(text, self._read(text, stop_reason))

    def read(self, blocks: list[Block], stop_reason: str | None) -> Reading:
        """Read the content blocks of a succeeded request.

        Its citations are those of the blocks, and may be the same lists.
        """
        text, cited, others = parts(blocks)
        if CALL in others:
            return self._read_calls(blocks, stop_reason)
        found = self._read(text, stop_reason)
        return self._cited(blocks, cited, text, found)

    def read_taken(self, blocks: list[Block]) -> Reading:
        """Read an answer that its run has accepted.

        An older run may have accepted what is refused today, such as an unknown key beside a field without a
        value; that result stays what it was.
        """
        found = self.read(blocks, None)
        if found.error is None or found.error.kind == MODEL_ERROR or self.response_model is None:
            return found
        said = blocks if joined_text(blocks).strip() else calls_as_text(blocks)
        text, cited = text_and_cited(said)
        try:
            parsed = parse_taken(text, self.response_model)
        except UnreadableAnswer:
            return found
        return self._cited(said, cited, text, _Found(parsed.value, parsed))

    def kept_beside(self, blocks: list[Block]) -> str | None:
        """Return the `text` of the reading of an answer."""
        return self._kept(joined_text(calls_as_text(blocks)))

    def contradicted(self, blocks: list[Block]) -> str | None:
        """Name the values of an answer that its own passages contradict, one per line; None without any."""
        reading = self.read(blocks, None).checked_in(None)
        if not isinstance(reading.citations, dict) or reading.error is not None:
            return None
        from batchata.answers.supports import unsupported

        wrong = unsupported(reading.citations)
        lines = [_contradiction(path, reading.result, reading.citations[path]) for path in wrong]
        return "\n".join(lines) or None

    def _read_calls(self, blocks: list[Block], stop_reason: str | None) -> Reading:
        """Read an answer that calls tools; it is a result whatever it calls, since a retry would call again.

        With a response model the value is in the text, or in the input of a call that is about its fields.
        """
        said = calls_as_text(blocks)
        text, cited = text_and_cited(said)
        found = self._read(text, stop_reason)
        if found.error is not None and found.error.kind != "invalid_output":
            return Reading(None, None, found.error)
        if self.response_model is None or (found.error and not self._is_meant(blocks)):
            cites = of_blocks(blocks) if self.enable_citations else None
            by_path = {UNMATCHED: cites} if cites else {}
            return Reading(
                with_calls(blocks), by_path if self.response_model and cites is not None else cites
            )
        return self._cited(said, cited, text, found)

    def _is_meant(self, blocks: list[Block]) -> bool:
        """Return whether the input of a call has fields of the response model."""
        assert self.response_model is not None
        inputs = [block.input for block in blocks if block.type == CALL]
        return any(names_fields(given, self.response_model) for given in inputs)

    def _cited(self, blocks: list[Block], cited: list[Cited], text: str, found: _Found) -> Reading:
        if found.error is not None or not self.enable_citations:
            return self._uncited(text, found)
        if found.parsed is None:
            return Reading(found.result, of_blocks(blocks))
        return Reading(found.result, _by_field(cited, text, found.parsed), None, self._kept(text))

    def _uncited(self, text: str, found: _Found) -> Reading:
        return Reading(found.result, None, found.error, None if found.error else self._kept(text))

    def _kept(self, text: str) -> str | None:
        model = self.response_model
        return None if model is None or reads_what_it_writes(model) else text

    def _read(self, text: str, stop_reason: str | None) -> _Found:
        if stop_reason != "end_turn":  # as most are
            if stop_reason == "refusal":
                return _failed("refusal", "the model refused to answer")
            if stop_reason in _CUT:
                return _failed(stop_reason, _CUT[stop_reason])
        if not text or text.isspace():
            return _failed("empty_output", "the answer holds no text")
        if self.response_model is None:
            return _Found(text)
        try:
            parsed = parse(text, self.response_model)
        except UnreadableAnswer as exc:
            return _failed("invalid_output", str(exc))
        except Exception as exc:  # noqa: BLE001 - validators are the caller's code, and the answer is paid for
            return _failed(MODEL_ERROR, _raised(self.response_model, exc))
        return _Found(parsed.value, parsed)


class _Found(msgspec.Struct, frozen=True):
    """A result and how it was found, or the error instead."""

    result: Result
    parsed: Parsed[pydantic.BaseModel] | None = None
    error: RequestError | None = None


_MOST_VALUE, _MOST_PASSAGE, _MOST_PASSAGES = 200, 300, 3  # characters, and passages of a value


def _contradiction(path: str, result: Result, citations: list[Citation]) -> str:
    passages = dict.fromkeys(cut(" ".join(c.cited_text.split()), _MOST_PASSAGE) for c in citations)
    said = ", ".join(f'"{passage}"' for passage in [*passages][:_MOST_PASSAGES])
    return f"{path} is {cut(str(value_at(result, path)), _MOST_VALUE)}, and what is cited for it says {said}"


def _raised(model: type[pydantic.BaseModel], error: Exception) -> str:
    return (
        f"{model.__name__} raised {type(error).__name__}: {error}. A validator must raise "
        "ValueError for a value that does not fit; once the model is fixed, results(response_model=…) reads "
        "the stored answer again for free"
    )


def _failed(kind: str, message: str) -> _Found:
    return _Found(None, error=RequestError(kind=kind, message=message))


def _by_field(cited: list[Cited], text: str, parsed: Parsed[pydantic.BaseModel]) -> dict[str, list[Citation]]:
    if not cited:
        return {}
    start, spans = parsed.start, spans_of(text, parsed)
    if cited[0][1] > start and cited[-1][0] < spans.end:
        return by_field(cited, spans)
    from batchata.answers.prose_citations import by_mention  # where a model cites beside the JSON

    inside = [block for block in cited if block[1] > start and block[0] < spans.end]
    outside = [block for block in cited if block[1] <= start or block[0] >= spans.end]
    return add_mentions(by_field(inside, spans), by_mention(text, spans, start, outside))


def spans_of(text: str, parsed: Parsed[pydantic.BaseModel]) -> Spans:
    """Return where the values of a reading stand in the answer's text."""
    shape = shape_of(type(parsed.value))
    mended = parsed.mended
    if mended is None:
        return value_spans(text, parsed.start, shape)
    places = value_spans(mended.json, 0, shape).places
    origin = mended.origin
    if origin is None:
        return Spans({path: mended.places[start] for path, (start, _) in places.items()}, mended.end)
    return Spans({path: (origin(start), origin(end)) for path, (start, end) in places.items()}, mended.end)
