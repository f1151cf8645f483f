"""The peak memory of a run is its own, not that of what its process did before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from qaexp.training import peak
from qaexp.training.peak import PeakMemory, peak_memory_mib

CPU = torch.device("cpu")
MIB = 2**20
resets = pytest.mark.skipif(not peak._CLEAR.exists(), reason="needs a Linux that can reset the peak of a process")


def use(mib: int) -> None:
    """Have so much memory resident, for a moment."""
    found = bytearray(mib * MIB)
    assert found[-1] == 0


@pytest.mark.case("memory_of_the_second_run")
@resets
def test_what_the_process_used_before_does_not_count() -> None:
    use(300)
    before = peak_memory_mib(CPU)
    memory = PeakMemory(CPU)
    began = memory.mib()
    assert began is not None
    assert began < before - 250
    use(150)
    assert memory.mib() == pytest.approx(began + 150, abs=30)
    use(20)
    assert memory.mib() == pytest.approx(began + 150, abs=30)


def test_where_nothing_can_be_reset_only_a_higher_peak_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "_CLEAR", Path("/nowhere/clear_refs"))
    use(200)
    memory = PeakMemory(CPU)
    use(20)
    assert memory.mib() is None
    before = peak_memory_mib(CPU)
    use(int(before) + 100)
    found = memory.mib()
    assert found is not None
    assert found > before


@resets
def test_a_reset_that_does_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    use(300)
    monkeypatch.setattr(peak, "_RESET_PEAK", b"1")  # clears something else
    assert PeakMemory(CPU).mib() is None


@resets
def test_a_run_that_goes_on_counts_its_earlier_attempts() -> None:
    memory = PeakMemory(CPU)
    memory.take_over(1e6)
    assert memory.mib() == 1e6
    memory.take_over(None)
    assert memory.mib() is None


@resets
def test_a_child_has_a_peak_of_its_own() -> None:
    """Forked from a process that had used more: its peak begins with what it has, the libraries among it."""
    code = (
        "import multiprocessing, torch\n"
        "from qaexp.training.peak import PeakMemory\n"
        "def body(queue):\n"
        "    queue.put(PeakMemory(torch.device('cpu')).mib())\n"
        "big = bytearray(400 << 20); del big\n"
        "context = multiprocessing.get_context('fork'); queue = context.Queue()\n"
        "child = context.Process(target=body, args=(queue,)); child.start()\n"
        "print(queue.get()); child.join()\n"
        "print(PeakMemory(torch.device('cpu')).mib())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    child, parent = map(float, done.stdout.split())
    assert child < parent + 50
