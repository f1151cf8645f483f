"""A score is given over the questions that were asked, all of them, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import torch as weights
from safetensors.numpy import load, save

from qaexp.evaluation import question_set
from qaexp.evaluation.logits import Logits, LogitsInMemory
from tests.fixtures import tiny_run

Change = Callable[[list[Any]], list[Any]]
PLANTS: dict[str, Change] = {
    "missing": lambda found: found[:-1],
    "added": lambda found: [*found, found[0]],
    "reordered": lambda found: found[::-1],
    "none": lambda found: [],
}


@pytest.fixture
def run(qaexp: Any, tmp_path: Path) -> Path:
    """A run on four questions with an answer and two without."""
    train, dev = (tiny_run.write_squad(tmp_path / f"{name}.json", 4, 2) for name in ("train", "dev"))
    words = (*tiny_run.FILES, *tiny_run.files_of(train, dev), "trainer.epochs=1")
    folder: Path = qaexp.train("name=run", *words)
    return folder


def refused(qaexp: Any, codes: Sequence[int], *words: str) -> Any:
    """A command that gives no number."""
    done = qaexp.call(*words)
    assert done.code in codes, done.err
    assert done.out == ""
    return done


@pytest.mark.thorough
@pytest.mark.fault("D13")
def test_other_questions(qaexp: Any, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_rescore(qaexp, run)
    check_evaluate(qaexp, run, tmp_path, monkeypatch)
    check_training(qaexp, tmp_path, monkeypatch)


def check_rescore(qaexp: Any, run: Path) -> None:
    """Files that are not the run's are refused, and those that look like it must still belong together."""
    predictions, logits = run / "predictions.jsonl", run / "logits.safetensors"
    lines, tensors = predictions.read_bytes().splitlines(keepends=True), load(logits.read_bytes())
    last = tensors["example_index"] == tensors["example_index"].max()
    kept = ~np.repeat(last, np.bincount(tensors["feature_index"]))
    fewer = {name: values[kept if len(values) == len(kept) else ~last] for name, values in tensors.items()}
    nan = {**tensors, "start_logits": np.full_like(tensors["start_logits"], np.nan)}
    extra = lines[0].replace(b'"dev-0"', b'"dev-9"')
    assert extra != lines[0]

    def spoil(signed: Sequence[int], changed: dict[Path, bytes]) -> None:
        whole = {path: path.read_bytes() for path in (*changed, run / "MANIFEST.json", run / "summary.json")}
        for path, data in changed.items():
            path.write_bytes(data)
        refused(qaexp, [8], "rescore", str(run))
        tiny_run.sign(run)
        refused(qaexp, signed, "rescore", str(run), "--json")
        for path, data in whole.items():
            path.write_bytes(data)

    spoil([8], {predictions: b"".join(lines[:-1])})
    spoil([8], {predictions: b"".join([*lines, extra])})
    spoil([8], {predictions: b""})
    spoil([8], {predictions: b"".join(lines[:-1]), logits: save(fewer)})
    spoil([8], {logits: save({**tensors, "end_logits": tensors["end_logits"][:-1]})})
    spoil([8], {logits: logits.read_bytes()[: logits.stat().st_size // 2]})
    spoil([6], {logits: save(nan)})
    whole = predictions.read_bytes()
    predictions.write_bytes(b"".join(reversed(lines)))
    refused(qaexp, [8], "rescore", str(run))
    predictions.write_bytes(whole)
    assert qaexp.call("rescore", str(run)).code == 0


def check_evaluate(qaexp: Any, run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that gives NaN has no score, nor have predictions for other questions."""
    out = qaexp.folder / "outputs" / "predictions.json"
    words = ("evaluate", str(run), "--data", str(folder / "dev.json"), "--predictions-out", str(out))
    for name, change in PLANTS.items():
        with monkeypatch.context() as patch:
            plant_predictions(patch, change)
            done = refused(qaexp, [8], *words)
        assert "no score is given" in done.last_line, name
    model = run / "model" / "model.safetensors"
    whole = model.read_bytes()
    tensors = weights.load(whole)
    tensors["qa_outputs.bias"] = torch.full_like(tensors["qa_outputs.bias"], torch.nan)
    model.write_bytes(weights.save(tensors, {"format": "pt"}))
    for more in ((), ("--json",)):
        done = refused(qaexp, [6], *words, *more)
        assert "model.safetensors is not what the run wrote" in done.err
        assert "NaN or Inf in qa_outputs.bias" in done.last_line
    refused(qaexp, [6], "answer", str(run), "-q", "Who?", "-c", "It was Anna.")
    tiny_run.sign(run)
    for more in ((), ("--json",)):
        assert "NaN or Inf in 6 of 6" in refused(qaexp, [6], *words, *more).last_line
    refused(qaexp, [6], "answer", str(run), "-q", "Who?", "-c", "It was Anna.")
    assert not out.exists()
    model.write_bytes(whole)
    tiny_run.sign(run)
    done = qaexp.call(*words, "--json")
    assert json.loads(done.out)["num_dev_examples"] == len(tiny_run.read_json(out)) == 6


def plant_predictions(patch: pytest.MonkeyPatch, change: Change) -> None:
    decode = question_set.decode
    patch.setattr(question_set, "decode", lambda *args, **keywords: change(decode(*args, **keywords)))


def plant_nan(patch: pytest.MonkeyPatch, first: int, value: float) -> None:
    """Make one logit of every evaluation from a number on NaN or infinite; the training never sees it."""
    held, calls = question_set.LogitsInMemory.all, iter(range(1, 1000))

    def broken(made: LogitsInMemory) -> Logits:
        found = held(made)
        if next(calls) >= first:
            found.end[-1] = value
        return found

    patch.setattr(question_set.LogitsInMemory, "all", broken)


def check_training(qaexp: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose own evaluation goes wrong fails, and what was scored before is all that it tells."""
    train, dev = folder / "train.json", folder / "dev.json"
    files = (*tiny_run.files_of(train, dev), f"data.test_file={dev}")
    words = ("train", *tiny_run.FILES, *files, "trainer.epochs=2")

    def fails(name: str, code: int, num_scored: int, *more: str) -> None:
        done = qaexp.refused(code, *words, f"name={name}", *more, says=("no score is given",))
        directory = qaexp.folder / "outputs" / name
        state = tiny_run.read_json(directory / "run.json")
        assert (state["state"], state["error"]["kind"]) == ("failed", {6: "diverged", 8: "integrity"}[code])
        history = directory / "history.csv"
        assert len(history.read_text().splitlines()[1:] if history.exists() else []) == num_scored
        assert done.out.count("  dev exact") == num_scored
        assert "nan" not in done.out.replace(name, "").lower()
        for missing in ("summary.json", "predictions.jsonl", "scores.csv", "model", "report.html"):
            assert not (directory / missing).exists(), missing

    # An evaluation asks the dev set and then the probe; the test file comes last.
    for number, (first, num_scored, more) in enumerate(
        [(1, 0, ()), (2, 0, ()), (3, 1, ()), (3, 1, ("trainer.keep=best",)), (5, 2, ())]
    ):
        with monkeypatch.context() as patch:
            plant_nan(patch, first, (np.nan, np.inf)[number % 2])
            fails(f"nan{number}", 6, num_scored, *more)
    for name, change in PLANTS.items():
        with monkeypatch.context() as patch:
            plant_predictions(patch, change)
            fails(name, 8, 0)


def own_questions(path: Path, *counts: int) -> Path:
    """A file whose questions no other file asks."""
    text = tiny_run.write_squad(path, *counts).read_text()
    path.write_text(text.replace(" born?", f" born, asks {path.stem}?").replace("father of", f"{path.stem} father of"))
    return path


@pytest.mark.thorough
@pytest.mark.fault("D15")
def test_evaluation_sets(qaexp: Any, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    train, dev, bio, _ = (own_questions(folder / f"{name}.json", 8, 3) for name in ("train", "dev", "bio", "news"))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in flat(bio)))
    (folder / "empty.json").touch()
    (folder / "cut.json").write_bytes(bio.read_bytes()[:300])
    words = (*tiny_run.FILES, *tiny_run.files_of(train, dev), "trainer.epochs=1")

    def given(**files: str) -> str:
        return f"data.test_files={{{', '.join(f'{name}: {folder / file}' for name, file in files.items())}}}"

    refused = (
        (3, given(bio="bio.json", law="none.json", web="gone.json"), ("test_files.law", "test_files.web", "none.json")),
        (3, given(bio="empty.json"), ("data.test_files.bio", "is empty")),
        (3, given(bio="cut.json"), ("cut.json: line 1, column",)),
        (3, given(bio="bio.json", law="bio.json"), ("data.test_files.law is data.test_files.bio again",)),
        (3, given(bio="bio.json", law="rows.jsonl"), ("data.test_files.law is data.test_files.bio again",)),
        (3, given(bio="train.json", law="dev.json"), ("bio is data.train_file again", "law is data.dev_file again")),
        (2, given(Bio="bio.json", no_ans="news.json"), ("'Bio'", "such as bio", "'no_ans' has a meaning")),
        (2, given(best="bio.json"), ("'best' has a meaning of its own", "such as best_set")),
        (2, f"data.test_files={bio}", ("is no mapping; write data.test_files={bio: bio.json",)),
        (2, f"data.test_files.bio={bio}", ("write 'data.test_files={bio: ",)),
        (2, "data.test_files={bio: null}", ("data.test_files.bio=None is no path",)),
    )
    for number, (code, value, says) in enumerate(refused):
        qaexp.refused(code, "train", f"name=refused{number}", *words, value, says=says)
        assert not (qaexp.folder / "outputs" / f"refused{number}" / "summary.json").exists()
    run = qaexp.train("name=good", *words, given(bio="bio.json", news="news.json"))
    check_named_files(qaexp, run, folder)
    check_leak(qaexp, folder, words)


def flat(path: Path) -> list[dict[str, Any]]:
    """The questions of a file as flat rows."""
    rows = []
    for article in json.loads(path.read_text())["data"]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                texts, starts = ([one[key] for one in asked["answers"]] for key in ("text", "answer_start"))
                answers = {"text": texts, "answer_start": starts}
                row = {"id": asked["id"], "title": article["title"], "context": paragraph["context"]}
                rows.append({**row, "question": asked["question"], "answers": answers})
    return rows


def check_named_files(qaexp: Any, run: Path, folder: Path) -> None:
    """What `evaluate` is given under names."""
    for code, values, says in (
        (2, ("bio.json", "news.json"), ("has no name", "write --data bio=", "write --data news=")),
        (2, ("a=bio.json", "a=news.json"), ("--data a=...: is given 2 times",)),
        (2, ("IQM=bio.json", "mean=news.json"), ("'IQM'", "'mean' has a meaning of its own", "be called mean, iqm,")),
        (2, ("=bio.json",), ("has no name before the equals sign", "write --data bio=")),
        (3, ("a=bio.json", "b=rows.jsonl"), ("asks the questions of a again",)),
        (3, ("a=bio.json", "b=cut.json"), ("cut.json",)),
    ):
        parts = (value.rpartition("=") for value in values)
        given = [word for name, equals, file in parts for word in ("--data", f"{name}{equals}{folder / file}")]
        done = qaexp.refused(code, "evaluate", str(run), *given, says=says)
        assert done.out == ""


def check_leak(qaexp: Any, folder: Path, words: Sequence[str]) -> None:
    """A set with four training questions is scored with a flag, and nothing is concluded from it."""
    document = json.loads((folder / "bio.json").read_text())
    document["data"].append(json.loads((folder / "train.json").read_text())["data"][0])
    (folder / "leaky.json").write_text(json.dumps(document))
    sets = f"data.test_files={{leaky: {folder / 'leaky.json'}, news: {folder / 'news.json'}}}"
    for seed in (1, 2):
        run = qaexp.train(f"name=leaky{seed}", f"seed={seed}", *words, sets)
        (flag,) = [one for one in tiny_run.read_json(run / "run.json")["flags"] if one["name"] == "train_dev_overlap"]
        assert "4 of the 15 questions of leaky.json were trained on" in flag["advice"]
    told = qaexp.call("evaluate", str(run), "--data", str(folder / "leaky.json")).err
    assert "leaky.json: 4 of 15 ids are ids of questions that this model was trained on" in told
    both = [str(run.with_name(f"leaky{seed}")) for seed in (1, 2)]
    done = qaexp.call("compare", *both, "--by", "seed", "--json")
    (found,) = json.loads(done.out)["sets"]
    assert found["counted"] == ["news"]
    assert "4 of the 15 questions of the set leaky were trained on" in found["left_out"][0]["reason"]
    qaexp.refused(2, "compare", *both, "--metric", "test_leaky_f1", says=("set leaky were trained on",))
