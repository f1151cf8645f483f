"""A comparison's finding in sentences: each case, only what the numbers say, and the command that comes next."""

from __future__ import annotations

import csv
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qaexp.comparison.best import best_run
from qaexp.comparison.compare import Options, compare
from qaexp.comparison.shown.document import document
from tests.fixtures.compared import edit, rows_of, scores, write_grid, write_run

CHANCE = "adding seeds until something shows finds it by chance"
AS_OFTEN = "you may compare as often as you like on the way"


def found(folder: Path, options: Options, **more: Any) -> list[str]:
    return list(document(compare([folder], replace(options, **more)))["findings"])


def constant(level: float, num: int = 240) -> np.ndarray:
    """Scores with a mean of `level`: questions from the first one on are right."""
    return np.where(np.arange(num) < num * level / 100, 100.0, 0.0)


def test_one_better_than_all_is_said_first_and_used_next(grid: Path, options: Options) -> None:
    first, *_, last = found(grid, options)
    assert first.startswith("lr=0.001 is better than every other setting, by ")
    assert " f1, the next best being lr=0.000" in first
    assert last.startswith("Next: use it; its best run is lr=0.001 seed=")
    assert last.endswith(f": {best_run([grid], replace(options, where=('lr=0.001',)))[0]}")


@pytest.mark.parametrize("more", [{}, {"by": "notes"}, {"metric": "f1"}], ids=str)
def test_the_run_to_use_is_the_one_that_qaexp_best_names(tmp_path: Path, options: Options, more: Any) -> None:
    """Of equals the one that was started first, whatever runs and groups are called; none that answers nothing."""
    for group, level in (("a", 40), ("b", 80)):
        for seed, day in ((0, 3), (1, 1), (2, 2)):
            changes = {"seed": seed, "notes": f"{group} (2)", "optimizer.lr": 0.1 if group == "a" else 0.2}
            f1 = scores(9, 99 if seed > 0 and group == "b" else level)
            run = write_run(tmp_path / f"{group} x{seed}", f1, changes=changes)
            edit(run / "run.json", started=f"2026-01-0{day}T00:00:00+00:00", run_id=f"{group}{seed}" * 4)
    expected = tmp_path / "b x1"
    given = {key: value for key, value in more.items() if key == "metric"}
    assert best_run([tmp_path], replace(options, **given))[0] == expected
    *_, last = found(tmp_path, options, **more)
    assert last.startswith("Next: use it; its best run is ")
    assert last.endswith(f": {expected}")


def test_better_than_the_baseline_only(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path, levels={3e-4: 50, 1e-3: 75, 3e-3: 76}, seeds=4)
    first, second, *_ = found(tmp_path, options)
    assert first.startswith("lr=0.003 is better than the baseline lr=0.0003, by ")
    assert "seeds collapsed" not in first
    assert first.endswith("; it is not shown to be better than lr=0.001.")
    assert "can detect" in second


def test_earlier_looks_with_fewer_seeds_are_told_beside_a_verdict(tmp_path: Path, options: Options) -> None:
    sweep = write_grid(tmp_path / "s", levels={1e-4: 50, 1e-3: 75}, seeds=3)
    ids = [json.loads((path / "run.json").read_text())["run_id"] for path in sweep.iterdir() if path.name[-1] != "2"]
    looks = [{"at": "2026-01-31T10:00:00+00:00", "run_ids": sorted(ids)}]
    (sweep / "sweep.json").write_text(json.dumps({"looks": looks}))
    told = "They were compared before with 2 seeds: with 2 looks the risk of a false verdict is up to 10 %, not 5 %."
    assert told in found(sweep, replace(options, any_look=False))
    assert not any("the risk" in sentence for sentence in found(sweep, options)), "each look is paid for"


def test_equal_within_what_matters(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path, levels={3e-4: 60, 1e-3: 60.2}, seeds=5)
    first, second, last = found(tmp_path, options, relevant=25.0)
    assert first.startswith("No setting is shown to be better")
    assert second == "lr=0.001 and lr=0.0003 are equivalent: a difference of 25.0 f1 or more is ruled out."
    assert last == "Next: choose by cost or by simplicity."


