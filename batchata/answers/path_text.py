"""How the place of a value in a result is written: `lines[2].price`, `fees["handling.fee"]`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

# A key that stands in a path as it is; any other stands as a JSON text in brackets.
_PLAIN = re.compile(r"[^.\[\]\"\\()\x00-\x1f]+")
_STEP = re.compile(r"\[(?:\d+|\"(?:[^\"\\]|\\.)*\")\]|[^.\[\]]+")


def step_to(key: str) -> str:
    """A key as it is written in a path."""
    return key if _PLAIN.fullmatch(key) else f"[{json.dumps(key, ensure_ascii=False)}]"


def behind(path: str, step: str) -> str:
    """The path of what a step written by `step_to` leads to."""
    return f"{path}.{step}" if path and step[0] != "[" else path + step


def inside(path: str, step: str | int) -> str:
    """The path of a member by its key, or of an element by its number."""
    return f"{path}[{step}]" if isinstance(step, int) else behind(path, step_to(step))


def path_of(steps: Iterable[str | int]) -> str:
    """The path by keys and numbers."""
    path = ""
    for step in steps:
        path = inside(path, step)
    return path


def steps_of(path: str) -> list[str]:
    """The steps of a path as they are written: names, and what stands in brackets with these."""
    return _STEP.findall(path)


def prefixes(path: str) -> tuple[str, str]:
    """How the paths of all that is in a value begin."""
    return f"{path}.", f"{path}["
