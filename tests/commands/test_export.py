"""`qaexp export`: a run becomes a folder that other programs load; it is checked, judged, and whole or not there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from qaexp.export import combined, graphs, one_export
from qaexp.export.needs import FORMATS
from qaexp.model.folder import hash_file
from qaexp.predictor import Predictor
from qaexp.storage.room import shown_bytes
from tests.fixtures import tiny_run

pytest.importorskip("onnxruntime", reason="needs the extra export: pip install -e '.[export]'")

WORDS = ("trainer.epochs=1", "optimizer.lr=1e-3")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data of all runs."""
    folder = tmp_path_factory.mktemp("work")
    tiny_run.write_squad(folder / "train.json", 12, 4)
    tiny_run.write_squad(folder / "dev.json", 26, 14)
    return folder


def train(work: Path, name: str, *words: str) -> Path:
    files = tiny_run.files_of(work / "train.json", work / "dev.json")
    return tiny_run.train(work, name, *tiny_run.FILES, *files, *WORDS, *words)


@pytest.fixture(scope="module")
def run(work: Path) -> Path:
    return train(work, "one")


@pytest.fixture(scope="module")
def seeds(work: Path) -> list[Path]:
    """Three runs of one config; they begin with the same weights, and hardly leave them."""
    words = ("seeds.init=0", "optimizer.lr=1e-6")
    return [train(work, f"seed-{seed}", f"seed={seed}", *words) for seed in range(3)]


def exported(to: Path, *words: str | Path) -> dict[str, Any]:
    """Export, which must succeed; returns what is printed with --json."""
    done = tiny_run.call(to.parent, "export", *map(str, words), "--to", str(to), "--json")
    assert done.code == 0, done.err
    document: dict[str, Any] = json.loads(done.out)
    assert document == tiny_run.read_json(to / "export.json")
    return document


