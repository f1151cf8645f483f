"""Mixes of training sets: exact shares, no question twice, and what must change nothing."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.config.schema import neutral_keys
from qaexp.data import mixed_split
from qaexp.data.mixing import Turns, mixed_total, take_turns
from qaexp.data.ondisk.examples import StoredExamples
from qaexp.data.pipeline import DataPipeline, Split
from qaexp.data.question_files import read_squad_file
from qaexp.data.subsets import draw
from qaexp.errors import ConfigError, DataError
from qaexp.runs.identity import identify
from qaexp.storage.mix import as_identified, is_mix, mix_of
from qaexp.storage.mix_problems import mix_key_problems, mix_problems
from qaexp.storage.sources import full_name, source_problems
from tests.data.test_pipeline import pipeline, write

NAMES = ("a", "b", "c", "d", "e", "f")
WEIGHTS = st.decimals("0.01", "100", places=2).map(float)
PLANS = st.lists(st.tuples(st.integers(1, 60), WEIGHTS), min_size=1, max_size=6).map(
    lambda pairs: dict(zip(NAMES, pairs, strict=False))
)


def turns_of(plan: dict[str, tuple[int, float]], factor: float = 1) -> Turns:
    sizes = {name: size for name, (size, _) in plan.items()}
    return take_turns(sizes, {name: weight * factor for name, (_, weight) in plan.items()})


def exact_counts(plan: dict[str, tuple[int, float]]) -> list[str]:
    """The order of the turns by the definition of Webster's rule, in exact numbers, up to the first end."""
    counts, found = dict.fromkeys(plan, 0), []
    while True:
        name = min(plan, key=lambda one: (Fraction(2 * counts[one] + 1) / Fraction(str(plan[one][1])), one))
        if counts[name] == plan[name][0]:
            return found
        counts[name] += 1
        found.append(name)


@given(PLANS)
def test_sets_take_turns_by_their_weights_until_one_has_no_more(plan: dict[str, tuple[int, float]]) -> None:
    turns = turns_of(plan)
    assert [turns.names[number] for number in turns.turns.tolist()] == exact_counts(plan)


@given(PLANS.filter(lambda plan: len(plan) <= 3), st.integers(1, 200))
def test_every_beginning_has_the_shares_of_the_whole(plan: dict[str, tuple[int, float]], total: int) -> None:
    turns = turns_of(plan)
    total = min(total, len(turns.turns))
    whole = sum(weight for _, weight in plan.values())
    for name, count in turns.counts(total).items():
        assert abs(count - total * plan[name][1] / whole) < 1


@given(PLANS, st.sampled_from([10, 100, 1000]), st.randoms())
def test_neither_a_factor_nor_the_order_of_the_names_changes_a_turn(
    plan: dict[str, tuple[int, float]], factor: int, random: Any
) -> None:
    names = list(plan)
    random.shuffle(names)
    whole = {name: (size, round(weight * 100)) for name, (size, weight) in plan.items()}
    expected = turns_of(whole)
    scaled = {name: (size, weight * factor) for name, (size, weight) in whole.items()}
    for other in ({name: plan[name] for name in names}, scaled):
        found = turns_of(other)
        assert (found.names, found.turns.tolist()) == (expected.names, expected.turns.tolist())


def test_without_weights_all_sets_are_taken_whole() -> None:
    sizes = {"a": 7, "b": 31, "c": 1}
    assert take_turns(sizes, sizes).counts(39) == sizes


def test_a_set_that_is_smaller_than_its_share_is_told_with_figures() -> None:
    sizes = {"squad": 1000, "nq": 120}
    turns = take_turns(sizes, {"squad": 0.7, "nq": 0.3})
    # 120 are 0.3 of 400, and one more of squad comes before the next turn of nq.
    assert mixed_total(None, turns, sizes) == mixed_total(1.0, turns, sizes) == 401
    assert mixed_total(0.5, turns, sizes) == 201
    with pytest.raises(ConfigError) as caught:
        mixed_total(500, turns, sizes)
    assert "after 401 questions all 120 of nq are taken" in str(caught.value)
    assert "take at most 401" in str(caught.value)


def test_a_set_that_gives_nothing_is_no_set_of_the_mix() -> None:
    sizes = {"a": 1000, "b": 1000}
    turns = take_turns(sizes, {"a": 0.99, "b": 0.01})
    with pytest.raises(ConfigError, match="b gives none of 20 questions by its weight; raise"):
        mixed_total(20, turns, sizes)
    least = int(turns.turns.argmax()) + 1
    assert mixed_total(least, turns, sizes) == least
    small = {"a": 10, "b": 1000}
    with pytest.raises(ConfigError, match="another set ends before its turn"):
        mixed_total(None, take_turns(small, {"a": 0.99, "b": 0.01}), small)


