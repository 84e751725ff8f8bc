"""Who may import whom, what importing Batchata costs, and that its public names are what they say."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TypeGuard

import pytest
from source_trees import nodes_in

import batchata
import batchata.replay
from batchata import errors
from batchata.core import error_kinds

ROOT = Path(__file__).resolve().parents[1]

# From the bottom up. A module imports from its own part and from the layers below.
LAYERS = [
    [
        "batchata.errors",
        "batchata.clock",
        "batchata.garbage",
        "batchata.pdfium",
        "batchata.examples_launcher",
    ],
    ["batchata.core", "batchata.text", "batchata.logs", "batchata.paths"],
    ["batchata.inputs", "batchata.answers", "batchata.log", "batchata.providers"],
    ["batchata.views", "batchata.terminal"],
    ["batchata.run"],
    ["batchata.replay"],
    ["batchata.run_results"],
    ["batchata.manager"],
    ["batchata.job"],
    ["batchata.cli"],
    ["batchata.jsonl"],
    ["batchata", "batchata.__main__"],
]
# Between neighbours of one layer only these.
SIDEWAYS = {
    ("batchata.text", "batchata.core"),
    ("batchata.core", "batchata.text"),
    ("batchata.paths", "batchata.text"),
    ("batchata.inputs", "batchata.log"),
    ("batchata.providers", "batchata.answers"),
    ("batchata.providers", "batchata.inputs"),
    ("batchata.terminal", "batchata.views"),
}
PURE = {
    "array",
    "bisect",
    "collections",
    "dataclasses",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "itertools",
    "math",
    "msgspec",
    "operator",
    "re",
    "types",
    "typing",
}
PURE_OUTPUT = PURE | {"difflib", "html", "json", "pydantic", "string", "textwrap", "unicodedata"}
SQL = re.compile(r"\s*(SELECT\b.+\bFROM|INSERT\b.+\bINTO|UPDATE\b.+\bSET|DELETE\s+FROM|PRAGMA)\b", re.DOTALL)
# Foreign packages that enter at one place.
GATES = {
    "anthropic": ["batchata.providers.anthropic"],
    "httpx2": ["batchata.providers.anthropic", "batchata.providers.rest"],
    "sqlmodel": ["batchata.log", "migrations"],
    "sqlalchemy": ["batchata.log", "migrations"],
    "alembic": ["batchata.log", "migrations"],
    "sqlite3": ["batchata.log", "migrations"],
    "filelock": ["batchata.log"],
    "psycopg": ["batchata.log.postgres"],
    "structlog": ["batchata.logs"],
    "genai_prices": ["batchata.providers"],
    "tokencost": [],
    "h11": ["batchata.sandbox.server"],
    "pypdfium2": ["batchata.inputs.pdf_pages", "batchata.sandbox.pdf"],
}


@cache
def modules() -> dict[str, Path]:
    """Every module of the package and of the migrations, by its name."""
    found = [*(ROOT / "batchata").rglob("*.py"), *(ROOT / "migrations").rglob("*.py")]
    return {_name(path): path for path in found}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nodes(module: str) -> list[ast.AST]:
    """All nodes of a module."""
    return nodes_in(modules()[module])


def parsed(module: str) -> ast.Module:
    """A module's tree."""
    tree = nodes(module)[0]
    assert isinstance(tree, ast.Module)
    return tree


def lines_of(module: str) -> int:
    """How many lines it has to the end of its last statement."""
    return parsed(module).body[-1].end_lineno or 0


@cache
def imports(module: str) -> frozenset[str]:
    """What the module imports anywhere in it, lazily or not; our own modules by their full names."""
    found = set()
    for node in nodes(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules() else str(node.module) for name in full}
    return frozenset(found)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def ours(module: str) -> set[str]:
    return {name for name in imports(module) if within(name, "batchata")}


def foreign(module: str) -> set[str]:
    """The top packages imported from outside."""
    return {name.split(".")[0] for name in imports(module) - ours(module)} - {"__future__"}


def place(module: str) -> tuple[int, str]:
    """The height of a module's layer, and which part of it the module belongs to."""
    for height, layer in enumerate(LAYERS):
        for part in layer:
            if within(module, part) and (part != "batchata" or module == "batchata"):
                return height, part
    raise AssertionError(f"{module} has no place in LAYERS")


