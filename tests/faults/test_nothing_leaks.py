"""Canaries in many forms, by every way into a run and a sweep: no byte of what is left behind holds one."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fixtures import talkative, tiny_run

pytestmark = pytest.mark.fault("G1")

LONG = " ".join(f"{{core}}-word-{number}" for number in range(20))
FORMS = {
    "plain": "{core}",
    "lines": "first-{core}\nsecond-{core}\n\nthird-{core}\n",
    "folded": LONG,
    "quotes": '{core}\'it is"{core}"\\{core}',
    "json": '{{"user": "somebody", "private_key": "-----BEGIN-{core}\\n{core}-inside\\n-----"}}',
    "unicode": "{core}-g\u00fc\u00df\u4e2d",
    "url": "https://me:{core}@host.example/x?token={core}",
    "spaces": "{core} and, more: {core} #1",
}
SECRET_NAMES = ("DB_PASS", "GH_PAT", "SLACK_WEBHOOK", "OPENAI_KEY", "MY_SECRET", "PGPASSWORD", "appToken")
OPEN_NAMES = ("PLAIN_NAME", "SITE")
OWN_KEYS = ("db_pass", "apiKey", "slack_webhook_url", "openai_key", "session_cookie", "password")


class Canaries:
    """Texts that stand nowhere else, and the search for them."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def add(self, where: str, form: str) -> str:
        """Make a text of a form for a place."""
        core = f"Zq{len(self.values):03d}kY7cAnAry"
        self.values[where] = value = FORMS[form].format(core=core)
        return value

    def found_in(self, data: bytes) -> list[str]:
        """The places whose text stands in some bytes, as it is or encoded."""
        return [where for where, value in self.values.items() if any(form in data for form in _searched(value))]


def _searched(value: str) -> Iterator[bytes]:
    start = value.index("Zq")
    core = value[start : start + 14]
    assert core.endswith("cAnAry"), core
    # It is made of letters and digits, so that JSON, URLs, shells and pages write it as it is.
    yield core.encode()
    yield base64.b64encode(value.encode()).rstrip(b"=")
    yield core.encode("utf-16-le")


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        yield f"path {relative}", relative.encode()
        if path.is_file():
            yield relative, path.read_bytes()


def _assert_none(canaries: Canaries, folder: Path, *outputs: str) -> None:
    told = {"terminal": "\n".join(outputs).encode(), **dict(_files(folder))}
    assert {name: found for name, data in told.items() if (found := canaries.found_in(data))} == {}


def _write_config(folder: Path, tree: Mapping[str, Any]) -> str:
    (folder / "mine" / "experiment").mkdir(parents=True)
    text = "# @package _global_\n" + yaml.safe_dump(tree, allow_unicode=True)
    (folder / "mine" / "experiment" / "own.yaml").write_text(text)
    return str(folder / "mine")


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> Canaries:
    """The variables of the environment, each name in each form."""
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", talkative.ALLOW)
    made = Canaries()
    for name in (*SECRET_NAMES, *OPEN_NAMES):
        for form in FORMS:
            monkeypatch.setenv(f"{form.upper()}_{name}", made.add(f"{form.upper()}_{name}", form))
    return made


def _settings(canaries: Canaries) -> dict[str, Any]:
    """The keys of an open node: from the environment by four ways, and the user's own."""
    variables = [name for name in canaries.values if name in os.environ]
    return {
        **{f"v{number}": f"${{oc.env:{name}}}" for number, name in enumerate(variables)},
        **{f"in{number}": f"at {name}: ${{oc.env:{name}}}." for number, name in enumerate(variables[::5])},
        "other": "${.v3}",
        "decoded": "${oc.decode:\"'${oc.env:PLAIN_DB_PASS}'\"}",
        "nested": {"auth": {"inner": canaries.add("nested", "spaces"), "list": [canaries.add("list", "lines")]}},
        **{f"{form}_{key}": canaries.add(f"{form}_{key}", form) for key in OWN_KEYS for form in FORMS},
        "endpoint": canaries.add("endpoint", "url"),
    }


def _words(canaries: Canaries) -> list[str]:
    quoted, flow = canaries.add("quoted", "spaces"), canaries.add("flow", "spaces")
    shell = canaries.values["LINES_MY_SECRET"].replace("\n", " ")
    return [
        f"+hydra.job.env_set.CLI='{canaries.add('cli env_set', 'spaces')}'",
        f"+trackers.mine.cli_token='{quoted}'",
        f"+trackers.mine.flow={{n: 1, pass: '{flow}', gh_pat: {canaries.add('pat', 'plain')}}}",
        f"+trackers.mine.expanded='{shell}'",
        "+trackers.mine.typed=${oc.env:FOLDED_GH_PAT}",
        "+trackers.mine.site=${oc.env:PLAIN_SITE}",
    ]


