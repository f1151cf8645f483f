"""sweep.json and sweep.csv over several commands: every run has what it was given, and the numbers of its summary."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import FAILED, Outcome
from qaexp.sweeps.sweep_files import write_results
from tests.fixtures import tiny_run
from tests.fixtures.checked import check_command_line
from tests.fixtures.compared import edit, rows_of, scores, write_run

WORDS = (*tiny_run.MODEL, "data.train_size=12", "data.dev_size=8", "trainer.epochs=1", "threads=1")


def run(sweep: Path, number: int, **changes: Any) -> Path:
    """A completed run, named as a job's folder is."""
    keys = {key.replace("__", "."): value for key, value in changes.items()}
    path = write_run(sweep / f"run{number}", scores(number, 50, 40), changes=keys)
    run_id = json.loads((path / "run.json").read_text())["run_id"]
    return path.rename(sweep / f"run{number}-{run_id}")


def job_of(path: Path, *words: str) -> Job:
    """The job that a run belongs to."""
    job = Job(words, words, check_command_line(["model=tiny_random"]))
    return replace(job, sha256=json.loads((path / "run.json").read_text())["identity"], directory=path)


def told(sweep: Path) -> dict[str, dict[str, Any]]:
    """The values of each row of sweep.json, by the number of its run; sweep.csv must say the same."""
    rows = json.loads((sweep / "sweep.json").read_text("utf-8"))["jobs"]
    for row, cells in zip(rows, rows_of(sweep / "sweep.csv"), strict=True):
        assert {key: cells[key] for key in row["changes"]} == {k: v or "" for k, v in row["changes"].items()}
    return {row["path"].partition("-")[0]: row["changes"] for row in rows}


def test_runs_of_an_earlier_command_have_their_values(tmp_path: Path) -> None:
    old = [run(tmp_path, n, seed=n, optimizer__lr=0.001) for n in (0, 1)]
    write_results(tmp_path, [job_of(path, f"seed={n}") for n, path in enumerate(old)], {})
    assert told(tmp_path) == {"run0": {"seed": "0"}, "run1": {"seed": "1"}}
    new = [run(tmp_path, n, seed=0, optimizer__lr=lr) for n, lr in ((2, 1e-5), (3, 0.003))]
    write_results(tmp_path, [job_of(p, f"optimizer.lr={w}") for p, w in zip(new, ("1e-5", "3e-3"), strict=True)], {})
    assert told(tmp_path) == {
        "run2": {"seed": "0", "optimizer.lr": "1e-5"},
        "run3": {"seed": "0", "optimizer.lr": "3e-3"},
        "run0": {"seed": "0", "optimizer.lr": "0.001"},
        "run1": {"seed": "1", "optimizer.lr": "0.001"},
    }
    rows = json.loads((tmp_path / "sweep.json").read_text())["jobs"]
    assert [row["is_planned"] for row in rows] == [True, True, False, False]
    # A third command sweeps neither, and changes what no command swept.
    last = run(tmp_path, 4, seed=0, optimizer__lr=0.003, trainer__epochs=9)
    write_results(tmp_path, [job_of(last)], {})
    assert told(tmp_path)["run4"] == {"seed": "0", "optimizer.lr": "0.003", "trainer.epochs": "9"}
    assert told(tmp_path)["run2"] == {"seed": "0", "optimizer.lr": "1e-5", "trainer.epochs": "4"}
    assert json.loads((tmp_path / "sweep.json").read_text())["swept"] == ["seed", "optimizer.lr"]


def test_a_key_that_was_swept_stays_a_column_when_all_runs_have_one_value_of_it(tmp_path: Path) -> None:
    paths = [run(tmp_path, n, seed=n) for n in (0, 1)]
    write_results(tmp_path, [job_of(path, f"seed={n}", "trainer.epochs=4") for n, path in enumerate(paths)], {})
    write_results(tmp_path, [job_of(paths[0], "seed=0")], {})
    assert told(tmp_path) == {n: {"seed": n[-1], "trainer.epochs": "4"} for n in ("run0", "run1")}


