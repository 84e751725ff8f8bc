"""How a folder is made ready for an export: what lies there already is not ours to overwrite."""

from __future__ import annotations

import re
from pathlib import Path

from batchata.errors import InvalidInputError

_OURS = {"processed": re.compile(r"job_\d+_results\.json"), "raw": re.compile(r"job_\d+_raw\.jsonl")}


def make_room(folder: Path, format: str, *, force: bool) -> None:
    """See to it that nothing is overwritten unasked, and that no older results stay among the new ones.

    With `force`, results that an earlier export or a run wrote there are replaced: their files are removed.
    Raises InvalidInputError for what is in the way.
    """
    try:
        _check(folder, format, force)
    except OSError as exc:
        raise InvalidInputError(
            f"{exc.filename} cannot be used ({exc.strerror}); give another folder"
        ) from exc


def _written_to(folder: Path, format: str) -> list[Path]:
    """What an export makes or replaces below the folder."""
    if format != "json":
        return [folder / f"results.{format}"]
    inside = [folder / name for name in _OURS]
    return [*inside, *(path for home in inside if not home.is_symlink() for path in home.glob("*"))]


def _check(folder: Path, format: str, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"{folder} is a file; give a folder")
    linked = [path for path in _written_to(folder, format) if path.is_symlink()]
    if linked:
        raise InvalidInputError(
            f"{linked[0]} is a link, and what is written there would land elsewhere; give another folder"
        )
    if format != "json":
        path = folder / f"results.{format}"
        if path.is_dir():
            raise InvalidInputError(f"{path} is a folder; give another folder")
        if path.exists() and not force:
            raise InvalidInputError(f"{path} is there already; give another folder, or --force to replace it")
        return
    older = [path for name in _OURS for path in sorted((folder / name).glob("*"))]
    foreign = [path for path in older if not _OURS[path.parent.name].fullmatch(path.name)]
    if foreign:
        raise InvalidInputError(f"{foreign[0]} is none of our files; give another folder")
    if older and not force:
        raise InvalidInputError(
            f"{folder} holds results already ({older[0].name}, …); "
            "give another folder, or --force to replace them"
        )
    for path in older:
        path.unlink()
