"""How a PDF becomes a document block for use in messages."""

from __future__ import annotations

import os
from base64 import b64encode
from typing import Any

from batchata.errors import FileInputError
from batchata.inputs.files import check_file
from batchata.inputs.media_types import PDF
from batchata.providers.models import Model

_ANY_MODEL = Model(id="")


def pdf_to_document_block(
    pdf: str | os.PathLike[str] | bytes, *, enable_citations: bool = False, title: str | None = None
) -> dict[str, Any]:
    """The PDF at a path, or given as bytes, as a content block for a user message.

    The document's title, which citations repeat, is the file's name when none is given; bytes have none.

    Raises FileInputError when it is no PDF, damaged, encrypted, empty, or longer than any model takes.
    """
    file = check_file(pdf, 0, _ANY_MODEL).file
    if file.media_type != PDF:
        raise FileInputError(f"{file.name!r} is {file.media_type}, not a PDF")
    block: dict[str, Any] = {
        "type": "document",
        "source": {"type": "base64", "media_type": PDF, "data": b64encode(file.read()).decode()},
    }
    if title is None and file.path is not None:
        title = file.name
    if title is not None:
        block["title"] = title
    if enable_citations:
        block["citations"] = {"enabled": True}
    return block
