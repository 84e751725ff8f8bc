"""Two runs over the same inputs side by side, and how they do against known values."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pydantic
import pytest
from report_support import words
from typer.testing import CliRunner

import batchata.replay
from batchata import BatchManager, InvalidInputError
from batchata.replay.cli import app
from batchata.sandbox import Request, Sandbox
from batchata.views.comparison import Side, compare_sides
from batchata.views.known_values import Known, labels_of, mcnemar, wilson

COUNT = 6


class Bill(pydantic.BaseModel):
    vendor: str
    total: float
    note: str | None = None


def _answer(request: Request, *, is_good: bool) -> dict[str, Any]:
    """The bad one reads other totals of the even documents, and a note where there is none."""
    number = int(request.text.split()[-1])
    if is_good or number % 2:
        return {"vendor": "Acme", "total": 10.0 + number}
    return {"vendor": "ACME", "total": 99.0, "note": "odd"}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with a good and a bad run over the same messages; the bad one has one message less."""
    path = tmp_path_factory.mktemp("compare") / "runs.db"
    for name, count in (("good", COUNT), ("bad", COUNT - 1)):
        with Sandbox(lambda request, name=name: _answer(request, is_good=name == "good")) as sandbox:
            BatchManager(
                messages=[[{"role": "user", "content": f"bill {n}"}] for n in range(count)],
                model="claude-sonnet-5-5",
                response_model=Bill,
                state_path=path,
                run_id=name,
                poll_interval=0.01,
                api_key="k",
                base_url=sandbox.url,
            ).run()
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """What is true of every bill, as a table."""
    path = tmp_path / "known.csv"
    rows = [f'{n},Acme,"{10 + n}.00"' for n in range(COUNT - 1)]
    path.write_text("\n".join(["index,vendor,total", *rows]))
    return path


def test_fields_are_compared_over_the_inputs_that_both_have(log: Path) -> None:
    """Equal, different, or in one run alone; the items that differ most come first."""
    found = batchata.replay.compare(log, runs=["good", "bad"])
    assert (found.pairs, found.unpaired) == (COUNT - 1, (1, 0))
    counts = {f.path: (f.agree, f.differ, f.only_first, f.only_second) for f in found.fields}
    assert counts == {"vendor": (2, 3, 0, 0), "total": (2, 3, 0, 0), "note": (0, 0, 0, 3)}
    assert [(item.first, item.second, len(item.fields)) for item in found.items] == [
        (0, 0, 3),
        (2, 2, 3),
        (4, 4, 3),
    ]
    good, bad = found.sides
    assert (good.completed, bad.completed, good.failures) == (COUNT, COUNT - 1, {})
    assert good.cost is not None
    assert bad.cost is not None
    assert good.cost > bad.cost > 0


def _side(*answers: tuple[str, str]) -> Side:
    """A run that read these values from inputs with these digests."""
    items = [Known(n, (), of, "completed", {"total": total}, {}) for n, (of, total) in enumerate(answers)]
    return Side("run", "model", len(items), len(items), 0, 0, {}, 0, 0, {}, Decimal(0), 1.0, items)


def test_equal_inputs_are_paired_in_their_order() -> None:
    """The first of one run with the first of the other, whatever stands between them."""
    first = _side(("same", "1"), ("other", "7"), ("same", "2"), ("same", "3"))
    second = _side(("same", "1"), ("same", "2"), ("other", "8"))
    found = compare_sides([first, second])
    assert (found.pairs, found.unpaired) == (3, (1, 0))
    assert [(item.first, item.second) for item in found.items] == [(1, 2)]


def test_known_values_tell_which_run_reads_better(log: Path, labels: Path) -> None:
    """Equal texts and equal by normal form are told apart, and so is chance."""
    found = batchata.replay.compare(log, runs=["good", "bad"], labels=labels)
    good, bad = ({s.path: s for s in side} for side in found.scores)
    assert (good["vendor"].exact, good["vendor"].right, good["total"].right) == (5, 5, 5)
    assert (bad["vendor"].exact, bad["vendor"].right) == (2, 5)
    assert (bad["total"].right, bad["total"].wrong, bad["total"].missing) == (2, 3, 0)
    assert bad["total"].low < 2 / 5 < bad["total"].high
    contests = {c.path: (c.only_first, c.only_second, c.p) for c in found.contests}
    assert contests == {"vendor": (0, 0, 1.0), "total": (3, 0, 0.25)}


def test_labels_are_also_json_lines_for_one_run_alone(log: Path, tmp_path: Path) -> None:
    """What is left out or null is not labelled; what the run does not have is missing."""
    path = tmp_path / "known.jsonl"
    rows = [{"index": 0, "total": 10, "note": "x"}, {"item": 1, "vendor": None, "total": 12}]
    path.write_text("\n".join(map(json.dumps, rows)))
    (scores,) = batchata.replay.compare(log, runs=["good"], labels=path).scores
    told = {s.path: (s.labels, s.right, s.wrong, s.missing) for s in scores}
    assert told == {"total": (2, 1, 1, 0), "note": (1, 0, 0, 1)}


