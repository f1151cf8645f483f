"""Attention on a CPU, one feature at a time: no padding, and masks of dropout that cost little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from qaexp.training.dropout_masks import DropoutMasks, as_numbers, scale, zero_padding

NAME = "qaexp_unpadded"
Spans = Sequence[tuple[int, int]]


class _AttentionWithDropout(torch.autograd.Function):
    """softmax(q k^T) with dropped weights, times v; feature by feature, so that its weights stay in the cache.

    On a CPU, torch's own attention has no fast path with dropout: it goes over the whole
    `[batch, heads, length, length]` several times.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, kept: Sequence[Tensor], spans: Spans, factor: float
    ) -> Tensor:
        """Return `[batch, length, heads, width]`, zero at padding.

        Args:
            ctx: What `backward` needs.
            query: Scaled, `[batch, heads, length, width]`.
            key: The same shape.
            value: The same shape.
            kept: For each feature 1 or 0, `[heads, its length, its length]`.
            spans: First token of each feature, and the one after its last.
            factor: What kept weights are multiplied with.
        """
        out, weights = _like_projections(query, spans), []
        for number, (first, last) in enumerate(spans):
            q, k, v = (part[number, :, first:last] for part in (query, key, value))
            weight = torch.bmm(q, k.transpose(1, 2)).softmax(-1)
            out[number, first:last] = torch.bmm(weight * kept[number], v * factor).transpose(0, 1)
            weights.append(weight)
        ctx.save_for_backward(query, key, value, *weights, *kept)
        ctx.spans, ctx.factor = spans, factor
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of query, key and value, each `[batch, heads, length, width]`."""
        query, key, value, *rest = ctx.saved_tensors
        weights, kept = rest[: len(ctx.spans)], rest[len(ctx.spans) :]
        found = [_like_projections(part, ctx.spans).transpose(1, 2) for part in (query, key, value)]
        for number, (first, last) in enumerate(ctx.spans):
            q, k, v = (part[number, :, first:last] for part in (query, key, value))
            d_query, d_key, d_value = (part[number, :, first:last] for part in found)
            weight, g = weights[number], grad[number, first:last].transpose(0, 1) * ctx.factor
            d_value.copy_(torch.bmm((weight * kept[number]).transpose(1, 2), g))
            d_weight = torch.bmm(g, v.transpose(1, 2)).mul_(kept[number])
            d_scores = torch._softmax_backward_data(d_weight, weight, -1, weight.dtype)
            d_query.copy_(torch.bmm(d_scores, k))
            d_key.copy_(torch.bmm(d_scores.transpose(1, 2), q))
        return *found, None, None, None


def _like_projections(part: Tensor, spans: Spans) -> Tensor:
    """Space for a part `[batch, heads, length, width]` in the layout of projections, `[batch, length, heads, width]`.

    Padding is zero, the rest has yet to be written.
    """
    space = torch.empty_like(part.transpose(1, 2), memory_format=torch.contiguous_format)
    zero_padding(space, spans)
    return space


def unpadded_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """The attention of a model, in the interface of transformers.

    Args:
        module: Has `dropout_masks` and `dropout_place`.
        query: `[batch, heads, length, width]`.
        key: The same shape.
        value: The same shape.
        attention_mask: 1 for tokens, 0 for padding on one side, `[batch, length]`; None without padding.
        scaling: What scores are multiplied with; None: width ** -0.5.
        dropout: How likely a weight is dropped.

    Returns:
        `[batch, length, heads, width]`, and no weights.
    """
    masks: DropoutMasks = module.dropout_masks
    factor = query.shape[-1] ** -0.5 if scaling is None else scaling
    if dropout == 0:
        return _padded_attention(query, key, value, attention_mask, factor), None
    spans = masks.rows.spans
    heads = query.shape[1]
    kept = masks.kept(module.dropout_place, dropout, [heads * (last - first) ** 2 for first, last in spans])
    shaped = [
        as_numbers(one, query.dtype).view(heads, last - first, last - first)
        for one, (first, last) in zip(kept, spans, strict=True)
    ]
    out: Tensor = _AttentionWithDropout.apply(  # type: ignore[no-untyped-call]
        query * factor, key, value, shaped, spans, scale(dropout)
    )
    return out, None


def register() -> None:
    """Make it known to transformers under `NAME`; the mask stays `[batch, length]`, as it is given to the model."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(NAME, unpadded_attention)
    ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, _given_mask)


def _given_mask(*_: Any, attention_mask: Tensor | None = None, **__: Any) -> Tensor | None:
    return attention_mask


def _padded_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, factor: float) -> Tensor:
    """Attention without dropout, to the last bit what transformers computes with `attn_implementation="sdpa"`."""
    is_token = None if mask is None or bool(mask.all()) else mask.bool()[:, None, None, :]
    out = scaled_dot_product_attention(query, key, value, attn_mask=is_token, scale=factor)
    return out.transpose(1, 2).contiguous()
