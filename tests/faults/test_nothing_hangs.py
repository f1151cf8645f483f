"""Small files that stand for endless ones: each is refused in a child that may use little time and memory.

The limits are far below what reading the input takes, and far above what refusing it takes: they cannot pass by luck.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoModelForQuestionAnswering

from qaexp.comparison.scores import ScoreReader
from qaexp.config.checks.whole import _checkpoint_limit
from qaexp.data.question_files import read_squad_file
from qaexp.model import Checkpoint
from qaexp.model.settings import model_settings
from qaexp.predictor import Predictor
from qaexp.reporting.figures import training_figures as figures
from qaexp.storage.reading import MAX_CELLS, MAX_NESTED, MAX_ROWS, MEBIBYTE, read_json, read_json_lines, read_table
from tests.fixtures import drill
from tests.fixtures.checkpoints import FAMILIES, TINY_FOLDER

pytestmark = pytest.mark.fault("H1")

SECONDS, BYTES = 20, 1024 * MEBIBYTE
MANY = 5_000_000
Read = Callable[[], Any]


def outcome(read: Read, note: Path) -> str:
    """What comes of reading, in a child whose processor time and address space end soon."""

    def work() -> int:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        spent = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
        resource.setrlimit(resource.RLIMIT_AS, (size + BYTES, -1))
        resource.setrlimit(resource.RLIMIT_CPU, (spent + SECONDS, spent + SECONDS + 1))
        try:
            note.write_text(f"read: {read()!r:.100}")
        except Exception as error:
            note.write_text(f"{type(error).__name__}: {error}")
        return 0

    code = drill.in_child(work)
    return note.read_text() if code == 0 else f"the child ended with {code}"


def same(value: Any, kind: Any = None) -> pa.Array:
    """Millions of times the same value, in an array that packs to nothing."""
    return pa.DictionaryArray.from_arrays(np.zeros(MANY, np.int8), pa.array([value], kind)).cast(kind or pa.string())


def parquet(path: Path, **columns: Any) -> Read:
    whole = {"id": ["a"], "context": ["x"], "question": ["q"], "answers": pa.array([[]], pa.list_(pa.string()))}
    pq.write_table(pa.table({**whole, **columns}), path, compression="zstd")
    assert path.stat().st_size < 200_000
    return lambda: read_squad_file(path)


def stream(path: Path, table: pa.Table, compression: str | None = None) -> Read:
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return lambda: read_squad_file(path)


def rows_without_columns(folder: Path) -> Read:
    path = folder / "a.parquet"
    pq.write_table(pa.table({"id": same("0"), "context": same("In Rome ")}), path, compression="zstd")
    return lambda: read_squad_file(path)


def rows_of_all_columns(folder: Path) -> Read:
    none = pa.ListArray.from_arrays(np.zeros(MANY + 1, np.int32), pa.array([], pa.string()))
    return parquet(folder / "a.parquet", id=same("0"), context=same("x"), question=same("q"), answers=none)


def answers_of_one_row(folder: Path) -> Read:
    inner = pa.StructArray.from_arrays([same("a"), pa.array(np.zeros(MANY, np.int32))], ["text", "answer_start"])
    return parquet(folder / "a.parquet", answers=pa.ListArray.from_arrays(np.array([0, MANY], np.int32), inner))


def text_that_packs(folder: Path) -> Read:
    return parquet(folder / "a.parquet", context=["x" * 200 * MEBIBYTE])


def plain_table(**columns: Any) -> pa.Table:
    answers = pa.array([[]], pa.list_(pa.string()))
    return pa.table({"id": ["a"], "context": ["x"], "question": ["q"], "answers": answers, **columns})


def rows_of_nothing(folder: Path) -> Read:
    nothing = dict.fromkeys(("id", "context", "question", "answers"), pa.nulls(10**9))
    return stream(folder / "a.arrow", pa.table(nothing))


def rows_of_one_byte(folder: Path) -> Read:
    one = pa.DictionaryArray.from_arrays(np.zeros(MANY, np.int8), ["a" * 5000])
    return stream(folder / "a.arrow", pa.table({"id": one, "context": one, "question": one, "answers": pa.nulls(MANY)}))


def runs(folder: Path) -> Read:
    run = pa.RunEndEncodedArray.from_arrays(pa.array([MANY], pa.int32()), pa.array(["a"]))
    return stream(folder / "a.arrow", pa.table(dict.fromkeys(("id", "context", "question", "answers"), run)))


def arrow_file(folder: Path) -> Read:
    with pa.OSFile(str(folder / "a.arrow"), "wb") as sink, pa.ipc.new_file(sink, plain_table().schema) as writer:
        writer.write_table(plain_table())
    return lambda: read_squad_file(folder / "a.arrow")


def views(folder: Path) -> Read:
    one = pa.array(["a"], pa.string_view())
    return stream(folder / "a.arrow", plain_table(context=one))


def text_file(name: str, text: Callable[[], str]) -> Callable[[Path], Read]:
    def make(folder: Path) -> Read:
        (folder / name).write_text(text())
        return lambda: read_squad_file(folder / name)

    return make


def sparse_file(folder: Path) -> Read:
    with (folder / "a.json").open("wb") as file:
        file.truncate(100 * 2**30)
    return lambda: read_squad_file(folder / "a.json")


def wide(text: str, count: int) -> str:
    answers = {"text": [], "answer_start": []}
    row = json.dumps([{"id": "a", "context": "Paris", "question": "q", "answers": answers}])
    return row.replace("[]", f"[{','.join([text] * count)}]", 1).replace("[]", f"[{','.join(['0'] * count)}]", 1)


DATA: dict[str, tuple[Callable[[Path], Read], str]] = {
    "rows without columns": (
        rows_without_columns,
        "DataError: *: found: id, context; needed: id, context, question, answers",
    ),
    "rows of all columns": (rows_of_all_columns, "a.parquet has * bytes and says that it holds 5,000,000 rows"),
    "answers of one row": (answers_of_one_row, "up to 5,000,000 values in a column"),
    "a text that packs": (text_that_packs, "says that it unpacks to 200 MiB"),
    "a compressed stream": (
        lambda folder: stream(folder / "a.arrow", plain_table(context=["x" * 200 * MEBIBYTE]), "zstd"),
        "a.arrow has compressed batches",
    ),
    "rows of nothing": (rows_of_nothing, "says that it holds 1,000,000,000 rows"),
    "rows of one byte": (rows_of_one_byte, "says that it holds 5,000,000 rows"),
    "runs": (runs, "a.arrow has the column id of the type run_end_encoded"),
    "views": (views, "a.arrow has the column context of the type string_view"),
    "faulty lines": (
        text_file("a.jsonl", lambda: '{"context": 1, "question": 1, "answers": 1}\n' * 400_000),
        "more than 10,000 faults, of which the first 20",
    ),
    "a line without end": (text_file("a.jsonl", lambda: "[" * 70 * MEBIBYTE), "line 1 has 70 MiB"),
    "a key given twice": (
        text_file("a.json", lambda: "{" + "".join(f'"{n}":0,' for n in range(200_000)) + '"199999":0}'),
        "has the key '199999' more than once",
    ),
    "a number of many digits": (text_file("a.json", lambda: "9" * MEBIBYTE), "refused: a number has too many digits;"),
    "a file that is no stream": (arrow_file, "it is an Arrow file, not a stream: write it by pyarrow.ipc.new_stream"),
    "brackets": (text_file("a.json", lambda: "[" + "[]," * 20_000_000 + "[]]"), "20,000,002 lists and objects in"),
    "answers of one question": (
        text_file("a.json", lambda: wide('"Paris"', 1_000_000)),
        "answers has 1,000,000 of them, it may have 10,000",
    ),
    "dates that Python does not know": (
        lambda folder: stream(folder / "a.arrow", plain_table(title=pa.array([2**30], pa.date32()))),
        "a.arrow has the column title of the type date32",
    ),
    "times of another planet": (
        lambda folder: parquet(folder / "a.parquet", title=pa.array([0], pa.timestamp("us", tz="Mars/Phobos"))),
        "a.parquet has the column title of the type timestamp[us, tz=Mars/Phobos]",
    ),
    "a file of holes": (sparse_file, "a.json has 100.0 GiB, and a data file may have 4"),
}


def holds(found: str, wanted: str) -> bool:
    """Whether the parts of a sentence between stars follow each other in another."""
    place = 0
    for part in wanted.split("*"):
        place = found.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True


@pytest.mark.case("parquet_of_many_rows")
@pytest.mark.parametrize("case", DATA)
def test_a_data_file_claims_more_than_it_has(tmp_path: Path, case: str) -> None:
    make, wanted = DATA[case]
    found = outcome(make(tmp_path), tmp_path / "note")
    assert holds(found, wanted), found


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_honest_columns_pass_the_limits(tmp_path: Path, suffix: str) -> None:
    """Few bytes a row, long texts, many answers, dictionaries: what real corpora have."""
    texts = ["Paris is large. " * 20_000, "Paris is old."]
    count = 3000
    table = pa.table(
        {
            "id": [f"{n:06d}" for n in range(count)],
            "context": pa.array([texts[n // (count // 2)] for n in range(count)]).dictionary_encode(),
            "question": ["What is Paris?"] * count,
            "answers": [{"text": ["Paris"] * 50, "answer_start": [0] * 50}] * count,
        }
    )
    path = tmp_path / f"a{suffix}"
    if suffix == ".parquet":
        pq.write_table(table, path, compression="zstd")
    else:
        stream(path, table)
    examples = read_squad_file(path).examples
    assert len(examples) == count
    assert len({id(example.context) for example in examples}) == 2


def model(folder: Path, family: str = "bert", **keys: Any) -> Path:
    AutoModelForQuestionAnswering.from_config(FAMILIES[family]).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TINY_FOLDER / name, folder / name)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **keys}))
    return folder


MODELS: dict[str, tuple[dict[str, Any], str]] = {
    "layers": ({"num_hidden_layers": 10**6}, "IntegrityError: * num_hidden_layers=1000000, it may be at most 10000"),
    "layers within the limit": ({"num_hidden_layers": 9999}, "IntegrityError: * and "),
    "hidden": ({"hidden_size": 2**22}, "Error: * describes a model of * parameters or more"),
    "words": ({"vocab_size": 2**31 - 1}, "Error: * describes a model of * parameters or more"),
    "positions": ({"max_position_embeddings": 2**30}, "IntegrityError: * max_position_embeddings=1073741824"),
    "intermediate": ({"intermediate_size": 2**31 - 1}, "Error: * describes a model of * parameters or more"),
    "labels": ({"num_labels": 10**9}, "IntegrityError: * num_labels=1000000000, it may be at most 10000"),
    "heads": ({"num_attention_heads": 2**31 - 1}, "ConfigError: * no model can be built of its config.json"),
    "a number of many digits": ({"hidden_size": 10**4000}, "hidden_size=a number of about "),
}


@pytest.mark.parametrize("random_weights", [True, False])
@pytest.mark.parametrize("case", MODELS)
def test_a_config_describes_a_model_without_end(tmp_path: Path, case: str, random_weights: bool) -> None:
    keys, wanted = MODELS[case]
    folder = model(tmp_path / "model", **keys)
    load = Checkpoint(checkpoint=str(folder), random_weights=random_weights).load
    found = outcome(lambda: load(seed=0), tmp_path / "note")
    assert holds(found, wanted), found


def test_tables_of_sines_have_a_limit(tmp_path: Path) -> None:
    keys = {"sinusoidal_pos_embds": True, "max_position_embeddings": 2**20}
    folder = model(tmp_path / "model", "distilbert", **keys)
    load = Checkpoint(checkpoint=str(folder), random_weights=True).load
    found = outcome(lambda: load(seed=0), tmp_path / "note")
    assert "max_position_embeddings=1048576, it may be at most 16384" in found


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ((2**63).to_bytes(8, "little"), "are no safetensors file"),
        ((100 * MEBIBYTE).to_bytes(8, "little"), "its header has 100 MiB, more than the 8 allowed"),
        ((7 * MEBIBYTE).to_bytes(8, "little") + b"[" * 7 * MEBIBYTE, "nested too deeply"),
    ],
)
def test_weights_of_holes(tmp_path: Path, content: bytes, wanted: str) -> None:
    folder = model(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(content)
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(2**30)
    found = outcome(Checkpoint(checkpoint=str(folder)).fingerprint, tmp_path / "note")
    assert wanted in found
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(2**42)
    found = outcome(Checkpoint(checkpoint=str(folder)).fingerprint, tmp_path / "note")
    assert found.startswith("ConfigError")
    assert "its weights take 4,096.0 GiB" in found


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "qaexp.json"])
def test_a_pipe_in_a_model_folder_is_never_waited_for(tmp_path: Path, name: str) -> None:
    folder = model(tmp_path / "model")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    found = outcome(lambda: Predictor(folder), tmp_path / "note")
    assert "the child ended" not in found
    assert found.startswith("read: ") == (name == "qaexp.json"), found
    checked = outcome(lambda: _checkpoint_limit(str(folder)), tmp_path / "note")
    assert checked == ("read: None" if name == "config.json" else "read: 512")


@pytest.mark.parametrize("content", ["[" * 200_000, "[1]", "9" * 5000, '{"max_length": ' + " " * 130 * MEBIBYTE + "1}"])
def test_settings_of_a_model_are_bounded(tmp_path: Path, content: str) -> None:
    (tmp_path / "qaexp.json").write_text(content)
    found = outcome(lambda: model_settings(tmp_path), tmp_path / "note")
    assert found.startswith(("ConfigError", "IntegrityError")), found


def table(path: Path) -> Any:
    return read_table(path, ("probe_",))


RUNS: dict[str, tuple[Callable[[Path], Any], Callable[[], str], str]] = {
    "steps": (read_json_lines, lambda: '{"step":1}\n' * (MAX_ROWS + 1), "2,000,001 rows, more than the 2,000,000"),
    "a record without end": (read_json_lines, lambda: "[" * 17 * MEBIBYTE, "line 1 has 17 MiB, more than the 16"),
    "rows": (table, lambda: "a\n" * (MAX_ROWS + 1), "2,000,001 rows, more than the 2,000,000"),
    "columns": (table, lambda: "," * (MAX_CELLS + 1), "cells, more than the 30,000,000 allowed"),
    "a cell without end": (table, lambda: "a\n" + "x" * MEBIBYTE, "field larger than field limit"),
    "lists": (read_json, lambda: '{"a":[' + "[]," * MAX_NESTED + "[]]}", "lists and objects, more than the 5,000,000"),
    "depth": (read_json, lambda: '{"a":' + "[" * 1_000_000, "nested too deeply"),
    "digits": (read_json, lambda: '{"a":' + "9" * MEBIBYTE + "}", "not JSON: a number has too many digits"),
}


@pytest.mark.parametrize("case", RUNS)
def test_a_file_of_a_run_has_no_end(tmp_path: Path, case: str) -> None:
    read, text, wanted = RUNS[case]
    (tmp_path / "file").write_text(text())
    found = outcome(lambda: read(tmp_path / "file"), tmp_path / "note")
    assert found.startswith("IntegrityError"), found
    assert wanted in found


def test_scores_of_too_many_cells(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("," * (MAX_CELLS + 1))
    run = type("Run", (), {"path": tmp_path})()
    found = outcome(lambda: ScoreReader().read(run), tmp_path / "note")
    assert found.startswith("IntegrityError"), found
    assert "cells, more than the" in found


def test_very_many_steps_are_drawn_from_few_points() -> None:
    """Pictures take as long as those of a short run, and show the same: ends and extremes are kept."""
    steps = [{"step": n, "loss": 2.0 + n % 7 / 10, "learning_rate": 1e-4} for n in range(1, 300_001)]
    steps[123_456]["loss"], steps[254_321]["loss"] = 50.0, 0.25
    history = [{"epoch": n, "step": n, "train_loss": 1.0} for n in range(1, 100_001)]
    for figure in (figures.loss(steps, history, "run"), figures.learning_rate(steps, history, "run")):
        assert figure is not None
        axes = figure.axes[0]
        assert sum(len(line.get_xdata()) for line in axes.lines) < 4 * figures.MAX_POINTS
        assert len(axes.lines) < 50
        drawn = axes.lines[0].get_xdata()
        assert (drawn[0], drawn[-1]) == (1, 300_000)
    loss = figures.loss(steps, history, "run")
    assert loss is not None
    heights = loss.axes[0].lines[0].get_ydata()
    assert (max(heights), min(heights)) == (50.0, 0.25)
    few = [(float(n), float(n % 3)) for n in range(figures.MAX_POINTS)]
    assert figures.thinned(few) == few


def test_a_mean_of_many_is_the_mean() -> None:
    rng = np.random.default_rng(0)
    points = [(n, float(value)) for n, value in enumerate(rng.normal(size=figures.MAX_POINTS + 1))]
    found = figures.running_mean(points, 100)
    assert [x for x, _ in found] == list(range(99, figures.MAX_POINTS + 1))
    wanted = [np.mean([value for _, value in points[x - 99 : x + 1]]) for x, _ in found]
    assert np.allclose([mean for _, mean in found], wanted)
