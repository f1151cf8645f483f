"""The shipped demo data: made again byte for byte, true to its format, and not to be solved without the context."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest

from qaexp.data.demo.generated import demo_file, generate, to_bytes
from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Example

SPLITS = ("train", "dev")


@pytest.fixture(scope="module")
def splits() -> dict[str, tuple[Example, ...]]:
    return {split: read_squad_file(demo_file(split)).examples for split in SPLITS}


def test_generating_again_gives_the_shipped_bytes() -> None:
    made = generate()
    for split in SPLITS:
        assert to_bytes(made[split]) == demo_file(split).read_bytes()


def test_there_is_enough_of_it(splits: dict[str, tuple[Example, ...]]) -> None:
    for split, least in (("train", 2000), ("dev", 400)):
        examples = splits[split]
        assert len(examples) >= least
        assert len({example.title for example in examples}) >= 60
        assert 0.25 < sum(example.is_impossible for example in examples) / len(examples) < 0.4


def test_no_entity_is_in_both_splits(splits: dict[str, tuple[Example, ...]]) -> None:
    titles = {split: {example.title for example in splits[split]} for split in SPLITS}
    texts = {split: " ".join({t for e in splits[split] for t in (e.context, e.question)}) for split in SPLITS}
    assert not titles["train"] & titles["dev"]
    for split, other in (("train", "dev"), ("dev", "train")):
        assert [title for title in titles[split] if re.search(rf"\b{re.escape(title)}\b", texts[other])] == []


def test_the_probe_is_new_to_the_model(splits: dict[str, tuple[Example, ...]]) -> None:
    texts = {text for part in splits.values() for example in part for text in (example.context, example.question)}
    assert [text for text in texts if re.search(r"\b(France|Paris|French|Seine)\b", text)] == []


def baseline_exact(splits: dict[str, tuple[Example, ...]]) -> float:
    """Percent exact of the best guess from the question alone: what train most often answers to its template."""
    titles = sorted({example.title for part in splits.values() for example in part}, key=len, reverse=True)
    entity = re.compile(rf"\b({'|'.join(map(re.escape, titles))})\b", re.IGNORECASE)
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for example in splits["train"]:
        answers[entity.sub("_", example.question)][next(iter(example.golds), "")] += 1
    hits = 0
    for example in splits["dev"]:
        guesses = answers.get(entity.sub("_", example.question), Counter([""]))
        hits += guesses.most_common(1)[0][0] in (example.golds or ("",))
    return 100.0 * hits / len(splits["dev"])


def test_the_question_alone_does_not_give_the_answer(splits: dict[str, tuple[Example, ...]]) -> None:
    exact = baseline_exact(splits)
    print(f"question-only baseline: exact {exact:.1f}")
    nothing = 100.0 * sum(example.is_impossible for example in splits["dev"]) / len(splits["dev"])
    assert exact < 45.0
    assert exact < nothing + 10.0, "little better than answering nothing"
