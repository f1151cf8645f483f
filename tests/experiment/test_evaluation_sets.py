"""`data.test_files`: each set is answered once, by the kept weights, and its scores are all that a run has beside."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from statistics import fmean

import pytest

from qaexp.runs.metrics import NUMBERS, number_of, of_a_set
from qaexp.storage.evaluation_sets import is_set_name, split_of, table_of
from tests.fixtures import tiny_run

SETS = {"bio": (6, 3), "news": (4, 0)}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of a run; the questions of its sets are asked nowhere else."""
    folder = tmp_path_factory.mktemp("work")
    for name, counts in {"train": (12, 6), "dev": (8, 4), "test": (5, 2), **SETS}.items():
        file = tiny_run.write_squad(folder / f"{name}.json", *counts)
        file.write_text(file.read_text().replace("born?", f"born, asks {name}?").replace("father", f"{name} father"))
    return folder


def words(work: Path) -> list[str]:
    files = tiny_run.files_of(work / "train.json", work / "dev.json")
    return [*tiny_run.FILES, *files, "trainer.epochs=2", "trainer.keep=best", "optimizer.lr=3e-3"]


def given(work: Path, *names: str) -> str:
    inside = ", ".join(f"{name}: {work / name}.json" for name in names)
    return f"data.test_files={{{inside}}}"


@pytest.fixture(scope="module")
def run(work: Path) -> Path:
    return tiny_run.train(work, "sets", *words(work), given(work, *SETS), f"data.test_file={work / 'test.json'}")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_scored_as_a_test_file_is(work: Path, run: Path, name: str) -> None:
    summary, data = tiny_run.read_json(run / "summary.json"), tiny_run.read_json(run / "data.json")
    alone = tiny_run.train(work, f"alone-{name}", *words(work), f"data.test_file={work / name}.json")
    of_file = tiny_run.read_json(alone / "summary.json")
    found = {key: value for key, value in summary.items() if (own := of_a_set(key)) and own[0] == name}
    assert found == {f"test_{name}_{key[5:]}": value for key, value in of_file.items() if key.startswith("test_")}
    assert (run / table_of(name)).read_bytes() == (alone / "test_scores.csv").read_bytes()
    assert summary[f"test_{name}_f1"] == pytest.approx(fmean(float(row["f1"]) for row in rows_of(run / table_of(name))))
    one = tiny_run.read_json(alone / "data.json")
    split = split_of(name)
    for key in ("source", "sha256"):
        assert data[key][split] == one[key]["test"]
    assert data[f"{split}_ids"] == one["test_ids"]
    assert data["audit"][split] == one["audit"]["test"]
    assert data["audit"]["shared_with_train"][split]["questions"] == 0


def test_the_rest_of_the_run_is_that_of_one_without_sets(work: Path, run: Path) -> None:
    without = tiny_run.train(work, "without", *words(work))
    for name in ("scores.csv", "predictions.jsonl", "history.csv", "metrics.jsonl", "model/model.safetensors"):
        assert (run / name).read_bytes() == (without / name).read_bytes(), name
    one, other = (tiny_run.read_json(folder / "summary.json") for folder in (run, without))
    timed = ("seconds", "tokens_per_second", "mfu", "memory", "manifest")
    for key, value in other.items():
        assert value == one[key] or any(word in key for word in timed), key
    assert not (without / "test_sets").exists()


def test_no_sets_is_as_if_the_key_were_not_there(work: Path) -> None:
    ids = []
    for name, more in {"none": (), "set-to-null": ("data.test_files=null",), "empty": ("data.test_files={}",)}.items():
        run = tiny_run.train(work, name, *words(work), "trainer.epochs=1", *more)
        ids.append(tiny_run.read_json(run / "run.json")["run_id"])
    assert len(set(ids)) == 1


def test_the_identity_is_that_of_names_and_contents_not_of_places(work: Path, run: Path) -> None:
    def planned(value: str) -> str:
        folder = tiny_run.train(work, f"id{len(value)}", *words(work), "trainer.epochs=0", value)
        found: str = tiny_run.read_json(folder / "run.json")["run_id"]
        return found

    (work / "elsewhere.json").write_bytes((work / "bio.json").read_bytes())
    first = planned(given(work, "bio"))
    assert planned(f"data.test_files={{bio: {work / 'elsewhere.json'}}}") == first
    assert planned(f"data.test_files={{medicine: {work / 'elsewhere.json'}}}") != first


def test_what_a_run_shows_and_vouches_for(work: Path, run: Path) -> None:
    manifest = tiny_run.read_json(run / "MANIFEST.json")["files"]
    assert [name for name in manifest if "test" in name] == [
        "test_scores.csv",
        "test_sets/bio.csv",
        "test_sets/news.csv",
    ]
    done = tiny_run.call(work, "verify", str(run))
    assert done.code == 0, done.err
    shown = tiny_run.call(
        work, "train", "name=sets", *words(work), given(work, *SETS), f"data.test_file={work}/test.json"
    )
    lines = {line.partition(",")[0].strip(): line.split() for line in shown.out.splitlines() if ", default" in line}
    summary = tiny_run.read_json(run / "summary.json")
    assert f"{summary['test_bio_f1']:.1f}" in lines["set bio"]
    assert {"set bio", "set news", "test file"} <= set(lines)
    (run / "test_sets" / "bio.csv").write_text("changed")
    assert tiny_run.call(work, "verify", str(run)).code == 8


def test_every_legal_name_is_found_again_in_its_numbers() -> None:
    scores = ("exact", "f1", "has_ans_exact", "has_ans_f1", "no_ans_exact", "no_ans_f1", "gold_nll", "num_examples")
    parts = ("bio", "a", "f1", "exact", "no_ans", "gold", "num", "test", "has_ans", "best", "1")
    names = [*parts, *(f"{one}_{other}" for one in parts for other in parts), "best_epoch", "crossfit", "train"]
    for name in names:
        for score in scores:
            number = number_of(f"test_{name}_{score}")
            if is_set_name(name):
                assert of_a_set(number.name) == (name, score)
                assert number.unit == ("" if score == "num_examples" else NUMBERS[score].unit)
            else:
                assert (number.table == table_of(name)) is False


def test_sets_that_share_questions_with_training_are_flagged(work: Path) -> None:
    document = json.loads((work / "bio.json").read_text())
    document["data"].append(json.loads((work / "train.json").read_text())["data"][0])
    (work / "leaky.json").write_text(json.dumps(document))
    done = tiny_run.call(work, "train", "name=leaky", *words(work), given(work, "leaky", "news"))
    assert done.code == 0, done.err
    assert "leaky.json: 4 of 13 questions are also training questions" in done.out
    flags = [flag for flag in tiny_run.read_json(work / "outputs/leaky/run.json")["flags"] if "overlap" in flag["name"]]
    assert [flag["advice"].partition(" were")[0] for flag in flags] == ["4 of the 13 questions of leaky.json"]
    compared = tiny_run.call(work, "compare", str(work / "outputs/leaky"), str(work / "outputs/sets"), "--json")
    (sets,) = json.loads(compared.out)["sets"]
    assert sets["counted"] == ["news"] or not sets["counted"]
    assert "4 of the 13 questions of the set leaky were trained on" in json.dumps(sets["left_out"])
    refused = tiny_run.call(work, "compare", str(work / "outputs/leaky"), "--metric", "test_leaky_f1")
    assert refused.code == 2
    assert "4 of the 13 questions of the set leaky were trained on" in refused.err
