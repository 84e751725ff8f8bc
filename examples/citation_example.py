"""Citations: a text answer, and the passages of the documents that support it.

python examples/citation_example.py           offline, free
python examples/citation_example.py --live    Claude; needs ANTHROPIC_API_KEY
"""

from pathlib import Path

from _service import DOCUMENTS, service

from batchata import BatchManager, Citation

FILES = [DOCUMENTS / "agreement-meadowbank.pdf", DOCUMENTS / "rental-terms-cedar-bikes.md"]


def main(folder: Path) -> None:
    manager = BatchManager(
        files=FILES,
        prompt="How can I end or cancel this: until when, with what notice, and what does it cost later?",
        model="claude-sonnet-5-5",
        enable_citations=True,
        max_cost=1.00,
        state_path=folder / "answers.db",
    )
    manager.run(print_progress=True)

    for file, entry in zip(FILES, manager.results(), strict=True):
        print(f"{file.name}\n  {entry['result']}\n")
        for citation in entry["citations"] or []:
            print(f"  [{place(citation)}] “{' '.join(citation.cited_text.split())}”")
        print()


def place(citation: Citation) -> str:
    """Write the place of a citation: PDFs are cited by page, plain text by characters."""
    if citation.pages is not None:
        return f"page {citation.pages[0]}"
    return f"characters {citation.start_char_index} to {citation.end_char_index}"


if __name__ == "__main__":
    with service() as here:
        main(here.folder)