def files(folder: Path) -> dict[str, Any]:
    return {
        "a": {"file": write(folder, "a", 40), "weight": 0.7},
        "b": {"file": write(folder, "b", 20), "weight": 0.3},
    }


def train(mix: Any, folder: Path, *, seed: int = 0, **keys: Any) -> Split:
    found = pipeline(mix=mix, dev_file=write(folder, "dev", 4), **keys)
    return found.load(subset_seed=seed, dev_seed=0).train


def ids(split: Split) -> list[str]:
    return [example.id for example in split.examples]


@pytest.mark.parametrize("policy", ["random", "first", "answerable", "stratified"])
def test_the_questions_of_a_set_are_those_that_it_gives_alone(tmp_path: Path, policy: str) -> None:
    mix = files(tmp_path)
    found = train(mix, tmp_path, seed=3, train_size=20, subset=policy)
    alone = read_squad_file(Path(mix["a"]["file"])).examples
    expected = [f"a/{one.id}" for one in draw(alone, 14, policy, 3)]
    assert [id for id in ids(found) if id.startswith("a/")] == expected
    assert len(ids(found)) == len(set(ids(found))) == 20
    assert found.drawn_from == (len(train(mix, tmp_path, seed=3, subset=policy).examples), "examples of the mix")


def test_a_smaller_mix_is_the_beginning_of_a_larger_one(tmp_path: Path) -> None:
    mix = files(tmp_path)
    whole = ids(train(mix, tmp_path))
    for size in (2, 3, 10, len(whole) - 1):
        assert ids(train(mix, tmp_path, train_size=size)) == whole[:size]


def test_what_each_set_gave_is_told(tmp_path: Path) -> None:
    source = train(files(tmp_path), tmp_path, train_size=10).source
    assert source["kind"] == "mix"
    assert source["num_examples"] == 60
    told = {
        name: (one["weight"], one["num_drawn"], one["num_drawable"], one["num_examples"])
        for name, one in source["sets"].items()
    }
    assert told == {"a": (0.7, 7, 40, 40), "b": (0.3, 3, 20, 20)}


def test_ids_that_two_sets_share_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    mix = {"a": write(tmp_path, "a", 4), "b": write(tmp_path / "other", "a", 5)}
    assert sorted(ids(train(mix, tmp_path))) == [f"a/a{n}" for n in range(4)] + [f"b/a{n}" for n in range(5)]


def test_many_questions_are_on_disk_and_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAEXP_CACHE_DIR", str(tmp_path / "cache"))
    mix = files(tmp_path)
    held = train(mix, tmp_path)
    monkeypatch.setattr(mixed_split, "MAX_IN_MEMORY", 10)
    monkeypatch.setattr("qaexp.data.ondisk.examples.MAX_IN_MEMORY", 10)
    for _ in range(2):
        stored = train(mix, tmp_path)
        assert isinstance(stored.examples, StoredExamples)
        assert list(stored.examples) == list(held.examples)
        assert stored.source == held.source


def run_id(found: DataPipeline) -> str:
    return identify({"data": vars(found)}, neutral_keys(), found.fingerprint(), {}).run_id


def test_names_of_files_factors_and_the_order_of_sets_make_no_other_run(tmp_path: Path) -> None:
    mix, dev = files(tmp_path), write(tmp_path, "dev", 4)
    moved = {name: shutil.copy(one["file"], tmp_path / f"moved-{name}.json") for name, one in mix.items()}
    other = {"b": {"weight": 3, "file": str(moved["b"])}, "a": {"file": str(moved["a"]), "weight": 7}, "c": None}
    first, second = pipeline(mix=mix, dev_file=dev), pipeline(mix=other, dev_file=dev)
    assert run_id(first) == run_id(second)
    one, two = (found.load(subset_seed=1, dev_seed=0).train for found in (first, second))
    assert list(one.examples) == list(two.examples)
    assert one.source["sha256"] == two.source["sha256"]


def test_weights_names_and_contents_make_another_run(tmp_path: Path) -> None:
    mix, dev = files(tmp_path), write(tmp_path, "dev", 4)
    first = run_id(pipeline(mix=mix, dev_file=dev))
    heavier = {**mix, "a": {**mix["a"], "weight": 0.71}}
    renamed = {"c": mix["a"], "b": mix["b"]}
    bare = {name: one["file"] for name, one in mix.items()}
    found = [first, *(run_id(pipeline(mix=one, dev_file=dev)) for one in (heavier, renamed, bare))]
    write(tmp_path, "a", 41)
    assert len({*found, run_id(pipeline(mix=mix, dev_file=dev))}) == 5


