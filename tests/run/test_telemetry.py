"""The recipe for OpenTelemetry gives the SDK's own exporters what the run was."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from run_support import Runs

RECIPE = Path(__file__).resolve().parents[2] / "examples" / "telemetry.py"


def telemetry(meter: Any, tracer: Any) -> Any:
    """The recipe's class, from the file that the README names."""
    spec = importlib.util.spec_from_file_location("telemetry", RECIPE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Telemetry(meter, tracer)


def test_the_recipe_counts_and_times_what_the_run_did(runs: Runs) -> None:
    """A span a job, from submission to completion; requests by outcome, tokens by kind, and the cost."""
    pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    reader, exporter = InMemoryMetricReader(), InMemorySpanExporter()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meter = MeterProvider([reader]).get_meter("batchata")
    manager = runs.manager(on_event=telemetry(meter, tracers.get_tracer("batchata")).on_event)
    summary = manager.run()
    spans = exporter.get_finished_spans()
    assert sorted(span.attributes["batchata.job"] for span in spans) == [0, 1, 2]
    assert all(span.end_time >= span.start_time > 0 for span in spans)
    found: dict[str, float] = {}
    for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.data.data_points:
            found[":".join([metric.name, *sorted(map(str, point.attributes.values()))])] = point.value
    assert found["batchata.requests:claude-sonnet-5-5:succeeded"] == 7
    assert found["batchata.cost:claude-sonnet-5-5"] == pytest.approx(float(summary["total_cost"]))
    assert found["batchata.tokens:claude-sonnet-5-5:input"] > 0
