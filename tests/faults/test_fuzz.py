"""Random files, overrides and YAML: never a traceback, never a wait, never a silent acceptance.

QAEXP_THOROUGH=1 tries 10,000 data files, 10,000 override lines and 2,000 YAML files.
"""

from __future__ import annotations

import copy
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qaexp.config.checks.overrides import check_overrides, list_keys
from qaexp.config.checks.words import parse_overrides
from qaexp.config.compose import compose_config
from qaexp.config.conf import choices, conf_directory
from qaexp.data.question_files import read_squad_file
from qaexp.errors import ConfigError, DataError, IntegrityError, collected
from tests.fixtures.checked import check_command_line

THOROUGH = os.environ.get("QAEXP_THOROUGH") == "1"
LONGEST_SECONDS = 20.0
"""Of processor time: hundreds of times what one takes, and far less than what grows exponentially."""


def tries(thorough: int, short: int) -> settings:
    return settings(
        max_examples=thorough if THOROUGH else short,
        deadline=None,
        database=None,
        derandomize=not THOROUGH,
        suppress_health_check=list(HealthCheck),
    )


# --- Data files -------------------------------------------------------------------------------------------------------

CONTEXT = "Paris is the capital of France. Lyon is not.\r\nThe \U0001f642 is Paris too."
VALID = {
    "version": "v2.0",
    "data": [
        {
            "title": "T",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "a",
                            "question": "Which?",
                            "is_impossible": False,
                            "answers": [{"text": "Paris", "answer_start": 0}, {"text": "Lyon", "answer_start": 32}],
                        },
                        {"id": "b", "question": "Who?", "is_impossible": True, "answers": []},
                    ],
                },
                {
                    "context": "Rome.",
                    "qas": [{"id": "c", "question": "?", "answers": [{"text": "Rome", "answer_start": 0}]}],
                },
            ],
        }
    ],
}
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 60), st.floats(), st.just([]), st.just({}), st.just(...),
    st.sampled_from(["", " ", "a", "b", "c", "Paris", "Lyon", "Rome", "is", "x" * 1001, "\ud800", CONTEXT]),
)  # fmt: skip


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below a node."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for key, value in pairs for found in ((node, key), *places(value))]


def is_valid(document: Any) -> bool:
    """The rules of a SQuAD file, written down once more, slowly and without any of qaexp's code."""

    def is_text(value: Any) -> bool:
        return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)

    asked: dict[str, Any] = {}
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        return False
    for article in document["data"]:
        if not isinstance(article, dict) or not is_text(article.get("title")):
            return False
        if not isinstance(article.get("paragraphs"), list):
            return False
        for paragraph in article["paragraphs"]:
            if not isinstance(paragraph, dict) or not is_text(paragraph.get("context")):
                return False
            if not isinstance(paragraph.get("qas"), list):
                return False
            for item in paragraph["qas"]:
                if not isinstance(item, dict) or not is_text(item.get("id")) or not is_text(item.get("question")):
                    return False
                if not 1 <= len(item["id"]) <= 1000 or not isinstance(item.get("answers"), list):
                    return False
                golds = []
                for answer in item["answers"]:
                    if not isinstance(answer, dict) or not is_text(answer.get("text")) or not answer["text"].strip():
                        return False
                    start = answer.get("answer_start")
                    if type(start) is not int or start < 0:
                        return False
                    if paragraph["context"][start : start + len(answer["text"])] != answer["text"]:
                        return False
                    golds.append((start, answer["text"]))
                if "is_impossible" not in item:
                    if not golds:
                        return False
                elif type(item["is_impossible"]) is not bool or item["is_impossible"] == bool(golds):
                    return False
                content = (article["title"], paragraph["context"], item["question"], golds)
                if asked.setdefault(item["id"], content) != content:
                    return False
    return bool(asked)


def in_plain_spelling(document: Any) -> Any:
    """A file as the rules want it, where it spells a number, an absent title or "no answer" in another way."""
    document = copy.deepcopy(document)

    def below(node: Any, key: str) -> list[dict[str, Any]]:
        found = node.get(key) if isinstance(node, dict) else None
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

    items = []
    for article in below(document, "data"):
        if article.get("title") is None:
            article["title"] = ""
        for paragraph in below(article, "paragraphs"):
            for item in below(paragraph, "qas"):
                items.append(item)
                as_digits(item)
                as_no_answer(item, paragraph.get("context"))
    if all(item.get("id") is None for item in items):
        for number, item in enumerate(items):
            item["id"] = f"made{number}"
    return document


def as_digits(item: dict[str, Any]) -> None:
    """Give a question whose id is a whole number its digits."""
    id = item.get("id")
    if isinstance(id, float) and id.is_integer() and abs(id) < 2**53:
        id = int(id)
    if type(id) is int:
        item["id"] = str(id)


def as_no_answer(item: dict[str, Any], context: Any) -> None:
    """Give a question that has only blanks for answers none, and say so."""
    flag, answers = item.get("is_impossible", ...), item.get("answers", ...)
    if flag not in (True, ...) or type(flag) not in (bool, type(...)):
        return

    def is_blank(answer: Any) -> bool:
        if not isinstance(answer, dict):
            return answer is None or (isinstance(answer, str) and not answer.strip())
        text, start = answer.get("text"), answer.get("answer_start")
        if text is None:
            return start in (None, -1) and bool(answer)
        return isinstance(text, str) and (not text.strip() or (start == -1 and text not in str(context)))

    is_absent = answers is None or (answers is ... and flag is True)
    if is_absent or (isinstance(answers, list) and answers and all(map(is_blank, answers))):
        item.update(answers=[], is_impossible=True)


