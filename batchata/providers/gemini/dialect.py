"""Put Gemini's Batch API behind the port of dialects: what its models take, its limits, and its results.

Parameters whose effect on cost or answer is unknown here are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Final

from batchata.answers.schema import Route
from batchata.core.values import Limits
from batchata.errors import InvalidInputError, UnsupportedModelError
from batchata.providers.exchange import PriceRules
from batchata.providers.file_sources import sources_of_parts
from batchata.providers.gemini.content import MEDIA
from batchata.providers.gemini.requests import PARAMS, RequestTemplate, template_of
from batchata.providers.gemini.results import blocks_of, outcome_of
from batchata.providers.gemini.schema import response_schema
from batchata.providers.known_models import doubt_about, listed_models
from batchata.providers.message_parts import ContentChecks
from batchata.providers.part_requests import PartModel, Words, checked_params

__all__ = ["INLINE", "GeminiDialect"]

_FILES: Final = "gemini"
INLINE: Final = "gemini-inline"  # requests in the create call itself
_MODELS: Final = re.compile(r"(?:gemini|gemma)-[\w.-]*")
_BUDGET: Final = "give thinking_config={'thinkingBudget': 1000}"
_PARAMS: Final = Words(
    known=PARAMS,
    same={"instructions": "system"},
    instead={
        "thinking": _BUDGET,
        "reasoning": _BUDGET,
        "output_config": _BUDGET,
        "max_output_tokens": "give max_tokens",
        "tool_choice": "give tool_config",
        "text": "it is made from response_model",
        "cache_control": "the service caches by itself",
        "inference_geo": "only Claude has it",
        "metadata": "Claude and OpenAI have it",
        "stream": "a batch cannot be streamed",
        "inline": "name the model gemini-inline/MODEL",
    },
)
_THOUGHT: Final = 80  # tokens before an answer of one word, in the middle of the recorded ones


@dataclass(frozen=True, slots=True)
class GeminiModel(PartModel):
    """A Google model behind the port; only what all of them can do is known of its abilities."""

    id: str
    doubt: str | None = None
    inline: bool = False
    cache_minimum: ClassVar[int] = 2_048

    def check_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """See the port."""
        given = checked_params(params, _PARAMS, self.id)
        self.check_max_tokens(given.get("max_tokens", self.least_output))
        if not isinstance(given.get("system", ""), str):
            raise InvalidInputError("system must be a text for this provider")
        for name in ("tools", "safety_settings"):
            entries = given.get(name, [])
            if not isinstance(entries, list | tuple) or not all(isinstance(e, dict) for e in entries):
                raise InvalidInputError(f"{name} must be a list of dicts, as the Gemini API has them")
        return given

    def thinking_tokens(self, params: Mapping[str, Any]) -> int:
        """See the port: they count as output and against max_tokens."""
        budget = _budget(params)
        return min(budget, _THOUGHT) if budget is not None else _THOUGHT

    def thinking_budget(self, params: Mapping[str, Any]) -> int:
        """See the port."""
        return _budget(params) or 0

    def checks(self, cited: bool, params: Mapping[str, Any]) -> ContentChecks:
        """See the port."""
        return ContentChecks(MEDIA)

    def output_format(self, schema: dict[str, Any], cited: bool) -> dict[str, Any]:
        """See the port."""
        return response_schema(schema)

    def template(
        self, params: Mapping[str, Any], route: Route, prompt: str | None, cited: bool
    ) -> RequestTemplate:
        """See the port."""
        return template_of(self.id, params, route, prompt, inline=self.inline)


class GeminiDialect:
    """Request and result lines of Gemini's Batch API; see the port."""

    is_tried = False
    batch_hours = 48

    def __init__(self, name: str = _FILES) -> None:
        self.name = name
        # By Google's guide (2026): a file of 2 GB, or less than 20 MB in the call itself; results for six
        # weeks, half of the list prices. How many requests a batch may have is not said.
        self.limits = Limits(
            batch_requests=50_000,
            batch_bytes=19_500_000 if name == INLINE else 2_000_000_000,
            results_days=42,
            batch_factor="0.5",
        )

    def knows(self, model: str) -> bool:
        """Whether the name leads here: with the provider in front, or as one of Google's models."""
        if self.name != _FILES:
            return model.startswith(f"{self.name}/")
        return model.startswith(f"{_FILES}/") or _MODELS.fullmatch(model) is not None

    def model(self, name: str, today: date) -> GeminiModel:
        """See the port."""
        short = name.removeprefix(f"{self.name}/") if isinstance(name, str) else ""
        if not _MODELS.fullmatch(short):
            raise UnsupportedModelError(f"{name!r} is not a Gemini model, such as gemini-4-argon")
        return GeminiModel(short, doubt_about(short, "google", "Google"), self.name == INLINE)

    def names(self, today: date) -> list[str]:
        """See the port."""
        return [name for name in listed_models("google") if _MODELS.fullmatch(name)]

    def price_rules(self, model: str) -> PriceRules:
        """See the port."""
        return PriceRules(
            provider="google",
            listed=model.removeprefix(f"{self.name}/"),
            has_tiers=True,
            batch_factor=Decimal(self.limits.batch_factor),
            us_factor=Decimal(1),
            web_searches=None,
            caches_unasked=True,
            batch_listed=True,
        )

    outcome = staticmethod(outcome_of)
    blocks = staticmethod(blocks_of)
    sources = staticmethod(sources_of_parts)


def _budget(params: Mapping[str, Any]) -> int | None:
    """Return how many tokens the parameters allow for thinking; None where they do not say."""
    config = params.get("thinking_config") or {}
    budget = config.get("thinkingBudget", config.get("thinking_budget"))
    return budget if type(budget) is int and budget >= 0 else None
