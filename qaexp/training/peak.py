"""The peak memory of a run, separate from what its process used before."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import resource
import sys
from pathlib import Path
from typing import Any

import torch

from qaexp.storage.reading import MEBIBYTE

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# Resets VmHWM to the current resident memory (proc_pid_clear_refs(5)).
_RESET_PEAK = b"5"

# The kernel counts pages in batches, so a peak may be slightly above the resident memory after a reset.
_SLACK_MIB = 4.0


class PeakMemory:
    """The peak memory since its creation: allocated on a GPU with its own memory, else resident in this process.

    Memory that is in use at the start counts too: the libraries, and what the process still holds from before. Where
    the peak of the process can be neither reset nor exceeded, the peak of the run is unknown.
    """

    def __init__(self, device: torch.device) -> None:
        """Start from the memory in use now."""
        self._device = device
        self._of_before, self._earlier = 0.0, 0.0
        self._is_known = True
        _give_back()
        if (counter := _counter(device)) is not None:
            # Before the device is used there is nothing to reset, and torch raises an error.
            if counter.is_initialized():
                counter.reset_peak_memory_stats(device)
        elif not _reset_peak():
            self._of_before = _process_peak_mib()

    def take_over(self, earlier: float | None) -> None:
        """Include the peak of earlier attempts of the run; None where it is unknown."""
        self._is_known = self._is_known and earlier is not None
        self._earlier = max(self._earlier, earlier or 0.0)

    def mib(self) -> float | None:
        """The peak so far in MiB; None where it is unknown."""
        if not self._is_known:
            return None
        peak = peak_memory_mib(self._device)
        # A peak that has not risen may stem from what the process did before the run.
        return max(self._earlier, peak) if peak > self._of_before else None


def peak_memory_mib(device: torch.device) -> float:
    """The peak of this process in MiB: allocated on a GPU with its own memory, else resident memory."""
    counter = _counter(device)
    return counter.max_memory_allocated(device) / MEBIBYTE if counter is not None else _process_peak_mib()


def _counter(device: torch.device) -> Any:
    """What counts the memory of a device in torch; None where the device computes in the memory of the host.

    The functions of `torch.accelerator` have no count of the GPU of a Mac, and raise without an accelerator.
    """
    module = torch.get_device_module(device)
    return module if hasattr(module, "max_memory_allocated") else None


def _reset_peak() -> bool:
    """Reset the process's peak to its current memory; returns whether the system did it."""
    try:
        # Not a file but a kernel switch: nothing is stored.
        switch = os.open(_CLEAR, os.O_WRONLY)
        try:
            os.write(switch, _RESET_PEAK)
        finally:
            os.close(switch)
    except OSError:
        return False
    peak, now = _status_mib("VmHWM"), _status_mib("VmRSS")
    return peak is not None and now is not None and peak <= now + _SLACK_MIB


def _give_back() -> None:
    """Return freed memory to the system, so that an earlier run's memory is not counted as this one's."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _process_peak_mib() -> float:
    """The peak of this process; unlike ru_maxrss, VmHWM is never inherited from the parent process."""
    if (peak := _status_mib("VmHWM")) is not None:
        return peak
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / MEBIBYTE if sys.platform == "darwin" else used / 1024


def _status_mib(name: str) -> float | None:
    """A size from /proc/self/status; None if it is not there."""
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) / 1024 if found else None
