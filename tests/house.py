"""The house as its imports draw it: rooms, arrows, floors, and the file map of docs/architecture.md.

python -m tests.house            writes the file map into docs/architecture.md
python -m tests.house --check    exits with 1 if the file map is stale
python -m tests.house FOLDER     prints the figures of a checkout of qaexp, of any commit
"""

from __future__ import annotations

import ast
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

from tests import REPOSITORY

PACKAGE = REPOSITORY / "qaexp"
PAGE = REPOSITORY / "docs" / "architecture.md"
# `__init__` and `__main__` of the package are doors, not rooms.
DOORS = ("__init__", "__main__")
BEGIN, END = "<!-- file map: python -m tests.house -->\n", "<!-- end of the file map -->\n"


def modules(package: Path = PACKAGE) -> list[Path]:
    """Every Python file of the package, sorted by path."""
    return sorted(package.rglob("*.py"))


def room(module: Path, package: Path = PACKAGE) -> str:
    """The folder of the package that a file is in, or the file's own name where it is in none."""
    return module.relative_to(package).parts[0].removesuffix(".py")


@cache
def tree(module: Path) -> ast.Module:
    """A file's syntax tree, read once."""
    return ast.parse(module.read_text("utf-8"))


def imported(code: ast.AST) -> set[str]:
    """Every module that is imported anywhere in a file, inside functions and under TYPE_CHECKING too."""
    found: set[str] = set()
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names if node.module == "qaexp")
    return found


def arrows(package: Path = PACKAGE) -> list[tuple[str, str, str]]:
    """(file, room of the file, room that it imports) for every arrow between two rooms."""
    rooms = {room(module, package) for module in modules(package)} - set(DOORS)
    found = []
    for module in modules(package):
        origin = room(module, package)
        for name in imported(tree(module)):
            target = name.split(".")[1] if name.startswith("qaexp.") else ""
            if target in rooms - {origin}:
                found.append((module.relative_to(package).as_posix(), origin, target))
    return found


def floors(pairs: set[tuple[str, str]]) -> dict[str, int]:
    """The lowest floor, from 1, on which each room of a graph without circles is above all that it imports."""
    below: dict[str, set[str]] = {}
    for origin, target in pairs:
        below.setdefault(origin, set()).add(target)

    def floor(name: str) -> int:
        return 1 + max(map(floor, below.get(name, ())), default=0)

    return {name: floor(name) for name in {name for pair in pairs for name in pair}}


def figures(package: Path = PACKAGE) -> Iterator[tuple[str, str]]:
    """The figures of a checkout, each with its name."""
    files = modules(package)
    lengths = [len(file.read_text("utf-8").splitlines()) for file in files]
    pairs = {(origin, target) for _, origin, target in arrows(package)}
    storeys = floors(pairs)
    yield "rooms", str(len(storeys))
    yield "floors", str(max(storeys.values()))
    yield "arrows between rooms", str(len(pairs))
    yield "modules", str(len(files))
    yield "lines", f"{sum(lengths):,}"
    yield "median lines a module", f"{statistics.median(lengths):.0f}"
    tests = [file.read_text("utf-8") for file in (package.parent / "tests").rglob("*.py")]
    yield "lines of tests", f"{sum(len(text.splitlines()) for text in tests):,}"
    yield "files on the stack at the first forward pass", str(len(first_forward(package.parent)))
    way = config_way(package.parent)
    on = [storeys.get(name.partition("/")[0].removesuffix(".py"), 0) for name in way]
    yield "stops of the config on its way through a run", str(len(way))
    yield "climbs among them", str(sum(upper > lower for lower, upper in pairwise(on)))


# What prints the files of qaexp that are on the call stack when a model computes for the first time.
_FIRST_FORWARD = """
import os, traceback
from torch.nn.modules.module import register_module_forward_pre_hook
def stop(*_):
    files = [frame.filename.split("/qaexp/")[-1] for frame in traceback.extract_stack() if "/qaexp/" in frame.filename]
    print(*dict.fromkeys(files), flush=True)
    os._exit(0)
register_module_forward_pre_hook(stop)
from qaexp.cli import main
main(["train", "model=tiny_random", "data.train_size=8", "data.dev_size=8", "reporter=none", "threads=1"])
"""


# What prints the files of qaexp whose functions are given the config of a run, one after the other.
_CONFIG_WAY = """
import os, sys
from qaexp.cli import main
from qaexp.config import schema
package, way = os.path.dirname(os.path.dirname(schema.__file__)) + os.sep, [""]
def called(frame, event, _):
    code = frame.f_code
    if event == "call" and code.co_filename.startswith(package) and code.co_filename != way[-1]:
        given = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
        if any(isinstance(frame.f_locals.get(name), schema.ExperimentConfig) for name in given):
            way.append(code.co_filename)
sys.setprofile(called)
main(["train", "model=tiny_random", "data.train_size=8", "data.dev_size=8", "reporter=none", "threads=1"])
sys.setprofile(None)
print(*(name[len(package):] for name in way[1:]))
"""


def first_forward(checkout: Path) -> list[str]:
    """The files between `qaexp train` and the first forward pass: those on the call stack, outermost first."""
    return _last_line(checkout, _FIRST_FORWARD)


def config_way(checkout: Path) -> list[str]:
    """The files that the checked config of a run passes through, in the order of the calls that hand it on."""
    return _last_line(checkout, _CONFIG_WAY)


def _last_line(checkout: Path, code: str) -> list[str]:
    """The words that code prints last, in a process that imports qaexp from a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
        call = [sys.executable, "-c", code]
        done = subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


def file_map() -> str:
    """One table a folder of the package: each file with the first sentence of its docstring."""
    folders: dict[str, list[str]] = {}
    for module in modules():
        text = (ast.get_docstring(tree(module)) or "").split("\n")[0]
        folder = module.parent.relative_to(REPOSITORY).as_posix()
        if module.stem == "__init__":
            folders.setdefault(folder, []).insert(0, text)
        else:
            folders.setdefault(folder, [""]).append(f"| `{module.name}` | {text.replace('|', chr(92) + '|')} |")
    parts = [
        "\n".join(
            [f"### {folder}/\n", f"{about}\n", *(["| file | what it is for |", "| --- | --- |"] if rows else []), *rows]
        )
        for folder, (about, *rows) in sorted(folders.items())
    ]
    return "\n\n".join(parts) + "\n"


def page() -> str:
    """docs/architecture.md with the file map of today."""
    head, rest = PAGE.read_text("utf-8").split(BEGIN)
    return f"{head}{BEGIN}\n{file_map()}\n{END}{rest.split(END)[1]}"


def main(argv: list[str]) -> int:
    """Write or check the file map, or print the figures of the checkout that is named."""
    if argv == ["--check"]:
        return int(PAGE.read_text("utf-8") != page())
    for folder in argv:
        for name, value in figures(Path(folder) / "qaexp"):
            print(f"{name:44} {value}")
    if not argv:
        PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
