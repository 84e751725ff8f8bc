"""What Python's garbage collector looks through while a run makes thousands of objects."""

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
