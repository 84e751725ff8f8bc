"""Rules of `report`: one harmless file, the same for the same log, of a bounded size."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import forked
import pytest
from msgspec.structs import replace
from report_support import BREAKOUT, ERROR, FILE, SCRIPT, Note, blocks, records, words
from tampering import tamper
from typer.testing import Result

from batchata.core import events as e
from batchata.core.events import RunStarted
from batchata.core.values import Counts, Process, RequestError
from batchata.log import open_log
from batchata.replay.report.sections import job_rows
from batchata.replay.report.size_budget import DETAILS, Budget
from batchata.replay.report.timeline import Chronicle
from batchata.sandbox import Request, Sandbox

type Replay = Callable[..., Result]
type Write = Callable[..., Path]
type Started = Callable[..., RunStarted]


@pytest.fixture
def page(tmp_path: Path, replay: Replay) -> Callable[..., str]:
    """The text of the report of a log."""

    def write(log: Path, *options: str) -> str:
        out = tmp_path / "out.html"
        done = replay("report", log, out, *options)
        assert done.exit_code == 0, done.stderr
        return out.read_text(encoding="utf-8")

    return write


class Elements(HTMLParser):
    """Collects what a browser would make elements of."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(page)
    return parser.found


def test_nothing_from_outside_is_markup(hostile: Path, page: Callable[..., str]) -> None:
    """Answers, passages, names, errors, prompts and ids that hold elements add none to the page."""
    text = page(hostile)
    found = elements(text)
    scripts = [attrs for tag, attrs in found if tag == "script"]
    assert {attrs.get("type") for attrs in scripts} == {"text/plain", "module"}
    assert sum(attrs.get("type") == "module" for attrs in scripts) == 1
    assert not [tag for tag, _ in found if tag in ("img", "iframe", "object", "embed", "link", "base")]
    assert not [name for _, attrs in found for name in attrs if name.startswith("on")]
    assert SCRIPT not in text
    assert f"Run run {SCRIPT}" in words(text)
    assert f"item 2: no good: </script>{SCRIPT}" in " ".join(words(text).split())


def test_invisible_characters_of_the_frame_are_seen(hostile: Path, page: Callable[..., str]) -> None:
    """A sign that turns the direction of writing could make a prompt or an error read as another."""
    text = page(hostile)
    assert "\u202e" not in text
    assert "\\u202e" in words(text)


def test_texts_arrive_as_they_are(hostile: Path, page: Callable[..., str]) -> None:
    """Values, passages, file names and errors reach the page's data unchanged."""
    found = records(page(hostile))
    (name, kind, _), fields, citations, answer, note, attempts, unsupported, uncited = found[0]
    assert (unsupported, uncited) == ([], ["number"])
    assert (name, kind[:10]) == (FILE.format(0), "text/plain")
    assert fields == [["said", f"said {BREAKOUT}", False], ["number", "0", True]]
    assert [path for path, _ in citations] == ["said"]
    assert citations[0][1][0][:2] == [f"passage {BREAKOUT}", f"{FILE.format(0)}, characters 0-9"]
    assert (answer, note) == (None, "completed")
    assert [attempt[3] for attempt in attempts] == ["succeeded (end_turn)"]
    assert found[2][4] == f"failed: invalid_request_error: {ERROR}"


def test_every_attempt_is_told(troubled: Path, page: Callable[..., str]) -> None:
    """An item that was sent again has both attempts, each with its batch, outcome and cost."""
    text = page(troubled)
    attempts = records(text)[1][5]
    assert [attempt[3] for attempt in attempts] == ["expired", "succeeded (end_turn)"]
    assert attempts[0][5] == "$0.00" < attempts[1][5]
    batches = blocks(text, "columns")[0]["batches"]
    assert [attempt[1] for attempt in attempts] == [batches[str(attempt[0])] for attempt in attempts]
    assert attempts[0][1] != attempts[1][1]


