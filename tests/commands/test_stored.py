"""Stored configs of many jobs are read as each of them alone would be, and refused in the same words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from qaexp.commands import stored
from qaexp.commands.stored import ConfigReader, config_from
from qaexp.config.schema import as_stored
from qaexp.errors import QaexpError
from qaexp.storage.start import variables
from tests.fixtures.checked import check_command_line

WHERE = Path("plan.json")


def tree(*words: str) -> dict[str, Any]:
    return as_stored(check_command_line(["model=tiny_random", *words]))


def changed(key: str, value: Any) -> dict[str, Any]:
    found = copy.deepcopy(tree())
    *path, last = key.split("/")
    node = found
    for part in path:
        node = node[part]
    node[last] = value
    return found


def told(read: Callable[[Any], Any], given: Any) -> str:
    try:
        config, origins = read(given)
    except (QaexpError, TypeError, AttributeError) as error:
        return f"{type(error).__name__} {error}"
    return f"{config!r} {origins!r}"


GIVEN: list[Callable[[], Any]] = [
    partial(tree, "seed=1"),
    partial(tree, "seed=2", "optimizer.lr=1e-5"),
    partial(tree, "data.train_size=0.5", "data.dev_size=null"),
    partial(tree, "tags=[a,b]"),
    partial(changed, "notes", "a ${b} c"),
    partial(tree, "optimizer=sgd"),
    partial(tree, "trainer.max_grad_norm=1"),
    partial(changed, "seed", -1),
    partial(changed, "seed", "many"),
    partial(changed, "optimizer/lr", "1e-4"),
    partial(changed, "optimizer/lr", {"a": 1}),
    partial(changed, "optimizer/_target_", "os.system"),
    partial(changed, "model/_target_", "qaexp.nodes.Trainer"),
    partial(changed, "model/unknown", 1),
    partial(changed, "notes", "<redacted>"),
    partial(changed, "notes", "${oc.env:QA_WORD}#<redacted>"),
    partial(changed, "notes", "${oc.env:QA_WORD}#sha256=0123456789abcdef"),
    partial(changed, "probes", []),
    partial(changed, "trackers", {"a.b": 1}),
    partial(changed, "features/max_length", 8),
    dict,
    list,
    lambda: None,
]


@pytest.mark.parametrize("make", GIVEN, ids=range(len(GIVEN)))
@pytest.mark.parametrize("overrides", [(), ("trainer.log_every=7",)])
def test_a_reader_of_many_reads_what_each_alone_gives(make: Callable[[], Any], overrides: tuple[str, ...]) -> None:
    with variables({"QA_WORD": "something"}):
        reader = ConfigReader(WHERE, overrides)
        reader(tree())
        given = make()
        alone = told(lambda one: config_from(one, WHERE, overrides), given)
        assert told(reader, given) == alone
        assert told(reader, tree("seed=5")) == told(lambda one: config_from(one, WHERE, overrides), tree("seed=5"))


def test_jobs_that_differ_in_plain_values_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(given: Mapping[str, Any], *rest: Any) -> Any:
        calls.append(given)
        return merged(given, *rest)

    merged = stored._merged
    monkeypatch.setattr(stored, "_merged", counted)
    reader = ConfigReader(WHERE)
    for number in range(5):
        config, _ = reader(tree(f"seed={number}", f"optimizer.lr={number + 1}e-5"))
        assert (config.seeds.order, config.seeds.dev, config.optimizer["lr"]) == (number, 0, float(f"{number + 1}e-5"))
    assert len(calls) == 1
