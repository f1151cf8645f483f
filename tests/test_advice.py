"""Advice in messages can be followed: what is told to be typed exists in the command that tells it.

All texts of the source are walked. Which command can show a text is read from the imports: whatever a command's module
imports, at any depth and also inside functions, may raise in it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import pytest

from qaexp.cli import COMMANDS
from qaexp.cli.advised import named_settings, where_settings_are_given
from qaexp.cli.arguments import CommandParser
from qaexp.config.checks.overrides import list_keys
from qaexp.config.compose import compose_config
from qaexp.config.conf import choices, conf_directory
from qaexp.config.schema import OPEN_NODES, leaves, neutral_keys
from qaexp.errors import advice
from qaexp.model import settings
from tests.test_architecture import PACKAGE, modules

ROOTS = sorted({name.partition(".")[0] for name, _, _ in leaves() if "." in name} | set(OPEN_NODES))
DOTTED = re.compile(rf"(?<![\w./-])(?:{'|'.join(ROOTS)})\.(?!\w+\.py\b)[a-z]\w*(?:\.\w+)*")
TOP = [name for name, _, _ in leaves() if "." not in name]
TYPED = re.compile(rf"(?<![\w.-])(?:{'|'.join((*TOP, *choices([conf_directory()])))})=")
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]+")
FILE = re.compile(r"\.(?:json|jsonl|safetensors|yaml|csv|py|index\.json)$")
# The words of these are no advice: keys that are looked up, guesses for misspelt ones, examples of values that
# --by and --where of `compare` take, options of git, and the page of a run, which speaks of its config.
NO_ADVICE = (
    "errors/advice.py",
    "config/",
    "comparison/",
    "commands/best.py",
    "commands/compare.py",
    "runs/readers/repeats.py",
    "runs/writing/repository.py",
    "reporting/numbers/advice.py",
)
PREDICTOR_KEYS = set(settings._FOREIGN)
SETTING_COMMANDS = ("train", "work", "resume", "reproduce")
"""These are told the keys of the config as they stand (and where to give them, where they do not take them)."""

ADVISERS = ("named", "setting", "set_to", "lower", "option", "is_settable")


class Text(NamedTuple):
    """A text of the source, with `{}` for what is put in."""

    module: str
    line: int
    text: str


@cache
def parsed(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text("utf-8"))


def texts(module: str) -> Iterator[Text]:
    """The texts of a module that may be shown: no docstrings, no arguments of the functions that word advice."""
    tree = parsed(module)
    hidden: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            hidden.add(id(node.value))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ADVISERS:
            hidden |= {id(part) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
            hidden |= {id(part) for part in node.values}
            yield Text(module, node.lineno, "".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield Text(module, node.lineno, node.value)


@cache
def imports() -> dict[str, set[str]]:
    """What each module imports, but for its types."""
    found: dict[str, set[str]] = {}
    for path in modules():
        tree = parsed(path.relative_to(PACKAGE).as_posix())
        typing = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            for part in ast.walk(node)
        }
        names = set()
        for node in ast.walk(tree):
            if id(node) not in typing and isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            if id(node) not in typing and isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
        found[name_of(path.relative_to(PACKAGE).as_posix())] = names
    return found


def name_of(module: str) -> str:
    return ".".join(("qaexp", *module.removesuffix(".py").split("/"))).removesuffix(".__init__")


@cache
def shown_by(command: str) -> frozenset[str]:
    """The modules whose texts a command can show."""
    seen: set[str] = set()
    waiting = [f"qaexp.commands.{command}"]
    while waiting:
        if (name := waiting.pop()) in imports() and name not in seen:
            seen.add(name)
            waiting += imports()[name]
    return frozenset(seen)


@cache
def parser_of(command: str) -> CommandParser:
    """The parser of a command, taken when it is used."""
    taken: list[Any] = []

    class TakenError(Exception):
        pass

    def take(self: CommandParser, *args: object) -> None:
        taken.append(self)
        raise TakenError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CommandParser, "parse_args", take)
        patch.setattr(CommandParser, "parse_intermixed_args", take)
        with pytest.raises(TakenError):
            import_module(f"qaexp.commands.{command}").main(["nothing"])
    return taken[0]  # type: ignore[no-any-return]


def options_of(command: str) -> set[str]:
    return {word for action in parser_of(command)._actions for word in action.option_strings}


@cache
def legal_keys() -> frozenset[str]:
    """Every key of the config with every choice of its groups."""
    found = {name for name, _, _ in leaves()}
    for group in (*OPEN_NODES, "data"):
        for choice in choices([conf_directory()])[group]:
            found |= set(list_keys(compose_config([f"{group}={choice}"])))
    return frozenset(found)


EVERY_TEXT = [text for path in modules() for text in texts(path.relative_to(PACKAGE).as_posix())]
WITHOUT_SETTINGS = sorted(set(COMMANDS) - set(SETTING_COMMANDS))


def test_every_key_that_a_text_names_exists() -> None:
    wrong = []
    for module, line, text in EVERY_TEXT:
        for word in DOTTED.findall(text):
            if word not in legal_keys() and not FILE.search(word) and not any(word == f"{root}.py" for root in ROOTS):
                is_part = any(key.startswith(f"{word}.") for key in legal_keys())
                is_file = word.partition(".")[2] in ("json", "yaml", "safetensors", "csv", "onnx")
                if not (is_part or is_file):
                    wrong.append(f"{module}:{line}: {word}")
    assert wrong == []


@pytest.mark.parametrize("command", WITHOUT_SETTINGS)
def test_no_text_of_a_command_without_settings_tells_to_set_one(command: str) -> None:
    """There a setting is worded by `qaexp.errors.advice`, or the text says that it is one of `qaexp train`."""
    wrong = []
    for module, line, text in EVERY_TEXT:
        if name_of(module) not in shown_by(command) or module.startswith(NO_ADVICE) or module in NO_ADVICE:
            continue
        names = [word for word in DOTTED.findall(text) if word in legal_keys()]
        # A key alone is an argument or an entry of a table, and no sentence.
        is_sentence = " " in text.strip() and not re.search(r"qaexp train|train again", text)
        if is_sentence and (names or TYPED.search(text)):
            wrong.append(f"{module}:{line}: {text}")
    allowed = {
        # A name is checked where a run is made; readers of run folders only share the module.
        "runs/directory.py": "name=first-try",
        "runs/naming.py": "secret",
        # These belong to trainings: `choose_device` alone is used by answer and evaluate.
        "training/precision.py": "trainer.precision=",
        # A program, not advice.
        "export/card.py": "from qaexp import",
    }
    assert [
        line for line in wrong if not any(line.startswith(m) and words in line for m, words in allowed.items())
    ] == []


class Advice(NamedTuple):
    """A call of a function that words advice, with its literal arguments."""

    module: str
    line: int
    function: str
    literals: list[str]


@cache
def advisers() -> list[Advice]:
    """Every call of a function that words advice."""
    found = []
    for path in modules():
        module = path.relative_to(PACKAGE).as_posix()
        if (
            module in ("errors/advice.py", "cli/arguments.py")
            or "qaexp.errors.advice" not in imports()[name_of(module)]
        ):
            continue  # the latter words what the user typed
        for node in ast.walk(parsed(module)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ADVISERS:
                literals = [str(part.value) if isinstance(part, ast.Constant) else "value" for part in node.args]
                found.append(Advice(module, node.lineno, node.func.id, literals))
    return found


def test_every_key_that_advice_is_worded_for_exists() -> None:
    found = [(module, line, literals[0]) for module, line, _, literals in advisers()]
    assert len(found) > 30
    assert [entry for entry in found if entry[2] not in legal_keys() | set(choices([conf_directory()]))] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_what_advice_says_exists_in_the_command_that_shows_it(command: str) -> None:
    shown = [entry for entry in advisers() if name_of(entry[0]) in shown_by(command)]
    words = ("setting", "set_to", "named", "lower")
    with advice.spoken_by(command):
        told = {getattr(advice, name)(*literals): literals[0] for _, _, name, literals in shown if name in words}
    for text, key in told.items():
        options = set(OPTION.findall(text))
        if command in SETTING_COMMANDS:
            assert not options
            is_taken = command == "train" or key in neutral_keys()
            assert is_taken or "qaexp train" in text or text.startswith("train with"), text
        elif options:
            assert options <= options_of(command), text
            assert key not in text
        else:
            # Or it is a setting that the model brings along, which is named as that.
            is_stored = text == f"the model's {key.rpartition('.')[2]}" and key.partition(".")[2] in PREDICTOR_KEYS
            assert is_stored or text.endswith("of qaexp train") or text.startswith("train with"), text


def test_the_tables_of_advice_are_true() -> None:
    for command, options in advice.OPTIONS.items():
        assert set(options.values()) <= options_of(command)
        assert set(options) <= legal_keys()
    for command, keys in advice.KEYS.items():
        assert command in COMMANDS
        assert keys <= neutral_keys()


def test_every_option_that_a_text_names_exists() -> None:
    """In a command's own module in that command, behind `qaexp COMMAND` in that one."""
    wrong = []
    for module, line, text in EVERY_TEXT:
        own = re.fullmatch(r"commands/(\w+)\.py", module)
        command = (
            own[1] if own and own[1] in WITHOUT_SETTINGS else "compare" if module.startswith("comparison/") else None
        )
        for start, named in [(m.end(), m[1]) for m in re.finditer(r"qaexp ([a-z]+)", text) if m[1] in COMMANDS]:
            part = re.split(r"[;,`]|qaexp", text[start:])[0]
            if named in WITHOUT_SETTINGS:
                wrong += [f"{module}:{line}: {word}" for word in OPTION.findall(part) if word not in options_of(named)]
        if command and "qaexp " not in text and "script" not in text:
            wrong += [f"{module}:{line}: {word}" for word in OPTION.findall(text) if word not in options_of(command)]
    assert wrong == []


