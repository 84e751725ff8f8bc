"""Count the tokens of an image as OpenAI's models do: by tiles, or by patches times a factor.

By the guide on images (2026). A model that is in no family counts like the dearest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from typing import Final

__all__ = ["Vision", "vision_of"]

_PATCH: Final = 32  # pixels a side
_TILE: Final = 512
_MOST_SIDE, _SHORT_SIDE = 2_048, 768  # that an image is scaled down to before it is cut into tiles
_LOW_PATCHES: Final = (512 // _PATCH) ** 2
_HIGH_PATCHES: Final = 2_500
_MOST_PATCHES: Final = 30_000  # of any image; with more, the request fails


@dataclass(frozen=True, slots=True)
class Vision:
    """How a family counts: `base` tokens and `tile` more for each tile, or `factor` for each patch.

    Unless the request names a detail, an image is scaled down to `patches`, or to `original` where the
    original size is asked for; None: it keeps as many as it has.
    """

    base: int = 0
    tile: int = 0
    factor: float = 1.0
    patches: int | None = None
    original: int | None = None

    def tokens(self, width: int, height: int, detail: str | None) -> int:
        """Return how many tokens an image of so many pixels has, at most."""
        if self.tile:
            return self.base + (0 if detail == "low" else self.tile * _tiles(width, height))
        found, limit = ceil(width / _PATCH) * ceil(height / _PATCH), self._limit(detail)
        if detail == "low":
            found = _LOW_PATCHES  # small ones are enlarged
        return ceil((found if limit is None else min(found, limit)) * self.factor)

    def _limit(self, detail: str | None) -> int | None:
        if self.patches is not None and self.original is None:
            return self.patches  # whatever the detail is
        return {"high": _HIGH_PATCHES, "original": self.original}.get(detail or "", self.patches)

    @property
    def most(self) -> int:
        """Return how many tokens an image may have that only the service can see."""
        if self.tile:
            return self.tokens(_MOST_SIDE, _SHORT_SIDE, None)
        return ceil((self.original or self.patches or _MOST_PATCHES) * self.factor)


def _tiles(width: int, height: int) -> int:
    scale = min(1.0, _MOST_SIDE / max(width, height))
    scale = min(scale, _SHORT_SIDE / min(width, height))
    return ceil(width * scale / _TILE) * ceil(height * scale / _TILE)


_FAMILIES: Final = [
    (re.compile(pattern), vision)
    for pattern, vision in (
        (r"gpt-4o-mini", Vision(base=2_833, tile=5_667)),
        (r"gpt-4\.1-mini|gpt-5(\.4)?-mini", Vision(factor=1.62, patches=1_536)),
        (r"gpt-4\.1-nano|gpt-5(\.4)?-nano", Vision(factor=2.46, patches=1_536)),
        (r"o4-mini", Vision(factor=1.72, patches=1_536)),
        (r"(chat)?gpt-4o|gpt-4\.[15]", Vision(base=85, tile=170)),
        (r"gpt-5(-chat|-20|$)", Vision(base=70, tile=140)),
        (r"o[13]\b", Vision(base=75, tile=150)),
        (r"gpt-5\.2|.*-codex", Vision(patches=1_536)),
        (r"gpt-5\.4", Vision(patches=_HIGH_PATCHES, original=10_000)),
        (r"gpt-5\.5", Vision(patches=10_000, original=10_000)),
        (r"gpt-5\.6|gpt-6", Vision()),
    )
]
_DEAREST: Final = Vision(factor=2.46)
_ELSEWHERE: Final = Vision(factor=2.46, patches=4_096)  # other services, whose models cut images to less


def vision_of(model: str, *, is_openai: bool) -> Vision:
    """Return how a model counts images."""
    if not is_openai:
        return _ELSEWHERE
    return next((vision for pattern, vision in _FAMILIES if pattern.match(model)), _DEAREST)
