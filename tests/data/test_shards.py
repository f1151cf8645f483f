"""Shards, compressed files and folders that `datasets` saved: the same questions, and each fault with its shard."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qaexp.data.exports.reading import read_source
from qaexp.data.files import compression, split_records, tables
from qaexp.data.files.columns import Surveyed
from qaexp.data.files.shards import find_shards
from qaexp.data.pipeline import DataPipeline
from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Example
from qaexp.errors import DataError, IntegrityError, QaexpError
from tests.fixtures import tiny_run

Rows = list[dict[str, Any]]
ROWS: Rows = [
    {
        "id": f"q{n}",
        "title": f"T{n // 7}",
        "context": f"Paris is number {n // 3}.",
        "question": f"Which city is {n}?",
        "answers": {"text": ["Paris"][: n % 2], "answer_start": [0][: n % 2]},
    }
    for n in range(600)
]
# The first shard has more rows than are read at once, one has a single row, and one has no answer at all.
CUTS = (ROWS[:301], ROWS[301:302], [row for row in ROWS[302:] if row["answers"]["text"]], [ROWS[302], ROWS[304]])


def json_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def nested(rows: Rows) -> bytes:
    return json.dumps({"version": "v2.0", "data": [{"title": "", "paragraphs": [paragraph(r) for r in rows]}]}).encode()


def paragraph(row: dict[str, Any]) -> dict[str, Any]:
    answers = [{"text": "Paris", "answer_start": 0}] if row["answers"]["text"] else []
    question = {"id": row["id"], "question": row["question"], "answers": answers, "is_impossible": not answers}
    return {"context": row["context"], "qas": [question]}


def table(rows: Rows) -> pa.Table:
    return pa.Table.from_pylist(rows)


def parquet(rows: Rows) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table(rows), sink, row_group_size=100)
    return bytes(sink.getvalue())


def arrow(rows: Rows) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table(rows).schema) as writer:
        writer.write_table(table(rows), max_chunksize=90)
    return bytes(sink.getvalue())


def comma_separated(rows: Rows, delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["id", "title", "context", "question", "answers"])
    writer.writerows([*[row[name] for name in ("id", "title", "context", "question")], row["answers"]] for row in rows)
    return text.getvalue().encode()


def tab_separated(rows: Rows) -> bytes:
    return comma_separated(rows, "\t")


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


KINDS: dict[str, Callable[[Rows], bytes]] = {
    "jsonl": json_lines,
    "json": nested,
    "csv": comma_separated,
    "tsv": tab_separated,
    "parquet": parquet,
    "arrow": arrow,
}
PACKED: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstd}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def shards(folder: Path, kind: str, packed: str = "") -> Path:
    """The questions of ROWS in shards, in the order of CUTS."""
    pack = PACKED.get(packed, bytes)
    suffix = f"{kind}.{packed}" if packed else kind
    files = {f"train-{n:05}-of-00004.{suffix}": pack(KINDS[kind](rows)) for n, rows in enumerate(CUTS)}
    return write(folder, files)


def save(folder: Path, rows: Rows, num_shards: int = 3) -> Path:
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset.from_list(rows).save_to_disk(str(folder), num_shards=num_shards)
    return folder


def examples(path: Path) -> tuple[Example, ...]:
    return read_squad_file(path).examples


def pipeline(train: Path, dev: Path, **keys: Any) -> DataPipeline:
    plain = dict.fromkeys(("dataset", "config_name", "revision", "test_file", "train_size", "dev_size"))
    files = {"train_file": str(train), "dev_file": str(dev)}
    return DataPipeline(**{**plain, **files, "source": "json", "subset": "random", "on_bad": "fail", **keys})


def problem(path: Path, kind: type[QaexpError] = DataError, **how: Any) -> str:
    with pytest.raises(kind) as caught:
        read_squad_file(path, **how)
    assert caught.value.exit_code in (3, 8)
    return str(caught.value)


# --- The same questions -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Example, ...]:
    """The questions as one file of JSON lines has them, in the order of the shards."""
    file = tmp_path_factory.mktemp("one") / "train.jsonl"
    file.write_bytes(json_lines([row for rows in CUTS for row in rows]))
    return examples(file)


@pytest.mark.parametrize("kind", KINDS)
def test_shards_hold_what_one_file_holds(kind: str, tmp_path: Path, expected: tuple[Example, ...]) -> None:
    folder = shards(tmp_path / "data", kind)
    one = tmp_path / f"one.{kind}"
    one.write_bytes(KINDS[kind]([row for rows in CUTS for row in rows]))
    read = read_squad_file(folder)
    assert read.examples == examples(one) == examples(folder / "train-*")
    if kind != "json":  # where every paragraph of the test has no title
        assert read.examples == expected
    assert list(read.shards) == [f"train-{n:05}-of-00004.{kind}" for n in range(4)]


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "tsv"])
def test_a_compressed_file_is_the_file_that_is_in_it(kind: str, packed: str, tmp_path: Path) -> None:
    content = KINDS[kind](ROWS)
    write(tmp_path, {f"one.{kind}": content, f"one.{kind}.{packed}": PACKED[packed](content)})
    assert read_squad_file(tmp_path / f"one.{kind}.{packed}") == read_squad_file(tmp_path / f"one.{kind}")
    plain, small = shards(tmp_path / "a", kind), shards(tmp_path / "b", kind, packed)
    assert read_squad_file(small).sha256 == read_squad_file(plain).sha256
    assert examples(small) == examples(plain)


def test_members_and_frames_behind_one_another_are_one_text(tmp_path: Path) -> None:
    halves = json_lines(ROWS[:5]), json_lines(ROWS[5:9])
    write(tmp_path, {f"a.jsonl.{name}": b"".join(map(pack, halves)) for name, pack in PACKED.items()})
    for name in PACKED:
        assert len(examples(tmp_path / f"a.jsonl.{name}")) == 9


def test_a_name_that_says_compressed_of_a_file_that_is_not(tmp_path: Path) -> None:
    """Browsers unpack what they download, and leave its name."""
    write(tmp_path, {"a.jsonl.gz": json_lines(ROWS[:5])})
    assert len(examples(tmp_path / "a.jsonl.gz")) == 5


def test_folders_that_datasets_saved(tmp_path: Path) -> None:
    saved = save(tmp_path / "saved", ROWS)
    read = read_squad_file(saved)
    assert [one.id for one in read.examples] == [row["id"] for row in ROWS]
    assert list(read.shards) == [f"data-{n:05}-of-00003.arrow" for n in range(3)]
    # What `map` leaves in the folder is not of the data set.
    shutil.copy(saved / "data-00000-of-00003.arrow", saved / "cache-1234.arrow")
    assert read_squad_file(saved) == read


def test_texts_that_are_stored_once(tmp_path: Path) -> None:
    """Columns that pandas calls categories, in which parquet and Arrow hold every text once."""
    for kind, pack in (("parquet", parquet), ("arrow", arrow)):
        plain = write(tmp_path / kind / "plain", {f"{n}.{kind}": pack(rows) for n, rows in enumerate(CUTS[:2])})
        folder = tmp_path / kind / "categories"
        folder.mkdir()
        for n, rows in enumerate(CUTS[:2]):
            found = table(rows)
            found = found.set_column(2, "context", found["context"].dictionary_encode())
            if kind == "parquet":
                pq.write_table(found, folder / f"{n}.parquet")
            else:
                with pa.OSFile(str(folder / f"{n}.arrow"), "wb") as sink, pa.ipc.new_stream(sink, found.schema) as to:
                    to.write_table(found)
        assert examples(folder) == examples(plain)


def test_order_is_that_of_the_numbers(tmp_path: Path) -> None:
    write(tmp_path, {f"part-{n}.jsonl": json_lines(ROWS[n : n + 1]) for n in range(12)})
    assert [one.id for one in examples(tmp_path)] == [f"q{n}" for n in range(12)]


def test_folders_that_a_pattern_fits(tmp_path: Path) -> None:
    for n in range(3):
        write(tmp_path / str(n), {"train.jsonl": json_lines(ROWS[n : n + 1])})
    read = read_squad_file(tmp_path / "*" / "train.jsonl")
    assert list(read.shards) == ["0/train.jsonl", "1/train.jsonl", "2/train.jsonl"]
    assert examples(tmp_path / "**" / "train.jsonl") == read.examples


def test_a_file_with_signs_of_a_pattern_in_its_name_is_a_file(tmp_path: Path) -> None:
    folder = shards(tmp_path / "da[t]a *", "parquet")
    write(tmp_path, {"a[1].jsonl": json_lines(ROWS[:2]), "a1.jsonl": json_lines(ROWS[2:3])})
    assert find_shards(tmp_path / "a[1].jsonl").is_one
    assert len(examples(tmp_path / "a[1].jsonl")) == 2
    assert len(examples(folder)) == sum(map(len, CUTS))


def test_own_column_names_and_questions_alone(tmp_path: Path) -> None:
    for kind in ("parquet", "jsonl"):
        rows = [{("passage" if name == "context" else name): row[name] for name in row} for row in ROWS[:9]]
        write(tmp_path / kind, {f"{n}.{kind}": KINDS[kind](rows[3 * n : 3 * n + 3]) for n in range(3)})
        read = read_squad_file(tmp_path / kind, columns={"context": "passage"}, wants_answers=False)
        assert [one.context for one in read.examples] == [row["context"] for row in ROWS[:9]]
        assert "passage" in problem(tmp_path / kind)


def test_ids_are_made_for_the_split_as_a_whole(tmp_path: Path) -> None:
    rows = [{name: row[name] for name in row if name != "id"} for row in ROWS[:6]]
    for kind in ("jsonl", "parquet"):
        folder = write(tmp_path / kind, {f"{n}.{kind}": KINDS[kind](rows[3 * n : 3 * n + 3]) for n in range(2)})
        read = read_squad_file(folder)
        assert [one.id for one in read.examples] == [f"q{n}-{read.sha256[:8]}" for n in range(1, 7)]


def test_convert_reads_shards(tmp_path: Path) -> None:
    found = read_source(shards(tmp_path / "data", "parquet"))
    assert (found.format, len(found.file.examples)) == ("parquet in 4 shards", sum(map(len, CUTS)))


# --- Identity ---------------------------------------------------------------------------------------------------------


def test_the_identity_is_the_content_in_its_order(tmp_path: Path) -> None:
    dev = write(tmp_path, {"dev.jsonl": json_lines(ROWS[:4])}) / "dev.jsonl"
    folder = shards(tmp_path / "data", "parquet")
    first = pipeline(folder, dev).fingerprint()
    assert pipeline(folder / "*.parquet", dev).fingerprint() == first
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert pipeline(moved, dev).fingerprint() == first
    names = sorted(moved.iterdir())
    for path in names:
        path.rename(path.with_name(f"part{path.name[6:11]}.parquet"))
    assert pipeline(moved, dev).fingerprint() == first, "names do not count"
    swapped = shutil.copytree(moved, tmp_path / "swapped")
    (swapped / "part00000.parquet").rename(swapped / "part9.parquet")
    assert pipeline(swapped, dev).fingerprint() != first, "the order counts"
    assert pipeline(folder, dev).load(subset_seed=0, dev_seed=0).train.source["sha256"] == first["train_sha256"]
    for path in sorted(moved.iterdir()):
        content = path.read_bytes()
        changed = table(ROWS[:3]) if path.name.endswith("0.parquet") else table(ROWS[4:5])
        pq.write_table(changed, path)
        assert pipeline(moved, dev).fingerprint() != first
        path.write_bytes(content)
    assert pipeline(moved, dev).fingerprint() == first


def test_one_shard_is_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "data", {"a.parquet": parquet(ROWS)}) / "a.parquet"
    one, folder = read_squad_file(file), read_squad_file(file.parent)
    assert (folder.sha256, folder.examples) == (one.sha256, one.examples)


def test_data_json_names_the_shards(tmp_path: Path) -> None:
    folder, dev = shards(tmp_path / "data", "jsonl", "gz"), shards(tmp_path / "dev", "csv")
    splits = pipeline(folder, dev, test_file=str(folder)).load(subset_seed=0, dev_seed=0)
    assert splits.train.source["path"] == str(folder)
    assert list(splits.train.source["shards"]) == [path.name for path in sorted(folder.iterdir())]
    assert splits.tests["test"].source == splits.train.source
    assert json.loads(json.dumps(splits.train.source)) == splits.train.source


@pytest.mark.thorough
@pytest.mark.slow
def test_a_run_on_shards_is_the_run_on_one_file(tmp_path: Path) -> None:
    """Equal summaries; the run id changes only where the content does."""
    train, dev = ROWS[:48], json_lines(ROWS[48:64])
    write(tmp_path, {"train.jsonl": json_lines(train), "train.jsonl.gz": gzip.compress(json_lines(train))})
    write(tmp_path, {"dev.jsonl": dev})
    for kind in ("jsonl", "parquet"):
        parts = {f"train-{n}.{kind}": KINDS[kind](train[16 * n : 16 * n + 16]) for n in range(3)}
        write(tmp_path / kind, parts)
        write(tmp_path / f"copy of {kind}", parts)
    save(tmp_path / "saved", train)
    given = ("train.jsonl", "train.jsonl.gz", "jsonl", "jsonl/train-*.jsonl", "parquet", "parquet/train-[0-2].parquet")
    runs = {}
    for number, name in enumerate((*given, "copy of parquet", "saved")):
        files = (f"data.train_file={name}", "data.dev_file=dev.jsonl")
        runs[name] = tiny_run.train(tmp_path, f"run{number}", *tiny_run.FILES, *files)
    ids = {name: tiny_run.read_json(run / "run.json")["run_id"] for name, run in runs.items()}
    assert ids["train.jsonl"] == ids["train.jsonl.gz"]
    assert ids["jsonl"] == ids["jsonl/train-*.jsonl"]
    assert ids["parquet"] == ids["parquet/train-[0-2].parquet"] == ids["copy of parquet"]
    assert len(set(ids.values())) == 4
    predictions = {(run / "predictions.jsonl").read_bytes() for run in runs.values()}
    losses = {tiny_run.read_json(run / "summary.json")["train_loss"] for run in runs.values()}
    assert (len(predictions), len(losses)) == (1, 1)
    # Other commands take the same paths, and a run that begins with the config of another finds them from elsewhere.
    found = [tiny_run.call(tmp_path, "evaluate", str(runs["saved"]), "--data", name, "--json") for name in given[1:4]]
    assert [done.code for done in found] == [0, 0, 0], found[0].err
    assert len({done.out for done in found}) == 1
    words = ("--from", str(runs["jsonl/train-*.jsonl"]), "name=again", *tiny_run.MODEL)
    (tmp_path / "elsewhere").mkdir()
    again = tiny_run.call(tmp_path / "elsewhere", "train", *words)
    assert again.code == 0, again.err
    assert tiny_run.read_json(tmp_path / "elsewhere/outputs/again/run.json")["run_id"] == ids["jsonl"]


# --- Faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "arrow"])
def test_a_fault_names_its_shard_and_its_row(kind: str, tmp_path: Path) -> None:
    wrong = [{**ROWS[1], "id": f"w{n}", "answers": {"text": ["Rome"], "answer_start": [0]}} for n in range(2)]
    good = [row for row in ROWS if row["answers"]["text"]]
    cuts = (good[:120], [*good[120:125], *wrong], [])
    folder = write(tmp_path / "data", {f"a-{n}.{kind}": KINDS[kind](rows) for n, rows in enumerate(cuts) if rows})
    where = {"jsonl": "line 6", "csv": "line 7"}.get(kind, "row 6")
    sentence = problem(folder)
    assert sentence.startswith(
        f"{folder}: a-1.{kind}: {where}: answers[0].answer_start is 0, where the text 'Rome' does"
    )
    assert f"{folder} has 2 faults: correct the file, or set data.on_bad=skip" in sentence
    skipped = read_squad_file(folder, "skip")
    assert (skipped.num_skipped, len(skipped.examples)) == (2, 125)
    assert skipped.problems[0].startswith(f"{folder}: a-1.{kind}: {where}: ")


def test_a_question_of_two_shards_under_one_id(tmp_path: Path) -> None:
    twice = [{**ROWS[0], "question": "Another?"}]
    folder = write(tmp_path, {"0.jsonl": json_lines(ROWS[:2]), "1.jsonl": json_lines(twice)})
    assert "1.jsonl: line 1: id is the text 'q0', which another question of the file has too" in problem(folder)


def test_a_text_that_is_broken_names_its_shard(tmp_path: Path) -> None:
    folder = write(tmp_path, {"0.jsonl": json_lines(ROWS[:2]), "1.jsonl": json_lines(ROWS[2:3]) + b'{"id": \n'})
    assert f"{folder / '1.jsonl'}: line 2, column" in problem(folder)


FOLDERS: dict[str, tuple[dict[str, bytes], tuple[str, ...]]] = {
    "empty": ({}, ("is a directory without data files", "nothing")),
    "nothing but notes": ({"README.md": b"#"}, ("is a directory without data files", "README.md")),
    "a note beside shards": ({"README.md": b"#", "a.csv": b"id"}, ("README.md, not a shard", "/*.csv'")),
    "several kinds": ({"a.csv": b"id", "b.jsonl": b"{}"}, ("several kinds (CSV: a.csv; JSON lines: b.jsonl)",)),
    "several splits": (
        {"train-0.jsonl": b"{}", "validation-0.jsonl": b"{}"},
        ("several splits (train-0.jsonl, validation-0.jsonl)", "*train*'"),
    ),
    "a shard is missing": (
        {f"train-0000{n}-of-00003.jsonl": b"{}" for n in (0, 2)},
        ("lacks the shard train-00001-of-00003.jsonl",),
    ),
    "two sets": (
        {"train-0-of-1.jsonl": b"{}", "train-0-of-2.jsonl": b"{} ", "train-1-of-2.jsonl": b"{}  "},
        ("count different numbers of shards",),
    ),
    "an empty shard": ({"a.jsonl": json_lines(ROWS[:1]), "b.jsonl": b""}, ("b.jsonl is empty",)),
    "one shard twice": (
        {name: json_lines(ROWS[:2]) for name in ("a.jsonl", "b.jsonl")},
        ("b.jsonl holds the same as ", "leave one of them out"),
    ),
    "one shard twice, once compressed": (
        {"a.jsonl": json_lines(ROWS[:2]), "b.jsonl.gz": gzip.compress(json_lines(ROWS[:2]))},
        ("b.jsonl.gz holds the same as ",),
    ),
    "columns of parquet differ": (
        {"a.parquet": parquet(ROWS[:2]), "b.parquet": parquet([{**row, "is_impossible": False} for row in ROWS[1:2]])},
        ("b.parquet has the columns answers, context, id, is_impossible", "with the same columns"),
    ),
    "types of parquet differ": (
        {"a.parquet": parquet(ROWS[:2]), "b.parquet": parquet([{**ROWS[2], "id": 7}])},
        ("b.parquet has the column id of the type int64", "string", "with the same types"),
    ),
    "columns of CSV differ": (
        {"a.csv": comma_separated(ROWS[:2]), "b.csv": comma_separated(ROWS[2:4]).replace(b"title", b"heading", 1)},
        ("b.csv has the columns answers, context, id, question", "with the same columns"),
    ),
    "needed columns are missing": (
        {"a.parquet": parquet(ROWS[:2]), "b.parquet": parquet([{"id": "1", "context": "c"}])},
        ("b.parquet: found: id, context; needed",),
    ),
    "a shard is another thing": (
        {"a.parquet": parquet(ROWS[:2]), "b.parquet": b"<html>"},
        ("b.parquet is a web page",),
    ),
    "a parquet shard is cut off": (
        {"a.parquet": parquet(ROWS[:2]), "b.parquet": parquet(ROWS)[:-20]},
        ("b.parquet cannot be read as parquet",),
    ),
    "an Arrow shard is cut off": (
        {"a.arrow": arrow(ROWS[:2]), "b.arrow": arrow(ROWS)[:-2000]},
        ("b.arrow cannot be read as arrow",),
    ),
    "a compressed table": ({"a.parquet.gz": gzip.compress(parquet(ROWS))}, ("compressed parquet file",)),
    "a compressed shard is cut off": (
        {"a.jsonl": json_lines(ROWS[:2]), "b.jsonl.gz": gzip.compress(json_lines(ROWS))[:-9]},
        ("b.jsonl.gz cannot be unpacked (gzip: Truncated compressed stream)",),
    ),
    "two shards are bad": (
        {"a.jsonl.gz": b"\x1f\x8b\x08", "b.jsonl.zst": zstd(b"{}")[:-1]},
        ("a.jsonl.gz cannot be unpacked", "b.jsonl.zst cannot be unpacked"),
    ),
}


@pytest.mark.fault("D1")
@pytest.mark.parametrize("name", FOLDERS)
def test_folders_that_are_refused(name: str, tmp_path: Path) -> None:
    files, words = FOLDERS[name]
    sentence = problem(write(tmp_path / "data", files))
    for word in words:
        assert word in sentence
    assert "Traceback" not in sentence


@pytest.mark.fault("D1")
def test_a_run_on_bad_shards_ends_with_their_faults(tmp_path: Path) -> None:
    """Those of all keys are told together, with exit code 3 and before anything is left behind."""
    for key, name in (("train", "several kinds"), ("dev", "one shard twice"), ("test", "empty")):
        write(tmp_path / key, FOLDERS[name][0])
    files = [f"data.{key}_file={key}" for key in ("train", "dev", "test")]
    done = tiny_run.call(tmp_path, "train", *tiny_run.FILES, *files, "name=a")
    assert (done.code, "Traceback" in done.err) == (3, False)
    assert "data.train_file: train has shards of several kinds (CSV: a.csv; JSON lines: b.jsonl)" in done.err
    assert "data.test_file: test is a directory without data files" in done.err
    assert not (tmp_path / "outputs" / "a" / "summary.json").exists()
    done = tiny_run.call(tmp_path, "train", *tiny_run.FILES, *files[1:2], "data.train_file=dev", "name=b")
    assert (done.code, "dev/b.jsonl holds the same as dev/a.jsonl" in done.err) == (3, True)


def test_paths_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shards(tmp_path / "data", "parquet")
    expected = read_squad_file(folder)
    monkeypatch.chdir(folder)
    for path in ("*.parquet", ".", "../data", "./train-0000[0-3]-of-*"):
        assert read_squad_file(Path(path)) == expected


@pytest.mark.fault("D1")
@pytest.mark.parametrize("kind", ["parquet", "arrow", "jsonl.gz", "csv.zst", "state.json"])
def test_no_damage_is_a_traceback(kind: str, tmp_path: Path) -> None:
    """Bytes of the last shard, or of state.json, are flipped, cut off or doubled: it is read or refused."""
    draw = random.Random(kind)
    name, _, packed = kind.partition(".")
    if name == "state":
        folder = save(tmp_path / "data", ROWS[:12], num_shards=2)
        target = folder / kind
    else:
        pack = PACKED.get(packed, bytes)
        parts = {f"{n}.{kind}": pack(KINDS[name](ROWS[6 * n : 6 * n + 6])) for n in range(2)}
        target = write(tmp_path / "data", parts) / f"1.{kind}"
    whole = target.read_bytes()
    refusals = []
    for _ in range(60):
        content = bytearray(whole)
        place = draw.randrange(len(content))
        for flipped in draw.sample(range(len(content)), 3):
            content[flipped] ^= 1 << draw.randrange(8)
        doubled = whole[:place] + whole[place // 2 :]
        target.write_bytes(draw.choice([bytes(content), whole[:place], doubled, whole + whole[place:]]))
        try:
            read_squad_file(target.parent)
        except QaexpError as error:
            refusals.append(str(error))
    assert len(refusals) > 30
    assert [sentence for sentence in refusals if str(target.parent) not in sentence] == []


def test_a_damaged_page_of_parquet_names_its_shard(tmp_path: Path) -> None:
    """The footer is whole: what is wrong is seen only when rows are read."""
    content = bytearray(parquet(ROWS[300:]))
    for place in range(40, 2000):
        content[place] = 0xFF
    folder = write(tmp_path, {"a.parquet": parquet(ROWS[:300]), "b.parquet": bytes(content)})
    assert "b.parquet cannot be read as parquet" in problem(folder)


@pytest.mark.fault("D1")
def test_links_and_patterns_that_lead_nowhere(tmp_path: Path) -> None:
    folder = shards(tmp_path / "data", "jsonl")
    assert "as a pattern it fits none" in problem(folder / "dev-*.jsonl")
    last = folder / "train-00003-of-00004.jsonl"
    last.unlink()
    last.symlink_to(tmp_path / "nowhere")
    for path in (folder, folder / "train-*"):
        assert f"{last} cannot be read: No such file or directory" in problem(path)
    (folder / "more").mkdir()
    assert "more, not a shard" in problem(folder)
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert "pipe.jsonl is not a regular file" in problem(tmp_path / "*.jsonl")


@pytest.mark.fault("H1")
@pytest.mark.parametrize("name", PACKED)
def test_what_unpacks_to_gigabytes_is_refused_early(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"a.jsonl.{name}"
    file.write_bytes(PACKED[name](b" " * 200 * 2**20))
    assert file.stat().st_size < 2**20
    code = (
        "import resource, pathlib, pyarrow; from qaexp.data.question_files import read_squad_file\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 2**20, -1))\n"
        f"read_squad_file(pathlib.Path({str(file)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "unpacks to more than" in done.stderr.splitlines()[-1]


def test_the_limit_of_what_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = gzip.compress(json_lines(ROWS))
    file = write(tmp_path, {"a.jsonl.gz": content}) / "a.jsonl.gz"
    monkeypatch.setattr(compression, "_FREE_UNPACKED", len(json_lines(ROWS)) - 100 * len(content))
    assert len(examples(file)) == len(ROWS)
    monkeypatch.setattr(compression, "_FREE_UNPACKED", len(json_lines(ROWS)) - 100 * len(content) - 1)
    assert "unpacks to more than" in problem(file)


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "arrow"])
def test_a_shard_that_is_written_to_meanwhile(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shards(tmp_path / "data", kind)
    changed = folder / f"train-00001-of-00004.{kind}"
    find = split_records._hashes

    def hashed_before(found: Any) -> Any:
        hashes = find(found)
        changed.write_bytes(KINDS[kind](ROWS[350:351]))
        return hashes

    monkeypatch.setattr(split_records, "_hashes", hashed_before)
    assert f"{changed} changed while it was read" in problem(folder)


# --- Folders that datasets saved --------------------------------------------------------------------------------------


def state(folder: Path, **keys: Any) -> None:
    file = folder / "state.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **keys}))


@pytest.mark.fault("D1")
def test_damaged_folders_of_datasets(tmp_path: Path) -> None:
    saved = save(tmp_path / "saved", ROWS[:9])

    def copy(name: str) -> Path:
        return Path(shutil.copytree(saved, tmp_path / name))

    (lost := copy("lost") / "data-00001-of-00003.arrow").unlink()
    assert f"lacks {lost.name}, listed in its state.json" in problem(lost.parent)
    torn = copy("torn")
    (torn / "state.json").write_text('{"_data_files": [')
    assert "state.json: not JSON" in problem(torn)
    bare = copy("bare")
    (bare / "state.json").unlink()
    assert "has no state.json, so it was not saved whole" in problem(bare)
    for number, entries in enumerate(([], None, "data", [{"filename": 3}], ["a"], [{"filename": "a.csv"}])):
        state(listed := copy(f"listed{number}"), _data_files=entries)
        assert "does not list the Arrow files" in problem(listed)
    state(chosen := copy("chosen"), _indices_data_files=[{"filename": "indices.arrow"}])
    assert "chooses rows by an index" in problem(chosen)
    state(double := copy("double"), _data_files=[{"filename": "data-00000-of-00003.arrow"}] * 2)
    assert "lists a file twice" in problem(double)


@pytest.mark.fault("X4")
@pytest.mark.parametrize("name", ["../secret.arrow", "/etc/secret.arrow", "sub/secret.arrow", "..\\..\\x/secret.arrow"])
def test_a_folder_names_no_file_outside_of_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.arrow").write_bytes(arrow(ROWS))
    saved = save(tmp_path / "saved", ROWS[:9], num_shards=1)
    state(saved, _data_files=[{"filename": name}])
    sentence = problem(saved, IntegrityError)
    assert "not a plain name in its folder" in sentence
    done = tiny_run.call(tmp_path, "train", *tiny_run.FILES, "data.train_file=saved", "data.dev_file=saved", "name=a")
    assert (done.code, "not a plain name" in done.err) == (8, True)


@pytest.mark.fault("D1")
def test_a_folder_with_several_splits(tmp_path: Path) -> None:
    import datasets

    both = {name: datasets.Dataset.from_list(ROWS[:4]) for name in ("train", "validation")}
    datasets.DatasetDict(both).save_to_disk(str(tmp_path / "both"))
    sentence = problem(tmp_path / "both")
    assert f"holds the splits train, validation; give the folder of one, for example {tmp_path / 'both' / 'train'}" in (
        sentence
    )
    assert len(examples(tmp_path / "both" / "validation")) == 4
    shutil.rmtree(tmp_path / "both" / "train")
    shutil.rmtree(tmp_path / "both" / "validation")
    assert "no folder of a split beside it" in problem(tmp_path / "both")


def test_what_a_file_says_of_its_features_is_not_believed(tmp_path: Path) -> None:
    """A feature of `datasets` may be a picture at an address, which is opened when a row is read."""
    features = {"info": {"features": {"context": {"_type": "Image"}, "id": {"_type": "NoSuchType"}}}}
    for kind in ("parquet", "arrow"):
        found = table(ROWS[:4]).replace_schema_metadata({"huggingface": json.dumps(features)})
        (tmp_path / kind).mkdir()
        if kind == "parquet":
            pq.write_table(found, tmp_path / kind / "a.parquet")
        else:
            with pa.OSFile(str(tmp_path / kind / "a.arrow"), "wb") as sink, pa.ipc.new_stream(sink, found.schema) as to:
                to.write_table(found)
        assert [one.context for one in examples(tmp_path / kind)] == [row["context"] for row in ROWS[:4]]


# --- The library ------------------------------------------------------------------------------------------------------


def test_datasets_is_imported_for_tables_in_shards_alone(tmp_path: Path) -> None:
    """It takes a second, which a run on a file, and --help, do not pay."""
    one, many = tmp_path / "one.parquet", shards(tmp_path / "many", "parquet")
    one.write_bytes(parquet(ROWS))
    code = (
        "import sys, pathlib; from qaexp.data.pipeline import DataPipeline\n"
        "from qaexp.data.question_files import read_squad_file\n"
        "for name in sys.argv[1:]: read_squad_file(pathlib.Path(name)); print('datasets' in sys.modules)"
    )
    texts = shards(tmp_path / "texts", "jsonl", "gz")
    words = [sys.executable, "-c", code, str(one), str(texts), str(many)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "False", "True"]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_nothing_is_left_behind(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    (tmp_path / "temp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    before = datasets.logging.get_verbosity(), datasets.are_progress_bars_disabled()
    assert examples(shards(tmp_path / "data", kind))
    assert list((tmp_path / "temp").iterdir()) == []
    assert not (tmp_path / "cache").exists()
    assert (datasets.logging.get_verbosity(), datasets.are_progress_bars_disabled()) == before


def test_few_rows_are_unpacked_at_once_where_texts_are_long() -> None:
    for longest, rows in ((0, 2048), (5000, 2048), (2**20, 64), (2**30, 1)):
        shard = Surveyed(Path("a"), pa.schema([]), 10, longest)
        assert tables._rows_at_once([Surveyed(Path("b"), pa.schema([]), 10, 3), shard]) == rows


def test_parts_of_a_table_end_where_shards_do() -> None:
    shard = [Surveyed(Path(str(size)), pa.schema([]), size, 0) for size in (2, 0, 3, 0)]
    given = [pa.table({"a": list(range(5))}).slice(0, 4), pa.table({"a": [4]})]
    found = [(one.path.name, done, part["a"].to_pylist()) for one, done, part in tables._parts(iter(given), shard)]
    assert found == [("2", 0, [0, 1]), ("3", 0, [2, 3]), ("3", 2, [4])]
    for sizes, word in (((2, 2), "more"), ((2, 4), "fewer"), ((2, 3, 1), "fewer")):
        wrong = [Surveyed(Path("a"), pa.schema([]), size, 0) for size in sizes]
        with pytest.raises(ValueError, match=f"there are {word} rows"):
            list(tables._parts(iter(given), wrong))
