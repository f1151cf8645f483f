"""Device and processes of a training: one accelerator for a run, in one number format."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import torch

from qaexp.config.checks.trainer import device_problems
from qaexp.errors import ConfigError
from qaexp.errors.advice import choose_cpu, setting
from qaexp.training.processes import num_processes

if TYPE_CHECKING:
    from accelerate import Accelerator

# cuBLAS is reproducible only with a fixed workspace; it reads this variable when CUDA is first used.
_CUBLAS_WORKSPACE = ":4096:8"


def choose_device(device: str) -> torch.device:
    """Turn `trainer.device` into an existing device.

    Args:
        device: `auto` (cuda, else mps, else cpu), `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        ConfigError: The device does not exist, or one GPU is named for several processes.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    for problem in device_problems(device):
        raise ConfigError(problem)
    kind, _, index = device.partition(":")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if kind == "cuda":
        _check_cuda(device, index)
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ConfigError(f"{setting('trainer.device', device)}, but torch sees no Apple GPU; {choose_cpu()}")
    return torch.device(f"cuda:{index}" if index else kind)


def _check_cuda(device: str, index: str) -> None:
    if not torch.cuda.is_available():
        raise ConfigError(
            f"{setting('trainer.device', device)}, but torch {torch.__version__} sees no CUDA GPU; {choose_cpu()}, or "
            "install a driver and a torch with CUDA"
        )
    if index and int(index) >= torch.cuda.device_count():
        raise ConfigError(
            f"{setting('trainer.device', device)}, but there are only {torch.cuda.device_count()} GPUs; count from 0"
        )
    if index and num_processes() > 1:
        raise ConfigError(
            f"{setting('trainer.device', device)} names one GPU for {num_processes()} processes; choose cuda"
        )


def describe_device(device: torch.device, precision: str) -> dict[str, str | int]:
    """The entry `device` of env.json: device, its name, number format and number of processes."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {"device": str(device), "name": name, "precision": precision, "num_processes": num_processes()}


def make_accelerator(device: torch.device, precision: str, *, deterministic: bool) -> Accelerator:
    """Make the accelerator of a run, and drop the one of an earlier run in this process.

    Args:
        device: From `choose_device`.
        precision: From `number_formats.choose_precision`.
        deterministic: Whether to use only deterministic kernels on CUDA, at some cost.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState

    _set_determinism(deterministic)
    # accelerate keeps one state per process; without a reset, a second run would get the device of the first.
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    single = num_processes() == 1
    if single:
        # With torchrun each process takes the GPU of its local rank; a single process takes the chosen device.
        os.environ["ACCELERATE_TORCH_DEVICE"] = str(device)
    try:
        return Accelerator(cpu=device.type == "cpu", mixed_precision="no" if precision == "fp32" else precision)
    finally:
        if single:
            del os.environ["ACCELERATE_TORCH_DEVICE"]


def _set_determinism(deterministic: bool) -> None:
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", _CUBLAS_WORKSPACE)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = False
