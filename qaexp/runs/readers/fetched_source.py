"""What one URL of a store means: the run folders below it, fetched into a folder of this machine.

What a store holds is data of anybody: a folder counts only with its UPLOADED.json and every file that it names, files
are held against it and against the run's own manifest, and only names that a run has are written.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from qaexp.errors import ConfigError, IntegrityError, QaexpError, StorageError
from qaexp.runs.directory import (
    CONFIG,
    CONTEXTS,
    DATA,
    ENVIRONMENT,
    HISTORY,
    MANIFEST,
    METRICS,
    PREDICTIONS,
    RUN,
    SCORES,
    SUMMARY,
    SWEEP,
    TEST_SCORES,
    UPLOADED,
    UPLOADING,
)
from qaexp.runs.manifest import read_manifest
from qaexp.runs.readers.collect import MAX_DEPTH
from qaexp.runs.readers.folder import look
from qaexp.runs.uploaded import Marker, Stored, read_marker
from qaexp.storage.evaluation_sets import set_of_table
from qaexp.storage.files import write_stream
from qaexp.storage.folders import make_directory, remove
from qaexp.storage.reading import MAX_JSON_BYTES, MAX_STREAM_BYTES, MAX_TABLE_BYTES, read_small
from qaexp.storage.store import CHUNK_BYTES, Store

NOT_COMPLETE = "not uploaded completely"
_SMALL = (RUN, CONFIG, ENVIRONMENT, SUMMARY, MANIFEST)
_TABLES = (DATA, SCORES, TEST_SCORES, HISTORY, METRICS, CONTEXTS)
_LIMITS = {
    **dict.fromkeys((*_SMALL, SWEEP), MAX_JSON_BYTES),
    **dict.fromkeys(_TABLES, MAX_TABLE_BYTES),
    PREDICTIONS: MAX_STREAM_BYTES,
}
COMPARED = (*_SMALL, DATA, SCORES, TEST_SCORES)
"""What a comparison reads of a run."""
ANSWERS = (PREDICTIONS, CONTEXTS, HISTORY, METRICS)
"""What it reads besides where the answers and the course of the training are asked for."""
_TRACES = (UPLOADED, UPLOADING, RUN, SUMMARY, MANIFEST)
_AT_ONCE = 8


class Source:
    """What one URL means: the folders below it, and those of this machine that they are fetched into."""

    def __init__(self, url: str, root: Path) -> None:
        self.url, self._store = url, Store(url)
        self.parent_url = f"{url.rpartition('/')[0]}/"
        self.folder = root / url.rpartition("/")[2]
        self.left_out: list[tuple[Path, str]] = []
        sizes = self._store.sizes()
        if not sizes:
            self._store.check()
            raise ConfigError(f"{url}: nothing is there; give the URL of an uploaded run, of a sweep, or above them")
        make_directory(self.folder)
        self._whole = dict(self._complete(_by_folder(sizes)))
        self._add_sweep_above()

    @property
    def has_runs(self) -> bool:
        """Whether a run is left that is there as a whole."""
        return bool(self._whole)

    def fetch(self, names: Sequence[str]) -> None:
        """Fetch files of each folder; one that is not what it says is left out with the reason."""
        _check_room(self.folder, sum(m.files[n].size for m in self._whole.values() for n in _there(names, m)))
        for place, marker in list(self._whole.items()):
            folder = self.folder / place
            try:
                self._fetch_folder(place, marker, _there(names, marker))
                _check_run(folder, marker)
            except FileNotFoundError:
                self._leave_out(place, "changed while it was read; give the command again")
            except IntegrityError as error:
                self._leave_out(place, "; ".join(error.problems).replace(f"{folder}/", "").replace(f"{folder}: ", ""))

    def dev_sets(self) -> Iterator[str]:
        """The dev data of the runs, as data.json names it."""
        for place in self._whole:
            data, _ = read_small(self.folder / place / DATA)
            yield repr(((data or {}).get("sha256"), (data or {}).get("revision")))

    def _complete(self, folders: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, Marker]]:
        """The folders that are there as a whole; runs that are not are left out."""
        for place, sizes in folders.items():
            store = self._store.below(place) if place else self._store
            marker = read_marker(store, UPLOADED, sizes)
            if marker is not None and marker.agrees(sizes) and (RUN in marker.files) != (SWEEP in marker.files):
                if large := [name for name, file in marker.files.items() if file.size > _limit(name)]:
                    reason = f"{large[0]}: has {marker.files[large[0]].size:,} bytes, more than such a file ever has"
                    self.left_out.append((self.folder / place, reason))
                elif RUN in marker.files:
                    yield place, marker
                else:
                    self._fetch_sweep(place, marker)
            elif RUN in sizes or _is_of_run(read_marker(store, UPLOADING, sizes)):
                lacking = "" if UPLOADED in sizes else f" (it has no {UPLOADED})"
                reason = f"{NOT_COMPLETE}{lacking}; the command that uploads it, given again, brings the rest"
                self.left_out.append((self.folder / place, reason))

    def _fetch_sweep(self, place: str, marker: Marker) -> None:
        try:
            self._fetch_folder(place, marker, [SWEEP])
        except (IntegrityError, FileNotFoundError) as error:
            self.left_out.append((self.folder / place / SWEEP, f"left out: {error}"))

    def _add_sweep_above(self) -> None:
        """Fetch the sweep.json beside a run that is given by its own URL, since it says what its sweep has seen."""
        if "" not in self._whole or self.parent_url.endswith("//"):
            return
        with suppress(QaexpError, FileNotFoundError):  # who gave the URL of a run need not be allowed to look above it
            above = Store(self.parent_url)
            sizes = above.sizes(depth=1)
            marker = read_marker(above, UPLOADED, sizes)
            if marker is not None and SWEEP in marker.files:
                _fetch(above, self.folder.parent, marker, [SWEEP])

    def _fetch_folder(self, place: str, marker: Marker, names: Sequence[str]) -> None:
        make_directory(self.folder / place)
        _fetch(self._store.below(place) if place else self._store, self.folder / place, marker, names)

    def _leave_out(self, place: str, reason: str) -> None:
        self.left_out.append((self.folder / place, reason))
        del self._whole[place]
        remove(self.folder / place)


def _by_folder(sizes: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The objects of each folder that may be a run's or a sweep's, by the folder's place and their names in it."""
    places = sorted({name.rpartition("/")[0] for name in sizes if name.rpartition("/")[2] in _TRACES})
    found: dict[str, dict[str, int]] = {place: {} for place in places if len(place.split("/")) <= MAX_DEPTH}
    for name, size in sizes.items():
        place = name
        while place:
            place = place.rpartition("/")[0]
            if place in found:
                found[place][name[len(place) + 1 if place else 0 :]] = size
                break
    return found


