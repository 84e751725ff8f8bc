"""Run a sandbox in this process, as a context manager, for a test or an example."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from os import PathLike
from pathlib import Path
from threading import Thread
from typing import Any, Self

from batchata.errors import InvalidInputError
from batchata.sandbox.anthropic.batches import MessageBatches
from batchata.sandbox.anthropic.routes import Routes, error_page
from batchata.sandbox.batches import Batches, Delay, Setup
from batchata.sandbox.faults import Faults
from batchata.sandbox.front import Front, added, settled
from batchata.sandbox.gemini.batches import OperationBatches
from batchata.sandbox.gemini.routes import OperationRoutes
from batchata.sandbox.gemini.routes import is_ours as is_of_gemini
from batchata.sandbox.openai.batches import FileBatches
from batchata.sandbox.openai.flavors import FLAVORS
from batchata.sandbox.openai.routes import FileRoutes
from batchata.sandbox.openai.routes import is_ours as is_of_openai
from batchata.sandbox.server import Server, is_loopback
from batchata.sandbox.storage import DirectoryShelf, MemoryShelf, Record
from batchata.sandbox.values import Answer, Answering, BatchView, Request, as_answer

__all__ = ["LIKE_OPENAI", "Sandbox"]

LIKE_OPENAI = tuple(FLAVORS)  # the services of OpenAI's shape, each below a path of its own

type Answers = Callable[[Request], Any] | Mapping[str, Any] | str | Answer | Any | None

logger = logging.getLogger("batchata.sandbox")
logger.addHandler(logging.NullHandler())


class Sandbox:
    """An offline server with the batch protocols of Anthropic, OpenAI, Gemini and services like OpenAI's.

    - `answers`: None reads the documents sent; else a function of a `Request`, a mapping by custom id, or
      one answer for all. An answer is an `Answer`, a text, a pydantic model, or any JSON value.
    - `style`: how typed answers that it reads itself are written and cited where the schema stands in the
      prompt: "plain" (JSON whose values are cited blocks), "fenced" (indented, in a fence and prose),
      "keyed" (blocks with keys), "cut" (values cut in two), "prose_first" (sentences that cite, then JSON
      without citations), or "mixed" (another one for each request of a batch).
    - `delay`: seconds from creation to the end of a batch, or a function of the batch.
    - `faults`: copied; change `sandbox.faults` while it runs.
    - `state`: a directory in which batches outlive this sandbox; the port is remembered there too.
    - `shuffle`, `seed`: whether result lines are mixed, and by which seed.
    - `clock`: seconds since the epoch.
    - `max_body`: bytes above which a body is refused with 413; `max_requests`: requests a batch may have.

    Raises InvalidInputError for an unknown style, and for a host beyond loopback without `allow_remote`.
    """

    api_key = "sandbox-key"

    def __init__(  # noqa: PLR0913 - keyword only: what a test may want
        self,
        answers: Answers = None,
        *,
        style: str = "plain",
        delay: Delay = 0.0,
        faults: Faults | None = None,
        state: str | PathLike[str] | None = None,
        port: int = 0,
        host: str = "127.0.0.1",
        shuffle: bool = True,
        seed: int = 0,
        clock: Callable[[], float] | None = None,
        max_body: int = 256_000_000,
        max_requests: int = 100_000,
        allow_remote: bool = False,
    ) -> None:
        if not allow_remote and not is_loopback(host):
            raise InvalidInputError(f"the sandbox listens on loopback only, not on {host!r} (allow_remote)")
        self._directory = DirectoryShelf(Path(state)) if state is not None else None
        clock = clock or time.time
        answering = Answering(_asking(answers, style))
        setup = Setup(self._directory or MemoryShelf(), answering, clock, delay, seed, shuffle, max_requests)
        messages, files, operations = MessageBatches(setup), FileBatches(setup), OperationBatches(setup)
        self._kinds: tuple[Batches, ...] = (messages, files, operations)
        self.faults = faults or Faults()
        self._front = Front(
            self._kinds,
            Routes(messages, answering, clock, self._wait),
            [
                (is_of_openai, FileRoutes(files, answering, clock, self._wait)),
                (is_of_gemini, OperationRoutes(operations, answering, clock, self._wait)),
            ],
            clock,
            error_page,
        )
        self._host, self._port, self._max_body = host, port, max_body
        self._server: Server | None = None
        self._thread: Thread | None = None

    def start(self) -> Self:
        self._server = self._listen()
        self._thread = Thread(target=self._server.serve, name="batchata-sandbox", daemon=True)
        self._thread.start()
        if self._directory is not None:
            self._directory.write("port", [str(self._server.server_port).encode()])
        logger.info("sandbox_started url=%s simulation=true", self.url)
        return self

    def stop(self) -> None:
        """Stop answering; open connections are broken off. Batches stay where `state` keeps them."""
        if self._server is not None:
            self._server.close()
        if self._thread is not None:
            self._thread.join()
        self._thread = None

    @property
    def is_running(self) -> bool:
        """Whether it answers."""
        return self._thread is not None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("the sandbox has not been started")
        return f"http://{self._host}:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables by which every provider's client finds this sandbox, past any proxy.

        Each has its own, as a run at one that was left out would go to the real service, and be billed.
        """
        found = {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": self.api_key,
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "OPENAI_API_KEY": self.api_key,
            "GOOGLE_GEMINI_BASE_URL": self.url,
            "GEMINI_API_KEY": self.api_key,
        }
        for name, flavor in FLAVORS.items():
            whose = flavor.variables or name.upper().replace("-", "_")
            found |= {f"{whose}_BASE_URL": f"{self.url}/{name}/v1", f"{whose}_API_KEY": self.api_key}
        return found | {
            "ANTHROPIC_AWS_BASE_URL": self.url,
            "ANTHROPIC_AWS_API_KEY": self.api_key,
            "ANTHROPIC_AWS_WORKSPACE_ID": "wrkspc_sandbox",
            "ANTHROPIC_GOOGLE_CLOUD_BASE_URL": self.url,
            # Both, as the one in small letters is the one believed where it is set.
            **dict.fromkeys(("NO_PROXY", "no_proxy"), _exempt(self._host)),
        }

    @property
    def faults(self) -> Faults:
        return self._kinds[0].faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        own = faults.copied()
        for batches in self._kinds:
            batches.faults = own

    @property
    def exchanges(self) -> list[tuple[str, str, int]]:
        """(method, path, status) of every call so far; status 0 where no answer was given."""
        return self._front.exchanges()

    @property
    def batches(self) -> list[BatchView]:
        """The batches in order of creation, as a call would see them now."""
        return [_view(record) for record in settled(self._kinds)]

    def billed(self) -> Counter[str]:
        """Count how often each custom id was answered and billed, over all batches."""
        return sum((batches.billed() for batches in self._kinds), Counter())

    def usage(self) -> Counter[str]:
        """Tokens by kind over all billed answers."""
        return added(batches.usage() for batches in self._kinds)

    def end_all(self) -> None:
        """End every batch now."""
        for batches in self._kinds:
            batches.end_all()

    def expire(self, batch_id: str) -> None:
        """End a batch now; what was not processed yet (by time, or `faults.processed`) expires."""
        next(b for b in self._kinds if batch_id.startswith(b.prefix)).expire(batch_id)

    def _listen(self) -> Server:
        remembered = self._directory.directory / "port" if self._directory else None
        if self._port == 0 and remembered is not None and remembered.exists():
            try:
                return Server((self._host, int(remembered.read_text("utf-8"))), self._front, self._max_body)
            except (OSError, ValueError):
                logger.info("port_taken port=%s", remembered.read_text("utf-8"))
        return Server((self._host, self._port), self._front, self._max_body)

    def _wait(self, seconds: float) -> None:
        if self._server is not None:
            self._server.stopping.wait(seconds)


def _exempt(host: str) -> str:
    """Return the hosts that are reached without a proxy, with this one among them."""
    said = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return said if host in said.split(",") else f"{said},{host}".removeprefix(",")


def _view(record: Record) -> BatchView:
    created = datetime.fromtimestamp(record.created_at, UTC)
    return BatchView(record.id, created, tuple(record.custom_ids), record.status, record.counts())


def _asking(answers: Answers, style: str) -> Callable[[Request], Any]:
    """Return a function that answers: by reading (None), by the function or mapping given, or constantly."""
    if answers is None:
        # Imported late: a sandbox with given answers needs no reader.
        from batchata.sandbox.reading import MIXED, STYLES, read

        if style not in (*STYLES, MIXED):
            known = ", ".join([*STYLES, MIXED])
            raise InvalidInputError(f"style {style!r} is not known; it is one of {known}")
        return partial(read, style=style)
    if style != "plain":
        raise InvalidInputError("style is for answers that the sandbox reads; given answers have their own")
    if callable(answers) and not isinstance(answers, type):
        return answers
    if isinstance(answers, Mapping):
        return lambda request: answers[request.custom_id]
    constant = as_answer(answers)
    return lambda _request: constant
