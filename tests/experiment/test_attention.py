"""A run's attention: what `auto` is, its place in identity and files, and that a run goes on with its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qaexp.experiment.number_format import settled
from tests.experiment.test_number_format import WORDS, config_of, stopped
from tests.fixtures import drill, tiny_run
from tests.fixtures.processors import INTEL


@pytest.fixture(autouse=True)
def _intel(monkeypatch: pytest.MonkeyPatch) -> None:
    INTEL.stand_in(monkeypatch)


def told(run: Path) -> tuple[object, object]:
    """The attention of a run by its config.json, and by its env.json."""
    config, environment = (tiny_run.read_json(run / name) for name in ("config.json", "env.json"))
    return config["trainer"].get("attention"), environment["device"]["attention"]


def run_id(run: Path) -> str:
    return str(tiny_run.read_json(run / "run.json")["run_id"])


def without_attention(run: Path) -> None:
    """Make a run one of before there was a choice."""
    config, environment = (tiny_run.read_json(run / name) for name in ("config.json", "env.json"))
    config["trainer"].pop("attention", None)
    for key in ("attention", "attention_why"):
        environment["device"].pop(key, None)
    for name, content in (("config.json", config), ("env.json", environment)):
        (run / name).write_text(json.dumps(content))


def test_fp32_keeps_id_files_and_bytes_and_auto_has_its_own(tmp_path: Path) -> None:
    reference = tiny_run.train(tmp_path, "reference", *WORDS, "trainer.precision=fp32")
    plain = tiny_run.train(tmp_path, "plain", *WORDS, "trainer.attention=plain")
    auto = tiny_run.train(tmp_path, "auto", *WORDS)
    named = tiny_run.train(tmp_path, "named", *WORDS, "trainer.attention=unpadded")
    assert [told(run) for run in (reference, plain)] == [(None, "plain")] * 2
    assert [told(run) for run in (auto, named)] == [("unpadded", "unpadded")] * 2
    assert run_id(auto) == run_id(named)
    assert len({run_id(run) for run in (reference, plain, auto)}) == 3
    prints = [drill.fingerprints(run)["model/model.safetensors"] for run in (reference, plain, auto, named)]
    assert prints[0] == prints[1] != prints[2] == prints[3]
    why = tiny_run.read_json(reference / "env.json")["device"]["attention_why"]
    assert why == "fp32 keeps the bytes that it always gave"
    compared = tiny_run.call(tmp_path, "compare", "outputs/plain", "outputs/auto")
    assert "trainer.attention" in compared.out, compared.out


@pytest.mark.parametrize("how", ["resume", "train"])
def test_a_run_of_before_goes_on_with_plain_attention(tmp_path: Path, how: str) -> None:
    alone = tiny_run.train(tmp_path, "alone", *WORDS, "trainer.attention=plain")
    run = stopped(tmp_path, "old", "trainer.attention=plain")
    without_attention(run)
    command = ("resume", str(run)) if how == "resume" else ("train", "name=old", *WORDS)
    done = tiny_run.call(tmp_path, *command)
    assert (done.code, "goes on after step 2 of 4\n" in done.out) == (0, True), done.err
    assert told(run)[0] is None
    assert run_id(run) == run_id(alone)
    assert drill.fingerprints(run)["model/model.safetensors"] == drill.fingerprints(alone)["model/model.safetensors"]


def test_a_run_goes_on_unpadded_and_gives_the_same_bytes(tmp_path: Path) -> None:
    alone = tiny_run.train(tmp_path, "alone", *WORDS)
    run = stopped(tmp_path, "two")
    done = tiny_run.call(tmp_path, "train", "name=two", *WORDS)
    assert (done.code, "goes on after step 2 of 4\n" in done.out) == (0, True), done.err
    assert told(run) == ("unpadded", "unpadded")
    assert drill.fingerprints(run) == drill.fingerprints(alone)


def test_a_completed_run_of_before_is_not_taken_for_one_of_now(tmp_path: Path) -> None:
    tiny_run.train(tmp_path, "old", *WORDS, "trainer.attention=plain")
    done = tiny_run.call(tmp_path, "train", "name=old", *WORDS)
    assert (done.code, "trainer.attention was 'plain', now 'unpadded'" in done.err) == (2, True), done.err
    again = tiny_run.call(tmp_path, "train", "name=old", *WORDS, "trainer.attention=plain")
    assert (again.code, "already completed" in again.out) == (0, True), again.err


def test_a_model_that_cannot_is_said_in_env_json() -> None:
    found = settled(config_of("trainer.compile=true"))
    assert (found.attention.word, found.config.trainer.attention) == ("plain", "plain")
    assert found.attention.why == "it does not go with torch.compile"
