"""The sweeps that the repository holds: their findings are of each kind, and what the pages say of them is so."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from tests import REPOSITORY
from tests.fixtures import tiny_run

SWEEPS = REPOSITORY / "multirun_outputs"
PAGES = {"example_sweep": "docs/comparison.md", "collapsed_seed": "docs/collapsed_seed.md"}


@pytest.fixture(scope="module")
def shown() -> dict[str, dict[str, Any]]:
    """All that `qaexp compare` says of each sweep."""
    done = {name: tiny_run.call(SWEEPS, "compare", name, "--json") for name in PAGES}
    return {name: json.loads(one.out) for name, one in done.items()}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_about_a_sweep_has_its_sentences(shown: dict[str, dict[str, Any]], name: str) -> None:
    found = shown[name]
    page = (REPOSITORY / PAGES[name]).read_text()
    *sentences, following = found["findings"]
    way, _, command = following.partition(": qaexp ")
    ends = (f"{way}:\n  qaexp train", command.partition("optimizer.lr=")[2]) if command else (following,)
    missing = [line for line in (*sentences, *ends) if line not in page]
    assert missing == []


def test_the_example_has_one_finding_of_each_kind(shown: dict[str, dict[str, Any]]) -> None:
    found = shown["example_sweep"]
    assert found["intervals"] == "anytime"
    verdicts = {(one["b"], one["a"]): one["verdict"] for one in found["contrasts"]}
    assert verdicts["lr=0.0001", "lr=0.0005"] == "better"
    assert verdicts["lr=0.0001", "lr=0.0002"] == verdicts["lr=0.0002", "lr=0.0003"] == "equivalent"
    assert verdicts["lr=0.0001", "lr=0.0003"] == "cannot tell"
    assert [group["n"] for group in found["groups"]] == [8, 8, 8, 8]
    assert all(one["single_factor"] for one in found["contrasts"])


def test_the_next_command_of_the_example_runs_what_is_missing_alone(shown: dict[str, dict[str, Any]]) -> None:
    """Its runs are from before `trainer.attention` was a key: the command says what they computed."""
    program, *words = shlex.split(shown["example_sweep"]["findings"][-1].rpartition(": ")[2])
    assert program == "qaexp"
    done = tiny_run.call(REPOSITORY, *words, "sweep.dry_run=true")
    assert "44 jobs: 32 to reuse, 12 to run" in done.out
