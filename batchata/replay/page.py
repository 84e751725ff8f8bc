"""Write a picture of the page that a value was read from, with the passage marked: `page`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import typer

from batchata.answers.answer import Citation
from batchata.answers.grounding import Source
from batchata.errors import InvalidInputError
from batchata.inputs.pdf_pages import PdfText, Picture
from batchata.log.port import Log
from batchata.providers.registry import dialect_of
from batchata.replay.console import reading, the_run
from batchata.text import clean, number_of, short, size
from batchata.views.cited_answer import place_of
from batchata.views.item_history import Life, read_life
from batchata.views.item_inputs import find_item
from batchata.views.whole_files import whole_file

_MOST = 200  # characters of a passage


def write_picture(
    path: str,
    run_id: str | None,
    which: str,
    field: str,
    out: str,
    *,
    model: str | None,
    files: Sequence[str] | None = None,
) -> None:
    """Write the first page that a citation of the field names, and say what is marked on it.

    Raises LogError when the file is no readable log, InvalidInputError when it holds no such run, item or
    cited field, when the document is no PDF that is still there, or when the picture cannot be written.
    """
    if not out.lower().endswith(".png"):
        raise InvalidInputError(f"{out} does not end in .png; pictures are written as PNG")
    with reading(path, files=files) as log:
        stream = the_run(log, path, run_id)
        life = read_life(log, stream, find_item(log, stream, which), model)
        citation = _cited(life, field)
        picture = _drawn(citation, _source(log, stream, life, citation))
    target = Path(out)
    if target.is_dir() or target.is_symlink():
        raise InvalidInputError(f"{out} is a folder or a link; give another name")
    try:
        with whole_file(target) as file:
            file.write(picture.png)
    except OSError as exc:
        raise InvalidInputError(f"{out} cannot be written ({exc.strerror}); give another place") from exc
    marks = number_of(picture.marks, "mark") if picture.marks else "no mark: the passage is not in its text"
    place = f"{clean(place_of(citation))}, {marks}: {short(citation.cited_text, _MOST)}"
    typer.echo(f"{clean(out)}: {place}, {size(len(picture.png))}")


def _cited(life: Life, field: str) -> Citation:
    """Return the first citation of the field, preferably one that states its value."""
    cited = life.result.cited(field)
    if not cited:
        known = life.result.citations
        if not known:
            raise InvalidInputError(f"item {life.index} has no citations; only a cited value has a page")
        if not isinstance(known, dict):
            raise InvalidInputError(f"item {life.index} is a text, so its citations belong to no field")
        raise InvalidInputError(
            f"item {life.index} has no citation of {field!r}; cited are: {clean(', '.join(known))}"
        )
    return next((citation for citation in cited if citation.supports), cited[0])


def _source(log: Log, stream: str, life: Life, citation: Citation) -> Source | None:
    run = life.history.run
    assert run.started is not None
    (body,) = log.bodies(stream, [run.input_body(life.index)])
    if body is None:
        raise InvalidInputError(f"the input of item {life.index} was purged from the log")
    documents = dialect_of(run.started).sources(body).documents
    number = citation.document_index
    return documents[number] if number is not None and 0 <= number < len(documents) else None


def _drawn(citation: Citation, source: Source | None) -> Picture:
    place = clean(place_of(citation))
    if source is None:
        raise InvalidInputError(f"{place}: the document is not there any more, or was changed since")
    if not isinstance(source, PdfText) or citation.start_page_number is None:
        said = json.dumps(short(citation.cited_text, _MOST), ensure_ascii=False)
        raise InvalidInputError(f"{place}: the source has no pages; the passage is {said}")
    picture = source.picture(citation.start_page_number - 1, citation.cited_text)
    if picture is None:
        raise InvalidInputError(
            f"{place}: this page cannot be drawn; the PDF is encrypted, damaged or shorter"
        )
    return picture
