"""Checkpoints of a run: the training so far as files, and back; the batch of a step that was not finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from qaexp.data.squad import Example
from qaexp.errors import ConfigError, DivergedError, IntegrityError, Stopped
from qaexp.experiment.training_so_far import TrainingSoFar
from qaexp.runs.directory import DIVERGED, METRICS
from qaexp.runs.writing.run import Run
from qaexp.storage.content import Content
from qaexp.storage.reading import read_json, read_json_lines
from qaexp.storage.signals import deferred
from qaexp.training.health import not_finite_advice
from qaexp.training.processes import agreed_object
from qaexp.training.tensors import join_tree, json_file, read_tensors, split_tree, tensor_file

MODEL_FILE, BEST_FILE = "model.safetensors", "best.safetensors"
OPTIMIZER_FILE, STATE_FILE = "optimizer.safetensors", "state.json"


class Checkpoints:
    """Stores a training in the run's checkpoints; a context manager around the training.

    When a signal stops the body, a checkpoint is stored; when it diverges, diverged.json is written.
    """

    def __init__(self, run: Run, so_far: TrainingSoFar, examples: Sequence[Example]) -> None:
        """Take the run that holds the checkpoints, the training they are made from, and its examples."""
        self._run, self._so_far, self._examples = run, so_far, examples

    def __enter__(self) -> Checkpoints:
        """Nothing happens yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Store a training that a signal stopped; write down the batch of a step that was not finite."""
        # Half a step must not be stored: a training resumed from it would have different bytes.
        if isinstance(error, Stopped) and not error.is_abrupt:
            self.store()
        if isinstance(error, DivergedError) and error.step is not None:
            self._run.write_json(DIVERGED, self._batch(error))
            self._run.raise_flag("not_finite", not_finite_advice(), error.step)

    def store(self) -> None:
        """Commit a checkpoint of the training as it is now, unless this step already has one.

        Raises:
            StorageError: It cannot be written; the previous checkpoint is untouched.
            ConfigError: The optimizer holds something that cannot be stored.
            DivergedError: The training is not finite; it is never stored.
        """
        state = self._so_far.state
        if state.stored_step == state.step:
            return
        state.read_sums()
        with deferred():
            self._run.store(state.step, self._contents(), best_step=self._so_far.selection.best_step)
            self._run.set_progress(checkpoint_step=state.step, micro_batch_parts=state.num_parts)
            state.stored_step = state.step

    def restore(self) -> None:
        """Restore the run's checkpoint; without one, nothing happens.

        Raises:
            ConfigError: It does not fit the model or the optimizer, after `trainer.allow_drift`.
            IntegrityError: It does not fit them, or qaexp did not write it.
        """
        checkpoint = self._run.checkpoint
        folder = agreed_object(checkpoint.path if checkpoint else None)
        if folder is None:
            return
        tree = join_tree(read_tensors(folder / OPTIMIZER_FILE), read_json(folder / STATE_FILE))
        weights = read_tensors(folder / MODEL_FILE)
        best = read_tensors(folder / BEST_FILE) if (folder / BEST_FILE).exists() else None
        try:
            self._so_far.load_state_dict(tree, weights, best)
        except (RuntimeError, ValueError, KeyError) as error:
            problem = str(error).splitlines()[0]
            kind = ConfigError if self._run.allows_drift else IntegrityError
            raise kind(f"{folder}: does not fit this model and optimizer ({problem}); take another name=") from error
        if tree["training"]["optimizer"] is None and not self._so_far.is_over:
            raise ConfigError(
                f"{folder}: belongs to a training that had ended, so it has no optimizer state and no step can follow; "
                "take another name= with model.checkpoint=<run>/model"
            )
        self._run.go_back(tree["history"])
        self._run.add_elapsed(tree["elapsed_seconds"])
        metrics = self._run.directory / METRICS
        self._so_far.steps = list(read_json_lines(metrics).rows) if metrics.exists() else []

    def _contents(self) -> dict[str, Content]:
        """The files of a checkpoint by name."""
        weights, best = self._so_far.weights()
        tensors, tree = split_tree(self._so_far.state_dict(self._run.elapsed_seconds))
        return {
            MODEL_FILE: tensor_file(weights, {"format": "pt"}),
            OPTIMIZER_FILE: tensor_file(tensors),
            STATE_FILE: json_file(tree),
            **({BEST_FILE: tensor_file(best, {"format": "pt"})} if best is not None else {}),
        }

    def _batch(self, error: DivergedError) -> Mapping[str, Any]:
        """The content of diverged.json: the batch of the step, so that it can be inspected and replayed."""
        examples = self._so_far.state.setup.feed.features.example_index[list(error.features)]
        return {
            "step": error.step,
            "epoch": error.epoch,
            "example_ids": [self._examples[int(example)].id for example in examples],
            "features": list(error.features),
        }
