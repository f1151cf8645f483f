"""When the results of a sweep were looked at, from a file that anybody may have written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qaexp.runs.writing.looks import Look, looks, with_look

AT = "2026-01-31T10:00:00+00:00"


def stored(folder: Path, content: Any) -> list[Look]:
    (folder / "sweep.json").write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return looks(folder)


def test_looks_are_read_in_their_order(tmp_path: Path) -> None:
    entries = [{"at": AT, "run_ids": ["b", "a", "b"]}, {"at": "2026-02-01T10:00:00Z", "run_ids": ["a", "b", "c"]}]
    first, second = stored(tmp_path, {"looks": entries})
    assert first == Look(AT, ("a", "b"))
    assert second.run_ids == ("a", "b", "c")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        {},
        {"looks": None},
        {"looks": {"at": AT}},
        {"looks": [None, 1, "x", [], {}, {"at": AT}, {"run_ids": ["a"]}]},
        {"looks": [{"at": "yesterday", "run_ids": ["a"]}, {"at": 3, "run_ids": ["a"]}]},
        {
            "looks": [
                {"at": AT, "run_ids": run_ids} for run_ids in ("a", None, {"a": 1}, [1], [None], ["\ud800"], ["\x1b"])
            ]
        },
    ],
)
def test_what_is_no_look_is_left_out(tmp_path: Path, content: Any) -> None:
    assert stored(tmp_path, content) == []


def test_a_folder_without_a_file_or_with_another_thing_has_no_looks(tmp_path: Path) -> None:
    assert looks(tmp_path) == looks(tmp_path / "nowhere") == []
    (tmp_path / "link").mkdir()
    stored(tmp_path, {"looks": [{"at": AT, "run_ids": ["a"]}]})
    (tmp_path / "link" / "sweep.json").symlink_to(tmp_path / "sweep.json")
    assert looks(tmp_path / "link") == looks(tmp_path / "sweep.json") == []


def test_the_same_runs_are_no_new_look() -> None:
    assert with_look([], AT, []) == []
    one = with_look([], AT, {"b", "a"})
    assert one == with_look(one, "later", ["a", "b", "b"]) == [Look(AT, ("a", "b"))]
    two = with_look(one, AT, ["a", "b", "c"])
    assert [look.run_ids for look in with_look(two, AT, ["a", "b"])] == [("a", "b"), ("a", "b", "c"), ("a", "b")]


def test_reading_looks_is_light() -> None:
    code = (
        "import sys, qaexp.runs.writing.looks; print([n for n in ('torch', 'hydra', 'omegaconf') if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
