"""What a race spends until it knows the best, beside the grid and Optuna's median pruning, on recorded curves.

python -m tests.benchmarks.racing [--repetitions 200]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import optuna

from qaexp.comparison.racing import ALIKE, BEST, MIN_SEEDS, Standing, judge, level_of, pooled_seeds
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.statistics.difference import Codes, Floats, quantile
from qaexp.comparison.statistics.paired import paired_groups
from qaexp.runs.directory import HISTORY
from qaexp.runs.readers.collect import collect
from qaexp.storage.reading import read_table
from tests import REPOSITORY

RECORDED = REPOSITORY / "multirun_outputs" / "example_sweep"
METRIC, CURVE = "crossfit_f1", "f1"
RELEVANT = 2.0
MOST_SEEDS = 20
SEED = 20_261_130
RUNG = 2
COPIES = 4
"""So many times the recorded clusters of questions: 296 paragraphs, a quarter of SQuAD v2.0's development set."""

PLANNED = "grid, one look, planned"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The runs of one configuration.

    Attributes:
        scores: In percent [seeds, questions].
        curve: f1 at the end of each epoch [seeds, epochs].
    """

    scores: Floats
    curve: Floats


@dataclass(frozen=True, slots=True)
class Drawn:
    """One repetition: new seeds and new questions, made of the recorded ones.

    Attributes:
        scores: By configuration [seeds, questions].
        curves: By configuration [seeds, epochs].
        clusters: Of each question.
        best: The configuration whose recorded mean is the best.
        order: In which a search tries the configurations.
    """

    scores: Mapping[str, Floats]
    curves: Mapping[str, Floats]
    clusters: Codes
    best: str
    order: tuple[str, ...]

    @property
    def num_epochs(self) -> int:
        """Epochs of a run."""
        return len(self.curves[self.best][0])


@dataclass(frozen=True, slots=True)
class Spent:
    """What a strategy took in one repetition.

    Attributes:
        runs: That it spent, those that were cut short by their share of epochs.
        verdict: How it ended; None where nothing was known after `MOST_SEEDS`.
        is_wrong: Whether it dropped the best configuration.
        num_seeds: Of the configuration that got the most.
    """

    runs: float
    verdict: str | None
    is_wrong: bool
    num_seeds: int = 0


def recorded(sweep: Path) -> tuple[dict[str, Recorded], Codes]:
    """Read the runs of a sweep over learning rates and seeds."""
    reader, rows = ScoreReader(), dict[str, list[tuple[Floats, list[float]]]]()
    clusters: Codes | None = None
    for run in sorted(collect(sweep).runs, key=lambda run: (run.config["optimizer"]["lr"], run.config["seed"])):
        measured = reader.measured(run, METRIC)
        assert measured is not None
        clusters = measured.clusters
        curve = [float(row[CURVE]) for row in read_table(run.path / HISTORY, ("probe_",))]
        rows.setdefault(f"{run.config['optimizer']['lr']:g}", []).append((measured.values, curve))
    assert clusters is not None
    return {
        name: Recorded(np.stack([scores for scores, _ in one]), np.array([curve for _, curve in one]))
        for name, one in rows.items()
    }, clusters


def spread(found: Mapping[str, Recorded], gaps: Sequence[float]) -> dict[str, Recorded]:
    """Configurations that lie so many points below the best, with the seeds and the learning curves of the recorded."""
    own = list(found.values())
    best, made = max(float(one.scores.mean()) for one in own), {}
    for place, gap in enumerate(gaps):
        one = own[place % len(own)]
        shift = best - gap - float(one.scores.mean())
        made[f"{place}: -{gap:g}"] = Recorded(one.scores + shift, one.curve + shift)
    return made


def draw(found: Mapping[str, Recorded], clusters: Codes, generator: np.random.Generator, copies: int) -> Drawn:
    """Draw seeds and clusters of questions.

    A new seed is the mean of the recorded ones plus a random mixture of what they differ in (normal weights), the same
    mixture in every configuration: so seeds vary as much, and go together as much, as the recorded ones.

    Args:
        found: The recorded runs.
        clusters: The cluster of each of their questions.
        generator: Draws.
        copies: So many times as many clusters are drawn as were recorded.
    """
    num, num_clusters = len(next(iter(found.values())).scores), int(clusters.max()) + 1
    weights = generator.normal(size=(MOST_SEEDS, num)) / np.sqrt(num - 1)
    chosen = generator.integers(0, num_clusters, copies * num_clusters)
    questions = [np.flatnonzero(clusters == one) for one in chosen]
    places = np.concatenate(questions)
    codes = np.repeat(np.arange(len(chosen)), [len(one) for one in questions]).astype(np.intp)
    scores, curves = {}, {}
    for name, one in found.items():
        mean, middle = one.scores.mean(axis=0), one.curve.mean(axis=0)
        scores[name] = (mean + weights @ (one.scores - mean))[:, places]
        curves[name] = middle + weights @ (one.curve - middle) + (mean[places].mean() - mean.mean())
    best = max(found, key=lambda name: float(found[name].scores.mean()))
    return Drawn(scores, curves, codes, best, tuple(generator.permutation(list(found))))


def race(drawn: Drawn, rung: int | None = None) -> Spent:
    """The race; with a rung, runs of later rounds are first trained for so many epochs and may be dropped there."""
    names, spent = list(drawn.scores), float(len(drawn.scores))
    for num_seeds in range(2, MOST_SEEDS + 1):
        cut = behind(drawn, names, num_seeds, rung) if rung is not None and num_seeds >= MIN_SEEDS else []
        names = [name for name in names if name not in cut]
        spent += len(names) + (len(cut) * rung / drawn.num_epochs if rung is not None else 0)
        if num_seeds < MIN_SEEDS:
            continue
        standing = judged(drawn, names, num_seeds)
        names = [name for name in names if name not in standing.dropped]
        if standing.verdict is not None:
            return Spent(spent, standing.verdict, drawn.best not in names, num_seeds)
    return Spent(spent, None, drawn.best not in names, MOST_SEEDS)


def behind(drawn: Drawn, names: Sequence[str], num_seeds: int, rung: int) -> list[str]:
    """Configurations that are worse at a rung by more than what later epochs were seen to give back.

    The test is over seeds alone, as an epoch's end leaves no score of each question.
    """
    early = {name: drawn.curves[name][:num_seeds, rung - 1] for name in names}
    late = {name: drawn.curves[name][: num_seeds - 1, -1] for name in names}
    leader = max(names, key=lambda name: float(late[name].mean()))
    gaps = {name: early[name] - early[leader] for name in names if name != leader}
    caught = max(
        (float(np.max(late[name] - late[leader] - gap[:-1])) for name, gap in gaps.items()),
        default=0.0,
    )
    level, found = level_of(len(drawn.scores)), []
    for name, gap in gaps.items():
        error = max(float(gap.std(ddof=1)), 1e-9) / np.sqrt(num_seeds)
        if (gap.mean() + max(caught, 0.0)) / error < -quantile(num_seeds - 1, 1 - level / 2):
            found.append(name)
    return found


def judged(drawn: Drawn, names: Sequence[str], num_seeds: int) -> Standing:
    """How some configurations stand after so many seeds."""
    tables = {name: drawn.scores[name][:num_seeds] for name in names}
    return judge(tables, drawn.clusters, num_entrants=len(drawn.scores), relevant=RELEVANT, better="higher")


def grid(drawn: Drawn, raced: Spent) -> Spent:
    """The grid, looked at after every seed by the test of the race: all get as many seeds as the last one needs."""
    return Spent(raced.num_seeds * len(drawn.scores), raced.verdict, raced.is_wrong, raced.num_seeds)


def one_look(drawn: Drawn, names: Sequence[str]) -> Spent:
    """The grid with the fewest seeds with which a test of one look decides, as only an oracle knows them."""
    level = level_of(len(drawn.scores))
    for num_seeds in range(MIN_SEEDS, MOST_SEEDS + 1):
        tables = {name: drawn.scores[name][:num_seeds] for name in names}
        pooled, means = pooled_seeds(list(tables.values())), {name: float(one.mean()) for name, one in tables.items()}
        leader = max(means, key=lambda name: means[name])
        found = {
            name: paired_groups(tables[leader], tables[name], drawn.clusters, pooled=pooled)
            for name in names
            if name != leader
        }
        left = {name: one.interval(level) for name, one in found.items() if one.p > level}
        if all(max(-low, high) < RELEVANT for low, high in left.values()):
            is_wrong = drawn.best not in (leader, *left)
            return Spent(num_seeds * len(names), ALIKE if left else BEST, is_wrong, num_seeds)
    return Spent(MOST_SEEDS * len(names), None, False, MOST_SEEDS)


def pruned_search(drawn: Drawn) -> tuple[float, list[str]]:
    """Optuna's median pruning as `sweep=optuna` has it: a trial a configuration, judged by its first seed.

    Returns:
        The runs spent on the first seed, and the configurations that were not given up.
    """
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=5))
    left, epochs = [], 0
    for name in drawn.order:
        trial = study.ask()
        for epoch, value in enumerate(drawn.curves[name][0], 1):
            trial.report(float(value), epoch)
            epochs += 1
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, float(drawn.curves[name][0][-1]))
            left.append(name)
    return epochs / drawn.num_epochs, left


def simulate(found: Mapping[str, Recorded], clusters: Codes, repetitions: int, copies: int) -> dict[str, list[Spent]]:
    """Let every strategy work on the same draws."""
    generator = np.random.default_rng(SEED)
    spent: dict[str, list[Spent]] = {}
    for _ in range(repetitions):
        drawn = draw(found, clusters, generator, copies)
        raced = race(drawn)
        looked = one_look(drawn, list(drawn.scores))
        first, left = pruned_search(drawn)
        pruned = one_look(drawn, left)
        for name, one in {
            "race": raced,
            f"race, rung of {RUNG} epochs": race(drawn, RUNG),
            "grid, looked at as the race": grid(drawn, raced),
            "grid, one look, oracle": looked,
            "median pruning, oracle": replace(
                pruned,
                runs=first + (pruned.num_seeds - 1) * len(left),
                is_wrong=pruned.is_wrong or drawn.best not in left,
            ),
        }.items():
            spent.setdefault(name, []).append(one)
    spent[PLANNED] = planned(spent["grid, one look, oracle"], len(found))
    return spent


def planned(known: Sequence[Spent], num_configurations: int) -> list[Spent]:
    """The grid with one number of seeds, planned so that 95 % of the repetitions are decided with one look."""
    num_seeds = int(np.ceil(np.quantile([one.num_seeds for one in known], 0.95)))
    return [
        Spent(
            num_seeds * num_configurations, one.verdict if one.num_seeds <= num_seeds else None, one.is_wrong, num_seeds
        )
        for one in known
    ]


def main() -> None:
    """Print a table for each shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=200)
    repetitions = parser.parse_args().repetitions
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    own, clusters = recorded(RECORDED)
    shapes = {
        "as recorded, 658 questions": (own, 1),
        "as recorded": (own, COPIES),
        "spread: 0 2 3 4 6 9 14 20": (spread(own, (0, 2, 3, 4, 6, 9, 14, 20)), COPIES),
        "two alike: 0 0.2 2 3 5 8 12 20": (spread(own, (0, 0.2, 2, 3, 5, 8, 12, 20)), COPIES),
        "seven 1 below the best": (spread(own, (0, *(1,) * 7)), COPIES),
        "eight alike": (spread(own, (0,) * 8), COPIES),
    }
    print("| configurations | strategy | median | worst | best dropped, % | decided, % |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for shape, (found, copies) in shapes.items():
        for line in table_lines(shape, simulate(found, clusters, repetitions, copies)):
            print(line, flush=True)


def table_lines(shape: str, spent: Mapping[str, Sequence[Spent]]) -> list[str]:
    """Of each strategy the runs (epochs count by their share), how often the best was dropped, and how it ended."""
    lines = []
    for name, every in spent.items():
        runs = [one.runs for one in every]
        wrong, decided = (
            100 * np.mean([one.is_wrong for one in every]),
            100 * np.mean([one.verdict in (BEST, ALIKE) for one in every]),
        )
        lines.append(f"| {shape} | {name} | {np.median(runs):.1f} | {np.max(runs):.1f} | {wrong:.1f} | {decided:.1f} |")
    return lines


if __name__ == "__main__":
    main()
