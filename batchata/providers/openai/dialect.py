"""Put OpenAI's Batch API behind the port of dialects: what its models take, its limits, and its results.

Parameters whose effect on cost or answer is unknown here are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Final

from batchata.answers.schema import NotNative, Route
from batchata.errors import InvalidInputError, UnsupportedModelError
from batchata.providers.exchange import PriceRules
from batchata.providers.file_sources import sources_of_parts
from batchata.providers.known_models import doubt_about, listed_models
from batchata.providers.message_parts import ContentChecks
from batchata.providers.openai.content import media_rules
from batchata.providers.openai.requests import (
    CHAT,
    RESPONSES,
    LineTemplate,
    endpoint_in,
    template_of,
)
from batchata.providers.openai.results import blocks_of, outcome_of
from batchata.providers.openai.schema import strict_format
from batchata.providers.openai.services import SERVICES, Service
from batchata.providers.part_requests import PartModel, Words, checked_params

_KNOWN: Final = (
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
_EFFORT: Final = "give reasoning={'effort': 'low'}"
_PARAMS: Final = Words(
    known=_KNOWN,
    same={"system": "instructions"},
    instead={
        "thinking": _EFFORT,
        "thinking_config": _EFFORT,
        "output_config": _EFFORT,
        "max_output_tokens": "give max_tokens",
        "max_completion_tokens": "give max_tokens",
        "response_format": "it is made from response_model",
        "cache_control": "the service caches by itself",
        "stop_sequences": "Claude and Gemini have it",
        "top_k": "Gemini has it",
        "seed": "Gemini has it",
        "inference_geo": "only Claude has it",
        "service_tier": "a batch has its own",
        "stream": "a batch cannot be streamed",
        "inline": "Gemini has it, as gemini-inline/MODEL",
    },
)


@dataclass(frozen=True, slots=True)
class OpenAIModel(PartModel):
    """A model of OpenAI's behind the port; only what all of them can do is known of its abilities."""

    id: str
    service: Service = SERVICES["openai"]
    doubt: str | None = None
    least_output: ClassVar[int] = 16
    cache_minimum: ClassVar[int] = 1_024

    def check_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """See the port."""
        given = checked_params(params, _PARAMS, self.id)
        if not isinstance(given.get("instructions", ""), str):
            raise InvalidInputError("system (instructions) must be a text for this provider")
        self.check_max_tokens(given.get("max_tokens", self.least_output))
        if "format" in (given.get("text") or {}):
            raise InvalidInputError("text.format is made from response_model; give that instead")
        if (endpoint := given.get("endpoint", RESPONSES)) not in (RESPONSES, CHAT):
            raise InvalidInputError(f"endpoint is {endpoint!r}; it is {RESPONSES!r} or {CHAT!r}")
        if self.service.chat_only:
            if given.get("endpoint", CHAT) != CHAT:
                raise InvalidInputError(
                    f"batches of {self.service.title} are for {CHAT!r}; leave endpoint out"
                )
            given["endpoint"] = CHAT
        return given

    def thinking_tokens(self, params: Mapping[str, Any]) -> int:
        """See the port: they count as output, and their number is unknown."""
        return 0

    def thinking_budget(self, params: Mapping[str, Any]) -> int:
        """See the port: an effort is given instead."""
        return 0

    def checks(self, cited: bool, params: Mapping[str, Any]) -> ContentChecks:
        """See the port."""
        rules = media_rules(
            self.id,
            is_chat=endpoint_in(params) == CHAT,
            documents=self.service.documents,
            is_openai=self.service is SERVICES["openai"],
        )
        return ContentChecks(rules)

    def output_format(self, schema: dict[str, Any], cited: bool) -> dict[str, Any]:
        """See the port."""
        if not self.service.strict:
            raise NotNative(f"whether {self.service.title} takes strict schemas depends on the model")
        return strict_format(schema)

    def template(
        self, params: Mapping[str, Any], route: Route, prompt: str | None, cited: bool
    ) -> LineTemplate:
        """See the port."""
        bare = self.id if self.service.models else self.id.partition("/")[2]
        service = self.service
        return template_of(bare, params, route, prompt, service.most_tokens, bare=service.bare_lines)


class OpenAIDialect:
    """Request and result lines of OpenAI's Batch API; see the port."""

    is_tried = False
    batch_hours = 24  # no create call asks for more

    def __init__(self, name: str = "openai") -> None:
        self.name, self._service = name, SERVICES[name]
        self.limits = self._service.limits

    def knows(self, model: str) -> bool:
        """Whether the name is one of OpenAI's models."""
        models = self._service.models
        return models is not None and models.fullmatch(model.removeprefix(f"{self.name}/")) is not None

    def model(self, name: str, today: date) -> OpenAIModel:
        """See the port; elsewhere than at OpenAI the model keeps the name of its service in front."""
        short = name.removeprefix(f"{self.name}/") if isinstance(name, str) else ""
        if not short.strip():
            raise UnsupportedModelError(f"{name!r} names no model; write {self.name}/MODEL")
        if self._service.models is None:
            return OpenAIModel(name, self._service)
        if not self._service.models.fullmatch(short):
            raise UnsupportedModelError(
                f"{name!r} is not a model of {self._service.title}, such as {self._service.one_of_them}"
            )
        doubt = doubt_about(short, self._service.prices or self.name, self._service.title)
        return OpenAIModel(short, self._service, doubt)

    def names(self, today: date) -> list[str]:
        """See the port."""
        known = self._service.models
        if known is None:
            return []
        return [name for name in listed_models(self._service.prices or self.name) if known.fullmatch(name)]

    def price_rules(self, model: str) -> PriceRules:
        """See the port; the prices of few services are listed for batches."""
        prices = self._service.prices
        return PriceRules(
            provider=prices or self.name,
            listed=model.removeprefix(f"{self.name}/") if prices else None,
            has_tiers=True,
            batch_factor=Decimal(self.limits.batch_factor),
            us_factor=Decimal(1),
            web_searches=None,
            caches_unasked=True,
            batch_listed=self.name != "openai",
            always_discounted=self._service.always_discounted,
        )

    outcome = staticmethod(outcome_of)
    blocks = staticmethod(blocks_of)
    sources = staticmethod(sources_of_parts)
