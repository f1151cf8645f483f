"""A sweep that its own command alone can go on with, as a search or one of another launcher: the words of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.config.checks.as_typed import literal, quoted
from qaexp.errors import ConfigError, IntegrityError, QaexpError
from qaexp.runs.directory import ENVIRONMENT, SCHEMA_VERSION, SWEEP_PLAN
from qaexp.runs.readers.collect import collect
from qaexp.storage.origins import REDACTED
from qaexp.storage.reading import MAX_TABLE_BYTES, read_json
from qaexp.sweeps.optuna.journal import JOURNAL

BY_COMMAND = "by_command"
"""The key among a plan's settings that says so."""

_FLAGS = ("-m", "--multirun", "-cd", "--config-dir", "-cn", "--config-name", "--from")
"""What the command may hold beside overrides: flags that say where configs are, which are data."""


@dataclass(frozen=True, slots=True)
class Command:
    """What started a sweep.

    Attributes:
        words: Those behind `qaexp train`.
        working_directory: Where it was started.
    """

    words: Sequence[str]
    working_directory: Path

    @property
    def shown(self) -> str:
        """As it is typed."""
        return shlex.join(["qaexp", "train", *self.words])


def command_of(sweep: Path) -> Command | None:
    """Return the command that a sweep goes on by; None where its plan is all that is needed.

    Args:
        sweep: The sweep's directory.

    Raises:
        ConfigError: It is not known any more, or held a secret.
        IntegrityError: What is stored is no command, or has a flag that only a person can give.
    """
    is_search = (sweep / JOURNAL).is_file()
    if (sweep / SWEEP_PLAN).exists():
        stored = read_json(sweep / SWEEP_PLAN, MAX_TABLE_BYTES)
        if not (is_search or _is_by_command(stored)):
            return None
        return _command(stored, sweep / SWEEP_PLAN)
    if not is_search:
        return None
    # A search that an older qaexp began has no plan; each of its runs knows what started it.
    runs = sorted(collect(sweep, completed_only=False).runs, key=lambda run: str(run.run.get("started")), reverse=True)
    first: QaexpError | None = None
    for run in runs:
        try:
            return _command(read_json(run.path / ENVIRONMENT), run.path / ENVIRONMENT)
        except FileNotFoundError:
            continue
        except QaexpError as error:
            first = first or error
    raise first or ConfigError(
        f"{sweep}: the command of this search is not known; give the command that started it again, and it goes on"
    )


def is_search(sweep: Path) -> bool:
    """Whether a planned sweep is a search or a race, whose jobs follow from those that have ended.

    Raises:
        IntegrityError: Its plan cannot be read.
    """
    stored = read_json(sweep / SWEEP_PLAN, MAX_TABLE_BYTES)
    return (sweep / JOURNAL).is_file() or (_is_by_command(stored) and not stored.get("jobs"))


def again(sweep: Path, command: Command, overrides: Sequence[str]) -> list[str]:
    """The words behind `qaexp train` that go on with a sweep where it stands now.

    Args:
        sweep: Its directory.
        command: What started it.
        overrides: Further override lines.
    """
    words = [*command.words, *overrides]
    if not {"-m", "--multirun"} & set(words):
        words.insert(0, "-m")
    if not any(word.startswith("name=") for word in words):
        words.append(f"name={_value(sweep.name)}")
    if any(word.startswith("sweep.plan_only=") for word in words):
        words.append("sweep.plan_only=false")  # it was planned; now it is run
    return [*words, f"hydra.sweep.dir={_value(str(sweep.resolve()))}"]


def _value(text: str) -> str:
    """A text as a value of an override, in which nothing is an interpolation."""
    return quoted(literal(text))


def _is_by_command(stored: Mapping[str, Any]) -> bool:
    settings = stored.get("settings")
    return isinstance(settings, Mapping) and bool(settings.get(BY_COMMAND))


def _command(stored: Mapping[str, Any], file: Path) -> Command:
    version, line = stored.get("schema_version", 0), stored.get("command_line")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ConfigError(f"{file}: made by a newer qaexp; upgrade qaexp")
    if not isinstance(line, list) or not all(isinstance(word, str) for word in line) or "train" not in line:
        raise IntegrityError(f"{file}: holds no command of a sweep; give the command that started it again")
    command = Command(line[line.index("train") + 1 :], Path(str(stored.get("working_directory", ""))))
    _check_flags(command, file)
    if any(REDACTED in word for word in line):
        raise ConfigError(
            f"{file}: the command held a secret, which no folder keeps; give it again, with the secret: {command.shown}"
        )
    return command


def _check_flags(command: Command, file: Path) -> None:
    """Refuse the flags that decide what code may run, or that no sweep is started with.

    Raises:
        IntegrityError: Naming the first.
    """
    for word in command.words:
        flag = word.partition("=")[0]
        if flag == "--allow":
            raise IntegrityError(
                f"{file}: the command allowed own code by --allow, which no folder can do; give it again: "
                f"{command.shown}"
            )
        if word.startswith("-") and flag not in _FLAGS:
            raise IntegrityError(
                f"{file}: the command holds {word}, which no folder may give; give the command that started the sweep "
                "again"
            )