def test_the_sweep_json_of_an_older_qaexp_tells_its_keys(tmp_path: Path) -> None:
    path = run(tmp_path, 0, seed=0)
    write_results(tmp_path, [job_of(path, "seed=0")], {})
    content = json.loads((tmp_path / "sweep.json").read_text())
    (tmp_path / "sweep.json").write_text(json.dumps({k: v for k, v in content.items() if k not in ("swept", "looks")}))
    write_results(tmp_path, [], {})
    assert told(tmp_path) == {"run0": {"seed": "0"}}


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"jobs": 3, "swept": 4, "looks": 5}', '{"jobs": [{}, 1, {"path": "x", "changes": {"a": 1}}]}'],
)
def test_a_damaged_sweep_json_is_made_anew(tmp_path: Path, content: str) -> None:
    path = run(tmp_path, 0, seed=0)
    (tmp_path / "sweep.json").write_text(content)
    write_results(tmp_path, [job_of(path, "seed=0")], {})
    assert told(tmp_path) == {"run0": {"seed": "0"}}
    assert len(json.loads((tmp_path / "sweep.json").read_text())["looks"]) == 1


def test_a_sweep_json_that_lies_is_not_believed(tmp_path: Path) -> None:
    path = run(tmp_path, 0, seed=0, optimizer__lr=0.001)
    write_results(tmp_path, [job_of(path, "seed=0", "optimizer.lr=1e-3")], {})
    text = (tmp_path / "sweep.json").read_text()
    (tmp_path / "sweep.json").write_text(text.replace('"1e-3"', '"5"'))
    write_results(tmp_path, [], {})
    assert told(tmp_path)["run0"]["optimizer.lr"] == "0.001"


def test_values_are_written_as_an_override_has_them(tmp_path: Path) -> None:
    values = {"trainer.a": None, "trainer.b": True, "trainer.c": [0.9, None], "trainer.d": "x y", "trainer.e": 1.0}
    run(tmp_path, 0, seed=0, **values)
    run(tmp_path, 1, seed=0)
    write_results(tmp_path, [], {})
    assert told(tmp_path)["run0"] == {
        "trainer.a": "null",
        "trainer.b": "true",
        "trainer.c": "[0.9,null]",
        "trainer.d": "x y",
        "trainer.e": "1.0",
    }
    assert told(tmp_path)["run1"] == dict.fromkeys(values)


def test_seeds_that_follow_from_seed_have_no_columns_and_others_have(tmp_path: Path) -> None:
    paths = [run(tmp_path, n, seed=n) for n in (0, 1)]
    write_results(tmp_path, [], {})
    assert list(told(tmp_path)["run0"]) == ["seed"]
    for path in paths:
        config = json.loads((path / "config.json").read_text())
        edit(path / "config.json", seeds={**config["seeds"], "order": 7 + config["seed"], "dev": config["seed"]})
    write_results(tmp_path, [], {})
    assert told(tmp_path)["run1"] == {"seed": "1", "seeds.order": "8", "seeds.dev": "1"}


def test_a_copy_in_a_folder_of_the_sweep_takes_no_jobs_place(tmp_path: Path) -> None:
    path = run(tmp_path, 0, seed=0)
    (tmp_path / "zz").mkdir()
    copy = shutil.copytree(path, tmp_path / "zz" / path.name)
    edit(copy / "summary.json", f1=1.5)
    write_results(tmp_path, [job_of(path, "seed=0")], {})
    rows = json.loads((tmp_path / "sweep.json").read_text())["jobs"]
    assert [(row["path"], row["is_planned"]) for row in rows] == [(path.name, True), (f"zz/{path.name}", False)]
    assert rows[0]["summary"] == json.loads((path / "summary.json").read_text())


def test_every_number_is_that_of_the_summary_to_the_last_digit(tmp_path: Path) -> None:
    paths = [run(tmp_path, n, seed=n) for n in range(3)]
    edit(paths[0] / "summary.json", f1=100 / 3, test_f1=200 / 3, train_loss=1e-7, best_f1=None)
    edit(paths[1] / "run.json", flags=[{"name": "overfit_gap", "step": 1, "advice": "x"}])
    _, (group,) = write_results(tmp_path, [job_of(path, f"seed={n}") for n, path in enumerate(paths)], {})
    for path, row in zip(paths, rows_of(tmp_path / "sweep.csv"), strict=True):
        summary = json.loads((path / "summary.json").read_text())
        assert {name: None if row[name] == "" else float(row[name]) for name in summary} == summary
    assert [row["flags"] for row in rows_of(tmp_path / "sweep.csv")] == ["", "overfit_gap", ""]
    values = [float(row["f1"]) for row in rows_of(tmp_path / "sweep.csv")]
    assert group.metrics["f1"]["mean"] == pytest.approx(sum(values) / 3, abs=1e-12)


