"""How one stored answer becomes what the user reads: result, citations, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pydantic

from batchata.core.events import RequestError
from batchata.output.blocks import Block, joined_text
from batchata.output.citations import Citation, by_field, of_blocks
from batchata.output.parsing import UnreadableAnswer, parse
from batchata.output.spans import value_spans

type Result = pydantic.BaseModel | dict[str, Any] | str | None
type Citations = list[Citation] | dict[str, list[Citation]] | None

_CUT = {
    "max_tokens": "the answer was cut off at max_tokens; raise max_tokens",
    "model_context_window_exceeded": "the answer was cut off at the end of the model's context window",
    "pause_turn": "the model paused its turn; the answer is not finished",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer says. Without an error there is a result; with one there is neither."""

    result: Result
    citations: Citations
    error: RequestError | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads answers for one run: with its response model, or as text."""

    response_model: type[pydantic.BaseModel] | None
    enable_citations: bool

    def read(self, blocks: list[Block], stop_reason: str | None) -> Reading:
        """The reading of a succeeded request's content blocks."""
        if stop_reason == "refusal":
            return _failed("refusal", "the model refused to answer")
        if stop_reason in _CUT:
            return _failed(stop_reason, _CUT[stop_reason])
        text = joined_text(blocks)
        if not text:
            return _failed("invalid_output", "the answer holds no text")
        if self.response_model is None:
            return Reading(text, of_blocks(blocks) if self.enable_citations else None)
        try:
            parsed = parse(text, self.response_model)
        except UnreadableAnswer as exc:
            return _failed("invalid_output", str(exc))
        if not self.enable_citations:
            return Reading(parsed.value, None)
        return Reading(parsed.value, by_field(blocks, value_spans(text, parsed.start, self.response_model)))


def _failed(kind: str, message: str) -> Reading:
    return Reading(None, None, RequestError(kind=kind, message=message))
