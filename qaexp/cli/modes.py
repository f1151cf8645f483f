"""Flags of `qaexp train` that do something else than train: which go together, and what each of them needs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence

from qaexp.errors.advice import setting

SHELLS = ("bash", "fish", "zsh")
_ACTIONS = ("install", "uninstall", "query")


def mode_problems(found: argparse.Namespace) -> Iterator[str]:
    """Name the flags that exclude each other, and those that would do nothing.

    Args:
        found: The words after `qaexp train`, parsed.
    """
    modes = list(_modes(found))
    if len(modes) > 1:
        is_planned = found.multirun and not found.run and (found.cfg or found.info)
        hint = f"; the jobs of a sweep are listed by -m {setting('sweep.dry_run', 'true')}" if is_planned else ""
        yield f"{' and '.join(modes)}: each of them says what to do; give one of them{hint}"
    for flag in ("resolve", "package"):
        if getattr(found, flag) not in (None, False) and found.cfg is None:
            yield f"--{flag} does something with --cfg alone; add --cfg job, or leave it out"
    if found.shell_completion and len(modes) == 1:
        yield from _completion_problems(found.overrides)


def _modes(found: argparse.Namespace) -> Iterator[str]:
    for flag in ("run", "multirun", "shell_completion"):
        if getattr(found, flag):
            yield f"--{flag.replace('_', '-')}"
    for flag in ("cfg", "info"):
        if getattr(found, flag) is not None:
            yield f"--{flag} {getattr(found, flag)}"


def _completion_problems(words: Sequence[str]) -> Iterator[str]:
    """What a shell gives is one word: what to do, and which shell it is."""
    action, _, shell = words[0].partition("=") if len(words) == 1 else ("", "", "")
    if action not in _ACTIONS or shell not in SHELLS:
        yield (
            f"--shell-completion takes one word, install=SHELL or uninstall=SHELL, with SHELL one of "
            f"{', '.join(SHELLS)}, and prints what that shell has to run; for bash write "
            'eval "$(qaexp train -sc install=bash)"'
        )
    elif action == "query" and "COMP_LINE" not in os.environ:
        yield (
            f"{words[0]} is for the shell, which puts its line into the variable COMP_LINE; to have the words of qaexp "
            f"completed, let {shell} run what qaexp train -sc install={shell} prints"
        )


def with_all(argv: Sequence[str], topics: Sequence[str]) -> list[str]:
    """Let `--info` without a topic come before an override, which argparse would take for the topic.

    >>> with_all(["--info", "seed=1"], ["all", "defaults"]), with_all(["-i", "defaults"], ["all", "defaults"])
    (['--info=all', 'seed=1'], ['-i', 'defaults'])
    >>> with_all([], [])
    []
    """
    following = [*argv[1:], *([""] if argv else [])]
    return [
        "--info=all" if word in ("--info", "-i") and "=" in after and after not in topics else word
        for word, after in zip(argv, following, strict=True)
    ]


def hydra_help() -> str:
    """What `qaexp train --hydra-help` prints: Hydra's flags as qaexp takes them, and where Hydra's own keys are."""
    from qaexp.config.conf import choices, conf_directory

    of_hydra = {name: files for name, files in choices([conf_directory()]).items() if name.startswith("hydra/")}
    groups = [f"  {group}={'|'.join(names)}" for group, names in of_hydra.items()]
    return "\n".join([_HYDRA_FLAGS, *groups, _HYDRA_KEYS])


_HYDRA_FLAGS = """qaexp train is built on Hydra (https://hydra.cc). Its flags, as qaexp takes them:

  -h, --help               groups, choices and keys of qaexp
  --hydra-help             this page
  --version                the versions of qaexp and of Hydra
  -c, --cfg WHAT           print the config and stop: job (the run's), hydra (Hydra's node) or all
  -p, --package PART       with --cfg: a part of it, as -p optimizer
  --resolve                with --cfg: ${...} replaced by its value
  -i, --info [TOPIC]       print one of all, config, defaults, defaults-tree, plugins, searchpath, and stop
  -r, --run                one run, as without a flag
  -m, --multirun           a sweep
  -sc, --shell-completion install=bash|fish|zsh
                           print what a shell has to run to complete words with the Tab key
  -cd, --config-dir DIR    your own YAML files, added to those of qaexp
  -cn, --config-name NAME  the file to begin with

Not taken: --config-path (-cp) would take qaexp's own files away, and --experimental-rerun would load a pickle.

groups of Hydra (group=choice):"""

_HYDRA_KEYS = """
keys of Hydra (key=value): list them with: qaexp train --cfg hydra"""
