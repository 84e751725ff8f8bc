"""Batchata: many prompts or documents through Claude's Message Batches API, with every step in an event log.

Names are imported when they are first used: `import batchata` alone brings in neither the SDK nor SQLModel.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchata.answers.citations import Citation
    from batchata.errors import BatchataError
    from batchata.job import BatchJob, batch
    from batchata.manager import BatchManager
    from batchata.providers.registry import pdf_to_document_block
    from batchata.run.estimate import Estimate
    from batchata.views.results import ItemResult
    from batchata.views.results_dir import load_results_from_disk

__all__ = [
    "BatchJob",
    "BatchManager",
    "BatchataError",
    "Citation",
    "Estimate",
    "ItemResult",
    "batch",
    "load_results_from_disk",
    "pdf_to_document_block",
]

_HOMES = {
    "BatchJob": "batchata.job",
    "BatchManager": "batchata.manager",
    "BatchataError": "batchata.errors",
    "Citation": "batchata.answers.citations",
    "Estimate": "batchata.run.estimate",
    "ItemResult": "batchata.views.results",
    "batch": "batchata.job",
    "load_results_from_disk": "batchata.views.results_dir",
    "pdf_to_document_block": "batchata.providers.registry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'batchata' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
