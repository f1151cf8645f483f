"""Data on disk are those in memory: the same examples, faults, features and numbers, in whatever portions they come."""

from __future__ import annotations

import dataclasses
import gzip
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qaexp.data import cache_folder
from qaexp.data.audit import audit, shared_contexts, shared_ids, shared_questions
from qaexp.data.features import Features, build_features
from qaexp.data.files import json_streams, streams
from qaexp.data.files.shards import find_shards
from qaexp.data.ondisk import building, examples, reading, writing
from qaexp.data.ondisk.building import stored_features
from qaexp.data.ondisk.examples import StoredExamples, ids_of
from qaexp.data.ondisk.reading import read_any_split
from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Example, SquadFile
from qaexp.data.subsets import draw, draw_in_order
from qaexp.errors import DataError, StorageError
from qaexp.evaluation.ceiling import ceiling
from qaexp.storage import room
from tests import REPOSITORY
from tests.fixtures import drill, tiny_run
from tests.fixtures.checkpoints import tiny_tokenizer
from tests.fixtures.own_tokenizers import CORPUS, FAMILIES

SETTINGS = {"max_length": 48, "doc_stride": 8}


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every file is streamed, in blocks that cut words, and features are made of seven examples at a time."""
    monkeypatch.setattr(streams, "LARGE_BYTES", 0)
    monkeypatch.setattr(streams, "_AT_ONCE", 61)
    monkeypatch.setattr(examples, "MAX_IN_MEMORY", 0)
    monkeypatch.setattr(writing, "_BYTES_AT_ONCE", 500)
    monkeypatch.setattr(examples, "AT_ONCE", 5)
    monkeypatch.setattr(building, "_EXAMPLES_AT_ONCE", 7)
    cache_folder.warn_once.cache_clear()
    yield
    cache_folder.warn_once.cache_clear()


def question(number: int, **changes: Any) -> dict[str, Any]:
    answers = [{"text": "Paris", "answer_start": 0}] if number % 3 else []
    plain = {"id": f"q{number}", "question": f"Which city {number}?", "answers": answers, **changes}
    return {**plain, "is_impossible": not plain["answers"]}


def articles(*others: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for number in range(6):
        context = f"Paris is a city, said Zoë {number}. " + "It lies on the river Seine. " * (1 + 5 * (number % 3))
        qas = [question(6 * number + one) for one in range(6)]
        found.append({"title": f"T{number // 2}", "paragraphs": [{"context": context, "qas": qas}]})
    return [*found, *others]


def article(*questions: dict[str, Any]) -> dict[str, Any]:
    return {"title": "T", "paragraphs": [{"context": "Paris is a city.", "qas": list(questions)}]}


def rows() -> list[dict[str, Any]]:
    return [
        {"context": part["context"], **one} for each in articles() for part in each["paragraphs"] for one in part["qas"]
    ]


def lines(values: Sequence[Any]) -> str:
    return "\n".join(json.dumps(value, ensure_ascii=False) for value in values) + "\n"


WHOLE = {"version": "v2.0", "data": articles()}
LAYOUTS = {
    "version first": json.dumps(WHOLE),
    "version last": json.dumps({"data": articles(), "version": "v2.0"}, indent=2, ensure_ascii=False),
    "one line with its end": json.dumps(WHOLE) + "\n",
    "byte order mark and Ctrl-Z": "\ufeff" + json.dumps(WHOLE) + "\r\n\x1a",
    "list of articles": json.dumps(articles()),
    "list of rows": json.dumps(rows()),
    "rows under data": json.dumps({"data": rows()}),
    "lines of rows": lines(rows()),
    "lines of articles": lines(articles()),
    "a document a line": lines([{"data": [one]} for one in articles()]),
    "columns": json.dumps({name: [row[name] for row in rows()] for name in ("id", "context", "question", "answers")}),
    "one article": json.dumps(articles()[0]),
    "the same question twice": json.dumps({"data": articles(article(question(1)), article(question(1)))}),
    "without ids": lines([{key: value for key, value in row.items() if key != "id"} for row in rows()]),
    "ids that are numbers": lines([{**row, "id": number} for number, row in enumerate(rows())]),
    "nothing": '{"data": []}',
    "an id twice": json.dumps({"data": articles(article(question(1, question="Which?")))}),
    "other answers": json.dumps({"data": [article(question(1)), article(question(1, answers=[]))]}),
    "an answer that is not there": json.dumps(
        {"data": articles(article(question(90, answers=[{"text": "Rome", "answer_start": 3}])))}
    ),
    "no list": json.dumps({"data": 3}),
    "a value that is no article": json.dumps({"data": [*articles(), 7]}),
    "cut off": json.dumps(WHOLE)[:-40],
    "cut off behind an article": json.dumps(WHOLE)[:-2],
    "a comma too many": json.dumps(WHOLE)[:-2] + ",]}",
    "text behind it": json.dumps(WHOLE) + " x",
    "two documents": json.dumps(WHOLE) * 2,
    "a key twice": '{"data": [], "data": []}',
    "a key of a question twice": json.dumps(WHOLE).replace('"id": "q7"', '"id": "q7", "id": "q8"'),
    "no number": json.dumps(WHOLE).replace('"answer_start": 0', '"answer_start": NaN'),
    "a broken line": lines(rows()).replace('"q7"', '"q7', 1),
    "a broken first line": lines(rows()).replace('"q0"', '"q0', 1),
    "not JSON": "id,question\n1,2\n",
    "a table": "id,context,question,answer_text,answer_start\n1,Paris is a city.,Which?,Paris,0\n",
    "lone surrogate": json.dumps(WHOLE).replace("Which city 8?", "\\ud800"),
}


def outcome(read: Any, path: Path, **options: Any) -> Any:
    """What a reader makes of a file: its content, or the fault."""
    try:
        found: SquadFile = read(path, **options)
    except DataError as error:
        return error.problems
    return dataclasses.replace(found, examples=tuple(found.examples))


@pytest.mark.parametrize("on_bad", ["fail", "skip", "fix"])
@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".json.gz"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_streamed_file_holds_what_it_holds_when_it_is_read_whole(
    name: str, suffix: str, on_bad: str, tmp_path: Path
) -> None:
    path = tmp_path / f"train{suffix}"
    content = LAYOUTS[name].encode()
    path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)

    def streamed(path: Path, **options: Any) -> SquadFile:
        return read_any_split(find_shards(path), cache_dir=tmp_path / "cache", **options)

    expected = outcome(read_squad_file, path, on_bad=on_bad)
    assert outcome(streamed, path, on_bad=on_bad) == expected
    if isinstance(expected, SquadFile):
        assert outcome(streamed, path, on_bad=on_bad) == expected, "from the cache"
    assert not list(tmp_path.rglob(".tmp-*"))


def test_no_layout_of_articles_or_rows_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The equality above would hold, too, if nothing were ever streamed."""
    wholes: list[Path] = []
    monkeypatch.setattr("qaexp.data.files.split_records.read_regular_file", lambda path: wholes.append(path) or b"{}")
    for number, name in enumerate(list(LAYOUTS)[:10]):
        path = tmp_path / f"{number}.json"
        path.write_text(LAYOUTS[name], "utf-8")
        assert len(read_any_split(find_shards(path), cache_dir=tmp_path / "cache").examples) == 36, name
    assert wholes == []


