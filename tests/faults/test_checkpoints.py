"""Checkpoints that cannot answer questions."""

from __future__ import annotations

import json
import shutil
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AutoConfig, AutoModel, AutoModelForQuestionAnswering

from tests.fixtures import tiny_run
from tests.fixtures.checkpoints import TINY_FOLDER

COMMIT = "c0ffee" * 6 + "abcd"


def edited(name: str, **changes: Any) -> Callable[[Path], None]:
    """Change keys of a JSON file of a folder; `...` leaves one out."""

    def edit(folder: Path) -> None:
        content = {**json.loads((folder / name).read_text()), **changes}
        (folder / name).write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))

    return edit


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def with_text(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text)

    return write


def slow(tokenizer_class: str) -> Callable[[Path], None]:
    """Leave only files from which transformers makes a tokenizer without offsets."""

    def write(folder: Path) -> None:
        without("tokenizer.json")(folder)
        (folder / "vocab.txt").write_text("\n".join(["<cls>", "<pad>", "<eos>", "<unk>", *string.ascii_lowercase]))
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": tokenizer_class}))

    return write


def without_tokenizer(folder: Path) -> None:
    without("tokenizer.json")(folder)
    without("tokenizer_config.json")(folder)


def with_backend(change: Callable[[Tokenizer], object]) -> Callable[[Path], None]:
    """Change the tokenizer itself, and let no class mend it."""

    def write(folder: Path) -> None:
        backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
        change(backend)
        backend.save(str(folder / "tokenizer.json"))
        edited("tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")(folder)

    return write


def without_frame(backend: Tokenizer) -> None:
    backend.post_processor = TemplateProcessing(single="$A", pair="$A $B", special_tokens=[])


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no config": (without("config.json"), "has no config.json"),
    "config is no JSON": (with_text("config.json", "{"), "config.json is no config"),
    "config is a list": (with_text("config.json", "[]"), "config.json is no config"),
    "unknown architecture": (edited("config.json", model_type="nosuchmodel"), "config.json is no config"),
    "no question answering": (edited("config.json", model_type="vit"), "no question-answering head"),
    "head of another task": (edited("config.json", model_type="vits"), "no question-answering head"),
    "slow tokenizer": (slow("EsmTokenizer"), "slow tokenizer (EsmTokenizer), which knows no character offsets"),
    "slow tokenizer without files": (slow("CanineTokenizer"), "slow tokenizer (CanineTokenizer)"),
    "no tokenizer": (without_tokenizer, "no file of a tokenizer"),
    "no frame": (with_backend(without_frame), "does not put its CLS token"),
    "larger tokenizer": (with_backend(lambda backend: backend.add_tokens(["a new word"])), "ids up to"),
    "vocabulary": (edited("config.json", vocab_size=10), "ids up to"),
    "tokenizer is no JSON": (with_text("tokenizer.json", "{"), "its tokenizer cannot be opened"),
    "no pad": (edited("tokenizer_config.json", pad_token=None), "no padding token"),
    "no cls": (edited("tokenizer_config.json", cls_token=None), "no CLS token"),
}


@pytest.mark.thorough
@pytest.mark.fault("D9")
def test_checkpoints(qaexp: Any, tmp_path: Path) -> None:
    for number, (case, (spoil, expected)) in enumerate(FAULTS.items()):
        folder = tmp_path / f"checkpoint{number}"
        shutil.copytree(TINY_FOLDER, folder)
        spoil(folder)
        words = ("train", f"name=c{number}", *tiny_run.DEMO, f"model.checkpoint={folder}")
        qaexp.refused(2, *words, says=(expected,), last=("model.checkpoint", "model=minilm"))
        assert not (qaexp.folder / "outputs" / f"c{number}" / "summary.json").exists(), case
    left = tmp_path / "left"
    shutil.copytree(TINY_FOLDER, left)
    edited("tokenizer_config.json", padding_side="left")(left)
    qaexp.train("name=left", *tiny_run.DEMO, "trainer.epochs=1", f"model.checkpoint={left}")
    check_positions(qaexp, tmp_path)
    check_head(qaexp, tmp_path)


def check_positions(qaexp: Any, folder: Path) -> None:
    """What config.json leaves out is the architecture's own limit; without any there is none."""
    long = write_long(folder / "long.json")
    words = ("train", *tiny_run.MODEL, "data=json", *tiny_run.files_of(long, long), "trainer.epochs=1")
    kinds: dict[str, dict[str, Any]] = {
        "default": {"max_position_embeddings": ...},
        "roberta": {"model_type": "roberta", "max_position_embeddings": ..., "pad_token_id": 1},
        "relative": {**RELATIVE, "max_position_embeddings": ...},
    }
    for kind, changes in kinds.items():
        shutil.copytree(TINY_FOLDER, folder / kind)
        edited("config.json", **changes)(folder / kind)
        model = f"model.checkpoint={folder / kind}"
        limit = {"default": 512, "roberta": 510, "relative": None}[kind]
        if limit is not None:
            expected = (
                f"features.max_length={limit + 1}",
                f"{limit} positions",
                "model.checkpoint",
                f"at most {limit}",
            )
            qaexp.refused(2, *words, f"name={kind}", model, f"features.max_length={limit + 1}", last=expected)
            assert not (qaexp.folder / "outputs" / kind / "summary.json").exists()
        qaexp.train(f"name={kind}-fits", *words[1:], model, f"features.max_length={limit or 600}")


RELATIVE = {
    "model_type": "deberta-v2",
    "relative_attention": True,
    "position_buckets": 8,
    "pos_att_type": ["p2c", "c2p"],
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
    "type_vocab_size": 0,
}


def write_long(path: Path) -> Path:
    """One question on a context of more tokens than any position limit here."""
    item = {"id": "a", "question": "Which?", "is_impossible": True, "answers": []}
    paragraph = {"context": "Paris and Rome. " * 400, "qas": [item]}
    path.write_text(json.dumps({"data": [{"title": "T", "paragraphs": [paragraph]}]}))
    return path


def check_head(qaexp: Any, folder: Path) -> None:
    """Weights that were never trained to answer give no score and no answer."""
    encoder = folder / "encoder"
    shutil.copytree(TINY_FOLDER, encoder)
    config = AutoConfig.from_pretrained(encoder)
    AutoModel.from_config(config).save_pretrained(encoder)
    data = tiny_run.write_squad(folder / "some.json", 1, 1)
    for words in (("evaluate", str(encoder), "--data", str(data)), ("answer", str(encoder), "-q", "Who?", "-c", "Me.")):
        done = qaexp.refused(2, *words, last=("no weights for qa_outputs", "random", "qaexp train"))
        assert done.out == ""
    # A whole model with fewer positions than the standard windows is asked in windows that fit it.
    edited("config.json", max_position_embeddings=64)(encoder)
    config = AutoConfig.from_pretrained(encoder)
    AutoModelForQuestionAnswering.from_config(config).save_pretrained(encoder)
    done = qaexp.call("evaluate", str(encoder), "--data", str(write_long(folder / "other.json")), "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["num_dev_features"] > 20
