"""Inputs as they are read for a Claude model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from batchata import inputs
from batchata.inputs import Inputs
from batchata.providers.anthropic.dialect import ClaudeChecks
from batchata.providers.anthropic.models import Model


def read_inputs(
    *,
    model: Model,
    enable_citations: bool = False,
    params: Mapping[str, Any] = MappingProxyType({}),
    **given: Any,
) -> Inputs:
    """All inputs of a run with this model and these parameters, checked."""
    return inputs.read_inputs(checks=ClaudeChecks(model, enable_citations, params), **given)