def test_too_few_seeds_are_said_with_their_number_and_the_whole_command(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path, levels={3e-4: 50, 1e-3: 51}, seeds=3)
    for run in tmp_path.iterdir():
        lr, seed = run.name.partition(",")[0], run.name[-1]
        edit(run / "env.json", overrides=["name=study", f"optimizer.{lr}", "notes='a b'", f"seed={seed}"], choices={})
    _, second, last = found(tmp_path, options, relevant=4.0)
    assert second.startswith("Too few seeds to tell: this comparison can detect ")
    assert " more seeds of each would tell whether it is better than lr=0.0003, or equivalent." in second
    assert AS_OFTEN in last
    made = document(compare([tmp_path], replace(options, relevant=4.0, any_look=False)))
    needed, last = made["contrasts"][0]["crossfit_f1"]["more_seeds_needed"], made["findings"][-1]
    assert CHANCE in last
    words = shlex.split(last.partition(": qaexp ")[2])
    assert words[:2] == ["train", "-m"]
    assert words[2:4] == ["optimizer.lr=0.0003,0.001", "notes='a b'"]
    assert words[4] == f"seed={','.join(map(str, range(3 + needed)))}"


def test_the_command_keeps_the_name_of_a_sweep_and_the_flags_that_found_its_files(
    tmp_path: Path, options: Options
) -> None:
    for place, optimizer in enumerate(("adamw", "sgd")):
        run = write_run(tmp_path / optimizer, scores(0, 50 + place), changes={"optimizer.lr": 1.0 + place})
        words = ["name=study", f"optimizer={optimizer}", "seed=0"]
        edit(run / "env.json", overrides=words, choices={}, command_line=["qaexp", "train", "-cd", "my conf", "-m"])
        edit(run / "run.json", run_id=f"{place}" * 8)
        run.rename(tmp_path / f"{optimizer}-{str(place) * 8}")
    *_, last = found(tmp_path, options)
    assert last.endswith(": qaexp train -m -cd 'my conf' name=study optimizer=adamw,sgd seed=0,1,2,3,4")


def test_runs_of_several_sweeps_go_on_in_the_one_with_the_most_and_are_not_run_twice(
    tmp_path: Path, options: Options
) -> None:
    for place, lr in enumerate((0.0003, 0.001)):
        for seed, sweep in ((0, "first"), (1, "first"), (2, "second")):
            run = write_run(
                tmp_path / f"{lr}-{seed}", scores(seed, 50 + place), changes={"optimizer.lr": lr, "seed": seed}
            )
            edit(run / "env.json", overrides=[f"name={sweep}", f"optimizer.lr={lr}", f"seed={seed}"], choices={})
            edit(run / "run.json", run_id=f"{place}{seed}" * 4)
            run.rename(tmp_path / f"{lr},{seed}-{f'{place}{seed}' * 4}")
    *_, last = found(tmp_path, options, relevant=4.0, any_look=False)
    assert last.endswith(": qaexp train -m name=first optimizer.lr=0.0003,0.001 seed=0,1,2,3")


def test_settings_that_are_no_grid_have_a_command_each(tmp_path: Path, options: Options) -> None:
    for place, more in enumerate(([], ["optimizer=sgd", "optimizer.betas=[0.8, 0.9]"])):
        run = write_run(tmp_path / f"r{place}", scores(0, 50 + place), changes={"optimizer.lr": 1.0 + place})
        edit(run / "env.json", overrides=[f"name=r{place}", "data=json", *more], choices={})
    *_, last = found(tmp_path, options)
    one, other = last.partition(": qaexp ")[2].split(" && qaexp ")
    assert {one, other} == {
        "train -m data=json seed=0,1,2,3,4",
        "train -m data=json optimizer=sgd 'optimizer.betas=[0.8, 0.9]' seed=0,1,2,3,4",
    }


