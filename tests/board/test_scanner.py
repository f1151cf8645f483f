"""What a look finds, what it does not read again, and what it survives: rights, damage, and folders that vanish."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qaexp.board.stamps import clock_from, stamp_of
from qaexp.reporting.terminal.workers import worker_lines
from qaexp.runs.directory import LOCK
from qaexp.runs.lock import hold
from qaexp.runs.owners import this_process, utc_now
from qaexp.runs.readers.progress import progress_of
from qaexp.runs.workers import working
from tests.board.conftest import SMALL
from tests.commands.test_status import folder as every_state
from tests.fixtures import fake_run
from tests.fixtures.boarded import Boarded, change, digest

Make = Callable[..., Boarded]
assert every_state  # the fixture


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_the_board_says_what_status_says(request: pytest.FixtureRequest, make_board: Make) -> None:
    folder = request.getfixturevalue("every_state")
    board = make_board(folder)
    rows = board.look()
    runs, skipped = progress_of([folder], utc_now())
    assert {name: row["state"] for name, row in rows.items()} == {
        **{run.path.name: run.state for run in runs},
        **{one.path.name: one.state for one in skipped},
    }
    for run in runs:
        row = rows[run.path.name]
        assert (row["step"], row["epoch"], row["loss"], row["f1"]) == (run.step, run.epoch, run.loss, run.f1)
        assert sorted(row["note"].split("; ")) == sorted(run.about.split("; "))
    assert rows["failed"]["note"].startswith("dev.json: no JSON …; qaexp resume ")
    assert rows["foreign"]["note"].startswith("damaged: run.json: not JSON")


def test_what_did_not_change_is_not_read_again(outputs: Path, make_board: Make) -> None:
    board = make_board(outputs)
    change(outputs / "b", state="failed", error={"kind": "data", "message": "no"})
    before = board.look()
    token = board.scanner.index.changes("")["token"]
    assert board.scanner.num_read == 3
    assert board.look() == before
    assert board.scanner.num_read == 3
    assert not any(board.scanner.index.changes(token)[kind] for kind in ("runs", "folders", "left_out"))
    record = {"step": 9, "epoch": 2.5, "loss": 0.25, "learning_rate": 0, "grad_norm": 1, "num_tokens": 1}
    append(outputs / "b" / "metrics.jsonl", json.dumps({**record, "num_features": 1}) + "\n")
    assert board.look()["b"]["loss"] == 0.25
    assert board.scanner.num_read == 4
    (changed,) = board.scanner.index.changes(token)["runs"]
    assert changed["name"] == "b"


def test_what_was_written_a_moment_ago_is_read_again(outputs: Path, make_board: Make) -> None:
    """Two changes within a step of the file system's clock may have one stamp."""
    board = make_board(outputs)
    board.scanner.look(utc_now())
    board.scanner.look(utc_now())
    assert board.scanner.num_read == 6
    now_ns = (outputs / "a").stat().st_ctime_ns
    assert stamp_of(outputs / "a", lambda: now_ns) is None
    assert stamp_of(outputs / "a", lambda: now_ns + 10 * 10**9) is not None
    now, clock = utc_now(), clock_from(utc_now())
    assert clock() >= now.timestamp() * 1e9


def test_a_process_that_is_killed_changes_no_file_and_is_seen(outputs: Path, make_board: Make) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    now = utc_now().isoformat(timespec="seconds")
    change(outputs / "a", state="running", heartbeat=now, **{**this_process(), "pid": child.pid})
    board = make_board(outputs)
    assert board.states()["a"] == "running"
    row = board.rows()["a"]
    assert board.look()["a"] == row  # that it grows older is no news
    files = digest(outputs)
    child.kill()
    child.wait()
    assert board.states()["a"] == "killed"
    assert digest(outputs) == files
    assert "qaexp resume" in board.rows()["a"]["note"]


def test_folders_that_vanish_and_come_back(outputs: Path, make_board: Make) -> None:
    board = make_board(outputs)
    assert set(board.look()) == {"a", "b", "c"}
    token = board.scanner.index.changes("")["token"]
    gone = board.rows()["b"]["id"]
    shutil.rmtree(outputs / "b")
    assert set(board.look()) == {"a", "c"}
    assert board.scanner.index.changes(token)["gone"]["runs"] == [gone]
    outputs.rename(outputs.with_name("away"))
    assert board.look() == {}
    assert board.left_out() == {str(outputs): "is gone"}
    outputs.with_name("away").rename(outputs)
    assert set(board.look()) == {"a", "c"}
    assert board.left_out() == {}


