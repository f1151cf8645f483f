"""`qaexp compare` on results of other programs, alone and beside runs: the same scores, guards and verdicts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qaexp
from qaexp.comparison.group_tests import SEED
from qaexp.comparison.statistics.paired import cluster_bootstrap, mcnemar
from qaexp.errors import ConfigError
from qaexp.evaluation.metrics import Golds, score_examples, score_predictions
from qaexp.storage.files import write_rows
from qaexp.storage.formats import csv_rows
from tests.fixtures import tiny_run
from tests.fixtures.compared import edit, rows_of
from tests.fixtures.other_results import (
    questions_of,
    write_inspect,
    write_lm_eval,
    write_run_qa,
    write_scores,
)

NUM_HAS, NUM_NO = 40, 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a data file, and other programs' answers to its questions."""
    path = tmp_path_factory.mktemp("others")
    train, dev = (
        tiny_run.write_squad(path / "train.json", 12, 4),
        tiny_run.write_squad(path / "dev.json", NUM_HAS, NUM_NO),
    )
    tiny_run.train(path, "run", *tiny_run.FILES, *tiny_run.files_of(train, dev), "trainer.max_steps=1")
    docs = questions_of(dev)
    good = {doc["id"]: (doc["answers"]["text"] or ["a school"])[0] for doc in docs}
    dice = np.random.default_rng(0)
    poor = {id: text if dice.random() < 0.5 else f"in {text}, and later" for id, text in good.items()}
    odds = {doc["id"]: -2.0 if doc["answers"]["text"] else 3.0 for doc in docs}
    kept = {id: "" if odds[id] > 0 else text for id, text in good.items()}
    (path / "good.json").write_text(json.dumps(kept))
    (path / "poor.json").write_text(json.dumps(poor))
    (path / "spans.json").write_text(json.dumps(good))
    (path / "spans.null_odds.json").write_text(json.dumps(odds))
    write_run_qa(path / "run_qa", kept, good, odds)
    write_lm_eval(path / "samples_squadv2_2026.jsonl", dev, {id: text or " unanswerable" for id, text in kept.items()})
    write_inspect(path / "inspect.json", dev, kept)
    write_scores(path / "scores.csv", {id: {"f1": 100.0 if id in kept else 0.0} for id in kept})
    write_scores(path / "both.csv", {id: {"f1": 50.0, "exact": 0.0} for id in kept})
    return path


def compared(folder: Path, *words: str) -> dict[str, Any]:
    done = tiny_run.call(folder, "compare", *words, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def answers_of(run: Path) -> dict[str, str]:
    lines = (run / "predictions.jsonl").read_text().splitlines()
    return {row["id"]: row["prediction_text"] for row in map(json.loads, lines)}


OTHERS = ("good.json", "run_qa", "samples_squadv2_2026.jsonl", "inspect.json")


@pytest.mark.parametrize("name", OTHERS)
def test_texts_are_scored_as_the_official_script_does(folder: Path, name: str) -> None:
    found = compared(folder, name, "--gold", "dev.json", "--metric", "f1")
    texts = json.loads((folder / "good.json").read_text())
    official = score_predictions(
        {doc["id"]: doc["answers"]["text"] for doc in questions_of(folder / "dev.json")}, texts
    )
    (group,) = found["groups"]
    assert group["name"] == name
    for metric, value in official.items():
        assert group["metrics"][metric]["mean"] == pytest.approx(value), metric


def test_the_same_answers_are_the_same_scores_and_no_verdict(folder: Path) -> None:
    (folder / "copies").mkdir(exist_ok=True)
    texts = answers_of(folder / "outputs" / "run")
    (folder / "copies" / "same.json").write_text(json.dumps(texts))
    found = compared(folder, "outputs/run", "copies/same.json", "--gold", "dev.json")
    assert found["metric"] == "f1"
    assert any("same.json has no crossfit_f1: f1 is compared" in note for note in found["notes"])
    (contrast,) = found["contrasts"]
    assert (contrast["verdict"], contrast["f1"]["difference"]) == ("cannot tell", 0.0)


def test_a_runs_best_spans_give_its_own_crossfit_scores(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "outputs/run/predictions.jsonl").read_text().splitlines()]
    texts, spans, diffs = ({row["id"]: value(row) for row in rows} for value in _PARTS)
    shutil.rmtree(folder / "as_run_qa", ignore_errors=True)
    write_run_qa(folder / "as_run_qa", texts, spans, diffs)
    found = compared(folder, "outputs/run", "as_run_qa", "--gold", "dev.json")
    assert found["metric"] == "crossfit_f1"
    one, two = found["groups"]
    for metric in ("crossfit_f1", "crossfit_exact", "f1", "exact", "has_ans_f1", "no_ans_f1"):
        assert one["metrics"][metric]["mean"] == pytest.approx(two["metrics"][metric]["mean"], abs=1e-9), metric


