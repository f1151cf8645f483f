"""The words after `qaexp train`: Hydra's flags and overrides, in any order."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qaexp.config.conf import CONFIG_NAME
from qaexp.errors import ConfigError


@dataclass(frozen=True)
class Arguments:
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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise ConfigError(f"{message} (see qaexp train --help)")


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """Tell flags from overrides.

    Hydra's own parser takes overrides only in one block (`name=a -m seed=0,1` fails there), so its flags are listed
    here and may stand anywhere.

    >>> found = parse_arguments(["name=a", "-m", "seed=0,1"])
    >>> found.overrides, found.flags
    (('name=a', 'seed=0,1'), ('-m',))

    Raises:
        ConfigError: For an unknown flag.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
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
    return Arguments(
        overrides=tuple(found.overrides),
        flags=tuple(rest),
        runs=not shows,
        wants_help=found.help,
        config_name=found.config_name.removesuffix(".yaml"),
        config_dir=found.config_dir,
    )
