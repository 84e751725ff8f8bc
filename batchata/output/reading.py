"""How one stored answer becomes what the user reads: result, citations, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pydantic

from batchata.core.events import RequestError
from batchata.output.blocks import Block, joined_text
from batchata.output.citations import Citation, of_blocks
from batchata.output.parsing import UnreadableAnswer, parse

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
            return Reading(text, self._citations(blocks))
        try:
            return Reading(parse(text, self.response_model), self._citations(blocks))
        except UnreadableAnswer as exc:
            return _failed("invalid_output", str(exc))

    def _citations(self, blocks: list[Block]) -> Citations:
        return of_blocks(blocks) if self.enable_citations else None


def _failed(kind: str, message: str) -> Reading:
    return Reading(None, None, RequestError(kind=kind, message=message))
