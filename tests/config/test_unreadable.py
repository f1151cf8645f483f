"""Words that are not overrides are told with what was meant, and what is told composes when it is typed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from qaexp.config.checks.texts import keep_texts
from qaexp.errors import ConfigError
from tests.fixtures.checked import check_command_line

WRITE = {
    "'model=tiny_random trainer.max_steps=4'": "give them apart: model=tiny_random trainer.max_steps=4",
    "'seed=1\ttrainer=cpu'": "give them apart: seed=1 trainer=cpu",
    """data.columns='{"id": "qid"}'""": "write 'data.columns={id: qid}'",
    """data.columns='{"id": "my id"}'""": """write 'data.columns={id: "my id"}'""",
    """data.columns={"id": "qid"}""": "write 'data.columns={id: qid}'",
    """probes='[{"question": "Who?", "context": "He."}]'""": ("""write 'probes=[{question: "Who?", context: He.}]'"""),
    "seed=1,,2": "write seed=1,2",
    "seed=1,": "write seed=1",
    "seed=0, 1, 2": "write seed=0,1,2",
    "'optimizer.lr=1e-4;3e-4'": "write optimizer.lr=1e-4,3e-4",
    "'seed=1;2'": "write seed=1,2",
    "model==minilm": "write model=minilm",
    "model:minilm": "write model=minilm",
    "'optimizer.lr: 1e-4'": "write optimizer.lr=1e-4",
    "seed = 1": "write seed=1",
    "seed= 1": "write seed=1",
    "'seed = 1'": "write seed=1",
    "optimizer.betas=[0.9, 0.999]": "write 'optimizer.betas=[0.9,0.999]'",
}


def problems(words: list[str]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        check_command_line(keep_texts(words))
    return tuple(refused.value.problems)


@pytest.mark.parametrize("line", WRITE)
def test_the_advice_for_a_word_that_cannot_be_read_composes(line: str) -> None:
    (said,) = problems(shlex.split(line))
    assert said.endswith(WRITE[line])
    words = shlex.split(WRITE[line].partition("write ")[2] or said.partition(": ")[2])
    files = ["data=json", "data.train_file=train.json", "data.dev_file=dev.json"] if "columns" in line else []
    check_command_line(keep_texts([*files, *words]))


@pytest.mark.parametrize("value", ["a(b", "a#b", "a \u00e9"])
def test_a_text_in_the_quotes_that_are_told_is_that_text(value: str) -> None:
    (said,) = problems([f"data.config_name={value}"])
    (word,) = shlex.split(said.partition("also for a shell: ")[2])
    assert check_command_line(keep_texts([word])).data.config_name == value


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("seed=1)", "seed must be a whole number"),
        ("trainer.epochs='3;'", "trainer.epochs must be a whole number"),
        ("=3", "has no key before its ="),
        ("notes=two words", "a value with blanks in quotes: 'notes=two words'"),
    ],
)
def test_what_quotes_would_not_mend_is_not_to_be_quoted(line: str, says: str) -> None:
    (said,) = problems(shlex.split(line))
    assert said.endswith(says) or says in said


@pytest.mark.parametrize(
    "path", ["~t.json", "~/no/t.json", "~nobody/t.json", "a/~b.json", "\u00e9.json", "~a.json,~b.json"]
)
def test_a_path_is_a_path_whatever_is_in_it(path: str) -> None:
    words = keep_texts(["data=json", "data.train_file=t.json", f"data.dev_file={path}"])
    assert check_command_line(words).data.dev_file == path.partition(",")[0]


def test_a_folder_at_home_is_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keep_texts(["hydra.run.dir=~/x"]) == [f"hydra.run.dir='{tmp_path}/x'"]


@pytest.mark.parametrize(
    "line",
    [
        "data=json data.train_file=t.json data.dev_file=(t.json",
        "data=json data.train_file=t.json data.dev_file=[t.json]",
        "optimizer=sdg optimizer.momentum=0.5",
        "optimizer=sgd,sdg optimizer.momentum=0.5",
    ],
)
def test_what_only_follows_from_a_mistake_is_not_told_beside_it(line: str) -> None:
    (said,) = problems(line.split())
    assert "not set" not in said
    assert "not a key" not in said
