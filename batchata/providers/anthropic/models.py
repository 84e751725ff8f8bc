"""List what each Claude model can do, how long it lives, what replaces it, and what one request may hold.

Sources: the model types and `DEPRECATED_MODELS` of the anthropic SDK 2.12.0, and the pages on models,
deprecations, PDF support, vision, structured outputs and tool use of platform.claude.com (August to November
2026). Output limits of retired models are those of tokencost 0.1.26; those of a request are from the pages on
PDF support, vision and errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Final

from batchata.errors import (
    BatchataWarning,
    RetiredModelWarning,
    UnknownModelWarning,
    UnsupportedModelError,
)
from batchata.inputs.images import ImageRules
from batchata.logs import warn
from batchata.providers.known_models import misspelling_of

_NOTICE = timedelta(days=60)
_LARGE_CONTEXT = 1_000_000
_VERSIONED = re.compile(r"claude-(?P<family>[a-z]+)-(?P<major>\d)(?:-(?P<minor>\d{1,2}))?(?P<day>-20\d{6})?")

# Of one request. Whether the limit of a single message request holds for a request inside a batch is not
# documented; it is taken to. That of text is from a recorded answer, "too many total text bytes: 10000002 >
# 9000000".
MAX_REQUEST_BYTES: Final = 32 * 1024 * 1024
MAX_TEXT_BYTES: Final = 9_000_000
IMAGE_RULES: Final = ImageRules(most_pixels=8_000, most_base64=10 * 1024 * 1024)
MANY_IMAGES: Final = 20  # with more of them in a request
MAX_PIXELS_OF_MANY: Final = 2_000  # ... a side of each
# An envelope: keys, media type, a custom id of 64 characters; and the tokens that frame a turn.
ENVELOPE_BYTES: Final = 400
ENVELOPE_TOKENS: Final = 64
TURN_TOKENS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model id. The defaults are the abilities of the current generation.

    `end_of_life` is the day from which requests fail. `image_tokens` is the most that one image, or one
    page of a PDF as an image, can cost. `text_factor` is how many tokens a text makes, relative to the models
    up to the 4.6 generation (the tokenizer changed with 4.7). `cache_minimum` is how many tokens the
    beginning of a request must have to be cached; where that is not known, the most of all models.
    `manual_thinking` says that a budget may be set for thinking: models from 4.7 on refuse that.
    `thinks_by_default` says that answers begin
    with thinking, which counts against `max_tokens`; `always_thinks` that it cannot be turned off either.
    `us_surcharge` says that every token costs more where inference is kept in the United States.
    """

    id: str
    end_of_life: date | None = None
    successor: str | None = None
    takes_files: bool = True
    citations: bool = True
    structured_output: bool = True
    forced_tools: bool = True
    prefill: bool = False
    adaptive_thinking: bool = True
    manual_thinking: bool = False
    effort: bool = True
    thinks_by_default: bool = False
    always_thinks: bool = False
    us_surcharge: bool = True
    context_window: int = _LARGE_CONTEXT
    max_output_tokens: int = 128_000
    image_tokens: int = 4_784
    text_factor: float = 1.3
    cache_minimum: int = 4_096
    known: bool = True
    exists: bool = True

    @property
    def pdf_pages(self) -> int:
        """The most pages of PDF in one request."""
        return 600 if self.context_window >= _LARGE_CONTEXT else 100

    @property
    def images(self) -> int:
        """The most images in one request."""
        return self.pdf_pages

    def is_retired(self, today: date) -> bool:
        """Whether requests on that day are expected to fail."""
        return not self.exists or (self.end_of_life is not None and today >= self.end_of_life)


_LATEST = {
    family: f"claude-{family}-{version}"
    for family, version in {
        "sonnet": "5-5",
        "opus": "5-5",
        "haiku": "5-5",
        "fable": "5-2",
        "mythos": "5-2",
    }.items()
}


def _named(model: Model, *ids: str) -> list[Model]:
    return [replace(model, id=name) for name in ids]


def _ended(model: Model, day: str, family: str, *ids: str) -> list[Model]:
    ended = replace(model, end_of_life=date.fromisoformat(day), successor=_LATEST[family])
    return _named(ended, *ids)


