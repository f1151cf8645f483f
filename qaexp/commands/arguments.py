"""The words after a command; those of `train` are Hydra's, in any order."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from qaexp.advice import option, setting
from qaexp.config.conf import CONFIG_NAME
from qaexp.errors import ConfigError


@dataclass(frozen=True)
class TrainArguments:
    """A parsed command line of `qaexp train`.

    Attributes:
        overrides: `key=value` words, in order.
        flags: All other words, in order.
        runs: True when something is trained; false for --cfg, --info, shell completion.
        wants_help: True for --help.
        config_name: The primary config.
        config_dir: The user's folder of more choices.
    """

    overrides: tuple[str, ...]
    flags: tuple[str, ...]
    runs: bool
    wants_help: bool
    config_name: str
    config_dir: Path | None


def parse_train_arguments(argv: Sequence[str]) -> TrainArguments:
    """Tell flags from overrides.

    Hydra's own parser takes overrides only in one block (`name=a -m seed=0,1` fails there), so its flags are listed
    here and may stand anywhere.

    >>> found = parse_train_arguments(["name=a", "-m", "seed=0,1"])
    >>> found.overrides, found.flags
    (('name=a', 'seed=0,1'), ('-m',))

    Raises:
        ConfigError: For an unknown flag.
    """
    parser = CommandParser("train", "", add_help=False)
    parser.add_argument("overrides", nargs="*")
    for flags in (
        ("--help", "-h"),
        ("--hydra-help",),
        ("--version",),
        ("--resolve",),
        ("--run", "-r"),
        ("--multirun", "-m"),
        ("--shell-completion", "-sc"),
    ):
        parser.add_argument(*flags, action="store_true")
    parser.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
    parser.add_argument("--package", "-p")
    parser.add_argument("--config-name", "-cn", default=CONFIG_NAME)
    parser.add_argument("--config-dir", "-cd", type=Path)
    parser.add_argument(
        "--info",
        "-i",
        nargs="?",
        const="all",
        choices=["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"],
    )
    found = parser.parse_intermixed_args(list(argv))
    rest = list(argv)
    for line in found.overrides:
        rest.remove(line)
    if found.config_dir is not None and not found.config_dir.is_dir():
        raise ConfigError(f"--config-dir {found.config_dir} is no folder; give a folder with YAML files in groups")
    shows = bool(found.cfg or found.info or found.shell_completion or found.hydra_help or found.version)
    return TrainArguments(
        overrides=tuple(found.overrides),
        flags=tuple(rest),
        runs=not shows,
        wants_help=found.help,
        config_name=found.config_name.removesuffix(".yaml"),
        config_dir=found.config_dir,
    )


class CommandParser(argparse.ArgumentParser):
    """argparse with our way to fail: a ConfigError, so that the exit code and the form of the message are ours."""

    def __init__(self, command: str, description: str, *, add_help: bool = True) -> None:
        """Name the command and what it does."""
        super().__init__(prog=f"qaexp {command}", description=description, allow_abbrev=False, add_help=add_help)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        settings = (word.partition("=") for word in message.split() if "=" in word)
        hints = [f"; write {setting(key, value)}" for key, _, value in settings if option(key)]
        raise ConfigError(f"{message}{''.join(hints)} (see {self.prog} --help)")

    def add_number(
        self, flag: str, kind: type[int] | type[float], default: float | None, help: str, low: float | None = None
    ) -> None:
        """Add a finite number."""

        def read(text: str) -> float:
            value = kind(text)
            if not math.isfinite(value) or (low is not None and value < low):
                raise argparse.ArgumentTypeError(
                    f"{text} is {'below ' + str(low) if low is not None else 'not finite'}"
                )
            return value

        read.__name__ = "number" if kind is float else "whole number"
        self.add_argument(flag, type=read, default=default, help=help, metavar="N")
