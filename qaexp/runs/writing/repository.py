"""The commit and the uncommitted changes of a git repository, asked so that nothing of the repository is executed."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.storage.start import program, start

_SECONDS = 5.0
# A driver is a program that git runs for files with an attribute; with these it has none, and none is needed.
_DRIVER = re.compile(rb"(filter\..*)\.(clean|smudge|process|required)", re.DOTALL)
_REMOTE = re.compile(rb"(remote\..*)\.(promisor|partialclonefilter|url|uploadpack|vcs)", re.DOTALL)
_OFF = {
    "core.fsmonitor": "false",
    "core.useBuiltinFSMonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.sshCommand": "false",
    "core.gitProxy": "",
    "core.askPass": "",
    "credential.helper": "",
    "diff.external": "",
    "submodule.recurse": "false",
    "safe.bareRepository": "explicit",
    "protocol.allow": "never",
}
_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty", "--submodule=short", "--no-color")


def describe_repository(folder: Path) -> dict[str, Any] | None:
    """Return the git commit of the repository that tracks `folder`, and the sha256 of its uncommitted diff.

    Filters of the repository are not run: what they would change back shows as a change.

    Returns:
        `{commit, dirty, diff_sha256}`; None without git, outside a repository, or in a folder that it ignores (a
        virtual environment inside somebody's project is not a part of that project).
    """
    git = program("git")
    names = _git(git, folder, _OFF, "config", "--includes", "--name-only", "--null", "--list")
    if names is None:
        return None
    settings = {**_OFF, **_drivers_off(names.split(b"\0"))}
    if not _git(git, folder, settings, "ls-files", "--", "."):
        return None
    commit = _git(git, folder, settings, "rev-parse", "--verify", "HEAD")
    diff = _git(git, folder, settings, *_DIFF, "--binary", "HEAD")
    if commit is None or diff is None:
        return None
    return {
        "commit": commit.decode().strip(),
        "dirty": diff != b"",
        "diff_sha256": hashlib.sha256(diff).hexdigest() if diff else None,
    }


def _drivers_off(names: Sequence[bytes]) -> dict[str, str]:
    """The settings that take their programs from the filters and their address from the remotes of a repository."""
    off: dict[str, str] = {}
    for name in names:
        if (found := _DRIVER.fullmatch(name)) is not None:
            driver = os.fsdecode(found[1])
            off |= {f"{driver}.{key}": "" for key in ("clean", "smudge", "process")}
            off[f"{driver}.required"] = "false"
        elif (found := _REMOTE.fullmatch(name)) is not None:
            off[f"{os.fsdecode(found[1])}.promisor"] = "false"
    return off


def _git(git: str | None, folder: Path, settings: Mapping[str, str], *words: str) -> bytes | None:
    """Return what a git command prints; None when it cannot run, fails or takes too long."""
    if git is None:
        return None
    try:
        done = subprocess.run(
            [git, "--no-pager", *words],
            cwd=folder,
            env=_environment(settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of the start, without what leads git elsewhere, and with settings that override those of files.

    They stand in variables: in `-c name=value` a name that holds a `=` would be cut short.
    """
    kept = {name: value for name, value in start().environ.items() if not name.upper().startswith("GIT_")}
    numbered = enumerate(settings.items())
    return {
        **kept,
        # What git would start by itself, git too, is looked for here.
        "PATH": os.devnull,
        "GIT_EXEC_PATH": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        # Reading must not write: git would refresh its index.
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(settings)),
        **{
            f"GIT_CONFIG_{what}_{n}": pair[which] for n, pair in numbered for which, what in enumerate(("KEY", "VALUE"))
        },
    }
