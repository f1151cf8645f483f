"""Each key of the node `trainer` is declared once and has its value once, for a config and for Python alike."""

from __future__ import annotations

import shutil
from dataclasses import asdict, field, fields, make_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from qaexp.config.build import build
from qaexp.config.checks.whole import check_config
from qaexp.config.conf import conf_directory
from qaexp.config.schema import TrainerConfig, key
from qaexp.errors import ConfigError
from qaexp.training import loop
from qaexp.training.loop import Trainer
from tests.fixtures.checked import check_command_line


def test_python_and_a_config_have_the_same_settings() -> None:
    composed = check_command_line(["trainer=cpu"]).trainer
    from_python = Trainer(device="cpu", precision="fp32").settings
    assert asdict(build(composed, "trainer").settings) == asdict(from_python) == asdict(composed)


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", -1), ("keep", "first"), ("on_nan", "skip"), ("device", "gpu"), ("precision", "fp8"), ("log_every", 0)],
)
def test_python_and_a_config_are_held_to_the_same_rules(name: str, value: Any) -> None:
    config = check_command_line(["trainer=cpu"])
    setattr(config.trainer, name, value)
    with pytest.raises(ConfigError) as caught:
        Trainer(**{"device": "cpu", name: value})
    assert [str(caught.value)] == check_config(config)
    with pytest.raises(ConfigError, match=r"trainer\.precision=fp16 needs CUDA, and trainer\.device=cpu"):
        check_command_line(["trainer=cpu", "trainer.precision=fp16"])


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(ConfigError, match=r"epoch is not a key of trainer; did you mean epochs\?"):
        Trainer(epoch=3)


def test_a_new_key_is_declared_in_the_schema_and_valued_in_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two places, and then the loop reads it: no signature, no second YAML file, no check of its own."""
    folder = tmp_path / "conf"
    shutil.copytree(conf_directory(), folder)
    with (folder / "trainer" / "default.yaml").open("a") as file:
        file.write("patience_steps: 7\n")
    new: Any = make_dataclass(
        "TrainerConfig",
        [("patience_steps", int, field(metadata=dict(key("steps to wait", low=1).metadata), default=0))],
        bases=(TrainerConfig,),
    )
    monkeypatch.setattr(loop, "TrainerConfig", new)
    monkeypatch.setattr("qaexp.config.settings.conf_directory", lambda: folder)
    for choice in ("default", "cpu", "cuda"):
        own = set(yaml.safe_load((folder / "trainer" / f"{choice}.yaml").read_text())) - {"defaults"}
        assert own in ({item.name for item in fields(new)}, {"device", "precision"})
    settings: Any = Trainer(device="cpu").settings
    assert settings.patience_steps == 7
    with pytest.raises(ConfigError, match=r"trainer\.patience_steps=0 is outside the legal values from 1 up"):
        Trainer(device="cpu", patience_steps=0)
