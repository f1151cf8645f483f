"""Unpadded attention: the numbers of plain attention with the same masks, which depend on the feature alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from qaexp.training.dropout_masks import DropoutMasks, Rows, as_numbers, scale, threshold
from qaexp.training.unpadded_attention import unpadded_attention
from tests.fixtures import drill

LENGTHS = np.array([7, 11, 3])
INDICES = np.array([40, 2, 19])
HEADS, WIDTH, P = 2, 4, 0.3
SIDES = ("right", "left")


class Place:
    """What attention reads of the module it stands in."""

    def __init__(self, masks: DropoutMasks, place: int = 5) -> None:
        self.dropout_masks, self.dropout_place = masks, place


def rows(side: str = "right") -> Rows:
    return Rows.of(INDICES, LENGTHS, side)


def masks_at(epoch: int = 0, seed: int = 3, side: str = "right", where: Rows | None = None) -> DropoutMasks:
    masks = DropoutMasks(seed)
    masks.begin(epoch, where or rows(side))
    return masks


def tensors(kind: torch.dtype) -> list[torch.Tensor]:
    chance = torch.Generator().manual_seed(1)
    shape = (len(LENGTHS), HEADS, int(LENGTHS.max()), WIDTH)
    return [torch.randn(shape, generator=chance, dtype=torch.float64).to(kind).requires_grad_() for _ in range(3)]


def plain(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, side: str) -> torch.Tensor:
    """Textbook attention over the padded batch, with the same masks; `[batch, length, heads, width]`."""
    longest = query.shape[2]
    is_token, kept = (
        torch.zeros(len(query), longest, dtype=torch.bool),
        torch.zeros(len(query), HEADS, longest, longest),
    )
    sizes = [HEADS * length**2 for length in LENGTHS.tolist()]
    drawn = masks_at(side=side).kept(5, P, sizes)
    for number, (one, (first, last)) in enumerate(zip(drawn, rows(side).spans, strict=True)):
        is_token[number, first:last] = True
        kept[number, :, first:last, first:last] = torch.from_numpy(one).view(HEADS, last - first, last - first)
    scores = (query @ key.transpose(2, 3)) * WIDTH**-0.5
    weights = scores.masked_fill(~is_token[:, None, None], -torch.inf).softmax(-1) * kept * scale(P)
    return (weights @ value).transpose(1, 2) * is_token[:, :, None, None]


@pytest.mark.parametrize("side", SIDES)
def test_loss_and_gradients_are_those_of_plain_attention_with_the_same_masks(side: str) -> None:
    ours, theirs = tensors(torch.float64), tensors(torch.float64)
    towards = torch.randn(len(LENGTHS), int(LENGTHS.max()), HEADS, WIDTH, dtype=torch.float64)
    found, _ = unpadded_attention(Place(masks_at(side=side)), *ours, None, dropout=P)
    expected = plain(*theirs, side)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)
    (found * towards).sum().backward()
    (expected * towards).sum().backward()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_other_number_formats_are_close_to_float64(kind: torch.dtype) -> None:
    exact, _ = unpadded_attention(Place(masks_at()), *tensors(torch.float64), None, dropout=P)
    found, _ = unpadded_attention(Place(masks_at()), *tensors(kind), None, dropout=P)
    assert found.dtype == kind
    tolerance = 1e-5 if kind == torch.float32 else 0.05
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=tolerance)


def test_the_gradient_is_that_of_differences() -> None:
    def attended(*parts: torch.Tensor) -> torch.Tensor:
        found, _ = unpadded_attention(Place(masks_at()), *parts, None, dropout=P)
        return found

    assert torch.autograd.gradcheck(attended, tensors(torch.float64))


@pytest.mark.parametrize("mask", [None, torch.arange(11) < torch.tensor(LENGTHS)[:, None]])
def test_without_dropout_it_is_torchs_own(mask: torch.Tensor | None) -> None:
    query, key, value = tensors(torch.float32)
    found, _ = unpadded_attention(Place(masks_at()), query, key, value, mask if mask is None else mask.long())
    is_token = None if mask is None else mask[:, None, None].expand(-1, 1, 11, -1)
    expected = scaled_dot_product_attention(query, key, value, attn_mask=is_token)
    assert torch.equal(found, expected.transpose(1, 2))


def test_a_mask_does_not_depend_on_what_a_feature_is_batched_with() -> None:
    together = masks_at().kept(0, P, LENGTHS.tolist())
    for number, index in enumerate(INDICES):
        alone = masks_at(where=Rows.of(np.array([index]), LENGTHS[[number]], "left"))
        assert np.array_equal(alone.kept(0, P, [int(LENGTHS[number])])[0], together[number])


def test_each_seed_epoch_feature_place_and_call_has_masks_of_its_own() -> None:
    size = [4096]

    def drawn(seed: int = 1, epoch: int = 0, index: int = 0, place: int = 0) -> np.ndarray:
        where = Rows.of(np.array([index]), np.array([1]), "right")
        return masks_at(epoch, seed, where=where).kept(place, 0.5, size)[0]

    first = drawn()
    masks = masks_at(0, 1, where=Rows.of(np.array([0]), np.array([1]), "right"))
    calls = [masks.kept(0, 0.5, size)[0] for _ in range(3)]
    assert np.array_equal(calls[0], first)
    others = [drawn(seed=2), drawn(epoch=1), drawn(index=1), drawn(place=1), drawn(seed=2**64 - 1), *calls[1:]]
    for one, other in pairwise([first, *others]):
        # Independent halves agree in half of 4,096 elements; five standard deviations are 160.
        assert abs(int((one == other).sum()) - 2048) < 160


@pytest.mark.parametrize("probability", [0.1, 0.5, 1 / 3])
def test_the_share_that_is_dropped_is_the_probability(probability: float) -> None:
    number = 1_000_000
    masks = masks_at(where=Rows.of(np.array([0]), np.array([1]), "right"))
    dropped = number - int(masks.kept(0, probability, [number])[0].sum())
    deviation = (number * probability * (1 - probability)) ** 0.5
    assert abs(dropped - number * probability) < 5 * deviation
    assert scale(probability) == pytest.approx(1 / (1 - probability), rel=1e-4)
    assert threshold(probability) / 65536 == pytest.approx(probability, abs=1 / 65536)


def test_the_stream_is_the_same_with_every_version_of_numpy() -> None:
    masks = masks_at(epoch=4, seed=7, where=Rows.of(np.array([9]), np.array([1]), "right"))
    assert np.packbits(masks.kept(2, 0.5, [64])[0]).tobytes().hex() == "1fc22dc1685076dc"


@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64, torch.bfloat16])
def test_masks_as_numbers(kind: torch.dtype) -> None:
    kept = np.array([True, False, True])
    assert torch.equal(as_numbers(kept, kind), torch.tensor([1, 0, 1], dtype=kind))


@pytest.mark.usefixtures("two_threads")
def test_threads_draw_the_same_masks() -> None:
    on_two = masks_at().kept(0, P, [10_000] * 3)
    torch.set_num_threads(1)
    for one, other in zip(on_two, masks_at().kept(0, P, [10_000] * 3), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.usefixtures("two_threads")
def test_a_forked_child_draws_with_threads_of_its_own() -> None:
    masks_at().kept(0, P, [100] * 3)

    def work() -> int:
        torch.set_num_threads(2)
        return 0 if len(masks_at().kept(0, P, [100] * 3)) == 3 else 1

    assert drill.in_child(work, seconds=10) == 0


@pytest.fixture
def two_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