def test_a_folder_that_vanishes_while_it_is_looked_at(
    outputs: Path, make_board: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qaexp.board import scanner

    look = scanner.look

    def too_late(path: Path, *rest: Any) -> Any:
        if path.name == "b":
            shutil.rmtree(path)
        return look(path, *rest)

    monkeypatch.setattr(scanner, "look", too_late)
    board = make_board(outputs)
    assert set(board.look()) == {"a", "c"}
    assert set(board.look()) == {"a", "c"}


@pytest.mark.parametrize(
    ("name", "content", "state"),
    [
        ("run.json", b"", "damaged"),
        ("run.json", b"{", "damaged"),
        ("run.json", b"[1]", "damaged"),
        ("run.json", b'{"schema_version": 1, "state": ["<b>"]}', "completed"),
        ("run.json", b'{"schema_version": 99}', "newer"),
        ("run.json", b"\xff\xfe", "damaged"),
        ("run.json", b"[" * 10**5, "damaged"),
        ("summary.json", b"{}", "completed"),
        ("summary.json", b"not", "damaged"),
        ("config.json", b"\0", "damaged"),
        ("metrics.jsonl", b'{"step": NaN}\n{"loss": 1e999}\n[\n\xff\n' * 50, "completed"),
        ("history.csv", b"epoch,step,f1\n1,x,<b>\n", "completed"),
    ],
)
def test_what_is_damaged_costs_only_its_own_line(
    outputs: Path, make_board: Make, name: str, content: bytes, state: str
) -> None:
    (outputs / "b" / name).write_bytes(content)
    board = make_board(outputs)
    states = board.states()
    assert (states["a"], states["c"]) == ("completed", "completed")
    assert states["b"] == state, board.rows()["b"]
    assert board.send("/api/runs").status_code == 200


def test_a_hostile_record_of_a_run_that_is_not_completed(outputs: Path, make_board: Make) -> None:
    flags = ["x", {"name": 7}, {"name": "<b>" * 1000, "advice": None}, *({"name": str(n)} for n in range(100))]
    wrongs: list[dict[str, Any]] = [
        {"flags": flags},
        {"flags": {"a": 1}},
        {"error": {"message": "\x1b[31m\n" * 10**5}},
        {"pid": "x"},
        {"started": [], "attempt": 1e400, "total_steps": "9" * 50, "host": {}},
        {"stage": "<i>" * 10**5},
    ]
    for wrong in wrongs:
        change(outputs / "a", state="running", heartbeat="never", **wrong)
        board = make_board(outputs)
        row = board.look()["a"]
        assert row["state"] == "killed"
        assert len(json.dumps(row, allow_nan=False)) < 50_000


def test_folders_without_rights_are_shown_as_such(
    outputs: Path, make_board: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qaexp.board import tree

    (outputs / "closed").mkdir()
    listed = tree.folders_in

    def refused(path: Path) -> Any:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(tree, "folders_in", refused)
    row = make_board(outputs).look()["closed"]
    assert (row["state"], row["note"]) == ("unreadable", "Permission denied")


def test_hostile_names(tmp_path: Path, make_board: Make) -> None:
    names = [
        "<script>alert(1)<",
        "a\nb",
        "\u202egnp",
        "x" * 200,
        os.fsdecode(b"\xff\xfe"),
        "'\"&",
        "${7*7}",
        "#?%2e%2e",
    ]
    for name in names:
        fake_run.build(tmp_path / "outputs" / name, **SMALL)
    board = make_board(tmp_path / "outputs")
    board.look()
    reply = board.send("/api/runs")
    assert reply.content.isascii()
    shown = [row["name"] for row in reply.json()["runs"]]
    assert len(shown) == len(set(shown)) == len(names)
    assert not any(character in name for name in shown for character in "\n\u202e")
    assert reply.headers["content-type"] == "application/json"


def test_planned_jobs_and_their_sweep(tmp_path: Path, make_board: Make) -> None:
    sweep = tmp_path / "s"
    fake_run.build(sweep / "seed=0-00000000", **SMALL)
    jobs = [{"path": f"seed={seed}-0000000{seed}", "run_id": f"0000000{seed}"} for seed in range(3)]
    (sweep / "plan.json").write_text(json.dumps({"jobs": jobs}))
    board = make_board(tmp_path)
    assert board.states() == {jobs[0]["path"]: "completed", jobs[1]["path"]: "planned", jobs[2]["path"]: "planned"}
    assert board.folders()[str(sweep)]["is_sweep"]
    assert not board.folders()[str(sweep)]["is_under_way"]
    with hold(sweep):
        board.look()
        assert board.folders()[str(sweep)]["is_under_way"]
    fake_run.build(sweep / jobs[1]["path"], **SMALL)
    shutil.rmtree(sweep / jobs[0]["path"])
    assert board.states() == {jobs[0]["path"]: "planned", jobs[1]["path"]: "completed", jobs[2]["path"]: "planned"}
    (sweep / jobs[2]["path"]).mkdir()
    assert board.states()[jobs[2]["path"]] == "planned"
    fake_run.build(sweep / jobs[2]["path"], **SMALL)
    assert board.states()[jobs[2]["path"]] == "completed"
    (sweep / "plan.json").write_text("{")
    assert set(board.look()) == {jobs[1]["path"], jobs[2]["path"]}


def test_workers_in_the_words_of_status(tmp_path: Path, make_board: Make) -> None:
    sweep = tmp_path / "s"
    fake_run.build(sweep / "seed=0-00000000", **SMALL)
    with working(sweep) as claims:
        claims.take("00000000", None)
        board = make_board(tmp_path)
        board.look()
        (words,) = board.folders()[str(sweep)]["workers"]
        assert words.startswith(f"process {os.getpid()} on ")
        assert "runs seed=0-00000000" in words
        assert words.partition(", last")[0] == worker_lines([sweep])[1].strip().partition(", last")[0]


def test_a_claim_of_a_hostile_name_is_a_name(tmp_path: Path, make_board: Make) -> None:
    sweep = tmp_path / "s"
    fake_run.build(sweep / "seed=0-00000000", **SMALL)
    with working(sweep) as claims:
        for job in ("a**b", "[", "<b>\n"):
            claims.take(job, None)
        board = make_board(tmp_path)
        board.look()
        (words,) = board.folders()[str(sweep)]["workers"]
    assert "a**b" in words
    assert "\n" not in words


def test_a_fault_at_one_run_costs_only_its_own_line(
    outputs: Path, make_board: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qaexp.board import scanner

    look = scanner.look

    def fail(path: Path, *rest: Any) -> Any:
        if path.name == "b":
            raise RecursionError("too deep")
        return look(path, *rest)

    monkeypatch.setattr(scanner, "look", fail)
    rows = make_board(outputs).look()
    assert (rows["a"]["state"], rows["b"]["state"]) == ("completed", "unreadable")
    assert rows["b"]["note"] == "cannot be read: RecursionError: too deep"


def test_what_is_no_run_is_left_out_with_its_reason(outputs: Path, make_board: Make) -> None:
    (outputs / "empty").mkdir()
    (outputs / "link").symlink_to(outputs / "a")
    (outputs / "model").mkdir()
    (outputs / "model" / "config.json").write_text("{}")
    board = make_board(outputs)
    assert set(board.look()) == {"a", "b", "c"}
    told = board.left_out()
    assert told[str(outputs / "empty")] == "not a run directory"
    assert told[str(outputs / "link")] == "a link, which is not followed"
    assert told[str(outputs / "model")].startswith("not a run directory: it has no run.json")


def test_folders_given_twice_or_inside_each_other_are_shown_once(outputs: Path, make_board: Make) -> None:
    link = outputs.parent / "link"
    link.symlink_to(outputs)
    relative = Path(os.path.relpath(outputs))
    for roots in ((outputs / "a", outputs, outputs), (link, outputs), (outputs, relative)):
        board = make_board(*roots)
        board.look()
        board.look()
        assert len(board.scanner.index.changes("")["runs"]) == 3


def test_a_job_that_begins_during_a_look_stays_in_sight(
    tmp_path: Path, make_board: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = tmp_path / "s"
    sweep.mkdir()
    (sweep / "plan.json").write_text(json.dumps({"jobs": [{"path": "seed=0-00000000", "run_id": "00000000"}]}))
    board = make_board(tmp_path)
    assert board.states() == {"seed=0-00000000": "planned"}
    waiting = board.scanner._sweeps.waiting

    def begin(*given: Any) -> list[Path]:
        if not (sweep / "seed=0-00000000").exists():
            fake_run.build(sweep / "seed=0-00000000", **SMALL)
        return waiting(*given)

    monkeypatch.setattr(board.scanner._sweeps, "waiting", begin)
    assert board.states() == {"seed=0-00000000": "planned"}
    assert board.states() == {"seed=0-00000000": "completed"}


def test_what_lies_too_deep_is_not_looked_at(outputs: Path, make_board: Make) -> None:
    deep = outputs / "x" / "y" / "z"
    fake_run.build(deep / "run", **SMALL)
    (deep / "plan.json").write_text(json.dumps({"jobs": [{"path": "seed=0-00000000", "run_id": "00000000"}]}))
    assert sorted(make_board(outputs).look()) == ["a", "b", "c"]
    assert sorted(make_board(outputs / "x").look()) == ["run", "seed=0-00000000"]


def test_nothing_is_written(outputs: Path, make_board: Make) -> None:
    change(outputs / "b", state="running", heartbeat=utc_now().isoformat(), **this_process())
    assert (outputs / "a" / LOCK).exists()
    before = digest(outputs)
    board = make_board(outputs)
    rows = board.look()
    board.look()
    for row in rows.values():
        assert board.send(f"/api/curves?run={row['id']}").status_code == 200
    assert digest(outputs) == before
