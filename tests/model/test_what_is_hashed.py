"""What is hashed is what is loaded: no other file of a checkpoint's folder has a say, and no key leads to one."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForQuestionAnswering

from qaexp.errors import ConfigError, IntegrityError, QaexpError
from qaexp.model import Checkpoint
from qaexp.model.folder import MEBIBYTE, TOKENIZER_FILES
from qaexp.model.snapshot import Snapshot
from qaexp.model.tensors import read_tensors
from tests.fixtures.canary import Canary
from tests.fixtures.checkpoints import FAMILIES, TINY_FOLDER

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint with its head, and beside it a folder `other` of another model and tokenizer of the same shape."""
    for number, name in enumerate(("model", "other")):
        torch.manual_seed(number)
        AutoModelForQuestionAnswering.from_config(FAMILIES["bert"]).save_pretrained(tmp_path / name)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(TINY_FOLDER / file, tmp_path / name / file)
    words = json.loads((tmp_path / "other" / "tokenizer.json").read_text())
    vocabulary = words["model"]["vocab"]
    words["model"]["vocab"] = dict(zip(vocabulary, reversed(vocabulary.values()), strict=True))
    (tmp_path / "other" / "tokenizer.json").write_text(json.dumps(words))
    # The words alone, in another order.
    (tmp_path / "other" / "vocab.txt").write_text("\n".join(reversed(list(vocabulary))))
    return tmp_path / "model"


def loaded(folder: Path) -> tuple[str, list[int]]:
    """What a checkpoint computes with: its weights, and the ids of a text."""
    found = Checkpoint(checkpoint=str(folder)).load(seed=0)
    digest = hashlib.sha256()
    for name, value in sorted(found.model.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest(), found.tokenizer("What is the capital of France, and who said so?").input_ids


def changed(file: Path, **keys: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **keys}))


def planted(folder: Path, canary: Path) -> None:
    """Put everything that transformers may look for beside the files that are hashed."""
    other, evil = folder.parent / "other", pickle.dumps(Canary(canary))
    for name in ("pytorch_model.bin", "model.pt", "training_args.bin", "optimizer.pt", "rng_state.pth", "x.npy"):
        (folder / name).write_bytes(evil)
    for name in ("other.safetensors", "model.fp16.safetensors", "adapter_model.safetensors", "sub/model.safetensors"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(other / WEIGHTS, folder / name)
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": "other.safetensors"}}))
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"a": "pytorch_model.bin"}}))
    (folder / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(other), "peft_type": "LORA"})
    )
    (folder / "generation_config.json").write_text(json.dumps({"max_length": 1, "num_beams": 7}))
    for name in ("config.4.0.0.json", "quantization_config.json", "preprocessor_config.json", "processor_config.json"):
        (folder / name).write_text('{"model_type": "vit", "transformers_weights": "other.safetensors"}')
    for name in ("tokenizer.4.0.0.json", "tekken.json", "tokenizer.model", "tiktoken.model"):
        shutil.copy(other / "tokenizer.json", folder / name)
    (folder / "chat_template.jinja").write_text("{{ 1 / 0 }}")
    for name in ("modeling_bert.py", "configuration_bert.py", "tokenization_bert.py", "__init__.py"):
        (folder / name).write_text(f"open({str(canary)!r}, 'w')")


@pytest.mark.case("weights_beside_the_pinned_ones")
def test_a_file_that_is_not_hashed_has_no_say(folder: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    before, fingerprint = loaded(folder), Checkpoint(checkpoint=str(folder)).fingerprint()
    assert loaded(folder.parent / "other")[0] != before[0]
    planted(folder, canary)
    assert Checkpoint(checkpoint=str(folder)).fingerprint() == fingerprint
    assert loaded(folder) == before
    assert not canary.exists()


REDIRECTIONS: dict[str, Callable[[Path, Path], None]] = {
    "transformers_weights": lambda f, o: changed(f / "config.json", transformers_weights="other.safetensors"),
    "configuration_files": lambda f, o: changed(f / "config.json", configuration_files=["config.4.0.0.json"]),
    "quantization_config": lambda f, o: changed(f / "config.json", quantization_config={"quant_method": "gptq"}),
    "fusion_config": lambda f, o: changed(f / "config.json", fusion_config={"patch_embeddings": True}),
    "attn_implementation": lambda f, o: changed(f / "config.json", attn_implementation="owner/kernel"),
    "_attn_implementation": lambda f, o: changed(f / "config.json", _attn_implementation="owner/kernel@main:forward"),
    "experts_implementation": lambda f, o: changed(f / "config.json", experts_implementation="owner/kernel"),
    "fast_tokenizer_files": lambda f, o: changed(
        f / "tokenizer_config.json", fast_tokenizer_files=["tokenizer.json", "tokenizer.4.0.0.json"]
    ),
    "vocab_file": lambda f, o: changed(f / "tokenizer_config.json", vocab_file=str(o / "vocab.txt")),
    "vocab": lambda f, o: changed(f / "tokenizer_config.json", vocab=str(o / "vocab.txt")),
    "gguf_file": lambda f, o: changed(f / "tokenizer_config.json", gguf_file=str(o / "x.gguf")),
    "init_inputs": lambda f, o: changed(f / "tokenizer_config.json", init_inputs=[str(o / "tokenizer.json")]),
}


@pytest.mark.case("weights_beside_the_pinned_ones")
@pytest.mark.parametrize("key", REDIRECTIONS)
def test_a_key_that_leads_to_another_file_or_to_code_is_named(folder: Path, tmp_path: Path, key: str) -> None:
    planted(folder, tmp_path / "canary")
    REDIRECTIONS[key](folder, folder.parent / "other")
    with pytest.raises(IntegrityError, match=rf"_?config\.json has {key}=") as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "canary").exists()


