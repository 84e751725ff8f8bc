"""What the tests of inputs share: models, and small documents."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from pypdf import PdfWriter

from batchata.providers.anthropic.models import MODELS, Model


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
