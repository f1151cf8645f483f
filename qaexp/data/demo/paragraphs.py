"""The paragraphs of the `demo` data set: which facts stand together, in which words, and where each answer stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import Formatter

from qaexp.data.demo.facts import Entity, Kind, attributes_of, number_of, shuffled

_ARTICLE = re.compile(r"(the|an|a) ")


@dataclass(frozen=True, slots=True)
class Told:
    """A fact that a paragraph states: `text` stands at `start_char` of its context."""

    entity: Entity
    attribute: str
    text: str
    start_char: int


def write_paragraph(kind: Kind, entity: Entity, peers: Sequence[Entity], key: str) -> tuple[str, list[Told]]:
    """Write about an entity, sometimes about one of its peers too.

    Args:
        kind: What the entity is.
        entity: The title.
        peers: Entities of the same kind and split.
        key: Names the paragraph; every choice is a function of it.

    Returns:
        The context, and the facts in it that may be asked.
    """
    context, told, previous = "", [], None
    sentences = _plan(kind, entity, peers, key)
    for subject, template in sentences:
        # Two subjects: each is named every time, so that "it" is never a riddle.
        named = subject is not previous or len({title.title for title, _ in sentences}) > 1
        named = named or template.startswith("{s},") or number_of(key, "named", template) % 3 == 0
        previous = subject
        start = len(context)
        for literal, field, _, _ in Formatter().parse(template):
            context += literal
            if field in ("s", "ss"):
                pronoun = len(context) == start and number_of(key, "pronoun", template) % 3 > 0
                context += _reference(subject, field == "ss", named, "it" if pronoun else kind.noun)
            elif field:
                told.append(_tell(subject, field, len(context)))
                context += subject.facts[field]
        context = context[:start] + context[start].upper() + context[start + 1 :] + " "
    return context[:-1], [_as_written(fact, context) for fact in told if fact.attribute in kind.questions]


def _plan(kind: Kind, entity: Entity, peers: Sequence[Entity], key: str) -> list[tuple[Entity, str]]:
    """Choose sentences: two or three facts of the entity, at times a filler, and at times one fact of a peer."""
    askable = kind.askable(entity)
    facts = shuffled(askable, key, "facts")
    if number_of(key, "headline") % 2 == 0:  # the table's first attribute is what one asks first of its kind
        facts = [askable[0], *(attribute for attribute in facts if attribute != askable[0])]
    # One fact is left out, so that it can be asked in vain.
    facts = facts[: max(1, min((2, 2, 3)[number_of(key, "count") % 3], len(askable) - 1))]
    own = _cover(kind, entity, facts, key)
    if len(own) == 1 or number_of(key, "filler") % 3 == 0:
        free = set(entity.facts).difference(*map(attributes_of, own))
        own += [text for text in shuffled(kind.fillers, key, "fillers") if attributes_of(text) <= free][:1]
    sentences = [(entity, template) for template in shuffled(own, key, "order")]
    if number_of(key, "distractor") % 10 > 1:
        return sentences
    peer = shuffled(peers, key, "peers")[0]
    shared = [attribute for attribute in (*facts, *askable) if attribute in peer.facts][:1]
    others = [(peer, template) for template in _cover(kind, peer, shared, key)]
    return others + sentences if number_of(key, "distractor first") % 4 == 0 else sentences + others


def _cover(kind: Kind, entity: Entity, attributes: Iterable[str], key: str) -> list[str]:
    """Return templates that tell each of these attributes exactly once, and nothing else that may be asked."""
    left = set(attributes)
    templates = []
    for template in shuffled(kind.sentences, key, "sentences"):
        told = attributes_of(template)
        asked = told & set(kind.questions)
        if asked <= left and told <= set(entity.facts):
            templates.append(template)
            left -= asked
    return templates


def _reference(entity: Entity, genitive: bool, named: bool, otherwise: str) -> str:
    if named:
        return entity.possessive if genitive else entity.name
    if genitive:
        return "its" if otherwise == "it" else f"{otherwise}'s"
    return otherwise


def _tell(entity: Entity, attribute: str, start_char: int) -> Told:
    """Place a fact without its article, which is not part of an answer."""
    text = entity.facts[attribute]
    article = _ARTICLE.match(text)
    skipped = article.end() if article else 0
    return Told(entity, attribute, text[skipped:], start_char + skipped)


def _as_written(fact: Told, context: str) -> Told:
    """Return the fact in the letters of the context, where a sentence may begin with it."""
    text = context[fact.start_char : fact.start_char + len(fact.text)]
    return Told(fact.entity, fact.attribute, text, fact.start_char)
