"""Write the results as files: one JSON list per job, and the provider's lines as received.

Files are a projection of the log: each is written whole or not at all, and may be written again any time.
"""

from __future__ import annotations

import os
import re
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import batched
from typing import IO, Any

from batchata.answers.reader import Reader, Reading
from batchata.core.ranges import iterate
from batchata.core.state import ItemStatus, Run
from batchata.core.values import Process, Settings
from batchata.errors import InvalidInputError
from batchata.log.port import Log
from batchata.views.arrivals import Arrivals, encode_json, result_json
from batchata.views.folder_marks import MARK, Owner
from batchata.views.item_result import Support, citation_values
from batchata.views.results import read_entries
from batchata.views.results_folder import Folders
from batchata.views.whole_files import SMALL, WholeFiles, remove_unnamed

_TOGETHER = 1_000  # results that are joined at a time
_MARKS = re.compile(re.escape(MARK))
_OURS = re.compile(r"job_\d+_(?:results\.json|support\.json|raw\.jsonl)")


class ResultsWriter:
    """Keeps `processed/` and `raw/` in step with a run.

    A file `job_<n>_results.json` holds the items that job n was the first to carry, in input order; what a
    later job finds out about them (a retry) goes into that same file, so that reading the files in numeric
    order gives the input order. Items that no job has carried yet follow in one more file. Beside it,
    `job_<n>_support.json` names the fields of these items that no passage supports, if there are any.
    """

    durable = True  # files survive a power cut

    def __init__(self, log: Log, run: Run, reader: Reader, memory: Process | None = None) -> None:
        assert run.settings is not None
        self._log = log
        self._run = run
        self._reader = reader
        self._owner = owner_of(run, memory)
        self._folders = Folders.of(run.settings)
        self._processed, self._raw = self._folders.processed, self._folders.raw
        has_mark_of_lines = self._folders.raw_home() is not None
        self._lines_written = self._folders.lines_written if has_mark_of_lines else None
        self._files = WholeFiles(durable=self.durable)
        self.arrivals = Arrivals(
            raw=self._raw,
            files=self._processed is not None,
            cited=reader.enable_citations,
            items=0 if run.started is None else max(run.started.input_count, run.total),
        )

    def claim(self) -> None:
        """Mark the folders as this run's, as `Folders.claim` does, and remove what a kill left in them."""
        homes = self._folders.claim(self._owner)
        for folder in (self._processed, self._raw):
            if folder is not None:
                remove_unnamed(folder, _OURS)
        for home in homes:
            remove_unnamed(home, _MARKS)

    def release(self) -> None:
        """Release folders that hold nothing; see `Folders.release`."""
        self._folders.release(self._owner)

    def job_done(self, number: int) -> None:
        """Write what this job brought; `look` or `rest` give its files their names."""
        if self._files.is_empty:
            self._folders.keep(self._owner)
        self._write_raw(number)
        for home in self._homes(number):
            self._write_processed(home, *self._run.chunks[home])

    def look(self) -> None:
        """Give complete files their names when it is time to."""
        if self._files.is_due():
            self._name_all()

    def all(self) -> None:
        """Write every file anew."""
        self._folders.keep(self._owner)
        for number in self._run.jobs:
            self._write_raw(number)
        for number, chunk in self._run.chunks.items():
            self._write_processed(number, *chunk)
        self.rest()

    def rest(self) -> None:
        """Write an empty list for each job that only repeated others, and one more file for what waits.

        All files have their names then.
        """
        self._name_all()
        if self._processed is None:
            return
        for number in self._run.jobs.keys() - self._run.chunks.keys():
            self._write_processed(number, 0, -1)
        following = len(self._run.jobs)
        waits = self._run.next_fresh < self._run.total
        if waits or os.path.exists(self._path(following)):
            self._write_processed(following, self._run.next_fresh, self._run.total - 1)
        self._name_all()

    def close(self) -> None:
        """Release what was kept of this start, and name what is complete where the disk allows it."""
        self.arrivals.close()
        with suppress(InvalidInputError):  # the next start writes it anew
            self._name_all()
        self._files.drop()

    def _homes(self, number: int) -> list[int]:
        """Return the jobs that first carried this job's items and those that share their requests."""
        run = self._run
        if number in run.chunks and not run.items.copies:
            return [number]
        numbers = list(self._run.chunks)
        firsts = [first for first, _ in self._run.chunks.values()]
        homes: set[int] = set()
        for first, last in self._run.jobs[number].items:
            if first >= run.next_fresh:
                continue  # sent as part of a sample: they follow in the last file until their turn comes
            homes.update(numbers[bisect_right(firsts, first) - 1 : bisect_right(firsts, last)])
        if run.items.copies:
            shared = (
                copy for index in run.jobs[number].indexes() for copy in run.items.copies.get(index, ())
            )
            homes.update(numbers[bisect_right(firsts, copy) - 1] for copy in shared if copy < run.next_fresh)
        return sorted(homes)

    def _path(self, number: int) -> str:
        assert self._processed is not None
        return os.path.join(self._processed, _results_name(number))

    def _write_processed(self, number: int, first: int, last: int) -> None:
        if self._processed is None or self._is_purged(self._run.items.body[first : last + 1]):
            return
        looked: list[dict[str, Any]] = []
        known = self.arrivals.json_of(self._taken(first, last))
        if known is not None and sum(map(len, known)) <= SMALL // 2:
            self._put(self._processed, _results_name(number), b"".join(known_results(known)))
        elif known is not None:
            with self._written(self._path(number)) as file:
                file.writelines(known_results(known))
        else:
            with self._written(self._path(number)) as file:
                write_entries(file, _looked_at(self._readings(range(first, last + 1)), first, looked))
        beside = os.path.join(self._processed, f"job_{number}_support.json")
        if looked:
            with self._written(beside) as file:
                file.write(encode_json(looked) + b"\n")
        elif self._reader.enable_citations:
            self._files.remove(beside)

    def _taken(self, first: int, last: int) -> list[int]:
        """Return the bodies that hold the results of these items, -1 for those without one."""
        items, completed = self._run.items, ItemStatus.COMPLETED
        taken = zip(items.status[first : last + 1], items.body[first : last + 1], strict=True)
        return [body if status == completed else -1 for status, body in taken]

    def _is_purged(self, bodies: Iterable[int]) -> bool:
        """Whether the answers were purged: their files stay as they are."""
        return any(0 <= body < self._run.purged for body in bodies)

    def _readings(self, indexes: Iterable[int]) -> Iterator[Reading]:
        return read_entries(self._log, self._run, indexes, self._reader)

    def _write_raw(self, number: int) -> None:
        job = self._run.jobs[number]
        if self._raw is None or not job.bodies or self._is_purged(job.bodies[0]):
            return
        assert self._run.started is not None
        name = f"job_{number}_raw.jsonl"
        self._folders.keep_lines(name, self._owner)
        few = self.arrivals.few_lines(number, job.bodies)
        if few is not None:
            self._put(self._raw, name, few, self._lines_written)
            return
        with self._written(os.path.join(self._raw, name), self._lines_written) as file:
            if not self.arrivals.copy_lines(number, job.bodies, file):
                for line in self._log.bodies(self._run.started.run_id, iterate(job.bodies)):
                    file.write((line or b"") + b"\n")

    def _put(self, folder: str, name: str, content: bytes, then: Callable[[], None] | None = None) -> None:
        self._files.put(folder, name, content, then)
        self.look()

    @contextmanager
    def _written(self, path: str, then: Callable[[], None] | None = None) -> Iterator[IO[bytes]]:
        with _disk_allows(path), self._files.written(path, then) as file:
            yield file
        self.look()

    def _name_all(self) -> None:
        folder = self._processed or self._raw
        if folder is not None:
            with _disk_allows(folder):
                self._files.name_all()


