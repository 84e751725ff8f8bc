"""Warn of a model that no table knows, and name the one that was probably meant."""

from __future__ import annotations

import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from batchata.errors import UnknownModelWarning

__all__ = ["warn_of_unknown"]

_PACKAGE: Final = str(Path(__file__).parents[1])


def warn_of_unknown(model: str, provider: str, title: str) -> None:
    """Warn when genai-prices has no such model of the provider: it may be new, or misspelt."""
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    try:
        snapshot.find_provider_model(model, None, provider, None)
    except LookupError:
        known = [entry.id for each in snapshot.providers if each.id == provider for entry in each.models]
        near = get_close_matches(model, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        # The warning is to name the line of the caller's own code, however deep in Batchata it is found.
        warnings.warn(
            f"{model} is in no table of {title}'s models: if there is none of that name, every request fails."
            f"{hint}",
            UnknownModelWarning,
            skip_file_prefixes=(_PACKAGE,),
        )
