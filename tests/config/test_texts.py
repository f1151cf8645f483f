"""A text is what was typed, whatever number it looks like; in YAML files YAML's own rules count."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.config.checks.texts import keep_texts
from qaexp.config.checks.words import parse_overrides
from qaexp.config.schema import leaves
from qaexp.errors import ConfigError
from qaexp.sweeps.grid import job_lines
from tests.fixtures.checked import check_command_line


@pytest.mark.parametrize("typed", ["3.10", "1e3", "1_000", ".5", "-5", "+5", "1E-3", "nan", "inf", "-inf", "7", "2024"])
@pytest.mark.parametrize("key", ["name", "data.train_file", "model.checkpoint", "model.revision", "data.config_name"])
def test_numbers_typed_for_a_text_stay_as_typed(key: str, typed: str) -> None:
    (override,) = parse_overrides(keep_texts([f"{key}={typed}"]))[0]
    assert override.value() == typed


def test_the_config_holds_what_was_typed() -> None:
    config = check_command_line(
        keep_texts(["name=3.10", "model.revision=1e5", "probes=[{question: 1.50, context: true}]"])
    )
    assert (config.name, config.model.revision) == ("3.10", "1e5")
    assert (config.probes[0].question, config.probes[0].context) == ("1.50", "true")


@pytest.mark.parametrize(
    "line",
    [
        "name=null",
        "name=${seed}",
        "name='1e3'",
        'name="1e3"',
        "name=1e3x",
        "name=a b 1",
        "name=",
        "name",
        "~name",
        "name=range(1,3)",
        "name=int(3)",
        "seed=1_000",
        "data.train_size=1.0",
        "optimizer.lr=1e-3",
        "steal_lock=true",
        "a b=}",
        "name=" + "${seed}" * 1001,
    ],
)
def test_all_else_stays_as_it_is(line: str) -> None:
    assert keep_texts([line]) == [line]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("name=a,1e3", "name=a,'1e3'"),
        ("name=choice(1e3, b)", "name=choice('1e3', b)"),
        ("name=shuffle(1e3,2)", "name=shuffle('1e3','2')"),
        ("name=tag(t,choice(1e3,2))", "name=tag(t,choice('1e3','2'))"),
        ("name= 1e3 ", "name= '1e3'"),
        ("++name=1e3", "++name='1e3'"),
        ("experiment=2024", "experiment='2024'"),
        ("experiment=[a,2024]", "experiment=[a,'2024']"),
        ("probes.0.question=3.10", "probes.0.question='3.10'"),
        ("hydra.run.dir=1e3", "hydra.run.dir='1e3'"),
    ],
)
def test_each_value_is_quoted_where_it_stands(line: str, kept: str) -> None:
    assert keep_texts([line]) == [kept]
    assert keep_texts([kept]) == [kept]


def test_every_text_of_the_schema_is_one() -> None:
    texts = [name for name, _, hint in leaves() if "str" in str(hint) and name != "tags"]
    assert len(texts) > 15
    assert keep_texts([f"{name}=1e3" for name in texts]) == [f"{name}='1e3'" for name in texts]
    others = [name for name, _, hint in leaves() if "str" not in str(hint) and name != "probes"]
    assert keep_texts([f"{name}=1e3" for name in others]) == [f"{name}=1e3" for name in others]


@given(st.from_regex(r"[-+]?[0-9_]{0,4}\.?[0-9_]{1,4}(e[-+]?[0-9]{1,3})?", fullmatch=True))
def test_any_number_stays_as_typed(typed: str) -> None:
    overrides, problems = parse_overrides(keep_texts([f"name={typed}"]))
    assert problems == []
    assert overrides[0].value() == typed


@pytest.mark.parametrize("line", ["data.revision=main,1e5", "data.revision=choice(main,1e5)"])
def test_jobs_of_a_sweep_keep_the_words(line: str) -> None:
    lines = [words[0] for words, _ in job_lines(keep_texts([line]))]
    assert lines == ["data.revision=main", "data.revision='1e5'"]
    assert check_command_line(keep_texts(["model.revision=choice(1e5,main)"])).model.revision == "1e5"


def test_a_truth_value_is_still_refused_with_how_to_quote_it() -> None:
    for line in ("name=true", "data.test_file=a,false"):
        with pytest.raises(ConfigError, match="quote it"):
            check_command_line(keep_texts([line]))


def test_a_choice_may_be_called_like_a_number(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "2024.yaml").write_text("# @package _global_\nseed: 7\n")
    assert check_command_line(keep_texts(["experiment=2024"]), config_dir=tmp_path).seed == 7


@pytest.mark.parametrize(
    ("group", "text", "says"),
    [
        ("experiment", "# @package _global_\nname: 3.10\n", 'line 2: name is a text, and 3.10 .* write "3.10"'),
        ("experiment", "# @package _global_\nmodel:\n  revision: 1e5\n", "line 3: model.revision is a text, and 1e5"),
        ("experiment", "# @package _global_\nprobes:\n- {question: yes, context: a}\n", "probes.0.question is a text"),
        ("experiment", "# @package _global_\nname: true\n", "is a truth value for YAML"),
        ("data", "defaults: [demo]\ntest_file: 1_000\n", "line 2: data.test_file is a text, and 1_000"),
        ("sweep", "# @package _global_\nhydra: {sweeper: {params: {data.test_file: 1e3}}}\n", "data.test_file is a"),
    ],
)
def test_a_text_that_yaml_takes_for_a_number_is_refused(tmp_path: Path, group: str, text: str, says: str) -> None:
    (tmp_path / group).mkdir()
    (tmp_path / group / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=says):
        check_command_line([f"{group}=mine"], config_dir=tmp_path)


def test_a_text_in_yaml_that_keeps_its_spelling_is_fine(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    text = '# @package _global_\nname: "3.10"\nmodel: {revision: 2024}\ndata: {train_size: 1.0, test_file: null}\n'
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    config = check_command_line(["experiment=mine"], config_dir=tmp_path)
    assert (config.name, config.model.revision) == ("3.10", "2024")
    assert isinstance(config.data.train_size, float)