def test_a_nested_key_that_fetches_code_is_named(folder: Path) -> None:
    changed(folder / "config.json", text_config={"attn_implementation": {"": "sdpa", "x": "flash_attention_2"}})
    with pytest.raises(
        IntegrityError, match=r"has attn_implementation='flash_attention_2', which may be fetched as code"
    ):
        loaded(folder)


def test_keys_without_effect_stay_without_effect(folder: Path, tmp_path: Path) -> None:
    before = loaded(folder)
    planted(folder, tmp_path / "canary")
    other = str(folder.parent / "other")
    changed(
        folder / "config.json",
        _name_or_path=other,
        name_or_path="deepseek-ai/deepseek-coder-x",
        auto_map={"AutoConfig": "configuration_bert.C", "AutoModelForQuestionAnswering": "modeling_bert.M"},
        attn_implementation="sdpa",
        transformers_weights=None,
        subfolder="sub",
        variant="fp16",
        trust_remote_code=True,
        use_safetensors=False,
        adapter_kwargs={"_adapter_model_path": other},
    )
    changed(
        folder / "tokenizer_config.json",
        tokenizer_file=f"{other}/tokenizer.json",
        special_tokens_map_file=f"{other}/special_tokens_map.json",
        added_tokens_file=f"{other}/added_tokens.json",
        name_or_path=other,
        fast_tokenizer_files=["tokenizer.json"],
        trust_remote_code=True,
    )
    assert loaded(folder) == before
    assert not (tmp_path / "canary").exists()


def test_code_for_a_tokenizer_is_never_run(folder: Path, tmp_path: Path) -> None:
    planted(folder, tmp_path / "canary")
    before = loaded(folder)
    changed(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": [None, "tokenization_bert.T"]})
    assert loaded(folder) == before
    for name in ("AutoModel", "pipeline", "AutoProcessor"):
        changed(folder / "tokenizer_config.json", tokenizer_class=name, auto_map=None)
        with pytest.raises(QaexpError):
            loaded(folder)
    assert not (tmp_path / "canary").exists()


def test_each_file_of_the_identity_changes_it(folder: Path) -> None:
    """Whatever transformers may open of the temporary folder is hashed: no file of it is left out."""
    for name in TOKENIZER_FILES:
        if not (folder / name).exists():
            (folder / name).write_text("{}")
    checkpoint = Checkpoint(checkpoint=str(folder))
    with checkpoint.snapshot.unpacked() as unpacked:
        names = {path.name for path in unpacked.iterdir()}
    assert names == {"config.json", *TOKENIZER_FILES}
    assert not unpacked.exists()
    for name in names:
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes(kept + b"\n")
        assert Checkpoint(checkpoint=str(folder)).fingerprint() != checkpoint.fingerprint(), name
        (folder / name).write_bytes(kept)


def test_words_of_another_format_are_hashed_where_they_are_opened(folder: Path) -> None:
    with_json = Checkpoint(checkpoint=str(folder)).fingerprint()
    (folder / "tokenizer.model").write_bytes(b"x")
    assert Checkpoint(checkpoint=str(folder)).fingerprint() == with_json
    (folder / "tokenizer.json").unlink()
    without = Checkpoint(checkpoint=str(folder)).fingerprint()
    (folder / "tokenizer.model").write_bytes(b"y")
    assert Checkpoint(checkpoint=str(folder)).fingerprint() != without


def test_a_file_that_changes_between_hash_and_opening_is_refused(folder: Path) -> None:
    checkpoint = Checkpoint(checkpoint=str(folder))
    checkpoint.fingerprint()
    shutil.copy(folder.parent / "other" / WEIGHTS, folder / WEIGHTS)
    with pytest.raises(IntegrityError, match="its weights changed while they were read"):
        checkpoint.load(seed=0)


def test_small_files_are_read_once(folder: Path) -> None:
    before = loaded(folder)
    checkpoint = Checkpoint(checkpoint=str(folder))
    checkpoint.fingerprint()
    shutil.copy(folder.parent / "other" / "tokenizer.json", folder / "tokenizer.json")
    (folder / "config.json").write_text("{}")
    assert checkpoint.load(seed=0).tokenizer("What is the capital of France, and who said so?").input_ids == before[1]


@pytest.mark.parametrize(
    "name",
    ["evil.bin", "evil.pt", "evil.npy", "sub/evil.safetensors", "/etc/passwd", "..", "", "evil.safetensors.index.json"],
)
def test_an_index_names_safetensors_files_of_its_folder(folder: Path, tmp_path: Path, name: str) -> None:
    planted(folder, tmp_path / "canary")
    (folder / WEIGHTS).unlink()
    for file in ("evil.bin", "evil.pt", "evil.npy", "evil.safetensors.index.json"):
        (folder / file).write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": {"a": "other.safetensors", "b": name}}))
    with pytest.raises(IntegrityError, match=r"names files outside its folder|is no \*\.safetensors file"):
        loaded(folder)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"weight_map": 1}', '{"weight_map": {"a": [1]}}', "[" * 200_000, "{}"])
