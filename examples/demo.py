"""The demo: nine invoices in, a typed and cited table out, and a log that survives whatever you do to it.

make demo             offline, free: a sandbox on this machine plays the service
make demo LIVE=1      Claude; needs ANTHROPIC_API_KEY, costs at most $1.00

Stop it with Ctrl-C or kill -9 and start it again: it continues. What it keeps is in .demo/ (out/demo/ when
live).
"""

import os
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

from _service import DOCUMENTS, is_live, readable_errors, service
from filelock import FileLock, Timeout
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from batchata import BatchManager, ItemResult

FILES = sorted([*DOCUMENTS.glob("*.pdf"), *DOCUMENTS.glob("*.txt")])
FILES = [file for file in FILES if not file.name.startswith("agreement")]


class Invoice(BaseModel):
    invoice_number: str
    vendor: str
    invoice_date: date
    due_date: date | None
    currency: str
    total: Decimal


def the_run(folder: Path, live: bool) -> BatchManager:
    return BatchManager(
        files=FILES,
        prompt="Extract the invoice. The currency is its three-letter code, the total what is to be paid.",
        model="claude-sonnet-5-5",
        response_model=Invoice,
        enable_citations=True,
        items_per_job=2,
        max_parallel_jobs=3,
        max_cost=1.00,
        # The sandbox is near and quick; the real service gets the waiting times chosen for it.
        poll_interval=None if live else 0.5,
        settle_delay=None if live else 2.0,
        state_path=folder / "invoices.db",
        results_dir=folder / "results",
    )


def main(folder: Path, live: bool) -> None:
    manager = the_run(folder, live)
    before = manager.stats()
    if before["status"] == "completed" and not before["pending_items"]:
        manager.run()
        print(f"Finished earlier (run {before['run_id']}): nothing is sent, this is what the log holds.\n")
    else:
        # A sandbox that takes 2 to 4 seconds per batch, so that there is a middle to be stopped in.
        with service(live, folder, state=folder / "sandbox", delay=lambda batch: 2 + batch.number % 3):
            tell_start(before)
            manager.run(print_progress=True)
            print()
    show_results(manager)
    show_account(manager, folder, live)


def tell_start(before: dict) -> None:
    if before["status"] == "not started":
        print(f"{len(FILES)} documents, 2 to a job, up to 3 jobs at once. Stop it any time: it continues.")
    else:
        print(
            f"Continuing: {before['completed_items']} of {before['total_items']} documents were done, "
            f"{before['jobs']} jobs had been sent."
        )


def show_results(manager: BatchManager) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("Vendor", "Number", "Date", "Total", "Cited"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "Total" else "left")
    for file, item in zip(FILES, manager.items(), strict=True):
        table.add_row(*row(file, item))
    Console().print(table)


def row(file: Path, item: ItemResult) -> tuple[str, ...]:
    invoice = item.result
    if invoice is None:
        return file.name, f"{item.status}: {item.error.message if item.error else 'no answer yet'}"
    total = f"{invoice.total:,.2f} {invoice.currency}"
    return invoice.vendor, invoice.invoice_number, str(invoice.invoice_date), total, cited(item, "total")


def cited(item: ItemResult, field: str) -> str:
    """Return where a field's value was read."""
    citation = next(iter((item.citations or {}).get(field, [])), None)
    if citation is None:
        return "-"
    return f"page {citation.pages[0]}" if citation.pages else f"char {citation.start_char_index}"


def show_account(manager: BatchManager, folder: Path, live: bool) -> None:
    stats = manager.stats()
    tokens = sum(stats["usage"].values())
    print(
        f"\n{stats['completed_items']} of {stats['total_items']} documents read in {stats['jobs']} jobs: "
        f"{tokens:,} tokens, ${stats['total_cost']:.4f}{'' if live else ' (simulated: nothing is billed)'}"
    )
    log = folder / "invoices.db"
    print(f"\n  results  {folder}/results/processed/")
    print(f"  log      {log}, with every step in it")
    print(f"  audit    {python()} -m batchata.replay {log}")
    print("  resume   the same command; a run that was stopped continues, a finished one is shown again")
    print(f"  afresh   rm -r {folder}")


def python() -> str:
    """Name this interpreter, as short as it can be typed here."""
    here = os.path.relpath(sys.executable)
    return sys.executable if here.startswith("..") else here


if __name__ == "__main__":
    live = is_live()
    folder = Path("out/demo" if live else ".demo")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        sys.exit(f"{folder} cannot be made here ({exc.strerror}); start the demo where files can be written.")
    try:
        with FileLock(folder / "demo.lock", timeout=0), readable_errors(folder):
            main(folder, live)
    except Timeout:
        sys.exit(f"The demo is already running in this folder ({folder}); wait for it, or stop it.")
