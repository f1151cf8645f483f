"""Flags and keys of other tools are told in the words that mean it here."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaexp.cli.arguments import parse_train_arguments, prefixes
from qaexp.config.checks.habits import known_habits
from qaexp.config.checks.overrides import list_keys
from qaexp.errors import ConfigError
from tests.fixtures import tiny_run
from tests.fixtures.checked import check_command_line

WRITE = {
    ("--lr", "3e-5"): "write optimizer.lr=3e-5, without --",
    ("--lr=3e-5",): "write optimizer.lr=3e-5, without --",
    ("--name=x",): "write name=x, without --",
    ("--learning_rate", "1e-4"): "write optimizer.lr=1e-4",
    ("--learning-rate", "1e-4"): "write optimizer.lr=1e-4",
    ("--num_train_epochs", "3"): "write trainer.epochs=3",
    ("--per_device_train_batch_size", "8"): "write batches=fixed batches.batch_size=8",
    ("--model_name_or_path", "bert-base-uncased"): "write model.checkpoint=bert-base-uncased",
    ("--max_seq_length", "384"): "write features.max_length=384",
    ("--output_dir", "out"): "write hydra.run.dir=out",
    ("--seed", "1"): "write seed=1",
    ("--fp16",): "write trainer.precision=fp16",
    ("--warmup_steps", "5"): "write schedule.warmup_steps=5 schedule.warmup_ratio=null",
    ("--optim", "adamw_torch"): "write optimizer=adamw",
    ("--do_train",): "leave it out",
    ("--trainer.epochs=3",): "write trainer.epochs=3",
    ("--model", "tiny_random"): "write model=tiny_random",
    ("--doc_stride", "9"): "write features.doc_stride=9",
    ("--dry-run",): "write sweep.dry_run=true, without --",
    ("--dryrun",): "write sweep.dry_run=true, without --",
    ("--resume", "outputs/a"): "qaexp resume DIR",
    ("-lr", "1e-4"): "-lr is not a flag; write optimizer.lr=1e-4, without -",
    ("-bs=8",): "write batches=fixed batches.batch_size=8, without -",
    ("-v",): "leave it out",
    ("--out", "runs"): "write hydra.run.dir=runs, without --",
    ("--multirum",): "did you mean --multirun?",
    ("--zzz",): "--zzz is not a flag",
}


@pytest.mark.parametrize("words", WRITE, ids=" ".join)
def test_a_flag_of_another_tool(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_train_arguments([*words, "seed=1"])
    assert WRITE[words] in refused.value.problems[0]


def test_all_of_them_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_train_arguments(["--lr", "3e-5", "--fp16", "seed=1"])
    assert len(refused.value.problems) == 2


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("batch_size=8", "write batches=fixed batches.batch_size=8"),
        ("fp16=true", "write trainer.precision=fp16"),
        ("num_train_epochs=3", "did you mean trainer.epochs?"),
        ("batches.batch_size=8", "write batches=fixed batches.batch_size=8"),
        ("schedule.warmup_steps=10", "write schedule.warmup_steps=10 schedule.warmup_ratio=null"),
        ("+trainer.foo=1", "trainer has allow_drift, attention, checkpoint_every"),
        ("schedule.foo=1", "schedule has total_epochs, warmup_ratio, warmup_steps"),
        ("labels=[a,b]", "qaexp train --help lists all keys"),
        ("hydra.job.chdir=true", "has no effect"),
        ("hydra.verbose=true", "has no effect"),
        ("hydra.job.name=x", "has no effect"),
        ("hydra.sweep.subdir=${hydra.job.num}", "has no effect"),
        ("hydra.output_subdir=x", "has no effect"),
        ("+hydra.callbacks.x._target_=hydra_plugins.qaexp.LocalLauncher", "qaexp calls none"),
        ("hydra.runtime.cwd=/", "has no effect"),
        ("hydra.launcher.n_jobs=2", "did you mean hydra.launcher.jobs?"),
        ("hydra.foo=2", "hydra has callbacks"),
        ("hydra/launcher=jobllib", "did you mean joblib?"),
    ],
)
def test_a_key_that_means_something_else_or_nothing(word: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_command_line([word])
    assert says in str(refused.value)
    assert "Could not override" not in str(refused.value)


def test_every_habit_leads_to_a_key_or_a_group() -> None:
    from qaexp.config.compose import compose_config
    from qaexp.config.conf import choices, conf_directory

    known = [*list_keys(compose_config([])), *choices([conf_directory()]), "hydra.run.dir"]
    assert [key for key in known_habits().values() if key not in known] == []


def test_the_ways_of_a_sweep(tmp_path: Path) -> None:
    for words, says in {
        ("seed=0,1",): "add -m",
        ("seed=range(0,2)",): "add -m",
        ("schedule=glob(*)",): "add -m",
        ("hydra.sweep.dir=x",): "has no effect without -m",
        ("-m", "hydra.run.dir=x", "seed=0,1"): "has no effect with -m",
        ("-m", "sweep=optuna", "hydra.sweeper.n_trials=2"): "did you mean hydra.sweeper.num_trials?",
    }.items():
        done = tiny_run.call(tmp_path, "train", *words)
        assert (done.code, says in done.err) == (2, True), done.err
        assert "full_key" not in done.err
    assert list(tmp_path.iterdir()) == []


def test_allowed_packages() -> None:
    found = parse_train_arguments(["--allow", "own_qa", "--allow=mine.,other.qa."])
    assert prefixes(found.allowed) == ("own_qa.", "mine.", "other.qa.")
    for wrong in ("", "a b", "os.system('x')", "."):
        with pytest.raises(ConfigError, match="is not the name of a package"):
            prefixes([wrong])


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("compare", "x", "--metrics", "f1"), "--metric"),
        (("status", "--wach"), "--watch"),
        (("answer", "x", "--nbest=3"), "--n-best"),
    ],
)
def test_a_misspelt_flag_of_another_command(words: tuple[str, ...], meant: str, tmp_path: Path) -> None:
    assert f"; did you mean {meant}? (see" in tiny_run.call(tmp_path, *words).last_line


def test_flags_stand_anywhere(tmp_path: Path) -> None:
    for words in (("compare", "a", "--json", "b"), ("best", "a", "--metric", "f1", "b"), ("work", "a", "--one", "b=1")):
        done = tiny_run.call(tmp_path, *words)
        assert (done.code, "unrecognized" in done.err) == (2, False), done.err
        assert f"qaexp {words[0]}: a: " in done.last_line