@pytest.mark.parametrize(
    "words",
    [[], ["hf_token=<redacted>"], ["seeds.init=3"], ["optimizer.lr"]],
    ids=["none recorded", "a secret", "kinds of seeds", "no value"],
)
def test_where_the_command_is_not_known_the_seeds_are_said(tmp_path: Path, options: Options, words: list[str]) -> None:
    for place in (0, 1):
        run = write_run(tmp_path / f"r{place}", scores(0, 50 + place), changes={"optimizer.lr": 1.0 + place})
        edit(run / "env.json", overrides=words, choices={})
    *_, last = found(tmp_path, options)
    assert last.endswith(", with seed=0,1,2,3,4")
    assert "qaexp train" not in last


@pytest.mark.parametrize(
    "word", ["--allow=os.", "-m=x", "+--allow=os.", "--config-dir=/tmp", "-cd=x", "a b=c", "a;b=c", "'a=b"]
)
def test_a_word_of_a_folder_that_is_no_override_is_in_no_command(tmp_path: Path, options: Options, word: str) -> None:
    for place in (0, 1):
        run = write_run(tmp_path / f"r{place}", scores(0, 50 + place), changes={"optimizer.lr": 1.0 + place})
        edit(run / "env.json", overrides=[word, f"optimizer.lr={place}"], choices={})
    *_, last = found(tmp_path, options)
    assert last.endswith(", with seed=0,1,2,3,4")


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        (["qaexp", "train", "--from", "outputs/a", "-m"], "--from outputs/a "),
        (["qaexp", "train", "--from=my run", "-cd", "conf"], "'--from=my run' -cd conf "),
        (["qaexp", "train", "++a=1"], ""),
        (["qaexp", "resume", "outputs/a"], None),
        (["qaexp", "train", "--allow", "os."], None),
        (["qaexp", "train", "--allow=os."], None),
        (["qaexp", "train", "-cd", "--allow=os."], None),
        (["qaexp", "train", "-cd=--allow"], None),
        (["qaexp", "train", "-cn"], None),
        (["script.py"], None),
        ("train", None),
    ],
)
def test_a_command_is_told_where_it_is_known_what_config_it_begins_with(
    tmp_path: Path, options: Options, line: Any, flags: str | None
) -> None:
    for place in (0, 1):
        run = write_run(tmp_path / f"r{place}", scores(0, 50 + place), changes={"optimizer.lr": 1.0 + place})
        words = ["name=s", "++a=x", "~b.c=y", "optimizer@a.b=z", f"optimizer.lr={place}"]
        edit(run / "env.json", overrides=words, choices={}, command_line=line)
    *_, last = found(tmp_path, options)
    if flags is None:
        assert last.endswith(", with seed=0,1,2,3,4")
    else:
        assert f": qaexp train -m {flags}++a=x" in last


def test_a_seed_far_from_its_siblings_is_told_and_looked_at_first(tmp_path: Path, options: Options) -> None:
    for lr, levels in ((5e-4, (83, 28, 84)), (1e-3, (40, 38, 41))):
        for seed, level in enumerate(levels):
            f1 = constant(level + seed / 100)
            write_run(tmp_path / f"{lr}{seed}", f1, changes={"optimizer.lr": lr, "seed": seed})
    first, _, last = found(tmp_path, options)
    assert first.startswith("No setting is shown to be better. lr=0.0005 leads by 25.")
    assert first.endswith(" f1, but one of its three seeds lies far below the others (28 against 84).")
    assert last.startswith("Next: look at lr=0.0005 seed=1: a mean over seeds hides such a run")


@pytest.mark.parametrize("have", [(3, 5), (5, 3), (3, 3)])
def test_so_many_more_seeds_as_are_said_are_in_the_command(
    tmp_path: Path, options: Options, have: tuple[int, int]
) -> None:
    """Whichever group has fewer: both get as many more as the sentence says."""
    for (lr, level), num in zip(((3e-4, 50), (1e-3, 51)), have, strict=True):
        write_grid(tmp_path / f"{lr}", levels={lr: level}, seeds=num)
    _, second, last = found(tmp_path, options, relevant=4.0)
    more = int(re.findall(r"; (\d+) more seed", second)[0])
    assert f"run {max(have) + more} seeds of each setting" in last