def test_an_index_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(content)
    with pytest.raises(IntegrityError):
        loaded(folder)


def test_pickles_under_the_name_of_weights_are_never_opened(folder: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    torch.save({"a": torch.zeros(3)}, tmp_path / "zip.pt")
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": "one.safetensors"}}))
    for evil in (pickle.dumps(Canary(canary)), (tmp_path / "zip.pt").read_bytes(), b"\x93NUMPY\x01\x00v\x00{"):
        for name in (WEIGHTS, "one.safetensors"):
            (folder / WEIGHTS).unlink(missing_ok=True)
            (folder / name).write_bytes(evil)
            with pytest.raises(IntegrityError, match="its weights cannot be read"):
                loaded(folder)
    assert not canary.exists()


def test_tensors_are_those_of_safetensors(folder: Path, tmp_path: Path) -> None:
    """Every type, shapes without numbers and without dimensions, half a header of padding, numbers at odd places."""
    kinds = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16]
    wanted = {str(kind): torch.arange(7).reshape(7, 1).to(kind) for kind in (*kinds, torch.int8, torch.uint8)}
    wanted |= {"bool": torch.tensor([True, False]), "none": torch.empty(0, 5), "scalar": torch.tensor(2.5)}
    save_file(wanted, tmp_path / "all.safetensors")
    odd = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    odd += b" " * (1 - len(odd) % 2 + 2 * (len(odd) % 2))
    (tmp_path / "odd.safetensors").write_bytes(len(odd).to_bytes(8, "little") + odd + b"\0\0\x80\x3f")
    found, hashes = read_tensors([tmp_path / "all.safetensors", tmp_path / "odd.safetensors"])
    for name, value in load_file(tmp_path / "all.safetensors").items():
        assert found[name].dtype == value.dtype
        assert found[name].shape == value.shape
        assert torch.equal(found[name], value), name
    assert float(found["a"]) == 1.0
    assert hashes == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        for name in ("all.safetensors", "odd.safetensors")
    }


def test_a_tensor_in_two_files_is_refused(folder: Path) -> None:
    shutil.copy(folder / WEIGHTS, folder / "a.safetensors")
    (folder / WEIGHTS).rename(folder / "b.safetensors")
    (folder / INDEX).write_text(json.dumps({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}))
    with pytest.raises(IntegrityError, match="which another file holds too"):
        loaded(folder)


def test_large_small_files_are_refused_by_their_size(folder: Path) -> None:
    for name, mebibytes in (("config.json", 2), ("tokenizer.json", 128)):
        kept = (folder / name).read_bytes()
        with (folder / name).open("wb") as file:
            file.truncate(300 * MEBIBYTE)
        with pytest.raises(IntegrityError, match=rf"{name} has 300 MiB, and such a file may have {mebibytes}"):
            Checkpoint(checkpoint=str(folder)).fingerprint()
        (folder / name).write_bytes(kept)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_link_to_a_file_elsewhere_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / "private")
    (folder / name).symlink_to(tmp_path / "private")
    with pytest.raises(IntegrityError, match=f"{name} is a link to .*private, outside of its folder"):
        Checkpoint(checkpoint=str(folder)).load(seed=0)
    # As the hub's cache is made, and inside the folder itself.
    (folder / name).unlink()
    (tmp_path / "blobs").mkdir()
    (tmp_path / "private").rename(tmp_path / "blobs" / "content")
    (folder / name).symlink_to(tmp_path / "blobs" / "content")
    Checkpoint(checkpoint=str(folder)).load(seed=0)


def test_a_temporary_folder_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_keywords: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("qaexp.model.snapshot.TemporaryDirectory", full)
    with (
        pytest.raises(QaexpError, match="No space left on device; free space there") as caught,
        Snapshot(b"", {}).unpacked(),
    ):
        pass
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("content", ["[" * 200_000, "[1]", '{"a": ' + "9" * 5000 + "}", "\0"])
def test_a_config_that_is_no_object_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(ConfigError, match="is no config that transformers knows"):
        loaded(folder)
