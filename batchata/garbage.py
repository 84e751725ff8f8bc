"""Spare the garbage collector what stays: the modules that are imported, and all that stood before a run."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PYTHONS_OWN = 2_000  # objects that the interpreter itself may leave out when it starts; 375 in 3.12


# To count what is left out means to walk through it: tens of milliseconds in a program that did it itself.
_by_the_program = threading.Event()
_by_a_run = threading.Event()


@contextmanager
def no_collections() -> Iterator[None]:
    """Collect no garbage inside the block, which imports modules: nearly all that they make stays.

    To look through it again and again is a tenth of what it takes to import an SDK. Afterwards it counts as
    old, so that the next collection of young objects does not begin with all of it. Where the program has
    switched collections off, they stay off.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        _make_old()
        gc.enable()


def _make_old() -> None:
    """Move all objects to the oldest generation without a look at them, or to what a run has left out."""
    if _by_a_run.is_set():
        gc.freeze()
    elif not _is_done_by_the_program():
        gc.freeze()
        gc.unfreeze()


@contextmanager
def out_of_collections() -> Iterator[None]:
    """Leave all objects that exist now out of garbage collections inside the block.

    One look through all that modules have made takes as long as many items of a run. Where something is left
    out already, by the program itself or by another run, nothing changes.
    """
    if _by_a_run.is_set() or _is_done_by_the_program():
        yield
        return
    gc.freeze()
    _by_a_run.set()
    try:
        yield
    finally:
        _by_a_run.clear()
        gc.unfreeze()


def _is_done_by_the_program() -> bool:
    if not _by_the_program.is_set() and gc.get_freeze_count() > _PYTHONS_OWN:
        _by_the_program.set()
    return _by_the_program.is_set()
