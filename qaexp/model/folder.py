"""The files of a checkpoint's folder: which hold weights, which make the tokenizer, and what they hash to."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path

from qaexp.errors import IntegrityError
from qaexp.storage.hashes import remembered_hash
from qaexp.storage.reading import MEBIBYTE

# Far above what any known checkpoint has (the largest tokenizers take 40 MiB): more would only eat the memory.
MAX_BYTES = {"config.json": 2 * MEBIBYTE, "model.safetensors.index.json": 64 * MEBIBYTE}
MAX_TOKENIZER_BYTES = 128 * MEBIBYTE

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
# Some families' words where there is no tokenizer.json; beside one, nobody opens them.
_OTHER_VOCABULARIES = ("tokenizer.model", "sentencepiece.model")
_SHA1, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint, sorted by name; empty when there are none or one is missing.

    Raises:
        IntegrityError: The index of a checkpoint in several files cannot be read, or names a file elsewhere or one that
            is no safetensors file.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / WEIGHTS_INDEX
    if not index.is_file():
        return []
    try:
        names = sorted(set(json.loads(read_bounded(index))["weight_map"].values()))
    except IntegrityError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(
            f"{index} is no index of weights ({type(error).__name__}: {error!s:.200}); fetch the checkpoint again"
        ) from error
    for name in names:
        _check_shard(index, name)
    files = [folder / name for name in names]
    return files if all(file.is_file() for file in files) else []


def hash_file(path: Path) -> str:
    """The sha256 of a regular file's bytes, in hex."""

    def read() -> str:
        with open_regular(path) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    return remembered_hash(path, "bytes", read)


def combined(hashes: dict[str, str]) -> str:
    """What one file hashes to; of several files, the sha256 of their names and hashes in the order given."""
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    lines = "".join(f"{value}  {name}\n" for name, value in hashes.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of a folder that a tokenizer may be built from, in a fixed order."""
    names: Iterable[str] = TOKENIZER_FILES
    if not (folder / "tokenizer.json").is_file():
        names = (*TOKENIZER_FILES, *_OTHER_VOCABULARIES)
    return [folder / name for name in names if (folder / name).is_file()]


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file, or a link to one, to read it.

    Raises:
        IntegrityError: It is missing, a pipe, a device or a folder, or may not be read.
    """
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer for ever.
        stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read ({error.strerror or error}); get the files again") from error
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise IntegrityError(f"{path} is no regular file; get the checkpoint from a source that you trust")
    return stream


def read_bounded(path: Path) -> bytes:
    """Return the content of one of the small files of a checkpoint.

    Raises:
        IntegrityError: As `open_regular`, or it is larger than such a file may be.
    """
    limit = MAX_BYTES.get(path.name, MAX_TOKENIZER_BYTES)
    _check_link(path)
    with open_regular(path) as stream:
        content = stream.read(limit + 1)
        size = os.fstat(stream.fileno()).st_size
    if len(content) > limit:
        raise IntegrityError(
            f"{path} has {size / MEBIBYTE:,.0f} MiB, and such a file may have {limit // MEBIBYTE}; "
            "get the checkpoint from a source that you trust"
        )
    return content


def _check_link(path: Path) -> None:
    """Refuse a link to somebody's file elsewhere: its text would be told by what a run saves.

    The hub's cache is made of links to its folder `blobs`.
    """
    if path.is_symlink():
        real = path.resolve()
        if not real.is_relative_to(path.parent.resolve()) and real.parent.name != "blobs":
            raise IntegrityError(
                f"{path} is a link to {real}, outside of its folder; put the file itself there, if it belongs to the "
                "checkpoint"
            )


def check_blob(path: Path, content: bytes | None, sha256: str) -> None:
    """Hold a file of the hub's cache against its blob's name: the sha256 of large files, git's own hash of small ones.

    Args:
        path: The file in the snapshot.
        content: Its bytes, for git's hash; None where they were not kept.
        sha256: Their sha256.

    Raises:
        IntegrityError: The content is not what the hub had under this commit.
    """
    blob = path.resolve()
    wanted, found = blob.name, blob.name
    if blob.parent.name != "blobs":
        return
    if _SHA256.fullmatch(wanted):
        found = sha256
    elif _SHA1.fullmatch(wanted) and content is not None:
        found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if found != wanted:
        raise IntegrityError(
            f"{path} is damaged: its content is not that of the hub's file; delete {blob} and {path}, and fetch it "
            "again"
        )


def _check_shard(index: Path, name: object) -> None:
    trust = "get the checkpoint from a source that you trust"
    if not isinstance(name, str) or Path(name).name != name or "\0" in name:
        raise IntegrityError(f"{index} names files outside its folder ({name!r:.80}); {trust}")
    if not name.endswith(".safetensors"):
        raise IntegrityError(
            f"{index} names {name!r:.80}, which is no *.safetensors file, and qaexp opens no pickled weights; {trust}"
        )
