"""What the tests of inputs share: where the collected data lies, models, and small documents."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pypdf import PdfWriter

from batchata.providers.models import MODELS, Model

SHARED = Path(os.environ.get("BATCHATA_SHARED") or Path(__file__).resolve().parents[2] / "../shared/data/dev")


@pytest.fixture
def shared() -> Path:
    """The directory of collected documents and texts; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the collected test data is not here; BATCHATA_SHARED names its directory")
    return SHARED


@pytest.fixture
def model() -> Model:
    """A current model with every ability and a context of a million tokens."""
    return MODELS["claude-sonnet-5-5"]


@pytest.fixture
def small_model() -> Model:
    """A callable model with a context below a million tokens, and so 100 pages."""
    return MODELS["claude-haiku-4-5"]


@pytest.fixture
def make_pdf() -> Callable[..., bytes]:
    """Makes a sound PDF of so many empty pages, protected when an owner's password is given."""
    return _make_pdf


@pytest.fixture
def blank_pdf() -> bytes:
    """A sound PDF of two empty pages."""
    return _make_pdf(2)


def _make_pdf(pages: int, owner_password: str | None = None) -> bytes:
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(width=72, height=72)
    if owner_password:
        writer.encrypt(user_password="", owner_password=owner_password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