_CURRENT = Model(id="", thinks_by_default=True)
# Forced `tool_choice` fails on these. That it fails on Fable 5 and Mythos 5 is not documented; it was
# seen on Fable 5 at launch, and a refusal before sending is cheaper than a failed batch.
_STRICT = replace(_CURRENT, forced_tools=False)
_ALWAYS_THINKING = replace(_STRICT, always_thinks=True)
_GEN_4_7 = Model(id="")
_GEN_4_6 = replace(_GEN_4_7, manual_thinking=True, image_tokens=1_568, text_factor=1.0)
_OPUS_4_5 = replace(
    _GEN_4_6,
    prefill=True,
    adaptive_thinking=False,
    us_surcharge=False,
    context_window=200_000,
    max_output_tokens=64_000,
)
_GEN_4_5 = replace(_OPUS_4_5, effort=False)
_GEN_4 = replace(_GEN_4_5, structured_output=False)
_OPUS_4 = replace(_GEN_4, max_output_tokens=32_000)
_GEN_3_5 = replace(_GEN_4, max_output_tokens=8_192)
# PDF support and citations began with Claude 3.5; tokencost marks the same models.
_GEN_3 = replace(_GEN_3_5, takes_files=False, citations=False, max_output_tokens=4_096)
_GEN_2 = replace(_GEN_3, context_window=100_000)

