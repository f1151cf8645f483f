"""How many seeds each score needs, on runs whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.benchmarks.evidence import SCORES, rows
from tests.fixtures.compared import scores, write_run

NUM = 240


def test_the_score_with_the_clearer_difference_needs_fewer_seeds(tmp_path: Path) -> None:
    for lr, f1, nll in ((1e-4, 60, 2.0), (3e-4, 61, 1.0)):
        for seed in range(4):
            noise = np.random.default_rng([seed, round(lr * 1e4)])
            values = nll + noise.normal(0, 0.05) + noise.normal(0, 0.1, NUM)
            changes = {"optimizer.lr": lr, "seed": seed}
            write_run(tmp_path / f"{lr}{seed}", scores(seed + round(lr * 1e5), f1, NUM), changes=changes, nll=values)
    told = {row[1]: row for row in rows(tmp_path)}
    assert list(told) == list(SCORES)
    assert int(told["gold_nll"][-1]) < int(told["f1"][-1].replace("more than ", ""))
    assert int(told["gold_nll"][-1]) <= int(told["gold_nll"][-2])
    assert told["gold_nll"][2].startswith("-1.0") or told["gold_nll"][2].startswith("-0.9")
