"""`qaexp evaluate`: a stored model gives the numbers of its run, on any file, in the official format."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from qaexp.cli import main
from tests.fixtures import tiny_run
from tests.fixtures.processors import AMD

COUNTS = ("num_dev_examples", "num_dev_features")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the standard windows, scored on all of dev.json, which lies two folders above it."""
    work = tmp_path_factory.mktemp("work")
    train = tiny_run.write_squad(work / "train.json", 12, 4)
    dev = tiny_run.write_squad(work / "dev.json", 10, 6)
    plan = [word for word in tiny_run.FILES if not word.startswith("features.")]
    words = (*plan, *tiny_run.files_of(train, dev), "trainer.epochs=2", "optimizer.lr=3e-3")
    return tiny_run.train(work, "one", *words)


@pytest.fixture(scope="module")
def dev(run: Path) -> str:
    return str(run.parent.parent / "dev.json")


@pytest.fixture(scope="module")
def predictions(run: Path) -> list[dict[str, Any]]:
    return tiny_run.read_lines(run / "predictions.jsonl")


def test_a_run_is_worth_what_its_summary_says(run: Path, dev: str, tmp_path: Path) -> None:
    before = tiny_run.snapshot(run)
    out = tmp_path / "answers.json"
    done = tiny_run.call(tmp_path, "evaluate", str(run), "--data", dev, "--json", "--predictions-out", str(out))
    assert done.code == 0, done.err
    found = json.loads(done.out)  # exactly one document
    summary = tiny_run.read_json(run / "summary.json")
    assert {name: found.pop(name) for name in ("device", "precision")} == {"device": "cpu", "precision": "fp32"}
    answered = sum(bool(text) for text in tiny_run.read_json(out).values())
    assert (found.pop("scored_at_threshold"), found.pop("num_answered")) == (0.0, answered)
    assert found == pytest.approx({name: summary[name] for name in found}, abs=1e-9)
    assert {"exact", "f1", "has_ans_f1", "no_ans_exact", "best_f1", "best_f1_thresh", *COUNTS} <= set(found)
    assert not any(isinstance(value, dict | list) for value in found.values())
    assert found["f1"] > 0
    answers = {record["id"]: record["prediction_text"] for record in tiny_run.read_lines(run / "predictions.jsonl")}
    assert tiny_run.read_json(out) == answers
    assert tiny_run.snapshot(run) == before


