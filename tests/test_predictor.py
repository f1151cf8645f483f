"""Answers for users: cut out of the context, with the windows and the threshold that the run stored."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

import qaexp
import qaexp.predictor
from qaexp.errors import ConfigError, IntegrityError
from qaexp.model import Checkpoint
from qaexp.model.settings import model_settings
from tests.fixtures import tiny_run
from tests.fixtures.processors import AMD

CONTEXT = "Anna was born in Paris in 1900, and later Anna taught at a school for years."
QUESTION = "Where was Anna born?"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("work")
    files = [tiny_run.write_squad(work / f"{name}.json", 8, 4) for name in ("train", "dev")]
    words = (*tiny_run.FILES, *tiny_run.files_of(*files), "trainer.epochs=2", "optimizer.lr=3e-3")
    return tiny_run.train(work, "one", *words)


@pytest.fixture(scope="module")
def predictor(run: Path) -> qaexp.Predictor:
    return qaexp.Predictor(run, device="cpu")


def test_the_answers_are_those_of_the_run(run: Path, predictor: qaexp.Predictor) -> None:
    records = tiny_run.read_lines(run / "predictions.jsonl")
    contexts = tiny_run.read_json(run / "contexts.json")
    found = predictor.answer_all([(record["question"], contexts[record["paragraph"]]) for record in records])
    tuned = tiny_run.read_json(run / "summary.json")["null_threshold"]
    assert predictor.null_threshold == tuned
    for answer, record in zip(found, records, strict=True):
        assert answer.null_score_diff == pytest.approx(record["null_score_diff"], abs=1e-4)
        assert [span["text"] for span in answer.n_best] == [span["text"] for span in record["n_best"]]
        assert answer.answer == ("" if record["null_score_diff"] > tuned else record["n_best"][0]["text"])
        assert answer.score == answer.n_best[0]["score"]
    # The tuned threshold is not the default one, and here it makes a difference.
    assert tuned != 0


def test_an_answer_is_a_piece_of_the_context(predictor: qaexp.Predictor) -> None:
    sure = qaexp.Predictor(predictor.folder, null_threshold=1e5, device="cpu").answer(QUESTION, CONTEXT)
    assert sure.answer
    assert CONTEXT[sure.start_char : sure.end_char] == sure.answer
    assert all(CONTEXT[span["start_char"] : span["end_char"]] == span["text"] for span in sure.n_best)


def test_it_computes_in_the_number_format_of_the_device(
    run: Path, predictor: qaexp.Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = predictor.answer(QUESTION, CONTEXT)
    AMD.stand_in(monkeypatch)
    fast = qaexp.Predictor(run, device="cpu")
    assert (predictor.precision, fast.precision) == ("fp32", "bf16")
    rough = fast.answer(QUESTION, CONTEXT)
    assert 0 < abs(rough.null_score_diff - exact.null_score_diff) < 0.1
    assert qaexp.Predictor(run, device="cpu", precision="fp32").answer(QUESTION, CONTEXT) == exact
    for given, says in (("fp16", "precision=fp16 needs CUDA"), ("fp8", "precision=fp8 is none of auto, fp32")):
        with pytest.raises(ConfigError, match=f"^{says}"):
            qaexp.Predictor(run, device="cpu", precision=given)


def test_the_threshold_decides_whether_to_answer(run: Path, predictor: qaexp.Predictor) -> None:
    diff = predictor.answer(QUESTION, CONTEXT).null_score_diff
    at = qaexp.Predictor(run, null_threshold=diff, device="cpu").answer(QUESTION, CONTEXT)
    below = qaexp.Predictor(run, null_threshold=diff - 1e-3, device="cpu").answer(QUESTION, CONTEXT)
    assert at.answer == at.n_best[0]["text"]  # nothing is answered above the threshold, not at it
    assert (below.answer, below.start_char, below.end_char) == ("", None, None)
    assert below.n_best == at.n_best
    assert below.score == at.score
    default = qaexp.Predictor(run, null_threshold=0.0, device="cpu")
    assert default.null_threshold == 0


def test_without_the_empty_answer_there_is_always_one(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(run / "model", folder)
    settings = tiny_run.read_json(folder / "qaexp.json")
    (folder / "qaexp.json").write_text(json.dumps({**settings, "allow_no_answer": False, "null_threshold": -1e5}))
    assert qaexp.Predictor(folder, device="cpu").answer(QUESTION, CONTEXT).answer


def test_long_contexts_are_read_in_windows(predictor: qaexp.Predictor) -> None:
    long = " ".join([CONTEXT] * 20)
    answer = predictor.answer(QUESTION, long)
    assert all(long[span["start_char"] : span["end_char"]] == span["text"] for span in answer.n_best)
    assert len(predictor.question_set([]).features) == 0


@pytest.mark.parametrize("context", ["", "   "])
def test_an_empty_context_has_no_answer(predictor: qaexp.Predictor, context: str) -> None:
    answer = predictor.answer(QUESTION, context)
    assert (answer.answer, answer.score, answer.n_best) == ("", None, [])
    assert predictor.answer_all([]) == []


def test_settings_come_from_the_folder_or_are_the_standard_ones(run: Path, tmp_path: Path) -> None:
    assert qaexp.Predictor(run / "model", device="cpu").settings["max_length"] == 64
    folder = tmp_path / "model"
    shutil.copytree(run / "model", folder)
    (folder / "qaexp.json").unlink()
    plain = qaexp.Predictor(folder, device="cpu")
    assert (plain.settings["max_length"], plain.null_threshold) == (384, 0.0)
    (folder / "qaexp.json").write_text("{")
    with pytest.raises(ConfigError, match=r"qaexp\.json cannot be read"):
        qaexp.Predictor(folder, device="cpu")


WRONG = {
    "max_length": ["x", None, 0, 1.5, True],
    "doc_stride": ["x", -1],
    "allow_no_answer": ["yes", 1],
    "n_best_size": ["x", 0],
    "max_answer_length": [[30]],
    "null_threshold": ["x", None, math.nan, math.inf, True],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_a_setting_that_cannot_be_is_named_and_that_of_a_run_is_damage(tmp_path: Path, key: str, value: object) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "qaexp.json").write_text(json.dumps({key: value}))
    with pytest.raises(ConfigError, match=rf"qaexp\.json: {key} is "):
        model_settings(folder)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(IntegrityError, match=rf"qaexp\.json: {key} is "):
        model_settings(folder)


def test_the_model_of_a_run_never_does_without_its_threshold(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"qaexp\.json is missing"):
        model_settings(tmp_path / "model")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no model"):
        qaexp.Predictor(tmp_path)


def test_lists_of_questions_are_answered_in_lists(predictor: qaexp.Predictor) -> None:
    """As pipelines do: one context for each question, or one for all; one question for several contexts, too."""
    one = predictor.answer(QUESTION, CONTEXT)
    assert isinstance(one, qaexp.predictor.Answer)
    other = "Boris was born in Rome in 1901."
    assert predictor.answer([QUESTION, QUESTION], [CONTEXT, CONTEXT])[1].n_best == one.n_best
    assert len(predictor.answer((QUESTION, "Who taught?"), CONTEXT)) == 2
    several = predictor.answer(QUESTION, [CONTEXT, other])
    assert [len(several), several[0].n_best] == [2, one.n_best]
    assert predictor.answer([], []) == []


@pytest.mark.parametrize(
    ("question", "context", "says"),
    [
        ([QUESTION], [CONTEXT, CONTEXT], "1 questions and 2 contexts"),
        ([QUESTION, 3], CONTEXT, "question must be a text or a list of texts, not 3"),
        (QUESTION, None, "context must be a text or a list of texts, not None"),
    ],
)
def test_lists_that_do_not_fit_are_refused_in_a_sentence(
    question: Any, context: Any, says: str, predictor: qaexp.Predictor
) -> None:
    with pytest.raises(ConfigError, match=says):
        predictor.answer(question, context)
    with pytest.raises(ConfigError, match="pairs of texts"):
        predictor.answer_all([(QUESTION, CONTEXT), QUESTION])  # type: ignore[list-item]


def other_byte(file: Path) -> None:
    """Change a file's content, but not what it says: its last byte, or a space behind a JSON text."""
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if file.suffix == ".safetensors" else content + b" ")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "qaexp.json"])
def test_a_model_that_the_run_did_not_write_is_refused(run: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    other_byte(copy / "model" / name)
    for folder in (copy, copy / "model"):
        with pytest.raises(IntegrityError, match=rf"copy/model/{name} is not what the run wrote: its sha256 is "):
            qaexp.Predictor(folder, device="cpu")
    if name != "qaexp.json":
        with pytest.raises(IntegrityError, match=f"model/{name} is not what the run wrote"):
            Checkpoint(checkpoint=str(copy)).fingerprint()
    (copy / "MANIFEST.json").unlink()
    assert qaexp.Predictor(copy, device="cpu").answer(QUESTION, CONTEXT).n_best


def test_the_manifest_of_another_run_vouches_for_nothing(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    other_byte(copy / "MANIFEST.json")
    with pytest.raises(IntegrityError, match=r"copy/MANIFEST\.json is not the one that summary\.json belongs to"):
        qaexp.Predictor(copy, device="cpu")


def test_a_summary_that_cannot_be_read_vouches_for_no_manifest(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    (copy / "summary.json").write_text("{")
    with pytest.raises(IntegrityError, match=r"damaged: summary\.json: not JSON: "):
        qaexp.Predictor(copy, device="cpu")
    with pytest.raises(IntegrityError, match=r"copy/summary\.json: not JSON: .*; it says which manifest vouches for"):
        Checkpoint(checkpoint=str(copy)).fingerprint()


def test_an_older_manifest_that_does_not_name_a_file_refuses_nothing(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    manifest = tiny_run.read_json(copy / "MANIFEST.json")
    files = {name: entry for name, entry in manifest["files"].items() if not name.startswith("model/")}
    (copy / "MANIFEST.json").write_text(json.dumps({**manifest, "files": files}))
    summary = tiny_run.read_json(copy / "summary.json")
    digest = hashlib.sha256((copy / "MANIFEST.json").read_bytes()).hexdigest()
    (copy / "summary.json").write_text(json.dumps({**summary, "manifest_sha256": digest}))
    other_byte(copy / "model" / "model.safetensors")
    assert qaexp.Predictor(copy, device="cpu").answer(QUESTION, CONTEXT).n_best


def test_the_probabilities_are_the_softmax_of_all_that_could_be_answered(predictor: qaexp.Predictor) -> None:
    from qaexp.data.squad import Example

    for context in (CONTEXT, " ".join([CONTEXT] * 20)):
        questions = predictor.question_set([Example("0", "", context, QUESTION, ())])
        logits = questions.logits(predictor.loaded)
        features, longest = questions.features, questions.decoding.max_answer_length
        scores: dict[tuple[int, int], float] = {}
        nulls = []
        for row in range(len(features)):
            start, end = (
                column[features.indptr[row] : features.indptr[row + 1]].astype(float)
                for column in (logits.start, logits.end)
            )
            chars = features.offset_mapping[features.indptr[row] : features.indptr[row + 1]]
            nulls.append(start[0] + end[0])
            for first in range(features.context_begin[row], features.context_end[row]):
                for last in range(first, min(first + longest, features.context_end[row])):
                    key = (int(chars[first, 0]), int(chars[last, 1]))
                    scores[key] = max(scores.get(key, -math.inf), start[first] + end[last])
        total = sum(map(math.exp, scores.values())) + math.exp(min(nulls))
        for threshold in (1e5, -1e5):
            answer = qaexp.Predictor(predictor.folder, null_threshold=threshold, device="cpu").answer(QUESTION, context)
            given = math.exp(min(nulls)) if threshold < 0 else math.exp(max(scores.values()))
            assert answer.probability == pytest.approx(given / total, rel=1e-4)
            assert answer.no_answer_probability == pytest.approx(math.exp(min(nulls)) / total, rel=1e-4)
            expected = [math.exp(scores[span["start_char"], span["end_char"]]) / total for span in answer.n_best]
            assert answer.span_probabilities == pytest.approx(expected, rel=1e-4)


def test_without_anything_else_to_answer_nothing_is_certain(predictor: qaexp.Predictor) -> None:
    nothing = predictor.answer(QUESTION, "")
    assert (nothing.probability, nothing.no_answer_probability, nothing.span_probabilities) == (1.0, 1.0, [])


@pytest.mark.parametrize("folder", [None, 3, ""])
def test_what_is_no_folder_is_refused(folder: Any) -> None:
    with pytest.raises(ConfigError, match="give the directory of a completed run"):
        qaexp.Predictor(folder)
