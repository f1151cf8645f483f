"""The public addresses of what a config builds: YAML names `qaexp.nodes.X`, and X may live in any module, and move."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def face(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package.

    Args:
        package: Its name.
        homes: Each public name with the module that it lives in.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        plain = [name for name in vars(sys.modules[package]) if name.startswith("__") and name.endswith("__")]
        return sorted({*homes, *plain})

    return find, names


_TARGET = "_target_"
_HOMES = {
    "BatchPlan": "qaexp.data.batches",
    "DataPipeline": "qaexp.data.pipeline",
    "Decoding": "qaexp.evaluation.question_set",
    "Windows": "qaexp.data.windowing",
    "Checkpoint": "qaexp.model.checkpoint",
    "Muon": "qaexp.training.optim",
    "constant": "qaexp.training.schedules",
    "cosine": "qaexp.training.schedules",
    "linear": "qaexp.training.schedules",
    "Trainer": "qaexp.training.loop",
    "Reporter": "qaexp.reporting.reporter",
    "MLflow": "qaexp.experiment.tracking.mlflow",
    "TensorBoard": "qaexp.experiment.tracking.tensorboard",
    "Trackio": "qaexp.experiment.tracking.trackio",
    "Wandb": "qaexp.experiment.tracking.wandb",
}
__getattr__, __dir__ = face(__name__, _HOMES)

# Public address to the one that configs named before there were any. Run ids are made of these: never change them.
_FORMER = {
    "qaexp.nodes.DataPipeline": "qaexp.data.pipeline.DataPipeline",
    "qaexp.nodes.Checkpoint": "qaexp.model.Checkpoint",
    "qaexp.nodes.Muon": "qaexp.training.optim.Muon",
    "qaexp.nodes.constant": "qaexp.training.schedules.constant",
    "qaexp.nodes.cosine": "qaexp.training.schedules.cosine",
    "qaexp.nodes.linear": "qaexp.training.schedules.linear",
    "qaexp.nodes.Trainer": "qaexp.training.loop.Trainer",
    "qaexp.nodes.Reporter": "qaexp.reporting.reporter.Reporter",
    "qaexp.nodes.TensorBoard": "qaexp.reporting.trackers.TensorBoard",
}

# Nodes whose own address is written nowhere: configs had none there before another one could be named.
UNNAMED = {
    "batches": "qaexp.nodes.BatchPlan",
    "features": "qaexp.nodes.Windows",
    "decoding": "qaexp.nodes.Decoding",
}

# What is written nowhere, by node: those addresses, and the value that a key stood for before it was one.
_UNWRITTEN = {name: (_TARGET, address) for name, address in UNNAMED.items()} | {"trainer": ("attention", "plain")}

_PUBLIC = {former: public for public, former in _FORMER.items()}


def public(name: Any) -> Any:
    """The address that names the same today; a name that is not ours is returned as it is.

    >>> public("qaexp.training.loop.Trainer"), public("torch.optim.SGD")
    ('qaexp.nodes.Trainer', 'torch.optim.SGD')
    """
    return _PUBLIC.get(name, name) if isinstance(name, str) else name


def former(name: Any) -> Any:
    """The address used for this one in a run's identity.

    >>> former("qaexp.nodes.Trainer"), former("mine.Trainer")
    ('qaexp.training.loop.Trainer', 'mine.Trainer')
    """
    return _FORMER.get(name, name) if isinstance(name, str) else name


def with_public(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a config in which each node has the address of today."""
    return _renamed(config, public)


def without_unnamed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a config as runs store it.

    >>> without_unnamed({"decoding": {"_target_": "qaexp.nodes.Decoding", "n_best_size": 20}})
    {'decoding': {'n_best_size': 20}}
    """
    return {
        name: {key: value for key, value in node.items() if (key, value) != _UNWRITTEN[name]}
        if name in _UNWRITTEN and isinstance(node, Mapping)
        else node
        for name, node in config.items()
    }


def with_unwritten(config: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `without_unnamed`: a stored config with what is written nowhere.

    >>> with_unwritten({"trainer": {"epochs": 2}})
    {'trainer': {'attention': 'plain', 'epochs': 2}}
    """
    return {
        name: dict([_UNWRITTEN[name], *node.items()]) if name in _UNWRITTEN and isinstance(node, Mapping) else node
        for name, node in config.items()
    }


def with_former(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a config in which each node has the address that identities are made of."""
    return _renamed(without_unnamed(config), former)


def _renamed(config: Mapping[str, Any], name_of: Callable[[Any], Any]) -> dict[str, Any]:
    return {
        key: name_of(value) if key == _TARGET else _renamed(value, name_of) if isinstance(value, Mapping) else value
        for key, value in config.items()
    }
