"""`qaexp.pipeline` gives what the removed pipeline of transformers 4.57.6 gave, and takes what it took."""

from __future__ import annotations

import copy
import json
import math
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoConfig, AutoModelForQuestionAnswering, AutoTokenizer

import qaexp
from qaexp import pipeline
from qaexp.errors import ConfigError, DataError
from qaexp.predictor.pipeline import _NOT_HERE
from qaexp.predictor.pipeline_arguments import SETTINGS
from tests import REPOSITORY
from tests.fixtures import tiny_run
from tests.fixtures.exports import write_onnx
from tests.fixtures.removed_pipeline import RECORD, SIDES, make_model

QUESTION, CONTEXT = "Where was Anna born?", "Anna was born in Paris in 1900, and later she taught at a school."
KEYS = ("answer", "start", "end")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("models")
    return {side: make_model(place / side, side) for side in SIDES}


@pytest.fixture(scope="module")
def nlp(folders: dict[str, Path]) -> Any:
    return pipeline("question-answering", model=str(folders["right"]), device=-1)


def as_list(result: Any) -> list[dict[str, Any]]:
    return result if isinstance(result, list) else [result]


def check_equal(found: Any, recorded: Any) -> None:
    """Equal answers with equal scores.

    Beyond the last possible answer the pipeline fills `top_k` up with impossible ones, whose score is 0: which of them
    come, and after merging how many, is left to numpy's partition, and that goes by the instructions of the processor.
    """
    assert isinstance(found, list) == isinstance(recorded, list)
    given = as_list(found)
    assert all(list(one) == ["score", "start", "end", "answer"] for one in given)
    assert all(isinstance(one["score"], float) and type(one["start"]) is type(one["end"]) is int for one in given)
    ours, theirs = possible(given), possible(as_list(recorded))
    assert [one["score"] for one in ours] == pytest.approx([one["score"] for one in theirs], rel=2e-4)
    assert [[one[key] for key in KEYS] for one in ours] == [[one[key] for key in KEYS] for one in theirs]
    assert possible(given[len(ours) :]) == []


