"""The README's code runs as it is pasted, and what it names exists."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
import typer
from forked import run
from typer.testing import CliRunner

import batchata
import batchata.sandbox
from batchata.cli.app import app
from batchata.providers.openai.services import SERVICES
from batchata.sandbox import Sandbox

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^## (.+)$", README, re.MULTILINE)


def test_the_first_python_block_runs_as_pasted(sandbox: Sandbox, tmp_path: Path) -> None:
    """Someone pastes the first screen into a file and gets typed, cited results with their cost."""
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    done = run(["-c", code], cwd=tmp_path, check=True)
    assert "vendor='Brightwater Software Inc.' invoice_number='BW-10982' total=857.0 [2] 0.0" in done.stdout
    assert "2/2 items" in done.stderr


def test_the_first_python_block_is_checked_by_a_type_checker() -> None:
    """`make check` runs mypy strictly on the folder `typed`; one file of it is the first screen."""
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    assert code == (REPOSITORY / "tests" / "typed" / "first_screen.py").read_text(encoding="utf-8")


def test_the_citations_that_are_shown_are_those_of_the_first_block(sandbox: Sandbox, tmp_path: Path) -> None:
    """The loop behind it prints to the character what the README says."""
    found = re.findall(r"```\w*\n(.*?)```", README, re.DOTALL)
    shown = next(n for n, block in enumerate(found) if "c.grounded" in block)
    code = next(block for block in found if "BatchManager(" in block) + found[shown]
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    done = run(["-c", code], cwd=tmp_path)
    assert done.stdout.endswith(found[shown + 1]), done.stderr


def block_below(heading: str) -> str:
    """The first Python block below a heading."""
    return re.findall(r"```python\n(.*?)```", README.split(f"\n## {heading}\n")[1], re.DOTALL)[0]


def test_every_service_is_in_the_tables_of_providers() -> None:
    """Its name, and its key unless that is called like it; what each promise comes to there."""
    names, _, promises = re.findall(r"(?:^\|.*\n)+", README.split("\n## Providers\n")[1], re.MULTILINE)[:3]
    assert [name for name in SERVICES if f"`{name}/" not in names] == []
    keys = {service.key for name, service in SERVICES.items() if service.key != f"{name.upper()}_API_KEY"}
    assert [key for key in keys if f"`{key}`" not in names and key] == []
    heads = promises.partition("\n")[0].lower()
    assert [name for name in SERVICES.keys() - {"jsonl"} if name.split("-")[-1] not in heads] == []


def test_the_recipes_run_as_pasted(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table of documents, labels of texts, and a run that is sent by one start and collected by another."""
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    monkeypatch.chdir(tmp_path)
    first = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    run_here(first + block_below("Documents into a table"))
    assert "invoice-brightwater.pdf | total | 857.0 | 2 | Amount due: $857.00" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.glob("out/*")) == ["results.csv", "results_citations.csv"]
    run_here(block_below("Texts into labels"))
    told = capsys.readouterr().out
    assert "Is this spam? Win money" in told
    assert re.search(r"^1 Win money (True|False) 0\.0\d+$", told, re.MULTILINE)
    for arguments in ([], ["later"]):
        monkeypatch.setattr(sys, "argv", ["night.py", *arguments])
        run_here(block_below("Submit now, collect tomorrow"))
    assert batchata.BatchManager.open("night.db").stats()["completed_items"] == 1
    batchata.sandbox.use(state="sandbox").stop()


def test_the_short_blocks_run_with_their_dots_filled_in(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each argument is one that there is, and what is given is taken: prices, inputs, submit and collect."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pdf").symlink_to(REPOSITORY / "examples" / "documents" / "invoice-brightwater.pdf")
    (tmp_path / "b.md").write_text("# Notes")
    (tmp_path / "reviews.csv").write_text("id,text\n1,Nice\n")
    blocks = [each for each in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "...," in each]
    short = [each for each in blocks if "dask" not in each and "Sandbox(" not in each]
    assert len(short) == 3
    for block in short:
        given = 'model="claude-sonnet-5-5"'
        filled = block.replace(", ...]", "]").replace("model=..., ...", given)
        filled = re.sub(r"\(\s*\.\.\.,", f'(messages=["hi"], {given},', filled)
        assert "..." not in filled
        run_here(
            "from pathlib import Path\nfrom batchata import BatchManager\npng_bytes = b'a text'\n" + filled
        )
    assert batchata.BatchManager.open("night.db").run()["completed_items"] == 1


