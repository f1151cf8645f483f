"""The most memory that a run uses, told apart from what its process used before."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import resource
import sys
from pathlib import Path

import torch

from qaexp.storage.reading import MEBIBYTE

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# What sets VmHWM back to the memory that is resident now (proc_pid_clear_refs(5)).
_RESET_PEAK = b"5"

# The kernel counts pages in batches, so that a reset peak may stand a little above what is resident.
_SLACK_MIB = 4.0


class PeakMemory:
    """The highest memory since it was made: allocated by torch on the GPU on CUDA, else resident in this process.

    What stands in memory when it begins counts, too: the libraries, and what the process still holds of before. Where
    the peak of the process can be neither reset nor exceeded, that of the run is not known.
    """

    def __init__(self, device: torch.device) -> None:
        """Begin with what is in use now."""
        self._device = device
        self._of_before, self._earlier = 0.0, 0.0
        self._is_known = True
        _give_back()
        if device.type == "cuda":
            # Before CUDA is used there is nothing to reset, and torch refuses to.
            if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
                torch.cuda.reset_peak_memory_stats(device)
        elif not _reset_peak():
            self._of_before = _process_peak_mib()

    def take_over(self, earlier: float | None) -> None:
        """Count the peak of the attempts that the run goes on from; None where it is not known."""
        self._is_known = self._is_known and earlier is not None
        self._earlier = max(self._earlier, earlier or 0.0)

    def mib(self) -> float | None:
        """The peak so far in MiB; None where it cannot be known."""
        if not self._is_known:
            return None
        peak = peak_memory_mib(self._device)
        # A peak that has not risen since may be that of what the process did before.
        return max(self._earlier, peak) if peak > self._of_before else None


def peak_memory_mib(device: torch.device) -> float:
    """The most that this process used so far, in MiB: allocated by torch on the GPU on CUDA, else resident memory."""
    return torch.cuda.max_memory_allocated(device) / MEBIBYTE if device.type == "cuda" else _process_peak_mib()


def _reset_peak() -> bool:
    """Set the process's peak back to what it uses now, where the system can; says whether it did."""
    try:
        # Not a file but a switch of the kernel: nothing is stored.
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
    """Return to the system what the process freed, but kept for later: an earlier run's memory is not this one's."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _process_peak_mib() -> float:
    """The peak of this process: on Linux its own, not that of the one which started it, as ru_maxrss may be."""
    if (peak := _status_mib("VmHWM")) is not None:
        return peak
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / MEBIBYTE if sys.platform == "darwin" else used / 1024


def _status_mib(name: str) -> float | None:
    """A size of /proc/self/status; None where there is none."""
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) / 1024 if found else None