def is_plain_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def test_mutated_data_files(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    seen = {True: 0, False: 0}

    @tries(10_000, 400)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        document = copy.deepcopy(VALID)
        for _ in range(data.draw(st.integers(0, 3))):
            container, key = data.draw(st.sampled_from(places(document) or [(document, "data")]))
            value = data.draw(VALUES)
            if value is not ...:
                container[key] = value
            elif isinstance(container, dict):
                container.pop(key, None)
            else:
                container.append(copy.deepcopy(container[key]))
        expected = is_valid(in_plain_spelling(document)) and is_plain_json(document)
        seen[expected] += 1
        path.write_text(json.dumps(document))
        began = time.process_time()
        told: list[str] = []
        file = None
        with collected(told, DataError):
            file = read_squad_file(path)
        assert (file is not None) == expected, (document, told)
        assert bool(told) != expected
        if file is not None:
            for example in file.examples:
                for answer in example.answers:
                    assert example.context[answer.start_char : answer.end_char] == answer.text
        assert time.process_time() - began < LONGEST_SECONDS

    check()
    assert min(seen.values()) > 5


def test_mutated_bytes(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    whole = json.dumps(VALID).encode()

    @tries(10_000, 300)
    @given(st.integers(0, len(whole) - 1), st.binary(max_size=4), st.integers(0, 4))
    def check(place: int, inserted: bytes, removed: int) -> None:
        content = whole[:place] + inserted + whole[place + removed :]
        path.write_bytes(content)
        began = time.process_time()
        try:
            file = read_squad_file(path)
        except DataError:
            return
        assert is_valid(in_plain_spelling(json.loads(content)))
        assert file.examples
        assert time.process_time() - began < LONGEST_SECONDS

    check()


# --- Overrides --------------------------------------------------------------------------------------------------------

COMPOSED = compose_config([])
KEYS = list_keys(COMPOSED)
OFFERED = choices([conf_directory()])
WORDS = st.one_of(
    st.text(max_size=20),
    st.integers().map(str),
    st.floats().map(str),
    st.text("[]{}():,'\"\\$ =~+@/.-ab1\n\0", max_size=25),
    st.sampled_from(
        [
            "null",
            "true",
            "[1,2]",
            "{a: 1}",
            "${seed}",
            "${oc.env:NOPE}",
            "choice(1,2)",
            "range(1,3)",
            "[" * 500,
            "1e400",
        ]
    ),
)
LINES = st.one_of(
    st.builds("{}{}={}".format, st.sampled_from(["", "+", "++", "~"]), st.sampled_from([*KEYS, *OFFERED]), WORDS),
    st.builds("{}={}".format, WORDS, WORDS),
    WORDS,
)


def test_random_overrides() -> None:
    check_command_line([])  # the first one loads what all need

    @tries(10_000, 300)
    @given(LINES)
    def check(line: str) -> None:
        began = time.process_time()
        overrides, problems = parse_overrides([line])
        kept: list[str] = []
        try:
            kept = check_overrides(overrides, OFFERED, lambda _: COMPOSED, problems)
            if kept and not problems:
                found = asdict(check_command_line(kept))
                assert isinstance(found["seed"], int)
                assert 0 <= found["optimizer"]["lr"] <= 100
        except (ConfigError, IntegrityError) as error:
            problems += error.problems
        # Whatever is left out was told.
        assert kept or problems or not line or line.lstrip("+~").startswith("hydra"), line
        assert all(problem.strip() and len(problem) < 3000 for problem in problems)
        assert time.process_time() - began < LONGEST_SECONDS

    check()


# --- YAML -------------------------------------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=8),
    st.sampled_from(["${seed}", "${optimizer.a}", "${oc.env:NOPE}", "???", "torch.optim.AdamW", "os.system", "1e-5"]),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PLAUSIBLE = st.fixed_dictionaries(
    {"_target_": st.one_of(st.just("torch.optim.SGD"), TREES), "lr": st.one_of(st.just(0.1), TREES)},
    optional={"_partial_": st.just(True), "weight_decay": TREES, "betas": TREES, "a": TREES},
)
TEXTS = st.one_of(
    PLAUSIBLE.map(yaml.safe_dump),
    TREES.map(yaml.safe_dump),
    st.text(max_size=60),
    st.text("{}[]:-&*!|>%@` \n\tab1'\"#,?$", max_size=60),
)


def test_random_yaml(tmp_path: Path) -> None:
    (tmp_path / "optimizer").mkdir()
    number = 0

    @tries(2_000, 40)
    @given(TEXTS, st.binary(max_size=2))
    def check(text: str, tail: bytes) -> None:
        nonlocal number
        number += 1
        path = tmp_path / "optimizer" / f"mine{number}.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass") + (tail if number % 7 == 0 else b""))
        began = time.process_time()
        try:
            config = check_command_line([f"optimizer=mine{number}"], config_dir=tmp_path)
        except (ConfigError, IntegrityError) as error:
            told = error.problems
        else:
            told = ["accepted"]
            assert config.optimizer["_target_"].startswith(("torch.optim.", "qaexp."))
            assert 0 <= config.optimizer.get("lr", 0) <= 100
        finally:
            path.unlink()
        assert told
        assert all(problem.strip() for problem in told)
        assert time.process_time() - began < LONGEST_SECONDS

    check()


def test_the_slow_validator_has_teeth() -> None:
    assert is_valid(VALID)
    for container, key in places(VALID):
        spoilt = copy.deepcopy(VALID)
        twin = next(
            c for (c, k), (original, _) in zip(places(spoilt), places(VALID), strict=True) if original is container
        )
        if key != "version":
            twin[key] = None
            assert not is_valid(spoilt), key
    with pytest.raises(DataError):
        read_squad_file(Path("/nowhere"))
