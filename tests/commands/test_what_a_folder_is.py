"""What is wrong with a folder, walked through every command: one state word, no contradiction, the right exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from qaexp.config.schema import ExperimentConfig
from qaexp.runs.owners import utc_now
from qaexp.runs.readers.folder import look
from qaexp.sweeps.job import Job
from qaexp.sweeps.plan import make_plan
from qaexp.sweeps.sweep_files import write_results
from tests.fixtures import tiny_run

WORDS = (*tiny_run.MODEL, "data.train_size=8", "data.dev_size=4", "trainer.epochs=1", "threads=1")
OK, USAGE, BUSY, INTEGRITY = 0, 2, 4, 8


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, another one of the same command but its seed, and one whose checkpoints are kept."""
    folder = tmp_path_factory.mktemp("folders")
    tiny_run.train(folder, "one", *WORDS)
    tiny_run.train(folder, "other", *WORDS, "seed=5")
    tiny_run.train(folder, "kept", *WORDS, "trainer.keep_checkpoints=true")
    return folder / "outputs"


Harm = Callable[[Path, Path], object]
"""Done to a run directory; the second folder holds the runs that nothing was done to."""


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**tiny_run.read_json(path), **changes}))


def lose(*names: str) -> Harm:
    def harm(run: Path, _: Path) -> None:
        for name in names:
            (shutil.rmtree if (run / name).is_dir() else Path.unlink)(run / name)

    return harm


def spoil(name: str, content: bytes) -> Harm:
    return lambda run, _: (run / name).write_bytes(content)


def cut(name: str) -> Harm:
    return lambda run, _: (run / name).write_bytes((run / name).read_bytes()[:-40])


def as_folder(name: str) -> Harm:
    def harm(run: Path, _: Path) -> None:
        (run / name).unlink()
        (run / name).mkdir()

    return harm


def change(name: str, **changes: Any) -> Harm:
    return lambda run, _: edit(run / name, **changes)


def in_turn(*harms: Harm) -> Harm:
    def harm(run: Path, originals: Path) -> None:
        for one in harms:
            one(run, originals)

    return harm


def stopped(state: str, **changes: Any) -> Harm:
    """As an attempt leaves the folder that was ended before it wrote its results."""
    harm = lose("summary.json", "MANIFEST.json", "model", "logits.safetensors", "scores.csv", "predictions.jsonl")
    return in_turn(harm, change("run.json", state=state, **changes))


def running(run: Path, originals: Path) -> None:
    now = utc_now().isoformat(timespec="seconds")
    stopped("running", heartbeat=now, host="elsewhere", boot_id="x", pid=1)(run, originals)


def empty(run: Path, _: Path) -> None:
    shutil.rmtree(run)
    run.mkdir()


def only_plan(run: Path, originals: Path) -> None:
    empty(run, originals)
    (run / "plan.json").write_text('{"jobs": []}')


class Case(NamedTuple):
    """A harm, and what each command says: the state, the exit codes, a word that status and compare must tell."""

    harm: Harm
    state: str
    verify: int
    resume: int
    train: int
    word: str = ""


