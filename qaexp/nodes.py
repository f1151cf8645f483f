"""The public addresses of what a config builds: YAML names `qaexp.nodes.X`, and X may live in any module, and move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qaexp.faces import face

_HOMES = {
    "DataPipeline": "qaexp.data.pipeline",
    "Checkpoint": "qaexp.model.checkpoint",
    "Muon": "qaexp.training.optim",
    "constant": "qaexp.training.schedules",
    "cosine": "qaexp.training.schedules",
    "linear": "qaexp.training.schedules",
    "Trainer": "qaexp.training.loop",
    "Reporter": "qaexp.reporting.reporter",
    "TensorBoard": "qaexp.experiment.trackers",
}
__getattr__, __dir__ = face(__name__, _HOMES)

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
"""Public address to the one that configs named before there were any. Run ids are made of these: never change them."""

_PUBLIC = {former: public for public, former in _FORMER.items()}


def public(name: Any) -> Any:
    """The address that names the same today; what is none of ours is returned as it is.

    >>> public("qaexp.training.loop.Trainer"), public("torch.optim.SGD")
    ('qaexp.nodes.Trainer', 'torch.optim.SGD')
    """
    return _PUBLIC.get(name, name) if isinstance(name, str) else name


def former(name: Any) -> Any:
    """The address that stands for this one in a run's identity.

    >>> former("qaexp.nodes.Trainer"), former("mine.Trainer")
    ('qaexp.training.loop.Trainer', 'mine.Trainer')
    """
    return _FORMER.get(name, name) if isinstance(name, str) else name


def with_public(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a config in which each node has the address of today."""
    return _renamed(config, public)


def with_former(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a config in which each node has the address that identities are made of."""
    return _renamed(config, former)


def _renamed(config: Mapping[str, Any], name_of: Callable[[Any], Any]) -> dict[str, Any]:
    return {
        key: name_of(value) if key == "_target_" else _renamed(value, name_of) if isinstance(value, Mapping) else value
        for key, value in config.items()
    }
