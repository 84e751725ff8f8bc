"""Batchata: many prompts or documents through the batch APIs of providers, with every step in an event log.

Names are imported when they are first used: `import batchata` alone brings in neither the SDK nor SQLModel.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from batchata.garbage import no_collections

if TYPE_CHECKING:
    from batchata.answers.citations import Citation
    from batchata.errors import (
        AuthenticationFailedError,
        BadFile,
        BatchataError,
        BatchataWarning,
        BatchNotFoundError,
        ConfigurationError,
        CostLimitError,
        ExpiringResultsWarning,
        FileInputError,
        HalfLogWarning,
        IncompleteResultsError,
        InvalidInputError,
        LogConflictError,
        LogError,
        LogVersionError,
        LogWriteError,
        NotALogError,
        PendingRunWarning,
        ProviderError,
        ProviderUnavailableError,
        RateLimitedError,
        RequestRefusedError,
        ResultsExpiredError,
        RetiredModelWarning,
        RunClaimedError,
        RunMismatchError,
        SpendLimitError,
        UnknownModelWarning,
        UnknownSubmissionError,
        UnreadableReplyError,
        UnsavedRunWarning,
        UnsupportedModelError,
        UntriedProviderWarning,
    )
    from batchata.job import BatchJob, batch
    from batchata.manager import BatchManager
    from batchata.providers.registry import models, pdf_to_document_block
    from batchata.run.estimate import Estimate
    from batchata.views.item_result import Entry, ItemResult
    from batchata.views.loaded_results import load_results_from_disk
    from batchata.views.run_summary import Stats, Summary

__all__ = [
    "AuthenticationFailedError",
    "BadFile",
    "BatchJob",
    "BatchManager",
    "BatchNotFoundError",
    "BatchataError",
    "BatchataWarning",
    "Citation",
    "ConfigurationError",
    "CostLimitError",
    "Entry",
    "Estimate",
    "ExpiringResultsWarning",
    "FileInputError",
    "HalfLogWarning",
    "IncompleteResultsError",
    "InvalidInputError",
    "ItemResult",
    "LogConflictError",
    "LogError",
    "LogVersionError",
    "LogWriteError",
    "NotALogError",
    "PendingRunWarning",
    "ProviderError",
    "ProviderUnavailableError",
    "RateLimitedError",
    "RequestRefusedError",
    "ResultsExpiredError",
    "RetiredModelWarning",
    "RunClaimedError",
    "RunMismatchError",
    "SpendLimitError",
    "Stats",
    "Summary",
    "UnknownModelWarning",
    "UnknownSubmissionError",
    "UnreadableReplyError",
    "UnsavedRunWarning",
    "UnsupportedModelError",
    "UntriedProviderWarning",
    "batch",
    "load_results_from_disk",
    "models",
    "pdf_to_document_block",
]

_HOMES = {
    "BatchJob": "batchata.job",
    "BatchManager": "batchata.manager",
    "Citation": "batchata.answers.citations",
    "Entry": "batchata.views.item_result",
    "Estimate": "batchata.run.estimate",
    "ItemResult": "batchata.views.item_result",
    "Stats": "batchata.views.run_summary",
    "Summary": "batchata.views.run_summary",
    "batch": "batchata.job",
    "load_results_from_disk": "batchata.views.loaded_results",
    "models": "batchata.providers.registry",
    "pdf_to_document_block": "batchata.providers.registry",
}
_ERRORS = "batchata.errors"  # the home of all other names


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'batchata' has no attribute {name!r}")
    with no_collections():
        value = getattr(import_module(_HOMES.get(name, _ERRORS)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__]