@pytest.mark.parametrize(
    ("column", "first"), [("index", "0"), ("key", "B-0"), ("id", "B-0"), ("file", "0.txt"), ("name", "0.txt")]
)
def test_labels_find_their_items_by_index_key_or_file(column: str, first: str) -> None:
    """In a column of any of these names; two items of one name need the index."""
    items = [Known(n, (f"B-{n}", f"{n}.txt"), str(n), "completed", {"total": "1"}, {}) for n in range(2)]
    assert labels_of([{column: first, "total": "1"}], items, []) == {0: {"total": "1"}}
    alike = [Known(n, ("same",), str(n), "completed", {"total": "1"}, {}) for n in range(2)]
    with pytest.raises(InvalidInputError, match="the name of 2 items of the run; use the column index"):
        labels_of([{"key": "same", "total": "1"}], alike, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("index,total\n17,1", "item '17'; the run has 0 to 5"),
        ("index,totl\n1,1", "not fields of the results: totl; the fields are note, total, vendor"),
        ("file,total\nx.pdf,1", "'x.pdf', the name of no item"),
        ("total\n1", "no column index, key or file"),
        ("index,total\n1,1,2", "does not have as many cells as the header"),
    ],
)
def test_labels_that_do_not_fit_are_refused(log: Path, tmp_path: Path, text: str, said: str) -> None:
    """With what is there instead."""
    path = tmp_path / "known.csv"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=said.replace("'", ".")):
        batchata.replay.compare(log, runs=["good"], labels=path)


def test_the_command_prints_it(log: Path, labels: Path) -> None:
    """As text and as JSON; a run without a second one needs labels."""

    def call(*args: str, code: int = 0) -> str:
        found = CliRunner().invoke(app, ["compare", str(log), *args], env={"COLUMNS": "200"})
        assert found.exit_code == code, found.output
        return found.output

    text = call("good", "bad", "--labels", str(labels))
    assert "5 inputs in both; 1 and 0 in one alone" in text
    assert "total: 10.0 | 99.0" in text
    assert "0.250" in text
    said = json.loads(call("good", "bad", "--with", str(log), "--json"))
    assert (said["pairs"], said["sides"][0]["run_id"], said["scores"]) == (5, "good", [])
    assert "--labels" in call("good", code=2)
    assert "nobody" in call("good", "nobody", code=2)


def test_few_labels_say_little() -> None:
    """The bounds of Wilson's interval and McNemar's exact test, by the books."""
    low, high = wilson(20, 20)
    assert (round(low, 4), high) == (0.8389, 1.0)
    assert [round(share, 4) for share in wilson(8, 10)] == [0.4902, 0.9433]
    assert wilson(0, 0) == (0.0, 1.0)
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 0) == 0.0625
    assert round(mcnemar(10, 2), 4) == 0.0386


def test_a_comparison_is_a_page_to_pass_on(log: Path, labels: Path, tmp_path: Path) -> None:
    """What is printed, without a script; only a page of ours is written over."""
    out = tmp_path / "compared.html"
    args = ["compare", str(log), "good", "bad", "--labels", str(labels), "--html", str(out)]
    for _ in range(2):
        done = CliRunner().invoke(app, args)
        assert done.exit_code == 0, done.output
    page = out.read_text()
    assert "<script" not in page.replace("script-src", "")
    assert "script-src &#39;none&#39;" in page
    told = words(page)
    assert "5 inputs in both; 1 and 0 in one alone" in told
    assert "first: good , claude-sonnet-5-5 , 6 items" in " ".join(told.split())
    assert "5 (57-100 %), 5 exact" in told
    assert "99.0" in told
    (tmp_path / "mine.html").write_text("mine")
    other = CliRunner().invoke(app, [*args[:-1], str(tmp_path / "mine.html")])
    assert (other.exit_code, (tmp_path / "mine.html").read_text()) == (2, "mine")
    assert CliRunner().invoke(app, [*args, "--json"]).exit_code == 2


def test_markup_in_values_stays_letters_on_the_page(tmp_path: Path) -> None:
    """A value, a run's name and a passage that are markup are shown as they are."""
    log, out = tmp_path / "runs.db", tmp_path / "out.html"
    for name in ("a<b>", "c"):
        said = f"<script>{name}</script>"
        with Sandbox(lambda _, said=said: {"vendor": said, "total": 1.0}) as sandbox:
            BatchManager(
                messages=[[{"role": "user", "content": "bill"}]],
                model="claude-sonnet-5-5",
                response_model=Bill,
                state_path=log,
                run_id=name,
                poll_interval=0.01,
                api_key="k",
                base_url=sandbox.url,
            ).run()
    done = CliRunner().invoke(app, ["compare", str(log), "a<b>", "c", "--html", str(out)])
    assert done.exit_code == 0, done.output
    assert "<script>" not in out.read_text()
    assert "<script>a<b></script>" in words(out.read_text())


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
def test_the_same_inputs_through_three_providers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one log, items are paired by what was asked, and costs are exact."""
    log, models = tmp_path / "runs.db", ["claude-sonnet-5-5", "gpt-6-sol", "gemini-4-argon"]
    with Sandbox(lambda request: _answer(request, is_good=request.model != models[1])) as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        spent = [
            BatchManager(
                messages=[f"bill {n}" for n in range(4)],
                system="Read the bill.",
                model=model,
                response_model=Bill,
                state_path=log,
                run_id=model,
                poll_interval=0.01,
            ).run()["total_cost"]
            for model in models
        ]
    for other in models[1:]:
        told = CliRunner().invoke(app, ["compare", str(log), models[0], other, "--json"])
        found = json.loads(told.stdout)
        costs = [Decimal(side["cost"]) for side in found["sides"]]
        assert (found["pairs"], costs) == (4, [spent[0], spent[models.index(other)]])
        differ = {field["path"]: field["differ"] for field in found["fields"]}
        assert differ["total"] == (2 if other == models[1] else 0)