@pytest.mark.case("env_set_of_several_lines")
def test_a_run_holds_no_canary(tmp_path: Path, canaries: Canaries) -> None:
    folder = _write_config(
        tmp_path,
        {
            "hydra": {"job": {"env_set": {f"E{form}": canaries.add(f"env_set {form}", form) for form in FORMS}}},
            "trackers": {"mine": {"_target_": f"{talkative.ALLOW}Tracker", **_settings(canaries)}},
        },
    )
    assert len(canaries.values) >= 60
    words = [
        "--config-dir",
        folder,
        "experiment=own",
        *tiny_run.DEMO,
        "reporter=plots",
        "reporter.plots=false",
        *_words(canaries),
    ]
    done = tiny_run.call(tmp_path, "train", "name=held", *words)
    assert done.code == 0, done.err
    stored = tiny_run.read_json(tmp_path / "outputs" / "held" / "config.json")["trackers"]["mine"]
    assert stored["v0"] == "${oc.env:PLAIN_DB_PASS}#<redacted>"
    assert stored["flow"] == {"n": 1, "pass": "<redacted>", "gh_pat": "<redacted>"}
    assert "given up" in (tmp_path / "outputs" / "held" / "train.log").read_text()
    _assert_none(canaries, tmp_path / "outputs", done.out, done.err)
    again = tiny_run.call(tmp_path, "resume", "outputs/held")
    assert (again.code, "trackers.mine.v0" in again.err, "give the command" in again.err) == (2, True, True)
    _assert_none(canaries, tmp_path / "outputs", again.out, again.err)


