"""How a process of the examples ended; not in conftest.py, a name that several have, as it is pickled."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ran:
    """How a process ended, and how long it took."""

    code: int
    out: str
    err: str
    seconds: float
