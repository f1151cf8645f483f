"""The `demo` data set, which needs no network: true facts told by templates, SQuAD v2 schema, train and dev split by entity."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any, TypeVar

from qaexp.data.demo_facts import Entity, Kind, attributes_of, read_kinds
from qaexp.runs import files

SPLITS = ("train", "dev")
_PARAGRAPHS = {"train": 4, "dev": 2}  # per title
_ARTICLE = re.compile(r"(the|an|a) ")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Told:
    """A fact that a paragraph states: `text` stands at `start_char` of its context."""

    entity: Entity
    attribute: str
    text: str
    start_char: int


def demo_file(split: str) -> Path:
    """Return the shipped file of a split, `train` or `dev`."""
    return Path(__file__).parent / "demo" / f"{split}.json"


def generate() -> dict[str, dict[str, Any]]:
    """Make both splits from the tables, each in the official nested SQuAD v2 format.

    The same tables give the same data on every machine: each choice is a hash of what it is about, no random generator is used.
    """
    kinds = read_kinds()
    return {split: _generate_split(kinds, split) for split in SPLITS}


def to_bytes(dataset: dict[str, Any]) -> bytes:
    """Return a split as it is shipped: compact JSON, UTF-8, one newline at the end."""
    return (json.dumps(dataset, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _generate_split(kinds: Sequence[Kind], split: str) -> dict[str, Any]:
    asked: Counter[tuple[str, bool]] = Counter()
    articles = []
    for kind, entity, peers in _interleaved(kinds, split):
        paragraphs = []
        for number in range(_PARAGRAPHS[split]):
            key = f"{kind.name}/{entity.title}/{number}"
            context, told = _write(_plan(kind, entity, peers, key), kind.noun, key)
            paragraphs.append({"context": context, "qas": _ask(kind, entity, peers, context, told, asked, key)})
        articles.append({"title": entity.title, "paragraphs": paragraphs})
    return {"version": "v2.0", "data": articles}


def _interleaved(kinds: Sequence[Kind], split: str) -> list[tuple[Kind, Entity, list[Entity]]]:
    """Return (kind, entity, the split's entities of that kind), all kinds spread evenly, so that a first part has them all."""
    placed = []
    for kind in kinds:
        members = [entity for entity in kind.entities if entity.split == split]
        placed += [((i + 0.5) / len(members), kind, entity, members) for i, entity in enumerate(members)]
    placed.sort(key=lambda item: (item[0], item[1].name))
    return [(kind, entity, [peer for peer in members if peer is not entity]) for _, kind, entity, members in placed]


def _plan(kind: Kind, entity: Entity, peers: Sequence[Entity], key: str) -> list[tuple[Entity, str]]:
    """Choose the sentences of a paragraph: two or three facts about the entity and, mostly, facts about others as distractors."""
    count = max(1, min((2, 2, 3)[_hash(key, "count") % 3], len(entity.facts) - 1))  # one fact is left out, to be asked in vain
    chosen = _shuffled(entity.facts, key, "facts")[:count]
    own = [(entity, template) for template in _cover(kind, chosen, key)]
    if _hash(key, "filler") % 8 == 0:
        own.append((entity, _shuffled(kind.fillers, key)[0]))
    own = _shuffled(own, key, "order")
    others = []
    for i, peer in enumerate(_shuffled(peers, key, "peers")[: (0, 1)[_hash(key, "distractors") % 2]]):
        shared = [attribute for attribute in (*chosen, *_shuffled(entity.facts, key, "shared", i)) if attribute in peer.facts]
        others += [(peer, template) for template in _cover(kind, shared[:1], key)]
    return others + own if _hash(key, "others first") % 4 == 0 else own + others


def _cover(kind: Kind, attributes: Iterable[str], key: str) -> list[str]:
    """Return templates that tell each of these attributes exactly once, and no other."""
    left = set(attributes)
    templates = []
    for template in _shuffled(kind.sentences, key, "sentences"):
        told = attributes_of(template)
        if told <= left:
            templates.append(template)
            left -= told
    return templates


def _write(sentences: Sequence[tuple[Entity, str]], noun: str, key: str) -> tuple[str, list[Told]]:
    """Render a paragraph; an entity is named again, or called by a pronoun or noun where the sentence before was about it."""
    context, told, previous = "", [], None
    alone = all(entity is sentences[0][0] for entity, _ in sentences)
    for entity, template in sentences:
        named = not alone or entity is not previous or _hash(key, "named", template) % 2 == 0
        previous = entity
        start = len(context)
        for literal, field, _, _ in Formatter().parse(template):
            context += literal
            if field in ("s", "ss"):
                at_start = len(context) == start and _hash(key, "pronoun", template) % 3 > 0
                context += _subject(entity, field == "ss", named, at_start, noun)
            elif field:
                told.append(_tell(entity, field, len(context)))
                context += entity.facts[field]
        context = context[:start] + context[start].upper() + context[start + 1 :] + " "
    context = context[:-1]
    return context, [Told(t.entity, t.attribute, context[t.start_char : t.start_char + len(t.text)], t.start_char) for t in told]


def _subject(entity: Entity, genitive: bool, named: bool, pronoun: bool, noun: str) -> str:
    if named:
        return entity.possessive if genitive else entity.name
    if pronoun:
        return entity.possessive_pronoun if genitive else entity.pronoun
    return f"{noun}'s" if genitive else noun


def _tell(entity: Entity, attribute: str, start_char: int) -> Told:
    """Return the fact without its article, which is not part of the answer."""
    text = entity.facts[attribute]
    article = _ARTICLE.match(text)
    skipped = article.end() if article else 0
    return Told(entity, attribute, text[skipped:], start_char + skipped)


def _ask(
    kind: Kind, entity: Entity, peers: Sequence[Entity], context: str, told: Sequence[Told], asked: Counter[tuple[str, bool]], key: str
) -> list[dict[str, Any]]:
    """Ask each fact told, and half as many that look alike but are not told; `asked` keeps both kinds in balance."""
    absent = _absent(entity, peers, told, key)
    absent.sort(key=lambda pair: 2 * asked[f"{kind.name}.{pair[1]}", True] - asked[f"{kind.name}.{pair[1]}", False])
    strangers = [p for p in absent if p[0].title not in context and p[0].name not in context]
    native = [p for p in absent if p not in strangers]
    absent = (strangers[:1] if _hash(key, "use stranger") % 4 == 0 else []) + native + strangers
    absent = absent[:1]
    questions = [(t.entity, t.attribute, _answers(t, kind.also.get(t.attribute))) for t in _shuffled(told, key, "told")[:2]]
    questions += [(subject, attribute, []) for subject, attribute in absent]
    records = []
    for subject, attribute, answers in questions:
        asked[f"{kind.name}.{attribute}", not answers] += 1
        templates = _shuffled(kind.questions[attribute], key, subject.title, attribute)
        template = min(templates, key=lambda text: asked[kind.name + text, not answers])  # noqa: B023
        asked[kind.name + template, not answers] += 1
        text = template.format(s=subject.name, ss=subject.possessive)
        id_ = hashlib.sha256(f"{context}\n{text}".encode()).hexdigest()[:24]
        records.append({"question": text, "id": id_, "answers": answers, "is_impossible": not answers})
    return _shuffled(records, key, "questions")


def _absent(entity: Entity, peers: Sequence[Entity], told: Sequence[Told], key: str) -> list[tuple[Entity, str]]:
    """List what may be asked in vain: untold facts of those named here, and the facts told here of one who is not."""
    stated = {(t.entity.title, t.attribute) for t in told}
    here = {t.entity.title: t.entity for t in told} | {entity.title: entity}
    strangers = [peer for peer in _shuffled(peers, key, "stranger") if peer.title not in here][:1]
    pairs = [(named, attribute) for named in here.values() for attribute in named.facts]
    pairs += [(s, attribute) for s in strangers for attribute in dict.fromkeys(t.attribute for t in told) if attribute in s.facts]
    return _shuffled([(e, attribute) for e, attribute in pairs if (e.title, attribute) not in stated], key, "absent")


def _answers(told: Told, also: str | None) -> list[dict[str, Any]]:
    answers = [{"text": told.text, "answer_start": told.start_char}]
    shorter = re.search(also, told.text) if also else None
    if shorter and shorter.group() != told.text:
        answers.append({"text": shorter.group(), "answer_start": told.start_char + shorter.start()})
    return answers


def _hash(*key: object) -> int:
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, key)).encode()).digest()[:8])


def _shuffled(items: Iterable[_T], *key: object) -> list[_T]:
    """Order items by hash: the same on every machine and in every version of Python."""
    return [item for _, item in sorted(enumerate(items), key=lambda pair: _hash(*key, pair[0]))]


if __name__ == "__main__":
    for name, dataset in generate().items():
        files.write_bytes(demo_file(name), to_bytes(dataset))
