"""A run and a sweep from Python: what `qaexp train` does, with the folder and the numbers as the result."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.commands import composed
from qaexp.commands.composed import Asked
from qaexp.commands.python.run import Run
from qaexp.errors import ConfigError
from qaexp.reporting.terminal.printing import hushed
from qaexp.storage.formats import dotted
from qaexp.storage.start import held

if TYPE_CHECKING:
    import pandas as pd


# More runs take seconds to compare, which nobody asked for who only looks at a sweep.
_MAX_COMPARED = 100
# Follow from `name` and `seed`.
_NOT_SWEPT = ("name", *(f"seeds.{part}" for part in ("subset", "init", "order", "dropout")))


class SweepResult(Sequence[Run]):
    """The completed runs of a sweep, in the order of its jobs.

    Attributes:
        folder: The sweep's directory.
        runs: The runs.
    """

    def __init__(self, folder: Path, runs: Sequence[Run]) -> None:
        """Take what a sweep left."""
        self.folder, self.runs = folder, list(runs)

    def __getitem__(self, place: Any) -> Any:
        """A run by its place."""
        return self.runs[place]

    def __len__(self) -> int:
        """How many runs are completed."""
        return len(self.runs)

    def frame(self) -> pd.DataFrame:
        """The runs as `qaexp.load_runs` gives them."""
        from qaexp.runs.readers.frame import load_runs

        return load_runs([run.folder for run in self.runs])

    @property
    def path(self) -> Path:
        """The sweep's directory."""
        return self.folder

    @property
    def history(self) -> pd.DataFrame:
        """The epochs of the runs as `qaexp.load_history` gives them, with the keys that were swept as columns."""
        from qaexp.runs.readers.frame import load_history

        return load_history(self.runs, self._keys())

    @property
    def predictions(self) -> pd.DataFrame:
        """The answers of the runs as `qaexp.load_predictions` gives them, with the keys that were swept as columns."""
        from qaexp.runs.readers.frame import load_predictions

        return load_predictions(self.runs, self._keys())

    def _keys(self) -> list[str]:
        """The keys of the config in which the runs differ, but for their names."""
        configs = [dotted(run.config) for run in self.runs]
        keys = dict.fromkeys(key for config in configs for key in config if key not in _NOT_SWEPT)
        return [key for key in keys if any(config.get(key) != configs[0].get(key) for config in configs)]

    def _repr_html_(self) -> str:
        """What a notebook shows: what was found, and the groups over seeds."""
        from qaexp.commands.python.compared import compare
        from qaexp.errors import QaexpError
        from qaexp.reporting.page.card import Card, card_html

        head = Card(self.folder.name, lines=[repr(self)])
        if len(self.runs) > _MAX_COMPARED:
            return card_html(replace(head, notes=["qaexp.compare() of it says which setting is better"]))
        if not self.runs:
            return card_html(head)
        try:
            return compare(self.folder).html(self.folder.name)
        except QaexpError as error:
            return card_html(replace(head, warnings=[("nothing to compare", str(error))]))

    def __fspath__(self) -> str:
        """The sweep's directory, so that the result can be used as a path."""
        return str(self.folder)

    def __repr__(self) -> str:
        """The folder and how many runs there are."""
        return f"<sweep in {self.folder}: {len(self.runs)} completed runs>"


def run(*overrides: str, config_dir: str | Path | None = None, quiet: bool = False, **keywords: Any) -> Run:
    """Train one run, as `qaexp train` does; the same call again returns the result and trains nothing.

    Args:
        *overrides: Override lines, for example `"data.train_size=100"`.
        config_dir: A folder with YAML files of your own, as `--config-dir`.
        quiet: Print nothing while it trains.
        **keywords: None: overrides are texts, and a setting that is given as a keyword is refused with its text.

    Returns:
        The numbers of its summary.json by name, and its `folder` and `run_id`.

    Raises:
        QaexpError: As `qaexp train`.
    """
    _refuse_keywords("run", keywords)
    lines = _lines("run", overrides)
    _refuse_several_values(lines)
    with held(), _silence(quiet):
        asked = _asked(lines, config_dir)
        checked = asked.checked()
        if checked.is_sweep:
            raise ConfigError("these overrides make a sweep; give them to qaexp.sweep()")
        ended = composed.run(asked, checked)
        if ended.summary is not None:
            from qaexp.experiment.uploading import upload_completed

            upload_completed(checked.config.reporter.upload_to, ended.directory)
        return Run.of(ended.directory, ended.run_id, ended.summary or {})


