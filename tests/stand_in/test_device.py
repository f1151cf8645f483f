"""The stand-in behaves as an accelerator: what CUDA refuses it refuses, and what waits on CUDA is counted."""

from __future__ import annotations

import pytest
import torch

from tests.fixtures.devices import needs_stand_in
from tests.stand_in.memory import MEMORY_OF_DEVICE
from tests.stand_in.traffic import watched

pytestmark = needs_stand_in


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(*shape, device="sim")


def test_torch_knows_it() -> None:
    assert torch.accelerator.current_accelerator(check_available=True) == torch.device("sim")
    assert ones(2).device == torch.device("sim", 0)
    assert torch.ones(2).to("sim").cpu().device.type == "cpu"


def test_host_and_device_do_not_mix() -> None:
    for mix in (
        lambda: ones(3) + torch.ones(3),
        lambda: torch.nn.Linear(3, 3)(ones(3)),
        lambda: torch.stack([ones(3), torch.ones(3)]),
        lambda: ones(3)[torch.tensor([0, 1])].sum() + ones(3).index_select(0, torch.tensor([0])),
    ):
        with pytest.raises(RuntimeError, match="same device"):
            mix()


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: float(x[0]),
        lambda x: bool((x > 0).all()),
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x.to("cpu", non_blocking=True),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: torch.equal(x, x),
        lambda x: torch.sim.synchronize(),
        lambda x: x.copy_(torch.ones(3)),
        lambda x: torch.ones(3).to("sim"),
        lambda x: torch.ones(3).to("sim", non_blocking=True),  # from pageable memory
        lambda x: torch.ones(3).pin_memory().to("sim"),
    ],
)
def test_what_waits_is_counted_with_its_place(read) -> None:
    tensor = ones(3)
    for mode in (torch.no_grad(), torch.inference_mode()):
        with watched() as traffic, mode:
            read(tensor)
        assert traffic.waits.total() == 1, traffic
        assert "test_device.py" in next(iter(traffic.waits))


def test_what_does_not_wait_is_not_counted() -> None:
    host, tensor = torch.ones(3).pin_memory(), ones(3)
    assert host.is_pinned()
    assert host.view(3, 1).is_pinned()
    assert not torch.ones(3).is_pinned()
    with watched() as traffic:
        (host.to("sim", non_blocking=True) * 2.0 + tensor).softmax(0).clamp_(max=1.0).masked_fill(tensor > 0, -1.0)
    assert traffic.to_device.total() == 1
    assert (traffic.waits, traffic.to_host, traffic.host_scalars) == ({}, {}, {})


def test_a_host_scalar_is_counted() -> None:
    with watched() as traffic:
        ones(3) * torch.tensor(2.0)
    assert traffic.host_scalars.total() == 1


def test_gradients_are_those_of_the_cpu() -> None:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.GELU(), torch.nn.LayerNorm(8), torch.nn.Linear(8, 2))
    data = torch.randn(4, 8)
    layers(data).square().mean().backward()
    expected = [parameter.grad.clone() for parameter in layers.parameters()]
    layers.zero_grad()
    layers.to("sim")
    layers(data.to("sim")).square().mean().backward()
    for parameter, gradient in zip(layers.parameters(), expected, strict=True):
        assert torch.equal(parameter.grad.cpu(), gradient)


def test_autocast_computes_products_in_bf16_and_sums_in_float32() -> None:
    layer = torch.nn.Linear(4, 4).to("sim")
    with torch.autocast("sim", torch.bfloat16):
        product = layer(ones(2, 4))
        assert product.dtype == torch.bfloat16
        assert (product @ product.T).dtype == torch.bfloat16
        assert product.softmax(-1).dtype == product.sum().dtype == torch.float32
        assert torch.nn.functional.layer_norm(product, (4,)).dtype == torch.float32
    assert layer(ones(2, 4)).dtype == torch.float32
    product.sum().backward()
    assert layer.weight.grad.dtype == torch.float32


def test_inference_mode_makes_tensors_that_cannot_be_trained_on() -> None:
    layer = torch.nn.Linear(4, 4).to("sim")
    with torch.inference_mode():
        found = layer(ones(2, 4))[:, :2].add_(1.0)
        assert not layer.weight[:2].is_inference(), "a view of a weight is no tensor of that mode"
    assert found.is_inference()
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        found * layer.weight[0, :2]
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        found.add_(1.0)


def test_a_backward_pass_raises_at_its_end() -> None:
    layer = torch.nn.Linear(256, 256).to("sim")
    for loss in (layer(ones(64, 256)).sum() for _ in range(2)):
        with MEMORY_OF_DEVICE.limited(0.2), pytest.raises(torch.OutOfMemoryError, match="sim out of memory"):
            loss.backward()
        layer.zero_grad()
    layer(ones(64, 256)).sum().backward()


def test_memory_is_counted_for_as_long_as_it_is_held() -> None:
    before = MEMORY_OF_DEVICE.used
    held = ones(2**18)
    view = held.view(2, -1)[0]
    assert MEMORY_OF_DEVICE.used == before + 2**20
    del held
    assert MEMORY_OF_DEVICE.used == before + 2**20
    del view
    assert MEMORY_OF_DEVICE.used == before


def test_what_does_not_fit_is_refused_as_on_cuda() -> None:
    with MEMORY_OF_DEVICE.limited(1):
        with pytest.raises(torch.OutOfMemoryError, match=r"sim out of memory\. Tried to allocate 2\.00 MiB"):
            ones(2**19)
        assert ones(2**17).sum().item() == 2**17