_PARTS: tuple[Callable[[dict[str, Any]], Any], ...] = (
    lambda row: row["prediction_text"],
    lambda row: row["n_best"][0]["text"],
    lambda row: row["null_score_diff"],
)


def test_null_odds_beside_predictions_without_an_empty_one_give_crossfit(folder: Path) -> None:
    alone = compared(folder, "spans.json", "--gold", "dev.json")
    assert alone["groups"][0]["metrics"]["crossfit_f1"]["mean"] == 100
    shutil.copy(folder / "spans.json", folder / "elsewhere.json")
    assert "crossfit_f1" not in compared(folder, "elsewhere.json", "--gold", "dev.json")["groups"][0]["metrics"]
    given = compared(folder, "elsewhere.json", "--gold", "dev.json", "--na-prob", "spans.null_odds.json")
    assert given["groups"][0]["metrics"]["crossfit_f1"]["mean"] == 100


def test_the_verdict_is_that_of_the_paired_test_over_clusters(folder: Path) -> None:
    found = compared(folder, "outputs/run", "poor.json", "good.json", "--gold", "dev.json", "--baseline", "poor.json")
    two = compared(folder, "poor.json", "good.json", "--gold", "dev.json", "--baseline", "poor.json")
    (contrast,) = two["contrasts"]
    scores = {
        name: {row["id"]: (float(row["f1"]), float(row["exact"])) for row in _scored(folder, name)}
        for name in ("poor.json", "good.json")
    }
    rows = sorted(rows_of(folder / "outputs/run/scores.csv"), key=lambda row: row["id"])
    clusters = np.unique([row["paragraph"] for row in rows], return_inverse=True)[1]
    poor, good = (np.array([scores[name][row["id"]] for row in rows]) for name in ("poor.json", "good.json"))
    expected = cluster_bootstrap(good[:, 0] - poor[:, 0], clusters, np.random.default_rng(SEED))
    assert contrast["kind"] == "runs"
    for key in ("difference", "low", "high", "p"):
        assert contrast["f1"][key] == pytest.approx(getattr(expected, key)), key
    assert contrast["exact"]["p"] == mcnemar(poor[:, 1] == 100, good[:, 1] == 100)[2]
    assert contrast["verdict"] == "better"
    assert {(one["a"], one["b"]) for one in found["contrasts"]} >= {("poor.json", "good.json"), ("poor.json", "run")}
    assert all(one["changed"] == ["program"] and not one["single_factor"] for one in found["contrasts"])


def _scored(folder: Path, name: str) -> list[dict[str, Any]]:
    """The scores of a file of predictions, question by question, by the official metric."""
    docs, texts = questions_of(folder / "dev.json"), json.loads((folder / name).read_text())
    golds = Golds.prepare(doc["answers"]["text"] for doc in docs)
    exact, f1 = score_examples(golds, [texts[doc["id"]] for doc in docs])
    return [{"id": doc["id"], "f1": f1[n], "exact": exact[n]} for n, doc in enumerate(docs)]


