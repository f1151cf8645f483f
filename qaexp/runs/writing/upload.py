"""Uploads the folder of a completed run, or what a sweep leaves beside its runs, into a store; again is harmless.

Every file is uploaded as it is read, and what is read is what is hashed. UPLOADED.json comes last: a reader finds the
whole folder, or nothing. What a killed upload has brought there is found in UPLOADING.json by the next one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from qaexp.errors import IntegrityError, StorageError
from qaexp.runs.directory import (
    CHECKPOINTS,
    LOCK,
    MANIFEST,
    OUTPUT_LOG,
    PICTURES,
    REPORT,
    SWEEP,
    SWEEP_TABLE,
    UPLOADED,
    UPLOADING,
)
from qaexp.runs.manifest import read_manifest
from qaexp.runs.readers.folder import look, real_path
from qaexp.runs.uploaded import Marker, Stored, read_marker
from qaexp.storage.files import TEMP_PREFIX
from qaexp.storage.reading import opened_file
from qaexp.storage.store import CHUNK_BYTES, Store
from qaexp.storage.vouched import sha256_of

_LEFT_OUT = (LOCK, CHECKPOINTS, OUTPUT_LOG)
"""What holds no results: it is of use to a run alone, or its process may still write it."""

_TOLD_EVERY = 16
"""So many small files are uploaded again at most when an upload is killed."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What an upload did.

    Attributes:
        url: Where the folder is.
        num_files: Files that were uploaded; 0: all were there.
        num_bytes: Their bytes.
    """

    url: str
    num_files: int
    num_bytes: int


def upload_run(directory: Path, store: Store) -> Upload:
    """Upload a completed run to `<store>/<folder>`, or `<store>/<sweep>/<folder>` where it is a sweep's job.

    Args:
        directory: The run directory.
        store: Where to.

    Raises:
        ConfigError: It is no completed run.
        IntegrityError: Its files are not what it wrote; nothing that a reader would find is uploaded.
        StorageError: The store refuses, or has another run of this name.
    """
    folder = look(directory)
    folder.check_completed()
    if folder.problems or folder.lacking or not (directory / MANIFEST).exists():
        about = folder.about or f"it has no {MANIFEST}"
        raise IntegrityError(f"{directory}: is not uploaded, since it is not whole: {about}")
    manifest = {name: Stored(entry["size"], entry["sha256"]) for name, entry in read_manifest(directory).items()}
    others = {name: _described(directory / name) for name in _files_of(directory) if name not in manifest}
    identity = (folder.record or {}).get("identity")
    wanted = Marker(identity if isinstance(identity, str) else None, {**manifest, **others})
    return _upload(directory, store.below(place_of(directory)), wanted, manifest)


def upload_beside(sweep: Path, store: Store) -> Upload:
    """Upload sweep.json, sweep.csv and the comparison of a sweep to `<store>/<sweep>`; raises as `upload_run`."""
    pictures = f"{Path(REPORT).stem}{PICTURES}"
    names = [SWEEP, SWEEP_TABLE, REPORT, *(f"{pictures}/{name}" for name in _files_of(sweep / pictures))]
    files = {name: _described(sweep / name) for name in names if (sweep / name).is_file()}
    return _upload(sweep, store.below(real_path(sweep).name), Marker(None, files), {})


def place_of(directory: Path) -> str:
    """Where below a store's URL a run belongs: its folder, below that of its sweep where it is a job.

    Links are followed, so that it is the same place by whatever path the folder is known.

    Args:
        directory: The run directory; that of a job ends with its run id.
    """
    whole = real_path(directory)
    run_id = str((look(directory).record or {}).get("run_id", ""))
    return f"{whole.parent.name}/{whole.name}" if run_id and whole.name.endswith(f"-{run_id}") else whole.name


def _upload(directory: Path, store: Store, wanted: Marker, vouched: Mapping[str, Stored]) -> Upload:
    """Bring a store to what a folder is.

    Args:
        directory: The folder.
        store: Its place.
        wanted: The files as they are now.
        vouched: Those of them whose bytes must be these.
    """
    sizes = store.sizes()
    there, begun = read_marker(store, UPLOADED, sizes), read_marker(store, UPLOADING, sizes)
    _check_same(store, wanted, there, begun)
    if there is not None and there.files == wanted.files and there.agrees(sizes):
        store.remove(UPLOADING)
        return Upload(store.url, 0, 0)
    known = {**(there.files if there else {}), **(begun.files if begun else {})}
    done = {
        name: stored
        for name, stored in wanted.files.items()
        if known.get(name) == stored and sizes.get(name) == stored.size
    }
    _write(store, UPLOADING, Marker(wanted.identity, done))
    if UPLOADED in sizes:
        store.remove(UPLOADED)
    missing = [name for name in wanted.files if name not in done]
    num_bytes = num_untold = 0
    for name in missing:
        done[name] = _put(directory / name, name, store, vouched.get(name))
        num_bytes, num_untold = num_bytes + done[name].size, num_untold + 1
        if done[name].size > CHUNK_BYTES or num_untold >= _TOLD_EVERY:
            _write(store, UPLOADING, Marker(wanted.identity, done))
            num_untold = 0
    _write(store, UPLOADED, Marker(wanted.identity, done))
    store.remove(UPLOADING)
    return Upload(store.url, len(missing), num_bytes)


def _check_same(store: Store, wanted: Marker, *found: Marker | None) -> None:
    """Refuse to replace another run, as that of another project with the same name.

    Raises:
        StorageError: There is one.
    """
    for marker in found:
        if marker is not None and marker.identity != wanted.identity:
            raise StorageError(
                f"{store.url}: holds another run, with other settings or other data; choose another "
                "reporter.upload_to, or move that one away"
            )


def _put(path: Path, name: str, store: Store, vouched: Stored | None) -> Stored:
    """Upload a file; what it was is what was read.

    Raises:
        IntegrityError: It is not what the manifest says.
    """
    digest, size = hashlib.sha256(), 0
    with _opened(path) as file:

        def read() -> Iterator[bytes]:
            nonlocal size
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        store.write(name, read(), os.fstat(file.fileno()).st_size)
    found = Stored(size, digest.hexdigest())
    if vouched not in (None, found):
        raise IntegrityError(
            f"{path}: its bytes are not what was written ({MANIFEST} has another sha256), so the run is not uploaded; "
            "bring back the run's own file"
        )
    return found


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        with opened_file(path) as file:
            yield file
    except FileNotFoundError as error:
        raise IntegrityError(f"{path}: was taken away while the run was uploaded; bring it back") from error


def _write(store: Store, name: str, marker: Marker) -> None:
    data = marker.encoded()
    store.write(name, [data], len(data))


def _described(path: Path) -> Stored:
    return Stored(path.stat().st_size, sha256_of(path))


def _files_of(directory: Path) -> Iterator[str]:
    """The names of a folder's files, without links and what is left out."""
    for folder, folders, names in os.walk(directory):
        below = Path(folder).relative_to(directory)
        folders[:] = sorted(
            name for name in folders if not name.startswith(TEMP_PREFIX) and (below / name).as_posix() not in _LEFT_OUT
        )
        for name in sorted(names):
            inner = (below / name).as_posix()
            is_left_out = name.startswith(TEMP_PREFIX) or inner in (*_LEFT_OUT, UPLOADED, UPLOADING)
            if not is_left_out and not (directory / inner).is_symlink():
                yield inner
