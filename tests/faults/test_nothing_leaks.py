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
from urllib.parse import quote

import pytest
import yaml

from tests import REPOSITORY
from tests.fixtures import talkative, tiny_run

LONG = " ".join(f"{{core}}-word-{number}" for number in range(20))
FORMS = {
    "plain": "{core}",
    "lines": "first-{core}\nsecond-{core}\n\nthird-{core}\n",
    "folded": LONG,
    "quotes": "{core}'it is\"{core}\"\\{core}",
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
    quoted = canaries.add("quoted", "spaces")
    shell = canaries.values["LINES_MY_SECRET"].replace("\n", " ")
    return [
        f"+hydra.job.env_set.CLI='{canaries.add('cli env_set', 'spaces')}'",
        f"+trackers.mine.cli_token='{quoted}'",
        f"+trackers.mine.flow={{n: 1, pass: '{canaries.add('flow', 'spaces')}', gh_pat: {canaries.add('pat', 'plain')}}}",
        f"+trackers.mine.expanded='{shell}'",
        "+trackers.mine.typed=${oc.env:FOLDED_GH_PAT}",
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
    words = ["--config-dir", folder, "experiment=own", *tiny_run.DEMO, "reporter=plots", *_words(canaries)]
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
