"""What every script of the tests has ready when it begins: it is forked from a process that imported this.

Imports take three seconds and first uses another fifth of one; neither is what the tests are about. Nothing
is left open here that a script would share with another: no log, no client, no thread.
"""

from __future__ import annotations

import encodings.idna
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import alembic.autogenerate
import alembic.command
import alembic.config
import anthropic
import anyio.streams.tls
import crash_support
import h11
import httpcore2
import pytest
from run_support import MODEL

import batchata.providers.anthropic.client
import batchata.run.engine
import batchata.views.results_dir
from batchata.core.values import Process
from batchata.log import open_log
from batchata.providers.anthropic.client import AnthropicClient
from batchata.providers.prices import find_price


def _use_once() -> None:
    """Let everything be loaded and compiled that is only loaded when it is first used."""
    with tempfile.TemporaryDirectory() as folder:
        log = open_log(Path(folder) / "run.db")
        log.claim("run", Process(pid=1, host="elsewhere")).release()
        log.close()
    assert find_price(MODEL, datetime.now(UTC)) is not None
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ANTHROPIC_API_KEY", "none")
        provider = AnthropicClient()
        provider.check()
        provider.close()


_use_once()
