"""One run from top to bottom: the same bytes again, nothing done twice, and every setting seen in the files."""

from __future__ import annotations

import csv
import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from qaexp.training.peak import peak_memory_mib
from tests.fixtures import tiny_run

SAME_BYTES = ("model/model.safetensors", "metrics.jsonl", "history.csv", "predictions.jsonl", "scores.csv",
              "logits.safetensors", "data.json", "contexts.json")  # fmt: skip
ONE_SEED = (*tiny_run.DEMO, "trainer.epochs=2", "seed=3")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with files of answerable (`all`), unanswerable (`none`) and mixed questions."""
    folder = tmp_path_factory.mktemp("work")
    for name, counts in {"all": (24, 0), "none": (0, 16), "mixed": (10, 6)}.items():
        tiny_run.write_squad(folder / f"{name}.json", *counts)
    return folder


@pytest.fixture(scope="module")
def one(work: Path) -> Path:
    """A run that others are held against."""
    return tiny_run.train(work, "one", *ONE_SEED)


def words(work: Path, train: str, dev: str, *more: str) -> tuple[str, ...]:
    return (*tiny_run.FILES, *tiny_run.files_of(work / f"{train}.json", work / f"{dev}.json"), *more)


def digests(directory: Path) -> dict[str, str]:
    return {name: digest for name, (_, digest) in tiny_run.snapshot(directory).items()}


def history(directory: Path) -> list[dict[str, float]]:
    with (directory / "history.csv").open(newline="") as file:
        return [
            {name: float(cell) for name, cell in row.items() if cell and not name.startswith("probe")}
            for row in csv.DictReader(file)
        ]


def summary(directory: Path) -> dict[str, Any]:
    return tiny_run.read_json(directory / "summary.json")


def test_the_same_seed_gives_the_same_bytes(work: Path, one: Path) -> None:
    # Whatever drew random numbers before, in whatever state it left the generators.
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002 (the global generator is what is disturbed here)
    torch.manual_seed(99)
    again = digests(tiny_run.train(work, "again", *ONE_SEED, "trainer.log_every=1"))
    first = digests(one)
    assert {name for name in SAME_BYTES if first[name] != again[name]} == set()


@pytest.mark.thorough
def test_another_seed_gives_other_bytes_on_the_same_dev_questions(work: Path, one: Path) -> None:
    other = tiny_run.train(work, "other", *ONE_SEED[:-1], "seed=4")
    first, second = digests(one), digests(other)
    assert {name for name in SAME_BYTES if first[name] == second[name]} <= {"contexts.json"}
    data, other_data = (tiny_run.read_json(run / "data.json") for run in (one, other))
    assert data["dev_ids"] == other_data["dev_ids"]
    assert set(data["train_ids"]) != set(other_data["train_ids"])
    third = tiny_run.train(work, "dev", *ONE_SEED, "seeds.dev=1", "trainer.epochs=0")
    assert tiny_run.read_json(third / "data.json")["dev_ids"] != data["dev_ids"]
    assert tiny_run.read_json(third / "data.json")["train_ids"] == data["train_ids"]


@pytest.mark.parametrize("name", ["init", "order", "dropout"])
def test_each_seed_is_about_one_thing(work: Path, one: Path, name: str) -> None:
    other = tiny_run.train(work, name, *ONE_SEED, f"seeds.{name}=4")
    assert tiny_run.read_json(other / "data.json")["train_ids"] == tiny_run.read_json(one / "data.json")["train_ids"]
    assert digests(other)["metrics.jsonl"] != digests(one)["metrics.jsonl"]
    first = [tiny_run.read_lines(run / "metrics.jsonl")[0]["num_features"] for run in (one, other)]
    assert (first[0] == first[1]) or name == "order"


def test_a_finished_run_is_not_touched(work: Path, one: Path) -> None:
    before = tiny_run.snapshot(one)
    # What cannot change results may differ.
    again = tiny_run.call(work, "train", "name=one", *ONE_SEED, "trainer.log_every=7", "reporter=plots")
    assert again.code == 0, again.err
    assert tiny_run.snapshot(one) == before
    assert str(one) in again.out  # its scores are shown again


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("seed=5", "seed was 3, now 5"),
        ("trainer.epochs=1", "trainer.epochs was 2, now 1"),
        ("data.train_size=20", "data.train_size was 24, now 20"),
        ("optimizer.lr=2e-4", "optimizer.lr was 0.0003, now 0.0002"),
        ("data.dev_size=null", "data.dev_size was 16, now null"),
    ],
)
def test_another_config_in_the_same_folder_is_refused(work: Path, one: Path, word: str, said: str) -> None:
    before = tiny_run.snapshot(one)
    refused = tiny_run.call(work, "train", "name=one", *ONE_SEED, word)
    assert refused.code == 2
    assert said in refused.last_line
    assert "take another name=" in refused.last_line
    assert tiny_run.snapshot(one) == before


@pytest.mark.thorough
def test_the_best_epoch_is_kept_and_training_stops_early(work: Path) -> None:
    # Trained to answer nothing, a model gets worse from epoch to epoch on questions that all have an answer.
    plan = words(work, "none", "all", "optimizer.lr=3e-4", "schedule=constant", "schedule.warmup_ratio=null")
    stopping = ("trainer.epochs=12", "trainer.early_stopping_patience=2")
    best = tiny_run.train(work, "best", *plan, *stopping, "trainer.keep=best")
    rows, found = history(best), summary(best)
    scores = [row["f1"] for row in rows]
    kept = scores.index(max(scores))
    assert scores[kept] > scores[-1]
    assert len(rows) == kept + 3 < 12  # two evaluations without a better f1
    assert (found["kept_epoch"], found["best_epoch"]) == (kept + 1, kept + 1)
    assert found["num_steps"] == rows[-1]["step"]
    for name, value in rows[kept].items():
        if name not in ("epoch", "step"):
            assert found[name] == value, name
    # The kept weights are those of that epoch: a run that ends there has the same bytes.
    short = tiny_run.train(work, "short", *plan, f"trainer.epochs={kept + 1}")
    first, second = digests(best), digests(short)
    assert all(first[name] == second[name] for name in ("model/model.safetensors", "logits.safetensors", "scores.csv"))
    last = tiny_run.train(work, "last", *plan, *stopping)
    found = summary(last)
    assert (found["kept_epoch"], found["best_epoch"], found["f1"]) == (kept + 3, kept + 1, scores[-1])
    assert found["best_epoch_f1"] == scores[kept]
    assert digests(last)["model/model.safetensors"] != first["model/model.safetensors"]


def test_evaluation_every_few_steps(work: Path) -> None:
    run = tiny_run.train(work, "every", *words(work, "mixed", "mixed", "trainer.eval_every=3", "batches.batch_size=4",
                                               "trainer.epochs=2", "trainer.log_every=5"))  # fmt: skip
    assert [(row["epoch"], row["step"]) for row in history(run)] == [(0.75, 3), (1.5, 6), (2, 8)]
    assert [row["step"] for row in tiny_run.read_lines(run / "metrics.jsonl")] == [5, 8]


def test_max_steps_ends_inside_an_epoch(work: Path) -> None:
    run = tiny_run.train(work, "steps", *words(work, "mixed", "mixed", "trainer.max_steps=3", "batches.batch_size=4"))
    assert summary(run)["num_steps"] == 3
    assert [(row["epoch"], row["step"]) for row in history(run)] == [(0.75, 3)]
    rates = [row["learning_rate"] for row in tiny_run.read_lines(run / "metrics.jsonl")]
    assert rates == pytest.approx([0, 3e-4, 1.5e-4])  # the schedule ends with the training


def test_no_epochs_evaluate_only(work: Path) -> None:
    run = tiny_run.train(work, "zero", *words(work, "mixed", "mixed", "trainer.epochs=0"))
    found = summary(run)
    assert (found["num_steps"], found["kept_epoch"], found["train_loss"]) == (0, 0, None)
    assert [row["step"] for row in history(run)] == [0]
    assert found["f1"] == history(run)[0]["f1"]
    # The weights are those that a training would begin with.
    other = tiny_run.train(work, "zero-lr", *words(work, "mixed", "mixed", "trainer.epochs=1", "optimizer.lr=0"))
    assert digests(run)["logits.safetensors"] == digests(other)["logits.safetensors"]


@pytest.mark.parametrize("subset", ["first", "answerable", "stratified", "python_sample"])
def test_the_subset_reaches_the_run(work: Path, subset: str) -> None:
    more = ("trainer.epochs=0", f"data.subset={subset}", "data.train_size=8", "data.dev_size=0.25")
    data = tiny_run.read_json(tiny_run.train(work, subset, *words(work, "mixed", "all", *more)) / "data.json")
    numbers = [int(name.removeprefix("mixed-")) for name in data["train_ids"]]
    expected = {"first": list(range(8)), "python_sample": random.Random(0).sample(range(16), 8)}
    assert len(set(numbers)) == 8
    assert numbers == expected.get(subset, numbers)
    assert sum(number < 10 for number in numbers) == {"answerable": 8, "stratified": 5}.get(
        subset, sum(number < 10 for number in numbers)
    )
    assert len(data["dev_ids"]) == 6
    assert data["subset"]["policy"] == subset


def test_a_test_file_is_scored_once_with_the_kept_model(work: Path) -> None:
    plan = words(work, "all", "mixed", "trainer.epochs=1", "optimizer.lr=3e-3")
    run = tiny_run.train(work, "tested", *plan, f"data.test_file={work / 'all.json'}")
    tested = {name[5:]: value for name, value in summary(run).items() if name.startswith("test_")}
    assert (tested.pop("num_examples"), tested["no_ans_f1"]) == (24, None)
    assert len(tested) == 7
    assert tested["f1"] > 0
    evaluated = tiny_run.call(work, "evaluate", str(run), "--data", str(work / "all.json"), "--json")
    found = json.loads(evaluated.out)
    assert {name: found[name] for name in tested} == pytest.approx(tested, abs=1e-9)
    # It changes nothing else.
    without = tiny_run.train(work, "untested", *plan)
    assert all(digests(run)[name] == digests(without)[name] for name in SAME_BYTES if name != "data.json")


def test_a_run_that_answers_nothing_is_no_success(work: Path) -> None:
    done = tiny_run.call(work, "train", "name=collapsed", *words(work, "none", "mixed", "optimizer.lr=3e-3"))
    assert done.code == 0, done.err
    run = work / "outputs" / "collapsed"
    assert {record["prediction_text"] for record in tiny_run.read_lines(run / "predictions.jsonl")} == {""}
    assert (summary(run)["f1"], summary(run)["no_ans_f1"], summary(run)["has_ans_f1"]) == (37.5, 100, 0)
    flags = tiny_run.read_json(run / "run.json")["flags"]
    assert [set(flag) for flag in flags if flag["name"] == "null_collapse"] == [{"name", "step", "advice"}]
    assert "NULL COLLAPSE" in done.out
    # It may still answer at its tuned threshold, and then the sentence says where it does not.
    assert re.search(r"f1 37.5 (there )?is the share of questions without an answer", " ".join(done.out.split()))
    assert "null_collapse" in (run / "train.log").read_text()


def collapse(run: Path) -> str | None:
    """The advice of the flag null_collapse, where the run has it."""
    flags = {flag["name"]: flag["advice"] for flag in tiny_run.read_json(run / "run.json")["flags"]}
    return flags.get("null_collapse")


def test_a_model_that_its_tuned_threshold_silences_has_collapsed(work: Path) -> None:
    """It answers at threshold 0, but `qaexp answer` uses the tuned one, and so does the cross-fitted score."""
    tiny_run.write_squad(work / "rarely.json", 1, 15)
    done = tiny_run.call(work, "train", "name=silenced", *words(work, "mixed", "rarely", "trainer.epochs=0"))
    assert done.code == 0, done.err
    run = work / "outputs" / "silenced"
    rows = tiny_run.read_lines(run / "predictions.jsonl")
    tuned = summary(run)["null_threshold"]
    assert sum(bool(row["prediction_text"]) for row in rows) > 0
    assert all(row["null_score_diff"] > tuned for row in rows)
    assert f"The model answers none of 16 questions at its tuned threshold {tuned:.2f}, so" in str(collapse(run))
    assert f"NULL COLLAPSE: the run answers nothing at its tuned threshold {tuned:.2f}\n" in _lines(done.out)
    assert "a tuned null threshold gives" not in done.out
    assert "it silences the model" in done.out
    asked = ("-q", "Where was Anna born?", "-c", "Anna was born in Paris.")
    assert tiny_run.call(work, "answer", str(run), *asked).out == "(no answer)\n"


def _lines(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.mark.thorough
def test_collapse_is_that_of_the_weights_that_are_kept(work: Path) -> None:
    silenced = words(work, "none", "all", "optimizer.lr=3e-3", "trainer.epochs=6", "trainer.eval_every=1")
    last = tiny_run.train(work, "kept_last", *silenced)
    assert "none of 24 questions at threshold 0 (at its" not in str(collapse(last))
    assert "none of 24 questions at threshold 0, so" in str(collapse(last))
    best = tiny_run.train(work, "kept_best", *silenced, "trainer.keep=best")
    assert [row["f1"] for row in history(best)][-1] == 0 < summary(best)["f1"]
    assert collapse(best) is None


def test_answering_nothing_is_right_where_nothing_can_be_answered(work: Path) -> None:
    done = tiny_run.call(work, "train", "name=nothing", *words(work, "none", "none", "optimizer.lr=3e-3"))
    assert summary(work / "outputs" / "nothing")["f1"] == 100
    assert collapse(work / "outputs" / "nothing") is None
    assert "COLLAPSE" not in done.out


def test_a_run_that_must_answer_has_neither_threshold_nor_collapse(work: Path) -> None:
    done = tiny_run.call(work, "train", "name=must", *words(work, "none", "mixed", "decoding=squad_v1"))
    assert collapse(work / "outputs" / "must") is None
    assert "always answered" in done.out
    assert "16 of 16 questions\n" in _lines(done.out)
    assert "tuned" not in done.out


@pytest.mark.thorough
def test_what_the_process_used_before_is_not_memory_of_the_run(work: Path, one: Path) -> None:
    used = bytearray(800 * 2**20)
    used_mib = peak_memory_mib(torch.device("cpu"))
    del used
    run = tiny_run.train(work, "frugal", *tiny_run.DEMO, "trainer.epochs=1")
    assert summary(run)["peak_memory_mib"] < used_mib - 300
    seen = [row["memory_mib"] for row in tiny_run.read_lines(run / "timings.jsonl")]
    assert seen == sorted(seen)
    assert seen[-1] <= summary(run)["peak_memory_mib"] + 0.1


def test_a_healthy_run_has_no_such_flag(one: Path) -> None:
    assert "null_collapse" not in [flag["name"] for flag in tiny_run.read_json(one / "run.json")["flags"]]
