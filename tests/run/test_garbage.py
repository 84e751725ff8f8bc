"""Garbage collections: none while modules are imported, and none through what stood before a run."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from run_support import Runs

from batchata import garbage
from batchata.garbage import no_collections, out_of_collections


@pytest.fixture
def thawed() -> Iterator[None]:
    """Nothing is left out of collections, as in a program; the process of the tests has frozen itself."""
    gc.unfreeze()
    garbage._by_the_program.clear()
    yield
    gc.freeze()


@pytest.mark.usefixtures("thawed")
def test_what_a_run_leaves_out_of_collections_is_looked_at_again_afterwards(runs: Runs) -> None:
    """Also when the run ends with an error; and what the program itself left out stays so."""
    with out_of_collections():
        assert gc.get_freeze_count() > len(gc.get_objects())
    assert gc.get_freeze_count() == 0
    runs.manager(count=2).run()
    assert gc.get_freeze_count() == 0
    with pytest.raises(RecursionError), out_of_collections():
        raise RecursionError
    assert gc.get_freeze_count() == 0
    gc.freeze()
    try:
        with out_of_collections():
            pass
        assert gc.get_freeze_count() > len(gc.get_objects())
    finally:
        gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_what_an_import_makes_is_not_looked_through_again_and_again() -> None:
    """Nothing is collected meanwhile, and the next collection of young objects begins without it."""
    before = [each["collections"] for each in gc.get_stats()]
    with no_collections(), no_collections():
        made = [[number] for number in range(50_000)]
        assert not gc.isenabled()
    assert gc.isenabled()
    assert [each["collections"] for each in gc.get_stats()] == before
    young = {id(each) for each in (*gc.get_objects(0), *gc.get_objects(1))}
    assert not any(id(each) in young for each in made)
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("thawed")
def test_an_import_leaves_collections_as_the_program_has_set_them() -> None:
    """Off stays off; what the program left out stays out, and what a run leaves out grows."""
    gc.disable()
    try:
        with no_collections():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
    with out_of_collections():
        left_out = gc.get_freeze_count()
        with no_collections():
            made = [[number] for number in range(100)]
        assert gc.get_freeze_count() >= left_out + len(made)
    left_out_by_the_program = [gc]  # one of those; their count falls whenever one of them ends
    gc.freeze()
    try:
        with no_collections():
            made_inside = [gc]
        looked_at = {id(each) for each in gc.get_objects()}
        assert id(made_inside) in looked_at
        assert id(left_out_by_the_program) not in looked_at
    finally:
        gc.unfreeze()
