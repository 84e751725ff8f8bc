"""OpenAI's Batch API behind the dialect's port: conversations of texts to /v1/responses, and its results.

A draft beside Anthropic's, so that the port fits two: no run can be started with it before there is a client.
Files, images and citations are refused, as is every parameter whose effect on cost or answer is unknown here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any, ClassVar, Final, Literal

import msgspec

from batchata.answers.answer import Block
from batchata.answers.grounding import Sources
from batchata.answers.schema import NotNative, Route
from batchata.core.values import Limits
from batchata.errors import InvalidInputError, UnsupportedModelError
from batchata.inputs.files import FileInput, GivenFile
from batchata.inputs.items import Measured
from batchata.inputs.json_values import check_json, encode, encode_canonical
from batchata.providers.openai.requests import LineTemplate, strict_format, template_of
from batchata.providers.openai.results import blocks_of, outcome_of
from batchata.providers.port import Outcome, PriceRules

_PREFIX: Final = "openai/"
_MODELS: Final = re.compile(r"(?:gpt-|o\d|chatgpt-)[\w.-]*")
_PARAMS: Final = (
    "instructions",
    "max_tokens",
    "metadata",
    "parallel_tool_calls",
    "reasoning",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
)
_LEAST_OUTPUT: Final = 16  # tokens; less is refused
_LINE_BYTES: Final = 250  # custom id, url and the rest around a body
_TURN_TOKENS: Final = 16  # a bound of what frames a turn
_CHARACTERS_A_TOKEN: Final = 4


class TextChecks:
    """What requests may hold so far: texts of three roles; see the port."""

    most_bytes = 0

    def __init__(self, model: str, cited: bool) -> None:
        self._model, self._cited = model, cited

    def check_kind(self, kind: Literal["messages", "files"]) -> None:
        """See the port."""
        if self._cited:
            raise UnsupportedModelError(f"{self._model} gives no citations; leave enable_citations out")
        if kind == "files":
            raise UnsupportedModelError(f"files cannot be sent to {self._model} yet; give messages")

    def conversation(self, value: Any, place: str) -> Measured:
        """See the port. A byte-level tokenizer makes no more tokens than there are bytes."""
        if not isinstance(value, list | tuple) or not value:
            raise InvalidInputError(f"{place} has to be a conversation, a list of messages")
        for number, turn in enumerate(value):
            _check_turn(turn, f"{place}[{number}]")
        encoded = encode_canonical(value)
        return Measured(
            digest=sha256(encoded).digest(),
            request_size=len(encoded) + _LINE_BYTES,
            token_bound=len(encoded) + _TURN_TOKENS * len(value),
            tokens=len(encoded) // _CHARACTERS_A_TOKEN,
            prefilled=value[-1]["role"] == "assistant",
        )

    def file(self, given: GivenFile) -> tuple[FileInput, Measured]:
        """See the port."""
        raise UnsupportedModelError(f"{given.place} cannot be sent to {self._model} yet")


def _check_turn(turn: Any, place: str) -> None:
    if not isinstance(turn, dict) or turn.keys() != {"role", "content"}:
        raise InvalidInputError(f"{place} has to be {{'role': 'user', 'content': '...'}}")
    if turn["role"] not in ("user", "assistant", "system"):
        raise InvalidInputError(f"{place}.role is {turn['role']!r}; it is user, assistant or system")
    if not isinstance(turn["content"], str) or not turn["content"].strip():
        raise InvalidInputError(f"{place}.content has to be text, and not empty")
    check_json(turn["content"], f"{place}.content")


@dataclass(frozen=True, slots=True)
class OpenAIModel:
    """A model of OpenAI's behind the port; of its abilities nothing is known beyond what all have."""

    id: str
    text_factor: ClassVar[float] = 1.0
    cache_minimum: ClassVar[int] = 1_024

    def check_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """See the port."""
        given = {name: value for name, value in params.items() if value is not None}
        for name, value in given.items():
            if name not in _PARAMS:
                raise InvalidInputError(
                    f"{name} cannot be given for {self.id}; known are {', '.join(_PARAMS)}"
                )
            check_json(value, name)
        self.check_max_tokens(given.get("max_tokens", _LEAST_OUTPUT))
        if "format" in (given.get("text") or {}):
            raise InvalidInputError("text.format is made from response_model; give that instead")
        copy: dict[str, Any] = msgspec.json.decode(encode(given))
        return copy

    def check_max_tokens(self, value: object) -> None:
        """See the port."""
        if type(value) is not int or value < _LEAST_OUTPUT:
            raise InvalidInputError(
                f"max_tokens is {value!r}; it has to be an integer from {_LEAST_OUTPUT} on"
            )

    def place(self, params: Mapping[str, Any]) -> str | None:
        """See the port: no parameter says so."""
        return None

    def thinking_tokens(self, params: Mapping[str, Any]) -> int:
        """See the port: they count as output, and nothing is known of how many there are."""
        return 0

    def checks(self, cited: bool, params: Mapping[str, Any]) -> TextChecks:
        """See the port."""
        return TextChecks(self.id, cited)

    def caches(self, params: Mapping[str, Any]) -> bool:
        """See the port: parameters do not ask for it."""
        return False

    def output_format(self, schema: dict[str, Any], cited: bool) -> dict[str, Any]:
        """See the port."""
        if cited:
            raise NotNative("there are no citations")
        return strict_format(schema)

    def template(
        self, params: Mapping[str, Any], route: Route, prompt: str | None, cited: bool
    ) -> LineTemplate:
        """See the port; a prompt goes with files, of which there are none."""
        return template_of(self.id, params, route)


class OpenAIDialect:
    """Request and result lines of OpenAI's Batch API; see the port."""

    name = "openai"
    is_tried = False
    # By its guide (2026): 50,000 lines, 200 MB to the byte, files kept for 30 days, half of the list prices.
    limits = Limits(
        batch_requests=50_000,
        batch_bytes=209_715_200,
        results_days=30,
        batch_factor="0.5",
        final_errors=("invalid_request_error",),
    )

    def knows(self, model: str) -> bool:
        """Whether the name is one of OpenAI's models."""
        return model.startswith(_PREFIX) or _MODELS.fullmatch(model) is not None

    def model(self, name: str, today: date) -> OpenAIModel:
        """See the port; the name may also be written openai/gpt-…."""
        short = name.removeprefix(_PREFIX) if isinstance(name, str) else ""
        if not _MODELS.fullmatch(short):
            raise UnsupportedModelError(f"{name!r} is no model of OpenAI's, such as openai/gpt-6.1-terra")
        return OpenAIModel(short)

    def price_rules(self, model: str) -> PriceRules:
        """See the port."""
        return PriceRules(
            provider="openai",
            listed=model.removeprefix(_PREFIX),
            has_tiers=True,
            batch_factor=Decimal(self.limits.batch_factor),
            us_factor=Decimal(1),
            web_searches=None,
            caches_unasked=True,
        )

    def outcome(self, line: bytes) -> Outcome:
        """See the port."""
        return outcome_of(line)

    def blocks(self, line: bytes) -> list[Block]:
        """See the port."""
        return blocks_of(line)

    def sources(self, body: bytes) -> Sources:
        """See the port: nothing is cited."""
        return Sources()
