"""Keep the folders that a run writes results to for that run alone: every other run is refused.

The mark is in the results_dir. A separate raw_results_dir has a mark only until its first lines are there:
their custom ids begin with the tag of their run, and so say whose they are.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from batchata.core.values import Settings
from batchata.errors import InvalidInputError
from batchata.views.folder_marks import CURE, MARK, Owner, is_of, mark_in, owner_in, put_mark, remove_mark
from batchata.views.history import is_alive

_PROCESSED = re.compile(r"job_(\d+)_results\.json")
_RAW = re.compile(r"job_(\d+)_raw\.jsonl")


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders that a run writes to; None where it writes none of that kind."""

    processed: Path | None
    raw: Path | None
    results_dir: Path | None

    @classmethod
    def of(cls, settings: Settings) -> Folders:
        """Return the folders by the settings of a start."""
        found = settings.results_dir
        return cls(
            processed=None if found is None else processed_dir(found),
            raw=raw_dir(found, settings.raw_results_dir),
            results_dir=None if found is None else Path(found),
        )

    @property
    def homes(self) -> list[Path]:
        """Return where marks belong: in the results_dir, and wherever else a symlink or an argument leads."""
        real = [path.resolve() for path in (self.results_dir, self.processed, self.raw) if path is not None]
        main = real[0] if self.results_dir is not None else None
        return [path for path in dict.fromkeys(real) if main not in path.parents]

    @property
    def raw_home(self) -> Path | None:
        """Return the raw_results_dir where it needs a mark of its own."""
        if self.raw is None:
            return None
        real, homes = self.raw.resolve(), self.homes
        return real if real in homes and (self.results_dir is None or real != homes[0]) else None

    def check(self, run: Owner | None) -> None:
        """Refuse folders with another run's results in, above or below them; None is a run that is to begin.

        Folders without a mark are taken where they hold no results, or where their lines say that they are
        this run's. A folder that many use, such as /tmp, is no run's: all below it would be.

        Raises InvalidInputError, naming the folder and its run.
        """
        tag = None if run is None else run.tag
        self.refuse_shared(run)
        for home in self.homes:
            for place in self._around(home):
                found = owner_in(place)
                if found is not None and found.tag != tag and not _is_given_up(place, found):
                    raise InvalidInputError(_taken(home, place, found))
        self._check_unmarked(tag)

    def refuse_shared(self, run: Owner | None) -> None:
        """Refuse a folder that many use, such as /tmp, with an InvalidInputError."""
        for home in self.homes:
            _refuse_for_many(home, run)

    def claim(self, run: Owner) -> None:
        """Mark the folders as this run's.

        Raises InvalidInputError as `check` does, also where another run was faster.
        """
        old = {home: mark_in(home) for home in self.homes}
        self.check(run)
        for home, mark in old.items():
            if is_of(home, run) or (home == self.raw_home and tags_in(home)):
                continue
            _sweep(home)
            if mark is not None:
                remove_mark(home, mark)
            put_mark(home, run)

    def take(self, run: Owner) -> None:
        """Mark the folders as this run's, whatever run had them before."""
        for home in self.homes:
            _refuse_for_many(home, run)
            (home / MARK).unlink(missing_ok=True)
            put_mark(home, run)

    def keep(self, run: Owner) -> None:
        """Check that claimed folders are still this run's; an emptied one is claimed again.

        Raises InvalidInputError.
        """
        raw_home = self.raw_home
        if any(not is_of(home, run) for home in self.homes if home != raw_home):
            self.claim(run)

    def keep_lines(self, name: str, run: Owner) -> None:
        """Check that a job's lines do not overwrite another run's in this file of the folder for lines.

        Raises InvalidInputError.
        """
        assert self.raw is not None
        if not os.path.exists(f"{self.raw}/{name}"):  # noqa: PTH110 - a Path costs as much as the call
            return
        path = self.raw / name
        if tag_of(path) not in (None, run.tag):
            raise InvalidInputError(f"{path} holds result lines of another run; {CURE}")

    def release(self, run: Owner) -> None:
        """Release folders that hold nothing yet."""
        for home in self.homes:
            if is_of(home, run) and not holds_results(home):
                (home / MARK).unlink(missing_ok=True)

    def lines_written(self) -> None:
        """Remove the mark of a raw_results_dir whose lines now name their run."""
        if self.raw_home is not None:
            (self.raw_home / MARK).unlink(missing_ok=True)

    def _around(self, home: Path) -> Iterator[Path]:
        yield home
        yield from home.parents
        for folder in (home, home / "processed", home / "raw"):
            yield from (path for path in _entries(folder) if path.is_dir())

    def _check_unmarked(self, tag: str | None) -> None:
        tags = set() if self.raw is None else tags_in(self.raw)
        if tags - {tag}:
            raise InvalidInputError(
                f"{self.raw} holds result lines of another run ({', '.join(sorted(tags - {tag}))}-…); {CURE}"
            )
        marked = any(owner_in(home) for home in self.homes)  # as this run's, or by one that left nothing
        if self.processed is not None and not marked and not tags and _holds_processed(self.processed):
            raise InvalidInputError(
                f"{self.processed} holds results, and nothing in it says that they are this run's; {CURE}"
            )


