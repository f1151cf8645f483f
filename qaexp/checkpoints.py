"""Between run and training: all that a run must remember to go on is stored, and put back where it belongs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaexp.config.schema import ExperimentConfig
from qaexp.data.squad import Example
from qaexp.errors import ConfigError, DivergedError, Stopped
from qaexp.results import Recorder
from qaexp.runs.checkpoint import Content
from qaexp.runs.directory import DIVERGED, METRICS
from qaexp.runs.reading import read_json, read_json_lines
from qaexp.runs.run import Run
from qaexp.runs.signals import deferred
from qaexp.training.clock import Clock
from qaexp.training.processes import agreed_object
from qaexp.training.selection import Selection
from qaexp.training.state import TrainState
from qaexp.training.tensors import join_tree, json_file, read_tensors, split_tree, tensor_file

MODEL_FILE, BEST_FILE = "model.safetensors", "best.safetensors"
OPTIMIZER_FILE, STATE_FILE = "optimizer.safetensors", "state.json"


class Checkpoints:
    """Stores a training in the run's checkpoints, and brings it back to where the newest one stands."""

    def __init__(
        self,
        config: ExperimentConfig,
        run: Run,
        state: TrainState,
        selection: Selection,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        """Take all that changes while a run trains, and the run that holds the checkpoints."""
        self._keeps_best = config.trainer.keep == "best"
        self._run, self._state, self._selection = run, state, selection
        self._recorder, self._clock = recorder, clock
        run.set_progress(total_steps=state.setup.total_steps)

    def store(self) -> None:
        """Commit a checkpoint of the training as it stands, unless this step has one.

        Raises:
            StorageError: It cannot be written; the one before it still stands.
            ConfigError: The optimizer keeps something that cannot be stored.
        """
        state = self._state
        if state.stored_step == state.step:
            return
        with deferred():
            self._run.store(state.step, self._contents(), best_step=self._best_step())
            state.stored_step = state.step

    def _contents(self) -> dict[str, Content]:
        """The files of a checkpoint by name."""
        found = self._state.state_dict()
        weights = found.pop("model")
        tensors, tree = split_tree(
            {
                "training": found,
                "selection": self._selection.state_dict(),
                "history": self._recorder.history,
                "seconds": {"train": self._clock.train_seconds, "eval": self._clock.eval_seconds},
                "elapsed_seconds": self._run.elapsed_seconds,
            }
        )
        best = self._selection.best_weights(self._state)
        return {
            MODEL_FILE: tensor_file(weights, {"format": "pt"}),
            OPTIMIZER_FILE: tensor_file(tensors),
            STATE_FILE: json_file(tree),
            **({BEST_FILE: tensor_file(best, {"format": "pt"})} if best is not None else {}),
        }

    def _best_step(self) -> int | None:
        return self._selection.best_step if self._keeps_best else None

    def restore(self) -> None:
        """Go back to where the run's checkpoint stands; do nothing where it has none.

        Raises:
            ConfigError: It does not fit the model or the optimizer (after `trainer.allow_drift`).
        """
        checkpoint = self._run.checkpoint
        folder = agreed_object(checkpoint.path if checkpoint else None)
        if folder is None:
            return
        tree = join_tree(read_tensors(folder / OPTIMIZER_FILE), read_json(folder / STATE_FILE))
        best = read_tensors(folder / BEST_FILE) if (folder / BEST_FILE).exists() else None
        try:
            self._state.load_state_dict({**tree["training"], "model": read_tensors(folder / MODEL_FILE)})
            self._selection.load_state_dict(tree["selection"], best, self._state)
        except (RuntimeError, ValueError, KeyError) as error:
            problem = str(error).splitlines()[0]
            raise ConfigError(
                f"{folder}: does not fit this model and optimizer ({problem}); take another name="
            ) from error
        self._run.go_back(tree["history"])
        self._clock.train_seconds, self._clock.eval_seconds = tree["seconds"]["train"], tree["seconds"]["eval"]
        self._run.add_elapsed(tree["elapsed_seconds"])
        metrics = self._run.directory / METRICS
        self._recorder.resume(read_json_lines(metrics).rows if metrics.exists() else [], tree["history"])

    @contextmanager
    def guarded(self, examples: Sequence[Example], example_index: NDArray[np.integer[Any]]) -> Iterator[None]:
        """Store the training when a signal stops the body; note what a step had read that was not finite.

        Args:
            examples: The training examples.
            example_index: For each training feature, the place of its example.
        """
        try:
            yield
        except Stopped as stop:
            # Half a step must not be stored: a training that goes on from it would have other bytes.
            if not stop.is_abrupt:
                self.store()
            raise
        except DivergedError as error:
            if error.step is not None:
                ids = [examples[int(example_index[feature])].id for feature in error.features]
                self._run.write_json(DIVERGED, _batch(error, ids))
            raise


def _batch(error: DivergedError, ids: Sequence[str]) -> Mapping[str, Any]:
    """The content of diverged.json: what the step had read, so that it can be looked at and taken again."""
    return {"step": error.step, "epoch": error.epoch, "example_ids": list(ids), "features": list(error.features)}
