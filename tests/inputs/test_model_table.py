"""What is known of the models, and what is said about those that are ending."""

from __future__ import annotations

import warnings
from datetime import date

import pytest

from batchata.errors import (
    BatchataWarning,
    RetiredModelWarning,
    UnknownModelWarning,
    UnsupportedModelError,
)
from batchata.providers.anthropic.models import MODELS, doubt_about, find_model

TODAY = date(2026, 11, 22)
LEGACY = {
    "claude-opus-4-20250514": "2026-06-15",
    "claude-sonnet-4-20250514": "2026-06-15",
    "claude-3-7-sonnet-20250219": "2026-02-19",
    "claude-3-7-sonnet-latest": "2026-02-19",
    "claude-3-5-sonnet-20241022": "2025-10-28",
    "claude-3-5-sonnet-latest": "2025-10-28",
    "claude-3-5-sonnet-20240620": "2025-10-28",
    "claude-3-5-haiku-20241022": "2026-02-19",
    "claude-3-5-haiku-latest": "2026-02-19",
    "claude-3-haiku-20240307": "2026-04-20",
    "claude-3-opus-20240229": "2026-01-05",
    "claude-3-sonnet-20240229": "2025-07-21",
}
CALLABLE = [
    "claude-fable-5-2",
    "claude-mythos-5-2",
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-fable-5-1",
    "claude-opus-5-5",
    "claude-mythos-5-1",
    "claude-sonnet-5",
    "claude-fable-5",
    "claude-mythos-5",
    "claude-opus-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-opus-4-6",
    "claude-sonnet-4-6",
    "claude-haiku-4-5",
    "claude-haiku-4-5-20251001",
    "claude-opus-4-5",
    "claude-opus-4-5-20251101",
]


@pytest.mark.parametrize("name", CALLABLE)
def test_current_models_are_found_without_a_word(name: str) -> None:
    """A model that can be called gives no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = find_model(name, TODAY)
    assert (model.id, model.known, model.exists) == (name, True, True)
    assert model.takes_files
    assert model.citations
    assert model.structured_output


@pytest.mark.parametrize("name", LEGACY)
def test_retired_models_are_warned_about_with_date_and_successor(name: str) -> None:
    """A retired model is still accepted; the warning says since when and what to use instead."""
    with pytest.warns(RetiredModelWarning, match=f"{LEGACY[name]}.*Use claude-") as caught:
        model = find_model(name, TODAY)
    assert model.successor in CALLABLE
    assert len(caught) == 1
    assert not model.structured_output


def test_a_model_that_never_existed_is_said_to_be_none() -> None:
    """An id that is listed in places but was never a model is known as such."""
    with pytest.warns(RetiredModelWarning, match="no model was ever called"):
        model = find_model("claude-3-5-haiku-20240307", TODAY)
    assert not model.exists
    assert model.successor == "claude-haiku-5-5"


@pytest.mark.parametrize(
    ("today", "category", "words"),
    [
        (date(2026, 9, 30), None, ""),
        (date(2026, 10, 1), BatchataWarning, "retires on 2026-11-30"),
        (date(2026, 11, 29), BatchataWarning, "retires on 2026-11-30"),
        (date(2026, 11, 30), RetiredModelWarning, "was retired on 2026-11-30"),
    ],
)
def test_the_end_of_life_is_announced_sixty_days_ahead(
    today: date, category: type[Warning] | None, words: str
) -> None:
    """Within 60 days of its end a model is warned about, from that day on it counts as retired."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        find_model("claude-sonnet-4-5", today)
    assert [item.category for item in caught] == ([category] if category else [])
    assert all(words in str(item.message) for item in caught)


def test_the_warning_names_the_callers_line() -> None:
    """The warning points at the code that chose the model, not into Batchata."""
    with pytest.warns(RetiredModelWarning) as caught:
        find_model("claude-opus-4-1", TODAY)
    assert caught[0].filename == __file__


def test_an_unknown_claude_model_is_allowed_everything() -> None:
    """A model that is newer than the table is used as one of the current generation, with a warning."""
    with pytest.warns(
        UnknownModelWarning, match=r"claude-sonnet-5-6 is not in .* Did you mean claude-sonnet"
    ):
        model = find_model("claude-sonnet-5-6", TODAY)
    assert not model.known
    assert model.takes_files
    assert model.structured_output
    assert model.forced_tools
    assert model.prefill