def processed_dir(results_dir: str) -> Path:
    """Return where the results of a run stand below its results_dir."""
    return Path(results_dir) / "processed"


def raw_dir(results_dir: str | None, raw_results_dir: str | None) -> Path | None:
    """Return where the provider's lines stand: in a directory of their own if one is given."""
    if raw_results_dir is not None:
        return Path(raw_results_dir)
    return None if results_dir is None else Path(results_dir) / "raw"


def tag_of(path: Path) -> str | None:
    """Return the tag of the run whose lines the file holds, if it shows.

    The first line with a custom id of our form decides; a line that belongs to no request may come first.
    """
    try:
        with path.open("rb") as file:
            ids = (_custom_id(line) for line in file)
            return next((custom_id.split("-")[0] for custom_id in ids if custom_id.count("-") >= 2), None)
    except OSError:
        return None


def tags_in(raw: Path) -> set[str]:
    """Return the tags of the runs whose lines lie in the folder."""
    return {tag for path in _entries(raw) if _RAW.fullmatch(path.name) and (tag := tag_of(path))}


def holds_results(folder: Path) -> bool:
    """Whether there is a result of any run in the folder, or in its `processed` or `raw`."""
    raw = any(tags_in(place) for place in (folder, folder / "raw"))
    return raw or any(_holds_processed(place) for place in (folder, folder / "processed"))


def _holds_processed(folder: Path) -> bool:
    """Whether there are processed results: unreadable files count, files of nothing but null do not."""
    return any(_holds_a_result(path) for path in _entries(folder) if _PROCESSED.fullmatch(path.name))


def _holds_a_result(path: Path) -> bool:
    try:
        return path.is_file() and any(entry["result"] is not None for entry in json.loads(path.read_bytes()))
    except (OSError, ValueError, LookupError, TypeError):
        return True


def _custom_id(line: bytes) -> str:
    try:
        return str(json.loads(line)["custom_id"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _is_given_up(folder: Path, owner: Owner) -> bool:
    """Whether the folder's run was kept in memory by a process that is gone, and left no result."""
    return is_alive(owner.memory) is False and not holds_results(folder)


def _is_for_many(folder: Path) -> bool:
    """Whether the folder is a root, the user's home, or one in which all may write, such as /tmp."""
    try:
        return folder in (Path(folder.anchor), Path.home().resolve()) or bool(
            folder.stat().st_mode & stat.S_ISVTX
        )
    except (OSError, RuntimeError):  # a folder that is not there yet; an account without a home
        return False


def _refuse_for_many(home: Path, run: Owner | None) -> None:
    if not _is_for_many(home) or (run is not None and is_of(home, run)):
        return
    raise InvalidInputError(
        f"results cannot go right into {home}, which others use too: it and all below it would belong to "
        f"this run; give a folder of its own, such as {home / 'results'}"
    )


def _taken(home: Path, place: Path, owner: Owner) -> str:
    if place == home:
        where = f"{home} holds the results of the run {owner.run_id}"
    elif place in home.parents:
        where = f"{home} lies in {place}, where {MARK}, processed and raw are those of the run {owner.run_id}"
    else:
        where = f"{place}, below {home}, holds the results of the run {owner.run_id}"
    return f"{where}; {CURE}"


def _sweep(home: Path) -> None:
    """Remove the files of waiting items of a run that left nothing else."""
    for folder in (home, home / "processed"):
        for path in _entries(folder):
            if _PROCESSED.fullmatch(path.name) and path.is_file() and not _holds_a_result(path):
                path.unlink(missing_ok=True)
