"""Gradients of several processes, added up once all of them have theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from qaexp.training.processes import num_processes

# Small tensors are sent together, large ones while the next are put together: 25 MiB at a time, as torch's own.
_BYTES_AT_ONCE = 25 * 2**20


def sum_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace each gradient by its sum over all processes; does nothing for a single one.

    torch's own wrapper does it during the backward pass, where a process that runs out of memory leaves the others
    waiting. Here all have agreed before that nobody has.

    Args:
        parameters: The same in all processes; those without a gradient have none in any.
    """
    if num_processes() == 1:
        return
    from torch import distributed

    sent = []
    for some in _stretches([parameter.grad for parameter in parameters if parameter.grad is not None]):
        flat = torch.cat([gradient.reshape(-1) for gradient in some])
        sent.append((some, flat, distributed.all_reduce(flat, async_op=True)))
    for some, flat, work in sent:
        work.wait()
        sizes = [gradient.numel() for gradient in some]
        for gradient, values in zip(some, torch.split(flat, sizes), strict=True):
            gradient.copy_(values.view_as(gradient))


def _stretches(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield gradients of one type that are sent together."""
    some: list[Tensor] = []
    num_bytes = 0
    for gradient in gradients:
        if some and (num_bytes + gradient.nbytes > _BYTES_AT_ONCE or gradient.dtype != some[0].dtype):
            yield some
            some, num_bytes = [], 0
        some.append(gradient)
        num_bytes += gradient.nbytes
    if some:
        yield some
