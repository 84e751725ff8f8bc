"""BatchManager: an estimate, many items in several jobs, a limit, results as files, statistics, retries.

python examples/batch_manager_example.py           offline, free; the sandbox fails two requests on purpose
python examples/batch_manager_example.py --live    Claude; needs ANTHROPIC_API_KEY
"""

from collections import Counter
from pathlib import Path
from typing import Literal

from _service import service
from pydantic import BaseModel

from batchata import BatchManager, load_results_from_disk
from batchata.sandbox import Faults, Request

# Opinions, and what the sandbox answers to each: offline there is no model that could judge them.
OPINIONS = {
    "Great quality, I would recommend it to everyone.": "positive",
    "It arrived broken and nobody answered my letters. Terrible.": "negative",
    "It is a table. It has four legs.": "neutral",
    "The worst chair I ever bought.": "negative",
    "My children love it, thank you!": "positive",
}
REVIEWS = [f"Order number: A-{1000 + n}\n{[*OPINIONS][n % len(OPINIONS)]}" for n in range(60)]

# What the sandbox does wrong: two requests of the first batch come back as invalid.
FAULTS = Faults(
    errored=[3, 4], error_type="invalid_request_error", error_message="failed on purpose", only_batches=[0]
)


class Review(BaseModel):
    order_number: str
    sentiment: Literal["positive", "negative", "neutral"]


def offline_review(request: Request) -> dict[str, str]:
    order, opinion = request.text.split("\n", 1)
    return {"order_number": order.removeprefix("Order number: "), "sentiment": OPINIONS[opinion]}


def main(folder: Path) -> None:
    manager = BatchManager(
        model="claude-haiku-5-5",
        system="Extract the order number, and judge the sentiment of the review.",
        messages=[[{"role": "user", "content": review}] for review in REVIEWS],
        response_model=Review,
        items_per_job=20,
        max_parallel_jobs=3,
        max_cost=1.00,
        state_path=folder / "reviews.db",
        results_dir=folder / "results",
    )
    print(manager.estimate())
    print("run:      ", outcome(manager.run(print_progress=True)))

    for item in manager.items():
        if item.status == "failed":
            print(f"failed:    item {item.index}, {item.error.kind}: {item.error.message}")
    print("retried:  ", outcome(manager.retry_failed()))

    stats = manager.stats()
    print(
        f"jobs:      {stats['jobs_completed']}, {stats['usage']['input_tokens']:,} tokens in, "
        f"{stats['usage']['output_tokens']:,} out"
    )
    files = sorted(path.name for path in Path(stats["processed_results_dir"]).iterdir())
    print(f"files:     {', '.join(files)}")

    entries = load_results_from_disk(stats["results_dir"], Review)
    counts = Counter(entry["result"].sentiment for entry in entries if entry["result"])
    print(f"sentiment: {', '.join(f'{count} {name}' for name, count in counts.most_common())}")


def outcome(summary: dict) -> str:
    return (
        f"{summary['completed_items']} of {summary['total_items']} items completed, "
        f"{summary['failed_items']} failed, ${summary['total_cost']}"
    )


if __name__ == "__main__":
    with service(answers=offline_review, faults=FAULTS) as here:
        main(here.folder)
