"""Metrics and spans of OpenTelemetry, made of a run's events.

    telemetry = Telemetry(metrics.get_meter("batchata"), trace.get_tracer("batchata"))
    BatchManager(..., on_event=telemetry.on_event).run()

Needs opentelemetry-api, and where they go is for the program's SDK to say.
"""

from __future__ import annotations

from opentelemetry.metrics import Meter
from opentelemetry.trace import Tracer

from batchata.core import events as e
from batchata.log.port import Recorded


class Telemetry:
    def __init__(self, meter: Meter, tracer: Tracer) -> None:
        self._tracer = tracer
        self._cost = meter.create_counter("batchata.cost", unit="USD")
        self._tokens = meter.create_counter("batchata.tokens")
        self._requests = meter.create_counter("batchata.requests")
        self._failed_calls = meter.create_counter("batchata.failed_calls")
        self._model = ""
        self._sent: dict[int, int] = {}  # job -> when

    def on_event(self, recorded: Recorded) -> None:
        match recorded.event:
            case e.RunStarted() as event:
                self._model = event.model
            case e.CostCharged() as event:
                if event.amount is not None:
                    self._cost.add(float(event.amount), {"model": self._model})
                self._tokens.add(event.input_tokens, {"model": self._model, "kind": "input"})
                self._tokens.add(event.output_tokens, {"model": self._model, "kind": "output"})
            case e.CallFailed() as event:
                self._failed_calls.add(1, {"doing": event.doing, "error": event.error.kind})
            case e.BatchSubmitted() as event:
                self._sent[event.job] = recorded.at
            case e.JobCompleted() as event:
                for outcome, count in event.outcomes.items():
                    self._requests.add(count, {"model": self._model, "outcome": outcome})
                # A job may have been sent by an earlier process, which this one did not hear of.
                began = self._sent.pop(event.job, recorded.at)
                span = self._tracer.start_span("batchata.job", start_time=began * 1_000)
                span.set_attributes({"batchata.job": event.job, "batchata.batch_id": event.batch_id})
                span.end(recorded.at * 1_000)