def test_the_number_format_is_that_of_the_device_or_the_one_given(
    run: Path, dev: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluated(*words: str) -> tuple[dict[str, Any], str]:
        done = tiny_run.call(tmp_path, "evaluate", str(run), "--data", dev, "--json", *words)
        assert done.code == 0, done.err
        return json.loads(done.out), done.err

    plain, told = evaluated()
    assert ("bf16" in told, plain["precision"]) == (False, "fp32")
    rough, told = evaluated("--precision", "bf16")
    assert told.count("bf16 may be slow here: ") == 1
    assert rough["precision"] == "bf16"
    assert 0 < abs(rough["gold_nll"] / plain["gold_nll"] - 1) < 0.05
    AMD.stand_in(monkeypatch)
    fast, told = evaluated()
    assert (fast, "slow" in told) == (rough, False)
    assert evaluated("--precision", "fp32")[0] == plain
    refused = tiny_run.call(tmp_path, "evaluate", str(run), "--data", dev, "--precision", "fp16")
    assert refused.code == 2
    assert refused.last_line.endswith("--precision fp16 needs CUDA, and the device is cpu; choose fp32 or auto")


def test_without_json_a_line_a_metric(run: Path, dev: str, tmp_path: Path) -> None:
    out = tiny_run.call(tmp_path, "evaluate", "--data", dev, str(run / "model")).out
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    summary = tiny_run.read_json(run / "summary.json")
    # In percent, and with the digits that the table at the end of training has: no more are known.
    for name in ("exact", "f1", "has_ans_f1", "no_ans_exact", "best_f1", "crossfit_f1"):
        assert lines[name] == f"{summary[name]:.1f} %"
    assert lines["num_dev_examples"] == "16"
    assert lines["scored_at_threshold"] == "0.0"


def test_why_a_threshold_from_other_texts_is_not_known(run: Path, dev: str, tmp_path: Path) -> None:
    document = tiny_run.read_json(Path(dev))
    one = document["data"][0]
    one["paragraphs"] = one["paragraphs"][:1]
    (tmp_path / "one.json").write_text(json.dumps({**document, "data": [one]}))
    for words in ((), ("--json",)):
        done = tiny_run.call(tmp_path, "evaluate", str(run), "--data", "one.json", *words)
        assert "crossfit_exact and crossfit_f1 are not known: all questions are on one text" in done.err
        assert done.code == 0
    told = tiny_run.call(tmp_path, "evaluate", str(run), "--data", dev).err
    assert "are not known" not in told


def test_the_help_names_all_that_holds_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("evaluate", "answer", "serve"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        told = " ".join(capsys.readouterr().out.split())
        assert "a run directory, a model folder in the format of transformers, or an export (qaexp export)" in told


def test_another_threshold(run: Path, dev: str, predictions: list[dict[str, Any]], tmp_path: Path) -> None:
    diffs = sorted(record["null_score_diff"] for record in predictions)
    threshold = (diffs[5] + diffs[6]) / 2
    words = ("evaluate", str(run), "--data", dev, "--json", f"--null-threshold={threshold}")
    found = json.loads(tiny_run.call(tmp_path, *words, "--predictions-out", "answers.json").out)
    official = tiny_run.official_metrics(predictions, threshold)
    assert (found["scored_at_threshold"], found["num_answered"]) == (threshold, 6)
    assert {name: found[name] for name in official} == pytest.approx(official, abs=1e-9)
    answers = tiny_run.read_json(tmp_path / "answers.json")
    assert sum(bool(text) for text in answers.values()) == 6


def test_a_folder_that_qaexp_did_not_make(run: Path, dev: str, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    shutil.copytree(run / "model", folder)
    (folder / "qaexp.json").unlink()
    done = tiny_run.call(tmp_path, "evaluate", str(folder), "--data", dev, "--json")
    assert done.code == 0, done.err
    found, summary = json.loads(done.out), tiny_run.read_json(run / "summary.json")
    numbers = {name: value for name, value in found.items() if name in summary and not isinstance(value, str)}
    assert numbers == pytest.approx({name: summary[name] for name in numbers}, abs=1e-9)


def test_another_file_of_answerable_questions(run: Path, tmp_path: Path) -> None:
    file = tiny_run.write_squad(tmp_path / "other.json", 5, 0)
    found = json.loads(tiny_run.call(tmp_path, "evaluate", str(run), "--data", str(file), "--json").out)
    assert found["num_dev_examples"] == 5
    assert found["no_ans_f1"] is None
    assert found["has_ans_f1"] == found["f1"]


def test_what_cannot_be_evaluated(run: Path, dev: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    for code, model, data in ((3, run, "missing.json"), (3, run, "bad.json"), (2, tmp_path, dev), (2, "missing", dev)):
        failed = tiny_run.call(tmp_path, "evaluate", str(model), "--data", data, "--json")
        assert failed.code == code, failed.err
        assert failed.out == ""
        assert "Traceback" not in failed.err
        assert (data if code == 3 else str(model)) in failed.last_line
    failed = tiny_run.call(tmp_path, "evaluate", str(run), "--data", dev, "--null-threshold", "inf")
    assert failed.code == 2
    failed = tiny_run.call(tmp_path, "evaluate", str(run), "--data", dev, "--predictions-out", "no/such/folder.json")
    assert failed.code == 5, failed.err


@pytest.fixture
def faulty(dev: str, tmp_path: Path) -> Path:
    """The dev file with one answer that does not stand where it says."""
    document = tiny_run.read_json(Path(dev))
    question = document["data"][0]["paragraphs"][0]["qas"][0]
    question["answers"][0]["answer_start"] += 1
    (tmp_path / "faulty.json").write_text(json.dumps(document))
    return tmp_path / "faulty.json"


@pytest.mark.case("evaluate_cannot_skip")
def test_evaluate_cannot_skip(run: Path, faulty: Path, tmp_path: Path) -> None:
    """The message names the option that evaluate has, and the option does what it says."""
    words = ("evaluate", str(run), "--data", "faulty.json")
    failed = tiny_run.call(tmp_path, *words)
    assert failed.code == 3
    assert "give --on-bad skip to leave faulty examples out or --on-bad fix to move" in failed.last_line
    assert "data.on_bad" not in failed.err
    typed = tiny_run.call(tmp_path, *words, "data.on_bad=skip")
    assert typed.code == 2
    assert "unrecognized arguments: data.on_bad=skip; write --on-bad skip" in typed.last_line
    for on_bad, done, counts in (("skip", "left out", (1, 0, 15)), ("fix", "mended", (0, 1, 16))):
        called = tiny_run.call(tmp_path, *words, "--on-bad", on_bad, "--json")
        assert called.code == 0, called.err
        found = json.loads(called.out)
        assert (found["num_skipped"], found["num_fixed"], found["num_dev_examples"]) == counts
        assert f"faulty.json: 1 of 16 questions {done}, first: data[0]" in called.err


def test_every_written_file_is_named(run: Path, dev: str, tmp_path: Path) -> None:
    done = tiny_run.call(tmp_path, "evaluate", str(run), "--data", dev, "--json", "--predictions-out", "p.json")
    json.loads(done.out)
    assert "wrote p.json: 16 answers as {id: text}" in done.err


def test_a_file_without_answers_names_the_command_that_helps(run: Path, dev: str, tmp_path: Path) -> None:
    document = tiny_run.read_json(Path(dev))
    for article in document["data"]:
        for question in (one for paragraph in article["paragraphs"] for one in paragraph["qas"]):
            del question["answers"], question["is_impossible"]
    (tmp_path / "test.json").write_text(json.dumps(document))
    failed = tiny_run.call(tmp_path, "evaluate", str(run), "--data", "test.json")
    assert failed.code == 3
    assert "qaexp answer RUN --input test.json --predictions-out predictions.json" in failed.last_line
    row = {"id": "a", "context": "Paris", "question": "Q", "answers": {"text": [], "answer_start": []}}
    (tmp_path / "blank.json").write_text(json.dumps([row]))
    done = tiny_run.call(tmp_path, "evaluate", str(run), "--data", "blank.json")
    assert done.code == 0
    assert "qaexp answer RUN --input blank.json" in done.err


def test_errors_of_models_and_devices_are_told_in_the_words_of_evaluate(run: Path, dev: str, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    shutil.copytree(run / "model", folder)
    (folder / "model.safetensors").write_bytes(b"nothing")
    failed = tiny_run.call(tmp_path, "evaluate", str(folder), "--data", dev)
    assert failed.code == 8
    assert "model.checkpoint" not in failed.err
    assert "plain" in failed.last_line
    failed = tiny_run.call(tmp_path, "evaluate", str(run), "--data", dev, "--device", "cuda:99")
    assert failed.code == 2
    assert "--device cuda:99" in failed.last_line
    assert "trainer" not in failed.last_line


@pytest.fixture(scope="module")
def sets(run: Path) -> list[str]:
    """Two named files with questions of their own, and the dev file."""
    work = run.parent.parent
    words = []
    for name, counts in {"bio": (6, 2), "news": (3, 3)}.items():
        file = tiny_run.write_squad(work / f"{name}.json", *counts)
        file.write_text(file.read_text().replace("born?", f"born, asks {name}?").replace("father", f"{name} father"))
        words += ["--data", f"{name}={file}"]
    return [*words, "--data", f"dev={work / 'dev.json'}"]


def test_several_files_are_what_each_is_alone(run: Path, sets: list[str], tmp_path: Path) -> None:
    done = tiny_run.call(tmp_path, "evaluate", str(run), *sets, "--json", "--null-threshold=0.1")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert list(found) == ["sets", "mean", "iqm"]
    for word in sets[1::2]:
        name, _, file = word.partition("=")
        alone = tiny_run.call(tmp_path, "evaluate", str(run), "--data", file, "--json", "--null-threshold=0.1")
        assert found["sets"][name] == json.loads(alone.out)
    for score in ("exact", "f1", "has_ans_f1", "no_ans_f1", "gold_nll"):
        values = [one[score] for one in found["sets"].values()]
        assert found["mean"][score] == found["iqm"][score] == pytest.approx(sum(values) / 3)


def test_several_files_are_a_table_that_fits_a_terminal(run: Path, sets: list[str], tmp_path: Path) -> None:
    document = json.loads(tiny_run.call(tmp_path, "evaluate", str(run), *sets, "--json").out)
    done = tiny_run.call(tmp_path, "evaluate", str(run), *sets)
    head, *rows = done.out.splitlines()
    assert head.split() == ["set", "exact", "f1", "has_ans_f1", "no_ans_f1", "gold_nll", "answered", "questions"]
    assert [row.split()[0] for row in rows[:5]] == ["bio", "news", "dev", "mean", "IQM"]
    for row in rows[:3]:
        name, exact, f1, *_, answered, asked = row.split()
        one = document["sets"][name]
        assert (exact, f1) == (f"{one['exact']:.1f}", f"{one['f1']:.1f}")
        assert (answered, asked) == (str(one["num_answered"]), str(one["num_dev_examples"]))
    assert rows[3].split()[2] == f"{document['mean']['f1']:.1f}"
    assert max(map(len, (head, *rows))) <= 88
    assert "threshold 0.0" in rows[5]
    refused = tiny_run.call(tmp_path, "evaluate", str(run), *sets, "--predictions-out", "p.json")
    assert refused.code == 2
    assert not (tmp_path / "p.json").exists()


def test_a_path_with_an_equals_sign_is_a_path(run: Path, dev: str, tmp_path: Path) -> None:
    for name in ("lr=1.json", "kind=dev/file.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(dev, tmp_path / name)
        done = tiny_run.call(tmp_path, "evaluate", str(run), "--data", name, "--json")
        assert json.loads(done.out)["num_dev_examples"] == 16


def test_options_that_commands_share_are_told_in_one_place() -> None:
    from qaexp.cli import written
    from qaexp.commands import questions
    from qaexp.data.files import validation
    from qaexp.storage import formats

    assert questions.ON_BAD is validation.ON_BAD
    assert questions.counted is formats.counted
    assert not hasattr(written, "counted")