def sweep(
    *overrides: str | Sequence[str], config_dir: str | Path | None = None, quiet: bool = False, **keywords: Any
) -> SweepResult:
    """Train every combination of the values given, as `qaexp train -m` does; what is completed is not run again.

    Args:
        *overrides: Override lines, for example `"optimizer.lr=1e-4,3e-4"`; lists of them, too.
        config_dir: A folder with YAML files of your own, as `--config-dir`.
        quiet: Print nothing while it trains.
        **keywords: None: overrides are texts, and a setting that is given as a keyword is refused with its text.

    Returns:
        The sweep's folder and its completed runs; none after a dry run.

    Raises:
        SweepError: Jobs failed; the others have been run, and are in the folder.
        QaexpError: As `qaexp train`.
    """
    _refuse_keywords("sweep", keywords)
    lines = _lines("sweep", [line for one in overrides for line in ([one] if isinstance(one, str) else one)])
    with held(), _silence(quiet):
        asked = _asked(lines, config_dir, "-m")
        checked = asked.checked()
        directory = composed.sweep(asked, checked)
        return SweepResult(directory, [] if checked.config.sweep.dry_run else _completed(directory))


def _asked(lines: Sequence[str], config_dir: str | Path | None, *flags: str) -> Asked:
    """What override lines ask for, and the command that does the same."""
    folder = None if config_dir is None else Path(config_dir)
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"config_dir={config_dir} is not a folder; give a folder with YAML files in groups")
    named = [] if folder is None else ["--config-dir", str(folder)]
    return Asked(lines, ["qaexp", "train", *flags, *named, *lines], lines, config_dir=folder)


def _completed(sweep: Path) -> list[Run]:
    """The completed runs of the newest command for a sweep."""
    from qaexp.runs.directory import SWEEP
    from qaexp.storage.reading import read_json

    rows = [row for row in read_json(sweep / SWEEP)["jobs"] if row["is_planned"] and row["summary"] is not None]
    return [Run.of(sweep / row["path"], row["run_id"], row["summary"]) for row in rows]


def _refuse_keywords(function: str, given: Mapping[str, Any]) -> None:
    """Refuse settings that are given as keywords of Python, with the texts to give in their place.

    Raises:
        ConfigError: There are some.
    """
    if given:
        texts = ", ".join(f'"{line}"' for key, value in given.items() for line in _as_lines(function, key, value))
        raise ConfigError(
            f"{function}() takes settings as texts, not as {', '.join(f'{key}=' for key in given)}; write "
            f"{function}({texts})"
        )


def _as_lines(function: str, key: str, value: Any) -> list[str]:
    """A keyword as override lines; of a list of lines, as `overrides=[...]`, the lines themselves.

    >>> _as_lines("run", "tags", ["a", "b"]), _as_lines("sweep", "seed", [0, 1]), _as_lines("run", "threads", None)
    (['tags=[a,b]'], ['seed=0,1'], ['threads=null'])
    """
    is_list = isinstance(value, list | tuple | range)
    if key in ("overrides", "lines", "args", "argv") and is_list:
        return [str(line) for line in value]
    shown = ",".join(map(_shown, value)) if is_list else _shown(value)
    return [f"{key}=[{shown}]" if is_list and function == "run" else f"{key}={shown}"]


def _shown(value: Any) -> str:
    shown = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return shown.replace('"', "'")


def _lines(function: str, given: Sequence[Any]) -> list[str]:
    from qaexp.config.checks.texts import keep_texts

    if wrong := [line for line in given if not isinstance(line, str)]:
        raise ConfigError(
            f"{function}() takes override lines as texts, one argument each, not {wrong[0]!r:.80}: "
            f"{function}('seed=1', 'name=try')"
        )
    if flags := [line for line in given if line.startswith("-")]:
        ways = {"--config-dir": "write config_dir='...'", "-m": "leave it out: qaexp.sweep() is a sweep"}
        way = ways.get(flags[0].partition("=")[0], "give override lines, as 'seed=1'")
        raise ConfigError(f"{function}() takes no flags, as {flags[0]}; {way}")
    return list(keep_texts(given))


def _refuse_several_values(lines: Sequence[str]) -> None:
    from qaexp.config.checks.words import swept_keys

    if keys := swept_keys(lines):
        raise ConfigError(
            f"{', '.join(keys)}: several values are a sweep; give run() one value each, or take qaexp.sweep()"
        )


@contextmanager
def _silence(quiet: bool) -> Iterator[None]:
    """Print nothing in the body; warnings are still logged."""
    if not quiet:
        yield
        return
    # Tables and bars go to stdout by a library; lines of ours also to stderr.
    with hushed(), redirect_stdout(io.StringIO()):
        yield
