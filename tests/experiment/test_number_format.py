"""A run's number format: what `auto` is, its place in the identity, and that a run goes on as it was begun."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import torch

from qaexp.commands.composed import Asked
from qaexp.config.schema import ExperimentConfig
from qaexp.errors import ConfigError, Stopped
from qaexp.experiment.number_format import settled
from qaexp.runs.readers.collect import read_run
from qaexp.runs.writing.resumption import Begun
from qaexp.training import loop
from tests.fixtures import drill, tiny_run
from tests.fixtures.processors import AMD, INTEL, OLD

WORDS = (
    *tiny_run.MODEL,
    "trainer.precision=auto",
    "data.train_size=12",
    "data.dev_size=8",
    "trainer.epochs=2",
    "trainer.checkpoint_every=1",
    "threads=1",
)


def config_of(*words: str) -> ExperimentConfig:
    lines = [*WORDS, *words]
    return Asked(lines, lines, lines).checked().config


def told(run: Path) -> tuple[str, str]:
    """The format of a run by its config.json, and by its env.json."""
    config, environment = (tiny_run.read_json(run / name) for name in ("config.json", "env.json"))
    return config["trainer"]["precision"], environment["device"]["precision"]


def stopped(folder: Path, name: str, *words: str) -> Path:
    """A run that was asked to stop after its second step."""
    take_step, taken = loop.take_step, []

    def take_two(*args: object, **keywords: object) -> None:
        if len(taken) == 2:
            raise Stopped(signal.SIGTERM)
        taken.append(take_step(*args, **keywords))  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "take_step", take_two)
        done = tiny_run.call(folder, "train", f"name={name}", *WORDS, *words)
    assert done.code == 75, done.err
    return folder / "outputs" / name


def test_auto_stays_in_the_identity_where_it_is_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    INTEL.stand_in(monkeypatch)
    found = settled(config_of())
    assert (found.config.trainer.precision, found.computed.trainer.precision, found.format) == ("auto", "fp32", "fp32")
    AMD.stand_in(monkeypatch)
    found = settled(config_of())
    assert (found.config.trainer.precision, found.computed.trainer.precision, found.format) == ("bf16", "bf16", "bf16")
    typed = settled(config_of("trainer.precision=fp32"))
    assert (typed.config.trainer.precision, typed.format) == ("fp32", "fp32")


def test_what_was_begun_in_a_format_that_is_not_here_is_refused_with_both_names() -> None:
    begun = Begun("fp16", "fp16", "cuda:0")
    with pytest.raises(ConfigError, match=r"begun in fp16 on cuda:0, and cpu computes in fp32 or bf16; go on where"):
        settled(config_of(), begun)


def test_a_run_that_began_in_fp16_is_refused_on_a_cpu(tmp_path: Path) -> None:
    run = stopped(tmp_path, "half")
    environment = tiny_run.read_json(run / "env.json")
    environment["device"] |= {"device": "cuda", "precision": "fp16"}
    (run / "env.json").write_text(json.dumps(environment))
    config = tiny_run.read_json(run / "config.json")
    config["trainer"] |= {"device": "auto", "precision": "fp16"}
    (run / "config.json").write_text(json.dumps(config))
    if torch.cuda.is_available():
        pytest.skip("needs a machine without a GPU: set CUDA_VISIBLE_DEVICES= to try it")
    done = tiny_run.call(tmp_path, "resume", str(run))
    assert (done.code, "begun in fp16 on cuda, and cpu computes in fp32 or bf16" in done.err) == (2, True), done.err


@pytest.mark.thorough
def test_completed_runs_of_two_formats_are_not_taken_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    INTEL.stand_in(monkeypatch)
    slow = tiny_run.train(tmp_path, "a", *WORDS)
    assert told(slow) == ("auto", "fp32")
    before = tiny_run.snapshot(slow)
    AMD.stand_in(monkeypatch)
    done = tiny_run.call(tmp_path, "train", "name=a", *WORDS)
    assert done.code == 2
    assert "holds another run: trainer.precision was 'auto (fp32)', now 'bf16'; take another name=" in done.err
    assert tiny_run.call(tmp_path, "train", "name=a", *WORDS, "sweep.dry_run=true").code == 2
    fast = tiny_run.train(tmp_path, "b", *WORDS)
    assert told(fast) == ("bf16", "bf16")
    ids = [tiny_run.read_json(run / "run.json")["run_id"] for run in (slow, fast)]
    assert ids[0] != ids[1]
    # Resume names the run, not the format: both are shown, and neither is touched.
    for processor in (AMD, INTEL):
        processor.stand_in(monkeypatch)
        for run in (slow, fast):
            shown = tiny_run.call(tmp_path, "resume", str(run))
            assert (shown.code, "already completed" in shown.out) == (0, True), shown.err
    assert tiny_run.snapshot(slow) == before
    done = tiny_run.call(tmp_path, "train", "name=b", *WORDS)
    assert (done.code, "trainer.precision was 'bf16', now 'auto (fp32)'" in done.err) == (2, True), done.err
    # What `auto` was is the same run as what is typed.
    typed = tiny_run.call(tmp_path, "train", "name=b", *WORDS, "trainer.precision=bf16")
    assert (typed.code, "already completed" in typed.out) == (0, True), typed.err
    again = tiny_run.call(tmp_path, "reproduce", str(fast), "--to", "again")
    assert (again.code, told(tmp_path / "again")) == (0, ("bf16", "bf16")), again.out
    compared = tiny_run.call(tmp_path, "compare", "outputs/a", "outputs/b")
    assert "device.precision" in compared.out
    assert [read_run(run).config["trainer"]["precision"] for run in (slow, fast)] == ["auto", "bf16"]


@pytest.mark.parametrize(
    ("how", "first", "then", "words"),
    [
        ("resume", AMD, OLD, ("bf16", "bf16")),
        ("train", INTEL, AMD, ("auto", "fp32")),
        pytest.param("train", AMD, OLD, ("bf16", "bf16"), marks=pytest.mark.thorough),
        pytest.param("resume", INTEL, AMD, ("auto", "fp32"), marks=pytest.mark.thorough),
    ],
)
def test_a_run_goes_on_in_the_format_that_it_was_begun_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, first, then, words
) -> None:
    first.stand_in(monkeypatch)
    alone = tiny_run.train(tmp_path, "alone", *WORDS)
    run = stopped(tmp_path, "two")
    run_id = tiny_run.read_json(run / "run.json")["run_id"]
    then.stand_in(monkeypatch)
    command = ("resume", str(run)) if how == "resume" else ("train", "name=two", *WORDS)
    done = tiny_run.call(tmp_path, *command)
    assert done.code == 0, done.err
    assert "goes on after step 2 of 4\n" in done.out
    assert told(run) == words == told(alone)
    assert tiny_run.read_json(run / "run.json")["run_id"] == run_id
    assert tiny_run.read_json(run / "run.json").get("drift") in (None, [])
    assert done.out.count("bf16 may be slow here: this CPU emulates it, ") == (then is OLD)
    assert drill.fingerprints(run) == drill.fingerprints(alone)


def test_another_format_that_is_typed_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    AMD.stand_in(monkeypatch)
    stopped(tmp_path, "two")
    done = tiny_run.call(tmp_path, "train", "name=two", *WORDS, "trainer.precision=fp32")
    assert (done.code, "trainer.precision was 'bf16', now 'fp32'" in done.err) == (2, True), done.err


def test_a_run_that_went_on_in_another_format_is_found_by_its_own_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AMD.stand_in(monkeypatch)
    run = stopped(tmp_path, "two")
    command = ("train", "name=two", *WORDS, "trainer.precision=fp32", "trainer.allow_drift=true")
    done = tiny_run.call(tmp_path, *command)
    assert (done.code, told(run)) == (0, ("fp32", "fp32")), done.err
    changed = {entry["key"] for entry in tiny_run.read_json(run / "run.json")["drift"]}
    assert {"trainer.precision", "trainer.attention", "device.precision"} <= changed
    again = tiny_run.call(tmp_path, *command)
    assert (again.code, "already completed" in again.out) == (0, True), again.err


def test_a_limit_on_instructions_is_no_silent_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped(tmp_path, "two")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    done = tiny_run.call(tmp_path, "resume", str(run))
    assert (done.code, "machine.cpu_limits.ONEDNN_MAX_CPU_ISA was null, now 'AVX2'" in done.err) == (2, True), done.err


def test_a_run_of_before_that_says_auto_on_a_gpu_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There `auto` was bf16 and stood in the identity."""
    INTEL.stand_in(monkeypatch)
    run = stopped(tmp_path, "old")
    environment = tiny_run.read_json(run / "env.json")
    environment["device"]["precision"] = "bf16"
    (run / "env.json").write_text(json.dumps(environment))
    done = tiny_run.call(tmp_path, "resume", str(run))
    assert (done.code, told(run)) == (0, ("auto", "bf16")), done.err
