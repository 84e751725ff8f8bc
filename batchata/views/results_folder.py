"""Keep the folders that a run writes results to for that run alone: every other run is refused.

The mark is in the results_dir. A separate raw_results_dir has a mark only until its first lines are there:
their custom ids begin with the tag of their run, and so say whose they are.

Paths are texts here: every start looks around its folders, and Paths would take most of its time.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from batchata.core.values import Settings
from batchata.errors import InvalidInputError
from batchata.views.folder_marks import (
    CURE,
    MARK,
    Owner,
    drop_mark,
    is_of,
    mark_in,
    owner_in,
    put_mark,
    remove_mark,
)
from batchata.views.history import is_alive

_PROCESSED = re.compile(r"job_(\d+)_results\.json")
_RAW = re.compile(r"job_(\d+)_raw\.jsonl")


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders that a run writes to; None where it writes none of that kind."""

    processed: str | None
    raw: str | None
    results_dir: str | None

    @classmethod
    def of(cls, settings: Settings) -> Folders:
        """Return the folders by the settings of a start."""
        found = settings.results_dir
        return cls(
            processed=None if found is None else processed_dir(found),
            raw=raw_dir(found, settings.raw_results_dir),
            results_dir=found,
        )

    def homes(self) -> list[str]:
        """Return where marks belong: in the results_dir, and wherever else a symlink or an argument leads."""
        main = None if self.results_dir is None else os.path.realpath(self.results_dir)
        homes = [] if main is None else [main]
        for path in (self.processed, self.raw):
            if path is not None and (real := self._real(path, main)) not in homes:
                homes.append(real)
        return [home for home in homes if main is None or not _lies_in(home, main)]

    def raw_home(self) -> str | None:
        """Return the raw_results_dir where it needs a mark of its own."""
        return self._raw_home_in(self.homes())

    def _raw_home_in(self, homes: list[str]) -> str | None:
        if self.raw is None:
            return None
        real = self._real(self.raw, None if self.results_dir is None else homes[0])
        return real if real in homes and (self.results_dir is None or real != homes[0]) else None

    def _real(self, path: str, main: str | None) -> str:
        """Return where the folder really is; `main` is where the results_dir is, in which it mostly lies."""
        folder, name = os.path.split(path)
        if main is None or folder != self.results_dir or os.path.islink(path):
            return os.path.realpath(path)
        return os.path.join(main, name)

    def check(self, run: Owner | None) -> None:
        """Refuse folders with another run's results in, above or below them; None is a run that is to begin.

        Folders without a mark are taken where they hold no results, or where their lines say that they are
        this run's. A folder that many use, such as /tmp, is no run's: all below it would be.

        Raises InvalidInputError, naming the folder and its run.
        """
        self._check(self.homes(), run)

    def _check(self, homes: list[str], run: Owner | None) -> None:
        tag = None if run is None else run.tag
        for home in homes:
            _refuse_for_many(home, run)
        for home in homes:
            for place in _around(home):
                found = owner_in(place)
                if found is not None and found.tag != tag and not _is_given_up(place, found):
                    raise InvalidInputError(_taken(home, place, found))
        self._check_unmarked(homes, tag)

    def refuse_shared(self, run: Owner | None) -> None:
        """Refuse a folder that many use, such as /tmp, with an InvalidInputError."""
        for home in self.homes():
            _refuse_for_many(home, run)

    def claim(self, run: Owner) -> list[str]:
        """Mark the folders as this run's, and return where marks belong.

        Raises InvalidInputError as `check` does, also where another run was faster.
        """
        old = {home: mark_in(home) for home in self.homes()}
        homes = [*old]
        self._check(homes, run)
        raw_home = self._raw_home_in(homes)
        for home, mark in old.items():
            if is_of(home, run) or (home == raw_home and tags_in(home)):
                continue
            _sweep(home)
            if mark is not None:
                remove_mark(home, mark)
            put_mark(home, run)
        return homes

    def take(self, run: Owner) -> None:
        """Mark the folders as this run's, whatever run had them before."""
        for home in self.homes():
            _refuse_for_many(home, run)
            drop_mark(home)
            put_mark(home, run)

    def keep(self, run: Owner) -> None:
        """Check that claimed folders are still this run's; an emptied one is claimed again.

        Raises InvalidInputError.
        """
        homes = self.homes()
        raw_home = self._raw_home_in(homes)
        if any(not is_of(home, run) for home in homes if home != raw_home):
            self.claim(run)

    def keep_lines(self, name: str, run: Owner) -> None:
        """Check that a job's lines do not overwrite another run's in this file of the folder for lines.

        Raises InvalidInputError.
        """
        assert self.raw is not None
        path = os.path.join(self.raw, name)
        if os.path.exists(path) and tag_of(path) not in (None, run.tag):
            raise InvalidInputError(f"{path} holds result lines of another run; {CURE}")

    def release(self, run: Owner) -> None:
        """Release folders that hold nothing yet."""
        for home in self.homes():
            if is_of(home, run) and not holds_results(home):
                drop_mark(home)

    def lines_written(self) -> None:
        """Remove the mark of a raw_results_dir whose lines now name their run."""
        raw_home = self.raw_home()
        if raw_home is not None:
            drop_mark(raw_home)

    def _check_unmarked(self, homes: list[str], tag: str | None) -> None:
        tags = set() if self.raw is None else tags_in(self.raw)
        if tags - {tag}:
            raise InvalidInputError(
                f"{self.raw} holds result lines of another run ({', '.join(sorted(tags - {tag}))}-…); {CURE}"
            )
        if tags or self.processed is None:
            return
        # A mark is this run's here, or that of one that left nothing.
        if not any(map(owner_in, homes)) and _holds_processed(self.processed):
            raise InvalidInputError(
                f"{self.processed} holds results, and nothing in it says that they are this run's; {CURE}"
            )


