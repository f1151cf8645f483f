"""A model that was exported as a graph: onnxruntime or OpenVINO computes with it, and torch is not needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaexp.errors import ConfigError, IntegrityError
from qaexp.model.folder import WEIGHTS, hash_file
from qaexp.model.openvino_module import openvino_module
from qaexp.model.plain_tokenizer import PlainTokenizer, open_plain_tokenizer
from qaexp.storage.reading import read_small

# The file that a folder of each format is known by, and how what runs it is installed.
GRAPHS = {"onnx": "model.onnx", "openvino": "openvino_model.xml"}
RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino"}
# What an export says of itself: its `files` have the sha256 of each.
ABOUT = "export.json"
_OUTPUTS = ("start_logits", "end_logits")
# Files that decide an answer; a card may be edited.
_VOUCHED = (".onnx", ".data", ".xml", ".bin", ".safetensors", "tokenizer.json", "config.json", "qaexp.json")

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Run = Callable[[Mapping[str, Ints]], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """A graph that is ready to compute.

    Attributes:
        format: `onnx` or `openvino`.
        input_names: The arrays that it takes, int64 [batch, length] each.
        run: From these arrays, by name, to the start and the end logits, float32 [batch, length] each.
    """

    format: str
    input_names: tuple[str, ...]
    run: Run


@dataclass(frozen=True, slots=True)
class LoadedExport:
    """An exported model with its tokenizer, in the form of `LoadedModel`."""

    model: ExportedModel
    tokenizer: PlainTokenizer
    source: dict[str, Any]

    @property
    def with_token_types(self) -> bool:
        """Does the model tell question and context apart by token_type_ids?"""
        return "token_type_ids" in self.model.input_names


def export_format(folder: Path) -> str | None:
    """The format of a folder that holds a graph; None of any other, and where weights of torch are beside it."""
    if (folder / WEIGHTS).is_file():
        return None
    return next((name for name, file in GRAPHS.items() if (folder / file).is_file()), None)


def open_export(folder: Path, settings: Mapping[str, Any]) -> LoadedExport:
    """Open a folder that `qaexp export` wrote, in a format of graphs.

    Args:
        folder: One of which `export_format` knows the format.
        settings: Its `qaexp.json`, whose `tokenizer` says what its tokenizer.json does not.

    Raises:
        ConfigError: What runs it is not installed, or the folder was not made by `qaexp export`.
        IntegrityError: The graph cannot be read, or is not the one that was exported.
    """
    format = export_format(folder)
    assert format is not None, folder
    about = settings.get("tokenizer")
    if not isinstance(about, dict):
        raise ConfigError(
            f"{folder}: its qaexp.json does not say how its tokenizer frames texts; make the folder with "
            f"qaexp export RUN --to DIR --format {format}"
        )
    tokenizer = open_plain_tokenizer(folder, about)
    try:
        model = _OPENERS[format](folder / GRAPHS[format])
    except ImportError as error:
        raise ConfigError(
            f"{folder} holds a model in the format {format}, and {RUNTIMES[format]} is not installed: pip install "
            f"{RUNTIMES[format]}"
        ) from error
    unknown = set(model.input_names) - {"input_ids", "attention_mask", "token_type_ids"}
    if unknown or "input_ids" not in model.input_names:
        raise IntegrityError(
            f"{folder / GRAPHS[format]} takes {', '.join(model.input_names)}, and qaexp gives input_ids, "
            "attention_mask and token_type_ids; export the model again"
        )
    return LoadedExport(model, tokenizer, {"checkpoint": str(folder), "kind": "local", "fresh_weights": []})


def check_export(folder: Path, settings: Mapping[str, Any]) -> None:
    """Hold the files that decide answers against what the export wrote; other folders are not looked at.

    Args:
        folder: A model folder.
        settings: Its qaexp.json, whose `exported` says that it is a finished export.

    Raises:
        IntegrityError: Some are others, or are missing; every one is named. Or the file that says so is missing.
    """
    about, problem = read_small(folder / ABOUT)
    if problem:
        raise IntegrityError(f"{problem}; export the model again")
    files = (about or {}).get("files")
    if not isinstance(files, dict) or not files:
        if not settings.get("exported"):
            return
        raise IntegrityError(f"{folder / ABOUT} is missing or empty, and it vouches for the model; export it again")
    problems = []
    for name, stated in files.items():
        wanted = stated.get("sha256") if isinstance(stated, dict) else None
        path = folder / name
        if wanted is None or not name.endswith(_VOUCHED) or path.parent != folder:
            continue
        if not path.is_file():
            problems.append(f"{path} is missing; export the model again")
        elif hash_file(path) != wanted:
            problems.append(f"{path} is not the file that was exported; export the model again{_instead(name)}")
    if problems:
        raise IntegrityError(*problems)


def _instead(name: str) -> str:
    """What else there is than to edit a file."""
    return ", and give another threshold as --null-threshold or null_threshold=" if name == "qaexp.json" else ""


def num_threads() -> int:
    """How many threads compute: OMP_NUM_THREADS, which torch and OpenVINO heed by themselves; 0: the runtime's own."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() else 0


def _open_onnx(file: Path) -> ExportedModel:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no class of their own
        raise _unreadable(file, error) from error
    _check_outputs(file, [output.name for output in session.get_outputs()])

    def run(inputs: Mapping[str, Ints]) -> tuple[Floats, Floats]:
        start, end = session.run(_OUTPUTS, dict(inputs))
        return start, end

    return ExportedModel("onnx", tuple(one.name for one in session.get_inputs()), run)


def _open_openvino(file: Path) -> ExportedModel:
    openvino = openvino_module()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads := num_threads():
        settings["INFERENCE_NUM_THREADS"] = str(threads)
    try:
        compiled = openvino.Core().compile_model(str(file), "CPU", settings)
    except Exception as error:  # its errors are plain RuntimeErrors
        raise _unreadable(file, error) from error
    _check_outputs(file, [name for output in compiled.outputs for name in output.names])

    def run(inputs: Mapping[str, Ints]) -> tuple[Floats, Floats]:
        found = compiled(dict(inputs))
        start, end = (np.asarray(found[name]) for name in _OUTPUTS)
        return start, end

    return ExportedModel("openvino", tuple(one.any_name for one in compiled.inputs), run)


def _check_outputs(file: Path, names: list[str]) -> None:
    if not set(_OUTPUTS) <= set(names):
        raise IntegrityError(f"{file} gives {', '.join(names)}, not {' and '.join(_OUTPUTS)}; export the model again")


def _unreadable(file: Path, error: Exception) -> IntegrityError:
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return IntegrityError(f"{file} cannot be opened ({line:.200}); export the model again")


_OPENERS: Mapping[str, Callable[[Path], ExportedModel]] = {"onnx": _open_onnx, "openvino": _open_openvino}
