"""Put OpenAI's Batch API behind the port of dialects: what its models take, its limits, and its results.

Parameters whose effect on cost or answer is unknown here are refused, as are citations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal

import msgspec

from batchata.answers.answer import Block
from batchata.answers.grounding import Sources
from batchata.answers.schema import NotNative, Route
from batchata.errors import InvalidInputError, UnsupportedModelError
from batchata.inputs.files import FileInput, GivenFile
from batchata.inputs.items import Measured
from batchata.inputs.json_values import check_json, encode
from batchata.providers.openai.content import MOST_FILE_BYTES, Contents, measured_file
from batchata.providers.openai.requests import (
    CHAT,
    RESPONSES,
    LineTemplate,
    endpoint_in,
    strict_format,
    template_of,
)
from batchata.providers.openai.results import blocks_of, outcome_of
from batchata.providers.openai.services import SERVICES, Service
from batchata.providers.port import Outcome, PriceRules

_PREFIX: Final = "openai/"
_MODELS: Final = re.compile(r"(?:gpt-|o\d|chatgpt-)[\w.-]*")
_PARAMS: Final = (
    "endpoint",
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


class ContentChecks:
    """Check conversations and files for one model; see the port."""

    most_bytes = MOST_FILE_BYTES

    def __init__(self, model: str, *, cited: bool, is_chat: bool) -> None:
        self._model, self._cited, self._is_chat = model, cited, is_chat

    def check_kind(self, kind: Literal["messages", "files"]) -> None:
        """See the port."""
        if self._cited:
            raise UnsupportedModelError(
                f"{self._model} gives no citations of documents; leave enable_citations out, or use a model "
                "of Anthropic's"
            )

    def conversation(self, value: Any, place: str) -> Measured:
        """See the port."""
        return Contents(self._model, self._is_chat).conversation(value, place)

    def file(self, given: GivenFile) -> tuple[FileInput, Measured]:
        """See the port."""
        pages, measured = measured_file(given, self._model)
        return replace(given.file, pages=pages), measured


@dataclass(frozen=True, slots=True)
class OpenAIModel:
    """A model of OpenAI's behind the port; of its abilities nothing is known beyond what all have."""

    id: str
    service: Service = SERVICES["openai"]
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
        if (endpoint := given.get("endpoint", RESPONSES)) not in (RESPONSES, CHAT):
            raise InvalidInputError(f"endpoint is {endpoint!r}; it is {RESPONSES!r} or {CHAT!r}")
        copy: dict[str, Any] = msgspec.json.decode(encode(given))
        if self.service.chat_only:
            if given.get("endpoint", CHAT) != CHAT:
                raise InvalidInputError(
                    f"batches of {self.service.title} are for {CHAT!r}; leave endpoint out"
                )
            copy["endpoint"] = CHAT
        return copy

    def check_max_tokens(self, value: object) -> None:
        """See the port."""
        if type(value) is not int or value < _LEAST_OUTPUT:
            raise InvalidInputError(f"max_tokens is {value!r}; it must be an integer from {_LEAST_OUTPUT} on")

    def place(self, params: Mapping[str, Any]) -> str | None:
        """See the port: no parameter says so."""
        return None

    def thinking_tokens(self, params: Mapping[str, Any]) -> int:
        """See the port: they count as output, and nothing is known of how many there are."""
        return 0

    def checks(self, cited: bool, params: Mapping[str, Any]) -> ContentChecks:
        """See the port."""
        return ContentChecks(self.id, cited=cited, is_chat=endpoint_in(params) == CHAT)

    def caches(self, params: Mapping[str, Any]) -> bool:
        """See the port: parameters do not ask for it."""
        return False

    def output_format(self, schema: dict[str, Any], cited: bool) -> dict[str, Any]:
        """See the port."""
        if cited:
            raise NotNative("there are no citations")
        if not self.service.strict:
            raise NotNative(f"whether {self.service.title} takes strict schemas depends on the model")
        return strict_format(schema)

    def template(
        self, params: Mapping[str, Any], route: Route, prompt: str | None, cited: bool
    ) -> LineTemplate:
        """See the port."""
        _, _, bare = self.id.rpartition("/") if self.service is SERVICES["openai"] else self.id.partition("/")
        return template_of(bare, params, route, prompt, self.service.most_tokens)


class OpenAIDialect:
    """Request and result lines of OpenAI's Batch API; see the port."""

    is_tried = False

    def __init__(self, name: str = "openai") -> None:
        self.name, self._service = name, SERVICES[name]
        self.limits = self._service.limits

    def knows(self, model: str) -> bool:
        """Whether the name is one of OpenAI's models."""
        return model.startswith(_PREFIX) or _MODELS.fullmatch(model) is not None

    def model(self, name: str, today: date) -> OpenAIModel:
        """See the port; elsewhere than at OpenAI the model keeps the name of its service in front."""
        if self.name != "openai":
            if not name.removeprefix(f"{self.name}/").strip():
                raise UnsupportedModelError(f"{name!r} names no model; write {self.name}/MODEL")
            return OpenAIModel(name, self._service)
        short = name.removeprefix(_PREFIX) if isinstance(name, str) else ""
        if not _MODELS.fullmatch(short):
            raise UnsupportedModelError(f"{name!r} is not an OpenAI model, such as openai/gpt-6.1-terra")
        return OpenAIModel(short)

    def price_rules(self, model: str) -> PriceRules:
        """See the port; only OpenAI's own prices are listed for batches."""
        return PriceRules(
            provider="openai",
            listed=model.removeprefix(_PREFIX) if self.name == "openai" else None,
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
