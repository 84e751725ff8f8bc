"""Put Anthropic's Message Batches API behind the port of dialects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Literal

from batchata.answers.schema import Route
from batchata.core.values import Limits
from batchata.errors import UnsupportedModelError
from batchata.inputs.files import FileInput, GivenFile
from batchata.inputs.items import Measured
from batchata.inputs.json_values import encode
from batchata.providers.anthropic.checked_files import check_file, pdf_to_document_block, sources_of
from batchata.providers.anthropic.messages import (
    CACHE_MARK,
    CacheMarks,
    automatic_mark,
    check_conversation,
    param_marks,
)
from batchata.providers.anthropic.models import (
    MAX_REQUEST_BYTES,
    MODELS,
    Model,
    current_models,
    doubt_about,
    find_model,
)
from batchata.providers.anthropic.output_format import output_format
from batchata.providers.anthropic.params import check_max_tokens, check_params
from batchata.providers.anthropic.requests import RequestTemplate, template_of
from batchata.providers.anthropic.results import answer_blocks, decode_line
from batchata.providers.exchange import PriceRules

__all__ = ["AnthropicDialect", "Claude", "ClaudeChecks", "pdf_to_document_block"]

_THINKING = 40  # tokens; what models of the current generation do by themselves took 0 to 80 in recordings
# genai-prices matches old families by prefix and so gives this one a price; the model was never published.
_NEVER_EXISTED = "claude-3-5-haiku-20240307"
# genai-prices lacks these models; Anthropic's price list gives each in one row with the model named here.
_PRICED_AS = {"claude-mythos-5": "claude-fable-5", "claude-mythos-5-1": "claude-fable-5-1"}
# genai-prices keeps a dearer tier above 200,000 tokens, which Anthropic's price list does not have.
_WITHOUT_TIERS = ("claude-sonnet-4-5",)
# By Anthropic's price list: every token of Claude 4.6 and later with `inference_geo: "us"`, and a million
# web searches.
_US_FACTOR = Decimal("1.1")
_WEB_SEARCHES = Decimal(10_000)


class ClaudeChecks:
    """What requests to a Claude model may hold; see the port."""

    most_bytes = MAX_REQUEST_BYTES

    def __init__(self, model: Model, cited: bool, params: Mapping[str, Any]) -> None:
        self._model, self._cited = model, cited
        self._marks = CacheMarks(param_marks(params), automatic_mark(params))

    def check_kind(self, kind: Literal["messages", "files"]) -> None:
        """See the port."""
        model = self._model
        if self._cited and not model.citations:
            raise UnsupportedModelError(
                f"{model.id} gives no citations; leave enable_citations out or use {model.successor}"
            )
        if kind == "files" and not model.takes_files:
            raise UnsupportedModelError(f"{model.id} takes no files; use {model.successor}")

    def conversation(self, value: Any, place: str) -> Measured:
        """See the port."""
        return check_conversation(value, place, self._model, self._cited, self._marks)

    def file(self, given: GivenFile) -> tuple[FileInput, Measured]:
        """See the port."""
        return check_file(given, self._model, self._cited)


@dataclass(frozen=True, slots=True)
class Claude:
    """A Claude model behind the port; `facts` is its row in the table."""

    facts: Model
    doubt: str | None = None
    locates: ClassVar[bool] = False
    cache_mark: ClassVar[str] = CACHE_MARK.decode().strip('"')

    @property
    def id(self) -> str:
        """See the port."""
        return self.facts.id

    @property
    def text_factor(self) -> float:
        """See the port."""
        return self.facts.text_factor

    @property
    def cache_minimum(self) -> int:
        """See the port."""
        return self.facts.cache_minimum

    def check_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """See the port."""
        return check_params(params, self.facts)

    def check_max_tokens(self, value: object) -> None:
        """See the port."""
        check_max_tokens(value, self.facts)

    def place(self, params: Mapping[str, Any]) -> str | None:
        """See the port."""
        geo = params.get("inference_geo")
        return None if geo is None else str(geo)

    def thinking_tokens(self, params: Mapping[str, Any]) -> int:
        """See the port: half of a thinking budget, else the figure seen in recordings."""
        thinking = params.get("thinking")
        kind = None if thinking is None else thinking.get("type")
        if kind == "disabled" or (kind is None and not self.facts.thinks_by_default):
            return 0
        return self.thinking_budget(params) // 2 or _THINKING

    def thinking_budget(self, params: Mapping[str, Any]) -> int:
        """See the port."""
        budget = (params.get("thinking") or {}).get("budget_tokens")
        return budget if isinstance(budget, int) else 0

    def checks(self, cited: bool, params: Mapping[str, Any]) -> ClaudeChecks:
        """See the port."""
        return ClaudeChecks(self.facts, cited, params)

    def caches(self, params: Mapping[str, Any]) -> bool:
        """See the port."""
        return CACHE_MARK in encode(params)

    def output_format(self, schema: dict[str, Any], cited: bool) -> dict[str, Any]:
        """See the port."""
        return output_format(schema, self.facts, cited)

    def template(
        self, params: Mapping[str, Any], route: Route, prompt: str | None, cited: bool
    ) -> RequestTemplate:
        """See the port."""
        return template_of(self.facts, params, route, prompt, cited)


class AnthropicDialect:
    """Requests and result lines of the Message Batches API; see the port."""

    limits = Limits()  # their defaults are Anthropic's
    batch_hours = 24

    def __init__(self, name: str = "anthropic") -> None:
        self.name = name  # or that of a cloud which serves the same API
        self.is_tried = name == "anthropic"

    def model(self, name: str, today: date) -> Claude:
        """See the port; the name may be written with the provider in front."""
        short = name.removeprefix(f"{self.name}/") if isinstance(name, str) else name
        model = find_model(short, today)
        return Claude(model, doubt_about(model, today))

    def names(self, today: date) -> list[str]:
        """See the port."""
        return current_models(today)

    def price_rules(self, model: str) -> PriceRules:
        """See the port; a model that is not in the table counts as new."""
        return PriceRules(
            provider="anthropic",
            listed=None if model == _NEVER_EXISTED else _PRICED_AS.get(model, model),
            has_tiers=not model.startswith(_WITHOUT_TIERS),
            batch_factor=Decimal(self.limits.batch_factor),
            us_factor=_US_FACTOR if model not in MODELS or MODELS[model].us_surcharge else Decimal(1),
            web_searches=_WEB_SEARCHES,
        )

    outcome = staticmethod(decode_line)
    blocks = staticmethod(answer_blocks)
    sources = staticmethod(sources_of)
