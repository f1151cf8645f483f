"""What a format needs beside qaexp itself: looked for before any work is done, and named when it is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from qaexp.errors import ConfigError
from qaexp.runs.writing.environment import package_versions

HF, ONNX, OPENVINO = "hf", "onnx", "openvino"
INT8 = "int8"

_PACKAGES: Mapping[str, Sequence[str]] = {
    HF: (),
    ONNX: ("onnx", "onnxscript", "onnxruntime"),
    OPENVINO: ("openvino",),
}
FORMATS = tuple(_PACKAGES)
_EXPORTERS = "transformers.exporters"
# The first release of transformers whose exporters were tried.
_TRANSFORMERS = "5.24"


def check_needs(format: str, quantize: str | None) -> None:
    """Check that a format can be written here.

    Args:
        format: One of `FORMATS`.
        quantize: `int8`, or None.

    Raises:
        ConfigError: The format has no such quantization, or a package is missing; it says how it is installed.
    """
    if quantize is not None and format != ONNX:
        raise ConfigError(f"--quantize {quantize} is of --format {ONNX}, not of {format}; leave it out, or take {ONNX}")
    missing = [name for name in _PACKAGES[format] if find_spec(name) is None]
    if missing:
        verb = "package {}, which is" if len(missing) == 1 else "packages {}, which are"
        raise ConfigError(
            f"--format {format} needs the {verb.format(' and '.join(missing))} not installed; "
            "pip install 'qaexp[export]'"
        )
    if format != HF and find_spec(_EXPORTERS) is None:
        installed = package_versions(["transformers"])["transformers"]
        raise ConfigError(
            f"--format {format} needs {_EXPORTERS}, which transformers {installed} does not have; "
            f"pip install -U 'transformers>={_TRANSFORMERS}'"
        )


def versions(format: str) -> Mapping[str, Any]:
    """The versions of the packages that made a folder of a format."""
    return package_versions(("qaexp", "torch", "transformers", *_PACKAGES[format]))