def test_the_walk_has_teeth() -> None:
    assert "qaexp.model.loading" in shown_by("answer")
    assert "qaexp.data.files.validation" in shown_by("evaluate")
    assert "qaexp.training.loop" not in shown_by("evaluate")
    assert {"--data", "--on-bad"} <= options_of("evaluate")
    assert DOTTED.findall("set data.on_bad=skip or optimizer.lr") == ["data.on_bad", "optimizer.lr"]
    assert TYPED.findall("choose model=minilm, take another name=") == ["model=", "name="]
    assert "optimizer.lr" in legal_keys()
    assert "optimizer.learning_rate" not in legal_keys()
    raw = [text for text in EVERY_TEXT if "trainer.max_grad_norm" in text.text]
    assert {module for module, _, _ in raw} >= {"training/state.py"}


def test_commands_that_run_a_stored_config_say_where_settings_are_given() -> None:
    problem = "epoch 2 diverged; lower optimizer.lr, or set trainer.max_grad_norm"
    assert named_settings(problem) == {"optimizer.lr", "trainer.max_grad_norm"}
    for command in ("resume", "reproduce"):
        (line,) = where_settings_are_given(command, [problem])
        assert "qaexp train" in line
        assert f"qaexp {command} takes" in line
    assert where_settings_are_given("train", [problem]) == []
    changed = "holds another run: trainer.epochs was 4, now 6; set trainer.allow_drift=true"
    assert where_settings_are_given("resume", [changed]) == []
    redacted = "trackers.mine.api_key was a secret; give the command that started the run again"
    assert where_settings_are_given("resume", [redacted]) == []
    assert where_settings_are_given("resume", ["set trainer.allow_drift=true, or see data.json"]) == []
    assert where_settings_are_given("reproduce", ["set trainer.allow_drift=true"]) != []
