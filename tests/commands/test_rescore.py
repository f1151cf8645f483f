"""`qaexp rescore`: the stored logits give the run's numbers, and those of other settings, without the model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import tiny_run


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, ...]]:
    """A working directory and the words of a run in it."""
    work = tmp_path_factory.mktemp("work")
    train = tiny_run.write_squad(work / "train.json", 12, 4)
    dev = tiny_run.write_squad(work / "dev.json", 14, 6)
    return work, (*tiny_run.FILES, *tiny_run.files_of(train, dev), "trainer.epochs=2", "optimizer.lr=1e-3")


@pytest.fixture(scope="module")
def run(plan: tuple[Path, tuple[str, ...]]) -> Path:
    return tiny_run.train(plan[0], "one", *plan[1])


def rescored(run: Path, *words: str) -> dict[str, Any]:
    done = tiny_run.call(run.parent, "rescore", str(run), *words, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    # What summary.json does not hold.
    assert isinstance(found.pop("num_answered"), int)
    assert "scored_at_threshold" in found
    del found["scored_at_threshold"]
    return found


def test_the_stored_logits_give_the_summary(run: Path) -> None:
    before = tiny_run.snapshot(run)
    summary = tiny_run.read_json(run / "summary.json")
    found = rescored(run)
    assert found == {name: summary[name] for name in found}
    assert {"exact", "f1", "best_f1_thresh", "crossfit_f1", "null_threshold", "num_dev_features"} <= set(found)
    assert tiny_run.snapshot(run) == before


def test_an_older_run_that_does_not_say_where_answers_begin_has_no_likelihood(run: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(run, old)
    records = tiny_run.read_lines(old / "predictions.jsonl")
    lines = (json.dumps({key: value for key, value in record.items() if key != "gold_starts"}) for record in records)
    (old / "predictions.jsonl").write_text("".join(f"{line}\n" for line in lines))
    tiny_run.sign(old)
    found = rescored(run)
    assert found["gold_nll"] > 0
    assert rescored(old) == {**found, "gold_nll": None}


def test_neither_the_model_nor_the_data_is_needed(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(run, moved)
    shutil.rmtree(moved / "model")
    assert rescored(moved) == rescored(run)


def test_another_threshold_changes_who_is_answered(run: Path) -> None:
    records = tiny_run.read_lines(run / "predictions.jsonl")
    diffs = sorted(record["null_score_diff"] for record in records)
    seen = set()
    for threshold in (diffs[0] - 1, (diffs[9] + diffs[10]) / 2, diffs[-1] + 1):
        found = rescored(run, f"--null-threshold={threshold}")
        official = tiny_run.official_metrics(records, threshold)
        assert {name: found[name] for name in official} == pytest.approx(official, abs=1e-9)
        seen.add(found["f1"])
    assert len(seen) == 3


def test_a_threshold_that_is_printed_gives_the_score_beside_it_again(
    plan: tuple[Path, tuple[str, ...]], run: Path
) -> None:
    """Where nothing beats answering nothing the official script says 0.0 too."""
    words = [word for word in plan[1] if not word.startswith("data.dev_file=")]
    dev = tiny_run.write_squad(plan[0] / "unanswerable.json", 1, 15)
    silent = tiny_run.train(plan[0], "silent", *words, "trainer.epochs=0", f"data.dev_file={dev}")
    seen = set()
    for one, empty in ((run, 30.0), (silent, 100 * 15 / 16)):
        printed = dict(line.split(maxsplit=1) for line in tiny_run.call(one, "rescore", str(one)).out.splitlines())
        for metric in ("exact", "f1"):
            best, threshold = rescored(one)[f"best_{metric}"], printed[f"best_{metric}_thresh"]
            assert printed[f"best_{metric}"] == f"{best:.1f} %"
            seen.add(threshold == "answer nothing")
            if threshold == "answer nothing":
                assert best == empty
                assert rescored(one)[f"best_{metric}_thresh"] == 0.0
            else:
                assert rescored(one, f"--null-threshold={threshold}")[metric] == pytest.approx(best, abs=1e-4)
    assert seen == {True, False}


def test_it_says_how_many_questions_are_answered(run: Path) -> None:
    records = tiny_run.read_lines(run / "predictions.jsonl")
    for threshold in (0, -1000, 0.5):
        num = sum(record["null_score_diff"] <= threshold for record in records)
        out = tiny_run.call(run, "rescore", str(run), f"--null-threshold={threshold}").out
        assert out.splitlines()[-1].split() == ["num_answered", str(num)]


def test_another_length_is_what_a_run_with_it_gives(plan: tuple[Path, tuple[str, ...]], run: Path) -> None:
    other = tiny_run.train(plan[0], "short", *plan[1], "decoding.max_answer_length=2")
    summary = tiny_run.read_json(other / "summary.json")
    found = rescored(run, "--max-answer-length", "2")
    assert found == {name: summary[name] for name in found}
    assert found != rescored(run)


def test_fewer_spans_leave_the_best_one(run: Path) -> None:
    assert rescored(run, "--n-best-size=1") == rescored(run)


def test_what_cannot_be_rescored(plan: tuple[Path, tuple[str, ...]], run: Path, tmp_path: Path) -> None:
    def fails(code: int, *words: str) -> str:
        failed = tiny_run.call(tmp_path, "rescore", *words, "--json")
        assert failed.code == code, failed.err
        assert failed.out == ""
        assert "Traceback" not in failed.err
        return failed.last_line

    assert "not a run directory" in fails(2, "missing")
    for flag, value in (("--n-best-size", "0"), ("--max-answer-length", "x"), ("--null-threshold", "nan")):
        assert flag in fails(2, str(run), flag, value)
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    (broken / "logits.safetensors").write_bytes((run / "logits.safetensors").read_bytes()[:-4])
    assert "logits.safetensors" in fails(8, "broken")
    (broken / "logits.safetensors").unlink()
    assert "logits" in fails(8, "broken")
    (broken / "summary.json").unlink()
    assert "not completed" in fails(2, "broken")
    v1 = tiny_run.train(plan[0], "v1", *plan[1], "decoding=squad_v1", "trainer.epochs=0")
    assert "allow_no_answer" in fails(2, str(v1), "--null-threshold=1")