def test_the_commands_of_the_readme_have_the_options_that_it_names() -> None:
    """Every line that begins with `batchata`, as the command line reads it."""
    lines = re.findall(r"^batchata (.*?)(?:   *#.*)?$", README, re.MULTILINE)
    assert len(lines) > 12
    command = typer.main.get_command(app)
    for line in lines:
        name, *words = shlex.split(line.replace("…", ""))
        found = command.commands[name]  # type: ignore[attr-defined]
        found.make_parser(typer.Context(found)).parse_args(words)


def test_the_commands_without_code_run_as_pasted_one_after_the_other(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder with two PDFs, a table and `shop.py`, none is refused for what another left there."""
    for folder in ("inbox", "done"):
        (tmp_path / folder).mkdir()
    for name in ("invoice-brightwater.pdf", "invoice-harbor-lane.pdf"):
        (tmp_path / "inbox" / name).symlink_to(REPOSITORY / "examples" / "documents" / name)
    (tmp_path / "rows.csv").write_text("id,text\n1,Nice\n")
    (tmp_path / "shop.py").write_text(
        "from pydantic import BaseModel\nclass Invoice(BaseModel):\n    vendor: str\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])  # as an installed command has it
    block = re.search(r"\n## Without code\n+```bash\n(.*?)```", README, re.DOTALL)
    assert block is not None
    for line in block[1].splitlines():
        done = CliRunner().invoke(app, shlex.split(line, comments=True)[1:], prog_name="batchata")
        assert done.exit_code == 0, (line, done.output)
    assert sum(sandbox.billed().values()) == 5
    assert {"out.csv", "labels.csv"} <= {path.name for path in tmp_path.iterdir()}


def run_here(code: str) -> None:
    """Run a script in this process, as its own module."""
    exec(compile(code, "<README>", "exec", dont_inherit=True), {"__name__": "__main__"})


def test_the_contents_lead_to_headings_that_are_there() -> None:
    """An anchor is its heading in lower case, with hyphens, and without commas and colons."""
    anchors = {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in HEADINGS}
    linked = re.findall(r"\]\(#([\w-]+)\)", README)
    assert len(linked) > 10
    assert [link for link in linked if link not in anchors] == []


def test_the_sandbox_block_runs_as_pasted() -> None:
    """The sandbox's few lines work without anything set up."""
    code = next(b for b in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "Sandbox(" in b)
    run(["-c", code], check=True)


def test_every_file_that_the_readme_names_exists() -> None:
    """Examples, links and folders are where they are said to be."""
    named = re.findall(r"`(examples/[\w/.-]+)`", README) + re.findall(r"\]\(([A-Z]+\.md)\)", README)
    assert len(named) >= 9
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


def test_the_make_targets_that_the_readme_names_exist() -> None:
    """`make demo`, `make test`, `make check`, `make bench` and `make wheel`."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:`|^)make (\w+)", README, re.MULTILINE))
    assert {"demo", "test", "check", "bench", "wheel"} <= targets
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


def test_what_is_told_to_language_models_runs_as_pasted(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The code of llms.txt completes, and the methods and files that it names are there."""
    told = (REPOSITORY / "llms.txt").read_text(encoding="utf-8")
    for name, document in (("a.pdf", "invoice-brightwater.pdf"), ("b.pdf", "invoice-harbor-lane.pdf")):
        (tmp_path / name).symlink_to(REPOSITORY / "examples" / "documents" / document)
    monkeypatch.chdir(tmp_path)
    run_here(re.findall(r"```python\n(.*?)```", told, re.DOTALL)[0])
    assert len(capsys.readouterr().out.splitlines()) == 2
    methods = set(re.findall(r"(?:manager|BatchManager)\.(\w+)\(", told))
    assert {name for name in methods if not hasattr(batchata.BatchManager, name)} == set()
    assert [path for path in re.findall(r"\]\((.*?)\)", told) if not (REPOSITORY / path).exists()] == []
