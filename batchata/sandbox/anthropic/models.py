"""Know the model ids: which exist, which are retired, which answer with thinking first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

__all__ = [
    "always_thinks",
    "budget_refused",
    "cache_minimum",
    "forced_tool_refused",
    "image_tokens",
    "inference_place",
    "model_missing",
    "most_tokens",
    "pages_allowed",
    "prefill_refused",
    "text_factor",
    "thinks",
]

# Ids of this shape are taken as existing unless they are retired: the sandbox must not know less than the
# service does next year.
_SHAPE = re.compile(r"claude-(opus|sonnet|haiku|fable|mythos)-(\d+)(?:-(\d{1,2}))?(?:-(\d{8}))?$")

# Day of retirement on the Claude API, by id. Everything older has another shape (claude-3-..., claude-2...).
_RETIRED = {
    "claude-opus-4": "2026-06-15",
    "claude-opus-4-0": "2026-06-15",
    "claude-opus-4-20250514": "2026-06-15",
    "claude-sonnet-4": "2026-06-15",
    "claude-sonnet-4-0": "2026-06-15",
    "claude-sonnet-4-20250514": "2026-06-15",
    "claude-mythos-preview": "2026-06-30",
    "claude-opus-4-1": "2026-08-05",
    "claude-opus-4-1-20250805": "2026-08-05",
    "claude-sonnet-4-5": "2026-11-30",
    "claude-sonnet-4-5-20250929": "2026-11-30",
    "claude-3-sonnet-20240229": "2025-07-21",
    "claude-3-5-sonnet-20240620": "2025-10-28",
    "claude-3-5-sonnet-20241022": "2025-10-28",
    "claude-3-5-sonnet-latest": "2025-10-28",
    "claude-3-opus-20240229": "2026-01-05",
    "claude-3-opus-latest": "2026-01-05",
    "claude-3-7-sonnet-20250219": "2026-02-19",
    "claude-3-7-sonnet-latest": "2026-02-19",
    "claude-3-5-haiku-20241022": "2026-02-19",
    "claude-3-5-haiku-latest": "2026-02-19",
    "claude-3-haiku-20240307": "2026-04-20",
}


@lru_cache(maxsize=512)
def model_missing(model: str, day: str) -> bool:
    """Whether the service has no such model on that day (ISO date)."""
    if model in _RETIRED:
        return day >= _RETIRED[model]
    return _SHAPE.match(model) is None


def _family(model: str) -> tuple[str, tuple[int, int]]:
    match = _SHAPE.match(model)
    if match is None:
        return ("mythos" if "mythos" in model else "", (0, 0))
    return match[1], (int(match[2]), int(match[3] or 0))


@lru_cache(maxsize=512)
def thinks(model: str) -> bool:
    """Whether answers begin with a thinking block where nothing is said of it: from 5 on."""
    return _family(model)[1] >= (5, 0) or always_thinks(model)


@lru_cache(maxsize=512)
def always_thinks(model: str) -> bool:
    """Whether thinking can be neither turned off nor given a budget: Opus 5.5, Fable and Mythos."""
    family, version = _family(model)
    return family in ("fable", "mythos") or (family == "opus" and version >= (5, 5))


@lru_cache(maxsize=512)
def budget_refused(model: str) -> bool:
    """Whether thinking takes no budget: from 4.7 on."""
    return _family(model)[1] >= (4, 7) or always_thinks(model)


@lru_cache(maxsize=512)
def forced_tool_refused(model: str) -> bool:
    """Whether `tool_choice` "tool" and "any" are refused; Haiku 5.5 is taken as accepting them."""
    family, version = _family(model)
    return family in ("fable", "mythos") or (family != "haiku" and version >= (5, 5))


@lru_cache(maxsize=512)
def prefill_refused(model: str) -> bool:
    """Whether the conversation must end with a user message: from 4.6 on."""
    return _family(model)[1] >= (4, 6)


def inference_place(params: Mapping[str, Any]) -> str:
    """Return what an answer says of where it was made; models before 4.6 have no choice."""
    if not prefill_refused(params["model"]):
        return "not_available"
    return str(params.get("inference_geo") or "global")


@lru_cache(maxsize=512)
def pages_allowed(model: str) -> int:
    """Return PDF pages per request: 100 for the 200k-context models of the 4.5 generation, else 600."""
    return 100 if _family(model)[1] <= (4, 5) else 600


@lru_cache(maxsize=512)
def most_tokens(model: str) -> int:
    """Return the longest answer: 64k of the 4.5 generation and before, else 128k."""
    return 64_000 if _family(model)[1] <= (4, 5) else 128_000


@lru_cache(maxsize=512)
def text_factor(model: str) -> float:
    """Return how many tokens a text makes, relative to the tokenizer before Claude 4.7."""
    return 1.3 if _family(model)[1] >= (4, 7) else 1.0


@lru_cache(maxsize=512)
def image_tokens(model: str) -> int:
    """Return the most tokens of one image, or of one page of a PDF as an image."""
    return 4_784 if _family(model)[1] >= (4, 7) else 1_568


# Tokens below which nothing is cached, by family and version; of what is not listed, the most is taken.
_CACHE_MINIMUM = {
    ("opus", (5, 5)): 512,
    ("sonnet", (5, 5)): 512,
    ("haiku", (5, 5)): 512,
    ("opus", (5, 0)): 512,
    ("fable", (5, 0)): 512,
    ("mythos", (5, 0)): 512,
    ("opus", (4, 8)): 1_024,
    ("sonnet", (5, 0)): 1_024,
    ("sonnet", (4, 6)): 1_024,
    ("sonnet", (4, 5)): 1_024,
    ("opus", (4, 7)): 2_048,
}


@lru_cache(maxsize=512)
def cache_minimum(model: str) -> int:
    """Return the tokens that a prefix must have to be cached; shorter ones are silently not."""
    return _CACHE_MINIMUM.get(_family(model), 4_096)