def package(*rooms: str) -> list[str]:
    """The modules of these rooms; the sandbox stands alone."""
    return sorted(
        name
        for name in modules()
        if within(name, *(rooms or ("batchata",))) and not within(name, "batchata.sandbox")
    )


def test_imports_point_downwards() -> None:
    """Errors < core < inputs, answers, log, providers < views < run < manager, job, replay."""
    upwards = []
    for module in package():
        height, part = place(module)
        for imported in ours(module):
            other_height, other = place(imported)
            if not (other_height < height or other == part or (part, other) in SIDEWAYS):
                upwards.append(f"{module} imports {imported}")
    assert upwards == []


def test_no_module_imports_itself_in_a_circle() -> None:
    """The modules have an order in which each can be understood after those it imports."""
    TopologicalSorter({name: ours(name) - {name} for name in modules()}).prepare()


def test_the_core_is_pure() -> None:
    """No clock, chance, environment, file, network, database or log: time and the like are arguments."""
    assert {
        module: foreign(module) - PURE for module in package("batchata.core") if foreign(module) - PURE
    } == {}


def test_reading_answers_is_pure() -> None:
    """A result is a function of the stored answer and the model, today and in ten years."""
    used = {module: foreign(module) - PURE_OUTPUT for module in package("batchata.answers")}
    assert {module: names for module, names in used.items() if names} == {}


EFFECTS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}


