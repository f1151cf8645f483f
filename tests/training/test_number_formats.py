"""Which number format `auto` is on which device, by what the hardware says, and what is said of a slow one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from qaexp.errors import ConfigError
from qaexp.training import number_formats
from qaexp.training.loop import Trainer
from qaexp.training.number_formats import KINDS, autocast_in, choose_precision, cpu_vendor, kind_of, slowness
from tests import REPOSITORY
from tests.fixtures.processors import AMD, AMX, ARM, INTEL, OLD, Processor

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("processor", "kind", "auto"),
    [
        (AMX, "x86 CPU with AMX", "bf16"),
        (AMD, "AMD CPU with avx512_bf16", "bf16"),
        (INTEL, "other x86 CPU with avx512_bf16", "fp32"),
        (OLD, "x86 CPU without either", "fp32"),
        (ARM, "CPU that is not x86", "fp32"),
    ],
)
def test_auto_is_bf16_where_a_cpu_computes_in_it_at_full_speed(
    monkeypatch: pytest.MonkeyPatch, processor: Processor, kind: str, auto: str
) -> None:
    processor.stand_in(monkeypatch)
    assert (kind_of(CPU), choose_precision("auto", CPU)) == (kind, auto)
    assert (slowness("bf16", CPU) is None) == (auto == "bf16")
    assert slowness(auto, CPU) is None


@pytest.mark.parametrize(
    ("name", "limit", "processor", "kind"),
    [
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE", AMX, "x86 CPU without either"),
        ("DNNL_MAX_CPU_ISA", "avx2", AMD, "x86 CPU without either"),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", AMX, "other x86 CPU with avx512_bf16"),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", AMD, "AMD CPU with avx512_bf16"),
        ("ONEDNN_MAX_CPU_ISA", "DEFAULT", AMX, "x86 CPU with AMX"),
    ],
)
def test_what_onednn_may_not_use_does_not_count(
    monkeypatch: pytest.MonkeyPatch, name: str, limit: str, processor: Processor, kind: str
) -> None:
    processor.stand_in(monkeypatch)
    monkeypatch.setenv(name, limit)
    assert kind_of(CPU) == kind


@pytest.mark.parametrize(("has_bf16", "auto"), [(True, "bf16"), (False, "fp32")])
def test_auto_on_a_gpu(monkeypatch: pytest.MonkeyPatch, has_bf16: bool, auto: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
    assert choose_precision("auto", CUDA) == auto
    assert choose_precision("fp16", CUDA) == "fp16"
    if not has_bf16:
        with pytest.raises(ConfigError, match=r"trainer\.precision=bf16, but this GPU has no bf16; choose fp16"):
            choose_precision("bf16", CUDA)


def test_formats_that_a_cpu_never_has_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"trainer\.precision=fp16 needs CUDA"):
        choose_precision("fp16", CPU)
    with pytest.raises(ConfigError, match=r"trainer\.precision=fp8 is none of auto, fp32, bf16, fp16"):
        choose_precision("fp8", CPU)
    with pytest.raises(ConfigError, match="none of auto"):
        Trainer(epochs=1, precision="fp8")


def test_the_vendor_is_that_of_cpuinfo(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 26\n"
    monkeypatch.setattr(Path, "read_text", lambda self, **_: text)
    cpu_vendor.cache_clear()
    assert cpu_vendor() == "AuthenticAMD"

    def missing(self: Path, **_: str) -> str:
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(number_formats.platform, "processor", lambda: "Intel64 Family 6 Model 207, GenuineIntel")
    cpu_vendor.cache_clear()
    assert cpu_vendor() == "GenuineIntel"
    cpu_vendor.cache_clear()


def test_the_forward_pass_is_in_the_format() -> None:
    left = torch.ones(2, 2)
    with autocast_in("bf16", CPU)():
        assert (left @ left).dtype == torch.bfloat16
    with autocast_in("fp32", CPU)():
        assert (left @ left).dtype == torch.float32


def test_the_page_shows_every_kind_of_device() -> None:
    page = (REPOSITORY / "docs" / "number_formats.md").read_text()
    for name, kind in KINDS.items():
        assert f"| {name} | {kind.auto} | {', '.join(kind.formats)} |" in page, name