def test_logs_hold_their_own_gold_answers(folder: Path) -> None:
    found = compared(folder, "outputs/run", "samples_squadv2_2026.jsonl")
    assert len(found["contrasts"]) == 1
    assert found["refused"] == []
    # inspect's log does not say the articles: with more than 20 of them its questions form other clusters.
    alone = compared(folder, "inspect.json")
    assert alone["groups"][0]["metrics"]["f1"]["mean"] == 100


def test_a_table_of_scores_is_taken_as_given_and_that_is_said(folder: Path) -> None:
    found = compared(folder, "scores.csv", "both.csv", "outputs/run", "--gold", "dev.json")
    metrics = {group["name"]: group["metrics"] for group in found["groups"]}
    assert metrics["scores.csv"]["f1"]["mean"] == 100
    assert "exact" not in metrics["scores.csv"]
    assert metrics["both.csv"]["exact"]["mean"] == 0
    assert any("scores.csv: its scores are taken as given" in note for note in found["notes"])
    pairs = {frozenset((one["a"], one["b"])): one for one in found["contrasts"]}
    assert pairs[frozenset(("scores.csv", "both.csv"))]["f1"]["difference"] in (50, -50)


def test_results_of_other_questions_are_not_ranked_with_runs(folder: Path) -> None:
    other = tiny_run.write_squad(folder / "other.json", NUM_HAS, NUM_NO)
    write_lm_eval(folder / "samples_other.jsonl", other, {doc["id"]: "x" for doc in questions_of(other)})
    found = compared(folder, "outputs/run", "samples_other.jsonl")
    assert found["contrasts"] == []
    assert "other dev questions" in found["refused"][0]["reason"]
    gate = tiny_run.call(folder, "compare", "samples_other.jsonl", "--against", "outputs/run", "--fail-if", "worse")
    assert gate.code == 8


def test_only_what_is_known_to_differ_is_a_reason(folder: Path) -> None:
    docs = json.loads((folder / "dev.json").read_text())
    docs["data"][0]["paragraphs"][0]["qas"][0]["question"] += " Or not?"
    (folder / "other_words.json").write_text(json.dumps(docs))
    found = compared(folder, "outputs/run", "good.json", "--gold", "other_words.json")
    (refused,) = found["refused"]
    assert "other gold answers, or other words of the questions" in refused["reason"]
    assert "decoding" not in refused["reason"]
    assert "version" not in refused["reason"]


def test_against_several_seeds_it_says_what_can_be_told(folder: Path, tmp_path: Path) -> None:
    runs = []
    for seed in range(3):
        run = Path(shutil.copytree(folder / "outputs" / "run", tmp_path / f"seed={seed}"))
        edit(run / "config.json", seed=seed, seeds=dict.fromkeys(("subset", "init", "order", "dropout"), seed))
        edit(run / "run.json", identity=f"{seed:064x}")
        edit(run / "summary.json", f1=100 / (NUM_HAS + NUM_NO), train_loss=1.0 + seed)
        rows = csv_rows((run / "scores.csv").read_text())
        write_rows(run / "scores.csv", [{**row, "f1": 100.0 if at == seed else 0.0} for at, row in enumerate(rows)])
        runs.append(str(run))
    shutil.copy(folder / "good.json", tmp_path)
    spoken = tiny_run.call(tmp_path, "compare", *runs, "good.json", "--gold", str(folder / "dev.json"))
    assert spoken.code == 0, spoken.err
    told = " ".join(spoken.out.split())
    assert "Next: give one run instead of several seeds: seeds of another program are not known." in told
    assert "another program's seeds are not known, so give one run beside it" in told
    assert "Too few seeds to tell: good.json is of a program whose seeds are not known." in told
    assert "run more seeds" not in told