def test_pure_modules_call_no_builtin_with_effects() -> None:
    """What needs no import can do I/O too."""
    called = [
        (module, node.func.id)
        for module in package("batchata.core", "batchata.answers")
        for node in nodes(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in EFFECTS
    ]
    assert called == []


def test_foreign_packages_enter_at_one_place() -> None:
    """The SDK in its provider, the database in the log: to replace one is to change one folder."""
    for gated, places in GATES.items():
        users = {name for name in modules() if gated in foreign(name)}
        assert {name for name in users if not within(name, *places)} == set(), gated


CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


def test_one_clock_tells_the_time() -> None:
    """Every other module asks `clock`, so that there is one place to look when a time is odd."""
    told = {name.rpartition(".")[2] for name in CLOCKS}
    read = [
        (module, ast.unparse(node))
        for module in package()
        for node in nodes(module)
        if isinstance(node, ast.Attribute) and node.attr in told
    ]
    clocks = [(module, name) for module, name in read if ".".join(name.split(".")[-2:]) in CLOCKS]
    assert {module for module, _ in clocks} == {"batchata.clock"}, clocks


def test_what_drives_a_run_shows_it_at_one_place() -> None:
    """The engine alone hands a run to the terminal; no step of a run prints."""
    users = {name for name in package() if any(within(i, "batchata.terminal") for i in ours(name))}
    assert {name for name in users if within(name, "batchata.run")} == {"batchata.run.engine"}


LOG_FOR_ALL = {"batchata.log", "batchata.log.port", "batchata.log.verify", "batchata.log.format"}


def test_a_log_is_known_by_its_port() -> None:
    """Views, replay and runs open a log and use the port: what stores it is nothing to them."""
    for module in package():
        if not within(module, "batchata.log"):
            assert {name for name in ours(module) if within(name, "batchata.log")} <= LOG_FOR_ALL, module


def test_verification_stands_on_the_port() -> None:
    """What is checked is checked for every log alike."""
    of_log = {name for name in ours("batchata.log.verify") if within(name, "batchata.log")}
    assert of_log == {"batchata.log.port", "batchata.log.format"}


def test_no_sql_outside_the_log() -> None:
    """No text of a module but those of the log is a statement of SQL."""
    statements = [
        (module, node.value)
        for module in package()
        if not within(module, "batchata.log")
        for node in nodes(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value)
    ]
    assert statements == []


def test_the_sandbox_stands_alone() -> None:
    """It must not share a mistake with what it tests: it imports our errors and a lock, nobody imports it."""
    shared = ("batchata.sandbox", "batchata.errors", "batchata.pdfium")
    for module in modules():
        if within(module, "batchata.sandbox"):
            strangers = {i for i in ours(module) if not within(i, *shared)}
            assert strangers == set(), module
        else:
            assert not any(within(i, "batchata.sandbox") for i in ours(module)), module


def rooms_with(inner: str, room: str) -> list[str]:
    """The folders within a room that have a module of this name: those of a provider."""
    folders = (ROOT / "batchata" / room).iterdir()
    return sorted(folder.name for folder in folders if (folder / f"{inner}.py").is_file())


PROTOCOLS = [f"batchata.sandbox.{name}" for name in rooms_with("routes", "sandbox")]
PROVIDERS = rooms_with("dialect", "providers")


def test_what_the_sandboxes_share_knows_no_protocol() -> None:
    """HTTP, storage, faults, values and the reader serve any protocol; `sandbox` chooses which one."""
    for module in modules():
        if within(module, "batchata.sandbox") and module != "batchata.sandbox.sandbox":
            own = [protocol for protocol in PROTOCOLS if within(module, protocol)]
            foreign_rooms = [protocol for protocol in PROTOCOLS if protocol not in own]
            assert not any(within(i, *foreign_rooms) for i in ours(module)), module


def test_what_the_sandboxes_share_names_no_provider() -> None:
    """Neither in a text that is sent nor in the name of a header."""
    own = ("anthropic", "claude", "x-api-key", "openai", "gpt-", "gemini")
    named = [
        (shared, node.value)
        for shared in ("batches", "faults", "file_results", "pdf", "protocol", "server", "storage", "values")
        for node in nodes(f"batchata.sandbox.{shared}")
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if any(name in node.value.lower() for name in own)
    ]
    assert named == []


def test_replay_cannot_spend() -> None:
    """Explaining a run never reaches what drives one."""
    for module in modules():
        if within(module, "batchata.replay"):
            assert not any(
                within(
                    i,
                    "batchata.run.loop",
                    "batchata.run.engine",
                    "batchata.run.calls",
                    "batchata.run.search",
                    "batchata.manager",
                )
                or re.fullmatch(r"batchata\.providers\.\w+\.client", i)
                for i in ours(module)
            ), module


def test_a_provider_is_known_to_the_registry_alone() -> None:
    """A provider is its folder and a line in the registry: nobody else decodes, limits or asks as it does."""
    assert {"anthropic", "openai", "gemini"} <= set(PROVIDERS)
    for provider in (f"batchata.providers.{name}" for name in PROVIDERS):
        for module in package():
            if not within(module, provider, "batchata.providers.registry"):
                assert not any(within(name, provider) for name in ours(module)), module


# Where a text outside the providers' rooms names one: an example of a model, and whose form files have.
NAMING = {"batchata.cli.options", "batchata.jsonl"}


def test_no_text_for_users_names_a_provider() -> None:
    """What concerns one provider alone is said by its own rooms."""
    names = re.compile(r"anthropic|claude|openai|gemini|mistral", re.IGNORECASE)
    named = {
        module
        for module in package()
        if not within(module, "batchata.providers", "batchata.examples_launcher")
        for text in spoken(nodes(module))
        if names.search(text)
    }
    assert named <= NAMING


# What requests, replies and ids of one provider hold, and no other's.
ITS_OWN = (
    "cache_control",
    "budget_tokens",
    "output_config",
    "input_schema",
    "ephemeral",
    "msgbatch",
    "tool_use",
)


def test_no_neutral_room_spells_what_one_provider_has() -> None:
    """Its parameters, blocks and ids; a block of a call has one name for all, in `answers.answer`."""
    spelled = {
        (module, word)
        for module in package()
        if not within(module, "batchata.providers")
        for text in spoken(nodes(module))
        for word in ITS_OWN
        if word in text
    }
    assert spelled == {("batchata.answers.answer", "tool_use")}


def test_kinds_of_errors_are_named_once() -> None:
    """Providers put their errors under the words of `core.error_kinds`, by which runs act."""
    kinds = {word for name, word in vars(error_kinds).items() if name.isupper() and isinstance(word, str)}
    own_words = ("batchata.core.error_kinds", "batchata.errors", "batchata.providers.anthropic")
    spelled = {
        (module, text)
        for module in package()
        if not within(module, *own_words)
        for text in spoken(nodes(module))
        if text in kinds
    }
    assert spelled == set()


def spoken(inside: list[ast.AST]) -> Iterator[str]:
    """The texts in a module that are no docstrings."""
    explained = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    silent = {id(n.body[0].value) for n in inside if isinstance(n, explained) and is_text(n.body[0])}
    for node in inside:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


def is_text(statement: ast.stmt) -> TypeGuard[ast.Expr]:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


# Files that occur in three rooms or more are a provider's, a protocol's or a store's, which repeat them.
REPEATED = {"__main__", "schema", "reader", "results"}


def test_a_file_is_found_by_its_name() -> None:
    """No name stands in three rooms, but where a folder a provider, protocol or store repeats it."""
    homes: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "batchata").rglob("*.py"):
        parts = path.relative_to(ROOT / "batchata").parts
        repeated = len(parts) > 2 and parts[0] in ("providers", "sandbox", "log")
        if path.stem != "__init__" and not repeated:
            homes[path.stem].add("/".join(parts[:-1]))
    assert {name: rooms for name, rooms in homes.items() if len(rooms) > 2 and name not in REPEATED} == {}


