"""The words after a command; those of `train` are Hydra's, in any order."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from qaexp.cli.flags import check_flags
from qaexp.cli.modes import mode_problems, with_all
from qaexp.config.conf import CONFIG_NAME
from qaexp.errors import ConfigError
from qaexp.errors.advice import option, setting

_UNKNOWN = "unrecognized arguments: "


@dataclass(frozen=True)
class TrainArguments:
    """A parsed command line of `qaexp train`.

    Attributes:
        overrides: `key=value` words, in order.
        flags: What Hydra gets of the other words.
        runs: True when something is trained; false for --cfg, --info, shell completion.
        wants_help: True for --help.
        about: `--hydra-help` or `--version`, whose text is all that is wanted; None without one.
        shows: `--cfg job` or the like, or `--info`: what is shown of the config; None without one.
        package: The part of the config that --cfg shows; None for all.
        config_name: The primary config.
        config_dir: The user's folder of more choices.
        is_named: The primary config was chosen by --config-name.
        origin: The run whose config is the beginning, of --from; None without one.
        allowed: The dotted prefixes of --allow.
    """

    overrides: tuple[str, ...]
    flags: tuple[str, ...]
    runs: bool
    wants_help: bool
    about: str | None
    shows: str | None
    package: str | None
    config_name: str
    config_dir: Path | None
    is_named: bool = False
    origin: Path | None = None
    allowed: tuple[str, ...] = ()


_SWITCHES = (
    ("--help", "-h"),
    ("--hydra-help",),
    ("--version",),
    ("--resolve",),
    ("--run", "-r"),
    ("--multirun", "-m"),
    ("--shell-completion", "-sc"),
)
_INFOS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


def parse_train_arguments(argv: Sequence[str]) -> TrainArguments:
    """Tell flags from overrides.

    Hydra's own parser takes overrides only in one block (`name=a -m seed=0,1` fails there), so its flags are listed
    here and may appear anywhere.

    >>> found = parse_train_arguments(["name=a", "-m", "seed=0,1"])
    >>> found.overrides, found.flags
    (('name=a', 'seed=0,1'), ('--multirun',))

    Raises:
        ConfigError: For an unknown flag, or one that names what would not be used.
    """
    check_flags(argv)
    found = _train_parser().parse_intermixed_args(with_all(argv, _INFOS))
    about = next((flag for flag in ("--hydra-help", "--version") if getattr(found, flag[2:].replace("-", "_"))), None)
    if not found.help and about is None:
        _check_words(found)
    return TrainArguments(
        overrides=tuple(found.overrides),
        flags=tuple(_hydra_flags(found)),
        runs=not (found.cfg or found.info or found.shell_completion),
        wants_help=found.help,
        about=about,
        shows=f"--cfg {found.cfg}" if found.cfg else "--info" if found.info else None,
        package=found.package,
        config_name=(found.config_name or CONFIG_NAME).removesuffix(".yaml"),
        config_dir=None if found.config_dir is None else Path(found.config_dir),
        is_named=found.config_name is not None,
        origin=None if found.origin is None else Path(found.origin),
        allowed=tuple(found.allow or ()),
    )


def _check_words(found: argparse.Namespace) -> None:
    """Refuse flags that do not go together, or whose value names nothing, with all that is not an override beside them.

    Raises:
        ConfigError: With a sentence for each.
    """
    problems = [*mode_problems(found), *_value_problems(found)]
    if problems and not found.shell_completion:
        from qaexp.config.checks.texts import keep_texts
        from qaexp.config.checks.words import parse_overrides

        problems += parse_overrides(keep_texts(found.overrides))[1]
    if problems:
        raise ConfigError(*problems)


def _value_problems(found: argparse.Namespace) -> Iterator[str]:
    folder, name, origin = found.config_dir, found.config_name, found.origin
    if folder is not None and not (folder and Path(folder).is_dir()):
        yield f"--config-dir {folder or 'is empty, which'} is not a folder; give a folder with YAML files in groups"
    if name is not None and not name.removesuffix(".yaml").strip():
        yield "--config-name is empty, so that qaexp's own config would be used; give a name, or leave it out"
    if origin == "":
        yield "--from is empty; give the folder of a run, or leave it out"
    if origin is not None and name is not None:
        yield f"--from {origin} and --config-name {name} both give the config to begin with; leave out one of them"


def prefixes(allowed: Sequence[str]) -> tuple[str, ...]:
    """The dotted prefixes that --allow gives, each with its dot at the end.

    >>> prefixes(["own_qa", "mine.,other.qa."])
    ('own_qa.', 'mine.', 'other.qa.')

    Raises:
        ConfigError: One is not the name of a package.
    """
    parts = [part.strip() for words in allowed for part in words.split(",")]
    for part in parts:
        if not all(name.isidentifier() for name in part.removesuffix(".").split(".")):
            raise ConfigError(f"--allow {part}: is not the name of a package; write it as my_package.")
    return tuple(f"{part.removesuffix('.')}." for part in parts)


def _train_parser() -> CommandParser:
    parser = CommandParser("train", "", add_help=False)
    parser.add_argument("overrides", nargs="*")
    for flags in _SWITCHES:
        parser.add_argument(*flags, action="store_true")
    parser.add_argument("--cfg", "-c", choices=["job", "hydra", "all"], action=_Once)
    parser.add_argument("--package", "-p", action=_Once)
    parser.add_argument("--config-name", "-cn", action=_Once)
    parser.add_argument("--config-dir", "-cd", action=_Once)
    parser.add_argument("--from", dest="origin", action=_Once)
    parser.add_argument("--allow", action="append")
    parser.add_argument("--info", "-i", nargs="?", const="all", choices=_INFOS, action=_Once)
    return parser


def _hydra_flags(found: argparse.Namespace) -> Iterator[str]:
    """Give the flags that Hydra gets; the primary config is passed by name."""
    for flags in _SWITCHES:
        if getattr(found, flags[0].removeprefix("--").replace("-", "_")):
            yield flags[0]
    for name in ("cfg", "package", "config_dir", "info"):
        if (value := getattr(found, name)) is not None:
            yield from (f"--{name.replace('_', '-')}", str(value))


def _plain(message: str) -> str:
    """What argparse says of a flag's value, in plain words.

    >>> _plain("argument --cfg/-c: expected one argument"), _plain("argument -m: ignored explicit argument '1'")
    ('--cfg/-c needs a value', "-m takes no value; leave out '1'")
    """
    flag, _, rest = message.removeprefix("argument ").partition(": ")
    if rest == "expected one argument":
        return f"{flag} needs a value"
    if rest.startswith("ignored explicit argument "):
        return f"{flag} takes no value; leave out {rest.removeprefix('ignored explicit argument ')}"
    return message


class _Once(argparse.Action):
    """Takes one value: of two, argparse would use the last and not say so."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Keep the value, or refuse a second one."""
        before = getattr(namespace, self.dest)
        if before is not None:
            parser.error(f"{option} is given twice ({before} and {values}), and one counts; leave out the other")
        setattr(namespace, self.dest, values)