def test_a_key_that_is_null_is_as_one_that_is_not_there() -> None:
    plain = {"data": {"source": "json", "train_size": None}}
    with_key = {"data": {**plain["data"], "mix": None}}
    assert identify(plain, (), {}, {}).run_id == identify(with_key, (), {}, {}).run_id


def test_a_mix_that_somebody_edited_is_compared_as_it_is() -> None:
    assert as_identified({"a": {"file": "a.json", "weight": "much"}}) == {"a": {"file": "a.json", "weight": "much"}}
    assert as_identified("a.json") == "a.json"
    assert full_name({"source": "json", "mix": 3}) == "json"
    assert full_name({"source": "json", "mix": {name: f"{name}.json" for name in "dcba"}}) == "a+b+c+..."


@pytest.mark.parametrize(
    ("mix", "sentence"),
    [
        ("a.json", "data.mix is 'a.json', it must name training sets"),
        ([], "data.mix is '[]', it must name training sets"),
        ({}, "names no training set"),
        ({"a": None}, "names no training set"),
        ({"a": 3}, "data.mix.a=3 must be a file"),
        ({"a": {"weight": 1}}, "data.mix.a.file is missing"),
        ({"a": {"file": ["x"], "weight": 1}}, "data.mix.a.file is \"['x']\", it must be the path"),
        ({"a": {"file": "a.json", "wieght": 1}}, "data.mix.a.wieght is not a key; a set of a mix has file and weight"),
        ({"a b": "a.json"}, "data.mix has the name 'a b'; use letters"),
        ({"a.b": "a.json"}, "data.mix has the name 'a.b'; use letters"),
        ({"a": "x.json", "b": "x.json"}, "data.mix.b and data.mix.a are one file, x.json"),
        ({"a": {"file": "a", "weight": 1}, "b": "b"}, "data.mix.b has no weight, and data.mix.a has one"),
        *(
            ({"a": {"file": "a", "weight": weight}}, f"data.mix.a.weight={weight} must be a number above 0")
            for weight in (0, -1, float("nan"), float("inf"), True, "0.5", 1e-10)
        ),
    ],
)
def test_what_is_no_mix_is_refused_in_a_sentence(mix: Any, sentence: str) -> None:
    assert any(sentence in problem for problem in mix_problems(mix)), list(mix_problems(mix))
    is_only_a_name = "one file" in sentence or "the name" in sentence or "not a key" in sentence
    assert is_mix(mix) == is_only_a_name
    with pytest.raises(ConfigError):
        pipeline(mix=mix, dev_file="dev.json").fingerprint()


def test_a_mix_stands_in_the_place_of_the_train_file_alone(tmp_path: Path) -> None:
    mix = {"a": "a.json"}
    assert list(source_problems("json", {"mix": mix, "train_file": None, "dev_file": "d.json"})) == []
    (problem,) = mix_key_problems("json", {"mix": mix, "train_file": "t.json", "dev_file": "d.json"})
    assert "both say what is trained on" in problem
    (problem,) = mix_key_problems("demo", {"mix": mix, "train_file": None})
    assert problem == "data.mix has no effect with data.source=demo; choose data=json"
    with pytest.raises(ConfigError, match="both say what is trained on"):
        pipeline(mix=mix, train_file="t.json", dev_file="d.json").fingerprint()
    assert mix_of(None) == {}


def test_every_missing_file_and_every_file_twice_is_named(tmp_path: Path) -> None:
    dev, first = write(tmp_path, "dev", 4), write(tmp_path, "a", 4)
    with pytest.raises(DataError) as caught:
        pipeline(mix={"x": "/nowhere/x.json", "y": "/nowhere/y.json"}, dev_file=dev).fingerprint()
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == ["data.mix.x", "data.mix.y"]
    twin = shutil.copy(first, tmp_path / "twin.json")
    with pytest.raises(DataError, match=r"data\.mix\.b: .*twin\.json holds the same as data\.mix\.a"):
        pipeline(mix={"a": first, "b": str(twin)}, dev_file=dev).fingerprint()


def test_a_set_without_an_answer_gives_nothing_to_the_answerable_ones(tmp_path: Path) -> None:
    rows = [{"id": "1", "context": "Paris", "question": "Q", "answers": []}]
    (tmp_path / "b.json").write_text(json.dumps(rows), "utf-8")
    mix = {"a": write(tmp_path, "a", 4), "b": str(tmp_path / "b.json")}
    with pytest.raises(ConfigError, match=r"data\.mix\.b cannot be met: it has no answerable examples"):
        train(mix, tmp_path, subset="answerable")