# Small modules with a single importer, and why they stay by themselves.
BY_THEMSELVES = {
    "batchata.replay.documents": "imported only where --files is given: it takes as long as the rest",
    "batchata.terminal.notebook": "imports IPython, and only there",
}


def test_a_small_module_has_two_importers_or_a_reason() -> None:
    """What has fewer than 60 lines and one importer is part of that importer."""
    importers: dict[str, set[str]] = defaultdict(set)
    for module in modules():
        for imported in ours(module):
            importers[imported].add(module)
    lonely = {
        name
        for name in modules()
        if len(importers[name]) == 1 and lines_of(name) < 60 and not is_package(name)
    }
    assert lonely <= BY_THEMSELVES.keys()


def is_package(name: str) -> bool:
    return (ROOT / name.replace(".", "/")).is_dir()


# Public signatures that name all a caller may decide are as long as that.
LONG_SIGNATURES = {"batch", "__init__", "open", "define"}
LONGEST = 500  # lines of a file; most have 100 to 300


def test_functions_and_files_can_be_read_at_once() -> None:
    """A function has at most 50 lines, a file far fewer than a thousand."""
    long = [
        (module, node.name)
        for module in modules()
        for node in nodes(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or 0) - node.lineno >= 50 and node.name not in LONG_SIGNATURES
    ]
    assert long == []
    sizes = {module: lines_of(module) for module in modules()}
    assert {module: lines for module, lines in sizes.items() if lines > LONGEST} == {}


def test_a_dialect_does_without_the_sdk() -> None:
    """Replay decodes with it, where no SDK need be: nothing that it imports of its provider brings one in."""
    todo, seen = [name for name in package() if name.endswith(".dialect")], set()
    while todo:
        found = todo.pop()
        if found not in seen:
            seen.add(found)
            assert not foreign(found) & {"anthropic", "httpx2", "openai"}, found
            todo += [name for name in ours(found) if within(name, "batchata.providers")]


def test_importing_batchata_is_cheap() -> None:
    """`import batchata` brings in neither the SDK nor the database nor pydantic; names come when used."""
    heavy = ["anthropic", "httpx2", "sqlmodel", "sqlalchemy", "alembic", "pydantic", "genai_prices", "pypdf"]
    code = f"import sys, batchata; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


_RARE = ("supports", "stated_texts", "passages", "written_moments", "numbers_and_dates", "number_notations")


def test_a_run_without_citations_compiles_no_ways_to_state_a_value() -> None:
    """Their patterns are a tenth of what importing BatchManager takes; who checks passages imports them."""
    rare = [
        f"batchata.answers.{name}" for name in ("supports", "stated_texts", "passages", "written_moments")
    ]
    code = f"import sys; from batchata import BatchManager; print([n for n in {rare} if n in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_public_names_exist_and_are_explained() -> None:
    """Every name in `__all__` can be had, is listed by `dir`, and has a docstring of its own."""
    for name in batchata.__all__:
        value = getattr(batchata, name)
        assert name in dir(batchata)
        assert inspect.getdoc(value), name
        assert value.__doc__, f"{name} has only an inherited docstring"


