"""What comes from the environment is refused where it would be stored as it is, and told by its expression."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaexp.config.guards.tellable import told
from qaexp.config.origins import Origin
from qaexp.errors import ConfigError, QaexpError
from tests.fixtures.checked import check_command_line

VARIABLES = {
    "GH_PAT": "zq7",
    "OPENAI_KEY": "41",
    "RATES": "[0.5, 77]",
    "DB_PASS": "zq7sh0r",
    "DBPWD": "hunter",
    "LEDGER": "Anna owes Bert",
    "SIZE": "5",
    "WORD": "zqword",
}


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def check(folder: Path, text: str) -> None:
    """Check a command line that chooses an experiment of this YAML."""
    (folder / "experiment").mkdir()
    (folder / "experiment" / "own.yaml").write_text(f"# @package _global_\n{text}\n")
    check_command_line(["experiment=own"], config_dir=folder)


SECRET_NAME = "whose name says that it is a secret, and it"
IS_STORED = f"{SECRET_NAME} is stored as it is; give it another variable"
IN_HYDRA = (
    "whose name says that it is a secret, and paths or messages would reveal it; "
    "give it another variable, or write it out"
)
WOULD_BE_TOLD = "comes from the environment, and its answers would reveal it; write it out"
IN_A_LINE = (
    "comes from the environment, and the lines of jobs are stored as they are; give it as key: value of the config, "
    "where it is stored as its expression"
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("probes: [{question: q, context: '${oc.env:LEDGER} is'}]", f"probes[0].context {WOULD_BE_TOLD}"),
        ("probes: [{question: '${oc.env:DB_PASS}', context: c}]", f"probes[0].question {WOULD_BE_TOLD}"),
        ("data: {revision: '${oc.env:LEDGER}'}\nprobes: [{question: q, context: '${data.revision}'}]",
         f"probes[0].context {WOULD_BE_TOLD}"),
        ("name: run-${oc.env:GH_PAT}",
         f"name comes from GH_PAT, {SECRET_NAME} would be part of every path; choose a name without it"),
        ("hydra: {run: {dir: 'outputs/${oc.env:GH_PAT}/x'}}",
         f"hydra.run.dir comes from GH_PAT, {IN_HYDRA}"),
        ("hydra: {run: {dir: 'outputs/${hydra:job.num}/${oc.env:GH_PAT}'}}",
         f"hydra.run.dir comes from GH_PAT, {IN_HYDRA}"),
        ("hydra: {sweep: {dir: '${trackers.x}'}}\ntrackers: {x: '${oc.env:GH_PAT}'}",
         f"hydra.sweep.dir comes from GH_PAT, {IN_HYDRA}"),
        ("hydra: {job: {chdir: '${oc.env:GH_PAT}'}}", f"hydra.job.chdir comes from GH_PAT, {IN_HYDRA}"),
        ("hydra: {launcher: {jobs: '${oc.env:GH_PAT}'}}", f"hydra.launcher.jobs comes from GH_PAT, {IN_HYDRA}"),
        ("seed: ${oc.env:OPENAI_KEY}", f"seed comes from OPENAI_KEY, {IS_STORED}"),
        ("data: {train_size: '${oc.env:OPENAI_KEY}'}", f"data.train_size comes from OPENAI_KEY, {IS_STORED}"),
        ("hydra: {sweeper: {params: {data.revision: 'a,${oc.env:WORD}'}}}",
         f"hydra.sweeper.params.data.revision {IN_A_LINE}"),
        ("hydra: {sweeper: {params: {probes: '[{question: q, context: ${oc.env:LEDGER}}],[]'}}}",
         f"hydra.sweeper.params.probes {IN_A_LINE}"),
        ("data: {revision: '${oc.env:WORD}'}\nhydra: {sweeper: {params: {seed: '${data.revision}'}}}",
         f"hydra.sweeper.params.seed {IN_A_LINE}"),
    ],
)  # fmt: skip
def test_what_would_be_stored_as_it_is_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(tmp_path, text)
    assert raised.value.problems == (problem,)


@pytest.mark.parametrize(
    "text",
    [
        "name: run-${oc.env:WORD}",
        "hydra: {run: {dir: 'outputs/${oc.env:WORD}/x'}}",
        "seed: ${oc.env:SIZE}",
        "data: {revision: '${oc.env:DB_PASS}'}",
        "hydra: {job: {env_set: {MINE: '${oc.env:DB_PASS}'}}}",
        "hydra: {launcher: {jobs: '${oc.env:SIZE}'}}",
        "trackers: {x: '${oc.decode:${oc.env:OPENAI_KEY}}'}",
        "hydra: {sweeper: {params: {data.revision: 'a,${oc.env:NOT_SET,b}', seed: '${seeds.dev},1'}}}",
        "probes: [{question: q, context: '${oc.env:NOT_SET,c}'}]",
    ],
)
def test_what_is_stored_as_its_expression_or_tells_nothing_is_not_refused(tmp_path: Path, text: str) -> None:
    check(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("trainer: {device: '${oc.env:DB_PASS}'}", "trainer.device=${oc.env:DB_PASS} is none of auto"),
        ("trainer: {device: '${oc.env:WORD}'}", "trainer.device=${oc.env:WORD} is none of auto"),
        ("trainer: {on_nan: 'skip:${oc.env:DBPWD}'}", "trainer.on_nan=skip:${oc.env:DBPWD} is neither"),
        ("data: {on_bad: '${oc.env:DBPWD}'}", "data.on_bad=${oc.env:DBPWD} is none of fail"),
        ("seed: ${oc.env:DBPWD}", "seed=${oc.env:DBPWD} gives nothing that fits this key; correct DBPWD"),
        ("seed: ${oc.env:WORD}", "seed=${oc.env:WORD} gives nothing that fits this key; correct WORD"),
        ("optimizer: {betas: '${oc.decode:${oc.env:RATES}}'}", "optimizer.betas=${oc.decode:${oc.env:RATES}} must be"),
        ("optimizer: {betas: '${oc.decode:\"[${oc.env:DBPWD}]\"}'}",
         "optimizer.betas=${oc.decode:\"[${oc.env:DBPWD}]\"}"),
        ("optimizer: {lr: '${oc.decode:\"[${oc.env:DBPWD}\"}'}", "optimizer.lr=${oc.decode:\"[${oc.env:DBPWD}\"}"),
        ("optimizer: {lr: '${oc.env:DBPWD}'}", "optimizer.lr=${oc.env:DBPWD} is not a number"),
        ("features: {max_length: '${oc.env:SIZE}'}", "features.max_length=${oc.env:SIZE} is outside the legal values"),
        ("defaults: [{override /data: '${oc.env:DBPWD}'}]", "data=${oc.env:DBPWD}: data has no '${oc.env:DBPWD}'"),
        ("data: {_target_: '${oc.env:DB_PASS}.x'}", "_target_=${oc.env:DB_PASS}.x"),
    ],
)  # fmt: skip
def test_messages_tell_the_expression(tmp_path: Path, text: str, shown: str) -> None:
    with pytest.raises(QaexpError) as raised:
        check(tmp_path, text)
    sentences = str(raised.value)
    assert shown in sentences
    assert [value for name, value in VARIABLES.items() if name != "SIZE" and value in sentences] == []


def test_a_value_is_replaced_as_a_whole_alone() -> None:
    origins = {("a",): Origin("${oc.env:A}", ("A",)), ("b", "0"): Origin("${oc.env:MY_KEY}", ("MY_KEY",))}
    assert told("a=5 is outside 5 to 55, a=55 is not", {"a": 5, "b": ["x"]}, origins) == (
        "a=${oc.env:A} is outside 5 to 55, a=55 is not"
    )
    assert told("b=['x'], b[0]=x; x of xx", {"a": None, "b": ["x"]}, origins) == (
        "b=${oc.env:MY_KEY}, b[0]=${oc.env:MY_KEY}; ${oc.env:MY_KEY} of xx"
    )
