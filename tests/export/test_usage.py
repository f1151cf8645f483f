"""The program on a model card: run as it stands, without qaexp, it answers as the Predictor does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForQuestionAnswering

from qaexp.data.squad import Example
from qaexp.export.usage import program
from qaexp.predictor import Predictor
from qaexp.runs.readers.collect import RunFiles, read_completed_run
from tests.fixtures import tiny_run
from tests.fixtures.checkpoints import SIZES
from tests.fixtures.exports import exported_of
from tests.fixtures.own_tokenizers import FAMILIES, trained

SENTENCE = "In {} the river Seine rose by {} metres, and the people of Quimper\u00e9 went to the cafe\u0301  of {}. "
LONG = "".join(SENTENCE.format(1900 + number, number, "Anna" if number % 2 else "Boris") for number in range(25))
PAIRS = [
    ("Where was Anna born?", "Anna was born in Paris in 1900, and later Anna taught at a school for years."),
    ("  Which river rose?", LONG),
    ("Who went to the cafe\u0301?", LONG[400:]),
    ("Who was the father of Boris?", "Boris was born in Oslo.\n\n It rained , and\u00a0he left the cafe\u0301 \u0301."),
    ("What?", "cafe\u0301"),
    ("When?", "   \n "),
    ("When?", ""),
    ("How many metres?", SENTENCE.format(1907, 7, "Clara") * 3),
]
_ASKED = """
import json
print(json.dumps([answer(question, context) for question, context in json.loads({pairs!r})]))
"""
# Whatever loads qaexp ends the program.
_ALONE = "import sys\nsys.modules['qaexp'] = None\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    """A tiny run with short windows, so that contexts have several."""
    folder = tmp_path_factory.mktemp("usage")
    files = tiny_run.files_of(*(tiny_run.write_squad(folder / f"{name}.json", 8, 8) for name in ("train", "dev")))
    words = ("features.max_length=48", "decoding.max_answer_length=6", "trainer.epochs=1")
    directory = tiny_run.train(folder, "usage", *tiny_run.FILES, *files, *words)
    return read_completed_run(directory)


def answered(text: str, folder: Path, pairs: list[tuple[str, str]]) -> list[str]:
    """The answers of a program that is started inside a folder."""
    program_text = _ALONE + text + _ASKED.format(pairs=json.dumps(pairs))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", program_text], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def threshold_between(run: RunFiles, pairs: list[tuple[str, str]]) -> float:
    """A threshold by which half of the questions are answered."""
    diffs = sorted(answer.null_score_diff for answer in Predictor(run.path, precision="fp32").answer_all(pairs))
    spans = [diff for diff in diffs if diff < 1e5]
    return (spans[len(spans) // 2 - 1] + spans[len(spans) // 2]) / 2


@pytest.mark.thorough
def test_the_program_answers_as_the_predictor(run: RunFiles) -> None:
    threshold = threshold_between(run, PAIRS)
    text = program(run, exported_of(run, null_threshold=threshold))
    assert text is not None
    predictor = Predictor(run.path, precision="fp32", null_threshold=threshold)
    expected = [found.answer for found in predictor.answer_all(PAIRS)]
    assert sum(map(bool, expected)) >= 3
    assert sum(not answer for answer in expected) >= 3
    windows = predictor.question_set([Example("0", "", LONG, PAIRS[1][0], ())]).features
    assert len(windows) > 9
    assert answered(text, run.path / "model", PAIRS) == expected
    always = Predictor(run.path, precision="fp32", null_threshold=1e5)
    text = program(run, exported_of(run, null_threshold=1e5))
    assert answered(str(text), run.path / "model", PAIRS) == [found.answer for found in always.answer_all(PAIRS)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_programs_of_other_engines_answer_as_the_predictor(tmp_path: Path, run: RunFiles, kind: str) -> None:
    """The folder is written by the exporters of transformers alone: the program needs nothing that qaexp adds."""
    pytest.importorskip({"onnx": "onnxscript", "openvino": "openvino"}[kind])
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer, exporters

    model = AutoModelForQuestionAnswering.from_pretrained(run.path / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(run.path / "model")
    inputs = {name: torch.cat([tensor] * 2) for name, tensor in tokenizer("a", "b c", return_tensors="pt").items()}
    exporter, config = {
        "onnx": (exporters.OnnxExporter, exporters.OnnxConfig),
        "openvino": (exporters.OpenVINOExporter, exporters.OpenVINOConfig),
    }[kind]
    exporter().export(model, inputs, config=config(dynamic=True)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    threshold = threshold_between(run, PAIRS)
    names = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    text = str(program(run, exported_of(run, format=kind, file_bytes=names, null_threshold=threshold)))
    expected = [
        found.answer for found in Predictor(run.path, precision="fp32", null_threshold=threshold).answer_all(PAIRS)
    ]
    assert answered(text, tmp_path, PAIRS) == expected
    assert "torch" not in text
    assert "transformers" not in text


@pytest.mark.parametrize("kind", ["hf", "onnx"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_tokenizers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], family: str, kind: str
) -> None:
    """In this process; the engine of onnxruntime is played by the model itself."""
    torch.manual_seed(0)
    folder = tmp_path / "run" / "model"
    tokenizer = trained(family, tuple(context for _, context in PAIRS))
    tokenizer.save_pretrained(folder)
    model = BertForQuestionAnswering(BertConfig(**{**SIZES, "vocab_size": len(tokenizer)}, type_vocab_size=3)).eval()
    if tokenizer.padding_side == "left":
        # As in XLNet, for which it is meant, and unlike in BERT, padding then moves no token.
        model.bert.embeddings.position_embeddings.weight.data.zero_()
    model.save_pretrained(folder)
    sizes = {"max_length": 60, "doc_stride": 8, "max_answer_length": 5, "n_best_size": 3, "allow_no_answer": True}
    (folder / "qaexp.json").write_text(json.dumps({**sizes, "null_threshold": 0.0}))
    run = RunFiles(tmp_path / "run", {}, {"run_id": "a"}, {"null_threshold": 0.0, "f1": 0.0})
    threshold = threshold_between(run, PAIRS)

    class Session:
        def __init__(self, _: str) -> None: ...

        def get_inputs(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(name=name) for name in tokenizer.model_input_names]

        def run(self, names: list[str], inputs: dict[str, Any]) -> list[Any]:
            with torch.inference_mode():
                output = model(**{name: torch.tensor(values) for name, values in inputs.items()})
            return [output[name].numpy() for name in names]

    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(str(program(run, exported_of(run, format=kind, null_threshold=threshold))), names)
    expected = [
        found.answer for found in Predictor(folder, null_threshold=threshold, precision="fp32").answer_all(PAIRS)
    ]
    assert [names["answer"](*pair) for pair in PAIRS] == expected
    assert {bool(answer) for answer in expected} == {True, False}
    assert len(capsys.readouterr().out.splitlines()) >= 2


def test_it_is_short_and_says_what_it_needs(run: RunFiles) -> None:
    text = str(program(run, exported_of(run)))
    assert "qaexp" not in text
    assert len(text.splitlines()) <= 64
    assert max(map(len, text.splitlines())) <= 102
    assert "MAX_LENGTH, DOC_STRIDE = 48, 16" in text


def test_on_the_hub_it_names_the_repository(run: RunFiles) -> None:
    assert 'FOLDER = "me/mine"' in str(program(run, exported_of(run), "me/mine"))
    onnx = str(program(run, exported_of(run, format="onnx"), "me/mine"))
    assert 'FOLDER = snapshot_download("me/mine")' in onnx
    assert "from huggingface_hub import snapshot_download" in onnx
    compile(onnx, "onnx", "exec")


@pytest.mark.parametrize("kind", ["hf", "onnx", "openvino"])
def test_a_model_that_must_answer_has_no_threshold(tmp_path: Path, run: RunFiles, kind: str) -> None:
    copy = tmp_path / "run"
    (copy / "model").mkdir(parents=True)
    settings = tiny_run.read_json(run.path / "model" / "qaexp.json")
    (copy / "model" / "qaexp.json").write_text(json.dumps({**settings, "allow_no_answer": False}))
    text = str(program(RunFiles(copy, run.config, run.run, run.summary), exported_of(run, format=kind)))
    assert "null_score" not in text
    assert "NULL_THRESHOLD" not in text
    compile(text, kind, "exec")


def test_a_decoder_of_its_author_is_no_program(tmp_path: Path, run: RunFiles) -> None:
    copy = tmp_path / "run"
    (copy / "model").mkdir(parents=True)
    settings = tiny_run.read_json(run.path / "model" / "qaexp.json")
    settings["nodes"] = {"decoding": {"_target_": "mine.Decoder"}}
    (copy / "model" / "qaexp.json").write_text(json.dumps(settings))
    assert program(RunFiles(copy, run.config, run.run, run.summary), exported_of(run)) is None
