"""Which number formats a device computes in, and which of them at full speed, by what the hardware says of itself."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from qaexp.config.checks.trainer import precision_problems
from qaexp.errors import ConfigError
from qaexp.errors.advice import setting

AUTO, FP32, BF16, FP16 = "auto", "fp32", "bf16", "fp16"
FORMATS = (FP32, BF16, FP16)
_DTYPES = {BF16: torch.bfloat16, FP16: torch.float16}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device.

    Attributes:
        auto: What `trainer.precision=auto` is there: bf16 where it is computed at full speed, else fp32.
        formats: All that it computes in.
        slow_bf16: Why bf16 is slower than fp32 there, and how much; empty where it is not.
    """

    auto: str
    formats: tuple[str, ...]
    slow_bf16: str = ""


# docs/number_formats.md shows this table. The factors are those of the matrix products of MiniLM on one core of an
# Intel Xeon of model 207 without AMX, with torch 2.13, as it is and with oneDNN limited to AVX512_CORE.
KINDS = {
    "CUDA GPU with bf16": Kind(BF16, (FP32, BF16, FP16)),
    "CUDA GPU without bf16": Kind(FP32, (FP32, FP16)),
    "x86 CPU with AMX": Kind(BF16, (FP32, BF16)),
    "AMD CPU with avx512_bf16": Kind(BF16, (FP32, BF16)),
    "other x86 CPU with avx512_bf16": Kind(
        FP32,
        (FP32, BF16),
        "this CPU has avx512_bf16 at half rate, and matrix products likely take about 2 times as long as in fp32",
    ),
    "x86 CPU without either": Kind(
        FP32,
        (FP32, BF16),
        "this CPU emulates it, and matrix products likely take about 5 times as long as in fp32",
    ),
    "CPU that is not x86": Kind(
        FP32,
        (FP32, BF16),
        "how fast this CPU is in it is not known, and it may take many times as long as fp32",
    ),
    "any other device": Kind(FP32, (FP32, BF16)),
}

# Values of oneDNN's ONEDNN_MAX_CPU_ISA that leave no bf16 instructions, and those that leave them without AMX.
_NO_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
_NO_AMX = (*_NO_BF16, "AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX10_1_512", "AVX10_2_512")


def kind_of(device: torch.device) -> str:
    """The row of `KINDS` that a device is in."""
    if device.type == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return "CUDA GPU with bf16" if has_bf16 else "CUDA GPU without bf16"
    return _kind_of_cpu() if device.type == "cpu" else "any other device"


def _kind_of_cpu() -> str:
    if not is_x86():
        return "CPU that is not x86"
    limit = onednn_limit()
    if not torch._C._has_mkldnn or limit in _NO_BF16:
        return "x86 CPU without either"
    if torch.cpu._is_amx_tile_supported() and limit not in _NO_AMX:
        return "x86 CPU with AMX"
    if not torch.cpu._is_avx512_bf16_supported():
        return "x86 CPU without either"
    return "AMD CPU with avx512_bf16" if cpu_vendor() == "AuthenticAMD" else "other x86 CPU with avx512_bf16"


def is_x86() -> bool:
    """Whether the CPU has the instruction set that its formats are known of."""
    return platform.machine().lower() in ("x86_64", "amd64")


def onednn_limit() -> str:
    """The instructions that oneDNN, which multiplies torch's matrices, is held to; empty for all that there are."""
    return (os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "").upper()


@cache
def cpu_vendor() -> str:
    """The vendor of an x86 CPU as CPUID gives it, such as AuthenticAMD; empty where it is not known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux: Windows has it at the end of "AMD64 Family 25 Model 97 Stepping 2, AuthenticAMD"
        return platform.processor().rpartition(" ")[2]
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id")), "")


def choose_precision(precision: str, device: torch.device) -> str:
    """Turn `trainer.precision` into fp32, bf16 or fp16.

    Args:
        precision: `auto` is bf16 where the device computes in it at full speed, else fp32.
        device: Where to compute.

    Raises:
        ConfigError: There is no such format, or the device does not support it.

    >>> choose_precision("fp32", torch.device("cpu"))
    'fp32'
    """
    if precision not in (AUTO, *FORMATS):
        raise ConfigError(f"{setting('trainer.precision', precision)} is none of {', '.join((AUTO, *FORMATS))}")
    kind = KINDS[kind_of(device)]
    if precision == AUTO:
        return kind.auto
    for problem in precision_problems(precision, device.type, f"the device is {device.type}"):
        raise ConfigError(problem)
    if precision == BF16 and BF16 not in kind.formats:
        raise ConfigError(f"{setting('trainer.precision', BF16)}, but this GPU has no bf16; choose fp16, fp32 or auto")
    return precision


def slowness(precision: str, device: torch.device) -> str | None:
    """What to say once where a format was asked for that is slower than fp32; None where it is not."""
    slow = KINDS[kind_of(device)].slow_bf16
    return f"bf16 may be slow here: {slow}" if precision == BF16 and slow else None


def autocast_in(precision: str, device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """What makes the context of a forward pass, the same as in training; fp32 needs none."""
    return nullcontext if precision == FP32 else partial(torch.autocast, device.type, dtype=_DTYPES[precision])
