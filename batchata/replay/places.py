"""Where in a source a citation points to, in words."""

from __future__ import annotations

from batchata.output.citation import Citation
from batchata.replay.literal import clean


def place_of(citation: Citation) -> str:
    """Document and place: "terms.pdf, page 3", "notes.txt, characters 10-52"; pages count from 1."""
    parts = [clean(_source(citation))]
    if citation.pages is not None:
        first, last = citation.pages
        parts.append(f"page {first}" if first == last else f"pages {first}-{last}")
    elif citation.start_char_index is not None:
        parts.append(f"characters {citation.start_char_index}-{citation.end_char_index}")
    elif citation.start_content_block_index is not None:
        parts.append(f"block {citation.start_content_block_index}")
    if citation.grounded is not None:
        parts.append("found there" if citation.grounded else "NOT found there")
    return ", ".join(parts)


def _source(citation: Citation) -> str:
    named = citation.document_title or citation.source or citation.url
    return named or f"document {0 if citation.document_index is None else citation.document_index}"
