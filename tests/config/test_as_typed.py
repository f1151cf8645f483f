"""Words of a command line that stay as a shell hands them over: free texts, tags, paths."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.config.checks.as_typed import as_typed, quoted
from qaexp.config.checks.texts import keep_texts
from qaexp.config.checks.words import parse_overrides
from qaexp.sweeps.grid import job_lines
from tests.fixtures.checked import check_command_line

SIGNS = ("a=b,c=d", "with space", "it's", 'say "x"', "[x]", "{y: 1}", "(z)", "50%", "1e3", "a\\b", "e,f g=[1]")


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1).filter(lambda text: "${" not in text))
def test_any_text_survives_its_quotes(text: str) -> None:
    overrides, problems = parse_overrides([f"notes={quoted(text)}"])
    assert problems == []
    assert overrides[0].value() == text


@pytest.mark.parametrize("signs", SIGNS)
def test_a_path_that_is_there_is_accepted_as_it_stands(
    signs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / signs / "model").mkdir(parents=True)
    (tmp_path / f"{signs}.json").write_text("{}")
    words = [f"model.checkpoint=runs/{signs}/model", "data=json", "data.train_file=x", f"data.dev_file={signs}.json"]
    config = check_command_line(keep_texts(words))
    assert (config.model.checkpoint, config.data.dev_file) == (f"runs/{signs}/model", f"{signs}.json")
    jobs = job_lines(keep_texts([words[0], "seed=0,1"]))
    assert len(jobs) == 2
    assert check_command_line(jobs[0][0]).model.checkpoint == f"runs/{signs}/model"


def test_a_pattern_that_fits_something_is_accepted_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a-1.jsonl", "a-2.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("{}")
    for pattern in ("a-[12].jsonl", "a-*.jsonl", "?-[0-9].jsonl", "**/a-[!3].jsonl"):
        config = check_command_line(keep_texts(["data=json", f"data.train_file={pattern}", "data.dev_file=b.jsonl"]))
        assert config.data.train_file == pattern
    assert as_typed("data.train_file=a-[12].jsonl,b.jsonl") == "data.train_file='a-[12].jsonl',b.jsonl"
    assert as_typed("data.train_file=c-[12].jsonl") == "data.train_file=c-[12].jsonl"


def test_several_paths_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in SIGNS[:3]:
        (tmp_path / name).mkdir()
    jobs = job_lines(keep_texts(["model.checkpoint=" + ",".join([*SIGNS[:3], "hub/name"])]))
    found = [check_command_line(words).model.checkpoint for words, _ in jobs]
    assert found == [*SIGNS[:3], "hub/name"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("notes=free text, with commas", "free text, with commas"),
        ("notes=a=b (c) [d] {e} 'f' \"g\"", "a=b (c) [d] {e} 'f' \"g\""),
        ("notes='as quoted'", "as quoted"),
        ("notes=", ""),
        ("notes=1e3", "1e3"),
        ("notes=null", "null"),
        ("group=v2, long", "v2, long"),
        ("group=null", None),
        ("tags=[a,b]", ["a", "b"]),
        ("tags=a,b", ["a", "b"]),
        ("tags=one", ["one"]),
        ("tags=[1e3,true,2024]", ["1e3", "true", "2024"]),
        ("tags=[a=b, c d,'e,f',it's]", ["a=b", "c d", "e,f", "it's"]),
        ("tags=[]", []),
    ],
)
def test_tags_notes_and_group(typed: str, expected: object) -> None:
    config = check_command_line(keep_texts([typed]))
    assert getattr(config, typed.partition("=")[0]) == expected


def test_they_are_no_part_of_the_identity() -> None:
    from dataclasses import asdict

    from qaexp.config.schema import neutral_keys
    from qaexp.runs.identity import identify

    plain, told = (
        identify(asdict(check_command_line(words)), neutral_keys(), {}, {})
        for words in ([], keep_texts(["tags=[a]", "notes=b", "group=c"]))
    )
    assert plain.sha256 == told.sha256
    assert not {"tags", "notes", "group"} & set(plain.config)
