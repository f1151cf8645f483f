"""Autocast on the stand-in: which operations compute in the lower precision and which in float32, as on CUDA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_map_only

# https://docs.pytorch.org/docs/stable/amp.html: the rows of its two lists that encoders use.
_LOWER = ("linear", "mm", "addmm", "bmm", "baddbmm", "matmul", "scaled_dot_product_attention")
_FLOAT32 = (
    *("softmax.int", "log_softmax.int", "layer_norm", "native_layer_norm", "nll_loss", "cross_entropy_loss"),
    *("sum", "sum.dim_IntList", "cumsum", "exp", "log", "norm.Scalar", "pow.Tensor_Scalar", "rsqrt", "prod"),
)
_KEY = "AutocastPrivateUse1"
_NOT_AGAIN = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)


def register(library: torch.library.Library, device: str) -> None:
    """Register the casts; every other operation passes."""
    fallback = torch.library.Library("_", "IMPL")
    fallback.fallback(torch.library.fallthrough_kernel, _KEY)
    _KEPT.append(fallback)
    for name in _LOWER:
        library.impl(name, _casting(name, lambda: torch.get_autocast_dtype(device), device), _KEY)
    for name in _FLOAT32:
        library.impl(name, _casting(name, lambda: torch.float32, device), _KEY)


_KEPT: list[torch.library.Library] = []


def _casting(name: str, wanted: Callable[[], torch.dtype], device: str) -> Callable[..., Any]:
    short, _, overload = name.partition(".")
    func = getattr(getattr(torch.ops.aten, short), overload or "default")

    def cast(tensor: torch.Tensor) -> torch.Tensor:
        is_meant = tensor.is_floating_point() and tensor.device.type == device and tensor.dtype != torch.float64
        return tensor.to(wanted()) if is_meant else tensor

    def call(*args: Any, **kwargs: Any) -> Any:
        with torch._C._ExcludeDispatchKeyGuard(_NOT_AGAIN):
            args, kwargs = tree_map_only(torch.Tensor, cast, (args, kwargs))
            return func(*args, **kwargs)

    return call
