"""The runs that an export is made of: one, or seeds of one config; all completed, and what is read of them checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from qaexp.comparison.best import best_run
from qaexp.comparison.collapse import where_silent
from qaexp.comparison.compare import DEFAULT_METRIC, Options
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.selection import collected
from qaexp.errors import ConfigError
from qaexp.runs.directory import CONFIG, CONTEXTS, PREDICTIONS, SCORES
from qaexp.runs.metrics import number_of
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.folder import NOT_A_RUN, SWEEP, look
from qaexp.runs.readers.repeats import differing, distinct, gather, settings
from qaexp.runs.trust import check_files
from qaexp.storage.formats import counted

BEST, SOUP, ENSEMBLE = "best", "soup", "ensemble"
_READ = (CONFIG, PREDICTIONS, CONTEXTS, SCORES)
_KEYS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Sources:
    """What an export is made of.

    Attributes:
        seeds: All the runs that answer, seeds of one config; a single one where nothing was chosen or joined.
        how: `best`, `soup` or `ensemble`; None for a single run.
        chosen: The single run, or the best of the seeds by the default metric of a comparison.
        notes: What is to be said about how they were found.
        num_silent: How many more seeds there are, which answer nothing and take no part in it.
    """

    seeds: Sequence[RunFiles]
    how: str | None
    chosen: RunFiles
    notes: Sequence[str] = field(default=())
    num_silent: int = 0

    @property
    def used(self) -> Sequence[RunFiles]:
        """The runs whose weights are exported."""
        return self.seeds if self.how in (SOUP, ENSEMBLE) else (self.chosen,)

    @property
    def made_of(self) -> str:
        """How many runs it is made of, and how, in words."""
        count = counted(len(self.seeds), "seed")
        if self.num_silent:
            count += f", without {self.num_silent} that answer{'s' if self.num_silent == 1 else ''} nothing"
        words = {
            None: "a run",
            BEST: f"the best of {count}",
            SOUP: f"the averaged weights of {count}",
            ENSEMBLE: f"an ensemble of {count}",
        }
        return words[self.how]

    @property
    def baseline(self) -> str:
        """What torch computes of it beside a graph, in words."""
        words = {SOUP: "the averaged weights", ENSEMBLE: f"its {len(self.seeds)} seeds together"}
        return words.get(self.how or "", "the run")


def read_sources(paths: Sequence[Path], how: str | None, neutral: frozenset[str]) -> Sources:
    """Find the runs, and check what will be read of them.

    Args:
        paths: Run directories; with `how` also sweep directories and folders of runs.
        how: What is made of several seeds; None for a single run.
        neutral: Dotted keys of the config that cannot change results.

    Raises:
        ConfigError: There is no completed run; several, and not said what is made of them; not seeds of one config; or
            too few of them answer.
        IntegrityError: A run is damaged.
    """
    runs, notes = _found(paths)
    num_silent = 0
    if how is None:
        if len(runs) > 1:
            raise ConfigError(
                f"{len(runs)} runs, and an export holds one model; give one run, or add --{BEST}, --{SOUP} or "
                f"--{ENSEMBLE} to say what is made of seeds of one config"
            )
        chosen = runs[0]
    else:
        runs, more = _seeds(runs, how, neutral)
        runs, silent = _answering(runs, how)
        num_silent = len(silent)
        best, about = best_run([run.path for run in runs], Options(metric=DEFAULT_METRIC, neutral=neutral))
        notes += [*more, *silent, *about]
        chosen = next(run for run in runs if run.path == best)
        if how == BEST:
            notes.append(_flattered(chosen, runs))
    found = Sources(runs, how, chosen, notes, num_silent)
    for run in dict.fromkeys((*(run.path for run in found.used), chosen.path)):
        check_files(run, next(one for one in runs if one.path == run).summary or {}, _READ)
    return found


def _flattered(chosen: RunFiles, runs: Sequence[RunFiles]) -> str:
    """What the best of several seeds is to be told with."""
    scores = [value for run in runs if is_number(value := (run.summary or {}).get(DEFAULT_METRIC))]
    shown = number_of(DEFAULT_METRIC).shown
    return (
        f"{chosen.path} has the best {DEFAULT_METRIC} of {len(runs)} seeds, {shown(max(scores))}, their mean is "
        f"{shown(fmean(scores))}; it was chosen on the dev questions, so that other ones will most likely give less"
    )


def _found(paths: Sequence[Path]) -> tuple[list[RunFiles], list[str]]:
    """The completed runs under some paths, and what was passed over below them."""
    for path in paths:
        folder = look(path)
        if folder.state not in (NOT_A_RUN, SWEEP):
            folder.check_completed()
        elif (path / "config.json").is_file():
            raise ConfigError(
                f"{path} is a model folder, not a run directory: an export is checked by the dev questions of its run; "
                "give the directory of the run itself"
            )
    runs, skipped = collected(paths)
    if not runs:
        for path in paths:
            look(path).check_completed()
    return runs, [f"{path}: passed over: {reason}" for path, reason in skipped]


def _seeds(runs: Sequence[RunFiles], how: str, neutral: frozenset[str]) -> tuple[list[RunFiles], list[str]]:
    """The runs as observations of one config, each seed once.

    Raises:
        ConfigError: They are not of one config, or there is only one.
    """
    kept, repeats = distinct(runs, neutral)
    groups = gather(kept, neutral)
    if len(groups) > 1:
        changes = differing([settings(group[0], neutral) for group in groups])
        keys = list(dict.fromkeys(key for one in changes for key in one))
        more = f" and {len(keys) - _KEYS_SHOWN} more" if len(keys) > _KEYS_SHOWN else ""
        told = ", ".join(keys[:_KEYS_SHOWN]) + more
        raise ConfigError(
            f"--{how} is of seeds of one config, and these {len(kept)} runs are of {len(groups)}, which differ in "
            f"{told}; give the runs of one of them"
        )
    if len(kept) == 1:
        raise ConfigError(
            f"--{how} is of several seeds of one config, and there is one run; leave it out, or give more"
        )
    return kept, [f"{run.path}: passed over: a repeat of {first.path}" for run, first in repeats]


def _answering(runs: Sequence[RunFiles], how: str) -> tuple[list[RunFiles], list[str]]:
    """The seeds that answer, and what is to be said of each that does not; all of them where none does.

    Its score shows no skill, and it pulls the mean of weights or logits towards silence.

    Raises:
        ConfigError: A single one is left, and there is nothing to join it with.
    """
    reader = ScoreReader()
    silent = {run.path: where for run in runs if (where := where_silent(run, reader.read(run)))}
    kept = [run for run in runs if run.path not in silent]
    if not kept:
        return list(runs), []
    notes = [f"{path}: left out: it answers nothing {where}" for path, where in silent.items()]
    if len(kept) == 1 and how != BEST:
        raise ConfigError(
            f"--{how} is of several seeds that answer, and of these {len(runs)} only {kept[0].path} does: the first of "
            f"the others, {next(iter(silent))}, answers nothing {next(iter(silent.values()))}; export that one alone, "
            "or train more"
        )
    return kept, notes
