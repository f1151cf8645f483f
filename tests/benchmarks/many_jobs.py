"""What thousands of jobs cost a sweep beside their training: planning, going on, and looking at them.

    python -m tests.benchmarks.many_jobs [--jobs 500 3000] [--only plan status] [--folder DIR]

One tiny run is trained. Each other run of the sweep is made of it: config.json with a learning rate and a seed of its
own, its true identity in run.json and in the name of its folder, scores of its own in summary.json; all other files are
hard links. Whole processes are timed: the table has seconds by the clock, processor seconds, and peak memory of the
largest process. `read_plan`, `write_plan` and `write_results` are those functions alone, without the imports.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.config.schema import as_read, neutral_keys
from qaexp.runs.identity import Identity, identify
from qaexp.sweeps.job import Job, folders_by_id
from tests.benchmarks.processes import measured, qaexp

SEEDS = 5
SWEEP = Path("multirun_outputs", "many")
_WORDS = ("name=many", "model=tiny_random", "trainer=cpu", "data.train_size=60", "data.dev_size=50", "reporter=none")
_WORDS += ("trainer.epochs=1", "trainer.max_steps=2")
_OWN = ("config.json", "run.json", "summary.json")


def rates(num_jobs: int) -> list[str]:
    """The learning rates of a sweep, as they are typed: as many as there are jobs for five seeds."""
    return [repr(float(f"{1 + number}e-7")) for number in range(-(-num_jobs // SEEDS))]


def command(num_jobs: int) -> list[str]:
    """The words behind `qaexp` that plan the sweep."""
    return [
        "train",
        "-m",
        *_WORDS,
        f"optimizer.lr={','.join(rates(num_jobs))}",
        f"seed={','.join(map(str, range(SEEDS)))}",
    ]


def fabricate(folder: Path, num_jobs: int) -> None:
    """Train the first job of the sweep in a folder, and make all others of it, and the plan."""
    words = ["train", "-m", *_WORDS, f"optimizer.lr={rates(num_jobs)[0]}", "seed=0"]
    measured(qaexp(*words), folder)
    sweep = folder / SWEEP
    (first,) = (path.parent for path in sweep.glob("*/run.json"))
    stored = {name: json.loads((first / name).read_text()) for name in _OWN}
    plan = json.loads((sweep / "plan.json").read_text())
    (model_job,) = plan["jobs"]
    found = _identity(stored["config.json"], stored["run.json"])
    assert found.sha256 == stored["run.json"]["identity"], "an identity is not what this benchmark takes it for"
    plan["jobs"], places = [], [first]
    for number, (rate, seed) in enumerate((rate, seed) for rate in rates(num_jobs) for seed in range(SEEDS)):
        config = _changed(stored["config.json"], rate, seed)
        identity = _identity(config, stored["run.json"])
        changes = [f"optimizer.lr={rate}", f"seed={seed}"]
        place = sweep / f"{','.join(changes)}-{identity.run_id}"
        if number:
            _write_run(place, first, stored, config, identity, number)
        else:
            first.rename(place)
            first = place
        places.append(place)
        plan["jobs"].append(_planned(model_job, config, identity, changes, place.name))
    plan["command_line"] = ["qaexp", *command(num_jobs)]
    (sweep / "plan.json").write_text(json.dumps(plan, indent=1))
    for name in ("sweep.json", "sweep.csv"):
        (sweep / name).unlink()


def _identity(config: Mapping[str, Any], record: Mapping[str, Any]) -> Identity:
    return identify(as_read(config), neutral_keys(), record["inputs"]["data"], record["inputs"]["weights"])


def _changed(config: Mapping[str, Any], rate: str, seed: int) -> dict[str, Any]:
    changed = copy.deepcopy(dict(config))
    changed["optimizer"]["lr"] = float(rate)
    changed["seed"] = seed
    changed["seeds"] = {**dict.fromkeys(changed["seeds"], seed), "dev": changed["seeds"]["dev"]}
    return changed


def _write_run(
    place: Path, first: Path, stored: Mapping[str, Any], config: Mapping[str, Any], identity: Identity, number: int
) -> None:
    """Write a run that differs in config, identity and scores, and shares every other file."""
    for path in sorted(first.rglob("*")):
        target = place / path.relative_to(first)
        if path.is_dir():
            target.mkdir(parents=True)
        elif path.name not in _OWN or path.parent != first:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
    scores = {key: value + (number * 7919 % 101) / 100 for key, value in _scores(stored["summary.json"]).items()}
    summary = json.dumps({**stored["summary.json"], **scores}, indent=1)
    record = {**stored["run.json"], "run_id": identity.run_id, "identity": identity.sha256}
    record["summary_sha256"] = hashlib.sha256(summary.encode()).hexdigest()
    (place / "summary.json").write_text(summary)
    (place / "config.json").write_text(json.dumps(config, indent=1))
    (place / "run.json").write_text(json.dumps(record, indent=1))


def _scores(summary: Mapping[str, Any]) -> dict[str, float]:
    return {key: summary[key] for key in ("f1", "crossfit_f1")}


def _planned(
    model_job: Mapping[str, Any], config: Mapping[str, Any], identity: Identity, changes: Sequence[str], name: str
) -> dict[str, Any]:
    """The entry of a job in plan.json."""
    hydra = copy.deepcopy(model_job["hydra"])
    hydra["overrides.yaml"] = [*_WORDS, *changes]
    hydra["config.yaml"]["optimizer"]["lr"] = config["optimizer"]["lr"]
    hydra["config.yaml"]["seed"] = config["seed"]
    told = {"run_id": identity.run_id, "path": name, "changes": list(changes), "overrides": [*_WORDS, *changes]}
    return {**model_job, **told, "config": dict(config), "hydra": hydra}


def timed(body: Callable[[], Any]) -> tuple[Any, str]:
    """Call a function; returns what it returns, and its figures."""
    began, used = time.perf_counter(), time.process_time()
    found = body()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - used
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found, f"{seconds:.2f} | {cpu_seconds:.2f} | {peak_mib:.0f}"


def functions(sweep: Path) -> None:
    """Time reading and writing the files of a sweep in this process."""
    from qaexp.commands.stored import ConfigReader
    from qaexp.sweeps.plan import make_plan
    from qaexp.sweeps.sweep_files import read_plan, write_plan, write_results

    stored = json.loads((sweep / "plan.json").read_text())
    plan, figures = timed(lambda: read_plan(sweep, ConfigReader(sweep / "plan.json")))
    print(f"| read_plan | {figures} |")
    ids = [_identity(job["config"], {"inputs": _inputs(sweep)}).sha256 for job in stored["jobs"]]
    jobs, figures = timed(lambda: _identified(plan.jobs, ids, sweep))
    print(f"| identified | {figures} |")
    made, figures = timed(lambda: make_plan(jobs, sweep))
    assert {planned.action for planned in made.jobs} == {"reuse"}
    assert not made.others
    print(f"| make_plan | {figures} |")
    _, figures = timed(lambda: write_plan(sweep, made, plan.command_line, stored["settings"]))
    print(f"| write_plan | {figures} |")
    assert len(json.loads((sweep / "plan.json").read_text())["jobs"]) == len(jobs)
    _, figures = timed(lambda: write_results(sweep, jobs, {}))
    print(f"| write_results | {figures} |")


def _identified(jobs: Sequence[Job], ids: Sequence[str], sweep: Path) -> list[Job]:
    existing = folders_by_id(sweep)
    return [job.identified(sha256, sweep, existing) for job, sha256 in zip(jobs, ids, strict=True)]


def _inputs(sweep: Path) -> dict[str, Any]:
    inputs: dict[str, Any] = json.loads(next(sweep.glob("*/run.json")).read_text())["inputs"]
    return inputs


def measure(folder: Path, num_jobs: int, only: Sequence[str]) -> None:
    """Print the rows of one size."""
    print(f"\n{num_jobs:,} jobs of which all are completed\n\n| what | s | CPU s | MiB |\n| --- | ---: | ---: | ---: |")
    whole = {
        "plan": qaexp(*command(num_jobs), "sweep.dry_run=true"),
        "finish": qaexp(*command(num_jobs)),
        "resume": qaexp("resume", SWEEP),
        "status": qaexp("status", SWEEP),
        "compare": qaexp("compare", SWEEP),
        "html": qaexp("compare", SWEEP, "--html", "report.html"),
    }
    for name in [name for name in whole if not only or name in only]:
        found = measured(whole[name], folder)
        lines = (folder / "output.txt").read_text().splitlines()
        assert name != "plan" or lines[-1].endswith(f"{num_jobs} to reuse"), lines[-1]
        print(
            f"| {name} ({len(lines):,} lines) | {found.seconds:.1f} | {found.cpu_seconds:.1f} | {found.peak_mib:.0f} |",
            flush=True,
        )
    if not only or "functions" in only:
        here = [sys.executable, "-m", "tests.benchmarks.many_jobs", "--functions", str(folder / SWEEP)]
        measured(here, folder, {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
        print((folder / "output.txt").read_text(), end="", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, nargs="+", default=[500, 3000])
    parser.add_argument("--only", nargs="+", default=[], help="plan finish resume status compare html functions")
    parser.add_argument("--folder", type=Path, help="where to keep what is made, for another call")
    parser.add_argument("--functions", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.functions:
        functions(arguments.functions)
        return
    with tempfile.TemporaryDirectory() as temporary:
        for num_jobs in arguments.jobs:
            folder = (arguments.folder or Path(temporary)).resolve() / str(num_jobs)
            os.environ.setdefault("QAEXP_CACHE_DIR", str(folder.parent / "cache"))
            if not folder.exists():
                folder.mkdir(parents=True)
                fabricate(folder, num_jobs)
            measure(folder, num_jobs, arguments.only)


if __name__ == "__main__":
    main()
