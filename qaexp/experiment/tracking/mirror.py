"""Completed runs and the comparison of a sweep, sent to a tracker afterwards from their files alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.experiment.tracking.about import About, about_run
from qaexp.experiment.tracking.mlflow import MLflow
from qaexp.experiment.tracking.packaged import PackagedTracker
from qaexp.experiment.tracking.replay import replay_records
from qaexp.experiment.tracking.tensorboard import TensorBoard
from qaexp.experiment.tracking.trackio import Trackio
from qaexp.experiment.tracking.wandb import Wandb
from qaexp.runs.directory import TENSORBOARD
from qaexp.runs.readers.collect import RunFiles


@dataclass(frozen=True, slots=True)
class Destination:
    """A tracker that runs are mirrored into.

    Attributes:
        kind: What makes it, its class.
        keywords: What it takes beside the name of a project.
        project: The keyword for that name; None where there is none.
        opened: What shows it, with `{}` for the name of the project.
    """

    kind: Callable[..., PackagedTracker]
    keywords: Mapping[str, Any]
    project: str | None
    opened: str


# By the word that names it.
DESTINATIONS = {
    "mlflow": Destination(MLflow, {}, "experiment", "mlflow ui shows them"),
    "tensorboard": Destination(
        TensorBoard, {"folder": TENSORBOARD}, None, f"tensorboard --logdir {TENSORBOARD} shows them"
    ),
    "trackio": Destination(Trackio, {}, "project", "trackio show --project {} shows them"),
    "wandb": Destination(Wandb, {}, "project", "wandb sync wandb/offline-run-* takes them to a server"),
}


def tracker_of(destination: Destination, project: str) -> PackagedTracker:
    """A tracker that has not started."""
    named = {destination.project: project} if destination.project else {}
    return destination.kind(**destination.keywords, **named)


def mirror_run(run: RunFiles, tracker: PackagedTracker) -> bool:
    """Send a completed run; what the tracker has already it is not sent.

    Args:
        run: Its files.
        tracker: One that has not started.

    Returns:
        Whether anything was sent: False where the tracker had all of it.
    """
    tracker.start(run.path, run.config, 0)
    if not tracker.was_complete:
        replay_records(run, tracker)
        tracker.finish(run.summary)
    return not tracker.was_complete


def about(run: RunFiles) -> About:
    """A run as trackers know it."""
    return about_run(run.path, run.config)


def sweep_directory(run: RunFiles) -> Path | None:
    """The directory of the sweep that a run belongs to; None for a single run."""
    if not about(run).sweep:
        return None
    return run.path.resolve().parent if run.path.name in ("", "..") else run.path.parent