@pytest.fixture(scope="module")
def folders(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The run in each format, by its name."""
    place = tmp_path_factory.mktemp("exports of a run")
    for format in FORMATS:
        exported(place / format, run, "--format", format)
    exported(place / "int8", run, "--format", "onnx", "--quantize", "int8")
    return {path.name: path for path in place.iterdir()}


def refused(place: Path, code: int, *words: str | Path) -> str:
    """Export, which must fail and leave nothing; returns its sentence."""
    before = sorted(place.rglob("*"))
    done = tiny_run.call(place, "export", *map(str, words))
    assert done.code == code, done.err
    assert sorted(place.rglob("*")) == before
    assert "Traceback" not in done.err
    return done.last_line


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_answers_every_dev_question_as_its_run(format: str, run: Path, folders: dict[str, Path]) -> None:
    records = tiny_run.read_lines(run / "predictions.jsonl")
    contexts = tiny_run.read_json(run / "contexts.json")
    pairs = [(record["question"], contexts[record["paragraph"]]) for record in records]
    theirs = Predictor(run, device="cpu", precision="fp32").answer_all(pairs)
    ours = Predictor(folders[format]).answer_all(pairs)
    assert [answer.answer for answer in ours] == [answer.answer for answer in theirs]
    assert [answer.start_char for answer in ours] == [answer.start_char for answer in theirs]
    document = tiny_run.read_json(folders[format] / "export.json")
    assert document["num_equal_answers"] == document["num_questions"] == len(records)
    assert document["verdict"].startswith("answers on all 40 questions equal")
    assert document["judged"][0]["verdict"] == "equal"
    summary = tiny_run.read_json(run / "summary.json")
    for name in ("exact", "f1", "crossfit_f1", "has_ans_f1"):
        assert document["metrics"][name] == pytest.approx(summary[name], abs=1e-9)


@pytest.mark.parametrize(
    ("format", "files"),
    [
        ("hf", {"model.safetensors"}),
        ("onnx", {"model.onnx", "model.onnx.data"}),
        ("int8", {"model.onnx", "model.onnx.data"}),
        ("openvino", {"openvino_model.xml", "openvino_model.bin"}),
    ],
)
def test_a_folder_holds_what_its_format_needs_and_says_what(
    format: str, files: set[str], run: Path, folders: dict[str, Path]
) -> None:
    folder = folders[format]
    always = {"README.md", "config.json", "export.json", "qaexp.json", "tokenizer.json", "tokenizer_config.json"}
    assert {path.name for path in folder.iterdir()} == always | files
    document = tiny_run.read_json(folder / "export.json")
    assert document["files"].keys() == always - {"README.md", "export.json"} | files
    for name, stated in document["files"].items():
        assert stated == {"bytes": (folder / name).stat().st_size, "sha256": hash_file(folder / name)}
    assert document["run_ids"] == [tiny_run.read_json(run / "run.json")["run_id"]]
    assert document["verdict"] in (folder / "README.md").read_text("utf-8")
    settings, stored = tiny_run.read_json(folder / "qaexp.json"), tiny_run.read_json(run / "model" / "qaexp.json")
    assert {key: settings[key] for key in stored} == stored | {"null_threshold": document["null_threshold"]}
    assert settings["exported"] is True
    assert "exported" not in stored
    assert settings.get("format") == (None if format == "hf" else document["format"])


def test_transformers_loads_the_folder_and_nothing_is_left_of_where_it_came_from(
    run: Path, folders: dict[str, Path]
) -> None:
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    ours, theirs = (AutoModelForQuestionAnswering.from_pretrained(path) for path in (folders["hf"], run / "model"))
    weights = theirs.state_dict()
    assert weights.keys() == ours.state_dict().keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in ours.state_dict().items())
    for folder in folders.values():
        stored = tiny_run.read_json(folder / "tokenizer_config.json")
        assert not stored.keys() & {"max_length", "stride", "truncation_strategy", "local_files_only", "name_or_path"}
        assert stored["model_max_length"] == ours.config.max_position_embeddings
        words = AutoTokenizer.from_pretrained(folder)("Who?", "Anna " * 70)
        assert words == AutoTokenizer.from_pretrained(run / "model")("Who?", "Anna " * 70)


@pytest.mark.parametrize("format", ["onnx", "int8", "openvino"])
def test_a_graph_takes_batches_of_any_size_and_length(format: str, run: Path, folders: dict[str, Path]) -> None:
    graph, model = Predictor(folders[format]).loaded.model, Predictor(run, precision="fp32").loaded.model
    generator = torch.Generator().manual_seed(0)
    for size, length in ((1, 1), (1, 7), (5, 64), (7, 3)):
        ids = torch.randint(5, 1000, (size, length), generator=generator)
        mask = torch.ones_like(ids)
        mask[size // 2, length // 2 + 1 :] = 0
        real = mask.bool().numpy()
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
        start, end = graph.run({name: inputs[name].numpy() for name in graph.input_names})
        with torch.inference_mode():
            output = model(**inputs)
        allowed = 0.1 if format == "int8" else 1e-5
        np.testing.assert_allclose(start[real], output.start_logits.numpy()[real], atol=allowed)
        np.testing.assert_allclose(end[real], output.end_logits.numpy()[real], atol=allowed)


def test_the_threshold_of_int8_is_tuned_with_its_own_logits(run: Path, folders: dict[str, Path]) -> None:
    """Dev questions are answered again with the folder: the threshold that comes of it is the one that it holds."""
    done = tiny_run.call(
        run.parent, "evaluate", str(folders["int8"]), "--data", str(run.parents[1] / "dev.json"), "--json"
    )
    found = json.loads(done.out)["null_threshold"]
    assert tiny_run.read_json(folders["int8"] / "qaexp.json")["null_threshold"] == found
    assert found != tiny_run.read_json(run / "summary.json")["null_threshold"]
    verdict = tiny_run.read_json(folders["int8"] / "export.json")["verdict"]
    assert re.search(r"; \d+\.\d x as fast as the run in torch fp32 \(\d+ threads?\b", verdict)
    speed = tiny_run.read_json(folders["int8"] / "export.json")["speed"]
    assert verdict.endswith(f"as fast as {speed['baseline']} ({speed['measured_with']})")


def test_what_is_said_at_the_end(run: Path, tmp_path: Path) -> None:
    to = tmp_path / "an export"
    done = tiny_run.call(tmp_path, "export", str(run), "--format", "hf", "--to", str(to))
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{to}  hf · a run · ")
    assert "  answers on all 40 questions equal" in lines
    assert lines[-1] == f"next: qaexp answer '{to}' -q QUESTION -c TEXT"
    assert tiny_run.call(tmp_path, "answer", str(to), "-q", "Who?", "-c", "Anna was born in Rome.").code == 0


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "link"])
def test_what_is_there_is_never_written_over(kind: str, run: Path, tmp_path: Path) -> None:
    to = tmp_path / "there"
    if kind == "link":
        to.symlink_to("nowhere")
    elif kind == "file":
        to.write_text("mine")
    else:
        to.mkdir()
        if kind == "folder":
            (to / "mine").write_text("mine")
    assert f"--to {to} is there already" in refused(tmp_path, 2, run, "--format", "hf", "--to", to)


def test_what_appears_meanwhile_is_never_written_over(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to, made = tmp_path / "new", one_export.card_files

    def late(*given: Any) -> Any:
        to.mkdir()
        (to / "mine").write_text("mine")
        return made(*given)

    monkeypatch.setattr(one_export, "card_files", late)
    done = tiny_run.call(tmp_path, "export", str(run), "--format", "hf", "--to", str(to))
    assert (done.code, [path.name for path in tmp_path.rglob("*")]) == (2, ["new", "mine"])
    assert f"{to} appeared there in the meantime, and nothing was written over it" in done.last_line


def test_of_two_exports_to_the_same_place_the_second_is_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to, made, second = tmp_path / "new", one_export.card_files, []

    def slow(*given: Any) -> Any:
        monkeypatch.undo()
        second.append(tiny_run.call(tmp_path, "export", str(run), "--format", "hf", "--to", str(to)))
        return made(*given)

    monkeypatch.setattr(one_export, "card_files", slow)
    exported(to, run, "--format", "hf")
    assert [done.code for done in second] == [4]
    assert f"{to}: another process is writing this folder" in second[0].last_line
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_run_is_only_read(run: Path, tmp_path: Path) -> None:
    before = tiny_run.snapshot(run)
    assert "lies among the results" in refused(tmp_path, 2, run, "--format", "hf", "--to", run / "export")
    assert "lies among the results" in refused(tmp_path, 2, run, "--format", "hf", "--to", run)
    assert tiny_run.snapshot(run) == before


def test_a_place_where_nothing_can_be_made_is_named_as_it_was_given(run: Path, tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to("nowhere")
    to = tmp_path / "gone" / "new"
    sentence = refused(tmp_path, 2, run, "--format", "hf", "--to", to)
    assert f"--to {to}: {tmp_path / 'gone'} is a link that leads nowhere" in sentence
    assert ".tmp-" not in sentence
    for empty in ("", " "):
        assert "--to: is empty; give the path" in refused(tmp_path, 2, run, "--format", "hf", "--to", empty)
    assert "--to - is no name of a folder" in refused(tmp_path, 2, run, "--format", "hf", "--to", "-")


@pytest.mark.parametrize("name", ["sweep.json", "plan.json", "sweep.csv"])
def test_a_folder_in_a_sweep_would_be_taken_for_a_run_of_it(name: str, run: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_text("{}")
    for to in ("new", "above/new"):
        sentence = refused(tmp_path, 2, run, "--format", "hf", "--to", to)
        assert f"--to {to} lies in the sweep {tmp_path}" in sentence


def test_small_files_have_a_size(run: Path, tmp_path: Path) -> None:
    done = tiny_run.call(tmp_path, "export", str(run), "--format", "hf", "--to", "new")
    sizes = sorted((path.stat().st_size for path in (tmp_path / "new").iterdir()), reverse=True)
    assert re.search(rf"^ +{re.escape(shown_bytes(sizes[0]))}  ", done.out, re.MULTILINE)
    assert " 0.0 " not in done.out


def test_what_does_not_go_together_is_refused(run: Path, tmp_path: Path) -> None:
    to = ("--to", tmp_path / "new")
    assert "--quantize int8 is of --format onnx" in refused(
        tmp_path, 2, run, *to, "--format", "hf", "--quantize", "int8"
    )
    assert "--quantize" in refused(tmp_path, 2, run, *to, "--format", "openvino", "--quantize", "int8")
    assert "holds one model" in refused(tmp_path, 2, run, *to, "--format", "hf", "--ensemble")
    assert "there is one run" in refused(tmp_path, 2, run, *to, "--format", "hf", "--best")
    assert "not allowed with" in refused(tmp_path, 2, run, *to, "--format", "hf", "--best", "--soup")
    assert "--private is of --push" in refused(tmp_path, 2, run, *to, "--format", "hf", "--private")
    assert "is no name of a repository" in refused(tmp_path, 2, run, *to, "--format", "hf", "--push", "me")


def test_a_type_of_model_that_cannot_be_written_is_named(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def export(self, *_: object) -> Any:
            raise RuntimeError("Could not guard on data-dependent expression\nmore lines")

    monkeypatch.setattr(graphs, "_exporter", lambda *_: (Failing(), None))
    sentence = refused(tmp_path, 2, run, "--format", "onnx", "--to", tmp_path / "new")
    assert "--format onnx: a model of the type bert cannot be written" in sentence
    assert "(RuntimeError: Could not guard on data-dependent expression); --format hf holds every model" in sentence


def test_packages_that_do_not_fit_together_are_no_fault_of_the_model(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise ModuleNotFoundError("No module named 'openvino.frontend.pytorch.torchdynamo.export_decompositions'")

    monkeypatch.setattr(graphs, "import_module", fail)
    sentence = refused(tmp_path, 2, run, "--format", "openvino", "--to", tmp_path / "new")
    assert "cannot be imported with the packages installed here" in sentence
    assert sentence.endswith("pip install -U 'qaexp[export]'")


def test_a_graph_that_computes_something_else_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_graph = graphs.write_graph

    def spoilt(model: torch.nn.Module, *rest: Any) -> None:
        with torch.no_grad():
            model.qa_outputs.bias += 1.0
            write_graph(model, *rest)
            model.qa_outputs.bias -= 1.0

    monkeypatch.setattr("qaexp.export.folder.write_graph", spoilt)
    sentence = refused(tmp_path, 8, run, "--format", "openvino", "--to", tmp_path / "new")
    assert "the logits of the exported graph differ by up to 1 from those of torch" in sentence


def test_only_a_completed_run_that_is_whole_is_exported(run: Path, tmp_path: Path) -> None:
    to = ("--format", "hf", "--to", tmp_path / "new")
    assert "is a model folder, not a run directory" in refused(tmp_path, 2, run / "model", *to)
    assert "nothing there" in refused(tmp_path, 2, tmp_path / "nothing", *to)
    half = tmp_path / "half"
    shutil.copytree(run, half)
    (half / "summary.json").unlink()
    assert "not completed" in refused(tmp_path, 2, half, *to)
    for name in ("model/model.safetensors", "predictions.jsonl", "scores.csv", "model/qaexp.json"):
        damaged = tmp_path / "damaged"
        shutil.copytree(run, damaged)
        content = bytearray((damaged / name).read_bytes())
        content[len(content) // 2] ^= 1
        (damaged / name).write_bytes(content)
        assert name in refused(tmp_path, 8, damaged, *to)
        shutil.rmtree(damaged)


def test_several_runs_need_a_word_for_what_is_made_of_them(seeds: list[Path], run: Path, tmp_path: Path) -> None:
    to = ("--format", "hf", "--to", tmp_path / "new")
    assert "3 runs, and an export holds one model" in refused(tmp_path, 2, *seeds, *to)
    assert "3 runs, and an export holds one model" in refused(tmp_path, 2, *seeds, *to)
    sentence = refused(tmp_path, 2, *seeds, run, *to, "--soup")
    assert "these 4 runs are of 2, which differ in optimizer.lr" in sentence


def test_the_best_of_several_seeds_is_exported(seeds: list[Path], tmp_path: Path) -> None:
    best = tiny_run.call(tmp_path, "best", *map(str, seeds)).out.strip()
    document = exported(tmp_path / "new", *seeds, "--format", "hf", "--best")
    assert document["made_of"] == "the best of 3 seeds"
    assert document["run_ids"] == [tiny_run.read_json(Path(best) / "run.json")["run_id"]]


def test_averaged_weights_are_the_mean_and_are_judged_against_the_seeds(seeds: list[Path], tmp_path: Path) -> None:
    document = exported(tmp_path / "new", *seeds, "--format", "hf", "--soup")
    assert document["made_of"] == "the averaged weights of 3 seeds"
    assert len(document["run_ids"]) == 3
    assert [one["against"] for one in document["judged"]] == ["the mean of its seeds", "the best of them"]
    assert document["verdict"].startswith("soup: ")
    several = [Predictor(path, precision="fp32").loaded.model.state_dict() for path in (*seeds, tmp_path / "new")]
    for name, averaged in several[3].items():
        mean = np.mean([state[name].numpy() for state in several[:3]], axis=0, dtype=np.float64)
        np.testing.assert_allclose(averaged.numpy(), mean, rtol=1e-6, atol=1e-9)


def test_averaged_weights_that_lose_to_the_seeds_are_not_written(
    seeds: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soup = combined.soup

    def spoilt(several: Any) -> Any:
        made = soup(several)
        with torch.no_grad():
            made.model.qa_outputs.weight *= -1.0
        return made

    monkeypatch.setattr(combined, "soup", spoilt)
    sentence = refused(tmp_path, 2, *seeds, "--format", "hf", "--soup", "--to", tmp_path / "new")
    assert "the averaged weights of seed-0, seed-1, seed-2 score less than these do on average: -" in sentence
    assert "against the mean of its seeds" in sentence
    assert sentence.endswith("take --best or --ensemble")


@pytest.fixture
def with_silent(seeds: list[Path], tmp_path: Path) -> list[Path]:
    """The seeds, the last of which answers nothing."""
    silent = tmp_path / "runs" / "silent"
    shutil.copytree(seeds[2], silent)
    record = tiny_run.read_json(silent / "run.json")
    (silent / "run.json").write_text(json.dumps({**record, "flags": [{"name": "null_collapse"}]}))
    return [*seeds[:2], silent]


@pytest.mark.parametrize(
    ("how", "made_of", "num_runs"),
    [("best", "the best of", 1), ("soup", "the averaged weights of", 2), ("ensemble", "an ensemble of", 2)],
)
def test_a_seed_that_answers_nothing_takes_no_part(
    with_silent: list[Path], tmp_path: Path, how: str, made_of: str, num_runs: int
) -> None:
    format = "openvino" if how == "ensemble" else "hf"
    words = (*map(str, with_silent), "--format", format, f"--{how}", "--to", "new")
    done = tiny_run.call(tmp_path, "export", *words)
    assert done.code == 0, done.err
    assert f"qaexp export: {with_silent[2]}: left out: it answers nothing as its flag says" in done.err.splitlines()
    assert "passed over" not in done.err
    made = f"{made_of} 2 seeds, without 1 that answers nothing"
    document = tiny_run.read_json(tmp_path / "new" / "export.json")
    ids = [tiny_run.read_json(path / "run.json")["run_id"] for path in with_silent[:2]]
    assert (document["made_of"], len(document["run_ids"])) == (made, num_runs)
    assert set(document["run_ids"]) <= set(ids)
    assert "no verdict" not in document["verdict"]
    assert made in done.out
    assert f"This is {made} (run" in (tmp_path / "new" / "README.md").read_text("utf-8")


def test_one_seed_that_answers_is_not_joined_with_silence(with_silent: list[Path], tmp_path: Path) -> None:
    words = (*with_silent[1:], "--to", tmp_path / "new", "--format", "hf")
    sentence = refused(tmp_path, 2, *words, "--soup")
    assert f"of these 2 only {with_silent[1]} does" in sentence
    assert f"{with_silent[2]}, answers nothing as its flag says; export that one alone" in sentence
    assert exported(tmp_path / "new", *words[:2], *words[4:], "--best")["made_of"].startswith("the best of 1 seed, ")


def test_an_ensemble_is_one_graph_whose_logits_are_the_mean(seeds: list[Path], tmp_path: Path) -> None:
    document = exported(tmp_path / "new", *seeds, "--format", "openvino", "--ensemble")
    assert document["made_of"] == "an ensemble of 3 seeds"
    assert document["verdict"].startswith("ensemble: ")
    assert "x as fast as its 3 seeds together in torch fp32 (" in document["verdict"]
    graph = Predictor(tmp_path / "new").loaded.model
    ids = torch.randint(5, 1000, (2, 9), generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    with torch.inference_mode():
        outputs = [Predictor(path, precision="fp32").loaded.model(**inputs).start_logits for path in seeds]
    start, _ = graph.run({name: inputs[name].numpy() for name in graph.input_names})
    np.testing.assert_allclose(start, torch.stack(outputs).mean(dim=0), atol=1e-5)
