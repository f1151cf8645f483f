"""A sweep that goes on by its own command: the words of it, wherever the sweep stands now."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from qaexp.config.overrides import parse_overrides
from qaexp.sweeps.again import Command, again


@pytest.mark.parametrize("name", ["plain", "it's", "ends with \\", "a\\'b", "${seed}", "a\\${seed}", "a, b=(c)"])
def test_a_sweep_of_any_name_goes_on_where_it_stands(tmp_path: Path, name: str) -> None:
    words = again(tmp_path / name, Command(["-m", "seed=0,1"], tmp_path), ["threads=1"])
    assert words[:3] == ["-m", "seed=0,1", "threads=1"]
    overrides, problems = parse_overrides(words[3:])
    assert problems == []
    assert [one.key_or_group for one in overrides] == ["name", "hydra.sweep.dir"]
    found = OmegaConf.create({"values": [one.value() for one in overrides]})
    assert list(found["values"]) == [name, str(tmp_path / name)]
