"""A checkpoint's small files, read once: what is hashed is what transformers opens, whatever else the folder holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from qaexp.errors import StorageError
from qaexp.model.folder import check_blob, combined, read_bounded, tokenizer_files
from qaexp.model.owned import check_owned
from qaexp.model.source import CheckpointFolder

CONFIG = "config.json"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The bytes of config.json and of the tokenizer's files, by name."""

    config: bytes
    tokenizer: Mapping[str, bytes]

    @property
    def config_sha256(self) -> str:
        """The sha256 of config.json."""
        return hashlib.sha256(self.config).hexdigest()

    @property
    def tokenizer_sha256(self) -> str:
        """What the tokenizer's files hash to together."""
        return combined({name: hashlib.sha256(content).hexdigest() for name, content in self.tokenizer.items()})

    @contextmanager
    def unpacked(self) -> Iterator[Path]:
        """Yield a folder of these bytes and nothing else, for a library that wants paths; it goes with the block.

        Raises:
            StorageError: There is no room for temporary files.
        """
        try:
            temporary = TemporaryDirectory(prefix="qaexp-")
        except OSError as error:
            raise _no_room(error) from error
        with temporary as name:
            try:
                for file, content in {CONFIG: self.config, **self.tokenizer}.items():
                    Path(name, file).write_bytes(content)
            except OSError as error:
                raise _no_room(error) from error
            yield Path(name)


def take_snapshot(folder: CheckpointFolder) -> Snapshot:
    """Read the small files of a checkpoint.

    Raises:
        IntegrityError: One of them is no regular file, larger than such a file may be, or not what the hub had
            or the run wrote that it belongs to.
    """
    found = {path.name: read_bounded(path) for path in (folder.path / CONFIG, *tokenizer_files(folder.path))}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    if folder.kind == "hub":
        for name, content in found.items():
            check_blob(folder.path / name, content, hashes[name])
    elif folder.kind == "local":
        check_owned(folder.path, hashes)
    return Snapshot(found.pop(CONFIG), found)


def _no_room(error: OSError) -> StorageError:
    return StorageError(
        f"a checkpoint's files cannot be copied to a temporary folder: {error.strerror or error}; free space there, "
        "or set TMPDIR to another folder"
    )
