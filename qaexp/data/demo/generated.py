"""The `demo` data set: true facts told by templates, SQuAD v2 schema, split by entity; it comes with the package."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.data.demo.facts import Entity, Kind, number_of, read_kinds, shuffled
from qaexp.data.demo.paragraphs import Told, write_paragraph
from qaexp.data.files.shards import Shards, one_file
from qaexp.storage.files import write_bytes

PARAGRAPHS = {"train": 5, "dev": 3}  # of each title
_Asked = Counter[tuple[str, bool]]  # (attribute or template, unanswerable) -> questions so far


def demo_file(split: str) -> Path:
    """Return the shipped file of a split, `train` or `dev`."""
    return Path(__file__).parent / f"{split}.json"


def identity(keys: Mapping[str, Any]) -> dict[str, str]:
    """Nothing: the files are identified by what they hold; see `qaexp.data.readers.Reader`."""
    return {}


def files(keys: Mapping[str, Any]) -> dict[str, Shards]:
    """Find the shipped files of both splits; see `qaexp.data.readers.Reader`."""
    return {split: one_file(demo_file(split)) for split in PARAGRAPHS}


def generate() -> dict[str, dict[str, Any]]:
    """Make both splits from the tables, each in the official nested SQuAD v2 format.

    The same tables give the same bytes on every machine: each choice is a hash, no random generator is used.
    """
    kinds = read_kinds()
    return {split: _generate_split(kinds, split) for split in PARAGRAPHS}


def to_bytes(dataset: dict[str, Any]) -> bytes:
    """Return a split as it is shipped: compact JSON, UTF-8, one newline at the end."""
    return (json.dumps(dataset, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _generate_split(kinds: Sequence[Kind], split: str) -> dict[str, Any]:
    asked: _Asked = Counter()
    articles = []
    for kind, entity, peers in _interleaved(kinds, split):
        paragraphs = []
        for number in range(PARAGRAPHS[split]):
            key = f"{kind.name}/{entity.title}/{number}"
            context, told = write_paragraph(kind, entity, peers, key)
            wanted = [*_told(kind, told, key), *_missing(kind, entity, peers, told, asked, key)]
            questions = [_ask(kind, *one, asked, f"{key}/{context}") for one in wanted]
            paragraphs.append({"context": context, "qas": shuffled(questions, key, "questions")})
        articles.append({"title": entity.title, "paragraphs": paragraphs})
    return {"version": "v2.0", "data": articles}


def _interleaved(kinds: Sequence[Kind], split: str) -> list[tuple[Kind, Entity, list[Entity]]]:
    """Return (kind, entity, its peers) with all kinds spread evenly, so that the first part of a split has them all."""
    placed = []
    for kind in kinds:
        members = [entity for entity in kind.entities if entity.split == split]
        placed += [((i + 0.5) / len(members), kind, entity, members) for i, entity in enumerate(members)]
    placed.sort(key=lambda item: (item[0], item[1].name))
    return [(kind, entity, [peer for peer in members if peer is not entity]) for _, kind, entity, members in placed]


def _told(kind: Kind, told: Sequence[Told], key: str) -> list[tuple[Entity, str, list[dict[str, Any]]]]:
    """Choose two of the facts to be asked, with their answers; the first answer is the training label."""
    return [(fact.entity, fact.attribute, _answers(fact, kind)) for fact in shuffled(told, key, "told")[:2]]


def _answers(fact: Told, kind: Kind) -> list[dict[str, Any]]:
    answers = [{"text": fact.text, "answer_start": fact.start_char}]
    shorter = re.search(kind.also[fact.attribute], fact.text) if fact.attribute in kind.also else None
    if shorter and shorter.group() != fact.text:
        answers.append({"text": shorter.group(), "answer_start": fact.start_char + shorter.start()})
    return answers


def _missing(
    kind: Kind, entity: Entity, peers: Sequence[Entity], told: Sequence[Told], asked: _Asked, key: str
) -> list[tuple[Entity, str, list[dict[str, Any]]]]:
    """Choose a fact to be asked in vain: one not told of somebody here, or one told here, but of another.

    The attribute most often asked with an answer so far comes first, so that no attribute gives its questions away.
    """
    stated = {(fact.entity.title, fact.attribute) for fact in told}
    here = {fact.entity.title: fact.entity for fact in told} | {entity.title: entity}
    stranger = next(peer for peer in shuffled(peers, key, "stranger") if peer.title not in here)
    if number_of(key, "missing") % 10 == 0:
        pairs = [(stranger, fact.attribute) for fact in told if fact.attribute in stranger.facts]
    else:
        pairs = [(one, attribute) for one in here.values() for attribute in kind.askable(one)]
    pairs = [pair for pair in shuffled(pairs, key, "pairs") if (pair[0].title, pair[1]) not in stated]
    pairs.sort(key=lambda pair: 2 * asked[f"{kind.name}.{pair[1]}", True] - asked[f"{kind.name}.{pair[1]}", False])
    return [(one, attribute, []) for one, attribute in pairs[:1]]


def _ask(
    kind: Kind, subject: Entity, attribute: str, answers: list[dict[str, Any]], asked: _Asked, key: str
) -> dict[str, Any]:
    """Word a question by the template least used so far for answerable, or for unanswerable, questions."""
    impossible = not answers
    templates = shuffled(kind.questions[attribute], key, subject.title, attribute)
    template = min(templates, key=lambda text: asked[f"{kind.name}.{text}", impossible])
    asked.update([(f"{kind.name}.{template}", impossible), (f"{kind.name}.{attribute}", impossible)])
    question = template.format(s=subject.name, ss=subject.possessive)
    id_ = hashlib.sha256(f"{key}\n{question}".encode()).hexdigest()[:24]
    return {"question": question, "id": id_, "answers": answers, "is_impossible": impossible}


if __name__ == "__main__":
    for name, dataset in generate().items():
        write_bytes(demo_file(name), to_bytes(dataset))
