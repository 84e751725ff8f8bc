"""Tell a misspelt model from one newer than the tables, and name the model that was probably meant."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

from batchata.errors import UnknownModelWarning
from batchata.logs import warn

__all__ = ["doubt_about", "listed_models", "misspelling_of"]

_ALIKE: Final = 0.85  # letters of two names that are alike so far are one name and a slip of the pen


def misspelling_of(name: str, known: Collection[str]) -> str | None:
    """Return the known name that was probably meant, if the name is none of them but spelt like one.

    A name that differs only in separators or case is that known name; one that differs only in digits may be
    a newer version, and none is returned.
    """
    written = {_only("a-z0-9", each): each for each in reversed([*known])}
    if (same := written.get(_only("a-z0-9", name))) is not None:
        return same
    letters = {_only("a-z", each) for each in known}
    near = get_close_matches(_only("a-z", name), letters, n=1, cutoff=_ALIKE)
    if not near or near[0] == _only("a-z", name):
        return None
    meant = [each for each in known if _only("a-z", each) == near[0]]
    return get_close_matches(name, meant, n=1, cutoff=0)[0]


def _only(kept: str, name: str) -> str:
    return re.sub(f"[^{kept}]", "", name.lower())


def listed_models(provider: str) -> list[str]:
    """Return the models of the provider that genai-prices lists."""
    from genai_prices.data_snapshot import get_snapshot

    return [model.id for each in get_snapshot().providers if each.id == provider for model in each.models]


def _is_listed(model: str, provider: str) -> bool:
    """Whether genai-prices knows it by the beginning of its name, as it does dated snapshots."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return False
    return True


def doubt_about(model: str, provider: str, title: str) -> str | None:
    """Warn when genai-prices has no such model of the provider; return the doubt where it is misspelt."""
    known = listed_models(provider)
    if model not in known and not _is_listed(model, provider):
        meant = misspelling_of(model, known)
        near = [meant] if meant is not None else get_close_matches(model, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        warn(
            f"{model} is in no table of {title}'s models: if there is none of that name, every request fails."
            f"{hint}",
            UnknownModelWarning,
        )
        if meant is not None:
            return f"model {model} is in no table of {title}'s and looks like {meant}"
    return None
