"""What runs compute is what they computed: a change of it must raise `RESULTS_VERSION`, or old runs would be reused.

`python -m tests.experiment.test_results_version` writes the golden results anew. Without a new version it only adds
numbers that are new.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qaexp.runs.identity import RESULTS_VERSION
from qaexp.runs.metrics import NUMBERS, number_of
from qaexp.runs.readers.collect import read_run
from tests.fixtures import tiny_run

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden_results.json"
RUNS = {
    "files, windows, accumulation, sgd": (
        *tiny_run.FILES,
        "features.max_length=32",
        "features.doc_stride=8",
        "batches.batch_size=4",
        "trainer.gradient_accumulation_steps=2",
        "optimizer=sgd",
        "schedule=cosine",
        "trainer.epochs=2",
        "seed=3",
    ),
    "demo, token budget, dropout, adamw": (*tiny_run.DEMO, "trainer.epochs=2", "seed=5", "optimizer.lr=0.01"),
    "demo, unpadded attention": (*tiny_run.DEMO, "trainer.attention=unpadded", "trainer.epochs=2", "optimizer.lr=0.01"),
}
# Processors round in other ways; what somebody changes shows in more than this after some steps.
_RELATIVE = 1e-3
_THRESHOLDS = ("best_exact", "best_f1", "best_f1_thresh", "null_threshold")
_HOW = "python -m tests.experiment.test_results_version"


def results(folder: Path, words: tuple[str, ...]) -> dict[str, Any]:
    """What of a run any change of data, features, batches, training, decoding or metrics shows in."""
    files = [tiny_run.write_squad(folder / f"{name}.json", *sizes) for name, sizes in (("t", (20, 8)), ("d", (12, 6)))]
    run = tiny_run.train(folder, "golden", *words, *(tiny_run.files_of(*files) if "data=json" in words else ()))
    found = read_run(run)
    summary = found.summary or {}
    data = tiny_run.read_json(run / "data.json")
    return {
        "sizes": {key: value for key, value in summary.items() if key.startswith("num_")},
        "train_ids": data["train_ids"][:8],
        "steps": [
            {key: row[key] for key in ("step", "loss", "learning_rate", "grad_norm")} for row in found.steps().rows
        ],
        "metrics": {name: summary[name] for name in NUMBERS if name in _THRESHOLDS or number_of(name).column},
        "null_odds": [row["null_score_diff"] for row in found.predictions().rows[:8]],
    }


@pytest.mark.parametrize("name", RUNS)
def test_results_are_those_of_this_version(tmp_path: Path, name: str) -> None:
    golden = json.loads(GOLDEN.read_text())
    assert golden["results_version"] == RESULTS_VERSION, (
        f"RESULTS_VERSION was raised: write the golden results anew by {_HOW}"
    )
    now = results(tmp_path, RUNS[name])
    changed = differing(golden["runs"][name], now)
    assert not changed, (
        f"what a run computes has changed ({', '.join(changed)}): if that is meant, raise RESULTS_VERSION in "
        f"qaexp/runs/identity.py, say it in CHANGELOG.md, and run {_HOW}"
    )
    new = now["metrics"].keys() - golden["runs"][name]["metrics"].keys()
    assert not new, f"{', '.join(sorted(new))}: new numbers, which leave RESULTS_VERSION as it is; run {_HOW}"


def test_a_small_change_is_seen(tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text())["runs"]
    words = RUNS["demo, token budget, dropout, adamw"]
    other = results(tmp_path, (*words, "seeds.dropout=99"))
    assert "steps[0].loss" in " ".join(differing(golden["demo, token budget, dropout, adamw"], other))


def test_a_number_that_is_new_is_no_change_and_one_that_is_gone_is() -> None:
    golden = {"metrics": {"f1": 50.0, "exact": 40.0}}
    assert differing(golden, {"metrics": {"f1": 50.0, "exact": 40.0, "loudness": 3.0}}) == []
    assert differing(golden, {"metrics": {"f1": 50.0}}) == ["metrics.exact: 40.0 and None"]


def differing(golden: Any, now: Any, place: str = "") -> list[str]:
    """The places in which results differ from golden ones by more than rounding; the first few. What is new is none."""
    if isinstance(golden, Mapping):
        found = (differing(golden[key], now.get(key), f"{place}.{key}".lstrip(".")) for key in golden)
        return [one for several in found for one in several][:9]
    if isinstance(golden, list):
        if len(golden) != len(now):
            return [f"{place}: {len(golden)} and {len(now)} rows"]
        return [
            one for n, pair in enumerate(zip(golden, now, strict=True)) for one in differing(*pair, f"{place}[{n}]")
        ][:9]
    are_floats = isinstance(golden, float) and isinstance(now, float)
    is_same = golden == pytest.approx(now, rel=_RELATIVE) if are_floats else golden == now
    return [] if is_same else [f"{place}: {golden!r} and {now!r}"]


def _write() -> None:
    runs = {}
    for name, words in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            runs[name] = results(Path(folder), words)
    golden = json.loads(GOLDEN.read_text())
    if golden["results_version"] == RESULTS_VERSION and (changed := differing(golden["runs"], runs)):
        sys.exit(f"not written: {', '.join(changed)} changed, which takes a new RESULTS_VERSION")
    GOLDEN.write_text(json.dumps({"results_version": RESULTS_VERSION, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    _write()