def test_the_columns_agree_with_show(troubled: Path, page: Callable[..., str], replay: Replay) -> None:
    """Counts, costs, jobs and reasons are those that `show` gives."""
    text, shown = page(troubled), json.loads(replay(troubled, "--json").stdout)
    columns, jobs = blocks(text, "columns")[0], blocks(text, "jobs")[0]
    assert columns["status"].count("f") == shown["failed_items"] == 2
    assert columns["status"].count("c") == shown["completed_items"]
    assert sum(map(float, columns["cost"])) == pytest.approx(float(shown["total_cost"]))
    assert [job["batch"] for job in jobs] == [job["batch_id"] for job in shown["jobs"]]
    assert {columns["kinds"][kind] for kind in columns["kind"] if kind >= 0} == set(shown["failures"])
    assert f"${shown['total_cost']}" in words(text)
    assert f"log head {shown['head']}" in " ".join(words(text).split())


def test_nothing_is_loaded_and_only_our_script_runs(hostile: Path, page: Callable[..., str]) -> None:
    """The policy allows the one script and the one style by their hashes, and no address is in the file."""
    text = page(hostile)
    policy = next(
        unescape(str(attrs["content"]))
        for tag, attrs in elements(text)
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    script = re.search(r'<script type="module">(.*?)</script>', text, re.DOTALL)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert script
    assert style
    for name, source in (("script-src", script[1]), ("style-src", style[1])):
        digest = b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "innerHTML" not in script[1]
    assert not re.search(r"url\(|@import|fetch\(|\bimport\b", script[1] + style[1])
    assert not [attrs for _, attrs in elements(text) if attrs.keys() & {"src", "srcset", "style"}]


def test_the_same_log_gives_the_same_file(troubled: Path, tmp_path: Path) -> None:
    """Two processes, at two times, in two time zones and with sets in two orders, write the same bytes."""
    given = ["-m", "batchata.replay", "report", troubled]
    forked.run([*given, tmp_path / "a.html"], env={**os.environ, "TZ": "Asia/Tokyo"}, check=True)
    afresh = [sys.executable, *given, tmp_path / "b.html"]
    subprocess.run(afresh, env={**os.environ, "TZ": "UTC", "PYTHONHASHSEED": "3"}, check=True)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_an_unfinished_run_is_told_as_of_its_last_event(waiting: Path, page: Callable[..., str]) -> None:
    """Open jobs, pending items and what happens next are there, and no clock of today."""
    text = page(waiting)
    assert blocks(text, "columns")[0]["status"] == "p" * 30
    assert [job["state"] for job in blocks(text, "jobs")[0]] == ["processing"] * 3
    batches = blocks(text, "columns")[0]["batches"]
    sent = {f"sent in job {job} ({batch}), no answer yet" for job, batch in batches.items()}
    assert {record[4] for record in records(text)} == sent | {"not sent yet"}
    assert "it collects 3 batches" in words(text)


def test_a_moment_of_the_past(troubled: Path, page: Callable[..., str]) -> None:
    """--at reports the run as it was: what came later is not in it."""
    text = page(troubled, "--at", "3")
    assert blocks(text, "columns")[0]["status"] == "p" * 10
    assert "event 3." in words(text)
    assert "log head" not in words(text)


def test_an_empty_run(write_log: Write, started: Started, page: Callable[..., str]) -> None:
    """A run without items is a page that says so."""
    log = write_log(
        [
            started(input_count=0),
            e.ItemsAdded(first=0, count=0, digest="d", first_body=0),
            e.RunCompleted(completed_items=0, failed_items=0, total_cost="0"),
        ]
    )
    text = page(log)
    assert blocks(text, "columns")[0]["status"] == ""
    assert "Nothing was spent and nothing reserved." in words(text)


def test_purged_bodies_leave_the_history(done: Path, tmp_path: Path, page: Callable[..., str]) -> None:
    """Where inputs and answers were removed, the items say so and keep their attempts."""
    log = tamper(Path(shutil.copy(done, tmp_path / "purged.db")), "UPDATE segments SET data = NULL")
    found = records(page(log))
    assert {record[0][1] for record in found} == {"purged from the log"}
    assert {record[4] for record in found} == {"completed; its answer was purged from the log"}
    assert all(record[5] for record in found)


def test_long_texts_are_cut_to_fit(write_log: Write, started: Started, page: Callable[..., str]) -> None:
    """Data that nothing compresses stays within the size, and every item keeps something."""
    random, count = Random(1), 260
    path = write_log([started(input_count=count)])
    log = open_log(path)
    claim = log.claim("run", Process(pid=1, host="elsewhere"))
    noise = [
        json.dumps(
            {"messages": [{"role": "user", "content": f"{n} {b64encode(random.randbytes(90_000)).decode()}"}]}
        ).encode()
        for n in range(count)
    ]
    claim.append(10**15, [e.ItemsAdded(first=0, count=count, digest="d", first_body=0)], noise)
    claim.release()
    log.close()
    text = page(path)
    assert 1_000_000 < len(text) < 30_000_000
    assert blocks(text, "cut") == [256]
    assert [record[0][2].split()[0] for record in records(text)] == [str(n) for n in range(count)]


def test_a_budget_gives_each_chunk_its_share(tmp_path: Path) -> None:
    """What one chunk leaves goes to those after it, and what does not fit at all keeps empty lines."""
    with (tmp_path / "out").open("wb") as file:
        budget = Budget(1_000_000_000, file)
        budget.write_items("items", 2, lambda detail: [b"x", b"y"])
    assert budget.cut == 2
    assert blocks((tmp_path / "out").read_text(), "items") == [[None, None]]
    assert DETAILS[0].characters is None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda out: out.write_text("<html>mine</html>"), "exists and is not a report of ours"),
        (lambda out: out.mkdir(), "is a directory"),
        (os.mkfifo, "is not a regular file"),
    ],
    ids=["a foreign file", "a directory", "a pipe"],
)
def test_what_must_not_be_replaced(
    done: Path, tmp_path: Path, replay: Replay, make: Callable[[Path], object], said: str
) -> None:
    """Only a report of ours is replaced; anything else is one line, exit code 2, and left as it was."""
    out = tmp_path / "out.html"
    make(out)
    before = out.stat()
    refused = replay("report", done, out)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert (out.stat().st_ino, out.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_log_itself_is_never_replaced(done: Path, replay: Replay) -> None:
    """The log given twice by mistake stays a log."""
    assert replay("report", done, done).exit_code == 2
    assert replay("show", done).exit_code == 0


def test_an_older_report_is_replaced(done: Path, troubled: Path, tmp_path: Path, replay: Replay) -> None:
    """A second report under the same name is the new one, for its owner alone, and nothing lies beside it."""
    out = tmp_path / "out.html"
    assert [replay("report", log, out).exit_code for log in (troubled, done)] == [0, 0]
    assert "the-run" in out.read_text()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["out.html"]


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("missing/out.html", "there is no directory"),
        ("x" * 300, "cannot be written"),
        ("out.pdf", "does not end in .html"),
    ],
)
def test_a_place_that_cannot_be_written(
    done: Path, tmp_path: Path, replay: Replay, out: str, said: str
) -> None:
    """A directory that is not there and a name the system refuses are one line and exit code 2."""
    refused = replay("report", done, tmp_path / out)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_read_only_directory(done: Path, replay: Replay) -> None:
    """Where nobody, root included, may write: one line that says so."""
    folder = Path("/proc/self")
    if not folder.is_dir():
        pytest.skip("no /proc: there is no directory here that root cannot write to")
    refused = replay("report", done, folder / "out.html")
    assert refused.exit_code == 2
    assert "cannot be written" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_the_run_has_to_be_chosen(write_log: Write, started: Started, replay: Replay, tmp_path: Path) -> None:
    """Of several runs one is named with --run; else the error lists them."""
    for run_id in ("one", "two"):
        log = write_log([started(run_id=run_id)], run_id)
    refused = replay("report", log, tmp_path / "out.html")
    assert refused.exit_code == 2
    assert "choose one (--run, in Python run_id): one, two" in refused.stderr
    assert replay("report", log, tmp_path / "out.html", "--run", "two").exit_code == 0
    assert "Run two" in words((tmp_path / "out.html").read_text())


