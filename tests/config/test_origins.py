"""What came from the environment is found by whatever way it came, and told by its expression."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import pytest
from omegaconf import OmegaConf

from qaexp.config.compose import compose_config, to_config
from qaexp.config.hydra_files import task_words
from qaexp.config.origins import Origin, find_origins
from qaexp.storage.origins import is_stored_expression, read_back, shown_values, with_origins


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ROOT": "/data/squad",
        "DB_PASS": "hunter2hunter2",
        "SIZE": "5",
        "LIST": "[a, b]",
        "TREE": "{user: me, port: 1}",
        "WHICH": "one",
        "SUBSET": "first",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("typed", "expression", "variables"),
    [
        ("${oc.env:ROOT}", "${oc.env:ROOT}", ("ROOT",)),
        ("${oc.env:ROOT}/a.json", "${oc.env:ROOT}/a.json", ("ROOT",)),
        ("${oc.env:ROOT,/else}", "${oc.env:ROOT}", ("ROOT",)),
        ("${oc.env:NOT_SET,${oc.env:ROOT}}", "${oc.env:ROOT}", ("ROOT",)),
        ("${trackers.x.root}/b", "${oc.env:ROOT}/b", ("ROOT",)),
        ("${oc.select:trackers.x.root}", "${oc.env:ROOT}", ("ROOT",)),
        ("${trackers.x.${oc.env:WHICH}}", "${trackers.x.${oc.env:WHICH}}", ("WHICH",)),
        ("${oc.env:${oc.env:NAMED,ROOT}}", "${oc.env:ROOT}", ("ROOT",)),
        ("${oc.decode:${oc.env:LIST}}", "${oc.decode:${oc.env:LIST}}", ("LIST",)),
        ("${oc.create:${oc.decode:${oc.env:TREE}}}", "${oc.create:${oc.decode:${oc.env:TREE}}}", ("TREE",)),
        ("${oc.env:ROOT}:${oc.env:DB_PASS}", "${oc.env:ROOT}:${oc.env:DB_PASS}", ("DB_PASS", "ROOT")),
    ],
)
def test_each_way_is_found(typed: str, expression: str, variables: tuple[str, ...]) -> None:
    words = ["+trackers.x.root=${oc.env:ROOT}", "+trackers.x.one=fixed", f"+trackers.x.value='{typed}'"]
    found = find_origins(compose_config(words))
    assert found[("trackers", "x", "value")] == Origin(expression, variables)
    assert set(found) == {("trackers", "x", "value"), ("trackers", "x", "root")}


def test_what_is_told_of_which_value() -> None:
    composed = compose_config(
        [
            "data=json",
            "data.train_file=${oc.env:ROOT}/a.json",
            "data.dev_file=${oc.env:DB_PASS}",
            "data.train_size=${oc.env:SIZE}",
            "data.subset=${oc.env:SUBSET}",
            "model.checkpoint=${oc.env:ROOT}/model",
            "data.revision=${oc.env:DB_PASS}",
            "+optimizer.odd='${oc.decode:${oc.env:TREE}}'",
            "+trackers.x='${oc.decode:${oc.env:TREE}}'",
            "probes=[{question: 'Is \\${oc.env:ROOT} there?', context: '${oc.env:NOT_SET,no}'}]",
        ]
    )
    origins = find_origins(composed)
    tree = asdict(to_config(composed))
    told = with_origins(tree, origins, {"data.train_file", "data.dev_file", "trackers", "model.checkpoint"})
    assert told["data"]["train_file"] == f"${{oc.env:ROOT}}/a.json#sha256={sha('/data/squad/a.json')}"
    assert told["data"]["dev_file"] == "${oc.env:DB_PASS}#<redacted>"
    assert told["data"]["revision"] == f"${{oc.env:DB_PASS}}#sha256={sha('hunter2hunter2')}"
    assert (told["data"]["train_size"], told["data"]["subset"]) == (5, "first")
    assert told["model"]["checkpoint"] == f"${{oc.env:ROOT}}/model#sha256={sha('/data/squad/model')}"
    assert told["optimizer"]["odd"] == {"user": f"${{oc.decode:${{oc.env:TREE}}}}#sha256={sha('me')}", "port": 1}
    assert told["trackers"]["x"] == "${oc.decode:${oc.env:TREE}}#<redacted>"
    assert told["probes"] == tree["probes"]
    shown = shown_values(tree, origins, {"ROOT": "/data/squad"})
    assert shown["/data/squad/a.json"] == "${oc.env:ROOT}/a.json"


def test_only_the_same_value_is_read_back() -> None:
    stored = f"${{oc.env:A}}/x#sha256={sha('/data/x')}"
    assert is_stored_expression(stored)
    assert read_back(stored, {"A": "/data"}) == "/data/x"
    assert read_back(stored, {"A": "/other"}) is None
    assert read_back(stored, {}) is None
    assert read_back("${oc.env:A}#<redacted>", {"A": "/data"}) is None
    # Nothing but a variable is looked up.
    assert read_back(f"${{seed}}#sha256={sha('0')}", {"seed": "0"}) is None
    for literal in ("${oc.env:A}", "a#sha256=0123456789abcdef", "${oc.env:A}#sha256=0123"):
        assert not is_stored_expression(literal)


def test_override_lines_are_kept_as_typed() -> None:
    words = ["data.train_file=${oc.env:ROOT}/a.json", "name=1"]
    assert task_words(OmegaConf.create({"overrides": {"task": words}})) == tuple(words)


def test_numbers_in_trackers_have_no_hash() -> None:
    config, origins = {"trackers": {"x": {"port": "8080"}}}, {("trackers", "x", "port"): ("${oc.env:PORT}", ("PORT",))}
    assert with_origins(config, origins, {"trackers"}) == {"trackers": {"x": {"port": "${oc.env:PORT}#<redacted>"}}}


def sha(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:16]