class CommandParser(argparse.ArgumentParser):
    """argparse with our way to fail: a ConfigError, so that the exit code and the form of the message are ours."""

    def __init__(self, command: str, description: str, *, add_help: bool = True) -> None:
        """Name the command and what it does."""
        super().__init__(prog=f"qaexp {command}", description=description, allow_abbrev=False, add_help=add_help)

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse words in any order: argparse's own way takes none of a list that is broken off by a flag."""
        return self.parse_intermixed_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        message = _plain(message)
        settings = (word.partition("=") for word in message.split() if "=" in word)
        hints = [f"; write {setting(key, value)}" for key, _, value in settings if option(key)]
        hints += self._nearest_flags(message)
        raise ConfigError(f"{message}{''.join(hints)} (see {self.prog} --help)")

    def _nearest_flags(self, message: str) -> list[str]:
        """What was most likely meant by flags that there are not, as the end of a sentence."""
        words = message.removeprefix(_UNKNOWN).split() if message.startswith(_UNKNOWN) else []
        flags = [word.partition("=")[0] for word in words if word.startswith("--")]
        if not flags:
            return []
        from qaexp.config.checks.suggest import did_you_mean

        return [
            did_you_mean(flag, [name for name in self._option_string_actions if name[:2] == "--"]) for flag in flags
        ]

    def add_number(
        self, flag: str, kind: type[int] | type[float], default: float | None, help: str, low: float | None = None
    ) -> None:
        """Add a finite number."""

        def read(text: str) -> float:
            value = kind(text)
            if not math.isfinite(value):
                raise argparse.ArgumentTypeError(f"{text} is not finite; give a plain number")
            if low is not None and value < low:
                raise argparse.ArgumentTypeError(f"{text} is below {low:g}")
            return value

        read.__name__ = "number" if kind is float else "whole number"
        self.add_argument(flag, type=read, default=default, help=help, metavar="N")
