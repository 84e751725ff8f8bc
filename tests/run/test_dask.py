"""Runs whose work a Dask cluster of two processes does, some of which are killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fsspec")

from crash_support import OPENAI
from deadly_files import Filed
from elsewhere_support import DIES, Placed
from forked import start_zygote
from run_support import Runs

from batchata import BatchManager

COUNT = 7
# It is not imported here: each worker reads this file, and one runs it.
pytestmark = pytest.mark.skipif(find_spec("distributed") is None, reason="distributed is not installed")


@pytest.fixture(scope="module")
def executor() -> Iterator[Any]:
    """The executor of a cluster of two worker processes on loopback."""
    import dask

    start_zygote()
    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor()


def manager(runs: Runs, executor: Any, **given: Any) -> BatchManager[Any]:
    """A manager at the provider that takes files."""
    return runs.manager(
        COUNT,
        model=OPENAI,
        executor=executor,
        api_key=runs.sandbox.api_key,
        base_url=runs.sandbox.environment["OPENAI_BASE_URL"],
        **({"response_model": Filed} | given),
    )


def creates(runs: Runs) -> int:
    """How many create calls the provider saw."""
    return sum(call[:2] == ("POST", "/v1/batches") for call in runs.sandbox.exchanges)


def check_paid_once(runs: Runs) -> None:
    """Each item was billed once, and each of the three jobs was created once."""
    billed = runs.sandbox.billed()
    assert (len(billed), set(billed.values())) == (COUNT, {1})
    assert creates(runs) == runs.types().count("batch_submitted") == 3


def test_a_worker_that_dies_over_results_costs_nothing(runs: Runs, tmp_path: Path, executor: Any) -> None:
    """The cluster gives its work to another; every answer was read there, and each was paid once."""
    told = [f"{DIES}{tmp_path / 'died'}", *(f"message {number}" for number in range(1, COUNT))]
    made = manager(runs, executor, messages=[[{"role": "user", "content": text}] for text in told])
    assert made.run()["completed_items"] == COUNT
    assert (tmp_path / "died").exists()
    found = [entry["result"] for entry in made.results()]
    assert [each.said for each in found] == told
    assert os.getpid() not in {each.pid for each in found}
    check_paid_once(runs)


def test_a_worker_that_dies_while_it_builds_costs_nothing(runs: Runs, tmp_path: Path, executor: Any) -> None:
    """Workers read files and upload them: what a dead one had done is done again, and created once."""
    for number in range(COUNT):
        (tmp_path / f"{number}.txt").write_text(f"document {number}")
    files = [f"deadly:/{tmp_path / f'{number}.txt'}" for number in range(COUNT)]
    made = manager(runs, executor, messages=None, files=files, prompt="Say what it says.")
    (tmp_path / "armed").touch()
    assert made.run()["completed_items"] == COUNT
    assert not (tmp_path / "armed").exists()
    assert all(f"document {n}" in entry["result"].said for n, entry in enumerate(made.results()))
    check_paid_once(runs)


def _local() -> type[Placed]:
    class Local(Placed):
        pass

    return Local


def test_a_class_of_the_script_is_sent_as_it_is(runs: Runs, executor: Any) -> None:
    """As one of a notebook, which no worker could import: its results are instances of it all the same."""
    model = _local()
    made = manager(runs, executor, response_model=model)
    assert made.run()["completed_items"] == COUNT
    found = [entry["result"] for entry in made.results()]
    assert {type(each) for each in found} == {model}
    assert os.getpid() not in {each.pid for each in found}
