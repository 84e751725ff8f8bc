"""What a report of many items takes: to write, in memory, on disk, and in a browser until it is drawn.

A run over short text files, each answered with four values and two cited passages, some failed and some
sent again, goes through the sandbox once; its log is then reported in a process of its own.

    python tests/benchmarks/report_pages.py [--items N] [--log FILE]
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from batchata import BatchManager
from batchata.sandbox import Answer, Faults, Request, Sandbox

NEEDLE = "quetzalcoatl"  # stands in one passage, near the end
_random = random.Random(7)
VOCABULARY = ["".join(_random.choices("abcdefghilmnoprstuv", k=_random.randint(3, 10))) for _ in range(5_000)]


class Ticket(BaseModel):
    """The four values of each answer."""

    subject: str
    summary: str
    severity: int
    resolved: bool


def prose(seed: int, count: int) -> str:
    """So many words, always the same for a seed."""
    return " ".join(random.Random(seed).choices(VOCABULARY, k=count))


def answer(request: Request) -> Answer:
    """Two of the values rest on a passage of some 150 characters each."""
    number = int(str(request.documents[0].title).split("-")[1].removesuffix(".txt"))
    needle = f"{NEEDLE} " if number == request_count * 9 // 10 else ""

    def cited(name: str, text: str, seed: int) -> list[dict[str, Any]]:
        place = {
            "type": "char_location",
            "cited_text": needle + prose(seed, 22),
            "document_index": 0,
            "document_title": request.documents[0].title,
            "start_char_index": 0,
            "end_char_index": 150,
        }
        return [
            {"type": "text", "text": f'"{name}": ', "citations": None},
            {"type": "text", "text": json.dumps(text), "citations": [place]},
            {"type": "text", "text": ", ", "citations": None},
        ]

    blocks = [{"type": "text", "text": "{", "citations": None}]
    blocks += cited("subject", prose(number * 4, 5), number * 4 + 1)
    blocks += cited("summary", prose(number * 4 + 2, 20), number * 4 + 3)
    end = f'"severity": {number % 5}, "resolved": {json.dumps(number % 3 == 0)}}}'
    return Answer(content=[*blocks, {"type": "text", "text": end, "citations": None}])


request_count = 0


def make_log(path: Path, items: int) -> None:
    """A whole run; one in a hundred requests of the first batches expires, another fails."""
    global request_count
    request_count = items
    files = []
    for number in range(items):
        files.append(io.BytesIO(prose(number, 30).encode()))
        files[-1].name = f"ticket-{number:06d}.txt"
    faults = Faults(
        only_batches=range(items // 200),
        errored=lambda _, number: number % 100 == 1,
        error_type="invalid_request_error",
        expired=lambda _, number: number % 100 == 2,
    )
    with Sandbox(answer, faults=faults) as sandbox:
        os.environ |= {"ANTHROPIC_BASE_URL": sandbox.url, "ANTHROPIC_API_KEY": sandbox.api_key}
        manager = BatchManager(
            files=files,
            prompt="Read the ticket.",
            model="claude-sonnet-5-5",
            response_model=Ticket,
            enable_citations=True,
            items_per_job=200,
            state_path=path,
            poll_interval=0.05,
            retry_delay=0.05,
        )
        print(manager.run())


def write(log: Path, out: Path) -> None:
    """The command, in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "batchata.replay", "report", str(log), str(out)]
    pid = os.posix_spawn(sys.executable, command, os.environ)
    _, status, used = os.wait4(pid, 0)
    seconds, cpu = time.perf_counter() - began, used.ru_utime + used.ru_stime
    if status:
        sys.exit("the report was not written")
    size = out.stat().st_size / 1e6
    print(f"written in {seconds:.1f} s (CPU {cpu:.1f} s), peak {used.ru_maxrss / 1024:.0f} MB, {size:.1f} MB")


def show(out: Path) -> None:
    """In headless Chromium: the first paint, the drawn table, a sort, and a search for one word."""
    from selenium import webdriver

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        print("no chromium with chromedriver here: nothing measured in a browser")
        return
    os.environ |= {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true"}
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    flags = "headless=new no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    for flag in (*flags.split(), "disable-component-update", "disable-sync"):
        options.add_argument(f"--{flag}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options.add_argument(f"--user-data-dir={profile}")
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        try:
            browser.set_script_timeout(120)
            browser.get(out.as_uri())
            for name, script in _MEASURES.items():
                print(f"{name:34} {browser.execute_async_script(_WAIT + script):8.0f} ms")
        finally:
            browser.quit()


_WAIT = """
const done = arguments[arguments.length - 1];
const when = (holds, began) => {
  const drawn = () => requestAnimationFrame(() => done(performance.now() - began));
  const look = () => (holds() ? drawn() : setTimeout(look, 5));
  look();
};
const rows = () => document.querySelectorAll("#items tr.row").length;
const said = () => document.querySelector("#items [role=status]").textContent;
"""
_MEASURES = {
    "table of items drawn, since opening": "when(() => document.documentElement.dataset.ready, 0)",
    "first contentful paint": 'done(performance.getEntriesByName("first-contentful-paint")[0].startTime)',
    "sorted by cost": """
        const began = performance.now();
        document.querySelector("#items th.c-cost button").click();
        when(rows, began)""",
    "one word found among all items": f"""
        const search = document.querySelector("#items input[type=search]"), began = performance.now();
        search.value = "{NEEDLE}";
        search.dispatchEvent(new Event("input"));
        when(() => said().startsWith("1 of"), began)""",
    "and the rest searched": 'when(() => !said().includes("searched"), performance.now())',
    "its details opened": """
        const began = performance.now();
        document.querySelector("#items tr.row button.open").click();
        when(() => document.querySelector("#items tr.detail blockquote"), began)""",
}


def main() -> None:
    """Make the log unless one is given, report it, and look at the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--log", type=Path, help="keep the log here, and use it if it is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = options.log or Path(folder) / "run.db"
        if not log.exists():  # in a process of its own, whose memory would count as the other's
            made = multiprocessing.get_context("spawn").Process(target=make_log, args=(log, options.items))
            made.start()
            made.join()
        write(log, Path(folder) / "run.html")
        show(Path(folder) / "run.html")


if __name__ == "__main__":
    main()
