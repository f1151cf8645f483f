"""A model made ready to answer: opened, on its device, in its number format, by torch or as an exported graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.config.checks.positions import position_limit
from qaexp.errors import ConfigError
from qaexp.errors.advice import spoken_by_python
from qaexp.evaluation.batchwise import CPU_BUDGET
from qaexp.model.exported import check_export, export_format, open_export
from qaexp.reporting.terminal.printing import complain
from qaexp.storage.reading import read_small

_CONFIG = "config.json"


@dataclass(frozen=True, slots=True)
class Opened:
    """What a question set is answered with.

    Attributes:
        loaded: The model with its tokenizer: a `LoadedModel`, or a `LoadedExport`.
        device: Where it computes; a torch.device, or `cpu` for an exported graph.
        precision: The number format: fp32, bf16 or fp16.
        autocast: Makes the context of a forward pass.
        token_budget: Tokens of a batch.
        position_limit: Tokens of the longest row that the model takes; None: not known.
    """

    loaded: Any
    device: Any
    precision: str
    autocast: Callable[[], AbstractContextManager[Any]]
    token_budget: int
    position_limit: int | None


def opened(folder: Path, settings: Mapping[str, Any], *, device: str, precision: str) -> Opened:
    """Open the model of a folder.

    Args:
        folder: A model folder, in the format of transformers or an export of `qaexp export`.
        settings: Its qaexp.json.
        device: The device; auto: a GPU if there is one.
        precision: fp32, bf16 or fp16; auto: bf16 where the device computes in it at full speed, else fp32.

    Raises:
        ConfigError: The folder holds no model, its model was never trained to answer questions, what runs it is not
            installed, or the device is not there or does not compute in this format.
        IntegrityError: The model was changed since it was written.
    """
    check_export(folder, settings)
    format = export_format(folder)
    if format is None:
        return opened_checkpoint(str(folder), device=device, precision=precision)
    for name, given, only in (("device", device, "cpu"), ("precision", precision, "fp32")):
        if given not in ("auto", only):
            raise ConfigError(
                f"{name} is {given}, but {folder} holds a model in the format {format}, which computes on the CPU in "
                "the numbers that it was exported in; leave it out, or answer with the run or an export in hf"
            )
    architecture, _ = read_small(folder / _CONFIG)
    limit = position_limit(architecture or {})
    return Opened(open_export(folder, settings), "cpu", "fp32", nullcontext, CPU_BUDGET, limit)


def opened_checkpoint(checkpoint: str, *, device: str, precision: str, revision: str | None = None) -> Opened:
    """Open a model of torch by the name of its checkpoint: a folder, a hub id or `package://...`.

    Other arguments, and what is raised, as for `opened`.
    """
    _check_torch(checkpoint)
    from qaexp.model import Checkpoint

    place = _device(device)
    chosen = _precision(precision, place)
    named = Checkpoint(checkpoint=checkpoint, revision=revision)
    loaded = named.load(seed=0)
    if fresh := loaded.source["fresh_weights"]:
        raise ConfigError(
            f"{checkpoint} has no weights for {', '.join(fresh)}, and answers would be random; give a "
            "model that was trained to answer questions, or train it first: qaexp train model.checkpoint=..."
        )
    return ready(loaded, place, chosen, position_limit(named.architecture()))


def _check_torch(checkpoint: str) -> None:
    try:
        import torch  # noqa: F401 - whether it can be
        import transformers  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"{checkpoint} is answered with torch and transformers, of which one cannot be imported ({error}): pip "
            "install torch transformers, or answer with an export in onnx or openvino"
        ) from error


def opened_model(model: Any, tokenizer: Any, *, device: str, precision: str) -> Opened:
    """Take a model of transformers that is in memory; it is moved to the device.

    Args:
        model: A `PreTrainedModel` with a question-answering head.
        tokenizer: Its fast tokenizer.
        device: As for `opened`; auto: where the model is.
        precision: As for `opened`.

    Raises:
        ConfigError: It is no such model or tokenizer, or the device is not there.
    """
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from qaexp.model import LoadedModel

    if not isinstance(model, PreTrainedModel) or not hasattr(model, "qa_outputs"):
        raise ConfigError(
            f"model is a {type(model).__name__}, it must be a model of transformers for question answering"
        )
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ConfigError(f"tokenizer is a {type(tokenizer).__name__}, it must be a fast tokenizer of transformers")
    place = model.device if device == "auto" else _device(device)
    return ready(LoadedModel(model, tokenizer, {}), place, _precision(precision, place), None)


def ready(loaded: Any, device: Any, precision: str, position_limit: int | None) -> Opened:
    """Put a model of torch where it computes.

    Args:
        loaded: A `LoadedModel`.
        device: The torch.device.
        precision: fp32, bf16 or fp16.
        position_limit: Tokens of the longest row that the model takes; None: not known.
    """
    from qaexp.evaluation.predict import budget_on
    from qaexp.model.placing import place
    from qaexp.training.number_formats import autocast_in

    place(loaded.model, device)
    return Opened(loaded, device, precision, autocast_in(precision, device), budget_on(device), position_limit)


def _device(device: str) -> Any:
    from qaexp.training.precision import choose_device

    with spoken_by_python("Predictor"):
        return choose_device(device)


def _precision(precision: str, device: Any) -> str:
    """The number format; one that is slow there is named once."""
    from qaexp.training.number_formats import choose_precision, slowness

    with spoken_by_python("Predictor"):
        chosen = choose_precision(precision, device)
    if slow := slowness(chosen, device):
        complain(slow)
    return chosen
