"""`qaexp reproduce`: the same bytes again, or the first step that differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.fixtures import tiny_run

WORDS = (*tiny_run.MODEL, "data.train_size=12", "data.dev_size=8", "trainer.epochs=2", "threads=1")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run.train(tmp_path_factory.mktemp("reproduce"), "one", *WORDS)


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "one"))


def test_the_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    before = tiny_run.snapshot(run)
    done = tiny_run.call(tmp_path, "reproduce", str(run))
    assert done.code == 0, done.err
    assert "first step that differs: none" in done.out
    assert "changed in its folder since the run: none" in done.out
    assert "files that differ: none of 12\n" in done.out
    assert "not compared" not in done.out
    assert "inputs that differ: none\n" in done.out
    assert "differences of code, packages, device and machine: none" in done.out
    again = tmp_path / "one-reproduced-1"
    assert tiny_run.read_json(again / "run.json")["state"] == "completed"
    assert tiny_run.snapshot(run) == before
    # The next one has a folder of its own.
    assert tiny_run.call(tmp_path, "reproduce", str(run)).code == 0
    assert (tmp_path / "one-reproduced-2" / "summary.json").exists()


def test_the_first_step_that_differs_is_named(run: Path, tmp_path: Path) -> None:
    lines = tiny_run.read_lines(run / "metrics.jsonl")
    lines[2]["loss"] += 1e-9
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    tiny_run.sign(run)
    done = tiny_run.call(tmp_path, "reproduce", str(run), "--to", str(tmp_path / "again"))
    assert done.code == 8
    assert f"first step that differs: step {lines[2]['step']}: loss is" in done.out
    assert "files that differ: none" in done.out  # metrics.jsonl is told step by step


def test_a_file_that_differs_is_named(run: Path, tmp_path: Path) -> None:
    scores = (run / "scores.csv").read_text()
    (run / "scores.csv").write_text(scores.replace("\n", " \n", 1))
    tiny_run.sign(run)
    done = tiny_run.call(tmp_path, "reproduce", str(run))
    assert done.code == 8
    assert "first step that differs: none" in done.out
    assert "scores.csv: its bytes differ" in done.out


@pytest.mark.case("reproduce_of_a_changed_original")
@pytest.mark.parametrize("name", ["predictions.jsonl", "metrics.jsonl", "data.json", "model/qaexp.json"])
def test_a_result_that_was_changed_since_the_run_is_named(run: Path, tmp_path: Path, name: str) -> None:
    content = (run / name).read_bytes()
    (run / name).write_bytes(content + b" " if name == "metrics.jsonl" else content.replace(b"0", b"1", 1))
    done = tiny_run.call(tmp_path, "reproduce", str(run))
    assert done.code == 8
    assert "changed in its folder since the run: 1\n" in done.out
    assert f"  {run / name}: " in done.out
    assert "first step that differs: none" in done.out
    assert f"files that differ: 1\n  {name}: its bytes differ" in done.out


def test_a_summary_that_was_changed_since_the_run_is_named(run: Path, tmp_path: Path) -> None:
    summary = tiny_run.read_json(run / "summary.json")
    (run / "summary.json").write_text(json.dumps({**summary, "f1": 99.0}))
    (run / "env.json").unlink()
    done = tiny_run.call(tmp_path, "reproduce", str(run))
    assert done.code == 8
    assert "changed in its folder since the run: 2\n" in done.out
    assert all(f"  {run / name}: " in done.out for name in ("summary.json", "env.json"))
    assert "packages, device and machine are not compared" in done.out
    assert "files that differ: none of 12\n" in done.out


def test_files_that_are_not_there_are_not_counted_as_equal(run: Path, tmp_path: Path) -> None:
    shutil.rmtree(run / "model")
    done = tiny_run.call(tmp_path, "reproduce", str(run))
    assert done.code == 8
    assert "changed in its folder since the run: 5\n" in done.out
    assert "files that differ: 0 of the 7 compared\nfiles that were not compared: 5\n" in done.out
    assert "model/model.safetensors: is not in" in done.out
    assert "the new one has the sha256 that the manifest names" in done.out


def test_a_lost_file_that_was_another_one_differs(run: Path, tmp_path: Path) -> None:
    (run / "scores.csv").write_text("id\n")
    tiny_run.sign(run)
    (run / "scores.csv").unlink()
    done = tiny_run.call(tmp_path, "reproduce", str(run))
    assert done.code == 8
    assert "files that differ: 1\n  scores.csv: the new one has another sha256" in done.out


def test_a_file_more_is_named(run: Path, tmp_path: Path) -> None:
    (run / "test_scores.csv").write_text("id\n")
    done = tiny_run.call(tmp_path, "reproduce", str(run))
    assert done.code == 8
    assert f"  {run / 'test_scores.csv'}: does not belong here" in done.out
    assert "test_scores.csv: is only in" in done.out


def test_a_manifest_that_is_lost_vouches_for_nothing(run: Path, tmp_path: Path) -> None:
    (run / "MANIFEST.json").unlink()
    done = tiny_run.call(tmp_path, "reproduce", str(run))
    assert done.code == 8
    assert f"  {run / 'MANIFEST.json'}: is missing" in done.out


def test_a_config_that_was_changed_is_not_run(run: Path, tmp_path: Path) -> None:
    config = tiny_run.read_json(run / "config.json")
    (run / "config.json").write_text(json.dumps({**config, "seed": 9}))
    done = tiny_run.call(tmp_path, "reproduce", str(run))
    assert (done.code, "another run would be made" in done.last_line) == (8, True)
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["one"]


def test_what_cannot_be_run_again_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    taken = tiny_run.call(tmp_path, "reproduce", str(run), "--to", "taken")
    assert (taken.code, "exists" in taken.last_line) == (2, True)
    (run / "summary.json").unlink()
    unfinished = tiny_run.call(tmp_path, "reproduce", str(run))
    assert (unfinished.code, "qaexp resume" in unfinished.last_line) == (2, True)
    assert tiny_run.call(tmp_path, "reproduce", "missing").code == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["one", "taken"]


def test_an_input_that_was_changed_is_the_cause_that_is_named(tmp_path: Path) -> None:
    train, dev = (tiny_run.write_squad(tmp_path / f"{name}.json", 6, 2) for name in ("train", "dev"))
    words = (*tiny_run.FILES, f"data.train_file={train}", f"data.dev_file={dev}", "trainer.epochs=1", "threads=1")
    run = tiny_run.train(tmp_path, "one", *words)
    before = tiny_run.read_json(run / "run.json")["inputs"]["data"]["dev_sha256"]
    tiny_run.write_squad(dev, 5, 3)
    done = tiny_run.call(tmp_path, "reproduce", str(run))
    assert done.code == 8, done.err
    new = tmp_path / "outputs" / "one-reproduced-1"
    after = tiny_run.read_json(new / "run.json")["inputs"]["data"]["dev_sha256"]
    assert f"inputs that differ: 1\n  data.dev_sha256 was {before[:8]}, now {after[:8]}\n" in done.out


def test_a_run_without_its_model_says_how_to_get_it(run: Path, tmp_path: Path) -> None:
    shutil.rmtree(run / "model")
    (run / "logits.safetensors").unlink()
    advice = "qaexp reproduce one --to outputs/one-again makes {} again: give outputs/one-again then"
    asked = ("-q", "Who?", "-c", "Anna was here.")
    for words, what in {
        ("answer", "one", *asked): "its model",
        ("rescore", "one"): "it",
        ("train", "model.checkpoint=one", "name=next"): "its model",
    }.items():
        assert tiny_run.call(tmp_path, *words).last_line.endswith(advice.format(what))
    # To the letter.
    done = tiny_run.call(tmp_path, *advice.partition(" makes")[0].removeprefix("qaexp ").split())
    assert done.out.splitlines()[-1] == f"the new run, with all its files: {tmp_path / 'outputs' / 'one-again'}"
    assert tiny_run.call(tmp_path, "answer", "outputs/one-again", *asked).code == 0
    assert tiny_run.call(tmp_path, "rescore", "outputs/one-again").code == 0
    assert "--to outputs/one-again-2 makes" in tiny_run.call(tmp_path, "answer", "one", *asked).err