@pytest.mark.filterwarnings("ignore::batchata.errors.BatchataWarning")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("claude-sonnet-5-5", None),
        ("claude-sonnet-4-5", None),  # to the end of the month
        ("claude-sonnet-5-6", None),
        ("claude-opus-6", None),
        ("claude-haiku-5-5-20261120", None),
        ("claude-sonnet-5.5", "looks like claude-sonnet-5-5"),
        ("claude-sonnet-5_5", "looks like claude-sonnet-5-5"),
        ("claude-sonnet-55", "looks like claude-sonnet-5-5"),
        ("claude-sonet-5-5", "looks like claude-sonnet-5-5"),
        ("claude-oups-5-5", "looks like claude-opus-5-5"),
        ("claude-opus-4.8", "looks like claude-opus-4-8"),
        ("claude-opus-4-75", "looks like claude-opus-4-7"),
        ("claude-opus-4-1-20250805", "retired on 2026-08-05"),
        ("claude-opus-4-9-20250805", "looks like claude-opus-4-5-20251101"),
        ("claude-3-5-sonnet", "looks like claude-sonnet-5-5"),
        ("claude-haiku-latest", "looks like claude-haiku-5-5"),
        ("claude-3-opus-20240229", "Use claude-opus-5-5 instead"),
        ("claude-3-5-haiku-20240307", "no model was ever called"),
        ("claude-nova-6", None),
    ],
)
def test_a_slip_of_the_pen_is_told_from_a_later_version(name: str, why: str | None) -> None:
    """Only what is retired or misspelt is doubted, with the model that was meant."""
    doubt = doubt_about(find_model(name, TODAY), TODAY)
    assert doubt is None if why is None else doubt is not None and why in doubt


@pytest.mark.parametrize("name", ["gpt-5", "", None, 5])
def test_other_names_are_refused_with_a_list(name: object) -> None:
    """What is not a Claude model's name is refused, and the models that are not retired are listed."""
    with pytest.raises(UnsupportedModelError) as caught:
        find_model(name, TODAY)  # type: ignore[arg-type]
    listed = str(caught.value)
    assert listed.index("claude-sonnet-5-5") < listed.rindex("claude-haiku-4-5")
    assert "claude-3-5-haiku-20240307" not in listed


@pytest.mark.parametrize("name", ["sonnet", "claude-", "claude", "Claude-sonnet-5-5", " claude-sonnet-5-5"])
def test_a_part_of_a_models_name_finds_the_newest_of_that_name(name: str) -> None:
    """`sonnet` is how people speak of it; that one is named alone, without a list of twenty."""
    with pytest.raises(
        UnsupportedModelError, match=r"did you mean claude-sonnet-5-5\? batchata\S* lists"
    ) as caught:
        find_model(name, TODAY)
    assert "claude-haiku" not in str(caught.value)


def test_pages_and_images_follow_the_context_window() -> None:
    """Below a million tokens of context a request takes 100 pages or images, else 600."""
    for name, model in MODELS.items():
        assert model.pdf_pages == model.images == (600 if model.context_window == 1_000_000 else 100), name
    assert MODELS["claude-haiku-4-5"].pdf_pages == 100
    assert MODELS["claude-haiku-5-5"].pdf_pages == 600


def test_what_the_claude_3_models_lack() -> None:
    """Documents and citations began with Claude 3.5."""
    without = {name for name, model in MODELS.items() if not model.takes_files}
    assert {name for name in LEGACY if name in without} == {
        "claude-3-haiku-20240307",
        "claude-3-opus-20240229",
        "claude-3-sonnet-20240229",
    }
    assert all(not MODELS[name].citations for name in without)


def test_models_that_refuse_forced_tools_or_a_prefill() -> None:
    """Forced tools fail on the 5.5 and frontier models, a prefill on everything since 4.6."""
    refusing = {name for name, model in MODELS.items() if not model.forced_tools}
    assert {"claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-5-2"} <= refusing
    assert refusing.isdisjoint({"claude-haiku-5-5", "claude-opus-5", "claude-sonnet-5", "claude-opus-4-8"})
    assert not MODELS["claude-opus-4-6"].prefill
    assert MODELS["claude-opus-4-5"].prefill
