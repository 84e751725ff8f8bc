"""What the sandbox knows of models and what the library knows agree."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from batchata.providers.anthropic.models import MODELS, Model
from batchata.sandbox.anthropic import models as sandbox

# What each says of a model, by what it is about.
PAIRS: dict[str, tuple[Callable[[Model], Any], Callable[[str], Any]]] = {
    "thinks": (lambda model: model.thinks_by_default, sandbox.thinks),
    "always thinks": (lambda model: model.always_thinks, sandbox.always_thinks),
    "longest answer": (lambda model: model.max_output_tokens, sandbox.most_tokens),
    "forced tools": (lambda model: model.forced_tools, lambda name: not sandbox.forced_tool_refused(name)),
    "prefill": (lambda model: model.prefill, lambda name: not sandbox.prefill_refused(name)),
    "pages": (lambda model: model.pdf_pages, sandbox.pages_allowed),
    "text": (lambda model: model.text_factor, sandbox.text_factor),
    "images": (lambda model: model.image_tokens, sandbox.image_tokens),
    "cache": (lambda model: model.cache_minimum, sandbox.cache_minimum),
    "residency": (
        lambda model: model.us_surcharge,
        lambda name: sandbox.inference_place({"model": name, "inference_geo": "us"}) == "us",
    ),
}


def living() -> list[Model]:
    """The models that the service still has; of others it says only that they are not there."""
    return [model for model in MODELS.values() if not model.is_retired(date(2026, 11, 1))]


@pytest.mark.parametrize("about", PAIRS)
def test_both_say_the_same_of_each_model(about: str) -> None:
    """So that what is tested against the sandbox is what the library reckons with."""
    ours, theirs = PAIRS[about]
    differing = {model.id for model in living() if ours(model) != theirs(model.id)}
    assert differing == set()


def test_a_model_ends_on_the_same_day() -> None:
    """Requests fail from that day on, and not the day before; names of another shape were gone long ago."""
    for model in MODELS.values():
        if not model.exists or model.end_of_life is None:
            continue
        assert sandbox.model_missing(model.id, model.end_of_life.isoformat()), model.id
        if model.end_of_life > date(2025, 8, 1):
            before = model.end_of_life - timedelta(days=1)
            assert not sandbox.model_missing(model.id, before.isoformat()), model.id
