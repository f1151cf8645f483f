"""The files of a checkpoint's folder: which hold weights, which make the tokenizer, and what they hash to."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from qaexp.errors import IntegrityError

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
# Each holds the words of a fast tokenizer.
VOCABULARY_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spm.model", "spiece.model", "sentencepiece.bpe.model")
# Every file that a fast tokenizer may be built from; together they are the tokenizer's identity.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spm.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint, sorted by name; empty when there are none or one is missing.

    Raises:
        IntegrityError: The index of a checkpoint in several files cannot be read, or names a file elsewhere.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / WEIGHTS_INDEX
    if not index.is_file():
        return []
    try:
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{index} is no index of weights ({error!r}); fetch the checkpoint again") from error
    if not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise IntegrityError(f"{index} names files outside its folder; get the checkpoint from a source that you trust")
    files = [folder / name for name in names]
    return files if all(file.is_file() for file in files) else []


def sha256_of(files: list[Path]) -> str:
    """The sha256 of one file's bytes; of several files, that of their names and hashes in the order given."""
    hashes = []
    for file in files:
        with file.open("rb") as stream:
            hashes.append(hashlib.file_digest(stream, "sha256").hexdigest())
    if len(files) == 1:
        return hashes[0]
    lines = "".join(f"{value}  {file.name}\n" for file, value in zip(files, hashes, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of a folder that a tokenizer may be built from, in a fixed order."""
    return [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
