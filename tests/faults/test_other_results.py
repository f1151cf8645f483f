"""Results of other programs that are not those of the gold questions get no score, and nobody is ranked."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import tiny_run
from tests.fixtures.other_results import questions_of, write_inspect, write_lm_eval, write_run_qa, write_scores

Texts = dict[str, Any]
Change = Callable[[Any], Any]


def edited(path: Path, change: Change) -> str:
    """Change what a JSON file holds."""
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    return path.name


def predictions(folder: Path, texts: Texts) -> str:
    (folder / "p.json").write_text(json.dumps(texts))
    return "p.json"


def raw(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return name


def log(folder: Path, texts: Texts, change: Callable[[list[str]], list[str]]) -> str:
    path = write_lm_eval(folder / "samples_x.jsonl", folder / "dev.json", texts)
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))
    return path.name


def other_golds(folder: Path, texts: Texts) -> str:
    name = log(folder, texts, lambda lines: lines)
    found = json.loads((folder / "dev.json").read_text())
    answer = found["data"][0]["paragraphs"][1]["qas"][0]["answers"][0]
    answer.update(text=answer["text"].partition(" ")[0])
    (folder / "dev.json").write_text(json.dumps(found))
    return name


def run_qa(folder: Path, texts: Texts, name: str, change: Change) -> str:
    write_run_qa(folder / "out", texts, {id: text or "x" for id, text in texts.items()}, dict.fromkeys(texts, -1.0))
    edited(folder / "out" / f"eval_{name}.json", change)
    return "out"


def inspect(folder: Path, texts: Texts, change: Change) -> str:
    return edited(write_inspect(folder / "log.json", folder / "dev.json", texts), change)


def table(folder: Path, texts: Texts, f1: Any) -> str:
    return write_scores(folder / "t.csv", {id: {"f1": f1} for id in texts}).name


def odds(folder: Path, texts: Texts, change: Change) -> str:
    """A file of predictions with null odds beside it."""
    (folder / "p.null_odds.json").write_text(json.dumps(change(dict.fromkeys(texts, -1.0))))
    return predictions(folder, texts)


def columns(folder: Path, texts: Texts, head: str, cells: str) -> str:
    return raw(folder, "t.csv", "".join([f"{head}\n", *(f"{id},{cells}\n" for id in texts)]))


def coded(folder: Path, texts: Texts, name: str, code: Callable[[bytes], bytes]) -> str:
    (folder / name).write_bytes(code(json.dumps({**texts, "dev-0": "é"}, ensure_ascii=False).encode()))
    return name


Case = tuple[Callable[[Path, Texts], str], str]
CASES: dict[str, Case] = {
    "lacks": (lambda f, t: predictions(f, dict(list(t.items())[1:])), "lacks 1 of its 9 questions, first 'dev-0'"),
    "adds": (lambda f, t: predictions(f, {**t, "z": "x"}), "answers 1 that are not in it, first 'z'"),
    "repeats": (lambda f, t: raw(f, "p.json", json.dumps(t)[:-1] + ', "dev-0": "x"}'), "has 'dev-0' twice"),
    "no text": (lambda f, t: predictions(f, {**t, "dev-0": 3}), "the answer to 'dev-0' is 3, not a text"),
    "unknown": (lambda f, t: predictions(f, {"a": [1]}), "holds no results that are known"),
    "not JSON": (lambda f, t: raw(f, "p.json", "{"), "not JSON"),
    "packed": (lambda f, t: raw(f, "a.eval", "PK"), "make JSON of it with inspect log convert"),
    "torn log": (lambda f, t: log(f, t, lambda lines: [*lines[:-1], lines[-1][:40]]), "line 9 is no whole sample"),
    "short log": (lambda f, t: log(f, t, lambda lines: lines[:-1]), "lacks 1 of its 9 questions"),
    "two filters": (lambda f, t: log(f, t, lambda lines: lines * 2), "'dev-0' stands there twice"),
    "other task": (lambda f, t: log(f, t, lambda ls: [x.replace('"context"', '"passage"') for x in ls]), "like SQuAD"),
    "other golds": (other_golds, "holds other gold answers than dev.json for 'dev-1': another version of the data"),
    "other spans": (lambda f, t: run_qa(f, t, "predictions", lambda x: {**x, "dev-0": "y"}), "does not belong to"),
    "odds of text": (lambda f, t: run_qa(f, t, "null_odds", lambda x: {**x, "dev-0": "y"}), "a finite number"),
    "odds lack": (
        lambda f, t: odds(f, t, lambda x: dict(list(x.items())[1:])),
        "lacks 1 of its 9 questions, first 'dev-0'",
    ),
    "odds of nothing": (lambda f, t: odds(f, t, lambda x: {}), "lacks 9 of its 9 questions"),
    "odds add": (lambda f, t: odds(f, t, lambda x: {**x, "z": 1.0}), "has 1 that are not in it, first 'z'"),
    "run_qa lacks": (lambda f, t: run_qa(f, t, "null_odds", lambda x: dict(list(x.items())[1:])), "lacks 1 of its 9"),
    "run_qa adds": (lambda f, t: run_qa(f, t, "nbest_predictions", lambda x: {**x, "z": x["dev-0"]}), "first 'z'"),
    "UTF-16": (lambda f, t: coded(f, t, "p.json", lambda x: x.decode().encode("utf-16")), "is not UTF-8"),
    "Latin-1": (lambda f, t: coded(f, t, "p.json", lambda x: x.decode().encode("latin-1")), "is not UTF-8"),
    "gzip": (lambda f, t: coded(f, t, "p.json", gzip.compress), "is compressed; give it unpacked"),
    "gzip by name": (lambda f, t: coded(f, t, "p.json.gz", gzip.compress), "is compressed; give it unpacked"),
    "failed log": (lambda f, t: inspect(f, t, lambda x: {**x, "status": "error"}), "its status is 'error'"),
    "two epochs": (lambda f, t: inspect(f, t, lambda x: {**x, "samples": x["samples"] * 2}), "one epoch"),
    "no percent": (lambda f, t: table(f, t, 0.5), "so it is not in percent"),
    "exact of 1": (lambda f, t: columns(f, t, "id,f1,exact", "100,1"), "no exact is above 1, so it is not in percent"),
    "exact above f1": (lambda f, t: columns(f, t, "id,f1,exact", "50,100"), "above its f1 of 50, which no answer has"),
    "two columns": (lambda f, t: columns(f, t, "id,f1,f1", "50,60"), "the header names 'f1' twice"),
    "beyond percent": (lambda f, t: table(f, t, 101), "must be in percent"),
    "no number": (lambda f, t: table(f, t, "nan"), "must be a finite number"),
}


@pytest.mark.fault("Q2")
@pytest.mark.parametrize("case", CASES)
def test_results_of_other_data_are_refused(tmp_path: Path, case: str) -> None:
    dev = tiny_run.write_squad(tmp_path / "dev.json", 6, 3)
    texts = {doc["id"]: (doc["answers"]["text"] or [""])[0] for doc in questions_of(dev)}
    write, words = CASES[case]
    name = write(tmp_path, texts)
    (tmp_path / "good.json").write_text(json.dumps(texts))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    done = tiny_run.call(tmp_path, "compare", "good.json", name, "--gold", "dev.json")
    assert (done.code, done.out) == (3, ""), done
    assert words in done.err
    assert "Traceback" not in done.err
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