NOTHING = lose()
CASES: dict[str, Case] = {
    "nothing": Case(NOTHING, "completed", OK, OK, OK),
    "summary lost": Case(lose("summary.json"), "unfinished end", INTEGRITY, OK, OK, "summary.json is missing"),
    "summary and manifest lost": Case(
        lose("summary.json", "MANIFEST.json"), "unfinished end", INTEGRITY, OK, OK, "summary.json is missing"
    ),
    "summary empty": Case(spoil("summary.json", b""), "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "summary.json"),
    "summary cut": Case(cut("summary.json"), "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "summary.json"),
    "summary a list": Case(spoil("summary.json", b"[]"), "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "summary.json"),
    "summary a folder": Case(as_folder("summary.json"), "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "summary.json"),
    "summary of another manifest": Case(
        change("summary.json", manifest_sha256="0" * 64), "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "not the one"
    ),
    "summary of another run": Case(
        lambda run, originals: shutil.copy(originals / "other" / "summary.json", run),
        "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "not the one",
    ),
    "summary of another run in a stopped one": Case(
        in_turn(stopped("failed"), lambda run, originals: shutil.copy(originals / "other/summary.json", run)),
        "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "not the one",
    ),
    "summary edited": Case(change("summary.json", f1=99.5), "completed", INTEGRITY, OK, OK, "summary.json"),
    "manifest lost": Case(lose("MANIFEST.json"), "completed", INTEGRITY, OK, OK, "MANIFEST.json"),
    "manifest changed": Case(change("MANIFEST.json", more=1), "completed", INTEGRITY, OK, OK, "MANIFEST.json"),
    "manifest not JSON": Case(spoil("MANIFEST.json", b"{"), "completed", INTEGRITY, OK, OK, "MANIFEST.json"),
    "manifest without files": Case(
        spoil("MANIFEST.json", b'{"files": {"a": 1}}'), "completed", INTEGRITY, OK, OK, "MANIFEST.json"
    ),
    "run.json lost": Case(lose("run.json"), "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "run.json"),
    "run.json not JSON": Case(spoil("run.json", b"{"), "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "run.json"),
    "run.json of an earlier moment": Case(
        change("run.json", state="running", summary_sha256=None), "completed", INTEGRITY, OK, OK, "run.json"
    ),
    "run.json that does not know the summary": Case(
        change("run.json", summary_sha256=None), "completed", INTEGRITY, OK, OK, "summary.json"
    ),
    "run.json of no known state": Case(
        in_turn(lose("summary.json"), change("run.json", state="half")),
        "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "'half'",
    ),
    "run.json of a newer qaexp": Case(change("run.json", schema_version=99), "newer", USAGE, USAGE, USAGE, "upgrade"),
    "config lost": Case(lose("config.json"), "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "config.json"),
    "config not JSON": Case(spoil("config.json", b"{"), "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "config.json"),
    "copy without the model": Case(lose("model"), "completed", INTEGRITY, OK, OK, "a copy without model/"),
    "copy without the weights": Case(
        lose("model/model.safetensors"), "completed", INTEGRITY, OK, OK, "a copy without model/model.safetensors"
    ),
    "copy without the model and the logits": Case(
        lose("model", "logits.safetensors"), "completed", INTEGRITY, OK, OK, "logits.safetensors, model/"
    ),
    "copy without env.json": Case(lose("env.json"), "completed", INTEGRITY, OK, OK, "a copy without env.json"),
    "a file more in the model": Case(spoil("model/pytorch_model.bin", b"x"), "completed", INTEGRITY, OK, OK),
    "a file changed": Case(cut("history.csv"), "completed", INTEGRITY, OK, OK),
    "stopped in its training": Case(stopped("failed"), "failed", OK, OK, OK, "starts over"),
    "preempted": Case(stopped("preempted"), "preempted", OK, OK, OK, "starts over"),
    "killed": Case(stopped("running", pid=2**22 + 1), "killed", OK, OK, OK, "starts over"),
    "killed before its config was stored": Case(
        in_turn(stopped("running", pid=2**22 + 1), lose("config.json")), "killed", OK, USAGE, OK, "given again"
    ),
    "killed, and its config spoilt": Case(
        in_turn(stopped("running", pid=2**22 + 1), spoil("config.json", b"{")),
        "killed", INTEGRITY, INTEGRITY, OK, "given again",
    ),
    "stopped, and its run.json lost": Case(
        in_turn(stopped("failed"), lose("run.json")), "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "run.json"
    ),
    "run.json and config lost": Case(
        lose("run.json", "config.json"), "damaged", INTEGRITY, INTEGRITY, INTEGRITY, "run.json"
    ),
    "killed after its manifest": Case(
        in_turn(lose("summary.json"), change("run.json", state="running", pid=2**22 + 1)), "killed", OK, OK, OK
    ),
    "running": Case(running, "running", OK, BUSY, BUSY, "works in it"),
    "empty": Case(empty, "not a run", USAGE, USAGE, OK),
    "a sweep": Case(only_plan, "sweep", USAGE, INTEGRITY, USAGE),
}  # fmt: skip
COMPARED = "completed"


def harmed(originals: Path, tmp_path: Path, case: Case) -> Path:
    run = Path(shutil.copytree(originals / "one", tmp_path / "outputs" / "one"))
    case.harm(run, originals)
    return run


@pytest.mark.case("summary_lost")
@pytest.mark.parametrize("name", CASES)
def test_readers_agree(originals: Path, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    run = harmed(originals, tmp_path, case)
    before = tiny_run.snapshot(run)
    assert look(run).state == case.state
    status = json.loads(tiny_run.call(tmp_path, "status", "outputs", "--json").out)
    told = {row["state"]: str(row.get("about", row.get("reason"))) for row in (*status["runs"], *status["skipped"])}
    if case.state not in ("sweep", "not a run"):
        assert list(told) == [case.state]
        assert case.word in told[case.state]
    table = tiny_run.call(tmp_path, "status", "outputs").out
    assert case.word in table

    verified = tiny_run.call(tmp_path, "verify", str(run))
    assert verified.code == case.verify, verified
    assert " 0 files" not in verified.out
    if verified.out:
        assert (": all " in verified.out) == (case.state == COMPARED and case.verify == OK)

    compared = json.loads(tiny_run.call(tmp_path, "compare", "outputs", "--json").out)
    assert [one["name"] for one in compared["runs"]] == (
        [] if case.state != COMPARED else compared["runs"][:1] and ["one"]
    )
    if case.state != COMPARED:
        ((reason),) = [row["reason"] for row in compared["skipped"]]
        assert case.word in reason
        assert "completed" not in reason.replace("not completed", "").replace("says completed", "")
    assert tiny_run.snapshot(run) == before


@pytest.mark.parametrize("name", CASES)
def test_commands_that_need_a_completed_run_agree(originals: Path, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    run = harmed(originals, tmp_path, case)
    before = tiny_run.snapshot(run)
    refusal = {"damaged": INTEGRITY}.get(case.state, USAGE)
    for words in (("rescore", str(run)), ("reproduce", str(run)), ("answer", str(run), "-q", "Who?", "-c", "A man.")):
        if case.state == COMPARED:
            continue
        done = tiny_run.call(tmp_path, *words)
        assert done.code == refusal, (words, done)
        assert case.word in done.err
    assert tiny_run.snapshot(run) == before


@pytest.mark.parametrize("command", ["resume", "train"])
@pytest.mark.parametrize("name", CASES)
def test_what_goes_on_does_so(originals: Path, tmp_path: Path, name: str, command: str) -> None:
    case = CASES[name]
    run = harmed(originals, tmp_path, case)
    before = tiny_run.snapshot(run)
    words = ("resume", str(run)) if command == "resume" else ("train", "name=one", *WORDS)
    done = tiny_run.call(tmp_path, *words)
    expected = case.resume if command == "resume" else case.train
    assert done.code == expected, done
    assert "Traceback" not in done.err
    if expected == OK:
        assert look(run).state == "completed"
    if expected != OK or case.state == "completed":
        after = tiny_run.snapshot(run)
        assert {path: entry for path, entry in after.items() if path != ".lock"} == {
            path: entry for path, entry in before.items() if path != ".lock"
        }
    else:
        assert tiny_run.call(tmp_path, "verify", str(run)).code == OK
    if expected == OK and case.state == "completed" and case.word:
        assert case.word in done.out


@pytest.mark.parametrize("name", CASES)
def test_a_sweep_that_has_such_a_job_agrees(originals: Path, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    run = harmed(originals, tmp_path, case)
    job = Job((), ("seed=0",), ExperimentConfig(), sha256="0" * 64, directory=run)
    if case.state != "running":
        action = make_plan([job], run.parent).jobs[0].action
        expected = {"completed": "reuse", "not a run": "run", "sweep": "retry"}
        assert action == expected.get(case.state, "retry")
    (row,) = [row for row in write_results(run.parent, [job], {})[0] if row["is_planned"]]
    assert row["state"] == {"not a run": "planned"}.get(case.state, case.state)
    assert (row["summary"] is not None) == (case.state == "completed")


def test_checkpoints_that_are_still_there(originals: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(originals / "kept", tmp_path / "outputs" / "kept"))
    assert tiny_run.call(tmp_path, "verify", str(run)).code == OK
    (row,) = json.loads(tiny_run.call(tmp_path, "status", "outputs", "--json").out)["runs"]
    assert (row["state"], row["checkpoint_step"]) == ("completed", row["step"])
    # Killed between the last two writes: it goes on after its last step.
    (run / "summary.json").unlink()
    (row,) = json.loads(tiny_run.call(tmp_path, "status", "outputs", "--json").out)["runs"]
    assert (row["state"], row["is_resumable"]) == ("unfinished end", True)
    assert f"qaexp resume outputs/kept goes on after step {row['step']}" in row["about"]
    done = tiny_run.call(tmp_path, "resume", "outputs/kept")
    assert done.code == OK, done.err
    assert tiny_run.read_json(run / "run.json")["resumed_step"] == row["step"]
    assert tiny_run.call(tmp_path, "verify", str(run)).code == OK
    # None is whole: what is said is what happens, and what is advised works.
    (run / "summary.json").unlink()
    for weights in run.glob("checkpoints/*/model.safetensors"):
        weights.write_bytes(b"cut")
    (row,) = json.loads(tiny_run.call(tmp_path, "status", "outputs", "--json").out)["runs"]
    way_out = "move outputs/kept/checkpoints away (its only checkpoint is not whole), and qaexp resume outputs/kept "
    assert f"{way_out}starts over" in row["about"]
    assert row["checkpoint_step"] is None
    assert tiny_run.call(tmp_path, "resume", "outputs/kept").code == INTEGRITY
    shutil.move(run / "checkpoints", tmp_path / "away")
    done = tiny_run.call(tmp_path, "resume", "outputs/kept")
    assert done.code == OK, done.err


@pytest.mark.parametrize(
    "words",
    [
        ("reproduce", "LINK"),
        ("verify", "LINK"),
        ("resume", "LINK"),
        ("plot", "LINK"),
        ("rescore", "LINK"),
        ("answer", "LINK", "-q", "a", "-c", "b"),
    ],
)
def test_a_link_to_itself_is_refused_in_one_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "LINK").symlink_to("LINK")
    done = tiny_run.call(tmp_path, *words)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "LINK" in done.err


@pytest.mark.parametrize("words", [("status", "LINK"), ("compare", "LINK")])
def test_a_link_to_itself_is_passed_over(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "LINK").symlink_to("LINK")
    done = tiny_run.call(tmp_path, *words)
    assert (done.code, "Too many levels of symbolic links" in done.out + done.err) == (0, True)
