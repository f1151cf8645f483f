"""The device "sim" (torch's PrivateUse1 in Python): its tensors wrap CPU data, and mixing it with the host is refused.

An operation between tensors of host and device raises, as on CUDA; copies, waits and host scalars are counted
(`traffic.py`), memory has a size (`memory.py`), and autocast knows the device (`autocast.py`). A copy from pageable
memory, or one that is not `non_blocking`, waits. Not imitated: the time at which the device works, errors that come
late, and kernels that round in other ways than the CPU's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from tests.stand_in import autocast, processes, refusals
from tests.stand_in.memory import MEMORY_OF_DEVICE, PINNED
from tests.stand_in.refusals import refuse
from tests.stand_in.traffic import note

DEVICE = "sim"
_aten = torch.ops.aten
# What reads a value, or has a size that depends on values: the host cannot go on before it knows.
_WAITING = (
    _aten._local_scalar_dense.default,
    _aten.item.default,
    _aten.is_nonzero.default,
    _aten.equal.default,
    _aten.nonzero.default,
    _aten.masked_select.default,
    _aten._unique2.default,
    _aten.repeat_interleave.Tensor,
)
_COPIES = (_aten.copy_.default, _aten._copy_from.default)
_LIBRARY = torch.library.Library("aten", "IMPL")


class _Device:
    """The context `torch.sim.device(n)`: there is one device."""

    def __init__(self, device: Any) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class _Module:
    """What torch, accelerate and qaexp ask of `torch.sim`."""

    device = _Device

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return True

    def _is_in_bad_fork(self) -> bool:
        return False

    def device_count(self) -> int:
        return 1

    def current_device(self) -> int:
        return 0

    def set_device(self, device: Any) -> None:
        pass

    def synchronize(self, device: Any = None) -> None:
        note("waits")

    def manual_seed(self, seed: int) -> None:
        """Random numbers are the CPU generator's, which torch has seeded by then."""

    manual_seed_all = manual_seed

    def get_rng_state(self, device: Any = None) -> torch.Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: torch.Tensor, device: Any = None) -> None:
        torch.set_rng_state(state)

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float32]

    def get_device_name(self, device: Any = None) -> str:
        return "stand-in accelerator"

    def empty_cache(self) -> None:
        pass

    def max_memory_allocated(self, device: Any = None) -> int:
        return MEMORY_OF_DEVICE.peak

    def reset_peak_memory_stats(self, device: Any = None) -> None:
        MEMORY_OF_DEVICE.peak = MEMORY_OF_DEVICE.used


class SimTensor(torch.Tensor):
    """A tensor of the device; `data_` is its CPU data."""

    data_: torch.Tensor

    @staticmethod
    def __new__(cls, data: torch.Tensor) -> SimTensor:
        layout = {"strides": data.stride(), "storage_offset": data.storage_offset(), "dtype": data.dtype}
        return torch.Tensor._make_wrapper_subclass(cls, data.shape, **layout, device=torch.device(DEVICE, 0))

    def __init__(self, data: torch.Tensor) -> None:
        MEMORY_OF_DEVICE.take(data)
        self.data_ = data

    def __repr__(self, **_: Any) -> str:
        return f"{self.data_!r} on {DEVICE}"

    def untyped_storage(self) -> torch.UntypedStorage:
        """That of the data, by whose address libraries find weights that share it."""
        return self.data_.untyped_storage()

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _is_device(device: Any) -> bool:
    return device is not None and torch.device(device).type == DEVICE


