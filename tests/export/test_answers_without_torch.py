"""A folder in the format onnx answers as its model does, in a process that cannot import torch or transformers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qaexp
from qaexp.errors import ConfigError, IntegrityError, OutOfMemoryError
from qaexp.evaluation.predict_exported import run_exported
from qaexp.model.exported import ExportedModel
from qaexp.model.folder import hash_file
from tests import REPOSITORY
from tests.fixtures import tiny_run
from tests.fixtures.exports import write_onnx
from tests.fixtures.windows import make_features

pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e '.[export]'")

CONTEXT = "Anna was born in Paris in 1900, and later Anna taught at a school for years."
PAIRS = [
    ("Where was Anna born?", CONTEXT),
    ("Who?", " ".join([CONTEXT] * 30)),
    ("When was Anna born?", CONTEXT * 3),
    ("Who?", "   "),
]

_WITHOUT_TORCH = """
import json, sys
# All that qaexp needs beside numpy, tokenizers, rich and safetensors (docs/export.md).
HEAVY = "torch transformers datasets accelerate hydra omegaconf pandas pyarrow scipy matplotlib jinja2 yaml".split()
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in HEAVY:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = (*tiny_run.DEMO, "trainer.epochs=1", "features.max_length=64", "features.doc_stride=16")
    return tiny_run.train(tmp_path_factory.mktemp("work"), "one", *words)


