"""Where the time of a training step goes: torch's profiler over some steps, as a trace and a table of phases."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function, schedule

from qaexp.storage.formats import one_line

# The phases of a step, in order; `phase` marks each of them in step.py.
PHASES = ("batch", "forward", "backward", "clip", "optimizer")

# The first steps are slower, since they allocate memory; they are not profiled.
SKIPPED_STEPS = 2

_PREFIX = "step: "
_TOP_OPERATORS = 15


def phase(name: str) -> record_function:
    """Mark a phase of a step for the profiler; costs a few microseconds without one."""
    assert name in PHASES, name
    return record_function(_PREFIX + name)


class StepProfile:
    """Profiles `num_steps` steps after the first two; a context manager around the training.

    `finished` is called at most once, with the trace (JSON for chrome://tracing and https://ui.perfetto.dev) and the
    table; a training of two steps or fewer gives neither.
    """

    def __init__(self, num_steps: int, finished: Callable[[bytes, str], None]) -> None:
        """Take the number of steps to profile, and a callback for the result."""
        found = torch.accelerator.current_accelerator(check_available=True)
        of_device = getattr(ProfilerActivity, found.type.upper(), None) if found is not None else None
        activities = [ProfilerActivity.CPU] + ([of_device] if of_device is not None else [])
        self._finished = finished
        self._num_steps = 0
        self._wanted = num_steps
        self._profiler = profile(
            activities=activities,
            schedule=schedule(wait=SKIPPED_STEPS - 1, warmup=1, active=num_steps, repeat=1),
            on_trace_ready=self._hand_over,
        )

    def __enter__(self) -> StepProfile:
        """Begin."""
        # Without this, the profiler's library reports its start and stop on stderr.
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        self._profiler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, even if the training had fewer steps than wanted."""
        self._profiler.stop()

    def step(self) -> None:
        """Count a step."""
        self._num_steps += 1
        self._profiler.step()

    def _hand_over(self, profiler: Any) -> None:
        steps = min(self._num_steps - SKIPPED_STEPS, self._wanted)
        if steps < 1:
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json"
            profiler.export_chrome_trace(str(path))
            data = path.read_bytes()
        self._finished(data, table(profiler.key_averages(), steps))


def table(events: Any, num_steps: int) -> str:
    """Describe profiled steps as text.

    Args:
        events: Averages as torch's profiler gives them, times in microseconds.
        num_steps: Steps that were profiled.

    Returns:
        Milliseconds per step and share of each phase, then the costliest operators.
    """
    total = {event.key.removeprefix(_PREFIX): event.cpu_time_total for event in events if _is_phase(event)}
    everything = sum(total.values()) or 1.0
    lines = [f"{num_steps} steps, host time per step", f"{'phase':<12}{'ms':>10}{'share':>9}"]
    for name in PHASES:
        spent = total.get(name, 0.0)
        lines.append(f"{name:<12}{spent / 1000 / num_steps:>10.2f}{100 * spent / everything:>7.1f} %")
    lines.append(f"{'all':<12}{everything / 1000 / num_steps:>10.2f}{100.0:>7.1f} %")
    operators = sorted((event for event in events if not event.key.startswith(("step: ", "ProfilerStep"))), key=_cost)
    lines += ["", f"costliest operators, own time per step ({_device_word(operators)})"]
    lines.append(f"{'operator':<52}{'calls':>7}{'ms':>10}")
    for event in reversed(operators[-_TOP_OPERATORS:]):
        name = one_line(event.key)[:50]  # extensions and custom model code may name their operators anything
        lines.append(f"{name:<52}{event.count / num_steps:>7.1f}{_cost(event) / 1000 / num_steps:>10.2f}")
    return "\n".join(lines) + "\n"


def _is_phase(event: Any) -> bool:
    # On a GPU each phase appears a second time, with its GPU time.
    return bool(event.key.startswith(_PREFIX) and event.cpu_time_total > 0)


def _cost(event: Any) -> float:
    return float(max(event.self_cpu_time_total, event.self_device_time_total))


def _device_word(events: Any) -> str:
    return "host or GPU" if any(event.self_device_time_total > 0 for event in events) else "host"
