"""Raw text: without a response model, every result is the text of the answer.

python examples/raw_text_example.py           offline, free
python examples/raw_text_example.py --live    Claude; needs ANTHROPIC_API_KEY
"""

from pathlib import Path

from _service import service

from batchata import batch

ARTICLES = [
    (
        "The harbour ferry runs every twenty minutes from spring to autumn. In winter it sails once an "
        "hour. Bicycles travel free of charge. Dogs need a ticket of their own."
    ),
    (
        "The museum opens its new wing in May. It shows instruments from four centuries, many of which may "
        "be played by visitors. Tickets are sold at the door. The cafe stays closed until June."
    ),
]


def main(folder: Path) -> None:
    job = batch(
        model="claude-haiku-5-5",
        system="Summarize the article in two sentences.",
        messages=[[{"role": "user", "content": article}] for article in ARTICLES],
        max_cost=1.00,
        state_path=folder / "summaries.db",
    )
    job.run(print_progress=True)

    for number, entry in enumerate(job.results(), 1):
        print(f"{number}. {entry['result']}\n")


if __name__ == "__main__":
    with service() as here:
        main(here.folder)
