"""The node `trainer`: a training loop that yields records and knows nothing of files, metrics or the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from qaexp.config.checks.ranges import range_problems
from qaexp.config.checks.trainer import trainer_problems
from qaexp.config.schema import TrainerConfig
from qaexp.config.settings import settings_of
from qaexp.errors import ConfigError, DataError
from qaexp.model.placing import place
from qaexp.storage.signals import deferred
from qaexp.training.attention_choice import PLAIN, choose_attention
from qaexp.training.dropout_masks import DropoutMasks
from qaexp.training.feed import Feed
from qaexp.training.masked_dropout import use_masks
from qaexp.training.number_formats import choose_precision
from qaexp.training.optim import make_optimizer
from qaexp.training.precision import check_enough, choose_device, make_accelerator
from qaexp.training.processes import connect, stop_together
from qaexp.training.records import CheckpointDue, EvaluationDue, StepRecord
from qaexp.training.schedules import Horizon
from qaexp.training.state import Setup, TrainState, finite_or_none, new_sums
from qaexp.training.step import take_step

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from qaexp.data.batches import BatchPlan
    from qaexp.data.features import Features
    from qaexp.data.ondisk.features import StoredFeatures
    from qaexp.model import LoadedModel


class Trainer:
    """How weights are trained; the keywords are the keys of the config's node `trainer`, explained in conf/trainer.

    Keys that the loop does not use are for the code that consumes `train`: early stopping is a `break`, keeping weights
    is a `snapshot`, profiling is a callback after each step.

    Attributes:
        settings: All keys; those that were not given have their value from conf/trainer/default.yaml.
        device: The device that is used.
        precision: fp32, bf16 or fp16.
    """

    def __init__(self, **settings: Any) -> None:
        """Take the keys of the node.

        Raises:
            ConfigError: A key is unknown, a value is not legal, or the device is missing.
        """
        self.settings = settings_of(TrainerConfig, "trainer", settings)
        if problems := [*range_problems(self.settings, TrainerConfig, "trainer."), *trainer_problems(self.settings)]:
            raise ConfigError(*problems)
        self.device = choose_device(self.settings.device)
        check_enough(self.device, self.settings.processes)
        self.precision = choose_precision(self.settings.precision, self.device)

    def prepare(
        self,
        loaded: LoadedModel,
        features: Features | StoredFeatures,
        plan: BatchPlan,
        *,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[..., Callable[[int], float]],
        dropout_seed: int,
    ) -> TrainState:
        """Move everything to the device and return the state before the first step.

        Args:
            loaded: The model is trained in place.
            features: The training features.
            plan: Their order.
            optimizer: The built node `optimizer`; takes parameter groups.
            schedule: The built node `schedule`; takes a `Horizon`.
            dropout_seed: The seed of all dropout.

        Raises:
            ConfigError: A setting does not fit the model or the optimizer.
            DataError: There is nothing to train on.
        """
        settings = self.settings
        if settings.epochs and not len(features):
            raise DataError(
                "training: there are no training features; raise data.train_size or features.null_window_rate"
            )
        accelerator = make_accelerator(self.device, self.precision, deterministic=settings.deterministic)
        connect()
        model = loaded.model
        place(model, accelerator.device)
        self._change(model)
        masks = self._masks(model, dropout_seed)
        forward, made = accelerator.prepare(model, make_optimizer(optimizer, model, layer_decay=settings.layer_decay))
        feed = Feed(features, plan, loaded, accumulation=settings.gradient_accumulation_steps)
        horizon = Horizon(feed.num_steps, epochs=settings.epochs, max_steps=settings.max_steps)
        setup = Setup(accelerator, feed, schedule(horizon), horizon.total, dropout_seed, masks)
        return TrainState(setup, model, forward, made, new_sums(accelerator.device))

    def _change(self, model: Any) -> None:
        if self.settings.gradient_checkpointing:
            if not model.supports_gradient_checkpointing:
                raise ConfigError(f"trainer.gradient_checkpointing: {type(model).__name__} has none; set it to false")
            # Renamed within transformers 5; the first argument of both goes to torch's checkpoint function.
            enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
            enable({"use_reentrant": False})
        if self.settings.compile:
            model.compile(dynamic=True)

    def _masks(self, model: PreTrainedModel, seed: int) -> DropoutMasks | None:
        """Make attention unpadded, where it is to be; returns what all dropout then draws from."""
        if choose_attention(self.settings, self.device, model.config.to_dict).word == PLAIN:
            return None
        masks = DropoutMasks(seed)
        use_masks(model, masks)
        return masks

    def train(
        self, state: TrainState, after_step: Callable[[], None] | None = None
    ) -> Iterator[StepRecord | EvaluationDue | CheckpointDue]:
        """Train from the given state to the end.

        What is due depends on the state alone, so a training that was stored between any two steps resumes exactly.
        The code that writes a record or evaluates may acknowledge it itself (`state.recorded`, `state.evaluated`), so
        that a checkpoint made before the loop continues knows of it; otherwise it counts as done when the loop
        continues.

        Args:
            state: Trained in place.
            after_step: Called after every step.

        Yields:
            A record at every multiple of `log_every` and at the last step; `EvaluationDue` at each epoch's end (or
            each multiple of `eval_every`), and always once at the end, where nothing was trained too; `CheckpointDue`
            at every multiple of `checkpoint_every`, and at epoch ends without an evaluation.

        Raises:
            DivergedError: The loss or its gradient became NaN or infinite; always raised before an evaluation sees it.
            OutOfMemoryError: A single feature does not fit.
            Stopped: A signal asked for it; the state is between two steps.
        """
        settings = self.settings
        while True:
            if self._is_record_due(state):
                yield self._record(state)
                state.recorded()
            if self._is_evaluation_due(state):
                yield self._pause(state)
                state.evaluated()
            if self._is_checkpoint_due(state):
                yield CheckpointDue(state.step)
                state.stored_step = state.step
            if state.is_finished:
                return
            with deferred():
                if state.is_epoch_end:
                    state.next_epoch()
                take_step(state, max_grad_norm=settings.max_grad_norm, max_skipped=max_skipped(settings.on_nan))
            if after_step is not None:
                after_step()
            stop_together()

    def _is_record_due(self, state: TrainState) -> bool:
        return state.recorded_step != state.step and (state.step % self.settings.log_every == 0 or state.is_finished)

    def _is_evaluation_due(self, state: TrainState) -> bool:
        if state.evaluated_step == state.step:
            return False
        if state.is_finished:
            return True
        every = self.settings.eval_every
        return state.is_epoch_end if every is None else state.step > 0 and state.step % every == 0

    def _is_checkpoint_due(self, state: TrainState) -> bool:
        if state.stored_step == state.step or state.step == 0:
            return False
        # When evaluations are at epoch ends, the code that evaluates stores a checkpoint too.
        at_epoch_end = self.settings.eval_every is not None and state.is_epoch_end
        every = self.settings.checkpoint_every
        return at_epoch_end or (every is not None and state.step % every == 0)

    def _record(self, state: TrainState) -> StepRecord:
        found, seen = state.read_sums(), state.record_features
        return StepRecord(
            step=state.step,
            epoch=state.epoch + 1,
            loss=found["record_loss"] / seen if seen else None,
            learning_rate=state.learning_rate(state.step),
            grad_norm=finite_or_none(found["grad_norm"]),
            num_tokens=state.num_tokens,
            num_features=state.num_features,
        )

    def _pause(self, state: TrainState) -> EvaluationDue:
        found, seen = state.read_sums(), state.epoch_features
        return EvaluationDue(
            step=state.step,
            epoch=state.epoch + 1 if state.step else 0,
            train_loss=found["epoch_loss"] / seen if seen else None,
            train_accuracy=100.0 * found["epoch_correct"] / seen if seen else None,
            is_epoch_end=state.is_epoch_end,
            is_last=state.is_finished,
        )


def max_skipped(on_nan: str) -> int:
    """How many steps `trainer.on_nan` allows to be skipped.

    >>> max_skipped("fail"), max_skipped("skip:3")
    (0, 3)
    """
    return int(on_nan.partition(":")[2] or 0)
