"""An order of batches, windows and a decoding of one's own, from a package that qaexp knows nothing of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qaexp.predictor import Predictor
from tests.fixtures import tiny_run

CODE = """
import dataclasses
import numpy as np
from qaexp.nodes import Decoding, Windows

class Backwards:
    '''The order of the file from its end, two features a micro-batch, the first `skip` features left out.'''
    def __init__(self, *, seed, skip, **keywords):
        self.skip = skip
    def epoch(self, lengths, epoch):
        order = np.arange(len(lengths))[self.skip:][::-1]
        return [order[first:first + 2] for first in range(0, len(order), 2)]

class Half(Windows):
    '''Windows of half the length.'''
    def build(self, examples, tokenizer):
        return Windows(self.max_length // 2, self.doc_stride // 2).build(examples, tokenizer)

@dataclasses.dataclass(frozen=True)
class Shouting(Decoding):
    '''Answers with the best span, in capitals.'''
    mark: str = "!"
    def decode(self, examples, features, logits):
        return [self.shouted(one) for one in super().decode(examples, features, logits)]
    def shouted(self, one):
        spans = tuple(dataclasses.replace(span, text=span.text.upper() + self.mark) for span in one.n_best)
        return dataclasses.replace(one, n_best=spans, null_score_diff=-1.0, text=spans[0].text)

@dataclasses.dataclass(frozen=True)
class Elsewhere(Decoding):
    '''Says something else than its best span.'''
    def decode(self, examples, features, logits):
        found = super().decode(examples, features, logits)
        return [dataclasses.replace(one, text=one.span_text + "?") for one in found]

class Mute:
    def __init__(self, **keywords): pass
"""
NODES = {
    "batches/backwards": "_target_: own_stages.Backwards\nskip: 3\nbatch_size: null\ntoken_budget: null\n"
    "group_by_length: false\nshuffle: false\n",
    "features/half": "defaults: [standard, _self_]\n_target_: own_stages.Half\nmax_length: 128\ndoc_stride: 32\n",
    "decoding/shouting": "defaults: [squad_v2, _self_]\n_target_: own_stages.Shouting\nmark: '?'\n",
    "decoding/elsewhere": "defaults: [squad_v2, _self_]\n_target_: own_stages.Elsewhere\n",
    "batches/mute": "defaults: [by_length, _self_]\n_target_: own_stages.Mute\n",
    "decoding/mute": "defaults: [squad_v2, _self_]\n_target_: own_stages.Mute\n",
    "features/mute": "defaults: [standard, _self_]\n_target_: own_stages.Mute\n",
}
SMALL = ("model=tiny_random", "trainer=cpu", "data.train_size=11", "data.dev_size=6", "trainer.epochs=1", "-cd", "conf")
OWN = ("batches=backwards", "features=half", "decoding=shouting")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, its YAML files, and a finished run `own` of all three."""
    folder = tmp_path_factory.mktemp("own_stages")
    (folder / "own_stages.py").write_text(CODE)
    for path, text in NODES.items():
        file = folder / "conf" / f"{path}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        done = tiny_run.call(folder, "train", *SMALL, *OWN, "reporter=none", "name=own", "--allow", "own_stages.")
    assert done.code == 0, done.err
    return folder


@pytest.fixture(autouse=True)
def importable(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(work)


def test_a_run_takes_the_user_s_order_windows_and_answers(work: Path) -> None:
    run = work / "outputs" / "own"
    summary = tiny_run.read_json(run / "summary.json")
    used = summary["num_train_features"] - 3
    assert summary["num_steps"] == -(-used // 2)
    predictions = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    assert all(line["prediction_text"].endswith("?") for line in predictions)
    plain = tiny_run.call(work, "train", *SMALL, "features.max_length=64", "features.doc_stride=16", "name=plain")
    assert plain.code == 0, plain.err
    counted = tiny_run.read_json(work / "outputs" / "plain" / "summary.json")
    assert summary["num_train_features"] == counted["num_train_features"]
    assert (
        tiny_run.read_json(run / "run.json")["run_id"]
        != tiny_run.read_json(run.parent / "plain" / "run.json")["run_id"]
    )


def test_its_config_is_written_whole_and_names_no_target_of_ours(work: Path) -> None:
    own = tiny_run.read_json(work / "outputs" / "own" / "config.json")
    assert [own[kind]["_target_"] for kind in ("batches", "features", "decoding")] == [
        "own_stages.Backwards", "own_stages.Half", "own_stages.Shouting"
    ]  # fmt: skip
    assert (own["batches"]["skip"], own["decoding"]["mark"]) == (3, "?")


def test_the_model_answers_as_it_was_evaluated(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = work / "outputs" / "own"
    ask = ("answer", "outputs/own", "-q", "Who?", "-c", "Ada wrote it.")
    assert tiny_run.call(work, *ask).code == 8, "what a folder names is not built unasked"
    assert tiny_run.call(work, "rescore", "outputs/own").code == 8
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", "own_stages.")
    rescored = tiny_run.call(work, "rescore", "outputs/own", "--json")
    assert rescored.code == 0, rescored.err
    summary = tiny_run.read_json(run / "summary.json")
    assert json.loads(rescored.out)["exact"] == summary["exact"]
    done = tiny_run.call(work, *ask)
    assert done.code == 0, done.err
    asked = tiny_run.read_json(run / "model" / "qaexp.json")["null_threshold"]
    assert done.out.strip().endswith("?") == (asked >= -1.0), "the user's decoding says -1 of every question"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        from qaexp.storage.start import held

        with held():
            questions = Predictor(run).question_set([])
    assert [type(questions.decoding).__name__, questions.decoding.keywords()["max_answer_length"]] == ["Shouting", 30]


def test_an_answer_that_its_spans_do_not_give_is_refused(work: Path) -> None:
    words = (*SMALL, "decoding=elsewhere", "reporter=none", "name=elsewhere", "--allow", "own_stages.")
    done = tiny_run.call(work, "train", *words)
    assert done.code == 2
    assert "and by its n_best and null_score_diff it is" in done.last_line


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ("batches=mute", "no method epoch(lengths, epoch)"),
        ("decoding=mute", "not a qaexp.nodes.Decoding"),
        ("features=mute", "not a qaexp.nodes.Windows"),
    ],
)
def test_a_class_that_lacks_what_a_run_calls_is_refused_at_the_start(work: Path, choice: str, says: str) -> None:
    done = tiny_run.call(work, "train", *SMALL, choice, "name=mute", "--allow", "own_stages.")
    assert (done.code, says in done.err) == (2, True), done.err
    assert not (work / "outputs" / "mute" / "run.json").exists()


def test_what_is_not_allowed_is_refused_before_it_is_imported(work: Path) -> None:
    for choice in OWN:
        assert tiny_run.call(work, "train", *SMALL, choice, "name=refused").code == 8
