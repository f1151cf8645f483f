"""What a process was started with, its environment and its folder: nothing that it reads later changes either."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# The variable of the dotted prefixes that configs may name, separated by commas.
ALLOWED = "QAEXP_ALLOW_TARGETS"

_held: Start | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """What counts, whatever a config sets and wherever a run folder lets the process go.

    Attributes:
        environ: The environment.
        directory: The user's working directory; None when it is gone.
    """

    environ: Mapping[str, str]
    directory: Path | None


def start() -> Start:
    """What the command under way was started with; outside of one, what there is now."""
    return _held or Start(dict(os.environ), _here())


@contextmanager
def held(given: Start | None = None) -> Iterator[None]:
    """Hold on in the body to what there is now; inside another such body, to what that one holds.

    Args:
        given: What to hold instead: that of the parent, in a child.
    """
    global _held
    before = _held
    _held = before or given or start()
    try:
        yield
    finally:
        _held = before


@contextmanager
def allowing(prefixes: Sequence[str]) -> Iterator[None]:
    """Let the body, and the processes that it starts, be as if they were started with more allowed prefixes."""
    global _held
    before, environ = _held, dict(start().environ)
    given = [part for part in environ.get(ALLOWED, "").split(",") if part.strip()]
    joined = ",".join([*given, *prefixes])
    _held = Start({**environ, ALLOWED: joined}, start().directory) if prefixes else before
    try:
        # Workers of launchers get the environment as it is.
        with variables({ALLOWED: joined} if prefixes else {}):
            yield
    finally:
        _held = before


@contextmanager
def variables(given: Mapping[str, str | None]) -> Iterator[None]:
    """Set variables of the environment for the body, as programs and libraries read them; None takes one away."""
    before = {name: os.environ.get(name) for name in given}
    _set(given)
    try:
        yield
    finally:
        _set(before)


def program(name: str) -> str | None:
    """The absolute path of a program on the PATH of the start; None if it is not there.

    Relative entries are left out: they would name another place after every change of the folder.
    """
    given = start().environ.get("PATH", "").split(os.pathsep)
    places = os.pathsep.join(place for place in given if Path(place).is_absolute())
    return shutil.which(name, path=places) if places else None


def _set(given: Mapping[str, str | None]) -> None:
    for name, value in given.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _here() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None
