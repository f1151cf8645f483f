"""Jobs that are composed by their values alone are, to the last byte, what Hydra makes of their words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

from qaexp.config.compose import main_hydra
from qaexp.config.conf import conf_directory
from qaexp.errors import QaexpError
from qaexp.storage.start import variables
from qaexp.sweeps.composer import Composer

PRESETS = sorted(
    f"{group}={path.stem}"
    for group in ("experiment", "debug", "model", "data", "features", "trainer", "optimizer", "schedule")
    for path in (conf_directory() / group).glob("*.yaml")
)
FILES = ("data.train_file=train.json", "data.dev_file=dev.json")
GRIDS = (
    ("seed=0,1,7", "optimizer.lr=1e-4,3e-05,0.001,1"),
    ("seed=2", "seeds.init=5,6"),
    ("seeds.dev=1,2", "seed=3,4"),
    ("data.train_size=20,0.5,1,1.0,null,'20'",),
    ("trainer.max_grad_norm=null,1,0.5,1.0", "trainer.epochs=1,2"),
    ("batches.shuffle=true,false,True", "batches.group_by_length=false"),
    ("notes=plain,'with \\'quotes\\', and commas',\"two  spaces\",null", "seed=1,2"),
    ("tags=[a,b],[],[c,'d e']",),
    ("optimizer.betas=[0.9,0.99],[0.8,0.999]", "optimizer.weight_decay=0,0.1"),
    ("+optimizer.amsgrad=true,false", "seed=0,1"),
    ("~trainer.max_steps", "seed=0,1"),
    ("optimizer={lr:1e-3},{lr:1e-4}",),
    ("optimizer={lr:1e-3}", "optimizer.lr=1e-4,1e-5"),
    ("model=tiny_random,minilm", "optimizer.lr=1e-4,1e-5", "seed=0,1"),
    ("optimizer=adamw,sgd", "optimizer.lr=1e-4,1e-5"),
    ("seed=0,1", "notes='of ${seed}'"),
    ("seed=0,1", "notes='${seed}','${optimizer.lr}'"),
    ("seed=0,1", "notes='${oc.env:QA_WORD}'", "tags=['${oc.env:QA_WORD}']"),
    ("seed=0,1", "group=${notes}", "notes=a,b"),
    ("seed=0,1", "notes='${oc.select:name,${seed}}'"),
    ("seed=0,1", "hydra.job.env_set.A=b"),
    ("seed=0,1", "hydra.job.env_set.A='s${seed}'"),
    ("name=x", "trackers=tensorboard", "trackers.tensorboard.folder=a,b"),
    ("probes=[]", "threads=1,null,2"),
)
WRONG = (
    ("optimizer.lr=1e-4,high,-1", "seed=0,1"),
    ("seed=0,-1,none,2.5",),
    ("features.max_length=128,64,8", "features.doc_stride=32,100"),
    ("trainer.keep=best,worst", "data.subset=first,any"),
    ("trainer.epoch=1,2",),
    ("model._target_=qaexp.nodes.Checkpoint,os.system",),
    ("data.train_size=0,-1,1.5,x",),
    ("batches.batch_size=4,8",),
    ("model=tiny_random,none_such", "seed=0,1"),
    ("seed=0,1", "notes=${nothing}"),
)


class ByHydra:
    """Hydra, which counts how often it is asked."""

    def __init__(self) -> None:
        self.loader: Any = main_hydra(None).config_loader
        self.num_calls = 0

    def __call__(self, words: Sequence[str]) -> DictConfig:
        self.num_calls += 1
        composed: DictConfig = self.loader.load_configuration("config", list(words), RunMode.RUN)
        return composed

    def composer(self) -> Composer:
        return Composer(self, lambda key: bool(self.loader.get_group_options(key)))


@pytest.fixture
def by_hydra() -> Any:
    with variables({"QA_WORD": "something"}):
        yield ByHydra()
    GlobalHydra.instance().clear()


def jobs_of(grid: Sequence[str]) -> list[list[str]]:
    """Every combination; a value of several in brackets or quotes is told apart by Hydra's own grammar."""
    from qaexp.sweeps.grid import job_lines

    return [list(words) for words, _ in job_lines(list(grid))]


def told(composer: Composer, words: Sequence[str]) -> str:
    """All that comes of a job, as text in which 1 is not 1.0 and the order of keys counts."""
    try:
        config, trees, origins, environment = composer(words)
    except QaexpError as error:
        return f"{type(error).__name__}: {error.problems}"
    return "\n".join([repr(config), json.dumps(trees), repr(sorted(origins.items())), repr(environment)])


def check_both_ways(by_hydra: ByHydra, grid: Sequence[str]) -> None:
    shared = by_hydra.composer()
    for words in jobs_of(grid):
        assert told(shared, words) == told(by_hydra.composer(), words), words


@pytest.mark.parametrize("grid", GRIDS, ids=" ".join)
def test_values_give_what_hydra_gives(by_hydra: ByHydra, grid: tuple[str, ...]) -> None:
    check_both_ways(by_hydra, ["model=tiny_random", *grid] if grid[0][:6] != "model=" else grid)


@pytest.mark.parametrize("preset", PRESETS)
def test_values_give_what_hydra_gives_in_every_preset(by_hydra: ByHydra, preset: str) -> None:
    files = FILES if preset in ("data=json", "experiment=notebook_json") else ()
    check_both_ways(by_hydra, [preset, *files, "seed=0,1"])


@pytest.mark.parametrize("grid", WRONG, ids=" ".join)
def test_what_is_wrong_is_told_as_hydra_tells_it(by_hydra: ByHydra, grid: tuple[str, ...]) -> None:
    check_both_ways(by_hydra, grid)


@pytest.mark.parametrize(
    ("grid", "num_composed"),
    [
        (("seed=0,1,2", "optimizer.lr=1e-4,1e-5", "notes=a,'b c',null"), 1),
        (("model=tiny_random,minilm", "seed=0,1,2"), 2),
        (("+optimizer.amsgrad=true,false", "seed=0,1,2"), 2),
        (("seed=0,1", "notes='${oc.select:nothing,none}'"), 2),
    ],
    ids=str,
)
def test_hydra_composes_once_for_all_plain_values(by_hydra: ByHydra, grid: tuple[str, ...], num_composed: int) -> None:
    composer = by_hydra.composer()
    for words in jobs_of(grid):
        composer(words)
    assert by_hydra.num_calls == num_composed


def test_a_group_that_is_called_like_a_key_chooses_a_file(by_hydra: ByHydra) -> None:
    composer = Composer(by_hydra, lambda key: key == "seed")
    for words in (["seed=0"], ["seed=1"]):
        composer(words)
    assert by_hydra.num_calls == 2


def test_values_of_one_job_are_not_those_of_the_next(by_hydra: ByHydra) -> None:
    composer = by_hydra.composer()
    first, *_ = composer(["seed=1", "tags=[a]"])
    other, *_ = composer(["seed=2", "tags=[b]"])
    again, *_ = composer(["seed=1", "tags=[a]"])
    assert (first.seeds.init, other.seeds.init, other.seeds.dev) == (1, 2, 0)
    assert again == first
    assert first != other
