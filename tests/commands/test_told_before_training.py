"""What `qaexp train` says of its data, its sizes and its rate before and after the training: console, files, flags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import tiny_run

CONTEXT = "It lies on the river Seine today."


def write(path: Path, questions: list[dict[str, Any]], context: str = CONTEXT) -> Path:
    document = {"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": questions}]}]}
    path.write_text(json.dumps(document))
    return path


def question(id: Any, text: str = "Seine", start: int = 21, words: str = "Which river?") -> dict[str, Any]:
    answers = [{"text": text, "answer_start": start}]
    return {"id": id, "question": words, "answers": answers, "is_impossible": False}


def train(folder: Path, *words: str, name: str = "told") -> tuple[tiny_run.Called, dict[str, Any], dict[str, Any]]:
    done = tiny_run.call(folder, "train", f"name={name}", *words)
    assert done.code == 0, done.err
    run = folder / "outputs" / name
    return done, tiny_run.read_json(run / "run.json"), tiny_run.read_json(run / "data.json")


def flag_names(run: dict[str, Any]) -> list[str]:
    return [flag["name"] for flag in run["flags"]]


@pytest.mark.case("skipped_without_a_word")
@pytest.mark.parametrize("epochs", [0, 1])
def test_what_was_left_out_stands_on_the_console_and_is_a_flag(tmp_path: Path, epochs: int) -> None:
    file = write(tmp_path / "train.json", [question(True), question(1.5), question([7]), question("q3")])
    dev = tiny_run.write_squad(tmp_path / "dev.json", 3, 1)
    words = (*tiny_run.FILES, *tiny_run.files_of(file, dev), f"trainer.epochs={epochs}", "data.on_bad=skip")
    done, run, data = train(tmp_path, *words)
    line = "train.json: 3 of 4 questions left out, first: data[0].paragraphs[0].qas[0].id is true, it must be text"
    assert line in done.out.partition("epoch 1")[0].splitlines()
    assert "examples_skipped" in flag_names(run)
    assert data["source"]["train"]["num_skipped"] == 3
    assert "examples_skipped: 3 of the 4 questions of train.json" in done.out  # the table at the end


def test_clean_data_is_not_spoken_of(tmp_path: Path) -> None:
    words = (*tiny_run.DEMO, "trainer.epochs=1")
    done, run, _ = train(tmp_path, *words)
    assert "left out" not in done.out.partition("epoch 1")[0]
    assert not set(flag_names(run)) & {"examples_skipped", "answers_lost", "labels_differ", "train_dev_overlap"}


def test_a_split_that_was_trained_on_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "train.json", [question("a"), question("b", words="Where?")])
    dev = write(tmp_path / "dev.json", [question("c", words=" which  RIVER?"), question("d", words="Which town?")])
    words = (*tiny_run.FILES, *tiny_run.files_of(file, dev), f"data.test_file={file}", "trainer.epochs=0")
    done, run, data = train(tmp_path, *words)
    assert "dev.json: 1 of 2 questions are also training questions\n" in done.out
    assert "dev.json: 1 of 1 paragraphs are also training paragraphs\n" in done.out
    assert "test: 2 of 2 questions are also training questions\n" in done.out
    assert flag_names(run).count("train_dev_overlap") == 1
    assert data["audit"]["shared_with_train"]["dev"] == {"questions": 1, "contexts": 1, "num_contexts": 1, "ids": 0}


@pytest.mark.case("answer_with_a_space_at_its_edge")
def test_answers_with_spaces_are_neither_lost_nor_moved(tmp_path: Path) -> None:
    answers = [(" Seine", 20), ("Seine ", 21), (" Seine ", 20), ("Seine", 21)]
    file = write(tmp_path / "a.json", [question(str(n), *answer) for n, answer in enumerate(answers)])
    words = (*tiny_run.FILES, *tiny_run.files_of(file, file), "trainer.epochs=0")
    done, _, data = train(tmp_path, *words)
    audit = data["audit"]["train"]
    assert (audit["lost_answers"]["by_window"], audit["ceiling"]["exact"]) == (0, 100.0)
    assert "lost" not in done.out


@pytest.mark.thorough
def test_the_other_normal_form_is_refused_by_name_and_mended(tmp_path: Path) -> None:
    context = "We met in a caf\u00e9 in Paris."
    file = write(tmp_path / "nfd.json", [question("q", "cafe\u0301", 12)], context)
    words = (*tiny_run.FILES, *tiny_run.files_of(file, file), "trainer.epochs=0")
    refused = tiny_run.call(tmp_path, "train", "name=told", *words)
    assert refused.code == 3
    assert "normal-form: it stands at 12 in another normal form of Unicode" in refused.err
    done, run, data = train(tmp_path, *words, "data.on_bad=fix")
    assert "train: 1 of 1 questions mended, first: " in done.out
    assert "spelled as there" in done.out
    assert "examples_fixed" in flag_names(run)
    assert data["audit"]["train"]["ceiling"]["exact"] == 100.0


@pytest.mark.case("train_size_1.0")
@pytest.mark.parametrize(("size", "count"), [("1.0", 3090), ("1", 1), ("0.01", 31), ("null", 3090)])
def test_sizes_are_shares_or_counts(tmp_path: Path, size: str, count: int) -> None:
    words = (*tiny_run.MODEL, "data.dev_size=8", "trainer.epochs=0", f"data.train_size={size}")
    done, _, data = train(tmp_path, *words)
    assert len(data["train_ids"]) == count
    told = f"data.train_size={size}: {count:,} of 3,090 examples"
    assert (told in done.out) == (size in ("1.0", "0.01"))
    stored = tiny_run.read_json(tmp_path / "outputs" / "told" / "config.json")["data"]["train_size"]
    assert repr(stored) == {"null": "None"}.get(size, size)


@pytest.mark.thorough
def test_all_of_it_is_one_subset_and_one_example_is_another(tmp_path: Path) -> None:
    words = (*tiny_run.MODEL, "data.dev_size=8", "trainer.epochs=0")
    _, run, _ = train(tmp_path, *words, "data.train_size=1.0")
    _, again, _ = train(tmp_path, *words, "data.train_size=null")
    assert again["attempt"] == run["attempt"]  # the same run: nothing was done again
    done = tiny_run.call(tmp_path, "train", "name=told", *words, "data.train_size=1")
    assert done.code == 2
    assert "data.train_size was null, now 1" in done.err


@pytest.mark.thorough
def test_a_sweep_over_shares_ends_with_all(tmp_path: Path) -> None:
    words = (*tiny_run.MODEL, "data.dev_size=8", "trainer.epochs=0", "data.train_size=0.01,1.0,1")
    done = tiny_run.call(tmp_path, "train", "-m", "name=curve", *words)
    assert done.code == 0, done.err
    runs = sorted((tmp_path / "multirun_outputs" / "curve").glob("data.train_size=*"))
    found = {run.name.rpartition("-")[0]: len(tiny_run.read_json(run / "data.json")["train_ids"]) for run in runs}
    assert found == {"data.train_size=0.01": 31, "data.train_size=1": 1, "data.train_size=1.0": 3090}
    output = (next(run for run in runs if "1.0" in run.name) / "output.log").read_text().splitlines()
    assert output[2] == "data.train_size=1.0: 3,090 of 3,090 examples"
    assert "demo 3,090/8" in output[0]


@pytest.mark.thorough
@pytest.mark.case("name_that_looks_like_a_number")
def test_a_name_is_the_folder_as_typed(tmp_path: Path) -> None:
    words = (*tiny_run.DEMO, "trainer.epochs=0")
    for name in ("1e3", "1_000", "3.10"):
        assert tiny_run.call(tmp_path, "train", f"name={name}", *words).code == 0
    assert sorted(path.name for path in (tmp_path / "outputs").iterdir()) == ["1_000", "1e3", "3.10"]


@pytest.mark.case("warmup_longer_than_the_run")
def test_a_warm_up_that_outlasts_the_run_is_a_flag(tmp_path: Path) -> None:
    words = (*tiny_run.DEMO, "trainer.epochs=1", "schedule.warmup_steps=1000", "schedule.warmup_ratio=null")
    done, run, _ = train(tmp_path, *words)
    advice = next(flag["advice"] for flag in run["flags"] if flag["name"] == "low_learning_rate")
    assert advice.startswith("The rate reached 0.")
    assert "schedule.warmup_steps=1000 is more than the " in advice
    assert "low_learning_rate" in done.out


@pytest.mark.parametrize(
    "words",
    [
        ("optimizer.eps=null",),
        ("optimizer.fused=true", "+optimizer.foreach=true"),
        ("optimizer.betas=null",),
        ("optimizer.weight_decay=null",),
        ("optimizer.eps=small",),
        ("optimizer=sgd", "optimizer.momentum=null"),
        ("optimizer=sgd", "optimizer.momentum=0"),
        ("optimizer=muon", "optimizer.eps=null"),
        ("optimizer=adafactor", "optimizer.eps=null"),
        ("optimizer=adafactor", "optimizer.d=null"),
    ],
)
def test_what_an_optimizer_refuses_is_said_before_there_is_a_folder(tmp_path: Path, words: tuple[str, ...]) -> None:
    failed = tiny_run.call(tmp_path, "train", "name=one", *tiny_run.DEMO, *words)
    assert failed.code == 2
    assert failed.last_line.startswith("qaexp train: optimizer")
    assert "debug.log" not in failed.err
    if words[-1].endswith("=null"):
        assert words[-1].partition("=")[0] in failed.last_line
    assert not list(tmp_path.glob("outputs/*"))
