"""Ranges and contradictions: each one named, all at once, and nothing said about a good config."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qaexp.data.batches import BatchPlan
from qaexp.data.features import build_features
from qaexp.data.squad import Example
from qaexp.data.subsets import draw
from qaexp.errors import ConfigError
from tests.fixtures.checked import check_command_line
from tests.fixtures.checkpoints import minilm_tokenizer

TEXT = Example("a", "T", "Paris is a city.", "What is Paris?", ())

BAD_VALUES = {
    "optimizer.lr": ["-1", ".nan", "inf", "abc", "null", "1e400"],
    "trainer.epochs": ["-3", "1.5", "1e9"],
    "batches.batch_size": ["0"],
    "schedule.warmup_ratio": ["2.0", "-0.1"],
    "model.hidden_dropout": ["1.5"],
    "trainer.gradient_accumulation_steps": ["0"],
    "seed": ["-1", str(2**32), str(2**64), str(10**30), "x"],
    "data.train_size": ["0", "-1", "1.5", "1.7", "2.5", "10%", "110%", ".nan"],
    "data.subset": ["randm"],
    "trainer.device": ["gpu", "cuda:x"],
    "features.max_length": ["4", "513"],
    "features.doc_stride": ["-1", "380", "384"],
    "decoding.n_best_size": ["0"],
    "name": ["../x", "'a b'", "-a", "'a\nb'", "a/b", "'x '", "'\U0001f600'", "a" * 300],
}


def problems_of(*lines: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check_command_line(lines)
    assert caught.value.exit_code == 2
    return list(caught.value.problems)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD_VALUES.items() for value in values])
def test_a_bad_value_is_refused_by_name(key: str, value: str) -> None:
    extra = ["batches.token_budget=null"] if key == "batches.batch_size" else []
    problems = problems_of(f"{key}={value}", *extra)
    assert any(problem.startswith(f"{key}=") for problem in problems), problems


def test_the_default_config_is_good() -> None:
    config = check_command_line([])
    assert config.seeds.subset == config.seed == 0
    assert config.features.max_length == 384


@pytest.mark.parametrize("value", ["1000", "0.5", "null"])
def test_sizes_are_numbers_fractions_or_null(value: str) -> None:
    check_command_line([f"data.train_size={value}"])


@pytest.mark.parametrize(("text", "size"), [("1", 1), ("1.0", 1.0), ("0.25", 0.25), ("20", 20)])
def test_sizes_of_the_environment_are_the_numbers_that_they_spell(
    text: str, size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIZE", text)
    found = check_command_line(["data.train_size=${oc.env:SIZE}"]).data.train_size
    assert (found, type(found)) == (size, type(size))
    monkeypatch.setenv("SIZE", "all")
    sentence = problems_of("data.dev_size=${oc.env:SIZE}")[0]
    assert sentence.startswith("data.dev_size=${oc.env:SIZE} is neither a whole number")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ["features.max_length=64", "features.doc_stride=60"],
            ["features.doc_stride=60", "features.max_length=64", "59"],
        ),
        (
            ["features.max_length=24", "features.doc_stride=4"],
            ["decoding.max_answer_length=30", "features.max_length=24"],
        ),
        (["batches.batch_size=8"], ["batches.batch_size=8", "batches.token_budget=512", "exactly one"]),
        (["batches.token_budget=null"], ["exactly one"]),
        (["trainer.device=cpu", "trainer.precision=fp16"], ["trainer.precision=fp16", "trainer.device=cpu"]),
        (["data=json"], ["data.train_file", "data.dev_file"]),
        (["data.train_file=a.json"], ["data.train_file=a.json", "data=json"]),
        (["schedule.warmup_steps=10"], ["schedule.warmup_steps=10", "schedule.warmup_ratio"]),
        (["features.max_length=513"], ["512 positions", "model.checkpoint"]),
    ],
)
def test_contradictions_name_both_keys(lines: list[str], words: list[str]) -> None:
    text = "\n".join(problems_of(*lines))
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("batches.token_budget=null", lambda: BatchPlan(None, None, True, True, 0)),
        ("batches.batch_size=8", lambda: BatchPlan(8, 512, True, True, 0)),
        ("data.train_size=2.5", lambda: draw([TEXT], 2.5, "random", 0)),
        ("data.subset=best", lambda: draw([TEXT], 1, "best", 0)),
        (
            "features.doc_stride=380",
            lambda: build_features([TEXT], minilm_tokenizer(), max_length=384, doc_stride=380),
        ),
    ],
)
def test_a_caller_from_python_reads_the_same_sentence(line: str, call: Callable[[], object]) -> None:
    with pytest.raises(ConfigError) as caught:
        call()
    assert list(caught.value.problems) == problems_of(line)


def test_all_problems_come_at_once() -> None:
    problems = problems_of(
        "seed=-1", "trainer.epochs=1.5", "lerning_rate=1", "optimizer=adamv", "features.doc_stride=999"
    )
    assert len(problems) == 5


def test_a_bad_seed_is_named_once() -> None:
    assert len(problems_of("seed=-1")) == 1
    assert problems_of("seeds.order=-1")[0].startswith("seeds.order=-1")


def test_a_probe_without_a_context_does_not_hide_other_problems() -> None:
    problems = problems_of("probes=[{question: a}]", "optimizer.lr=-1")
    assert problems == [
        "probes[0].context is not set; give it a value",
        "optimizer.lr=-1 is outside the legal values from 0 to 100",
    ]
