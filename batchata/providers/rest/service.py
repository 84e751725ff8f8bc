"""Say what the client must know of a service: what its error replies say, and mean beyond their status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Said", "Service"]


@dataclass(frozen=True, slots=True)
class Said:
    """What an error reply says; all None where it is none of the API's own."""

    kind: str | None = None
    code: str | None = None
    message: str | None = None
    pause: float | None = None  # seconds to wait, where it asks for them in its body


class Service(Protocol):
    """What a service's errors mean beyond their status."""

    api: str  # as messages name it

    def read(self, body: object) -> Said:
        """Return what the JSON of an error reply says."""
        ...

    def is_about_money(self, status: int, said: Said) -> bool:
        """Whether the account may not spend any more."""
        ...

    def is_passing(self, status: int, said: Said) -> bool:
        """Whether a create may be taken later, although its status does not say so."""
        ...

    def is_about_key(self, status: int, said: Said) -> bool:
        """Whether the key is refused."""
        ...
