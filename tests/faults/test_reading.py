"""Folders that anybody may have made, read by `compare`: shown or named with a reason, never hidden, never believed."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import tiny_run
from tests.fixtures.compared import edit, scores, write_run
from tests.fixtures.markup import MARKUP, write_markup
from tests.fixtures.waiting import bytes_read, waits_at_most

THOROUGH = os.environ.get("QAEXP_THOROUGH") == "1"


def json_of(qaexp: Any, *words: str) -> dict[str, Any]:
    done = qaexp.call("compare", *words, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of everything below a folder, links not followed."""
    found = {}
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            status = os.lstat(Path(place, name))
            found[str(Path(place, name))] = (status.st_size, status.st_mtime_ns)
    return found


def with_state(state: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        write_run(path, scores(3, 50), changes={"optimizer.lr": 0.5})
        (path / "summary.json").unlink()
        edit(path / "run.json", state=state)

    return make


def spoilt(name: str, change: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        write_run(path, scores(3, 50), changes={"optimizer.lr": random.Random(str(path)).random()})
        (path / name).unlink()
        change(path / name)

    return make


def lacking(name: str) -> Callable[[Path], None]:
    return spoilt(name, lambda path: None)


def files(**contents: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.mkdir()
        for name, text in contents.items():
            file = path / name.replace("__", "/").replace("_dot_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    return make


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(5 * 2**30)


def unreadable(path: Path) -> None:
    path.write_text("{}")
    path.chmod(0)


HOSTILE: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: path.mkdir(),
    "no config": lacking("config.json"),
    "half status": spoilt("run.json", lambda path: path.write_text('{"schema_version": 1, "state": "comp')),
    "list for status": spoilt("run.json", lambda path: path.write_text("[]")),
    "scores a directory": spoilt("scores.csv", lambda path: path.mkdir()),
    "scores a pipe": spoilt("scores.csv", os.mkfifo),
    "scores a link": spoilt("scores.csv", lambda path: path.symlink_to("/etc/passwd")),
    "scores a link to itself": spoilt("scores.csv", lambda path: path.symlink_to(path)),
    "scores a device": spoilt("scores.csv", lambda path: path.symlink_to("/dev/zero")),
    "scores huge": spoilt("scores.csv", sparse),
    "scores empty": spoilt("scores.csv", lambda path: path.write_text("")),
    "scores of header": spoilt("scores.csv", lambda path: path.write_text("id,title,paragraph,exact,f1\n")),
    "scores torn": spoilt("scores.csv", lambda path: path.write_text("id,title,paragraph,exact,f1\na,b\n")),
    "scores not numbers": spoilt("scores.csv", lambda p: p.write_text("id,title,paragraph,exact,f1\na,b,c,x,y\n")),
    "scores binary": spoilt("scores.csv", lambda path: path.write_bytes(bytes(range(256)) * 40)),
    "scores twice": spoilt("scores.csv", lambda p: p.write_text("id,title,paragraph,exact,f1\na,b,c,1,1\na,b,c,1,1\n")),
    "scores out of range": spoilt("scores.csv", lambda p: p.write_text("id,title,paragraph,exact,f1\na,b,c,1e9,nan\n")),
    "no scores": lacking("scores.csv"),
    "summary unreadable": spoilt("summary.json", lambda path: path.symlink_to("/proc/self/mem")),
    "summary huge": spoilt("summary.json", sparse),
    "summary a pipe": spoilt("summary.json", os.mkfifo),
    "data damaged": spoilt("data.json", lambda path: path.write_text("{")),
    "config of lists": spoilt("config.json", lambda path: path.write_text("[1, 2]")),
    "config with NaN": spoilt("config.json", lambda path: path.write_text('{"optimizer": {"lr": NaN}}')),
    "mlflow": files(meta_dot_yaml="artifact_uri: x", metrics__f1="0 1 2"),
    "wandb": files(files__wandb_summary_dot_json='{"f1": 99}', run_dot_wandb="x"),
    "lightning": files(hparams_dot_yaml="lr: 1", metrics_dot_csv="f1\n99\n", checkpoints__epoch_dot_ckpt="x"),
    "hub model": files(config_dot_json='{"model_type": "bert"}', model_dot_safetensors="x"),
    "running": with_state("running"),
    "failed": with_state("failed"),
    "preempted": with_state("preempted"),
    "unknown state": with_state("${oc.env:HOME}"),
}


@pytest.mark.fault("R1")
def test_hostile_folders(qaexp: Any) -> None:
    runs = qaexp.folder / "runs"
    write_run(runs / "good", scores(0, 60))
    (runs / "link").symlink_to(runs)
    (runs / "file").write_text("no folder")
    for name, make in HOSTILE.items():
        make(runs / name)
    before = tree(runs)
    begin = bytes_read()
    # Not by `qaexp.call`, which reads every file to see whether it changed, 5 GB among them.
    with waits_at_most(5):
        done = tiny_run.call(qaexp.folder, "compare", "runs", "--json")
    assert done.code == 0, done.err
    assert bytes_read() - begin < 10**8
    assert tree(runs) == before
    found = json.loads(done.out)
    assert [Path(run["path"]).name for run in found["runs"]] == ["good"]
    reasons = {Path(row["path"]).name: row["reason"] for row in found["skipped"]}
    reasons |= {Path(path).name: row["reason"] for row in found["refused"] for path in row["paths"]}
    assert set(HOSTILE) | {"link"} <= set(reasons)
    assert all(reason and "\n" not in reason for reason in reasons.values())
    assert len(found["skipped"]) + len(found["refused"]) == len(reasons)
    shown = tiny_run.call(qaexp.folder, "compare", "runs")
    assert shown.code == 0
    assert "Traceback" not in shown.err + shown.out
    strict = tiny_run.call(qaexp.folder, "compare", "runs", "--strict")
    assert strict.code == 8
    assert "running" in strict.err
    assert "--strict" in strict.last_line
    # A folder that goes away while it is read.
    doomed = [write_run(runs / f"doomed{number}", scores(1, 50)) for number in range(6)]
    thief = threading.Thread(target=lambda: [shutil.rmtree(path, ignore_errors=True) for path in doomed])
    thief.start()
    assert tiny_run.call(qaexp.folder, "compare", "runs").code == 0
    thief.join()
    assert tiny_run.call(qaexp.folder, "compare", str(runs / "no" / "such")).code == 2


@pytest.mark.fault("R2")
def test_odd_numbers(qaexp: Any) -> None:
    runs = qaexp.folder / "runs"
    odd: dict[str, Any] = {
        "nan": math.nan,
        "inf": math.inf,
        "minus": -math.inf,
        "none": None,
        "text": "high",
        "list": [],
    }
    for number in range(4):
        write_run(runs / f"tie{number}", scores(0, 60), changes={"optimizer.lr": (number + 1) / 1e4})
    for place, (name, value) in enumerate(odd.items()):
        write_run(runs / name, scores(0, 60), changes={"optimizer.lr": 0.01 * (place + 1)})
        edit(runs / name / "summary.json", crossfit_f1=value)
    edit(runs / "none" / "summary.json", num_dev_examples="many")
    write_run(runs / "other data", scores(0, 99, 80), changes={"optimizer.lr": 0.5})
    first: dict[str, Any] | None = None
    paths = [f"runs/{path.name}" for path in runs.iterdir()]
    for seed in range(1000 if THOROUGH else 40):
        random.Random(seed).shuffle(paths)
        found = json_of(qaexp, *paths)
        first = first or found
        assert found == first
    assert first is not None
    order = [group["name"] for group in first["groups"]]
    assert [group["metrics"].get("crossfit_f1") is None for group in first["groups"]] == [False] * 4 + [True] * 6 + [
        False
    ]
    assert order[:4] == [f"lr={(number + 1) / 1e4}" for number in range(4)]
    assert first["refused"][0]["reason"] == "other dev questions (80 against 240)"
    mixed = qaexp.call("compare", "runs", "--allow-mixed")
    assert "WARNING: --allow-mixed" in mixed.out
    assert json_of(qaexp, "runs/tie0")["contrasts"] == []
    (qaexp.folder / "nothing").mkdir()
    assert json_of(qaexp, "nothing")["runs"] == []
    assert "no completed run" in qaexp.call("compare", "nothing").out
    qaexp.refused(2, "compare", "runs/tie0", "--metric", "crosfit_f1", last=("--metric crosfit_f1", "did you mean"))


@pytest.mark.fault("R3")
@pytest.mark.slow
def test_ten_thousand_runs(qaexp: Any) -> None:
    """In CI 1,500 runs with 256 descriptors; with QAEXP_THOROUGH all 10,000."""
    number_of_runs = 10_000 if THOROUGH else 1_500
    runs = qaexp.folder / "runs"
    # At a rate of its own: a run with the settings and seeds of another one would be a repeat of it.
    first = write_run(runs / "0", scores(0, 50, 40), changes={"optimizer.lr": 0.5})
    texts = {path.name: path.read_text() for path in first.iterdir()}
    config = json.loads(texts["config.json"])
    for number in range(1, number_of_runs):
        folder = runs / str(number)
        folder.mkdir()
        config["optimizer"]["lr"] = (number // 5 + 1) / 1e6
        config["seeds"] = {**dict.fromkeys(("subset", "init", "order", "dropout"), number % 5), "dev": 0}
        run = {**json.loads(texts["run.json"]), "identity": f"{number:064x}", "run_id": f"{number:08x}"}
        changed = {"config.json": json.dumps(config), "run.json": json.dumps(run)}
        for name, text in {**texts, **changed}.items():
            if name not in ("predictions.jsonl", "contexts.json", "metrics.jsonl"):
                (folder / name).write_text(text)

    began = time.monotonic()
    # VmHWM: ru_maxrss of a child begins with that of its parent, which may have loaded anything.
    script = (
        "import resource, sys; from pathlib import Path; from qaexp.cli import main; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)); code = main(['compare', 'runs', '--json']); "
        "lines = Path('/proc/self/status').read_text().splitlines(); "
        "print(next(line for line in lines if line.startswith('VmHWM')).split()[1], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=qaexp.folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["runs"]) == number_of_runs
    assert int(done.stderr.split()[-1]) / 1024 < 250 + 0.12 * number_of_runs, time.monotonic() - began


class Watch(HTMLParser):
    """What would be run or fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[dict[str, str | None]] = []
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.scripts.append(dict(attrs))
        if (
            tag in ("img", "iframe", "svg", "base", "link", "object", "embed", "form")
            and dict(attrs).get("id") != "filters"
        ):
            self.bad.append(tag)
        self.bad += [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "").lower()]
        self.bad += [
            f"{name}={value}" for name, value in attrs if name in ("src", "href") and not str(value).startswith("#")
        ]


@pytest.mark.fault("R4")
def test_markup_in_every_string(qaexp: Any) -> None:
    """Sixty strings in eight sinks: question, answer, gold, title, context, run name, config value, file name, flag."""
    runs = write_markup(qaexp.folder / "runs")
    assert len(MARKUP) >= 60
    (runs / "broken <img src=x onerror=alert(1)>").mkdir()
    done = tiny_run.call(qaexp.folder, "compare", "runs", "--html", "page.html", "--flips", "9")
    assert done.code == 0, done.err
    page = qaexp.folder / "page.html"
    watch = Watch()
    watch.feed(page.read_text("utf-8"))
    assert watch.bad == []
    assert watch.scripts == [{"type": "application/json", "id": "data"}, {}]
    assert "default-src &#39;none&#39;" in page.read_text("utf-8")


@pytest.mark.fault("R5")
def test_formulas_escapes_and_long_names(qaexp: Any) -> None:
    runs = qaexp.folder / "runs"
    odd = [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\tx",
        "\x1b]0;owned\x07\x1b[31m",
        "[/x][bold]y",
        r"$\frac$",
    ]
    odd += ["_x", "a|b|c", "long " * 1000, "nul\x00", "new\nline", r"\textbf{x}", "100%_$#&~^"]
    for number, text in enumerate(odd):
        write_run(
            runs / f"{number}",
            scores(number, 50, 60),
            changes={"optimizer.note": text},
            summary={"null_threshold": -1.5},
            questions=[text] * 60,
        )
    found = json_of(qaexp, "runs")
    assert len(found["groups"]) == len(odd)
    for words in ((), ("--markdown",), ("--latex",), ("--flips", "3")):
        done = qaexp.call("compare", "runs", *words)
        assert done.code == 0, done.err
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.out), words
    assert (
        tiny_run.call(
            qaexp.folder, "compare", "runs", "--csv", "t.csv", "--flips-csv", "f.csv", "--html", "p.html"
        ).code
        == 0
    )
    for name in ("t.csv", "f.csv"):
        for row in csv.DictReader(io.StringIO((qaexp.folder / name).read_text(), newline="")):
            for cell in row.values():
                assert not re.match(r"[=+@\t\r]|-(?![\d.]+$)", cell), (name, cell)
    table = list(csv.DictReader(io.StringIO((qaexp.folder / "t.csv").read_text(), newline="")))
    assert {row["null_threshold"] for row in table} == {"-1.5"}
    lines = [line for line in qaexp.call("compare", "runs", "--markdown").out.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert len(lines) == len(odd) + 2
    pictures = sorted((qaexp.folder / "p_figures").iterdir())
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    assert len(pictures) >= 3


@pytest.mark.fault("C5")
def test_folders_of_other_versions(qaexp: Any) -> None:
    runs = qaexp.folder / "runs"
    write_run(runs / "now", scores(0, 60))
    old = write_run(runs / "old", scores(1, 50), changes={"optimizer.lr": 0.1})
    record = json.loads((old / "run.json").read_text())
    kept = ("schema_version", "run_id", "state", "identity", "inputs")
    (old / "run.json").write_text(json.dumps({key: record[key] for key in kept}))
    # scores.csv did not always have the cross-fitted scores.
    rows = [line.rsplit(",", 2)[0] for line in (old / "scores.csv").read_text().splitlines()]
    (old / "scores.csv").write_text("\n".join(rows) + "\n")
    newer = write_run(runs / "newer", scores(2, 99), changes={"optimizer.lr": 0.2})
    edit(newer / "run.json", schema_version=99)
    before = tree(runs)
    found = json_of(qaexp, "runs")
    assert tree(runs) == before
    assert {Path(run["path"]).name for run in found["runs"]} == {"now", "old"}
    (contrast,) = found["contrasts"]
    assert contrast["metric"] == "f1"
    assert "crossfit_f1" not in contrast
    ((reason),) = [row["reason"] for row in found["skipped"]]
    assert "newer qaexp" in reason
    assert "upgrade" in reason
    qaexp.refused(2, "resume", "runs/newer", last=("newer qaexp", "upgrade"))


@pytest.mark.fault("X2")
def test_interpolations_stay_text(qaexp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "value-of-the-environment"
    monkeypatch.setenv("QAEXP_CANARY", secret)
    runs = qaexp.folder / "runs"
    traps = ["${oc.env:QAEXP_CANARY}", "${eval:open('canary','w')}", "${seed}", "${a}${a}${a}", "${optimizer.note}"]
    for number, text in enumerate(traps):
        write_run(runs / f"{number}", scores(number, 50), changes={"optimizer.note": text, "name": text})
    found = json_of(qaexp, "runs")
    assert {run["config"]["optimizer"]["note"] for run in found["runs"]} == set(traps)
    for words in ((), ("--markdown",), ("--latex",)):
        done = qaexp.call("compare", "runs", *words)
        assert secret not in done.out
        assert done.code == 0
    shown = qaexp.call("compare", "runs").out
    assert all(text in shown for text in traps)
    assert tiny_run.call(qaexp.folder, "compare", "runs", "--html", "p.html").code == 0
    assert secret not in (qaexp.folder / "p.html").read_text("utf-8")
    assert not (qaexp.folder / "canary").exists()