def test_shards_are_streamed_one_after_the_other(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    for number, one in enumerate(articles()):
        (folder / f"part-{number}.json").write_text(json.dumps({"data": [one]}))
    shards = find_shards(folder)
    found = read_any_split(shards, cache_dir=tmp_path / "cache")
    expected = read_squad_file(folder)
    assert dataclasses.replace(found, examples=tuple(found.examples)) == expected
    (folder / "part-3.json").write_text('{"data": 3}')
    with pytest.raises(DataError, match=r"part-3\.json"):
        read_any_split(shards, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("text", ['[1, "a", 12345678901234567890]', "[]", '[{"a": [1, 2]}, null, true]'])
def test_values_are_cut_anywhere(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    for size in range(1, len(text) + 1):
        monkeypatch.setattr(streams, "_AT_ONCE", size)
        is_object, values = json_streams.streamed_values(path, {})
        assert (is_object, list(values)) == (False, json.loads(text)), size


def stored(folder: Path, content: Any = WHOLE) -> tuple[tuple[Example, ...], StoredExamples]:
    """The examples of a file in memory and on disk."""
    path = folder / "train.json"
    path.write_text(json.dumps(content))
    found = read_any_split(find_shards(path), cache_dir=folder / "cache").examples
    assert isinstance(found, StoredExamples)
    return tuple(read_squad_file(path).examples), found


def test_stored_examples_are_a_sequence_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, found = stored(tmp_path)
    assert (len(found), tuple(found), found[3], found[-1]) == (36, held, held[3], held[-1])
    assert tuple(found[5:20:3]) == held[5:20:3]
    with pytest.raises(IndexError):
        found[36]
    positions = np.array([30, 2, 2, 17])
    assert tuple(found.chosen(positions)) == tuple(held[index] for index in positions)
    assert list(ids_of(found.chosen(positions))) == [held[index].id for index in positions]
    assert [*found.contexts()] == list(dict.fromkeys(example.context for example in held))
    data = next((tmp_path / "cache" / "examples").glob("*/data")).read_bytes()
    assert data.count(b"Zo\xc3\xab 4") == 1, "a context is there once"
    monkeypatch.setattr(examples, "MAX_IN_MEMORY", 4)
    assert isinstance(found.chosen(positions), tuple)


@pytest.mark.parametrize("policy", ["random", "stratified", "answerable", "first", "python_sample"])
@pytest.mark.parametrize("size", [None, 7, 0.5])
def test_draws_are_the_same(policy: str, size: float | None, tmp_path: Path) -> None:
    held, found = stored(tmp_path)
    assert tuple(draw(found, size, policy, 5)) == draw(held, size, policy, 5)
    assert tuple(draw_in_order(found, size, 5, key="")) == draw_in_order(held, size, 5, key="")


def assert_equal(found: Features, expected: Features) -> None:
    assert found.num_truncated_questions == expected.num_truncated_questions
    for name, column in expected.columns().items():
        assert found.columns()[name].dtype == column.dtype, name
        assert np.array_equal(found.columns()[name], column), name


@pytest.mark.parametrize("family", FAMILIES)
def test_stored_features_are_those_in_memory(family: str, tmp_path: Path) -> None:
    held, found = stored(tmp_path)
    tokenizer = FAMILIES[family](CORPUS)
    drawn, expected_of = draw(found, None, "random", 3), draw(held, None, "random", 3)
    assert isinstance(drawn, StoredExamples)
    kept, was_there = stored_features(drawn, tokenizer, **SETTINGS, cache_dir=tmp_path / "cache")
    expected = build_features(expected_of, tokenizer, **SETTINGS)
    assert not was_there
    assert len(kept) == len(expected) > 36
    assert kept.num_tokens == expected.num_tokens
    assert np.array_equal(kept.lengths, expected.lengths)
    assert np.array_equal(kept.is_null, expected.is_null)
    assert_equal(kept.whole(), expected)
    is_kept = np.arange(len(expected)) % 3 > 0
    assert_equal(kept.kept(is_kept).whole(), expected.kept(is_kept))
    rows = np.array([9, 0, len(expected) - 1])
    part, numbers = kept.held(rows)
    for number, row in zip(numbers, rows, strict=True):
        assert {**part.row(number), "offset_mapping": 0} == {**expected.row(row), "offset_mapping": 0}
    for name in ("audit", "ceiling"):
        of = {"audit": audit, "ceiling": ceiling}[name]
        assert of(drawn, kept, max_answer_length=1) == of(expected_of, expected, max_answer_length=1), name
    assert audit(held, expected, max_answer_length=1)["num_answers"] == 24


def test_draws_in_another_order_share_their_features(tmp_path: Path) -> None:
    held, found = stored(tmp_path)
    tokenizer = tiny_tokenizer()
    for seed, was_there in ((0, False), (1, True), (0, True)):
        drawn = draw(found, None, "random", seed)
        assert isinstance(drawn, StoredExamples)
        kept, is_hit = stored_features(drawn, tokenizer, **SETTINGS, cache_dir=tmp_path / "cache")
        assert is_hit == was_there
        assert_equal(kept.whole(), build_features(draw(held, None, "random", seed), tokenizer, **SETTINGS))
    some = draw(found, 20, "random", 0)
    assert isinstance(some, StoredExamples)
    _, is_hit = stored_features(some, tokenizer, **SETTINGS, cache_dir=tmp_path / "cache")
    assert not is_hit


def test_splits_share_what_they_share(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    held, found = stored(tmp_path / "a")
    other, on_disk = stored(tmp_path / "b", {"data": [*articles()[:2], article(question(99))]})
    for shared, expected in ((shared_contexts, 2), (shared_ids, 12), (shared_questions, 12)):
        assert shared(found, on_disk) == shared(held, other) == expected


def test_damage_is_built_again_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _, found = stored(tmp_path)
    kept, _ = stored_features(found, tiny_tokenizer(), **SETTINGS, cache_dir=tmp_path / "cache")
    expected = kept.whole()
    folders = sorted((tmp_path / "cache").glob("*/*/"))
    assert [folder.parent.name for folder in folders] == ["examples", "features"]
    for folder in folders:
        good = {path: path.read_bytes() for path in folder.iterdir()}
        for path, content in good.items():
            for harm in (content[:-2], content[: len(content) // 2], b"", bytes([content[0] ^ 1]) + content[1:]):
                path.write_bytes(harm)
                cache_folder.warn_once.cache_clear()
                caplog.clear()
                _, again = stored(tmp_path)
                rebuilt, _ = stored_features(again, tiny_tokenizer(), **SETTINGS, cache_dir=tmp_path / "cache")
                assert_equal(rebuilt.whole(), expected)
                said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
                assert said == [f"{folder.parent.name}: {folder} is damaged and is built again"]
                assert {path: path.read_bytes() for path in folder.iterdir()} == good


def test_an_entry_of_another_version_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = stored(tmp_path)
    stored_features(found, tiny_tokenizer(), **SETTINGS, cache_dir=tmp_path / "cache")
    monkeypatch.setattr(building, "_FORMAT", "qaexp stored features 0")
    _, was_there = stored_features(found, tiny_tokenizer(), **SETTINGS, cache_dir=tmp_path / "cache")
    assert not was_there
    monkeypatch.setattr(reading, "_FORMAT", "qaexp examples 0")
    stored(tmp_path)
    assert len(list((tmp_path / "cache" / "examples").glob("*/"))) == 2


def test_a_disk_that_is_too_small_is_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = stored(tmp_path)
    monkeypatch.setattr(room, "free_bytes", lambda _: 1000)
    monkeypatch.setattr(building, "_chunks", lambda *_: pytest.fail("it was begun"))
    with pytest.raises(
        StorageError, match=r"needs at least .* of its disk \(features .*\), and 1\.0 KiB are free"
    ) as caught:
        stored_features(found, tiny_tokenizer(), **SETTINGS, cache_dir=tmp_path / "cache")
    assert caught.value.exit_code == 5
    assert "QAEXP_CACHE_DIR" in str(caught.value)


def test_a_folder_that_cannot_be_written_means_a_private_entry(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "train.json"
    path.write_text(json.dumps(WHOLE))
    (tmp_path / "cache").write_text("a file stands here")
    found = read_any_split(find_shards(path), cache_dir=tmp_path / "cache")
    assert tuple(found.examples) == tuple(read_squad_file(path).examples)
    (warning,) = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert "cannot be written" in warning


def test_a_file_that_was_cut_meanwhile_is_a_fault_of_storage(tmp_path: Path) -> None:
    _, found = stored(tmp_path)
    (data,) = (tmp_path / "cache" / "examples").glob("*/data")
    os.truncate(data, 100)
    with pytest.raises(StorageError, match="was cut while it was read"):
        found[30]


@pytest.mark.thorough
def test_a_run_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tiny_run.files_of(
        tiny_run.write_squad(tmp_path / "train.json", 20, 20), tiny_run.write_squad(tmp_path / "dev.json", 8, 8)
    )
    words = (*tiny_run.FILES, *files, "trainer.max_steps=3")
    on_disk = tiny_run.train(tmp_path, "on_disk", *words)
    log = next(on_disk.glob("train.log")).read_text()
    assert "examples: 40 read of" in log
    monkeypatch.undo()
    for module in (reading, building):
        monkeypatch.setattr(module, "kept_entry", lambda *_, **__: pytest.fail("small data go to no entry"))
    in_memory = tiny_run.train(tmp_path, "in_memory", *words)
    assert drill.fingerprints(on_disk) == drill.fingerprints(in_memory)
    for name in ("data.json", "metrics.jsonl", "predictions.jsonl"):
        assert (on_disk / name).read_bytes() == (in_memory / name).read_bytes(), name


# argv: a folder, the numbers of copies. Prints the peak of anonymous memory above the beginning, in MiB, for each.
GROWTH = """
import json, sys
from pathlib import Path
from qaexp.data.files import streams
from qaexp.data.files.shards import find_shards
from qaexp.data.ondisk import examples
from qaexp.data.ondisk.building import stored_features
from qaexp.data.ondisk.reading import read_any_split
from qaexp.data.subsets import draw
from tests.fixtures.checkpoints import tiny_tokenizer
streams.LARGE_BYTES = examples.MAX_IN_MEMORY = 0

def peak():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

folder, tokenizer = Path(sys.argv[1]), tiny_tokenizer()
for copies in map(int, sys.argv[2:]):
    path = folder / f"{copies}.json"
    with path.open("w") as file:
        file.write('{"data": [')
        for copy in range(copies):
            context = f"Paris {copy} is a city. " * 40
            answers = [{"text": "Paris", "answer_start": 0}]
            qas = [{"id": f"{copy}-{n}", "question": f"Which of {copy} and {n}?", "answers": answers} for n in range(5)]
            article = {"title": str(copy), "paragraphs": [{"context": context, "qas": qas}]}
            file.write("," * (copy > 0) + json.dumps(article))
        file.write("]}")
    found = draw(read_any_split(find_shards(path), cache_dir=folder).examples, None, "random", 0)
    kept, _ = stored_features(found, tokenizer, max_length=64, doc_stride=16, cache_dir=folder)
    for _ in kept.parts(found):
        pass
    kept.held(__import__("numpy").arange(64))
    print(copies, len(kept), peak(), flush=True)
"""


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_does_not_grow_with_the_number_of_questions(tmp_path: Path) -> None:
    """2,000 and 20,000 questions: held as they were, with their features, 18,000 more took 300 MiB."""
    command = [sys.executable, "-c", GROWTH, str(tmp_path), "400", "4000"]
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY, env=environment)
    few, many = ([int(word) for word in line.split()] for line in done.stdout.splitlines())
    assert many[1] > 10 * few[1]
    assert many[2] - few[2] < 60
