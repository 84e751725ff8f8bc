"""What Python's garbage collector looks through while a run makes thousands of objects."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_PYTHONS_OWN = 2_000  # objects that the interpreter itself may leave out when it starts; 375 in 3.12


@contextmanager
def out_of_collections() -> Iterator[None]:
    """Leave all objects that exist now out of garbage collections inside the block.

    One look through all that modules have made takes as long as many items of a run. Where something is left
    out already, by the program itself or by another run, nothing changes.
    """
    if gc.get_freeze_count() > _PYTHONS_OWN:
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
