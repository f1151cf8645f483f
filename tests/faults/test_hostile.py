"""Files that want to run code, to reach elsewhere, or to eat the memory: refused, and nothing of it happens."""

from __future__ import annotations

import hashlib
import json
import pickle
import resource
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qaexp.errors import ConfigError
from qaexp.model.loading import check_torch_version
from qaexp.runs.kept_checkpoints import find_checkpoints
from qaexp.storage.formats import json_text
from tests.fixtures import drill, tiny_run
from tests.fixtures.canary import Canary
from tests.fixtures.checkpoints import TINY_FOLDER

WORDS = (*tiny_run.DEMO, "threads=1", "trainer.epochs=1", "trainer.checkpoint_every=2")


@pytest.fixture
def stopped(qaexp: Any) -> Path:
    """A run that was killed after its last step: it has checkpoints, and no summary."""
    return drill.stopped_run(qaexp.folder, "stopped", *WORDS)


def sealed(manifest: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite a checkpoint's manifest as one who knows how would."""
    about = json.loads(manifest.read_text())
    del about["sha256"]
    change(about)
    manifest.write_text(json_text({**about, "sha256": hashlib.sha256(json_text(about).encode()).hexdigest()}))


def replaced(file: Path, data: bytes) -> None:
    """Put other bytes into a checkpoint, with a manifest that fits them."""
    file.write_bytes(data)
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    sealed(file.parent / "MANIFEST.json", lambda about: about["files"].update({file.name: entry}))


def only_newest(run: Path) -> Path:
    """Leave one checkpoint."""
    newest, *older = find_checkpoints(run)
    for path in older:
        shutil.rmtree(path)
    return newest


def refused(run: Path, *says: str) -> None:
    """Start the run again in a child of its own; it must refuse."""
    folder = run.parents[1]

    def work() -> int:
        # Address space that a loaded torch needs not more of: a header's claim cannot be believed.
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 300 * 2**20, -1))
        done = tiny_run.call(folder, "train", f"name={run.name}", *WORDS)
        (folder / "outputs" / "err").write_text(done.err)
        return int(done.code)

    code = drill.in_child(work)
    message = (folder / "outputs" / "err").read_text()
    assert code == 8, message
    assert "Traceback" not in message
    assert [part for part in says if part not in message] == [], message


@pytest.mark.fault("X3")
def test_pickles(qaexp: Any, stopped: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    evil = pickle.dumps(Canary(canary))
    newest = only_newest(stopped)
    kept = {path: path.read_bytes() for path in newest.iterdir()}
    for path in kept:
        if path.name != "MANIFEST.json":
            replaced(path, evil)
            refused(stopped, path.name)
            for name, data in kept.items():
                name.write_bytes(data)
    model = tmp_path / "model"
    shutil.copytree(TINY_FOLDER, model)
    for name in ("pytorch_model.bin", "model.pt", "model.safetensors", "training_args.bin"):
        (model / name).write_bytes(evil)
        done = qaexp.call(
            "train", f"name=m-{name.replace('.', '-')}", *WORDS[1:], "model=minilm", f"model.checkpoint={model}"
        )
        assert done.code in (2, 8), (name, done.err)
        (model / name).unlink()
    for path in (qaexp.folder / "cache").rglob("*.safetensors"):
        path.write_bytes(evil)
    done = tiny_run.call(qaexp.folder, "train", "name=cached", *WORDS)
    assert done.code == 0, done.err
    assert not canary.exists()
    with pytest.raises(ConfigError, match=r"torch 2\.9\.1\+cu128 is installed"):
        check_torch_version("2.9.1+cu128")


@pytest.mark.fault("X4")
def test_paths(stopped: Path, tmp_path: Path) -> None:
    newest = only_newest(stopped)
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    manifest = newest / "MANIFEST.json"
    whole = manifest.read_text()
    entry = {"sha256": hashlib.sha256(b"mine").hexdigest(), "size": 4}
    for table in ("files", "records"):
        for name in ("../../../../outside", str(outside), "a/../b", "..\\x", "C:\\x", "."):
            sealed(manifest, lambda about, t=table, n=name: about[t].update({n: entry}))
            refused(stopped, "not a plain file name")
            manifest.write_text(whole)
    moved = tmp_path / "moved"
    shutil.copy(newest / "model.safetensors", moved)
    (newest / "model.safetensors").unlink()
    (newest / "model.safetensors").symlink_to(moved)
    refused(stopped, "not a regular file")
    shutil.move(newest, tmp_path / "elsewhere")
    newest.symlink_to(tmp_path / "elsewhere")
    refused(stopped, "not a folder")
    assert outside.read_bytes() == b"mine"


def tensor_bytes(header: Any, data: bytes = b"", claimed: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if claimed is None else claimed) + text + data


def one(shape: list[int], begin: int, end: int, kind: str = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


BOMBS: dict[str, bytes] = {
    "a header of 100 MB that is claimed": tensor_bytes({}, claimed=100 * 2**20),
    "a header of 2**63": tensor_bytes({}, claimed=2**63),
    "overlapping": tensor_bytes({"a": one([2], 0, 8), "b": one([2], 4, 12)}, bytes(12)),
    "absent bytes": tensor_bytes({"a": one([1000], 0, 4000)}, bytes(8)),
    "shape overflow": tensor_bytes({"a": one([2**62, 2**62], 0, 8)}, bytes(8)),
    "zero size, again and again": tensor_bytes({f"a{n}": one([0, 2**40], 0, 0) for n in range(99)}, bytes(8)),
    "doubled names": tensor_bytes(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        bytes(8),
    ),
    "no weights of this model": tensor_bytes({"a": one([1], 0, 4)}, bytes(4)),
    "not JSON": tensor_bytes(b"{" * 64),
}


@pytest.mark.thorough
@pytest.mark.fault("X5")
def test_headers(stopped: Path) -> None:
    newest = only_newest(stopped)
    kept = {path: path.read_bytes() for path in newest.iterdir()}
    for case, data in BOMBS.items():
        for name in ("model.safetensors", "optimizer.safetensors") if case == "overlapping" else ("model.safetensors",):
            replaced(newest / name, data)
            refused(stopped, newest.name)
            for path, whole in kept.items():
                path.write_bytes(whole)
    replaced(newest / "model.safetensors", tensor_bytes(b" " * (100 * 2**20) + b"{}"))
    refused(stopped, "model.safetensors")
