"""The memory of the stand-in: it has a size, and an operation whose result does not fit is refused."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tests.stand_in import MEMORY
from tests.stand_in.refusals import refuse

_MIB = 2**20


class Memory:
    """Bytes of the storages that live on the device."""

    def __init__(self) -> None:
        self.size = int(os.environ.get(MEMORY, 2**20)) * _MIB
        self.used, self.peak = 0, 0
        self._known: set[int] = set()

    def take(self, data: torch.Tensor) -> None:
        """Count the storage of a tensor that has come to be, for as long as it lives.

        Raises:
            torch.OutOfMemoryError: It does not fit beside the others.
        """
        storage = data.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        if self.used + size > self.size:
            message = (
                f"sim out of memory. Tried to allocate {size / _MIB:.2f} MiB. The device has a total capacity of "
                f"{self.size / _MIB:.2f} MiB of which {(self.size - self.used) / _MIB:.2f} MiB is free."
            )
            refuse(torch.OutOfMemoryError(message))
        self._known.add(key)
        self.used += size
        self.peak = max(self.peak, self.used)
        weakref.finalize(storage, self._free, key, size)

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether CPU data is that of a tensor of the device."""
        return tensor.untyped_storage()._cdata in self._known

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.used -= size

    @contextmanager
    def limited(self, mib: float) -> Iterator[None]:
        """Leave so much room beside what is in use now.

        What nobody holds any more is freed first: a collection in the body would make more room than was left.
        """
        gc.collect()
        before = self.size
        self.size = self.used + int(mib * _MIB)
        try:
            yield
        finally:
            self.size = before


class Pinned:
    """Storages of the host that are pinned: only from them does a copy run beside the host."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def pin(self, tensor: torch.Tensor) -> torch.Tensor:
        """A copy in pinned memory; a tensor that is pinned already is returned as it is."""
        if self.holds(tensor):
            return tensor
        copy = tensor.clone()
        storage = copy.untyped_storage()
        self._known.add(storage._cdata)
        weakref.finalize(storage, self._known.discard, storage._cdata)
        return copy

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor lies in pinned memory."""
        return tensor.untyped_storage()._cdata in self._known


MEMORY_OF_DEVICE, PINNED = Memory(), Pinned()
