"""The package openvino without its telemetry, which writes into the home folder and sends events over the network."""

from __future__ import annotations

import sys
from typing import Any


def openvino_module() -> Any:
    """Import openvino, so that nothing is sent and nothing is written by that.

    Raises:
        ImportError: It is not installed, or does not work here.
    """
    forbid_telemetry()
    import openvino

    return openvino


def forbid_telemetry() -> None:
    """Let openvino send nothing, whoever imports it from now on in this process.

    Its tools send an event when they are imported and with each conversion, unless a file in the home folder forbids
    it. Where the package that sends them cannot be imported, they send nothing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
