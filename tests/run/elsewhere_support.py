"""Response models that tell in which process an answer was read, or end that process; imported by workers."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, model_validator

DIES = "die once: "


class Placed(BaseModel):
    """An echo that says which process read it; one whose message says so kills that process, once."""

    said: str
    length: int
    pid: int = Field(default_factory=os.getpid)

    @model_validator(mode="after")
    def die_once(self) -> Self:
        """The message names a file that says whether it has happened."""
        if self.said.startswith(DIES):
            flag = Path(self.said.removeprefix(DIES))
            if not flag.exists():
                flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return self


class Locked(Placed):
    """An echo that cannot be sent back: it holds a lock."""

    held: Any = Field(default_factory=threading.Lock, exclude=True)
