"""The house: which room may import which, what readers may not load, who may write files, how things are called."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.house import DOORS, PACKAGE, arrows, imported, modules, room, tree

# An arrow (A imports B) only ever goes down, between rooms, and between the parts of a room that PARTS names.
FLOORS = {
    "errors": 1,
    "nodes": 1,
    "storage": 2,
    "web": 2,
    "model": 3,
    "runs": 3,
    "config": 3,
    "data": 3,
    "training": 4,
    "evaluation": 4,
    "reporting": 4,
    "experiment": 5,
    "cli": 5,
    "comparison": 5,
    "predictor": 5,
    "board": 6,
    "export": 6,
    "serve": 6,
    "sweeps": 6,
    "commands": 7,
}
# Rooms with parts, the lowest first; "" is what lies in the room itself.
PARTS = {
    "runs": ("", "readers", "writing"),
    "comparison": ("statistics", "others", "", "shown"),
    "reporting": ("numbers", "terminal", "figures", "page", ""),
    "commands": ("", "python"),
}
MAX_ARROWS = 105
HYDRA_ROOMS = ("config", "cli", "commands", "sweeps")
LIGHT_MODULES = (
    "qaexp.cli",
    "qaexp.runs.readers.collect",
    "qaexp.runs.writing.run",
    "qaexp.reporting.reporter",
    "qaexp.reporting.terminal.tables",
    "qaexp.board.app",
    "qaexp.commands.compare",
    "qaexp.commands.track",
    "qaexp.comparison.compare",
    "qaexp.comparison.shown.report",
)
HEAVY = ("torch", "transformers", "datasets", "accelerate", "hydra")
FORBIDDEN_NAMES = ("utils", "util", "helpers", "helper", "common", "misc", "base", "manager")
# The only modules that create or change files: the commit functions of files and folders, the roots, files without a
# name, the lock, the reader of a pipe-free cache, and the temporary copy of a checkpoint's small files. `store` writes
# objects elsewhere, where nothing is renamed.
WRITERS = (
    "storage/files.py",
    "storage/folders.py",
    "storage/appender.py",
    "storage/roots.py",
    "storage/scratch.py",
    "runs/claims.py",
    "storage/store.py",
    "runs/lock.py",
    "data/cache_folder.py",
    "model/snapshot.py",
)
WRITING_CALLS = ("write_text", "write_bytes", "to_csv", "to_parquet", "savetxt", "savez", "save_file", "touch")
# By path, these mean another place when a folder was moved or replaced by a link.
CHANGING_CALLS = ("mkdir", "makedirs", "unlink", "symlink_to", "hardlink_to", "rmtree", "link", "symlink", "truncate")

# The only modules that write to stdout and stderr: the outlets, and what writes files of the repository, from
# our own texts.
PRINTERS = (
    "reporting/terminal/outlets.py",
    "reporting/terminal/printing.py",
    "config/reference.py",
    "config/defaults.py",
)


def test_every_module_stands_in_a_known_room() -> None:
    assert {room(module) for module in modules()} - set(DOORS) <= set(FLOORS)


def test_arrows_only_go_down() -> None:
    wrong = [arrow for arrow in arrows() if arrow[1] not in DOORS and FLOORS[arrow[2]] >= FLOORS[arrow[1]]]
    assert wrong == []


def test_few_arrows_run_between_rooms() -> None:
    assert len({arrow[1:] for arrow in arrows()}) <= MAX_ARROWS


@pytest.mark.parametrize("name", PARTS)
def test_arrows_only_go_down_between_the_parts_of_a_room(name: str) -> None:
    def part(path: tuple[str, ...]) -> int:
        return PARTS[name].index(path[1] if len(path) > 2 else "")

    wrong = []
    for module in sorted((PACKAGE / name).rglob("*.py")):
        own = module.relative_to(PACKAGE).parts
        for found in imported(tree(module)):
            path = tuple(found.split(".")[1:])
            is_module = PACKAGE.joinpath(*path).with_suffix(".py").is_file() if path else False
            if path[:1] == (name,) and is_module and part(path) > part(own):
                wrong.append(("/".join(own), found))
    assert wrong == []


def test_no_import_cycles() -> None:
    graph: dict[str, set[str]] = {}
    for module in modules():
        name = ".".join(("qaexp", *module.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        graph[name] = {found for found in imported(tree(module)) if found.startswith("qaexp.")}
    names = set(graph)
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"import cycle: {' -> '.join((*path[path.index(name) :], name))}"
        if name in done:
            return
        for target in sorted(graph[name] & names):
            visit(target, (*path, name))
        done.add(name)

    for name in sorted(names - {"qaexp"}):
        visit(name, ())


def test_only_the_door_knows_hydra_and_omegaconf() -> None:
    wrong = [
        (str(module.relative_to(PACKAGE)), name)
        for module in modules()
        for name in imported(tree(module))
        if name.split(".")[0] in ("hydra", "omegaconf") and room(module) not in HYDRA_ROOMS
    ]
    assert wrong == []


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_readers_stay_light(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def writing_calls(code: ast.AST) -> list[str]:
    """Calls that create or change a file: `open` with a writing mode, and the writing methods of libraries."""
    found = []
    for node in ast.walk(code):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        ours = isinstance(owner, ast.Name) and owner.id in ("files", "run")
        if isinstance(node.func, ast.Attribute) and name in WRITING_CALLS and not ours:
            found.append(f"{name} (line {node.lineno})")
        if isinstance(node.func, ast.Attribute) and name in CHANGING_CALLS:
            found.append(f"{name} (line {node.lineno})")
        if isinstance(owner, ast.Name) and owner.id == "os" and name in ("rename", "replace", "remove"):
            found.append(f"os.{name} (line {node.lineno})")
        if name == "open" and any(mode in str(ast.literal_eval(value)) for value in _modes(node) for mode in "wax+"):
            found.append(f"open for writing (line {node.lineno})")
        if name == "save" and isinstance(owner, ast.Name) and owner.id in ("torch", "np", "numpy"):
            found.append(f"{owner.id}.save (line {node.lineno})")
        if name == "dump" and isinstance(owner, ast.Name) and owner.id in ("json", "pickle", "yaml"):
            found.append(f"{owner.id}.dump (line {node.lineno})")
    return found


def _modes(call: ast.Call) -> list[ast.Constant]:
    position = 1 if isinstance(call.func, ast.Name) else 0
    given = [*call.args[position : position + 1], *(word.value for word in call.keywords if word.arg == "mode")]
    return [value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)]


def test_one_module_writes_files() -> None:
    wrong = {
        str(module.relative_to(PACKAGE)): calls
        for module in modules()
        if module.relative_to(PACKAGE).as_posix() not in WRITERS and (calls := writing_calls(tree(module)))
    }
    assert wrong == {}


def test_the_write_rule_has_teeth() -> None:
    bad = 'open("a", "w"); path.open("ab"); path.write_text("x"); torch.save(a, b); json.dump(a, f); frame.to_csv("a")'
    bad += "; path.mkdir(); os.rename(a, b); shutil.rmtree(a)"
    assert len(writing_calls(ast.parse(bad))) == 9
    assert (
        writing_calls(ast.parse('open("a"); open("a", "rb"); path.open(); files.write_text("x"); write_bytes(p, d)'))
        == []
    )


def printing_calls(code: ast.AST) -> list[str]:
    """What writes to stdout or stderr past the outlets: print, the streams themselves, a bare console of rich."""
    calls = ("print", "Console", "rich.print", "pprint", "warnings.warn", "traceback.print_exc")
    streams = ("sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer", "sys.stderr.buffer")
    streams += ("sys.__stdout__", "sys.__stderr__")
    found = []
    for node in ast.walk(code):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in calls:
            found.append(f"{ast.unparse(node.func)} (line {node.lineno})")
        if isinstance(node, ast.Attribute) and ast.unparse(node) in streams:
            found.append(f"{ast.unparse(node)} (line {node.lineno})")
    return found


def test_one_module_prints() -> None:
    """Whatever is printed may hold a stranger's text, and stdout may be closed or full: outlets.py knows both."""
    wrong = {
        str(module.relative_to(PACKAGE)): calls
        for module in modules()
        if module.relative_to(PACKAGE).as_posix() not in PRINTERS and (calls := printing_calls(tree(module)))
    }
    assert wrong == {}


def test_the_printing_rule_has_teeth() -> None:
    bad = 'print("a"); sys.stdout.write(b); sys.stderr.buffer; Console(); warnings.warn("a"); sys.__stdout__.flush()'
    assert len(printing_calls(ast.parse(bad))) == 6
    assert printing_calls(ast.parse('console.print(t); say("a"); run.fingerprint(); sys.stdout.flush()')) == []


def test_no_module_is_a_grab_bag() -> None:
    assert [module for module in modules() if module.stem in FORBIDDEN_NAMES] == []


def test_every_module_says_what_it_is() -> None:
    assert [module for module in modules() if not ast.get_docstring(tree(module))] == []


def test_functions_are_short() -> None:
    """At most 50 lines each, docstring not counted, and a median near ten."""
    sizes = []
    for module in modules():
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.FunctionDef):
                text = ast.get_docstring(node, clean=False)
                body = (node.end_lineno or node.lineno) - node.lineno + 1 - (len(text.splitlines()) if text else 0)
                sizes.append((body, f"{module.relative_to(PACKAGE)}:{node.name}"))
    assert [entry for entry in sizes if entry[0] > 50] == []
    assert sorted(sizes)[len(sizes) // 2][0] <= 14
