"""The table of sources: its rows are whole, all who ask read it, and a new row needs a reader and a YAML file only."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qaexp.config.conf import choices, conf_directory
from qaexp.config.schema import DataConfig
from qaexp.data.readers import reader_of
from qaexp.model import source as model_source
from qaexp.storage.model_places import PLACES, package_folder, place_of
from qaexp.storage.sources import FILES, SOURCES, data_name, full_name, source_problems
from tests import REPOSITORY
from tests.fixtures import tiny_run
from tests.house import PACKAGE, modules, tree

KEYS = {
    "dataset": "me/mine",
    "config_name": "plain",
    "revision": "3" * 40,
    "train_file": "a.json",
    "dev_file": "b.json",
}
NEW = "lines"
READER = """'''The source `lines`: texts of one question a line, with bars between context, question and answer.'''

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.data.files.shards import Shards, one_file


def identity(keys: Mapping[str, Any]) -> dict[str, str]:
    contents = [Path(keys[key]).read_bytes() for key in ("train_file", "dev_file")]
    return {"lines_sha256": hashlib.sha256(b"".join(contents)).hexdigest()}


def files(keys: Mapping[str, Any]) -> dict[str, Shards]:
    return {split: one_file(_converted(Path(keys[f"{split}_file"]))) for split in ("train", "dev")}


def _converted(path: Path) -> Path:
    rows = []
    for number, line in enumerate(path.read_text("utf-8").splitlines()):
        context, question, answer = line.split("|")
        answers = {"text": [answer], "answer_start": [context.index(answer)]}
        rows.append({"id": f"{path.stem}{number}", "context": context, "question": question, "answers": answers})
    target = path.with_suffix(".jsonl")
    target.write_text("".join(json.dumps(row) + "\\n" for row in rows), "utf-8")
    return target
"""
ROW = """    Source(
        "lines",
        "qaexp.data.lines_source",
        needs=("train_file", "dev_file"),
        named_by="train_file",
        where_missing="has no other examples; give the path of a text",
    ),
)
SOURCES:"""


@pytest.mark.parametrize("name", SOURCES)
def test_rows_are_whole(name: str) -> None:
    row, reader = SOURCES[name], reader_of(name)
    assert (row.name, callable(reader.identity), callable(reader.files)) == (name, True, True)
    assert set(row.needs) <= set(DataConfig.__dataclass_fields__)
    assert row.named_by is None or row.named_by in row.needs
    assert bool(row.needs) == bool(row.where_missing)
    assert row.chosen_by is None or row.chosen_by in choices([conf_directory()])["data"]
    given = {key: KEYS[key] for key in row.needs}
    assert list(source_problems(name, {**dict.fromkeys(KEYS), **given})) == []
    missing = list(source_problems(name, dict.fromkeys(KEYS)))
    assert {one.partition(" is not set, and data")[0] for one in missing} == {f"data.{key}" for key in row.needs}
    idle = list(source_problems(name, KEYS))
    assert {one.partition("=")[0] for one in idle} == {f"data.{key}" for key in KEYS if key not in row.needs}


def test_every_source_has_a_file_in_conf() -> None:
    texts = [path.read_text() for path in (conf_directory() / "data").glob("*.yaml")]
    assert {match[1] for text in texts if (match := re.search(r"^source: (\w+)", text, re.M))} == set(SOURCES)


def test_names_of_data() -> None:
    for data, full, short in (
        ({"source": "hub", "dataset": "a/b"}, "a/b", "b"),
        ({"source": "json", "train_file": "/x/train-*.parquet"}, "train-*.parquet", "train-*.parquet"),
        ({"source": "json", "train_file": "/x/folder/"}, "folder", "folder"),
        ({"source": "json", "train_file": None}, "json", "json"),
        ({"source": ["odd"], "train_file": 3}, "['odd']", "['odd']"),
        ({}, "", "data"),
    ):
        assert (full_name(data), data_name(data)) == (full, short)


def test_nobody_compares_a_source_with_a_word_of_its_own() -> None:
    """Beside the table itself, no module asks whether a source is called so, or a name begins so."""
    words = {*SOURCES, "package://", "hub://"}
    wrong = []
    for module in modules():
        place = module.relative_to(PACKAGE).as_posix()
        for node in ast.walk(tree(module)) if not place.startswith("storage/") else ():
            if isinstance(node, ast.Compare) and re.search(r"source\b", ast.unparse(node.left)):
                compared = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("startswith", "removeprefix")):
                compared = [
                    one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and "://" in str(one.value)
                ]
            else:
                continue
            wrong += [f"{place}:{node.lineno}" for word in compared if word in words]
    assert wrong == []


def test_places_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert set(PLACES) == set(model_source._FOLDERS)
    (tmp_path / "bert-base").mkdir()
    named = {
        "package://qaexp/tiny_random": "package",
        "bert-base": "local",
        "bert-large": "hub",
        "~nobody-here/a": None,
    }
    assert {name: place_of(name) for name in named} == named
    assert package_folder("package://qaexp/tiny_random") == PACKAGE / "tiny_random"
    for wrong in ("package://qaexp/..", "package://no_such_package/x", "package://qaexp/nothing", "package://a.b/c"):
        assert package_folder(wrong) is None


@pytest.mark.slow
def test_a_new_source_takes_three_files(tmp_path: Path) -> None:
    """A row in the table, a reader and a YAML file: then it trains, is checked, and has a name."""
    house = tmp_path / "house"
    for name in ("qaexp", "conf"):
        shutil.copytree(REPOSITORY / name, house / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", house)
    table = house / "qaexp" / "storage" / "sources.py"
    table.write_text(table.read_text().replace(")\nSOURCES:", ROW, 1))
    (house / "qaexp" / "data" / "lines_source.py").write_text(READER)
    (house / "conf" / "data" / "lines.yaml").write_text("defaults: [json, _self_]\nsource: lines\n")
    for split in ("train", "dev"):
        lines = [f"Paris is the city {n} of {split}.|Which city is {n}?|Paris" for n in range(12)]
        (tmp_path / f"{split}.txt").write_text("\n".join(lines))

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "qaexp", "train", *tiny_run.MODEL, "data=lines", *words]
        places = {"PYTHONPATH": str(house), "QAEXP_CACHE_DIR": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            command, cwd=tmp_path, env={**os.environ, **places}, capture_output=True, text=True, check=False
        )

    done = call("data.train_file=train.txt", "data.dev_file=dev.txt", "name=new", "trainer.epochs=1")
    assert done.returncode == 0, done.stderr
    assert "train.txt 12/12" in done.stdout + done.stderr
    source: dict[str, Any] = json.loads((tmp_path / "outputs" / "new" / "data.json").read_text())["source"]["train"]
    assert (source["kind"], source["num_examples"], source["path"]) == (NEW, 12, "train.jsonl")
    refused = call("name=none")
    assert (refused.returncode, refused.stderr.count("is not set, and data.source=lines has no other examples")) == (
        2,
        2,
    )


def test_all_files_are_keys() -> None:
    assert set(FILES) <= set(DataConfig.__dataclass_fields__)
