"""A model as a graph of ONNX or OpenVINO, made by the exporters of transformers."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import torch

from qaexp.errors import ConfigError, StorageError, of_the_system
from qaexp.export.needs import HF, INT8, ONNX
from qaexp.model.exported import GRAPHS
from qaexp.model.loading import quiet
from qaexp.model.openvino_module import forbid_telemetry


def write_graph(
    model: torch.nn.Module, inputs: Mapping[str, torch.Tensor], folder: Path, format: str, quantize: str | None
) -> None:
    """Write a model's graph, with batch and length left open.

    Args:
        model: It returns start and end logits, and has a `config`.
        inputs: A batch as the model takes it, of any size.
        folder: Where its files are put.
        format: `onnx` or `openvino`.
        quantize: `int8`, or None.

    Raises:
        ConfigError: The exporter cannot do this type of model.
        StorageError: The disk is full.
    """
    model_type = str(getattr(model.config, "model_type", type(model).__name__))
    with unheard():
        exporter, config = _exporter(format, quantize)
        try:
            program = exporter.export(model, dict(inputs), config).program
        except Exception as error:  # tracing a foreign architecture may raise anything
            refuse(model_type, format, error)
        try:
            exporter.save_program(program, folder / GRAPHS[format])
        except Exception as error:  # OpenVINO raises its own types, even when the disk is full
            raise StorageError(
                f"{folder}: the graph cannot be written ({_first_line(error)}); free space, then run the same command "
                "again"
            ) from error


def refuse(model_type: str, format: str, error: Exception) -> NoReturn:
    """Say that a type of model cannot be exported.

    Raises:
        ConfigError: Always, unless the system refused something: then the error itself.
    """
    if of_the_system(error) is not None:
        raise error
    raise ConfigError(
        f"--format {format}: a model of the type {model_type} cannot be written: transformers' exporter or the engine "
        f"fails on it ({_first_line(error)}); --format {HF} holds every model"
    ) from error


def _exporter(format: str, quantize: str | None) -> tuple[Any, Any]:
    """What writes a format.

    Raises:
        ConfigError: Its packages do not fit together.
    """
    try:
        return _imported(format, quantize)
    except ImportError as error:
        raise ConfigError(
            f"--format {format}: transformers' exporter cannot be imported with the packages installed here "
            f"({_first_line(error)}); pip install -U 'qaexp[export]'"
        ) from error


def _imported(format: str, quantize: str | None) -> tuple[Any, Any]:
    forbid_telemetry()  # the exporters import openvino, whatever the format is
    exporters: Any = import_module("transformers.exporters")
    if format == ONNX:
        is_int8 = quantize == INT8
        quantizer = exporters.OnnxRuntimeQuantizer(exporters.OnnxRuntimeDynamicConfig()) if is_int8 else None
        return exporters.OnnxExporter(), exporters.OnnxConfig(dynamic=True, quantizer=quantizer)
    return exporters.OpenVINOExporter(), exporters.OpenVINOConfig(dynamic=True)


@contextmanager
def unheard() -> Iterator[None]:
    """Keep what libraries print and log off the screen; what they raise is heard."""
    handlers, disabled = logging.root.handlers[:], logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with quiet(), warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        # onnxruntime logs by `logging.warning`, which puts a handler to the stream that is thrown away.
        logging.root.handlers[:] = handlers


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]:.160}".rstrip(". ") if lines else type(error).__name__
