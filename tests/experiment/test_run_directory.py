"""What one finished run leaves behind: every file, every key, and numbers that an independent count confirms."""

from __future__ import annotations

import csv
import hashlib
import math
import re
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from safetensors.numpy import load_file

from tests.fixtures import tiny_run

RESULTS = (
    *("config.json", "env.json", "data.json", "metrics.jsonl", "history.csv", "predictions.jsonl", "contexts.json"),
    *(
        "scores.csv",
        "test_scores.csv",
        "logits.safetensors",
        "model/config.json",
        "model/model.safetensors",
        "model/qaexp.json",
    ),
    *("model/tokenizer.json", "model/tokenizer_config.json"),
)
PICTURES = (
    *("calibration", "learning_rate", "loss", "probes", "risk_coverage", "scores", "slices", "threshold"),
    "train_accuracy",
)
# What the manifest leaves out: it changes without a change of results, or it can be rebuilt.
OTHERS = (
    *("run.json", "timings.jsonl", "train.log", "debug.log", "report.html", "MANIFEST.json", "summary.json", ".lock"),
    *(f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides")),
    *(f"plots/{name}.png" for name in PICTURES),
)
SCORES = ("exact", "f1", "has_ans_exact", "has_ans_f1", "no_ans_exact", "no_ans_f1")
# What an epoch and a test file are measured by: the official scores, and one number that is no percentage.
MEASURED = (*SCORES, "gold_nll")
OFFICIAL = (*SCORES, "best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh")
SUMMARY = (*OFFICIAL, "gold_nll", "crossfit_exact", "crossfit_f1", "null_threshold", "kept_epoch", "best_epoch",
           "best_epoch_f1",
           "train_loss", "train_accuracy", "num_train_examples", "num_train_features", "num_dev_examples",
           "num_dev_features", "num_steps", "train_seconds", "eval_seconds", "total_seconds", "tokens_per_second",
           "padding_share", "mfu", "peak_memory_mib", "manifest_sha256")  # fmt: skip
PERCENT = (*(name for name in OFFICIAL if "thresh" not in name), "crossfit_exact", "crossfit_f1", "best_epoch_f1",
           "train_accuracy", "padding_share")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run of files stands, and what it was made from: every kind of file that a run may have."""
    folder = tmp_path_factory.mktemp("work")
    train, dev, test = (
        tiny_run.write_squad(folder / f"{name}.json", *counts)
        for name, counts in {"train": (12, 6), "dev": (9, 5), "test": (3, 2)}.items()
    )
    plain = [word for word in tiny_run.FILES if not word.startswith("reporter=")]
    words = (*plain, *tiny_run.files_of(train, dev), f"data.test_file={test}", "data.dev_size=13")
    settings = ("batches.batch_size=4", "trainer.epochs=2", "optimizer.lr=2e-3")
    done = tiny_run.call(folder, "train", "name=one", *words, *settings)
    assert done.code == 0, done.err
    # What runs is said first, where the rest is printed too; stderr is for what is wrong.
    assert done.err == ""
    begun, parts, features, *others = done.out.partition("\nepoch 1")[0].splitlines()
    assert begun.endswith("  run one -> outputs/one")
    assert re.fullmatch(
        r"[0-9a-f]{8}  tiny_random \u00b7 train.json 18/13/5 \u00b7 adamw 2e-3 \u00b7 cpu fp32, \d+ threads?", parts
    )
    assert re.fullmatch(r"features \d+/\d+/\d+ \u00b7 dev exact \d+\.\d at best", features)
    assert others[-1].startswith("fresh weights: all ")
    (folder / "stdout.txt").write_text(done.out)
    return folder


@pytest.fixture(scope="module")
def directory(folder: Path) -> Path:
    return folder / "outputs" / "one"


@pytest.fixture(scope="module")
def summary(directory: Path) -> dict[str, Any]:
    return tiny_run.read_json(directory / "summary.json")


@pytest.fixture(scope="module")
def predictions(directory: Path) -> list[dict[str, Any]]:
    return tiny_run.read_lines(directory / "predictions.jsonl")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_file_is_there_and_no_other(directory: Path) -> None:
    assert sorted(tiny_run.snapshot(directory)) == sorted([*RESULTS, *OTHERS])


def test_summary_has_the_promised_keys_in_percent_and_seconds(summary: dict[str, Any]) -> None:
    tested = {*(f"test_{name}" for name in MEASURED), "test_num_examples"}
    assert set(summary) == {*SUMMARY, *tested}
    numbers = {name: value for name, value in summary.items() if name != "manifest_sha256"}
    assert all(math.isfinite(value) for value in numbers.values())
    assert all(0 <= summary[name] <= 100 for name in (*PERCENT, *tested - {"test_num_examples"}))
    # Thirteen questions: a score in parts of one, not in percent, would be below 8.
    assert summary["crossfit_f1"] > 8
    assert summary["best_f1"] >= max(summary["f1"], summary["crossfit_f1"] - 1e-9)
    counts = [summary[f"num_{name}"] for name in ("train_examples", "dev_examples", "dev_features", "steps")]
    assert counts == [18, 13, 13, 10]
    assert summary["test_num_examples"] == 5
    assert 0 < summary["train_seconds"] + summary["eval_seconds"] < summary["total_seconds"] < 600
    assert summary["tokens_per_second"] > 100
    assert summary["peak_memory_mib"] > 50


def test_the_summary_comes_last_and_the_manifest_just_before(directory: Path) -> None:
    times = {name: time for name, (time, _) in tiny_run.snapshot(directory).items()}
    order = sorted(times, key=lambda name: times[name])
    assert order[-1] == "summary.json"
    assert times["MANIFEST.json"] >= max(
        time for name, time in times.items() if name not in ("summary.json", "run.json", "MANIFEST.json", "debug.log")
    )


def test_the_manifest_covers_what_it_says(directory: Path, summary: dict[str, Any]) -> None:
    files = tiny_run.read_json(directory / "MANIFEST.json")["files"]
    assert set(files) == set(RESULTS)
    for name, entry in files.items():
        content = (directory / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}, name
    assert summary["manifest_sha256"] == hashlib.sha256((directory / "MANIFEST.json").read_bytes()).hexdigest()


def test_data_json_names_the_examples_and_audits_them(
    folder: Path, directory: Path, summary: dict[str, Any], predictions: list[dict[str, Any]]
) -> None:
    data = tiny_run.read_json(directory / "data.json")
    assert {"source", "revision", "sha256", "subset", "train_ids", "dev_ids", "test_ids", "audit"} == set(data)
    for split in ("train", "dev", "test"):
        content = (folder / f"{split}.json").read_bytes()
        assert data["sha256"][split] == hashlib.sha256(content).hexdigest()
    assert sorted(data["train_ids"]) == sorted(f"train-{number}" for number in range(18))
    assert data["dev_ids"] == [record["id"] for record in predictions]
    assert len(set(data["dev_ids"])) == 13
    assert data["test_ids"] == [f"test-{number}" for number in range(5)]
    assert data["subset"] == {"policy": "random", "train_size": None, "dev_size": 13, "seed": 0, "dev_seed": 0}
    audit = data["audit"]
    assert audit["shared_contexts"] == 13  # the three files begin with the same paragraphs
    assert audit["train"]["num_features"] == summary["num_train_features"]
    assert audit["dev"]["num_features"] == summary["num_dev_features"]
    assert audit["train"]["lost_answers"]["by_window"] == audit["train"]["offset_mismatches"]["num"] == 0
    assert audit["dev"]["ceiling"]["exact"] == audit["dev"]["ceiling"]["f1"] == 100.0


def test_metrics_have_a_line_a_step(directory: Path, summary: dict[str, Any]) -> None:
    rows = tiny_run.read_lines(directory / "metrics.jsonl")
    keys = {"step", "epoch", "loss", "learning_rate", "grad_norm", "num_tokens", "num_features"}
    assert all(set(row) == keys for row in rows)
    assert [row["step"] for row in rows] == list(range(1, summary["num_steps"] + 1))
    assert [row["epoch"] for row in rows] == [1] * 5 + [2] * 5
    assert [row["num_features"] for row in rows] == [4, 8, 12, 16, 18, 22, 26, 30, 34, 36]
    timings = tiny_run.read_lines(directory / "timings.jsonl")
    keys = {"step", "elapsed_seconds", "tokens_per_second", "features_per_second", "memory_mib", "eval_seconds"}
    assert all(set(row) == keys for row in timings)
    assert [row["step"] for row in timings] == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10]  # a line a step and an epoch


def test_history_has_a_row_an_epoch(directory: Path, summary: dict[str, Any]) -> None:
    rows = table(directory / "history.csv")
    assert list(rows[0]) == ["epoch", "step", "train_loss", "train_accuracy", *MEASURED, "probe_0"]
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "5"), ("2", "10")]
    assert all(row["probe_0"] for row in rows)
    last = {name: float(rows[-1][name]) for name in (*MEASURED, "train_loss", "train_accuracy")}
    assert last == {name: summary[name] for name in last}
    assert summary["kept_epoch"] == 2
    losses = [row["loss"] for row in tiny_run.read_lines(directory / "metrics.jsonl")]
    mean = (4 * sum(losses[5:9]) + 2 * losses[9]) / 18
    assert summary["train_loss"] == pytest.approx(mean, abs=1e-6)
    num_right = summary["train_accuracy"] * 18 / 100
    assert 1 <= num_right == pytest.approx(round(num_right))


def test_predictions_are_cut_out_of_the_contexts(directory: Path, predictions: list[dict[str, Any]]) -> None:
    contexts = tiny_run.read_json(directory / "contexts.json")
    keys = {"id", "title", "paragraph", "question", "golds", "prediction_text", "null_score_diff", "exact", "f1"}
    for record in predictions:
        assert {*keys, "n_best"} <= set(record)
        context = contexts[record["paragraph"]]
        assert record["paragraph"] == hashlib.sha256(context.encode()).hexdigest()[:16]
        spans = record["n_best"]
        assert all(context[span["start_char"] : span["end_char"]] == span["text"] != "" for span in spans)
        assert [span["score"] for span in spans] == sorted((span["score"] for span in spans), reverse=True)
        assert 0 < len(spans) <= 20
        assert record["prediction_text"] == ("" if record["null_score_diff"] > 0 else spans[0]["text"])
    assert len({record["paragraph"] for record in predictions}) == len(contexts)


def test_scores_repeat_the_predictions(
    directory: Path, predictions: list[dict[str, Any]], summary: dict[str, Any]
) -> None:
    rows = table(directory / "scores.csv")
    assert list(rows[0]) == ["id", "title", "paragraph", "exact", "f1", "null_score_diff", "question_word",
                             "answer_words", "context_words", "num_windows", "crossfit_exact",
                             "crossfit_f1", "gold_nll"]  # fmt: skip
    for row, record in zip(rows, predictions, strict=True):
        assert all(row[name] == record[name] for name in ("id", "title", "paragraph"))
        assert all(float(row[name]) == record[name] for name in ("exact", "f1", "null_score_diff"))
    assert {row["question_word"] for row in rows} == {"where", "who"}
    for name in ("crossfit_exact", "crossfit_f1", "gold_nll"):
        assert fmean(float(row[name]) for row in rows) == pytest.approx(summary[name], abs=1e-9)


def test_scores_of_the_test_file_have_a_row_a_question(folder: Path, directory: Path, summary: dict[str, Any]) -> None:
    rows = table(directory / "test_scores.csv")
    assert list(rows[0]) == ["id", "title", "paragraph", "exact", "f1", "null_score_diff", "question_word",
                             "answer_words", "context_words", "num_windows", "gold_nll"]  # fmt: skip
    assert [row["id"] for row in rows] == tiny_run.read_json(directory / "data.json")["test_ids"]
    for name in ("exact", "f1"):
        assert fmean(float(row[name]) for row in rows) == pytest.approx(summary[f"test_{name}"], abs=1e-9)
        parts = {"has_ans": rows[:3], "no_ans": rows[3:]}
        for part, own in parts.items():
            stated = summary[f"test_{part}_{name}"]
            assert fmean(float(row[name]) for row in own) == pytest.approx(stated, abs=1e-9)


def test_official_values_recomputed_from_the_predictions(
    summary: dict[str, Any], predictions: list[dict[str, Any]]
) -> None:
    official = tiny_run.official_metrics(predictions)
    assert {name: summary[name] for name in OFFICIAL} == pytest.approx(official, abs=1e-9)
    golds, texts = ([record[name] for record in predictions] for name in ("golds", "prediction_text"))
    exact, f1 = tiny_run.official_scores(golds, texts)
    assert [record["exact"] for record in predictions] == pytest.approx([100 * score for score in exact], abs=1e-9)
    assert [record["f1"] for record in predictions] == pytest.approx([100 * score for score in f1], abs=1e-9)
    spans = [record["n_best"][0]["text"] for record in predictions]
    span_exact, span_f1 = tiny_run.official_scores(golds, spans)
    assert [record["span_exact"] for record in predictions] == pytest.approx([100 * score for score in span_exact])
    assert [record["span_f1"] for record in predictions] == pytest.approx([100 * score for score in span_f1])
    # Answers that are partly right, some of them given up at threshold 0: else all this would prove little.
    assert any(0 < score < 1 for score in f1)
    assert 0 < sum(bool(text) for text in texts) < len(texts)


def test_logits_hold_every_token_of_every_dev_feature(directory: Path, predictions: list[dict[str, Any]]) -> None:
    tensors = load_file(directory / "logits.safetensors")
    start, end, feature = (tensors[name] for name in ("start_logits", "end_logits", "feature_index"))
    assert start.dtype == end.dtype == "float32"
    assert len(start) == len(end) == len(feature)
    assert set(feature.tolist()) == set(range(13))
    for index, record in enumerate(predictions):
        rows = (feature == index).nonzero()[0]
        null = float(start[rows[0]]) + float(end[rows[0]])
        assert record["null_score_diff"] == pytest.approx(null - record["n_best"][0]["score"], abs=1e-5)


def test_the_model_carries_its_settings(directory: Path, summary: dict[str, Any]) -> None:
    settings = tiny_run.read_json(directory / "model" / "qaexp.json")
    assert settings["null_threshold"] == summary["null_threshold"] != 0
    assert (settings["max_length"], settings["doc_stride"], settings["max_answer_length"]) == (64, 16, 30)
    assert settings["run_id"] == tiny_run.read_json(directory / "run.json")["run_id"]


def test_run_json_and_the_rest_say_how_it_was_made(folder: Path, directory: Path) -> None:
    run = tiny_run.read_json(directory / "run.json")
    assert (run["state"], run["stage"], run["attempt"], run["error"]) == ("completed", "report", 1, None)
    assert run["schema_version"] == 1
    assert run["run_id"] == run["identity"][:8]
    assert run["started"] <= run["ended"]
    assert {"updated", "pid", "host", "code_hash", "threads", "flags"} <= set(run)
    config = tiny_run.read_json(directory / "config.json")
    assert (config["name"], config["seed"], config["seeds"]["order"]) == ("one", 0, 0)
    assert config["data"]["train_file"] == str(folder / "train.json")
    environment = tiny_run.read_json(directory / "env.json")
    assert environment["command_line"][:3] == ["qaexp", "train", "name=one"]
    assert "name=one" in environment["overrides"]
    assert "optimizer.lr=2e-3" in environment["overrides"]
    assert (environment["choices"]["optimizer"], environment["choices"]["model"]) == ("adamw", "tiny_random")
    assert not any(group.startswith("hydra") for group in environment["choices"])
    overrides = (directory / ".hydra" / "overrides.yaml").read_text()
    assert "- name=one\n" in overrides
    assert "- optimizer.lr=2e-3\n" in overrides
    assert "max_length: 64" in (directory / ".hydra" / "config.yaml").read_text()


def test_the_terminal_ends_with_the_scores_and_the_directory(
    folder: Path, directory: Path, summary: dict[str, Any]
) -> None:
    out = (folder / "stdout.txt").read_text()
    epochs = [line for line in out.splitlines() if line.startswith("epoch ")]
    assert len(epochs) == 2
    assert f"f1 {summary['f1']:.1f}" in epochs[-1]
    assert out.count("What is the capital of France?") == 2
    assert "threshold from other folds" in out
    assert out.strip().splitlines()[-1].split() == ["run", "directory", str(directory)]
    assert "ceiling exact 100.0" in (directory / "train.log").read_text()
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (directory / "plots").iterdir())
    assert "<html" in (directory / "report.html").read_text()
