"""What groups are called: by what was swept as it was typed, never by what cannot change a score."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from qaexp.comparison.compare import Options, compare
from qaexp.comparison.shown.contrast_lines import factor
from qaexp.comparison.shown.document import document
from qaexp.runs.readers.group_names import letter, setting_names
from qaexp.runs.readers.typed import kept, told, typed
from qaexp.runs.short_words import all_shortened
from tests.fixtures.compared import edit, scores, write_run

ADAMW = {"optimizer._target_": "torch.optim.AdamW", "optimizer.lr": 1e-3, "optimizer.weight_decay": 0.01}
SGD = {"optimizer._target_": "torch.optim.SGD", "optimizer.lr": 1e-2, "optimizer.momentum": 0.9}
FIXED = {"batches.shuffle": False, "batches.group_by_length": False}
SHORT = {"batches.shuffle": True, "batches.group_by_length": True}


def add(folder: Path, name: str, seed: int, changes: dict[str, Any], words: Sequence[str], **choices: str) -> Path:
    """A run of 40 questions with what was typed for it."""
    level = 40 + 10 * (len(repr(sorted(changes.items()))) % 5)
    run = write_run(folder / name, scores(seed, level, 40), changes={**changes, "seed": seed})
    edit(run / "env.json", choices=choices, overrides=[*words, f"seed={seed}"])
    return run


def names(folder: Path, options: Options, **more: Any) -> list[str]:
    return sorted(group.name for table in compare([folder], options).tables for group in table.groups)


def test_a_choice_stands_for_all_keys_that_it_brought(tmp_path: Path, options: Options) -> None:
    for seed in (0, 1):
        add(tmp_path, f"a{seed}", seed, ADAMW, ["optimizer=adamw"], optimizer="adamw")
        add(tmp_path, f"s{seed}", seed, SGD, ["optimizer=sgd"], optimizer="sgd")
        changed = {**SGD, "optimizer.lr": 0.1}
        add(tmp_path, f"t{seed}", seed, changed, ["optimizer=sgd", "optimizer.lr=0.1"], optimizer="sgd")
    assert names(tmp_path, options) == ["optimizer=adamw", "optimizer=sgd", "optimizer=sgd lr=0.1"]
    causes = {frozenset((one.a, one.b)): factor(one) for one in compare([tmp_path], options).tables[0].contrasts}
    chosen = causes[frozenset(("optimizer=adamw", "optimizer=sgd"))]
    assert chosen.startswith("only the choice of optimizer differs, and with it optimizer._target_, optimizer.lr")
    assert causes[frozenset(("optimizer=sgd", "optimizer=sgd lr=0.1"))] == "only optimizer.lr differs"
    assert causes[frozenset(("optimizer=adamw", "optimizer=sgd lr=0.1"))].startswith("several keys differ (")


def test_choices_and_keys_stand_together_as_they_were_swept(tmp_path: Path, options: Options) -> None:
    for batches, changes in (("fixed", FIXED), ("short", SHORT)):
        for lr in (1e-3, 3e-5):
            for seed in (0, 1):
                words = [f"batches={batches}", f"optimizer.lr={lr}", "reporter=none"]
                run = {**changes, "optimizer.lr": lr}
                add(tmp_path, f"{batches}{lr}{seed}", seed, run, words, batches=batches, reporter=batches)
    found = ["batches=fixed lr=0.001", "batches=fixed lr=3e-5", "batches=short lr=0.001", "batches=short lr=3e-5"]
    assert names(tmp_path, options) == found


def test_a_choice_that_changes_keys_anywhere_names_them_all(tmp_path: Path, options: Options) -> None:
    for name, changes in (("x", {"optimizer.lr": 1e-3, "trainer.epochs": 1}), ("y", {"trainer.epochs": 3})):
        for seed in (0, 1):
            add(tmp_path, f"{name}{seed}", seed, changes, [f"+myexp={name}"], myexp=name)
    assert names(tmp_path, options) == ["myexp=x", "myexp=y"]


def test_what_another_choice_brought_along_is_not_named(tmp_path: Path, options: Options) -> None:
    for data, batches, changes in (("demo", "fixed", FIXED), ("json", "short", SHORT)):
        for seed in (0, 1):
            run = {**changes, "data.source": data}
            add(tmp_path, f"{data}{seed}", seed, run, [f"data={data}"], data=data, batches=batches)
    assert names(tmp_path, options) == ["data=demo", "data=json"]


def test_older_runs_tell_their_choices_by_hydras_own_file(tmp_path: Path, options: Options) -> None:
    for name, changes in (("adamw", ADAMW), ("sgd", SGD)):
        for seed in (0, 1):
            run = write_run(tmp_path / f"{name}{seed}", scores(seed, 50, 40), changes={**changes, "seed": seed})
            (run / ".hydra").mkdir()
            tree = {"hydra": {"runtime": {"choices": {"optimizer": name, "hydra/launcher": "local", "debug": None}}}}
            (run / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump(tree))
            (run / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([f"optimizer={name}"]))
    assert names(tmp_path, options) == ["optimizer=adamw", "optimizer=sgd"]
    assert dict(typed(tmp_path / "sgd0").choices) == {"optimizer": "sgd"}


@pytest.mark.parametrize("content", ["a: [", "!!python/object/apply:os.system ['true']", "[1]", "\x00", "hydra: 3"])
def test_a_damaged_or_strange_file_of_hydra_tells_nothing(tmp_path: Path, options: Options, content: str) -> None:
    for place, lr in enumerate((1e-3, 1e-4)):
        run = write_run(tmp_path / f"r{place}", scores(place, 50, 40), changes={"optimizer.lr": lr})
        (run / ".hydra").mkdir()
        (run / ".hydra" / "hydra.yaml").write_text(content)
    assert names(tmp_path, options) == ["lr=0.0001", "lr=0.001"]


def test_no_link_to_a_file_of_hydra_is_followed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", scores(0, 50, 40))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "hydra.yaml").write_text("hydra: {runtime: {choices: {optimizer: sgd}}}")
    (run / ".hydra").symlink_to(elsewhere)
    assert typed(run).choices == {}


def test_neutral_keys_and_probes_never_make_a_group_or_a_name(tmp_path: Path, options: Options) -> None:
    probe = [{"question": "What is the capital of France?", "context": "Paris. " * 30}]
    for seed, more in ((0, {"probes": probe, "threads": 1}), (1, {"reporter.plots": False}), (2, {"name": "z"})):
        write_run(tmp_path / f"l{seed}", scores(seed, 50, 40), changes={"seed": seed, **more})
        write_run(tmp_path / f"h{seed}", scores(seed, 60, 40), changes={"seed": seed, "optimizer.lr": 1.0, **more})
    (table,) = compare([tmp_path], options).tables
    assert [group.n for group in table.groups] == [3, 3]
    assert all("probes" not in group.name and "France" not in group.name for group in table.groups)
    assert all(one.factors == ["optimizer.lr"] for one in table.contrasts)


def test_keys_are_as_short_as_they_can_be_told_apart(tmp_path: Path, options: Options) -> None:
    for place in (0, 1, 2):
        changes = {"optimizer.own.size": place, "schedule.own.size": place // 2, "seeds.dev": 0}
        write_run(tmp_path / f"r{place}", scores(place, 50, 40), changes=changes)
    assert names(tmp_path, options)[0] == "optimizer.own.size=0 schedule.own.size=0"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (([0.9, 0.999], [0.8, 0.9]), ["betas=[0.8,0.9]", "betas=[0.9,0.999]"]),
        ((list(range(40)), list(range(41))), ["betas=[40]", "betas=[41]"]),
        (([{"a": 1}], [{"a": 2}]), ["betas=[1] (1)", "betas=[1] (2)"]),
        ((True, None), ["betas=null", "betas=true"]),
        ((1, "1"), ["betas=1 (1)", "betas=1 (2)"]),
        (
            ("${oc.env:LR}#sha256=" + "0" * 16, "${oc.env:LR}#sha256=" + "1" * 16),
            ["betas=${oc.env:LR} (1)", "betas=${oc.env:LR} (2)"],
        ),
    ],
)
def test_values_are_short_and_never_the_same(
    tmp_path: Path, options: Options, values: tuple[Any, Any], expected: list[str]
) -> None:
    for place, value in enumerate(values):
        write_run(tmp_path / f"r{place}", scores(place, 50, 40), changes={"optimizer.betas": value})
    assert names(tmp_path, options) == expected


def test_a_single_run_and_an_only_group_have_the_name_of_the_run(tmp_path: Path, options: Options) -> None:
    write_run(tmp_path / "mine", scores(0, 50, 40), changes={"name": "mine"})
    assert names(tmp_path, options) == ["mine"]
    write_run(tmp_path / "other", scores(0, 60, 40), changes={"name": "other", "optimizer.lr": 1.0})
    assert names(tmp_path, options) == ["mine", "other"]
    write_run(tmp_path / "fewer", scores(0, 60, 24), changes={"name": "fewer", "data.dev_size": 24})
    found = compare([tmp_path], options)
    assert [[group.name for group in table.groups] for table in found.tables] == [["other", "mine"], ["fewer"]]
    assert "all runs" not in json.dumps(document(found))


def test_a_copy_takes_no_name_from_a_run(tmp_path: Path, options: Options) -> None:
    for name, lr in (("mine", 1e-3), ("other", 1e-4)):
        write_run(tmp_path / name, scores(0, 50, 40), changes={"name": name, "optimizer.lr": lr})
    shutil.copytree(tmp_path / "mine", tmp_path / "a copy of it")
    found = compare([tmp_path], options)
    assert names(tmp_path, options) == ["mine", "other"]
    assert found.skipped == [(tmp_path / "a copy of it", f"the same run as {tmp_path / 'mine'}")]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_what_was_typed_for_some_runs_only_names_the_same_in_every_order(
    tmp_path: Path, options: Options, order: tuple[int, ...]
) -> None:
    for seed, place in enumerate(order):
        words = [["optimizer=sgd"], ["optimizer=sgd", "optimizer.lr=0.01"], ["optimizer=sgd", "optimizer.lr=0.01"]]
        add(tmp_path, f"s{seed}", seed, SGD, words[place], optimizer="sgd")
        add(tmp_path, f"a{seed}", seed, ADAMW, ["optimizer=adamw"], optimizer="adamw")
    write_run(tmp_path / "told nothing", scores(7, 50, 40), changes={**SGD, "seed": 7})
    assert names(tmp_path, options) == ["optimizer=adamw", "optimizer=sgd"]


def test_jobs_of_a_sweep_are_named_by_what_was_swept_even_with_one_seed(tmp_path: Path, options: Options) -> None:
    for lr in (1e-3, 1e-4):
        run = write_run(tmp_path / f"lr={lr}", scores(0, 50, 40), changes={"optimizer.lr": lr, "name": "s"})
        run.rename(tmp_path / f"lr={lr}-{json.loads((run / 'run.json').read_text())['run_id']}")
    assert names(tmp_path, options) == ["lr=0.0001", "lr=0.001"]


def test_runs_with_a_time_stamp_for_a_name_are_named_by_what_differs(tmp_path: Path, options: Options) -> None:
    for minute, lr in ((10, 1e-3), (11, 1e-4)):
        name = f"2026-11-28_17-{minute}-13-ab{minute}"
        write_run(tmp_path / name, scores(0, 50, 40), changes={"optimizer.lr": lr, "name": name})
    assert names(tmp_path, options) == ["lr=0.0001", "lr=0.001"]


def test_groups_of_two_tables_never_share_a_name(tmp_path: Path, options: Options) -> None:
    for num in (40, 24):
        for lr in (1e-3, 1e-4):
            for seed in (0, 1):
                changes = {"optimizer.lr": lr, "seed": seed, "data.dev_size": num}
                write_run(tmp_path / str(num) / f"{lr}-{seed}", scores(seed, 50, num), changes=changes)
    assert names(tmp_path, options) == ["lr=0.0001", "lr=0.0001 (2)", "lr=0.001", "lr=0.001 (2)"]


@pytest.mark.parametrize("words", ["lr=0.0001", "optimizer.lr=0.0001", "0.0001", "#2", "2", "a1"])
def test_a_baseline_is_taken_by_old_and_new_names_numbers_and_runs(
    tmp_path: Path, options: Options, words: str
) -> None:
    for name, lr, level in (("a", 1e-4, 40), ("b", 1e-3, 60)):
        for seed in (0, 1):
            write_run(tmp_path / f"{name}{seed}", scores(seed, level, 40), changes={"optimizer.lr": lr, "seed": seed})
    assert compare([tmp_path], replace(options, baseline=words)).tables[0].baseline == "lr=0.0001"


def test_what_was_typed_is_kept_with_a_run_and_read_back(tmp_path: Path) -> None:
    choices = {"optimizer": "sgd", "debug": None, "hydra/launcher": "local"}
    trees = {
        "hydra.yaml": {"hydra": {"runtime": {"choices": choices}}},
        "overrides.yaml": ["optimizer=sgd", "+myexp=a"],
    }
    assert told(trees) == {"choices": {"optimizer": "sgd"}, "overrides": ("optimizer=sgd", "+myexp=a")}
    assert told(None) == {}
    (tmp_path / "env.json").write_text(json.dumps({**told(trees), "command_line": ["qaexp", "train", "-cd", "conf"]}))
    found = typed(tmp_path)
    assert (found.words, found.flags) == ({"optimizer": "sgd", "myexp": "a"}, ("-cd", "conf"))
    # A later start that has no such words leaves them as they were.
    (tmp_path / "env.json").write_text(json.dumps({**kept(tmp_path), "command_line": ["qaexp", "resume", "run"]}))
    assert typed(tmp_path) == found
    assert kept(tmp_path / "nothing") == {}


def test_letters_follow_numbers_and_long_names_are_cut_where_they_are_alike() -> None:
    assert [letter(number) for number in (1, 3, 26, 27, 703)] == ["A", "C", "Z", "AA", "AAA"]
    long = [f"batches.group_by_length_and_more={place} and the same end of all of them" for place in range(3)]
    for width in (12, 20, 40, 200):
        found = all_shortened(long, width)
        assert len(set(found)) == 3
        assert all(len(name) <= width for name in found)


def test_no_name_is_empty_where_a_group_has_none_of_the_keys_that_differ(tmp_path: Path, options: Options) -> None:
    for place, lr in enumerate((1e-3, 1e-4)):
        write_run(tmp_path / f"r{place}", scores(place, 50, 40), changes={"optimizer.lr": lr})
    runs = [entry.run for entry in compare([tmp_path], options).entries]
    assert setting_names(runs, [{"optimizer.lr": 1e-3}, {}]) == ["lr=0.001", "the other settings"]


def add_untold(folder: Path, name: str, seed: int, changes: dict[str, Any], *words: str) -> Path:
    """A run that began with a stored config: no choice is recorded."""
    return add(folder, name, seed, changes, words)


@pytest.mark.parametrize("words", [(), ("optimizer.lr=0.02",)], ids=["as stored", "with another rate"])
def test_a_choice_that_a_run_does_not_record_is_that_of_its_siblings(
    tmp_path: Path, options: Options, words: tuple[str, ...]
) -> None:
    for seed in (0, 1):
        add(tmp_path, f"a{seed}", seed, ADAMW, ["optimizer=adamw"], optimizer="adamw", model="tiny")
        add(tmp_path, f"s{seed}", seed, SGD, ["optimizer=sgd"], optimizer="sgd", model="tiny")
    changes = {**SGD, **({"optimizer.lr": 0.02} if words else {})}
    untold = add_untold(tmp_path, "again", 2, changes, *words)
    assert names(tmp_path, replace(options, by="optimizer")) == ["optimizer=adamw", "optimizer=sgd"]
    kept = compare([tmp_path], replace(options, where=("optimizer=sgd",)))
    assert untold in [entry.run.path for entry in kept.entries]
    added = [] if not words else ["optimizer=sgd lr=0.02"]
    assert names(tmp_path, options) == ["optimizer=adamw", "optimizer=sgd", *added]


def test_a_choice_that_nothing_tells_is_unknown_and_never_another_value(tmp_path: Path, options: Options) -> None:
    """Two choices whose nodes are alike, a node like no other: neither is taken for one of them, nor for null."""
    like_neither = {**SGD, "optimizer._target_": "torch.optim.Adam"}
    for seed in (0, 1):
        add(tmp_path, f"a{seed}", seed, ADAMW, ["optimizer=adamw"], optimizer="adamw", batches="fixed")
        add(tmp_path, f"s{seed}", seed, SGD, ["optimizer=sgd"], optimizer="sgd", batches="fixed")
        add_untold(tmp_path, f"u{seed}", seed, like_neither)
    assert names(tmp_path, replace(options, by="optimizer")) == [
        "optimizer=adamw",
        "optimizer=not recorded",
        "optimizer=sgd",
    ]
    skipped = compare([tmp_path], replace(options, where=("optimizer=sgd",))).skipped
    told = {path.name: reason for path, reason in skipped}
    assert told["u0"] == "left out by --where optimizer=sgd: it does not record optimizer"
    assert told["a0"] == "left out by --where optimizer=sgd"


def test_an_only_group_is_called_by_what_its_sweep_swept(tmp_path: Path, options: Options) -> None:
    """Its other settings failed, or have not been run yet: the sweep's name would be all of them."""
    for seed in (0, 1):
        folder = write_run(tmp_path / "s" / f"r{seed}", scores(seed, 50, 40), changes={"seed": seed})
        run_id = json.loads((folder / "run.json").read_text())["run_id"]
        folder.rename(folder.with_name(f"+x=a,b,optimizer.lr=0.001,schedule.warmup_ratio=0.1,seed={seed}-{run_id}"))
    assert names(tmp_path, options) == ["lr=0.001 warmup_ratio=0.1"]
