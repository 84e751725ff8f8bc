"""Where in a source a citation points to, in words."""

from __future__ import annotations

from batchata.output.citation import Citation


def place_of(citation: Citation) -> str:
    """Document and place, counted from 1: "terms.pdf, page 3", "document 2, characters 10-52".

    The names in it are as they were given; whoever prints it makes them harmless.
    """
    source = citation.document_title or citation.source or citation.url
    parts = [] if source is None else [source]
    if source is None and citation.document_index is not None:
        parts.append(f"document {citation.document_index + 1}")
    if citation.url is not None and citation.url != source:
        parts.append(citation.url)
    if citation.pages is not None:
        first, last = citation.pages
        parts.append(f"page {first}" if first == last else f"pages {first}-{last}")
    if citation.start_char_index is not None:
        parts.append(f"characters {citation.start_char_index}-{citation.end_char_index}")
    if citation.start_content_block_index is not None:
        parts.append(f"blocks {citation.start_content_block_index}-{citation.end_content_block_index}")
    return ", ".join(parts)


def found_there(citation: Citation) -> str:
    """Whether the cited text stands at the place that is named; empty where that cannot be told."""
    if citation.grounded is None:
        return ""
    return "found there" if citation.grounded else "NOT found there"
