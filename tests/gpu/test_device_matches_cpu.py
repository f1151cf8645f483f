"""An accelerator against the CPU; the same bodies run CPU against CPU, so that they are known to run."""

from __future__ import annotations

import pytest
import torch

from qaexp.training.peak import peak_memory_mib
from qaexp.training.precision import choose_device
from qaexp.training.throughput import gemm_rate
from tests.fixtures import tiny_training as tiny
from tests.fixtures.devices import ACCELERATOR, each_device, needs_cuda

SETTINGS = {"epochs": 2, "log_every": 1}


def reference(**settings) -> list[float]:
    return tiny.losses(*tiny.start(device="cpu", precision="fp32", **SETTINGS, **settings))


@each_device
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("bf16", 3e-2)])
def test_losses_of_the_first_steps_are_those_of_the_cpu(device, precision, tolerance) -> None:
    trainer, state = tiny.start(device=device, precision=precision, **SETTINGS)
    assert state.setup.accelerator.device.type == ("cpu" if device == "cpu" else ACCELERATOR.type)
    assert (state.setup.accelerator.mixed_precision == "bf16") == (precision == "bf16")
    found = tiny.losses(trainer, state)
    assert len(found) == 10
    assert found == pytest.approx(reference(), abs=tolerance)


@each_device
@pytest.mark.parametrize("optimizer", ["sgd", "adafactor", "muon"])
def test_every_optimizer_takes_the_steps_of_the_cpu(device, optimizer) -> None:
    found = tiny.losses(*tiny.start(device=device, precision="fp32", optimizer=optimizer, **SETTINGS))
    # Muon orthogonalises in bfloat16 on every device, whose products round differently.
    assert found == pytest.approx(reference(optimizer=optimizer), abs=3e-2 if optimizer == "muon" else 1e-3)


@each_device
def test_accumulation_checkpointing_and_no_clipping_on_the_device(device) -> None:
    settings = {"gradient_accumulation_steps": 2, "gradient_checkpointing": True, "max_grad_norm": None}
    found = tiny.losses(*tiny.start(device=device, precision="fp32", plan=tiny.fixed_plan(4), **SETTINGS, **settings))
    expected = reference(plan=tiny.fixed_plan(4), gradient_accumulation_steps=2, max_grad_norm=None)
    assert found == pytest.approx(expected, abs=1e-4)


@each_device
def test_deterministic_gives_the_same_bytes_twice(device) -> None:
    def run() -> tuple[str, list[float]]:
        trainer, state = tiny.start(tiny.make_model(dropout=0.1), device=device, deterministic=True, **SETTINGS)
        found = tiny.losses(trainer, state)
        return tiny.digest(state.model), found

    assert run() == run()


@each_device
def test_a_state_continues_on_the_device(device) -> None:
    def begin(seed: int):
        loaded = tiny.make_model(seed=seed, dropout=0.1)
        return tiny.start(loaded, device=device, deterministic=True, **SETTINGS)

    trainer, state = begin(0)
    records = trainer.train(state)
    for _ in range(4):
        tiny.acknowledge(next(records), state)
    stopped = {**state.state_dict(), "model": state.snapshot()}
    other_trainer, other = begin(1)
    other.load_state_dict(stopped)
    assert list(other_trainer.train(other)) == list(records)
    assert tiny.digest(other.model) == tiny.digest(state.model)


@each_device
def test_speed_and_memory_of_the_device_are_measured(device) -> None:
    where = choose_device(device)
    torch.ones(2**18, device=where)
    assert gemm_rate(where, "fp32", seconds=0.05) > 1e8
    assert peak_memory_mib(where) > 0


@needs_cuda
def test_fp16_scales_its_loss() -> None:
    found = tiny.losses(*tiny.start(device="auto", precision="fp16", **SETTINGS))
    assert found == pytest.approx(reference(), abs=3e-2)