def test_two_runs_are_equivalent_as_runs_only(tmp_path: Path, options: Options) -> None:
    for lr in (3e-4, 1e-3):
        f1 = np.roll(constant(60), round(lr * 1e4))
        write_run(tmp_path / f"{lr}", f1, changes={"optimizer.lr": lr, "seed": 0})
    first, second, last = found(tmp_path, options, relevant=25.0)
    assert first.startswith("No setting is shown to be better")
    assert re.match(r"As two runs lr=0\.\d+ and lr=0\.\d+ are equivalent: ", second)
    assert second.endswith("; other seeds may give another result.")
    assert last.startswith("Next: run 5 seeds of each setting")
    (contrast,) = compare([tmp_path], replace(options, relevant=25.0)).tables[0].contrasts
    assert contrast.sentence.endswith(" is ruled out between these two runs")


def test_equal_scores_and_too_few_texts_get_a_next_step_that_can_work(tmp_path: Path, options: Options) -> None:
    for folder, per_paragraph in (("equal", 8), ("few", 80)):
        for lr in (3e-4, 1e-3):
            for seed in range(3):
                shift = 0 if folder == "equal" else round(lr * 1e4)
                f1 = np.roll(constant(50 + seed), shift)
                run = tmp_path / folder / f"{lr}{seed}"
                write_run(run, f1, changes={"optimizer.lr": lr, "seed": seed}, per_paragraph=per_paragraph)
    assert found(tmp_path / "equal", options)[-1].startswith("Next: see whether what they differ in has any effect")
    assert found(tmp_path / "few", options)[-1] == (
        "Next: dev questions about at least 4 texts; more seeds do not help."
    )


def test_what_is_open_beside_two_that_are_equivalent_is_named(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path, levels={3e-4: 60, 1e-3: 60.2, 3e-3: 58}, seeds=6)
    *_, last = found(tmp_path, options, relevant=3.5)
    verdicts = {one.verdict for one in compare([tmp_path], replace(options, relevant=3.5)).tables[0].contrasts}
    assert verdicts == {"equivalent", "cannot tell"}
    assert last.startswith("Next: choose between lr=")
    assert " is open: run " in last


@pytest.mark.parametrize("values", [(50, 52, 54), (50, 50), (40, 50, 60, 70)])
def test_seeds_that_only_spread_are_not_called_far(tmp_path: Path, options: Options, values: tuple[int, ...]) -> None:
    for lr in (5e-4, 1e-3):
        for seed, level in enumerate(values):
            write_run(tmp_path / f"{lr}{seed}", constant(level), changes={"optimizer.lr": lr, "seed": seed})
    assert not any("collapsed" in sentence or "far" in sentence for sentence in found(tmp_path, options))


def test_one_group_only_says_how_many_seeds_and_that_there_is_nothing_else(tmp_path: Path, options: Options) -> None:
    for seed in (0, 1):
        write_run(tmp_path / f"r{seed}", scores(seed, 50), changes={"seed": seed})
    first, last = found(tmp_path, options)
    assert first.startswith("Both runs are seeds of one setting, with crossfit_f1 ")
    assert last.startswith("Next: --by seed compares them with each other")
    assert [group.name for group in compare([tmp_path], replace(options, by="seed")).tables[0].groups] in (
        ["seed=0", "seed=1"],
        ["seed=1", "seed=0"],
    )
    assert not any("5 seeds" in sentence for sentence in found(tmp_path, options, by="seed"))


def test_runs_beside_an_only_group_that_are_not_completed_are_counted(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path, levels={3e-4: 50, 1e-3: 60}, seeds=2)
    for path in sorted(tmp_path.iterdir()):
        if json.loads((path / "config.json").read_text())["optimizer"]["lr"] == 1e-3:
            (path / "summary.json").unlink()
            edit(path / "run.json", state="failed")
    first, *_ = found(tmp_path, options)
    assert first.endswith("on average: there is no other completed setting (2 runs are not completed).")


