"""How the tests of whole runs talk to the library: short waits, one model, counted answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from batchata import BatchManager
from batchata.log import read_log
from batchata.sandbox import Request, Sandbox

MODEL = "claude-sonnet-5-5"


class Echo(BaseModel):
    """An answer that says which message it answers."""

    said: str
    length: int


def echo(request: Request) -> dict[str, Any]:
    """The sandbox's answer: what the user said."""
    return {"said": request.text, "length": len(request.text)}


def conversations(count: int, first: int = 0) -> list[list[dict[str, str]]]:
    """Messages that can be told apart."""
    return [[{"role": "user", "content": f"message {number}"}] for number in range(first, first + count)]


class Runs:
    """Makes managers with short waits, and looks into their log."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.log = folder / "run.db"
        self.out = folder / "out"

    @property
    def place(self) -> Path | str:
        """Where the log is: the file, or the database whose address a test wrote beside it."""
        note = self.log.with_name("address.txt")
        return note.read_text() if note.exists() else self.log

    def manager(self, count: int = 7, **given: Any) -> BatchManager[Any]:
        """A manager over `count` messages, in jobs of 3, whose results are echoes."""
        chosen: dict[str, Any] = {
            "messages": conversations(count),
            "model": MODEL,
            "response_model": Echo,
            "items_per_job": 3,
            "state_path": self.place,
            "poll_interval": 0.01,
            "retry_delay": 0.01,
            "settle_delay": 0.05,
            "max_wait_time": 30,
        } | given
        return BatchManager(**chosen)

    def events(self) -> list[Any]:
        """Everything recorded that the log's one run holds; each test knows which events it looks at."""
        log = read_log(self.place)
        try:
            (stream,) = log.streams()
            return list(log.events(stream))
        finally:
            log.close()

    def types(self) -> list[str]:
        """The names of the events, in order."""
        return [recorded.event.TYPE for recorded in self.events()]

    def creates(self) -> int:
        """How many create calls the sandbox saw."""
        return sum(e[:2] == ("POST", "/v1/messages/batches") for e in self.sandbox.exchanges)