@pytest.fixture(scope="module")
def folder(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_onnx(run / "model", tmp_path_factory.mktemp("exports") / "onnx")


def without_torch(folder: Path, code: str, *words: str) -> str:
    """Run code in a process that has no torch; what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    call = [sys.executable, "-c", _WITHOUT_TORCH + code, *words]
    done = subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.thorough
def test_answers_are_those_of_the_run(run: Path, folder: Path) -> None:
    code = """
import qaexp
from dataclasses import asdict
predictor = qaexp.Predictor(sys.argv[1], null_threshold=float(sys.argv[2]))
print(json.dumps([asdict(answer) for answer in predictor.answer_all(json.loads(sys.argv[3]))]))
"""
    for threshold in (1e5, -1e5):
        expected = qaexp.Predictor(run, null_threshold=threshold, device="cpu", precision="fp32").answer_all(PAIRS)
        found: list[dict[str, Any]] = json.loads(
            without_torch(folder, code, str(folder), str(threshold), json.dumps(PAIRS))
        )
        for one, other in zip(found, expected, strict=True):
            assert (one["answer"], one["start_char"], one["end_char"]) == (
                other.answer,
                other.start_char,
                other.end_char,
            )
            assert one["score"] == (None if other.score is None else pytest.approx(other.score, abs=1e-3))
            assert one["probability"] == pytest.approx(other.probability, abs=1e-3)


def test_the_command_answers_too(run: Path, folder: Path) -> None:
    code = "from qaexp.cli import main\nsys.exit(main(sys.argv[1:]))"
    words = ("-q", PAIRS[0][0], "-c", PAIRS[0][1], "--json", "--null-threshold", "1e5")
    found = json.loads(without_torch(folder, code, "answer", ".", *words))
    assert found["answer"] == json.loads(tiny_run.call(run, "answer", ".", *words, "--precision", "fp32").out)["answer"]


def test_evaluate_scores_it_as_the_run(run: Path, folder: Path, tmp_path: Path) -> None:
    data = tiny_run.write_squad(tmp_path / "dev.json", 6, 3)
    words = ("--data", str(data), "--json", "--null-threshold", "0.1")
    found, expected = (
        json.loads(tiny_run.call(tmp_path, "evaluate", str(place), *words).out) for place in (folder, run / "model")
    )
    assert (found["device"], found["precision"]) == ("cpu", "fp32")
    assert (found["f1"], found["exact"]) == (expected["f1"], expected["exact"])
    assert found["gold_nll"] == pytest.approx(expected["gold_nll"], abs=1e-3)


def test_what_has_no_effect_is_refused(folder: Path) -> None:
    for given, says in (({"device": "cuda"}, "device is cuda"), ({"precision": "bf16"}, "precision is bf16")):
        with pytest.raises(ConfigError, match=rf"{says}, but .* format onnx, which computes on the CPU"):
            qaexp.Predictor(folder, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("model.onnx", b"no graph", r"model\.onnx cannot be opened"),
        ("tokenizer.json", b"{}", r"tokenizer\.json holds no tokenizer"),
        ("tokenizer.json", None, r"has no tokenizer\.json"),
        ("qaexp.json", b"{}", "does not say how its tokenizer frames texts"),
        ("qaexp.json", b'{"tokenizer": {"cls_token_id": -1}}', "the tokenizer's cls_token_id is -1"),
    ],
)
def test_a_damaged_folder_is_refused(folder: Path, tmp_path: Path, file: str, content: bytes | None, says: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / file).unlink()
    if content is not None:
        (copy / file).write_bytes(content)
    with pytest.raises((ConfigError, IntegrityError), match=says):
        qaexp.Predictor(copy)


def test_files_that_the_export_vouches_for_are_held_against_it(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    files = {path.name: {"sha256": hash_file(path)} for path in copy.iterdir()}
    (copy / "export.json").write_text(json.dumps({"files": files}))
    assert qaexp.Predictor(copy).answer(*PAIRS[0])
    settings = tiny_run.read_json(copy / "qaexp.json")
    (copy / "qaexp.json").write_text(json.dumps({**settings, "null_threshold": 5.0}))
    with pytest.raises(IntegrityError, match=r"qaexp\.json is not the file .* give another threshold as --null-thresh"):
        qaexp.Predictor(copy)
    shutil.copy(folder / "qaexp.json", copy / "qaexp.json")
    weights = bytearray((copy / "model.onnx.data").read_bytes())
    weights[-5] ^= 1
    (copy / "model.onnx.data").write_bytes(weights)
    with pytest.raises(IntegrityError, match=r"model\.onnx\.data is not the file that was exported"):
        qaexp.Predictor(copy)
    (copy / "model.onnx.data").unlink()
    (copy / "model.onnx").unlink()
    with pytest.raises(IntegrityError, match=r"model\.onnx is missing.*\n.*model\.onnx\.data is missing"):
        qaexp.Predictor(copy)


def test_weights_of_torch_are_held_against_an_export_too(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "hf"
    shutil.copytree(run / "model", copy)
    settings = tiny_run.read_json(copy / "qaexp.json")
    (copy / "qaexp.json").write_text(json.dumps({**settings, "exported": True}))
    files = {path.name: {"sha256": hash_file(path)} for path in copy.iterdir()}
    (copy / "export.json").write_text(json.dumps({"files": files}))
    assert qaexp.Predictor(copy, device="cpu").answer(*PAIRS[0])
    for name, says in (
        ("model.safetensors", r"model\.safetensors is not the file"),
        ("config.json", r"config\.json is not the file"),
        ("tokenizer.json", r"tokenizer\.json is not the file"),
        ("export.json", r"export\.json is missing or empty, and it vouches"),
    ):
        whole = (copy / name).read_bytes()
        (copy / name).write_bytes(b"{}" if name == "export.json" else whole.replace(b"1", b"2", 1))
        with pytest.raises(IntegrityError, match=says):
            qaexp.Predictor(copy, device="cpu")
        (copy / name).write_bytes(whole)


def test_windows_that_are_longer_than_the_model_takes_are_refused(run: Path, folder: Path, tmp_path: Path) -> None:
    for place in (run / "model", folder):
        copy = tmp_path / place.name
        shutil.copytree(place, copy)
        settings = tiny_run.read_json(copy / "qaexp.json")
        (copy / "qaexp.json").write_text(json.dumps({**settings, "max_length": 4000}))
        with pytest.raises(ConfigError, match="max_length is 4000, and the model takes 512 tokens"):
            qaexp.Predictor(copy, device="cpu")


def test_a_model_of_torch_without_torch_is_refused_in_a_sentence(run: Path) -> None:
    code = """
import qaexp
from qaexp.cli import main
codes = [main(["answer", ".", "-q", "Who?", "-c", "Anna."]), main(["export", ".", "--to", "../e", "--format", "hf"])]
try:
    qaexp.pipeline(model="model")
except qaexp.QaexpError as error:
    codes.append(error.exit_code)
print(codes)
"""
    assert without_torch(run, code).splitlines()[-1] == "[2, 2, 2]"


def test_a_missing_runtime_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match="onnxruntime is not installed: pip install onnxruntime"):
        qaexp.Predictor(folder)


def test_a_batch_that_does_not_fit_is_halved(folder: Path) -> None:
    predictor = qaexp.Predictor(folder)
    expected = predictor.answer_all(PAIRS)
    run, rows = predictor.loaded.model.run, []

    def short(inputs: Mapping[str, Any]) -> Any:
        if len(inputs["input_ids"]) > 2:
            raise Exception("Failed to allocate memory for requested buffer of size 1")
        rows.append(len(inputs["input_ids"]))
        return run(inputs)

    small = qaexp.Predictor(folder)
    model = ExportedModel("onnx", small.loaded.model.input_names, short)
    object.__setattr__(small.loaded, "model", model)
    assert [answer.answer for answer in small.answer_all(PAIRS)] == [answer.answer for answer in expected]
    assert max(rows) == 2

    def never(inputs: Mapping[str, Any]) -> Any:
        raise Exception("std::bad_alloc")

    features = small.question_set([]).features
    assert len(features) == 0
    object.__setattr__(small.loaded, "model", ExportedModel("onnx", model.input_names, never))
    with pytest.raises(OutOfMemoryError, match="does not fit into the memory"):
        small.answer_all(PAIRS)


@pytest.mark.parametrize("side", ["left", "right"])
def test_rows_that_are_padded_on_either_side_give_their_real_tokens(side: str) -> None:
    features = make_features([(0, [(0, 1)] * count) for count in (1, 3, 2)])
    features.input_ids[:] = np.arange(1, 1 + features.num_tokens)
    put: list[tuple[Any, Any, Any]] = []

    def echo(inputs: Mapping[str, Any]) -> Any:
        return inputs["input_ids"].astype(np.float32), -inputs["input_ids"].astype(np.float32)

    run_exported(
        ExportedModel("onnx", ("input_ids",), echo),
        features,
        lambda *batch: put.append(batch),
        pad_token_id=0,
        padding_side=side,
        with_token_types=False,
    )
    ((order, start, end),) = put
    expected = np.concatenate([features.input_ids[features.indptr[i] : features.indptr[i + 1]] for i in order])
    assert start.tolist() == expected.tolist()
    assert end.tolist() == (-expected).tolist()