@pytest.mark.parametrize(("num_lost", "is_said"), [(48, True), (0, False)])
def test_f1_that_is_not_the_table_s_f1_is_said_to_be_another(
    tmp_path: Path, options: Options, num_lost: int, is_said: bool
) -> None:
    """The lead is that of crossfit_f1; where f1 at threshold 0 tells another story, one sentence says so."""
    write_grid(tmp_path, levels={3e-4: 50, 1e-3: 80}, seeds=2)
    for path in sorted(tmp_path.iterdir()):
        if json.loads((path / "config.json").read_text())["optimizer"]["lr"] == 1e-3:
            lose(path, num_lost)
    told = found(tmp_path, options)
    said = "f1 is crossfit_f1 here, at thresholds that other questions set, not f1 at threshold 0."
    assert (said in told) is is_said
    assert told[-1].startswith("Next: ")


def lose(run: Path, num: int) -> None:
    """Let some questions that are right at threshold 0 be wrong at the thresholds of other folds."""
    rows = rows_of(run / "scores.csv")
    for row in [row for row in rows if float(row["f1"]) > 0][:num]:
        row["crossfit_f1"] = "0.0"
    with (run / "scores.csv").open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    edit(run / "summary.json", crossfit_f1=sum(float(row["crossfit_f1"]) for row in rows) / len(rows))


def test_single_runs_are_about_these_runs(tmp_path: Path, options: Options) -> None:
    for lr, level in ((3e-4, 40), (1e-3, 80)):
        write_run(tmp_path / f"{lr}", scores(0, level), changes={"optimizer.lr": lr})
    first, *_, last = found(tmp_path, options)
    assert first.startswith("lr=0.001 is better than lr=0.0003, by ")
    assert first.endswith("in these runs; other seeds may give another result.")
    assert AS_OFTEN in last


def test_one_seed_against_several_names_the_single_one(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={3e-4: 50}, seeds=3)
    write_run(tmp_path / "one", scores(0, 60), changes={"optimizer.lr": 1e-3})
    _, second, last = found(tmp_path, options)
    assert second == "Too few seeds to tell: lr=0.001 has a single seed."
    assert "run 5 seeds of each setting" in last


def silent(path: Path, lr: float, seed: int) -> None:
    """A run that answers nothing to 240 questions, 80 of which have no answer."""
    write_run(
        path,
        constant(33.4),
        changes={"optimizer.lr": lr, "seed": seed},
        flags=[{"name": "null_collapse", "step": 1, "advice": "x"}],
    )


def test_settings_that_answer_nothing_are_never_praised(tmp_path: Path, options: Options) -> None:
    for seed in (0, 1, 2):
        silent(tmp_path / f"a{seed}", 1e-2, seed)
    write_grid(tmp_path / "s", levels={3e-4: 50, 1e-3: 75})
    sentences = found(tmp_path, options)
    assert sentences[0].startswith("lr=0.001 is better than")
    assert "lr=0.01 has no verdict: 3 of 3 runs answer nothing as its flag says." in sentences
    for seed in (0, 1, 2):
        silent(tmp_path / "all" / f"a{seed}", 1e-2, seed)
        silent(tmp_path / "all" / f"b{seed}", 1e-3, seed)
    first, last = found(tmp_path / "all", options)
    assert first == (
        "Every setting answers nothing (lr=0.001: 3 of 3 runs answer nothing as its flag says); a score there is the "
        "share of questions without an answer, no skill."
    )
    assert "docs/answers_nothing.md" in last


def test_a_group_of_which_one_run_answers_nothing_is_not_said_to_be_silent(tmp_path: Path, options: Options) -> None:
    silent(tmp_path / "a0", 1e-2, 0)
    write_run(tmp_path / "a1", scores(1, 50), changes={"optimizer.lr": 1e-2, "seed": 1})
    first = found(tmp_path, options)[0]
    assert first.startswith("No setting answers in all of its runs (")
    assert "1 of 2 runs answers nothing" in first