def _raw(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.data_ if isinstance(tensor, SimTensor) else tensor


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    """Run one operation on the CPU data."""
    if func is _aten._to_copy.default:
        return _to_copy(args[0], kwargs)
    if func in _COPIES:
        target, source, *rest = args if func is _aten.copy_.default else (args[1], args[0], *args[2:])
        _note_copy(source, isinstance(target, SimTensor), bool(rest and rest[0]) or bool(kwargs.get("non_blocking")))
        _raw(target).copy_(_raw(source))
        return target
    if torch.is_inference_mode_enabled() and (parts := func.decompose(*args, **kwargs)) is not NotImplemented:
        return parts  # in this mode composite operations arrive whole
    own = _own_tensors(func, args, kwargs)
    if func in _WAITING or (func is _aten.index.Tensor and _is_by_mask(args[1])):
        note("waits")
    if _is_device(kwargs.get("device")):
        kwargs = {**kwargs, "device": torch.device("cpu"), "pin_memory": None}
    raw_args, raw_kwargs = tree_map_only(SimTensor, _raw, (args, kwargs))
    with torch.no_grad():
        result = func(*raw_args, **raw_kwargs)
    known = {id(tensor.data_): tensor for tensor in own}

    # In inference mode too, a view of a tensor that was made outside of it is none of that mode's.
    is_view_of_normal = func.is_view and not all(tensor.is_inference() for tensor in own)

    def wrapped(data: torch.Tensor) -> SimTensor:
        if id(data) in known:
            return known[id(data)]
        with torch.inference_mode(torch.is_inference_mode_enabled() and not is_view_of_normal):
            return SimTensor(data.detach())

    return tree_map_only(torch.Tensor, wrapped, result)


def _is_by_mask(indices: Any) -> bool:
    return any(index is not None and index.dtype is torch.bool for index in indices)


def _own_tensors(func: Any, args: Any, kwargs: Any) -> list[SimTensor]:
    """The tensors of the device among the arguments.

    Raises:
        RuntimeError: Others are on the host.
    """
    tensors: list[torch.Tensor] = []
    tree_map_only(torch.Tensor, tensors.append, (args, kwargs))
    own = [tensor for tensor in tensors if isinstance(tensor, SimTensor)]
    foreign = [tensor for tensor in tensors if not isinstance(tensor, SimTensor)]
    for tensor in foreign if own else ():
        if tensor.dim():
            message = (
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{DEVICE}:0 and cpu! ({func}, shape {tuple(tensor.shape)})"
            )
            refuse(RuntimeError(message))
        note("host_scalars")
    return own


def _to_copy(source: torch.Tensor, kwargs: Any) -> torch.Tensor:
    target, kept = kwargs.get("device", source.device), ("device", "pin_memory", "non_blocking")
    to_device = _is_device(target)
    _note_copy(source, to_device, bool(kwargs.get("non_blocking")))
    result = _aten._to_copy.default(_raw(source), **{key: kwargs[key] for key in kwargs if key not in kept})
    return SimTensor(result) if to_device else result


def _note_copy(source: torch.Tensor, to_device: bool, is_asynchronous: bool) -> None:
    # What gloo hands back to torch is the bare data of a tensor of the device.
    if to_device and not isinstance(source, SimTensor) and not MEMORY_OF_DEVICE.holds(source):
        note("to_device", *(() if is_asynchronous and PINNED.holds(source) else ("waits",)))
    if isinstance(source, SimTensor) and not to_device:
        note("to_host", "waits")


def register() -> None:
    """Make the device known to torch and accelerate, once a process."""
    _setup_privateuseone_for_python_backend(DEVICE, backend_module=_Module())
    for name in torch._C._dispatch_get_all_op_names():
        if name.startswith("aten::") and (func := _factory(name.removeprefix("aten::"))) is not None:
            _LIBRARY.impl(name.removeprefix("aten::"), _runner(func), "PrivateUse1")
    copy_from = _aten._copy_from.default
    _LIBRARY.impl("_copy_from", lambda *args, **kwargs: _run(copy_from, args, kwargs), "PrivateUse1")
    autocast.register(_LIBRARY, DEVICE)
    processes.register(DEVICE)
    refusals.register()
    torch.Tensor.pin_memory = lambda tensor, *_: PINNED.pin(tensor)
    torch.Tensor.is_pinned = lambda tensor, *_: PINNED.holds(tensor)
    torch.__future__.set_swap_module_params_on_conversion(True)


def _factory(name: str) -> Any:
    """The operation of this name if it makes a tensor from numbers alone, and has no kernel for every device."""
    if torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{name}", "CompositeImplicitAutograd"):
        return None
    short, _, overload = name.partition(".")
    try:
        func = getattr(getattr(_aten, short), overload or "default")
    except (AttributeError, RuntimeError):
        return None
    arguments = func._schema.arguments
    is_factory = any(a.name == "device" for a in arguments) and not any("Tensor" in str(a.type) for a in arguments)
    return func if is_factory else None


def _runner(func: Any) -> Any:
    return lambda *args, **kwargs: _run(func, args, kwargs)
