"""Register the providers: each one's dialect and client, by its name or a model's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache, partial

from batchata.clock import utc
from batchata.core.events import RunStarted
from batchata.errors import ConfigurationError, InvalidInputError, LogVersionError, UnsupportedModelError
from batchata.garbage import no_collections
from batchata.providers.anthropic.dialect import AnthropicDialect, pdf_to_document_block
from batchata.providers.exchange import PriceRules
from batchata.providers.gemini.dialect import INLINE, GeminiDialect
from batchata.providers.openai.dialect import OpenAIDialect
from batchata.providers.openai.services import SERVICES
from batchata.providers.port import Client, Dialect
from batchata.text import did_you_mean, type_of

__all__ = ["Access", "dialect_for", "dialect_of", "models", "pdf_to_document_block", "price_rules"]

_ANTHROPIC = AnthropicDialect()
_GEMINI = GeminiDialect()
_CLOUDS = [AnthropicDialect("anthropic-aws"), AnthropicDialect("anthropic-google")]
_ALIKE = [OpenAIDialect(name) for name in SERVICES]
_INLINE = GeminiDialect(INLINE)
_ALL: tuple[Dialect, ...] = (_ANTHROPIC, *_CLOUDS, _GEMINI, _INLINE, *_ALIKE)
_DIALECTS = {dialect.name: dialect for dialect in _ALL}
# Places that have no batches like Anthropic's behind these names, and why.
_REFUSED = {
    "bedrock": "Amazon Bedrock runs batches from S3 by jobs of its own, which the SDK's client lacks",
    "vertex": "Vertex AI runs batches from Cloud Storage by jobs of its own, which the SDK's client lacks",
    "foundry": "the client of Microsoft Foundry has no batches",
    "fireworks": "Fireworks runs batches from datasets, by calls of its own, which Batchata does not make",
    "vllm": "vllm run-batch reads files: jsonl/MODEL with a folder as base_url writes them and reads results",
}

_ELSEWHERE = "a model of another service is named with it in front, such as"


def dialect_for(model: object) -> Dialect:
    """Return the dialect of the provider that a run with this model goes to.

    Raises UnsupportedModelError for an unknown provider, for one without such batches, and for a name that is
    nearly a model's.
    """
    if not isinstance(model, str):
        return _ANTHROPIC
    place, slash, name = model.partition("/")
    if slash and (why := _REFUSED.get(place.removeprefix("anthropic-"))) is not None:
        raise UnsupportedModelError(
            f"{model!r} cannot be run: {why}; there are {', '.join(sorted(_DIALECTS))} (anthropic-aws is the "
            "Claude Platform on AWS, anthropic-google that on Google Cloud)"
        )
    if slash and place in _DIALECTS:
        _refuse_of_another(place, name)
        return _DIALECTS[place]
    if slash and not model.startswith("claude-"):
        hint = did_you_mean(place, _DIALECTS) or (
            "any other service that speaks OpenAI's batch protocol is openai-compatible/MODEL with a base_url"
        )
        raise UnsupportedModelError(
            f"{model!r} names an unknown provider; known are {', '.join(sorted(_DIALECTS))}; {hint}"
        )
    known = _by_name(model)
    if known is None and not model.startswith("claude-"):
        _refuse_misspelt(model)
    return known or _ANTHROPIC


@lru_cache(maxsize=256)
def _by_name(model: str) -> Dialect | None:
    """Return the dialect of the provider whose models have names like this."""
    others: tuple[GeminiDialect | OpenAIDialect, ...] = (_GEMINI, *_ALIKE)
    return next((dialect for dialect in others if dialect.knows(model)), None)


def _refuse_of_another(place: str, model: str) -> None:
    """Name the provider whose model this is, where the one that stands in front takes its own alone."""
    whose = _ANTHROPIC if model.startswith("claude-") else _by_name(model)
    takes_any = place in SERVICES and SERVICES[place].models is None
    # A maker may be behind several names, such as anthropic-aws.
    if whose is not None and not takes_any and not place.startswith(whose.name):
        raise UnsupportedModelError(
            f"{model} is a model of {whose.name}, not of {place}: give {model!r} alone"
        )


def _refuse_misspelt(model: str) -> None:
    """Name the model that was probably meant, unless it is Anthropic's, whose dialect says so itself."""
    word = model.lower()
    near = get_close_matches(word, models(), n=1)
    is_part = bool(word) and any(word in name for name in models(_ANTHROPIC.name))
    if near and not is_part and not near[0].startswith("claude-"):
        raise UnsupportedModelError(
            f"{model!r} is not the name of a model; did you mean {near[0]}? batchata.models() lists those "
            f"that are known; {_ELSEWHERE} groq/MODEL"
        )
    if word and not near and not is_part and not get_close_matches(word, models(_ANTHROPIC.name), 1, 0.5):
        raise UnsupportedModelError(
            f"{model!r} is none of the models that batchata.models() lists, nor like one; {_ELSEWHERE} "
            f"groq/{model}"
        )