def test_runs_on_other_questions_are_counted_apart(tmp_path: Path, options: Options) -> None:
    write_run(tmp_path / "a", scores(0, 50, 240), changes={"data.dev_size": 240})
    write_run(tmp_path / "a1", scores(1, 50, 240), changes={"data.dev_size": 240, "seed": 1})
    write_run(tmp_path / "b", scores(0, 50, 200), changes={"data.dev_size": 200})
    first, second, last = found(tmp_path, options)
    assert first.startswith("Both runs are seeds of one setting, ")
    assert second == "1 run is listed separately, measured differently: other dev questions (200 against 240)."
    assert "the same questions" in last


def test_a_number_that_is_not_tested_gets_no_verdict(grid: Path, options: Options) -> None:
    first, last = found(grid, options, metric="train_seconds")
    assert "has the lowest train_seconds" in first
    assert "better" not in first
    assert "--metric f1" in last


def test_without_a_run_that_is_said(tmp_path: Path, options: Options) -> None:
    assert found(tmp_path, options) == [
        "There is no completed run to compare.",
        "Next: qaexp status shows what the folders hold.",
    ]


def test_no_difference_is_found_where_it_would_have_to_be_more_than_there_can_be(
    tmp_path: Path, options: Options
) -> None:
    for lr, levels in ((1e-3, (5, 95)), (1e-4, (95, 10))):
        for seed, level in enumerate(levels):
            write_run(tmp_path / f"{lr}-{seed}", constant(level), changes={"optimizer.lr": lr, "seed": seed})
    sentences = found(tmp_path, options)
    assert any("can detect no difference at all" in sentence for sentence in sentences), sentences
    assert not any(float(number) > 100 for one in sentences for number in re.findall(r"detect ([\d.]+)", one))


def test_a_setting_hardly_above_answering_nothing_is_not_recommended(tmp_path: Path, options: Options) -> None:
    """80 of 240 questions have no answer."""
    golds = [[] if place % 3 == 0 else ["gold"] for place in range(240)]
    for lr, level in ((3e-4, 10), (1e-3, 34)):
        for seed in (0, 1, 2):
            changes = {"optimizer.lr": lr, "seed": seed}
            write_run(tmp_path / f"{lr}-{seed}", constant(level), changes=changes, golds=golds)
    first, *_, skill, last = found(tmp_path, options)
    assert first.startswith("lr=0.001 is better than lr=0.0003")
    assert skill == "No setting is 2.0 f1 or more above answering nothing at all, which gives 33.3."
    assert last.startswith("Next: a smaller learning rate, more steps or more training examples")
    assert not any("answering nothing" in one for one in found(tmp_path, options, relevant=0.5))
    (only,) = found(tmp_path, options, where=("lr=0.0003",))[1:2]
    assert only == "That is less than 2.0 f1 above answering nothing at all, which gives 33.3."
    for run in tmp_path.iterdir():  # a decoding that answers everything has no threshold, and cannot answer nothing
        edit(run / "summary.json", null_threshold=None)
    assert not any("answering nothing" in one for one in found(tmp_path, options))


def test_runs_that_are_silent_at_several_thresholds_are_told_in_few_words(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path, levels={3e-4: 50, 1e-3: 60}, seeds=2)
    for path in sorted(tmp_path.iterdir()):
        config = json.loads((path / "config.json").read_text())
        if config["optimizer"]["lr"] == 1e-3:
            edit(path / "run.json", flags=[{"name": "null_collapse"}])
    (group,) = (one for one in compare([tmp_path], options).tables[0].groups if one.is_collapsed)
    group = replace(group, entries=[replace(e, collapse=f"at {n}") for n, e in enumerate(group.entries)])
    assert group.silence == "2 of 2 runs answer nothing at threshold 0 or at their tuned ones"
