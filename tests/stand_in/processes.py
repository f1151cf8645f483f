"""Several processes on the stand-in: accelerate learns that they exchange gradients over gloo."""

from __future__ import annotations

import os
from typing import Any

import torch


def register(device: str) -> None:
    """Let accelerate connect the processes of the device as it connects those of a CPU."""
    from accelerate.state import DistributedType, PartialState

    prepare = PartialState._prepare_backend

    def prepare_backend(self: Any, cpu: bool = False, *rest: Any, **kwargs: Any) -> tuple[str, Any]:
        if cpu or int(os.environ.get("LOCAL_RANK") or -1) == -1:
            found: tuple[str, Any] = prepare(self, cpu, *rest, **kwargs)
            return found
        self.device = torch.device(device, 0)
        return "gloo", DistributedType.MULTI_CPU

    PartialState._prepare_backend = prepare_backend
