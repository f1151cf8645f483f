"""The tables behind the `demo` data set: true facts (CSV) and the templates that tell and ask them (TOML)."""

from __future__ import annotations

import csv
import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import TypeVar

TABLES = Path(__file__).parent / "tables"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Entity:
    """One row of a table, which paragraphs are about; `facts` holds its known attributes, none of them empty."""

    title: str
    name: str
    split: str
    facts: Mapping[str, str]

    @property
    def possessive(self) -> str:
        """The name in the genitive."""
        return self.name + ("'" if self.name.endswith("s") else "'s")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of entity: its rows and its templates.

    In a template `{s}` is the subject, `{ss}` the subject in the genitive, and any other field an attribute. Each
    template of `sentences` tells one or more of the attributes that have `questions`; a filler tells none of those.
    `also` is the pattern of a shorter answer that is right too: "230" where the text says "230 metres".
    """

    name: str
    noun: str
    fillers: tuple[str, ...]
    sentences: tuple[str, ...]
    questions: Mapping[str, tuple[str, ...]]
    also: Mapping[str, str]
    entities: tuple[Entity, ...]

    def askable(self, entity: Entity) -> list[str]:
        """Return the attributes of an entity that may be asked, in the order of the table."""
        return [attribute for attribute in entity.facts if attribute in self.questions]


def attributes_of(template: str) -> frozenset[str]:
    """Return the attributes that a sentence template tells.

    >>> sorted(attributes_of("{ss} capital, {capital}, stands on the {river}."))
    ['capital', 'river']
    """
    return frozenset(field for _, field, _, _ in Formatter().parse(template) if field) - {"s", "ss"}


def read_kinds() -> tuple[Kind, ...]:
    """Read every kind, in alphabetical order."""
    return tuple(_read_kind(path) for path in sorted(TABLES.glob("*.toml")))


def number_of(*key: object) -> int:
    """Return a large number that depends on the key alone: the same on every machine, in every version of Python."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, key)).encode()).digest()[:8], "big")


def shuffled(items: Iterable[_T], *key: object) -> list[_T]:
    """Return the items in an order that depends on the key alone."""
    return [item for _, item in sorted(enumerate(items), key=lambda pair: number_of(*key, pair[0]))]


def _read_kind(path: Path) -> Kind:
    texts = tomllib.loads(path.read_text(encoding="utf-8"))
    with path.with_suffix(".csv").open(encoding="utf-8", newline="") as rows:
        entities = tuple(_entity(row) for row in csv.DictReader(rows))
    return Kind(
        name=path.stem,
        noun=texts["noun"],
        fillers=tuple(texts["fillers"]),
        sentences=tuple(texts["sentences"]),
        questions={attribute: tuple(templates) for attribute, templates in texts["questions"].items()},
        also=texts.get("also", {}),
        entities=entities,
    )


def _entity(row: dict[str, str]) -> Entity:
    split, title, name = row.pop("split"), row.pop("title"), row.pop("name")
    return Entity(title, name or title, split, {attribute: value for attribute, value in row.items() if value})
