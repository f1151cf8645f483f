"""Errors of the stand-in: raised where they happen, or in a backward pass at its end.

An error that Python raises inside a backward pass ends the process (torch 2.13: the guard of a device in Python calls
Python while the error is set). So the pass goes on with the CPU data, and `backward` raises its first error.
"""

from __future__ import annotations

from typing import Any

import torch

_FIRST: list[Exception] = []


def refuse(error: Exception) -> None:
    """Raise an error, now or at the end of the backward pass."""
    if torch._C._current_graph_task_id() == -1:
        raise error
    if not _FIRST:
        _FIRST.append(error)


def register() -> None:
    """Let backward passes raise what was refused in them."""
    run = torch.autograd._engine_run_backward

    def run_backward(*args: Any, **kwargs: Any) -> Any:
        _FIRST.clear()
        result = run(*args, **kwargs)
        if _FIRST:
            raise _FIRST.pop()
        return result

    torch.autograd._engine_run_backward = run_backward