def possible(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers that have a probability."""
    return [one for one in answers if one["score"] > 1e-6]


@pytest.mark.parametrize("side", SIDES)
def test_answers_and_scores_are_those_of_the_removed_pipeline(folders: dict[str, Path], side: str) -> None:
    recorded = json.loads(RECORD.read_text("utf-8"))
    assert recorded[side]["version"] == "4.57.6"
    answer = pipeline("question-answering", model=str(folders[side]), device="cpu")
    for settings, expected in zip(recorded["settings"], recorded[side]["answers"], strict=True):
        for (question, context), one in zip(recorded["pairs"], expected, strict=True):
            check_equal(answer(question=question, context=context, **settings), one)
        # All at once, so that windows of many contexts share a batch.
        together = answer(
            [{"question": question, "context": context} for question, context in recorded["pairs"]], **settings
        )
        for found, one in zip(together, expected, strict=True):
            check_equal(found, one)


def test_an_exported_folder_answers_without_torch(folders: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e '.[export]'")
    model = tmp_path / "model"
    shutil.copytree(folders["right"], model)
    (model / "qaexp.json").write_text("{}")
    folder = write_onnx(model, tmp_path / "onnx")
    code = """
import json, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
from qaexp import pipeline
recorded = json.load(open(sys.argv[2]))
answer = pipeline("question-answering", sys.argv[1])
asked = [{"question": question, "context": context} for question, context in recorded["pairs"]]
print(json.dumps([answer(asked, **settings) for settings in recorded["settings"][:4]]))
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    call = [sys.executable, "-c", code, str(folder), str(RECORD)]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    recorded = json.loads(RECORD.read_text("utf-8"))
    for found, expected in zip(json.loads(done.stdout), recorded["right"]["answers"], strict=False):
        for one, other in zip(found, expected, strict=True):
            assert [answer["score"] for answer in as_list(one)] == pytest.approx(
                [answer["score"] for answer in as_list(other)], rel=1e-3, abs=1e-7
            )


def test_every_form_of_a_question_is_taken(nlp: Any) -> None:
    one = nlp(question=QUESTION, context=CONTEXT)
    assert set(one) == {"score", "start", "end", "answer"}
    assert CONTEXT[one["start"] : one["end"]] == one["answer"]
    item = {"question": QUESTION, "context": CONTEXT}
    example = SimpleNamespace(question_text=QUESTION, context_text=CONTEXT)
    assert nlp(QUESTION, CONTEXT) == nlp(item) == nlp([item]) == nlp(data=item) == nlp(X=[item]) == nlp(example) == one
    close = [pytest.approx(one["score"]), one["answer"]]
    for several in (
        nlp([item, item]),
        nlp(item, item),
        nlp(question=[QUESTION, QUESTION], context=CONTEXT),
        nlp(question=[QUESTION] * 2, context=[CONTEXT] * 2),
    ):
        assert [[found["score"], found["answer"]] for found in several] == [close, close]
    read: list[int] = []

    def items() -> Iterator[dict[str, str]]:
        for number in range(3):
            read.append(number)
            yield item

    found = nlp(items())
    assert read == []
    assert next(found) == one
    assert read == [0]
    assert nlp([]) == []


class Numbered:
    """A dataset as torch has them: its items by number, and how many there are."""

    def __init__(self, items: list[Any]) -> None:
        self.items, self.read = items, 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> Any:
        self.read += 1
        return self.items[number]


class Streamed(torch.utils.data.IterableDataset[dict[str, str]]):
    """A dataset of torch without an end that is known."""

    def __iter__(self) -> Iterator[dict[str, str]]:
        yield {"question": QUESTION, "context": CONTEXT}


def test_tables_arrays_and_datasets_are_taken(nlp: Any) -> None:
    questions, contexts = [QUESTION, "Where did she teach?"], [CONTEXT, CONTEXT]
    items = [{"question": one, "context": other} for one, other in zip(questions, contexts, strict=True)]
    expected = [found["answer"] for found in nlp(items)]

    def answers(*args: Any, **kwargs: Any) -> list[str]:
        return [found["answer"] for found in nlp(*args, **kwargs)]

    for kind in (list, tuple, np.array, Numbered, lambda texts: pd.Series(texts, index=[7, 3])):
        assert answers(question=kind(questions), context=kind(contexts)) == expected
        assert answers(question=kind(questions), context=CONTEXT) == expected
        assert answers(kind(items)) == answers(data=kind(items)) == expected
    frame = pd.DataFrame(items)
    assert answers(question=frame["question"], context=frame.context) == expected
    assert answers(map(dict, items)) == expected
    dataset = Numbered(items)
    found = nlp(dataset)
    assert (dataset.read, next(found)["answer"], dataset.read) == (0, expected[0], 1)
    assert next(nlp(Streamed()))["answer"] == expected[0]


def test_the_other_arguments_of_transformers(folders: dict[str, Path], nlp: Any) -> None:
    folder, one = str(folders["right"]), nlp(QUESTION, CONTEXT)
    model, tokenizer = AutoModelForQuestionAnswering.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for args in (
        (folder, None, tokenizer),
        (folder, folder, folder),
        (folder, AutoConfig.from_pretrained(folder)),
        (model, model.config, tokenizer),
        (model, None, folder),
    ):
        assert pipeline("question-answering", *args)(QUESTION, CONTEXT) == one
    for more in (
        {"device_map": "auto"},
        {"device_map": "cpu"},
        {"trust_remote_code": True, "token": "hf_word", "use_auth_token": True},
        {"model_kwargs": {"torch_dtype": torch.float32, "low_cpu_mem_usage": True}},
    ):
        assert pipeline("question-answering", folder, **more)(QUESTION, CONTEXT) == one
    rough = pipeline("question-answering", folder, device="cpu", model_kwargs={"torch_dtype": "bfloat16"})
    assert rough._opened.precision == "bf16"


def test_a_tokenizer_that_is_not_the_model_s_own_is_the_one_that_is_used(folders: dict[str, Path]) -> None:
    other = AutoTokenizer.from_pretrained(folders["left"])
    assert pipeline(model=folders["right"], tokenizer=other).tokenizer is other
    assert pipeline(model=folders["right"], tokenizer=folders["left"]).tokenizer.padding_side == "left"
    other.add_tokens([f"word{number}" for number in range(9)])
    with pytest.raises(ConfigError, match="its tokenizer has ids up to"):
        pipeline(model=folders["right"], tokenizer=other)


def test_code_inside_a_checkpoint_is_never_run(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["right"], tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForQuestionAnswering": "own.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise RuntimeError('was run')")
    assert pipeline(model=folder)(QUESTION, CONTEXT)
    with pytest.raises(ConfigError, match="trust_remote_code is True, and the model brings code along"):
        pipeline(model=folder, trust_remote_code=True)


def test_it_is_copied_and_pickled(folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nlp = pipeline(model=folders["right"], device="cpu", top_k=2)
    assert nlp.device == torch.device("cpu")
    for again in (copy.deepcopy(nlp), pickle.loads(pickle.dumps(nlp))):
        assert again(QUESTION, CONTEXT) == nlp(QUESTION, CONTEXT)
        assert again.model is not nlp.model
    # What was changed in memory is what goes along.
    with torch.no_grad():
        nlp.model.qa_outputs.weight.zero_()
    assert copy.deepcopy(nlp)(QUESTION, CONTEXT) == nlp(QUESTION, CONTEXT)


def test_an_export_is_pickled_as_its_folder(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e '.[export]'")
    model = Path(shutil.copytree(folders["right"], tmp_path / "model"))
    (model / "qaexp.json").write_text("{}")
    write_onnx(model, tmp_path / "onnx")
    monkeypatch.chdir(tmp_path)
    nlp = pipeline(model="onnx", top_k=2)
    assert nlp.device == "cpu"
    stored, expected = pickle.dumps(nlp), nlp(QUESTION, CONTEXT)
    monkeypatch.chdir(REPOSITORY)
    assert pickle.loads(stored)(QUESTION, CONTEXT) == copy.deepcopy(nlp)(QUESTION, CONTEXT) == expected
    with pytest.raises(ConfigError, match="an export has its own"):
        pipeline(model=tmp_path / "onnx", tokenizer=str(folders["right"]))


def test_what_is_not_there_says_the_way_out(nlp: Any) -> None:
    page = (REPOSITORY / "docs" / "pipeline.md").read_text("utf-8")
    for name, way_out in _NOT_HERE.items():
        with pytest.raises(AttributeError, match=f"qaexp's pipeline has no {name}; ") as caught:
            getattr(nlp, name)
        assert way_out in str(caught.value)
        assert f"`{name}`" in page
    with pytest.raises(AttributeError, match="'QuestionAnsweringPipeline' object has no attribute 'nothing'"):
        _ = nlp.nothing


def test_a_run_and_an_object_are_taken_too(folders: dict[str, Path], nlp: Any, tmp_path: Path) -> None:
    model = AutoModelForQuestionAnswering.from_pretrained(folders["right"])
    tokenizer = AutoTokenizer.from_pretrained(folders["right"])
    given = pipeline("question-answering", model=model, tokenizer=tokenizer)
    assert given(QUESTION, CONTEXT) == nlp(QUESTION, CONTEXT)
    before = tokenizer(QUESTION, CONTEXT)["input_ids"]
    given(QUESTION, CONTEXT * 20, max_seq_len=64, doc_stride=8)
    assert tokenizer(QUESTION, CONTEXT)["input_ids"] == before
    run = tiny_run.train(tmp_path, "one", *tiny_run.DEMO, "trainer.epochs=0")
    assert as_list(pipeline(model=run)(QUESTION, CONTEXT))[0].keys() == {"score", "start", "end", "answer"}


def test_defaults_are_given_once_and_changed_by_a_call(folders: dict[str, Path]) -> None:
    answer = pipeline("question-answering", folders["right"], top_k=3, handle_impossible_answer=True)
    assert len(answer(QUESTION, CONTEXT)) == 3
    assert set(answer(QUESTION, CONTEXT, top_k=1)) == {"score", "start", "end", "answer"}
    assert len(answer(QUESTION, CONTEXT, top_k=None)) == 3


def test_what_had_no_effect_has_none(nlp: Any) -> None:
    one = nlp(QUESTION, CONTEXT)
    for name, value in (("batch_size", 8), ("num_workers", 2), ("padding", "max_length"), ("max_question_len", 3)):
        assert nlp(QUESTION, CONTEXT, **{name: value}) == one
    assert len(nlp(QUESTION, CONTEXT, topk=2)) == 2  # the older name of top_k


@pytest.mark.parametrize(
    ("args", "settings", "says"),
    [
        ((QUESTION, CONTEXT), {"top_k": 0}, "top_k is 0, it must be a whole number from 1 up"),
        ((QUESTION, CONTEXT), {"max_answer_len": 1.5}, "max_answer_len is 1.5"),
        ((QUESTION, CONTEXT), {"doc_stride": -1}, "doc_stride is -1, it must be a whole number from 0 up"),
        ((QUESTION, CONTEXT), {"align_to_words": "yes"}, "align_to_words is 'yes', it must be True or False"),
        ((QUESTION, CONTEXT), {"padding": "left"}, "padding is 'left'"),
        ((QUESTION, CONTEXT), {"max_answer_length": 3}, "max_answer_length: no such setting; there are top_k"),
        ((QUESTION, CONTEXT), {"max_seq_len": 64, "doc_stride": 65}, r"doc_stride \(65\) is larger than max_seq_len"),
        ((QUESTION, CONTEXT), {"max_seq_len": 12}, "raise max_seq_len, lower doc_stride, or shorten the question"),
        ((QUESTION, CONTEXT), {"max_seq_len": 10**6}, "max_seq_len is 1000000, and the model takes 512 tokens"),
        (("why " * 400, CONTEXT), {}, "the question 'why .* has 400 tokens"),
        ((QUESTION, ""), {}, "context cannot be empty"),
        (("", CONTEXT), {}, "question cannot be empty"),
        ((QUESTION, "\ud800"), {}, "half of a UTF-16 pair"),
        (({"question": QUESTION},), {}, "an item has no context; give {question, context}"),
        (({},), {}, "an item has no question and no context; give"),
        (({"question": QUESTION, "context": None},), {}, "context is None, it must be a text"),
        (([QUESTION, CONTEXT],), {}, "an item is a str; give a dict {question, context}"),
        (([(QUESTION, CONTEXT)],), {}, "an item is a tuple of 2; give a dict {question, context}"),
        ((pd.DataFrame({"question": [QUESTION], "context": [CONTEXT]}),), {}, "an item is a str; give a dict"),
        (({QUESTION},), {}, "give question=... and context=..."),
        ((np.array(3),), {}, "give question=... and context=..."),
        (({"question": QUESTION, "context": CONTEXT, "id": 1},), {}, "an item has id"),
        (({"question": 3, "context": CONTEXT},), {}, "question is 3, it must be a text"),
        ((QUESTION,), {}, "give question=... and context=..."),
        ((), {"question": [QUESTION], "context": [CONTEXT] * 2}, "1 questions and 2 contexts"),
        (
            (),
            {"question": QUESTION, "context": [CONTEXT]},
            "question is '.*', and context is a list of 1; give as",
        ),
        ((), {"question": QUESTION, "context": pd.Series([CONTEXT] * 3)}, "and context is a Series of 3; give as many"),
        ((), {"question": pd.Series([QUESTION]), "context": [CONTEXT] * 2}, "1 questions and 2 contexts"),
        ((), {"question": pd.Series([QUESTION, None]), "context": CONTEXT}, "question is .*, it must be a text"),
        ((), {}, "give question=... and context=..."),
    ],
)
def test_bad_calls(nlp: Any, args: tuple[Any, ...], settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        nlp(*args, **settings)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        nlp(*args, **settings)
    assert "\n" not in str(caught.value)
    assert nlp(QUESTION, CONTEXT)  # and nothing is left behind


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"task": "fill-mask", "model": "x"}, "task is 'fill-mask'; qaexp's pipeline has one, 'question-answering'"),
        ({}, "model is missing"),
        ({"model": "no/such folder"}, "no/such folder holds no model"),
        ({"model": "tests/fixtures"}, "tests/fixtures holds no model"),
        ({"model": "tests/nothing"}, "tests/nothing holds no model"),
        ({"model": "nobody/nothing"}, "HF_HUB_OFFLINE"),
        ({"model": "{folder}", "framework": "tf"}, "framework is 'tf', which qaexp's pipeline does not take"),
        ({"model": "{folder}", "device": 0, "device_map": "auto"}, "device and device_map are given"),
        ({"model": "{folder}", "device_map": {"": "cpu"}}, "device_map is a dict of 1; a model is on one device"),
        ({"model": "{folder}", "model_kwargs": {"cache_dir": "x"}}, "model_kwargs has cache_dir; "),
        ({"model": "{folder}", "model_kwargs": 3}, "model_kwargs is 3; give a mapping"),
        ({"model": ""}, "model is ''; give the directory of a completed run"),
        ({"model": "{folder}", "processor": object()}, "processor is an object, which qaexp's pipeline does not take"),
        ({"model": "{folder}", "config": 3}, "config is not the model's own"),
        ({"model": "{folder}", "config": "nobody/other"}, "config is not the model's own"),
        (
            {"model": "nobody/nothing", "token": "hf_secret"},
            "^token is given; leave it out, .* HF_TOKEN to it$",
        ),
        ({"model": "{folder}", "dtype": "int8"}, "dtype is 'int8', it must be float32, bfloat16 or float16"),
        ({"model": "{folder}", "tokenizer": "tests/other"}, "tests/other holds no model"),
        ({"model": "{folder}", "tokenizer": 4}, "tokenizer is an int, it must be a fast tokenizer"),
        ({"model": "{folder}", "revision": "main"}, "revision is 'main', and .* is a folder"),
        ({"model": "{folder}", "top_k": -3}, "top_k is -3"),
        ({"model": 3, "tokenizer": 4}, "model is an? int"),
        ({"model": 3}, "model is an object, and tokenizer is missing"),
        ({"model": "{folder}", "device": "nowhere"}, "nowhere"),
    ],
)
def test_bad_models(
    folders: dict[str, Path], given: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {name: str(folders["right"]) if value == "{folder}" else value for name, value in given.items()}
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises((ConfigError, DataError), match=says) as caught:
        pipeline(**words)
    assert "secret" not in str(caught.value)


def test_scores_do_not_depend_on_what_is_asked_beside(nlp: Any) -> None:
    long = {"question": "Who?", "context": CONTEXT * 12}
    item = {"question": QUESTION, "context": CONTEXT}
    alone, among = nlp(item), nlp([long, item, long])[1]
    assert math.isclose(alone["score"], among["score"], rel_tol=1e-4)
    assert [alone[key] for key in KEYS] == [among[key] for key in KEYS]


def test_the_settings_are_those_of_the_removed_pipeline() -> None:
    asked = "question context top_k doc_stride max_answer_len max_seq_len max_question_len"
    assert {*asked.split()[2:], "handle_impossible_answer", "align_to_words", "padding"} <= set(SETTINGS)
    assert qaexp.pipeline is pipeline