def _there(names: Sequence[str], marker: Marker) -> list[str]:
    """The files of a folder among these; with the scores go those of each evaluation set."""
    sets = [name for name in marker.files if set_of_table(name) is not None] if SCORES in names else []
    return [*(name for name in names if name in marker.files), *sets]


def _limit(name: str) -> float:
    """The most bytes that a file ever has, of those that are read."""
    return MAX_TABLE_BYTES if set_of_table(name) is not None else _LIMITS.get(name, math.inf)


def _fetch(store: Store, folder: Path, marker: Marker, names: Sequence[str]) -> None:
    """Fetch files, the small ones side by side.

    Raises:
        FileNotFoundError: One is not there any more.
        IntegrityError: One has other bytes than the marker says.
        StorageError: The store refuses, or the file cannot be written.
    """
    small = [name for name in names if marker.files[name].size <= CHUNK_BYTES]
    sizes = [marker.files[name].size for name in small]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        contents = dict(zip(small, pool.map(store.read, small, sizes), strict=True))
    for name in names:
        stored = marker.files[name]
        chunks = [contents[name]] if name in contents else store.chunks(name, stored.size)
        make_directory((folder / name).parent)
        write_stream(folder / name, _checked(chunks, stored, name), stored.size)


def _checked(chunks: Iterable[bytes], stored: Stored, name: str) -> Iterator[bytes]:
    """Pass on what comes; what is not these bytes raises an IntegrityError before anything is written as a whole."""
    digest, size = hashlib.sha256(), 0
    last = b""
    for chunk in chunks:
        if last:
            yield last
        digest.update(chunk)
        size, last = size + len(chunk), chunk
    if (size, digest.hexdigest()) != (stored.size, stored.sha256):
        raise IntegrityError(f"{name}: its bytes are not what was uploaded (sha256 differs)")
    yield last


def _check_run(folder: Path, marker: Marker) -> None:
    """Hold a fetched run against its own files.

    Raises:
        IntegrityError: They do not belong together.
    """
    found = look(folder)
    found.check_completed()
    if found.problems:
        raise IntegrityError(*found.problems)
    for name, entry in read_manifest(folder).items():
        stored = marker.files.get(name)
        if stored is None or (stored.size, stored.sha256) != (entry["size"], entry["sha256"]):
            raise IntegrityError(f"{name}: {UPLOADED} does not say what {MANIFEST} says of it")


def _check_room(folder: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise StorageError(
            f"{folder}: {num_bytes:,} bytes would be fetched, and {free:,} are free; set TMPDIR to a folder with more "
            "room, or give fewer runs"
        )


def _is_of_run(marker: Marker | None) -> bool:
    return marker is not None and marker.identity is not None
