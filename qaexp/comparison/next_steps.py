"""What to do after a comparison: look at a seed, run more of them, or use what was found."""

from __future__ import annotations

import shlex

from qaexp.comparison.found import Row, Study
from qaexp.comparison.next_command import with_seeds
from qaexp.comparison.options import DEFAULT_METRIC
from qaexp.comparison.sides import ONE_SEED, RUNS
from qaexp.comparison.verdict import NOT_SHOWN
from qaexp.runs.groups import SEED_KEYS

USUAL_SEEDS = 5


def next_step(study: Study) -> str | None:
    """Return what to do next, to stand behind "Next:"; None where nothing can be said."""
    if not study.groups:
        return "qaexp status says what the folders hold."
    if not study.able:
        return "a smaller learning rate, more steps or more training examples; docs/answers_nothing.md tells more."
    if len(study.groups) == 1:
        return _of_one(study)
    if not study.is_tested:
        return "--metric f1 (or another score of the questions) tests the groups against each other."
    if len(study.able) == 1:
        return "look at the runs that answer nothing; docs/answers_nothing.md tells why they do."
    if study.by in SEED_KEYS:
        return "what differs here is chance; another setting over several seeds can be compared with this spread."
    pair = study.pair()
    unsettled = study.open_pair()
    if pair is not None and pair["kind"] in (RUNS, ONE_SEED):
        return _more_seeds(study, USUAL_SEEDS)
    if unsettled is None:
        return _use(study)
    if unsettled["verdict"] == NOT_SHOWN:
        return "choose by cost or by simplicity."
    return _after_cannot_tell(study, unsettled)


def _of_one(study: Study) -> str:
    (group,) = study.groups
    if study.apart:
        return "compare runs that answered the same questions; qaexp evaluate RUN scores a run's model on any file."
    if group["n"] > 1 and study.by is None:
        return "--by seed puts them against each other; a second setting needs another value of a key."
    return "give the folder of another run, too."


def _use(study: Study) -> str:
    score = study.metric
    runs = sorted(study.runs(study.leader), key=lambda run: ((run["summary"] or {}).get(score) or 0.0, run["name"]))
    metric = "" if study.metric == DEFAULT_METRIC else f" --metric {study.metric}"
    words = study.leader["name"].split()
    is_condition = study.by is None and all("=" in word and "$" not in word for word in words)
    where = f" --where {shlex.quote(' and '.join(words))}" if is_condition else ""
    return f"use it; its best run is {runs[-1]['name']}, whose folder is printed by: qaexp best FOLDER{metric}{where}"


def _after_cannot_tell(study: Study, pair: Row) -> str:
    look = ""
    for group in study.groups_of(pair):
        found = study.far(group)
        if found is not None:
            look = f"look at {found[0]['name']} first; then "
    reached = study.enough_seeds(pair)
    fewest = min(group["n"] for group in study.able)
    if reached is not None:
        return look + _more_seeds(study, fewest + reached[0])
    if pair[pair["metric"]]["minimum_detectable"] is not None and fewest < USUAL_SEEDS:
        return look + _more_seeds(study, USUAL_SEEDS)
    if look:
        return look.removesuffix(" first; then ") + ": a mean over seeds hides such a run."
    return "more dev questions, or settings that differ more: seeds alone do not settle this."


def _more_seeds(study: Study, number: int) -> str:
    """Run more seeds; that their number comes first is part of the advice."""
    command = with_seeds([run for group in study.able for run in study.runs(group)], number)
    how = f"run {number} seeds of each setting, and compare once they are all there"
    why = "whoever adds seeds until something shows finds it by chance"
    typed = f": {command}" if command else f", with seed={','.join(map(str, range(number)))}"
    return f"{how} ({why}){typed}"
