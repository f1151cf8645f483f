"""Every flag of Hydra, alone and in odd company: none ends in a traceback, and what is said of it is true."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qaexp.cli.arguments import parse_train_arguments
from tests.fixtures import tiny_run

LISTED = "'a=[' is not an override (not understood at '[')"
REFUSED = {
    ("--shell-completion",): "takes one word, install=SHELL",
    ("-sc",): "takes one word, install=SHELL",
    ("-sc", "install=nosuch"): "takes one word, install=SHELL",
    ("-sc", "query="): "takes one word, install=SHELL",
    ("-sc", "install=bash", "query=bash"): "takes one word, install=SHELL",
    ("-sc", "a=["): "takes one word, install=SHELL",
    ("-sc", "query=zsh"): "qaexp train -sc install=zsh prints",
    ("-sc", "-m"): "--multirun and --shell-completion: each of them says what to do",
    ("=3", "--cfg", "job"): "'=3' has no key before its =",
    ("--cfg", "all", "=3"): "'=3' has no key before its =",
    ("--info", "=3"): "'=3' has no key before its =",
    ("a=[", "--cfg", "job"): LISTED,
    ("--info", "a=["): LISTED,
    ("--info", "plugins", "a=["): LISTED,
    ("--resolve", "a=["): LISTED,
    ("--resolve", "--cfg", "job", "a=["): LISTED,
    ("-m", "a=["): LISTED,
    ("-m", "--cfg", "job", "a=["): LISTED,
    ("--cfg", "job", ""): "'' is not an override",
    ("--cfg", "job", "seed=0,1"): "write -m sweep.dry_run=true in the place of --cfg job",
    ("--info", "defaults", "zzz=1"): "zzz is not a key",
    ("--cfg", "job", "--cfg", "all"): "given twice",
    ("--info", "all", "--info", "defaults"): "given twice",
    ("--cfg",): "--cfg/-c needs a value",
    ("--multirun=1",): "--multirun/-m takes no value",
    ("--resolve",): "--resolve does something with --cfg alone",
    ("--resolve", "--info"): "--resolve does something with --cfg alone",
    ("-p", "optimizer"): "--package does something with --cfg alone",
    ("--cfg", "job", "-p", "optimiser"): "did you mean optimizer?",
    ("--cfg", "job", "-p", "hydra"): "it is a part of --cfg all",
    ("--cfg", "job", "-p", ""): "--package is empty",
    ("--cfg", "job", "-p", "["): "--package [ is not part of the config",
    ("-r", "-m"): "--run and --multirun: each of them says what to do",
    ("--run", "--info"): "--run and --info all: each of them says what to do",
    ("-m", "--cfg", "job"): "the jobs of a sweep are listed by -m sweep.dry_run=true",
    ("--experimental-rerun", "x"): "would load a pickle",
    ("--experimental-rerun=x",): "would load a pickle",
    ("-cd", ""): "--config-dir is empty",
    ("-cn", ".yaml"): "--config-name is empty",
    ("--from", ""): "--from is empty",
}
SHOWN = {
    ("--hydra-help",): "-m, --multirun           a sweep",
    ("--hydra-help", "a=[", "-m"): "hydra/launcher=joblib|local",
    ("--version",): ", Hydra 1.",
    ("--version", "a=[", "--cfg", "job"): ", Hydra 1.",
    ("--help", "--hydra-help", "a=["): "train and evaluate",
    ("--help", "--resolve", "-r", "-m"): "train and evaluate",
    ("-sc", "install=fish"): "hydra_fish_completion",
    ("--info", "seed=1"): "Config search path",
    ("seed=1", "-i", "defaults"): "Defaults List",
    ("--cfg", "job", "-p", "data.train_file"): "null",
    ("--cfg", "job", "-p", "probes[0]"): "question:",
    ("--cfg", "all", "-p", "hydra.run"): "dir: outputs/${name}",
    ("--cfg", "job", "data=json"): "source: json",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_a_flag_that_cannot_be_taken_is_a_mistake_of_the_command_line(words: tuple[str, ...], tmp_path: Path) -> None:
    done = tiny_run.call(tmp_path, "train", *words)
    assert (done.code, done.out) == (2, ""), done.err
    assert REFUSED[words] in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_what_is_shown_instead_of_a_run(words: tuple[str, ...], tmp_path: Path) -> None:
    done = tiny_run.call(tmp_path, "train", *words)
    assert (done.code, done.err) == (0, "")
    assert SHOWN[words] in done.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", ["-sc", "--shell-completion"])
def test_completion_without_a_command(flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMP_LINE", raising=False)
    assert tiny_run.call(tmp_path, flag).code == 2
    assert "hydra_bash_completion" in tiny_run.call(tmp_path, flag, "install=bash").out
    monkeypatch.setenv("COMP_LINE", "qaexp train optimizer=a")
    monkeypatch.setenv("COMP_POINT", "no number")
    assert "optimizer=adamw" in tiny_run.call(tmp_path, flag, "query=bash").out.split()
    assert os.environ["COMP_LINE"] == "qaexp optimizer=a"


def test_no_word_at_all_is_a_run() -> None:
    found = parse_train_arguments([])
    assert (found.overrides, found.flags, found.runs) == ((), (), True)


def test_each_of_hydras_flags_is_told_in_the_page_about_them(tmp_path: Path) -> None:
    from hydra._internal.utils import get_args_parser

    told = tiny_run.call(tmp_path, "train", "--hydra-help").out
    flags = [flag for action in get_args_parser()._actions for flag in action.option_strings if flag.startswith("--")]
    assert [flag for flag in flags if flag not in told] == []