def test_the_data_are_ascii(hostile: Path, page: Callable[..., str]) -> None:
    """Blocks are base64: no `<` in them can end an element."""
    for block in re.findall(r'data-kind="\w+">(.*?)</script>', page(hostile)):
        b64decode(block, validate=True)


def test_what_is_no_log_is_told(tmp_path: Path, replay: Replay) -> None:
    """A path without a log is one line and exit code 2, and no file is made."""
    (tmp_path / "text.db").write_text("no log")
    for name in ("missing.db", "text.db", "."):
        refused = replay("report", tmp_path / name, tmp_path / "out.html")
        assert (refused.exit_code, refused.stdout) == (2, ""), name
        assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "out.html").exists()


def test_the_limit_is_drawn_where_it_is_near(
    started: Started, page: Callable[..., str], tmp_path: Path
) -> None:
    """A step where it was changed, a gap where there was none; one that is far above is only named."""
    process = Process(pid=1, host="h")
    sent = e.SubmissionStarted(
        job=0, items=[(0, 0)], request_count=1, bytes=1, custom_ids="t-{index}", reserved="1"
    )

    def drawn(*limits: str | None) -> list[str]:
        settings = replace(started().settings, max_cost=limits[0])
        added = e.ItemsAdded(first=0, count=1, digest="d", first_body=0)
        path = tmp_path / f"{'-'.join(map(str, limits))}.db"
        log = open_log(path)
        claim = log.claim("run", process)
        claim.append(10**15, [started(settings=settings), added, sent], [b'{"messages":[]}'])
        for hour, pair in enumerate(itertools.pairwise(limits), 1):
            resumed = e.RunResumed(process=process, library_version="0", changed={"max_cost": pair})
            claim.append(10**15 + hour * 3_600_000_000, [resumed])
        claim.release()
        log.close()
        return re.findall('<path class="limit" d="([^"]+)"', page(path))

    (path,) = drawn("2", "1.5", None, "2")
    assert re.fullmatch(r"M0.0 [\d.]+H333.3V[\d.]+H666.7M1000.0 [\d.]+H1000.0", path)
    assert len(drawn("2", None)) == 1
    assert drawn("1000") == drawn(None) == []


