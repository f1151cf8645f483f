"""Device and processes of a training: one accelerator for a run, in one number format."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import torch

from qaexp.config.checks.trainer import device_problems
from qaexp.errors import ConfigError
from qaexp.errors.advice import choose_cpu, set_to, setting
from qaexp.training.processes import check_processes, num_processes, num_processes_here

if TYPE_CHECKING:
    from accelerate import Accelerator

_GPUS = {"cuda": "CUDA GPU", "xpu": "Intel GPU", "mps": "Apple GPU"}
_INSTALL = {
    "cuda": "install a driver and a torch with CUDA",
    "xpu": "install a driver and a torch with XPU",
    "mps": "start on a Mac that has one",
}
# cuBLAS is reproducible only with a fixed workspace. torch looks for this variable once, at the first matrix product
# on CUDA, so it is there for a later run of the process that asks for equal bytes.
_CUBLAS_WORKSPACE = ":4096:8"


def choose_device(device: str) -> torch.device:
    """Turn `trainer.device` into an existing device.

    Args:
        device: `auto` (the accelerator that torch sees, else cpu), `cpu`, `cuda`, `cuda:N`, `xpu`, `xpu:N` or `mps`.

    Raises:
        ConfigError: The device does not exist, or one GPU is named for several processes.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    for problem in device_problems(device):
        raise ConfigError(problem)
    kind, _, index = device.partition(":")
    found = torch.accelerator.current_accelerator(check_available=True)
    if kind == "auto":
        return torch.device("cpu" if found is None else found.type)
    if kind != "cpu" and (found is None or found.type != kind):
        raise ConfigError(
            f"{setting('trainer.device', device)}, but torch {torch.__version__} sees no {_GPUS[kind]}; "
            f"{choose_cpu()}, or {_INSTALL[kind]}"
        )
    if index:
        _check_index(device, kind, int(index))
    return torch.device(device)


def _check_index(device: str, kind: str, index: int) -> None:
    if index >= torch.accelerator.device_count():
        raise ConfigError(
            f"{setting('trainer.device', device)}, but there are only {torch.accelerator.device_count()} GPUs; "
            "count from 0"
        )
    if num_processes() > 1:
        raise ConfigError(
            f"{setting('trainer.device', device)} names one GPU for {num_processes()} processes; choose {kind}"
        )


def check_enough(device: torch.device, processes: int) -> None:
    """Refuse more processes than there are GPUs for them on this machine.

    Args:
        device: From `choose_device`.
        processes: `trainer.processes`: so many are there, or are going to be started.

    Raises:
        ConfigError: There are too few GPUs, or other processes than asked for are there already.
    """
    check_processes(processes)
    wanted = processes if num_processes() == 1 else num_processes_here()
    if wanted == 1 or device.type not in _GPUS:
        return
    there = torch.accelerator.device_count()
    if wanted > there:
        raise ConfigError(
            f"{setting('trainer.processes', str(wanted))} needs a GPU for each process, and {device.type} has {there} "
            f"here; {set_to('trainer.processes', str(there))}, or {choose_cpu()}"
        )


def describe_device(device: torch.device, precision: str) -> dict[str, str | int]:
    """The entry `device` of env.json: device, its name, number format and number of processes."""
    # The CPU and the GPU of a Mac have no name in torch.
    name_of = getattr(torch.get_device_module(device), "get_device_name", None)
    name = name_of(device) if name_of is not None else platform.processor() or platform.machine()
    return {"device": str(device), "name": name, "precision": precision, "num_processes": num_processes()}


def make_accelerator(device: torch.device, precision: str, *, deterministic: bool) -> Accelerator:
    """Make the accelerator of a run, and drop the one of an earlier run in this process.

    Args:
        device: From `choose_device`.
        precision: From `number_formats.choose_precision`.
        deterministic: Whether to use only deterministic kernels on CUDA, at some cost.

    Raises:
        ConfigError: There are several processes, which accelerate cannot connect on this kind of device.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState

    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", _CUBLAS_WORKSPACE)
    _set_determinism(deterministic)
    # accelerate keeps one state per process; without a reset, a second run would get the device of the first.
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    single = num_processes() == 1
    if single:
        # With torchrun each process takes the GPU of its local rank; a single process takes the chosen device.
        os.environ["ACCELERATE_TORCH_DEVICE"] = str(device)
    try:
        made = Accelerator(cpu=device.type == "cpu", mixed_precision="no" if precision == "fp32" else precision)
    finally:
        if single:
            del os.environ["ACCELERATE_TORCH_DEVICE"]
    # Without this, each process would train alone, and say nothing.
    if made.num_processes != num_processes():
        raise ConfigError(
            f"{num_processes()} processes cannot train together on {device.type}: accelerate does not connect them; "
            f"start a single one, or {choose_cpu()}"
        )
    return made


def _set_determinism(deterministic: bool) -> None:
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = False
