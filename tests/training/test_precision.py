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


def pretend(monkeypatch: pytest.MonkeyPatch, kind: str, number: int = 1) -> None:
    """Let torch see some devices of a kind."""
    monkeypatch.setattr("torch.accelerator.current_accelerator", lambda **_: torch.device(kind))
    monkeypatch.setattr("torch.accelerator.device_count", lambda: number)


@pytest.mark.parametrize("kind", ["cuda", "xpu", "mps"])
def test_auto_takes_the_accelerator_that_torch_sees(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, kind)
    assert choose_device("auto") == choose_device(kind) == torch.device(kind)
    assert choose_device("cpu") == CPU
    with pytest.raises(ConfigError, match=r"trainer\.device=\w+, but torch .* sees no \w+ GPU; choose trainer=cpu, or"):
        choose_device("xpu" if kind == "mps" else "mps")


@pytest.mark.parametrize("kind", ["cuda", "xpu"])
def test_a_gpu_is_named_by_its_number(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, kind, 2)
    assert choose_device(f"{kind}:1") == torch.device(kind, 1)
    with pytest.raises(ConfigError, match=f"trainer.device={kind}:2, but there are only 2 GPUs; count from 0"):
        choose_device(f"{kind}:2")
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "0"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "29500")
    with pytest.raises(ConfigError, match=f"names one GPU for 2 processes; choose {kind}"):
        choose_device(f"{kind}:1")


def test_processes_that_accelerate_does_not_connect_do_not_train_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qaexp.training.precision.num_processes", lambda: 2)
    with pytest.raises(ConfigError, match="2 processes cannot train together on cpu: accelerate does not connect them"):
        make_accelerator(CPU, "fp32", deterministic=False)