_TABLE: list[Model] = [
    *_named(_STRICT, "claude-sonnet-5-5"),
    *_named(_ALWAYS_THINKING, "claude-opus-5-5"),
    *_named(_CURRENT, "claude-haiku-5-5"),
    *_named(_ALWAYS_THINKING, "claude-fable-5-2", "claude-mythos-5-2"),
    *_named(_ALWAYS_THINKING, "claude-fable-5-1", "claude-mythos-5-1", "claude-fable-5", "claude-mythos-5"),
    *_named(_CURRENT, "claude-opus-5", "claude-sonnet-5"),
    *_named(_GEN_4_7, "claude-opus-4-8", "claude-opus-4-7"),
    *_named(_GEN_4_6, "claude-opus-4-6", "claude-sonnet-4-6"),
    *_named(_GEN_4_5, "claude-haiku-4-5", "claude-haiku-4-5-20251001"),
    *_named(_OPUS_4_5, "claude-opus-4-5", "claude-opus-4-5-20251101"),
    *_ended(_GEN_4_5, "2026-11-30", "sonnet", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    *_ended(_OPUS_4, "2026-08-05", "opus", "claude-opus-4-1", "claude-opus-4-1-20250805"),
    *_ended(_ALWAYS_THINKING, "2026-06-30", "mythos", "claude-mythos-preview"),
    *_ended(_OPUS_4, "2026-06-15", "opus", "claude-opus-4-0", "claude-opus-4-20250514"),
    *_ended(_GEN_4, "2026-06-15", "sonnet", "claude-sonnet-4-0", "claude-sonnet-4-20250514"),
    *_ended(_GEN_3, "2026-04-20", "haiku", "claude-3-haiku-20240307"),
    *_ended(_GEN_4, "2026-02-19", "sonnet", "claude-3-7-sonnet-20250219", "claude-3-7-sonnet-latest"),
    *_ended(_GEN_3_5, "2026-02-19", "haiku", "claude-3-5-haiku-20241022", "claude-3-5-haiku-latest"),
    *_ended(_GEN_3, "2026-01-05", "opus", "claude-3-opus-20240229", "claude-3-opus-latest"),
    *_ended(_GEN_3_5, "2025-10-28", "sonnet", "claude-3-5-sonnet-20241022", "claude-3-5-sonnet-latest"),
    *_ended(_GEN_3_5, "2025-10-28", "sonnet", "claude-3-5-sonnet-20240620"),
    *_ended(_GEN_3, "2025-07-21", "sonnet", "claude-3-sonnet-20240229", "claude-2.1", "claude-2.0"),
    *_ended(_GEN_2, "2024-11-06", "sonnet", "claude-1.3", "claude-1.3-100k"),
    *_ended(_GEN_2, "2024-11-06", "haiku", "claude-instant-1.1", "claude-instant-1.1-100k"),
    *_ended(_GEN_2, "2024-11-06", "haiku", "claude-instant-1.2"),
    # Listed in places, but no model ever had this id.
    replace(_GEN_3_5, id="claude-3-5-haiku-20240307", successor=_LATEST["haiku"], exists=False),
]

# From the page on prompt caching (August 2026); of the three 5.5 models as a router's migration guide has it.
_5_5 = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
_CACHE_MINIMUM = {
    512: ("claude-opus-5", "claude-fable-5", "claude-mythos-5", *_5_5),
    1_024: ("claude-opus-4-8", "claude-sonnet-5", "claude-sonnet-4-6", "claude-sonnet-4-5"),
    2_048: ("claude-opus-4-7", "claude-mythos-preview"),
}
_LEAST = {name: tokens for tokens, names in _CACHE_MINIMUM.items() for name in names}
_LEAST["claude-sonnet-4-5-20250929"] = 1_024

MODELS: dict[str, Model] = {
    model.id: replace(model, cache_minimum=_LEAST.get(model.id, model.cache_minimum)) for model in _TABLE
}


def find_model(name: str, today: date) -> Model:
    """Return the model of that id.

    Warns when requests to it are expected to fail, when that day is less than 60 days off, or when the id is
    not in the table; then it is assumed to have every ability of the current generation. Raises
    UnsupportedModelError for a name that is not a Claude model's.
    """
    if isinstance(name, str) and name in MODELS:
        model = MODELS[name]
        _warn_of_the_end(model, today)
        return model
    if isinstance(name, str) and name.startswith("claude-") and name.strip() == name != "claude-":
        return _unknown(name, today)
    current = current_models(today)
    part = name.lower() if isinstance(name, str) else ""
    near = [id_ for id_ in current if part in id_] if part else []
    near = near or get_close_matches(part, current, n=1, cutoff=0.5)
    hint = (
        f"did you mean {near[0]}? batchata.models() lists those that are known"
        if near
        else f"supported are {', '.join(current)}"
    )
    raise UnsupportedModelError(f"model {name!r} is not a Claude model; {hint}")


def current_models(today: date) -> list[str]:
    """Return the ids of the models that are not retired, newest first."""
    return [model.id for model in _TABLE if not model.is_retired(today)]


def doubt_about(model: Model, today: date) -> str | None:
    """Return why requests to the model are expected to fail; None for one that is current or may be new."""
    if model.is_retired(today):
        return _end_of(model)
    if model.known or _may_be_new(model.id, today):
        return None
    near = _nearest(model.id, today)
    return None if near is None else f"model {model.id} is unknown and looks like {near}"


def _may_be_new(name: str, today: date) -> bool:
    """Whether the name is that of a later version of a family, or of a snapshot of a current model."""
    match = _VERSIONED.fullmatch(name)
    if match is None or match["family"] not in _LATEST:
        return False
    if match["day"] and name.removesuffix(match["day"]) in current_models(today):
        return True
    newest = _VERSIONED.fullmatch(_LATEST[match["family"]])
    assert newest is not None
    return _version(match) > _version(newest)


def _version(match: re.Match[str]) -> tuple[int, int]:
    return int(match["major"]), int(match["minor"] or 0)


def _nearest(name: str, today: date) -> str | None:
    """Return the model that was probably meant: one with a similar name, or the newest of its family."""
    current = current_models(today)
    named = [_LATEST[word] for word in re.findall("[a-z]+", name) if word in _LATEST]
    near = get_close_matches(name, current, n=1) if _VERSIONED.fullmatch(name) and named else named
    return misspelling_of(name, current) or next(iter(near), None)


def _warn_of_the_end(model: Model, today: date) -> None:
    if model.is_retired(today):
        warn(_end_of(model), RetiredModelWarning)
    elif model.end_of_life is not None and model.end_of_life - today <= _NOTICE:
        message = f"{model.id} retires on {model.end_of_life}; later requests are expected to fail."
        warn(f"{message} {_instead(model)}", BatchataWarning)


def _end_of(model: Model) -> str:
    if not model.exists:
        return f"no model was ever called {model.id}: requests will fail. {_instead(model)}"
    return f"{model.id} was retired on {model.end_of_life}: requests are expected to fail. {_instead(model)}"


def _instead(model: Model) -> str:
    return f"Use {model.successor} instead."


def _unknown(name: str, today: date) -> Model:
    near = _nearest(name, today)
    hint = f" Did you mean {near}?" if near else ""
    warn(
        f"{name} is not in Batchata's model table: its abilities are guesses.{hint}",
        UnknownModelWarning,
    )
    return Model(id=name, prefill=True, manual_thinking=True, thinks_by_default=True, known=False)
