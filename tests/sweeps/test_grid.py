"""The jobs of a command line: every combination, in the order given."""

from __future__ import annotations

import pytest

from qaexp.errors import ConfigError
from qaexp.sweeps.grid import job_lines


def test_every_combination_in_the_order_given() -> None:
    found = job_lines(["a=1", "seed=0,1", "optimizer.lr=1e-3,3e-3"])
    assert [changes for _, changes in found] == [
        ("seed=0", "optimizer.lr=0.001"),
        ("seed=0", "optimizer.lr=0.003"),
        ("seed=1", "optimizer.lr=0.001"),
        ("seed=1", "optimizer.lr=0.003"),
    ]
    assert all(words[0] == "a=1" for words, _ in found)


def test_the_last_line_of_a_key_counts() -> None:
    assert job_lines(["seed=0,1,2", "seed=7"]) == [(("seed=7",), ())]


@pytest.mark.parametrize(
    "line", ["seed=range(0,3)", "+optimizer.how=a,b,c", "model=choice(x,y,z)", "batches=fixed,short,x"]
)
def test_ways_to_sweep(line: str) -> None:
    assert len(job_lines([line])) == 3


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("optimizer.lr=interval(0,1)", "sweep=optuna"),
        ("name=a,b", "name"),
        ("hydra.launcher.jobs=1,2", "whole sweep"),
        ("sweep.on_failure=continue,stop_after:1", "whole sweep"),
        ("steal_lock=true,false", "whole sweep"),
        ("seed=range(0,1000000000)", "has 1,000,000,000 values, and a range may have 10,000"),
        ("optimizer.lr=range(0,1,1e-9)", "has 1,000,000,000 values"),
    ],
)
def test_what_cannot_be_swept_is_refused(line: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        job_lines([line])


def test_a_sweep_of_more_jobs_than_anybody_runs_is_refused_before_they_are_made() -> None:
    with pytest.raises(ConfigError, match=r"the sweep has 18,000 jobs, and it may have 10,000"):
        job_lines(["seed=range(0,9000)", "optimizer.lr=1e-3,1e-4"])


def test_all_mistakes_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        job_lines(["name=a,b", "optimizer.lr=interval(0,1)", "x={"])
    assert len(caught.value.problems) == 3