def _results_name(number: int) -> str:
    return f"job_{number}_results.json"


def owner_of(run: Run, memory: Process | None = None) -> Owner:
    """Return the run as a mark names it."""
    assert run.started is not None
    return Owner(run.started.run_id, run.started.tag, memory)


def prepare(settings: Settings, run: Owner | None) -> None:
    """Make the directories; `run` is None for one that is to begin.

    Raises InvalidInputError when they cannot be made or written to, or hold another run's results.
    """
    folders = Folders.of(settings)
    folders.check(run)
    make_folders(folders)


def make_folders(folders: Folders) -> None:
    """Make the directories that a run writes to.

    Raises InvalidInputError when they cannot be made or written to.
    """
    for folder in (folders.processed, folders.raw):
        try:
            if folder is not None:
                os.makedirs(folder, exist_ok=True)
                tempfile.TemporaryFile(dir=folder).close()
        except OSError as exc:
            raise InvalidInputError(
                f"results cannot be written to {folder} ({exc.strerror}); give another directory"
            ) from exc


@contextmanager
def _disk_allows(path: str) -> Iterator[None]:
    """Make a full disk an error of ours, after which the run goes on at its next start."""
    try:
        yield
    except OSError as exc:
        raise InvalidInputError(
            f"results cannot be written to {exc.filename2 or path} ({exc.strerror}); nothing is lost: the "
            "log holds them. Make room or give another directory, and start again"
        ) from exc


def _looked_at(readings: Iterable[Reading], first: int, looked: list[dict[str, Any]]) -> Iterator[Reading]:
    """Pass the readings on, and add what a person should look at to `looked`."""
    for index, reading in enumerate(readings, first):
        found = Support.of(reading)
        if found.unsupported or found.uncited:
            looked.append({"index": index, **found._asdict()})
        yield reading


def write_entries(file: IO[bytes], readings: Iterable[Reading]) -> None:
    """Write a JSON list with one `{"result": …, "citations": …}` per line; see `result_json`."""
    separator = b"[\n"
    for reading in readings:
        file.write(separator)
        file.write(b'{"result":' + result_json(reading.result, reading.text) + b',"citations":')
        file.write(encode_json(citation_values(reading.citations)) + b"}")
        separator = b",\n"
    file.write(b"\n]\n" if separator == b",\n" else b"[]\n")


def known_results(results: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the same list for results without citations, which are JSON already, some at a time."""
    between = b',"citations":null},\n{"result":'
    before = b'[\n{"result":'
    for some in batched(results, _TOGETHER):
        yield before
        yield between.join(some)
        before = between
    yield b',"citations":null}\n]\n' if results else b"[]\n"