def models(provider: str | None = None) -> list[str]:
    """Return the models that tables list, as `model=` takes them; those of one provider, or all.

        batchata.models("anthropic")

    Claude's are those that are not retired. Of OpenAI, Gemini, Mistral and xAI they are the ones of the price
    table, which also lists models without batches. Others, and newer ones, may be named too.

    Raises UnsupportedModelError for an unknown provider.
    """
    if provider is not None and (not isinstance(provider, str) or provider not in _DIALECTS):
        raise UnsupportedModelError(
            f"there is no provider {provider!r}; there are {', '.join(sorted(_DIALECTS))}"
        )
    today = utc().date()
    each_once: list[Dialect] = [_ANTHROPIC, _GEMINI, *_ALIKE]
    asked = each_once if provider is None else [_DIALECTS[provider]]
    return [
        f"{dialect.name}/{name}" if dialect not in each_once else name
        for dialect in asked
        for name in dialect.names(today)
    ]


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
    """Return what the price tables need to know of a model, by its provider.

    A price list that scripts share may name models of unknown providers.
    """
    place, slash, name = model.partition("/")
    if slash and place in _DIALECTS:
        return _DIALECTS[place].price_rules(name)
    return (_by_name(model) or _ANTHROPIC).price_rules(model)


@dataclass(frozen=True, slots=True)
class Access:
    """The key and the URL of calls, or an SDK client that has both.

    None leaves either to the SDK's environment; neither is ever shown.
    """

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = field(default=None, repr=False)
    given: object | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raise InvalidInputError for what is not text, and for a client beside it."""
        for name in ("api_key", "base_url"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise InvalidInputError(f"{name} must be a string, or None, not {type_of(value)}")
            if value is not None and self.given is not None:
                raise InvalidInputError(f"client has {name} already: give one of them")

    def connector(self, provider: str, *, is_sent: bool) -> Callable[[], Client]:
        """Return a function that makes clients of the named provider; `is_sent`: to other processes.

        Raises InvalidInputError for a client that cannot be used there.
        """
        if self.given is not None:
            if not provider.startswith(_ANTHROPIC.name):
                raise InvalidInputError(
                    f"{provider} is called without its SDK, so client= cannot be given: give api_key and "
                    "base_url, or set their variables"
                )
            if is_sent:
                raise InvalidInputError(
                    "client cannot be sent to an executor's workers: give api_key and base_url, or set their "
                    "variables, or leave executor out"
                )
            from batchata.providers.anthropic.given_client import check_given

            check_given(self.given, provider)
        return partial(self.client, provider)

    def client(self, provider: str) -> Client:
        """Return a client of the provider of that name; its SDK is imported only now, which takes a second.

        Raises ConfigurationError where there is none.
        """
        with no_collections():
            match provider:
                case "anthropic" | "anthropic-aws" | "anthropic-google":
                    from batchata.providers.anthropic.client import AnthropicClient

                    return AnthropicClient(
                        api_key=self.api_key, base_url=self.base_url, given=self.given, platform=provider
                    )
                case "gemini" | "gemini-inline":
                    from batchata.providers.gemini.client import GeminiClient

                    inline = provider == INLINE
                    return GeminiClient(api_key=self.api_key, base_url=self.base_url, inline=inline)
                case "jsonl":
                    from batchata.providers.openai.folder import FolderClient

                    return FolderClient(self.base_url)
                case service if service in SERVICES:
                    from batchata.providers.openai.client import OpenAIClient

                    return OpenAIClient(api_key=self.api_key, base_url=self.base_url, service=service)
                case _:
                    raise ConfigurationError(
                        f"there is no provider {provider!r}; there are {', '.join(sorted(_DIALECTS))}"
                    )
