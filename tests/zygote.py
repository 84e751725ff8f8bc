"""What every script of the tests has ready when it begins: it is forked from a process that imported this.

Imports take three seconds and first uses another fifth of one; neither is what the tests are about. Nothing
is left open here that a script would share with another: no log, no client, no thread.
"""

from __future__ import annotations

import gc
import importlib
import pkgutil
import sys
import tempfile
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import alembic.autogenerate
import alembic.command
import alembic.config
import anthropic
import anyio.streams.tls
import dotenv
import h11
import httpcore2
import hypothesis.stateful
import pytest
import rich.live
import rich.progress
import structlog.stdlib
import typer.testing

sys.path.append(str(Path(__file__).parent / "run"))

import crash_support
from run_support import MODEL, Runs, echo

import batchata
from batchata.garbage import out_of_collections
from batchata.providers.prices import find_price
from batchata.sandbox import Sandbox


def _import_all() -> None:
    """Import every module, but for those that are commands and those whose library is not installed.

    And what the workers of a Dask cluster are made of, which are forked here, too.
    """
    with suppress(ImportError):
        importlib.import_module("distributed.nanny")
    for module in pkgutil.walk_packages(batchata.__path__, "batchata."):
        if not module.name.endswith("__main__"):
            with suppress(ImportError):
                importlib.import_module(module.name)


def _use_once() -> None:
    """Let everything be loaded and compiled that is only loaded when it is first used: by a whole run."""
    assert find_price(MODEL, datetime.now(UTC)) is not None
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(answers=echo) as sandbox,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        environment.setenv("ANTHROPIC_API_KEY", sandbox.api_key)
        runs = Runs(sandbox, Path(folder))
        assert runs.manager(2, results_dir=runs.out).run()["completed_items"] == 2
        crash_support.check_verified(runs.log)


_import_all()
_use_once()
assert threading.active_count() == 1, threading.enumerate()
# What no collection looks at stays in memory that all scripts share.
gc.collect()
gc.freeze()
with out_of_collections():
    pass  # a process counts once what is left out, which means to walk through all of it