def test_a_run_that_fails_tells_no_canary(tmp_path: Path, canaries: Canaries) -> None:
    settings = {**_settings(canaries), "lr": 1e-3, "_target_": f"{talkative.ALLOW}Optimizer", "_partial_": True}
    for name in ("other", "nested"):  # what an optimizer cannot take
        settings.pop(name)
    folder = _write_config(tmp_path, {"optimizer": settings})
    words = ["--config-dir", folder, "experiment=own", *tiny_run.DEMO, "name=failed"]
    done = subprocess.run(
        [sys.executable, "-m", "qaexp", "train", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "LookupError" in done.stderr, "in step" in done.stderr) == (1, True, True), done.stderr
    record = tiny_run.read_json(tmp_path / "outputs" / "failed" / "run.json")
    assert record["error"]["message"].startswith("LookupError: {'weight_decay'")
    assert "Traceback" in (tmp_path / "outputs" / "failed" / "debug.log").read_text()
    _assert_none(canaries, tmp_path / "outputs", done.stdout, done.stderr)


def test_what_is_refused_is_told_without_canaries(tmp_path: Path, canaries: Canaries) -> None:
    shell = canaries.values["QUOTES_MY_SECRET"].replace("'", "")
    login = f"https://me:{canaries.add('login', 'plain')}@host.example/x?sig={canaries.add('sig', 'plain')}"
    for words in (
        ["model.checkpoint=${oc.env:LINES_DB_PASS}"],
        ["model.checkpoint=${oc.env:SPACES_PLAIN_NAME}"],
        [f"model.checkpoint='{login}'"],
        ["optimizer.lr=${oc.env:FOLDED_GH_PAT}", "seed=${data.revision}", "data.revision=${oc.env:URL_SITE}"],
        ["name=${oc.env:PLAIN_DB_PASS}"],
        ["hydra.run.dir=outputs/${oc.env:PLAIN_DB_PASS}"],
        ["-m", "hydra.sweep.dir=outputs/${oc.env:PLAIN_DB_PASS}", "seed=0,1"],
        [f"nothing_token={shell}", f"+other={shell}", f"optimizer.lr={shell}}}"],
        ["data=json", "data.train_file=${oc.env:UNICODE_OPENAI_KEY}.json", "data.dev_file=none.json"],
        ["-m", "model.checkpoint=${oc.env:JSON_DB_PASS},${oc.env:PLAIN_GH_PAT}"],
    ):
        done = tiny_run.call(tmp_path, "train", "name=refused", *tiny_run.DEMO, *words)
        assert done.code in (2, 3, 8), done.err
        _assert_none(canaries, tmp_path, done.out, done.err)


def test_a_sweep_holds_no_canary_and_goes_on(tmp_path: Path, canaries: Canaries, monkeypatch: Any) -> None:
    for split in ("train", "dev"):
        tiny_run.write_squad(tmp_path / f"{split}.json", 8, 4)
    monkeypatch.setenv("DATA", str(tmp_path))
    folder = _write_config(
        tmp_path, {"trackers": {"mine": {"_target_": f"{talkative.ALLOW}Tracker", "key": "${oc.env:PLAIN_SITE}"}}}
    )
    words = [*tiny_run.FILES, "data.train_file=${oc.env:DATA}/train.json", "data.dev_file=${oc.env:DATA}/dev.json"]
    swept = "+trackers.mine.choice='${oc.env:LINES_PLAIN_NAME}','${oc.env:SPACES_SITE}'"
    start = ["train", "-m", "name=s", "--config-dir", folder, "experiment=own", *words, "trainer.epochs=1", "seed=0,1"]
    done = tiny_run.call(tmp_path, *start, "reporter=plots", "reporter.plots=false")
    assert done.code == 0, done.err
    sweep = tmp_path / "multirun_outputs" / "s"
    plan = tiny_run.read_json(sweep / "plan.json")["jobs"][0]["config"]
    assert plan["data"]["train_file"].startswith("${oc.env:DATA}/train.json#sha256=")
    assert plan["trackers"]["mine"]["key"].startswith("${oc.env:PLAIN_SITE}#sha256=")
    job = next(path for path in sweep.glob("seed=1-*"))
    (job / "summary.json").unlink()
    more = tiny_run.call(tmp_path / "multirun_outputs", "resume", str(sweep))
    assert more.code == 0, more.err
    assert (job / "summary.json").exists()
    told = [done.out, done.err, more.out, more.err]
    for flags in (["--html", "c.html"], ["--json"], ["--csv", "c.csv"], ["--markdown"], ["--by", "seed"]):
        told += tiny_run.call(tmp_path, "compare", str(sweep), *flags)[1:]
    told += tiny_run.call(tmp_path, "train", "-m", "name=t", *start[3:-1], "sweep.dry_run=true", swept)[1:]
    for written in ("c.html", "c.csv"):
        told.append((tmp_path / written).read_text())
    _assert_none(canaries, tmp_path / "multirun_outputs", *told)


def test_a_stored_expression_is_read_back_only_where_it_gives_the_same_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split in ("train", "dev"):
        tiny_run.write_squad(tmp_path / f"{split}.json", 8, 4)
    monkeypatch.setenv("DATA", str(tmp_path))
    words = ("data.train_file=${oc.env:DATA}/train.json", "data.dev_file='${oc.env:DATA}/dev.json'")
    run = tiny_run.train(tmp_path, "a", *tiny_run.FILES, *words, "trainer.epochs=1")
    plain = tiny_run.train(
        tmp_path, "b", *tiny_run.FILES, *tiny_run.files_of(tmp_path / "train.json", tmp_path / "dev.json"),
        "trainer.epochs=1",
    )  # fmt: skip
    ids = [tiny_run.read_json(folder / "run.json")["run_id"] for folder in (run, plain)]
    assert ids[0] == ids[1], "the values make the identity"
    assert tiny_run.call(tmp_path, "resume", str(run)).code == 0
    again = tiny_run.call(tmp_path, "reproduce", str(run), "--to", "again")
    assert (again.code, "files that differ: none" in again.out) == (0, True), again.out + again.err
    monkeypatch.setenv("DATA", "/elsewhere")
    other = tiny_run.call(tmp_path, "resume", str(run))
    assert (other.code, "data.train_file" in other.err, "DATA" in other.err) == (2, True, True)
    assert "set it to what it was" in other.last_line
    monkeypatch.delenv("DATA")
    assert "is not set now" in tiny_run.call(tmp_path, "resume", str(run)).last_line


def test_a_stranger_s_expression_pulls_no_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tiny_run.train(tmp_path, "a", *tiny_run.DEMO, "trainer.epochs=0")
    monkeypatch.setenv("MINE", "Zq-of-the-user-own")
    config = tiny_run.read_json(run / "config.json")
    for text in (
        "${oc.env:MINE}#sha256=0123456789abcdef",
        "${oc.env:MINE}#<redacted>",
        "${oc.decode:${oc.env:MINE}}#sha256=0123456789abcdef",
        "${oc.env:MINE,${seed}}#sha256=0123456789abcdef",
    ):
        config["data"]["train_file"] = text
        (run / "config.json").write_text(json.dumps(config))
        done = tiny_run.call(tmp_path, "resume", str(run))
        assert (done.code, "data.train_file" in done.err, "MINE" in done.err) == (2, True, True), done.err
        assert "Zq-of-the-user" not in done.out + done.err
