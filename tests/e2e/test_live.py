"""A run against the live service, where BATCHATA_E2E says so and a key is set; it costs a fraction of a cent.

BATCHATA_E2E=1 ANTHROPIC_API_KEY=… python -m pytest tests/e2e -s
"""

from __future__ import annotations

import os
from pathlib import Path

import certifi
import pytest
from pydantic import BaseModel

from batchata import BatchManager
from batchata.log import read_log
from batchata.log.verify import verify

_MODELS = {"ANTHROPIC_API_KEY": "claude-haiku-5-5", "OPENAI_API_KEY": "openai/gpt-6.1-terra"}
_KEYS = {name: os.environ.get(name) for name in _MODELS}  # before all other tests are kept from them


class Invoice(BaseModel):
    """What is asked for."""

    vendor: str
    total: float


@pytest.mark.parametrize(("key", "model"), _MODELS.items(), ids=_MODELS.values())
def test_documents_are_read_by_the_live_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, model: str
) -> None:
    """Sent in one process, collected from the log alone, at most a cent, with a log that holds."""
    if not os.environ.get("BATCHATA_E2E"):
        pytest.skip("live runs cost money: set BATCHATA_E2E=1 to make them")
    if not _KEYS[key]:
        pytest.skip(f"{key} is not set")
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    for number in (1, 2):
        (tmp_path / f"{number}.txt").write_text(f"Invoice\nVendor: Shop {number}\nTotal: ${number}7.50\n")
    BatchManager(
        files=sorted(tmp_path.glob("*.txt")),
        prompt="Extract the invoice.",
        model=model,
        response_model=Invoice,
        max_tokens=200,
        max_cost="0.01",
        state_path=tmp_path / "live.db",
        api_key=_KEYS[key],
    ).submit()
    manager = BatchManager.open(
        tmp_path / "live.db", response_model=Invoice, max_wait_time=24 * 3600.0, api_key=_KEYS[key]
    )
    summary = manager.run(print_progress=True)
    assert [item.result for item in manager.items()] == [
        Invoice(vendor="Shop 1", total=17.5),
        Invoice(vendor="Shop 2", total=27.5),
    ]
    assert summary["total_cost"] is not None
    assert 0 < summary["total_cost"] <= 1
    log = read_log(tmp_path / "live.db")
    (stream,) = log.streams()
    assert list(verify(log, stream, 1 << 62)) == []
    log.close()
