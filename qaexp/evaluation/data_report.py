"""The content of data.json: where the examples come from, which were drawn, and the effect of tokenisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.data.audit import Audit, repeated_in_mix, shared_contexts, shared_ids, shared_questions
from qaexp.data.features import Features
from qaexp.data.ondisk.examples import different_contexts, ids_of
from qaexp.data.ondisk.features import StoredFeatures
from qaexp.data.pipeline import Split
from qaexp.data.squad import Example
from qaexp.evaluation.ceiling import Ceiling
from qaexp.runs.metrics import number_of


def describe_data(
    splits: Mapping[str, Split],
    features: Mapping[str, Features | StoredFeatures],
    *,
    max_answer_length: int,
    subset: dict[str, Any],
) -> dict[str, Any]:
    """Describe the data of a run before it is trained on.

    Args:
        splits: The drawn examples by the name of the split: train, dev, and test if there is one.
        features: The features of each split by its name.
        max_answer_length: The longest answer that decoding may give, in tokens.
        subset: How the examples were drawn: policy, sizes, seeds.

    Returns:
        The content of data.json. For each split, `audit` has the counts of `audit`, `ceiling` (exact and f1 that the
        labels themselves reach after tokenisation) and `drawn_from` (the number of examples that it was drawn from);
        it also has what the other splits share with the training examples, and of a mix how many of its questions more
        than one set has.
    """
    train, dev = splits["train"], splits["dev"]
    audits = {name: _audit(part, features[name], max_answer_length=max_answer_length) for name, part in splits.items()}
    shared = {name: _shared(train.examples, part.examples) for name, part in splits.items() if part is not train}
    return {
        "source": {name: part.source for name, part in splits.items()},
        "revision": train.source.get("revision"),
        "sha256": {name: part.source["sha256"] for name, part in splits.items()},
        "subset": subset,
        **{f"{name}_ids": ids_of(part.examples) for name, part in splits.items()},
        "audit": {
            **audits,
            **({"repeated_in_mix": repeated_in_mix(train.examples)} if "sets" in train.source else {}),
            "shared_contexts": shared_contexts(train.examples, dev.examples),
            "shared_ids": shared_ids(train.examples, dev.examples),
            "shared_with_train": shared,
        },
    }


def audit_line(name: str, found: dict[str, Any]) -> str:
    """One split's audit in a sentence for the log."""
    lost, reach = found["lost_answers"], found["ceiling"]
    return (
        f"{name}: {found['num_examples']} examples, {found['num_features']} features, "
        f"{lost['by_window'] + lost['by_max_answer_length']} answers lost, "
        f"{found['offset_mismatches']['num']} labels differ from their gold text, "
        f"ceiling exact {number_of('exact').shown(reach['exact'])} f1 {number_of('f1').shown(reach['f1'])}"
    )


def _audit(part: Split, features: Features | StoredFeatures, *, max_answer_length: int) -> dict[str, Any]:
    number, kind = part.drawn_from or (len(part.examples), "examples")
    found = Audit(part.examples, features, max_answer_length=max_answer_length)
    reach = Ceiling(len(part.examples), max_answer_length=max_answer_length)
    for some in features.parts(part.examples):
        found.add(*some)
        reach.add(*some)
    return {
        **found.result(),
        "ceiling": reach.result(),
        "drawn_from": {"num": number, "kind": kind},
    }


def _shared(train: Sequence[Example], other: Sequence[Example]) -> dict[str, int]:
    return {
        "questions": shared_questions(train, other),
        "contexts": shared_contexts(train, other),
        "num_contexts": sum(1 for _ in different_contexts(other)),
        "ids": shared_ids(train, other),
    }
