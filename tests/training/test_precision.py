"""Where training computes, and that two runs of one process do not mix."""

from __future__ import annotations

import pytest
import torch

from qaexp.errors import ConfigError
from qaexp.training.loop import Trainer
from qaexp.training.precision import choose_device, describe_device, make_accelerator
from tests.fixtures import tiny_training as tiny

CPU = torch.device("cpu")
no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@no_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:3"])
def test_cuda_without_a_gpu_is_refused_when_the_trainer_is_built(device) -> None:
    with pytest.raises(ConfigError, match="sees no CUDA GPU; choose trainer=cpu") as caught:
        Trainer(epochs=1, device=device)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("device", ["gpu", "cpu:0", "cuda:", "cuda:x", ""])
def test_unknown_devices_are_refused(device) -> None:
    with pytest.raises(ConfigError, match="is none of auto, cpu, cuda"):
        choose_device(device)


def test_a_second_run_gets_its_own_settings() -> None:
    reference = tiny.losses(*tiny.start())
    rough = tiny.losses(*tiny.start(precision="bf16"))
    again = tiny.losses(*tiny.start())
    assert again == reference
    assert rough != reference
    assert rough == pytest.approx(reference, abs=0.05)


def test_deterministic_is_switched_on_and_off() -> None:
    make_accelerator(CPU, "fp32", deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    make_accelerator(CPU, "fp32", deterministic=False)
    assert not torch.are_deterministic_algorithms_enabled()


def test_deterministic_training_runs() -> None:
    assert tiny.losses(*tiny.start(deterministic=True)) == tiny.losses(*tiny.start())


def test_the_device_is_described() -> None:
    found = describe_device(CPU, "fp32")
    assert (found["device"], found["precision"], found["num_processes"]) == ("cpu", "fp32", 1)
