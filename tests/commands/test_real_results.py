"""`qaexp compare` on what other programs really wrote: their own scores come out, and their own paired test."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import ttest_rel

from qaexp.comparison.group_tests import SEED
from qaexp.comparison.statistics.paired import cluster_bootstrap, cluster_t
from qaexp.data.squad import paragraph_id
from tests.fixtures import tiny_run

REAL = Path(__file__).parents[1] / "fixtures" / "real_results"
NAMES = {"f1": "f1", "exact": "exact", "has_ans_f1": "HasAns_f1", "no_ans_exact": "NoAns_exact"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(REAL, tmp_path / "real")


def compared(folder: Path, *words: str) -> dict[str, Any]:
    done = tiny_run.call(folder, "compare", *words, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def means(found: dict[str, Any], place: int = 0) -> dict[str, float]:
    return {name: value["mean"] for name, value in found["groups"][place]["metrics"].items()}


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def log_of(folder: Path, name: str) -> Path:
    return next((folder / name).glob("samples_*.jsonl"))


def own_f1(log: Path) -> npt.NDArray[np.float64]:
    """The harness' own f1 of each question, in percent; questions in the order of their paragraphs' names."""
    rows = map(json.loads, log.read_text("utf-8").splitlines())
    return np.array([100.0 * row["f1"] for row in sorted(rows, key=lambda row: paragraph_id(row["doc"]["context"]))])


def test_run_qa_gets_the_scores_that_it_printed_itself(folder: Path) -> None:
    found = means(compared(folder, "run_qa", "--gold", "dev.json"))
    own = read(folder / "run_qa" / "eval_results.json")
    assert {name: found[name] for name in NAMES} == pytest.approx({name: own[f"eval_{NAMES[name]}"] for name in NAMES})
    assert "crossfit_f1" in found


def test_predictions_in_its_folder_are_read_with_what_stands_beside_them(folder: Path) -> None:
    whole = means(compared(folder, "run_qa", "--gold", "dev.json"))
    assert means(compared(folder, "run_qa/eval_predictions.json", "--gold", "dev.json")) == whole
    odds = ("--na-prob", "run_qa/eval_null_odds.json")
    without_spans = means(compared(folder, "run_qa/eval_predictions.json", *odds, "--gold", "dev.json"))
    assert "crossfit_f1" not in without_spans


@pytest.mark.parametrize("prefix", ["predict_", "test_", ""])
def test_what_do_predict_wrote_is_read_too(folder: Path, prefix: str) -> None:
    whole = means(compared(folder, "run_qa", "--gold", "dev.json"))
    (folder / "predicted").mkdir()
    for path in (folder / "run_qa").glob("eval_*"):
        shutil.copy(path, folder / "predicted" / path.name.replace("eval_", prefix))
    assert means(compared(folder, "predicted", "--gold", "dev.json")) == whole
    for path in (folder / "predicted").iterdir():
        shutil.copy(path, folder / "run_qa" / path.name)
    told = compared(folder, "run_qa", "--gold", "dev.json")["notes"]
    assert (f"run_qa: eval_predictions.json is read; give run_qa/{prefix}predictions.json where the other") in told[0]


@pytest.mark.parametrize("name", ["eval_nbest_predictions.json", "eval_null_odds.json"])
def test_a_part_of_its_results_alone_is_refused(folder: Path, name: str) -> None:
    done = tiny_run.call(folder, "compare", f"run_qa/{name}", "--gold", "dev.json")
    assert done.code == 3
    assert "give their folder, or the file of predictions" in done.err


def test_a_pattern_passes_over_the_model_beside_its_predictions(folder: Path) -> None:
    (folder / "run_qa" / "config.json").write_text('{"model_type": "bert", "architectures": ["Bert"]}')
    (folder / "run_qa" / "special_tokens_map.json").write_text('{"cls_token": "[CLS]"}')
    found = compared(folder, "run_qa/*", "--gold", "dev.json")
    assert [group["name"] for group in found["groups"]] == ["eval_predictions.json"]


@pytest.mark.parametrize("name", ["lm_eval_a", "lm_eval_b"])
def test_a_log_of_the_harness_has_the_scores_that_it_aggregated(folder: Path, name: str) -> None:
    found = means(compared(folder, name))
    own = read(folder / name / "results.json")["results"]["demo_mlqa"]
    assert (found["f1"], found["exact"]) == pytest.approx((100 * own["f1,none"], 100 * own["exact_match,none"]))


def test_two_logs_get_the_paired_test_over_their_own_scores(folder: Path) -> None:
    found = compared(folder, "lm_eval_a", "lm_eval_b", "--baseline", "lm_eval_a")
    a, b = (own_f1(log_of(folder, name)) for name in ("lm_eval_a", "lm_eval_b"))
    (contrast,) = found["contrasts"]
    # Each of the five questions is on a paragraph of its own, so that no cluster has two of them.
    expected = cluster_bootstrap(b - a, np.arange(len(a)), np.random.default_rng(SEED))
    # No difference of percentages is beyond 100.
    ends = {key: min(getattr(expected, key), 100.0) for key in ("difference", "low", "high", "p")}
    assert {key: contrast["f1"][key] for key in ends} == pytest.approx(ends)
    paired = ttest_rel(b, a)
    of_t = cluster_t(b - a, np.arange(len(a)))
    assert (of_t.p, of_t.low, of_t.high) == pytest.approx((paired.pvalue, *paired.confidence_interval()))
    assert contrast["f1"]["p"] >= paired.pvalue


def test_results_are_called_by_what_tells_them_apart(folder: Path) -> None:
    logs = [str(log_of(folder, name).relative_to(folder)) for name in ("lm_eval_a", "lm_eval_b")]
    found = compared(folder, *logs)
    assert {group["name"] for group in found["groups"]} == {
        "lm_eval_a/samples_demo_mlqa.jsonl",
        "lm_eval_b/samples_demo_mlqa.jsonl",
    }
    (inspect,) = folder.glob("*_squad_*.json")
    assert compared(folder, inspect.name)["groups"][0]["name"] == "squad.json"


def test_the_output_path_of_the_harness_is_enough_where_it_holds_one_log(folder: Path) -> None:
    (folder / "logs").mkdir()
    shutil.copytree(folder / "lm_eval_b", folder / "logs" / "model_b")
    assert means(compared(folder, "logs")) == means(compared(folder, "lm_eval_b"))
    shutil.copytree(folder / "lm_eval_a", folder / "logs" / "model_a")
    done = tiny_run.call(folder, "compare", "logs")
    assert done.code == 3
    assert "logs: holds 2 sample logs of lm-evaluation-harness; give the log of one task" in done.err


@pytest.mark.parametrize(
    "answers", [[{"text": "Baltic Sea", "answer_start": 3}], {"text": ["Baltic Sea"], "answer_start": [3]}]
)
def test_gold_answers_of_a_log_may_be_records_or_columns(folder: Path, answers: Any) -> None:
    log = log_of(folder, "lm_eval_b")
    first, *rest = log.read_text("utf-8").splitlines()
    record = json.loads(first)
    assert record["doc"]["answers"] == ["Baltic Sea"]
    record["doc"]["answers"] = answers
    before = means(compared(folder, "lm_eval_b"))
    log.write_text("\n".join((json.dumps(record), *rest)) + "\n", "utf-8")
    assert means(compared(folder, "lm_eval_b")) == before


@pytest.mark.parametrize("answers", ["Baltic Sea", [3], {"text": "Baltic Sea"}])
def test_other_gold_answers_of_a_log_are_refused(folder: Path, answers: Any) -> None:
    log = log_of(folder, "lm_eval_b")
    record = json.loads(log.read_text("utf-8").splitlines()[0])
    record["doc"]["answers"] = answers
    log.write_text(json.dumps(record) + "\n", "utf-8")
    done = tiny_run.call(folder, "compare", "lm_eval_b")
    assert done.code == 3
    assert "line 1: answers is" in done.err


def test_a_log_of_inspect_has_the_scores_of_its_own_scorers(folder: Path) -> None:
    (path,) = folder.glob("*_squad_*.json")
    found = means(compared(folder, path.name, "--gold", "dev.json"))
    own = {score["name"]: score["metrics"]["mean"]["value"] for score in read(path)["results"]["scores"]}
    assert (found["f1"], found["exact"]) == pytest.approx((100 * own["f1"], 100 * own["exact"]))


def test_only_what_is_known_of_them_is_shown(folder: Path) -> None:
    done = tiny_run.call(folder, "compare", "lm_eval_a", "lm_eval_b")
    assert done.code == 0, done.err
    assert "tokens/s" not in done.out
    assert "config: what differs" not in done.out
    shutil.copy(log_of(folder, "lm_eval_a"), folder / "samples_again.jsonl")
    again = tiny_run.call(folder, "compare", "lm_eval_a", "samples_again.jsonl")
    assert "a repeat of" in again.out
    assert "the same answers; one observation" in again.out
    assert "seed None" not in again.out


def test_a_gate_names_them_as_they_were_given(folder: Path) -> None:
    words = ("compare", "lm_eval_b", "--against", "lm_eval_a", "--fail-if", "worse", "--these-runs")
    told = tiny_run.call(folder, *words).out.replace("\\", "")
    assert "New: lm_eval_b (lm_eval_b). Base: lm_eval_a (lm_eval_a)." in told
    assert "\nlm_eval_b has no crossfit_f1: f1 is compared." in told