def test_python_takes_them_with_their_gold_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    words = ("outputs/run", "good.json", "poor.json")
    found = qaexp.compare(words, gold=folder / "dev.json")
    assert found.document == compared(folder, *words, "--gold", "dev.json")
    with pytest.raises(ConfigError, match="holds no gold answers"):
        qaexp.compare(words)
    with pytest.raises(ConfigError, match=r"^na_prob: has no effect without results"):
        qaexp.compare("outputs/run", na_prob="spans.null_odds.json")


def test_every_output_takes_them(folder: Path, tmp_path: Path) -> None:
    words = ("outputs/run", *OTHERS, "poor.json", "scores.csv", "--gold", "dev.json", "--flips", "3")
    done = tiny_run.call(folder, "compare", *words, "--output", str(tmp_path / "out"))
    assert done.code == 0, done.err
    assert "whole programs: what differs between them is not recorded" in done.out
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"report.html", "comparison.json", "table.md"}
    for path in (tmp_path / "out").glob("*.*"):
        assert "/tmp/qaexp-" not in path.read_text("utf-8", "replace"), path


def test_a_gate_between_two_files_is_about_these_two(folder: Path) -> None:
    words = ("compare", "good.json", "--against", "poor.json", "--fail-if", "not-better", "--gold", "dev.json")
    assert tiny_run.call(folder, *words).code == 12
    done = tiny_run.call(folder, *words, "--these-runs", "--by", "1")
    assert done.code == 0, done
    assert "good.json" in done.out
    words = ("compare", "goo*.json", "--against", "poo*.json", "--fail-if", "not-better", "--gold", "dev.json")
    assert tiny_run.call(folder, *words, "--these-runs", "--by", "1").code == 0


def test_an_empty_file_of_answers_is_collapsed(folder: Path) -> None:
    (folder / "silent.json").write_text(json.dumps(dict.fromkeys(json.loads((folder / "good.json").read_text()), "")))
    found = compared(folder, "silent.json", "good.json", "--gold", "dev.json")
    collapsed = {group["name"] for group in found["groups"] if group["is_collapsed"]}
    assert collapsed == {"silent.json"}
    assert found["baseline"] == "good.json"


def test_a_run_is_the_baseline_where_it_answers(folder: Path) -> None:
    found = compared(folder, "poor.json", "outputs/run", "good.json", "--gold", "dev.json")
    silent = next(group for group in found["groups"] if group["name"] == "run")["is_collapsed"]
    assert found["baseline"] == ("good.json" if silent else "run")


def test_best_spans_that_no_threshold_would_answer_are_collapsed(folder: Path) -> None:
    wrong = dict.fromkeys(json.loads((folder / "good.json").read_text()), "wrong")
    shutil.rmtree(folder / "wrong", ignore_errors=True)
    write_run_qa(folder / "wrong", wrong, wrong, dict.fromkeys(wrong, -1.0))
    found = compared(folder, "wrong", "run_qa", "--gold", "dev.json")
    silence = {group["name"]: group["silence"] for group in found["groups"]}
    assert silence["run_qa"] is None
    assert "nothing at the tuned threshold" in silence["wrong"]


def test_a_pattern_takes_results_and_passes_over_the_rest(folder: Path, tmp_path: Path) -> None:
    for name in ("good.json", "poor.json", "spans.json", "spans.null_odds.json"):
        shutil.copy(folder / name, tmp_path / name)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "settings.json").write_text('{"lr": 1}')
    found = compared(folder, f"{tmp_path}/*", "--gold", "dev.json")
    assert {group["name"] for group in found["groups"]} == {"good.json", "poor.json", "spans.json"}


def test_other_results_are_read_without_torch(folder: Path) -> None:
    code = (
        "import sys; from qaexp.cli import main; code = main(['compare', 'good.json', 'poor.json', 'run_qa', '--gold', "
        "'dev.json', '--json']); heavy = {'torch', 'transformers', 'hydra'} & {*sys.modules}; "
        "sys.exit(str(heavy) if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