def test_the_groups_are_those_that_compare_finds(tmp_path: Path) -> None:
    sweep = tmp_path / "s"
    for number in range(6):
        run(sweep, number, seed=number % 3, optimizer__lr=(1e-3, 3e-3)[number // 3])
    _, groups = write_results(sweep, [], {})
    done = tiny_run.call(tmp_path, "compare", str(sweep), "--csv", str(tmp_path / "c.csv"))
    assert done.code == 0, done.err
    compared = {row["group"]: row for row in rows_of(tmp_path / "c.csv")}
    assert set(compared) == {group.name for group in groups} == {"lr=0.001", "lr=0.003"}
    for group in groups:
        row = compared[group.name]
        for name, found in group.metrics.items():
            if row.get(name):
                assert float(row[name]) == pytest.approx(found["mean"], abs=1e-9)
            if row.get(f"{name}_sd"):
                assert float(row[f"{name}_sd"]) == pytest.approx(found["sd"], abs=1e-9)
        assert {"crossfit_f1", "crossfit_f1_sd", "train_seconds"} <= set(row)
        assert int(compared[group.name]["n"]) == group.n == 3


def test_a_look_is_noted_whenever_other_runs_are_completed(tmp_path: Path) -> None:
    def runs_seen() -> list[list[str]]:
        return [look["run_ids"] for look in json.loads((tmp_path / "sweep.json").read_text())["looks"]]

    missing = replace(job_of(run(tmp_path / "x", 9, seed=9), "seed=9"), directory=tmp_path / "none")
    shutil.rmtree(tmp_path / "x")
    write_results(tmp_path, [missing], {missing.sha256: Outcome(FAILED, "killed", "died")})
    assert runs_seen() == []
    ids = []
    for number in range(2):
        path = run(tmp_path, number, seed=number)
        ids.append(path.name.rpartition("-")[2])
        write_results(tmp_path, [job_of(path, f"seed={number}")], {})
        before = (tmp_path / "sweep.json").read_bytes()
        write_results(tmp_path, [job_of(path, f"seed={number}")], {})
        assert (tmp_path / "sweep.json").read_bytes() == before
    assert runs_seen() == [ids[:1], sorted(ids)]


def test_a_sweep_by_the_command_line_is_extended_over_groups_and_keys(tmp_path: Path) -> None:
    """Batches by their file, then another rate, then nothing new; and a row for what failed before it began."""
    sweep = tmp_path / "multirun_outputs" / "s"

    def train(*words: str) -> dict[str, Any]:
        done = tiny_run.call(tmp_path, "train", "-m", "name=s", *WORDS, *words)
        assert done.code == 0, done.err
        found: dict[str, Any] = json.loads((sweep / "sweep.json").read_text("utf-8"))
        return found

    first = train("seed=0,1")
    second = train("seed=0", "batches=fixed,short", "optimizer.lr=1e-3")
    assert second["swept"] == ["seed", "batches"]
    values = [(row["changes"]["batches"], row["changes"]["optimizer.lr"]) for row in second["jobs"]]
    default = values[2][1]
    assert values[:2] == [("fixed", "0.001"), ("short", "0.001")]
    assert values[2:] == [("short", default)] * 2
    assert float(default) != 0.001
    assert [look["run_ids"] for look in second["looks"]] == [
        sorted(row["run_id"] for row in found["jobs"]) for found in (first, second)
    ]
    before = (sweep / "sweep.json").read_bytes(), (sweep / "sweep.csv").read_bytes()
    train("seed=0", "batches=fixed,short", "optimizer.lr=1e-3")
    assert ((sweep / "sweep.json").read_bytes(), (sweep / "sweep.csv").read_bytes()) == before
    assert tiny_run.call(tmp_path, "resume", str(sweep)).code == 0
    assert (sweep / "sweep.json").read_bytes() == before[0]
