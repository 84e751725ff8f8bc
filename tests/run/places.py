"""Functions that tests watch, or stop a process at, by name: when one moves, this file alone changes."""

from __future__ import annotations

import importlib
from types import FunctionType
from typing import Any

APPEND = "batchata.log.sqlite.claim:SqliteClaim.append"
BRING_UP_TO_DATE = "batchata.log.sqlite.schema:bring_up_to_date"
SWITCH_TO_WAL = "batchata.log.sqlite.writer:Writer._switch_to_wal"
TRANSACTION = "batchata.log.sqlite.writer:Writer.transaction"
UPGRADE = "batchata.log.sqlite.schema:upgrade"

# Not among ALL: their modules need PostgreSQL's client.
OF_POSTGRES = {
    "ready": "batchata.log.postgres.schema:make_ready",
    "transaction": "batchata.log.postgres.writer:Writer.transaction",
    "write": "batchata.log.postgres.claim:PostgresClaim._write",
}

JOB_COMPLETED = "batchata.core.evolve_jobs:job_completed"
RUN_COMPLETED = "batchata.core.evolve:_run_completed"

SUBMIT = "batchata.providers.anthropic.client:AnthropicClient.submit"

WRITE_PROCESSED = "batchata.views.results_dir:ResultsWriter._write_processed"
WRITE_RAW = "batchata.views.results_dir:ResultsWriter._write_raw"

# The HTTP client's, below the SDK.
REQUEST_SENT = "httpcore2._sync.http11:HTTP11Connection._send_request_headers"
ANSWER_COMES = "httpcore2._sync.http11:HTTP11Connection._receive_response_headers"
ANSWER_READ = "httpcore2._sync.http11:HTTP11Connection._response_closed"

ALL = {name: place for name, place in list(globals().items()) if name.isupper() and isinstance(place, str)}


def function_at(place: str) -> FunctionType:
    """The function of this name, without what decorates it."""
    module, _, name = place.partition(":")
    function: Any = importlib.import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    function = getattr(function, "__wrapped__", function)
    assert isinstance(function, FunctionType)
    return function
