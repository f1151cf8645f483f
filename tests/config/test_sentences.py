"""What Hydra and OmegaConf say is told in plain words, without types of Python."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qaexp.errors import ConfigError
from tests.fixtures.checked import check_command_line

_TYPES = re.compile(r"Config\b|\bOptional|\bUnion|full_key|_type=|of type '|\bint\b|\bstr\b|\bNone\b|Error\b|subclass")
VALUES = {
    "data.train_size=50%": "must be a number or null; 0.5 is a half",
    "data.train_size=[1,2]": "in a sweep (-m) write data.train_size=1,2",
    "features.max_length=[128,256]": "in a sweep (-m) write features.max_length=128,256",
    "seed=0..3": "write seed=range(0,4)",
    "trainer.epochs=many": "must be a whole number",
    "trainer.epochs=1.5": "must be a whole number",
    "trainer.epochs=null": "must be a whole number",
    "trainer.max_grad_norm=x": "must be a number or null",
    "trainer.compile=maybe": "must be true or false",
    "data.source=null": "must be a text",
    "name=[a]": "must be a text or null",
    "probes=abc": "must be a list of mappings with question and context",
    "probes=[3]": "does not fit",
    "probes=[{question: a, x: 1}]": "must be a list of mappings with question and context",
    "tags={a: 1}": "must be a list of texts",
    "trainer.max_steps=-1": "from 1 up (steps)",
    "optimizer.lr=${oc.env:NO_SUCH_VARIABLE}": "NO_SUCH_VARIABLE is not set in the environment",
    "optimizer.lr=${nothing.there}": "names a key that there is not",
    "optimizer.lr=${no.such:1}": "is not a known function",
}


@pytest.mark.parametrize("line", VALUES)
def test_a_value_that_does_not_fit(line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_command_line([line])
    assert VALUES[line] in str(refused.value)
    assert _TYPES.search(str(refused.value).replace("NO_SUCH", "")) is None, str(refused.value)


FILES = {
    "trainer: {epochs: many}": "trainer.epochs=many does not fit, it must be a whole number",
    "trainer: {epoch: 3}": "trainer.epoch is not a key; did you mean trainer.epochs?",
    "features: {max_len: 3}": "features.max_len is not a key; did you mean features.max_length?",
    "lr: 3": "mine.yaml: lr is not a key",
    "data: {train_size: 50%}": "data.train_size=50% does not fit",
    "data: {foo: 1}": "data has columns, config_name",
    "data: {source: null}": "data.source=null does not fit",
    "trainer: 3": "trainer=3 does not fit",
    "trainer: null": "does not fit",
    "trainer: [1]": "does not fit",
    "optimizer: 3": "optimizer=3 does not fit",
    "optimizer: [1]": "a list is given where a mapping must be",
    "probes: abc": "probes=abc does not fit",
    "tags: a": "tags=a does not fit, it must be a list of texts",
}


@pytest.mark.parametrize("text", FILES)
def test_a_file_that_does_not_fit(text: str, tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}\n")
    with pytest.raises(ConfigError) as refused:
        check_command_line(["experiment=mine"], config_dir=tmp_path)
    assert FILES[text] in str(refused.value)
    assert _TYPES.search(str(refused.value)) is None, str(refused.value)


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        ("optimizer.lr=${oc.env:FOO}", ("optimizer", "lr"), 0.002),
        ("schedule.warmup_ratio=${oc.env:FOO}", ("schedule", "warmup_ratio"), 0.002),
        ("optimizer.betas=[${oc.env:FOO},0.9]", ("optimizer", "betas"), [0.002, 0.9]),
        ("optimizer.fused=${oc.env:TRUTH}", ("optimizer", "fused"), False),
        ("schedule.total_epochs=${oc.env:WHOLE}", ("schedule", "total_epochs"), 3),
    ],
)
def test_the_environment_gives_numbers_to_open_nodes(
    line: str, key: tuple[str, str], expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FOO": "0.002", "TRUTH": "false", "WHOLE": "3"}.items():
        monkeypatch.setenv(name, value)
    found = getattr(check_command_line([line]), key[0])[key[1]]
    assert found == expected
    assert type(found) is type(expected)
