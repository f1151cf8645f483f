"""Examples of several large sets as one entry of the cache, so that whoever reads one set can read a mix."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from qaexp.data.cache_folder import default_cache_dir
from qaexp.data.ondisk.entries import Contents, Size, kept_entry
from qaexp.data.ondisk.examples import StoredExamples
from qaexp.data.ondisk.writing import stored_chunks
from qaexp.data.squad import Example

_log = logging.getLogger("qaexp")
# Raised when a change of the code reads other examples, or writes another file, for the same sets.
_FORMAT = "qaexp mixed examples 1"


def stored_union(
    examples: Iterable[Example], key: str, num_bytes: int, *, cache_dir: Path | None = None
) -> StoredExamples:
    """Return examples on disk; those that are there already are not taken.

    Args:
        examples: In their order.
        key: What decides them.
        num_bytes: About how many bytes of text they have.
        cache_dir: As for `cached_features`.

    Raises:
        StorageError: The disk has no room for them.
    """
    digest = hashlib.sha256(json.dumps([_FORMAT, key]).encode()).hexdigest()
    path = (cache_dir or default_cache_dir()) / "examples" / digest

    def build(contents: Contents) -> Iterator[bytes]:
        yield from stored_chunks(examples, contents)

    entry, was_there = kept_entry(path, digest, build, Size(num_bytes, num_bytes))
    stored = StoredExamples(entry)
    _log.info("examples: %d of a mix %s, %s", len(stored), "from the cache" if was_there else "written", path)
    return stored