def test_what_a_user_calls_is_shown_by_an_example() -> None:
    """Functions, and classes with what they have, each show lines of code in the docstring."""
    shown = [getattr(batchata, name) for name in batchata.__all__]
    called = [each for each in shown if not (isinstance(each, type) and issubclass(each, Exception))]
    for kind in (batchata.BatchManager, batchata.BatchJob, batchata.ItemResult):
        has = [getattr(kind, name) for name in dir(kind) if not name.startswith("_")]
        called += [each for each in has if callable(each) or isinstance(each, property)]
    called += [getattr(batchata.replay, name) for name in batchata.replay.__all__]
    assert len(called) > 40
    assert [each for each in called if not any(map(is_code, paragraphs(each)))] == []


def paragraphs(value: object) -> list[str]:
    """The paragraphs of a docstring behind its first one."""
    return [textwrap.dedent(each) for each in (inspect.getdoc(value) or "").split("\n\n")[1:]]


def is_code(text: str) -> bool:
    """Whether these lines are Python that calls, takes or names something."""
    try:
        found = compile(text, "", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        return False
    return any(isinstance(node, ast.Call | ast.Assign | ast.AnnAssign) for node in ast.walk(found))


def test_other_names_do_not_exist() -> None:
    """A misspelt name is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="no attribute 'BatchManger'"):
        _ = batchata.BatchManger


def test_a_module_says_what_it_knows() -> None:
    """Each opens with a docstring; its first sentence ends before the first blank line."""
    for module in modules():
        doc = ast.get_docstring(parsed(module))
        assert doc, f"{module} has no docstring"
        assert doc.split("\n\n")[0].rstrip().endswith((".", ":")), (module, doc)


def drawn_tree() -> dict[str, str | None]:
    """Each class in the drawing at the top of errors.py, with the one it hangs from."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    drawing = (errors.__doc__ or "").split("\n\n")[1]
    for row in drawing.splitlines():
        text = row.lstrip("│├└─ ")
        depth = (len(row) - len(text)) // 4
        name = text.split()[0]
        del path[depth:]
        parents[name] = path[-1] if path else None
        path.append(name)
    return parents


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    """The drawing shows every error once, below its base class: users choose what to catch by it."""
    classes = {
        name: cls
        for name, cls in vars(errors).items()
        if inspect.isclass(cls) and issubclass(cls, errors.BatchataError)
    }
    actual = {name: cls.__bases__[0].__name__ for name, cls in classes.items()}
    actual[errors.BatchataError.__name__] = "Exception"
    assert drawn_tree() == {name: base if base in classes else None for name, base in actual.items()}


def test_every_error_and_warning_is_public_and_explained() -> None:
    """All are in `__all__`, and each says in its docstring what happened."""
    classes = {
        name: cls for name, cls in vars(errors).items() if inspect.isclass(cls) and issubclass(cls, Exception)
    }
    assert set(errors.__all__) == set(classes)
    assert all(cls.__doc__ for cls in classes.values())
    warned = [name for name, cls in classes.items() if issubclass(cls, Warning)]
    assert all(name in (errors.__doc__ or "") for name in warned)


def test_the_map_names_every_room_and_nothing_that_is_not_there() -> None:
    """CONTRIBUTING.md: each package is in its tree, and each path and file that it names exists."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = text.split("```")[1]
    rooms = {line.split()[0] for line in tree.splitlines() if line.startswith(("batchata/", "tests/"))}
    packages = {f"{path.parent.relative_to(ROOT)}/" for path in (ROOT / "batchata").rglob("__init__.py")}
    assert packages - rooms - {"batchata/examples/", "batchata/migrations/"} == set()
    room = ROOT
    for line in tree.splitlines():
        room = ROOT / line.split()[0] if line[:1].strip() else room
        missing = [name for name in re.findall(r"[a-z_]+\.py\b", line) if not (room / name).is_file()]
        assert (room.is_dir(), missing) == (True, []), line
    for path in re.findall(r"`((?:batchata|tests|examples|migrations)/[\w./]*)`", text):
        assert (ROOT / path).exists(), path
