"""Register the providers: the dialect and the client of each, by its name or by a model's."""

from __future__ import annotations

from dataclasses import dataclass, field

from batchata.core.events import RunStarted
from batchata.errors import ConfigurationError, InvalidInputError, LogVersionError
from batchata.providers.anthropic.dialect import AnthropicDialect, pdf_to_document_block
from batchata.providers.openai.dialect import OpenAIDialect
from batchata.providers.port import Client, Dialect, PriceRules

__all__ = ["Access", "dialect_for", "dialect_of", "pdf_to_document_block", "price_rules"]

_ANTHROPIC = AnthropicDialect()
_OPENAI = OpenAIDialect()
_DIALECTS: dict[str, Dialect] = {_ANTHROPIC.name: _ANTHROPIC, _OPENAI.name: _OPENAI}


def dialect_for(model: object) -> Dialect:
    """Return the dialect of the provider that a run with this model goes to."""
    return _OPENAI if isinstance(model, str) and _OPENAI.knows(model) else _ANTHROPIC


def dialect_of(started: RunStarted) -> Dialect:
    """Return the dialect in which a run in a log was sent and answered.

    Raises LogVersionError for a provider that this Batchata does not have.
    """
    # Runs that began without items named no provider while there was only one.
    name = started.provider or _ANTHROPIC.name
    if name not in _DIALECTS:
        raise LogVersionError(
            f"the run {started.run_id!r} was sent to {name!r}, a provider that this Batchata does not know; "
            "read the log with the version that wrote it, or a newer one"
        )
    return _DIALECTS[name]


def price_rules(model: str) -> PriceRules:
    """Return what the price tables need to know of a model, by its provider."""
    return dialect_for(model).price_rules(model)


@dataclass(frozen=True, slots=True)
class Access:
    """The key and the URL of calls; None leaves either to the SDK's environment.

    Neither is ever shown.
    """

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raise InvalidInputError for what is not text."""
        for name in ("api_key", "base_url"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise InvalidInputError(f"{name} must be a text, or None, not a {type(value).__name__}")

    def client(self, provider: str) -> Client:
        """Return a client of the provider of that name; its SDK is imported only now, which takes a second.

        Raises ConfigurationError where there is none.
        """
        match provider:
            case "anthropic":
                from batchata.providers.anthropic.client import AnthropicClient

                return AnthropicClient(api_key=self.api_key, base_url=self.base_url)
            case "openai":
                from batchata.providers.openai.client import OpenAIClient

                return OpenAIClient(api_key=self.api_key, base_url=self.base_url)
            case _:
                raise ConfigurationError(
                    f"there is no provider {provider!r}; there are {', '.join(sorted(_DIALECTS))}"
                )
