"""List Batchata's own arguments of a manager; every other one goes to the provider, if it has it."""

from __future__ import annotations

from typing import Final

OWN_ARGUMENTS: Final = (
    "allow_unknown_model",
    "api_key",
    "base_url",
    "cache",
    "check_support",
    "client",
    "dedupe",
    "enable_citations",
    "executor",
    "files",
    "items_per_job",
    "keys",
    "max_attempts",
    "max_cost",
    "max_parallel_jobs",
    "max_wait_time",
    "messages",
    "model",
    "on_bad_file",
    "on_event",
    "on_interrupt",
    "on_item",
    "poll_interval",
    "prices",
    "prompt",
    "raw_results_dir",
    "response_model",
    "results_dir",
    "retry_delay",
    "rows",
    "run_id",
    "settle_delay",
    "state_path",
    "structured_output",
)