def test_a_full_disk_leaves_nothing(done: Path, tmp_path: Path) -> None:
    """When the file cannot be written to its end there is one line, exit code 2, and no half of a file."""
    if os.name != "posix":
        pytest.skip("a limit on the size of files is set the POSIX way")
    script = (
        "import atexit, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "limit, none = resource.RLIMIT_FSIZE, resource.RLIM_INFINITY;"
        "resource.setrlimit(limit, (36_000, none));"
        "atexit.register(resource.setrlimit, limit, (none, none));"  # what was covered is written, too
        "from batchata.replay.cli import main; sys.argv[0] = 'replay'; main()"
    )
    ran = forked.run(["-c", script, "report", done, tmp_path / "out.html"])
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "out.html cannot be written (File too large)" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_a_repeated_request_was_told(run_log: Write, tmp_path: Path, page: Callable[..., str]) -> None:
    """An answer that did not fit the model is there with its reason, and what the next request said of it."""
    asked: list[int] = []

    def first_wrong(request: Request) -> object:
        asked.append(1)
        return {"said": "yes"} if len(asked) == 1 else {"said": "yes", "number": 1}

    log = run_log(tmp_path / "run.db", 1, Sandbox(first_wrong), response_model=Note)
    first, second = records(page(log))[0][5]
    assert first[4].startswith("invalid_output: ")
    assert (first[7], second[4]) == ("", "")
    assert first[4].removeprefix("invalid_output: ") in second[7]


def test_the_end_of_anothers_batch_is_not_that_of_the_job(started: Started) -> None:
    """When the batch that was named turns out to be another's, its polls say nothing of this job."""
    counts = Counts(processing=0, succeeded=0, errored=0, canceled=0, expired=1)
    error = RequestError(kind="odd_reply", message="the results are not this job's")
    chronicle = Chronicle()
    for version, event in enumerate(
        [
            started(),
            e.ItemsAdded(first=0, count=1, digest="d", first_body=0),
            e.SubmissionStarted(
                job=0, items=[(0, 0)], request_count=1, bytes=1, custom_ids="t-0-{index}", reserved=None
            ),
            e.BatchSubmitted(job=0, batch_id="b", created_at=1, expires_at=None),
            e.BatchPolled(job=0, batch_id="b", status="ended", counts=counts),
            e.SubmissionUnknown(job=0, error=error),
        ],
        1,
    ):
        chronicle.take("run", version, 10**15 + version, event)
    (row,) = json.loads(job_rows(chronicle))
    assert (row["ended"], row["polled"], row["batch"], row["tone"]) == (None, 0, None, "odd")