def processed_dir(results_dir: str) -> str:
    """Return where the results of a run stand below its results_dir."""
    return os.path.join(results_dir, "processed")


def raw_dir(results_dir: str | None, raw_results_dir: str | None) -> str | None:
    """Return where the provider's lines stand: in a directory of their own if one is given."""
    if raw_results_dir is not None:
        return raw_results_dir
    return None if results_dir is None else os.path.join(results_dir, "raw")


def tag_of(path: str) -> str | None:
    """Return the tag of the run whose lines the file holds, if it shows.

    The first line with a custom id of our form decides; a line that belongs to no request may come first.
    """
    try:
        with open(path, "rb") as file:
            ids = (_custom_id(line) for line in file)
            return next((custom_id.split("-")[0] for custom_id in ids if custom_id.count("-") >= 2), None)
    except OSError:
        return None


def tags_in(raw: str) -> set[str]:
    """Return the tags of the runs whose lines lie in the folder."""
    return {tag for path in _named(raw, _RAW) if (tag := tag_of(path))}


def holds_results(folder: str) -> bool:
    """Whether there is a result of any run in the folder, or in its `processed` or `raw`."""
    raw = any(tags_in(place) for place in (folder, os.path.join(folder, "raw")))
    return raw or any(_holds_processed(place) for place in (folder, os.path.join(folder, "processed")))


def _holds_processed(folder: str) -> bool:
    """Whether there are processed results: unreadable files count, files of nothing but null do not."""
    return any(map(_holds_a_result, _named(folder, _PROCESSED)))


def _holds_a_result(path: str) -> bool:
    if not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return any(entry["result"] is not None for entry in json.load(file))
    except (OSError, ValueError, LookupError, TypeError):
        return True


def _custom_id(line: bytes) -> str:
    try:
        return str(json.loads(line)["custom_id"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""


def _named(folder: str, names: re.Pattern[str]) -> list[str]:
    """Return what has such a name in the folder, sorted."""
    try:
        return sorted(os.path.join(folder, name) for name in os.listdir(folder) if names.fullmatch(name))
    except OSError:
        return []


def _around(home: str) -> Iterator[str]:
    """Yield the folder, those above it, and those right in it and in its `processed` and `raw`."""
    yield home
    above, below = os.path.dirname(home), home
    while above != below:
        yield above
        above, below = os.path.dirname(above), above
    for folder in (home, os.path.join(home, "processed"), os.path.join(home, "raw")):
        try:
            with os.scandir(folder) as entries:
                folders = sorted(entry.path for entry in entries if _is_folder(entry))
        except OSError:
            continue
        yield from folders


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(entry.path))


def _lies_in(path: str, folder: str) -> bool:
    """Whether the path is below the folder; both are as they really are."""
    return os.path.normcase(path).startswith(os.path.join(os.path.normcase(folder), ""))


def _is_given_up(folder: str, owner: Owner) -> bool:
    """Whether the folder's run was kept in memory by a process that is gone, and left no result."""
    return is_alive(owner.memory) is False and not holds_results(folder)


def _is_for_many(folder: str) -> bool:
    """Whether the folder is a root, the user's home, or one in which all may write, such as /tmp."""
    try:
        is_home = folder == os.path.realpath(os.path.expanduser("~"))
        return folder == os.path.dirname(folder) or is_home or bool(os.stat(folder).st_mode & stat.S_ISVTX)
    except OSError:  # a folder that is not there yet
        return False


def _refuse_for_many(home: str, run: Owner | None) -> None:
    if not _is_for_many(home) or (run is not None and is_of(home, run)):
        return
    raise InvalidInputError(
        f"results cannot go right into {home}, which others use too: it and all below it would belong to "
        f"this run; give a folder of its own, such as {os.path.join(home, 'results')}"
    )


def _taken(home: str, place: str, owner: Owner) -> str:
    if place == home:
        where = f"{home} holds the results of the run {owner.run_id}"
    elif _lies_in(home, place):
        where = f"{home} lies in {place}, where {MARK}, processed and raw are those of the run {owner.run_id}"
    else:
        where = f"{place}, below {home}, holds the results of the run {owner.run_id}"
    return f"{where}; {CURE}"


def _sweep(home: str) -> None:
    """Remove the files of waiting items of a run that left nothing else."""
    for folder in (home, os.path.join(home, "processed")):
        for path in _named(folder, _PROCESSED):
            if os.path.isfile(path) and not _holds_a_result(path):
                with suppress(FileNotFoundError):
                    os.unlink(path)
