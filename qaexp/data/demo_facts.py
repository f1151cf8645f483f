"""The tables behind the `demo` data set: true facts (CSV) and the templates that tell and ask them (TOML), by kind of entity."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

TABLES = Path(__file__).parent / "demo_tables"
_POSSESSIVES = {"it": "its", "he": "his", "she": "her"}


@dataclass(frozen=True, slots=True)
class Entity:
    """One row of a table: what a paragraph is about; `facts` holds the attributes that are known, never an empty one."""

    title: str
    name: str
    pronoun: str
    split: str
    facts: Mapping[str, str]

    @property
    def possessive(self) -> str:
        """The name in the genitive."""
        return self.name + ("'" if self.name.endswith("s") else "'s")

    @property
    def possessive_pronoun(self) -> str:
        """The possessive that goes with the pronoun."""
        return _POSSESSIVES[self.pronoun]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of entity: its rows and its templates.

    In a template `{s}` is the subject, `{ss}` the subject in the genitive and any other field an attribute. `also` holds, for some
    attributes, the pattern of the shorter answer that is right too ("230" where the text says "230 metres").
    """

    name: str
    noun: str
    fillers: tuple[str, ...]
    sentences: tuple[str, ...]
    questions: Mapping[str, tuple[str, ...]]
    also: Mapping[str, str]
    entities: tuple[Entity, ...]


def attributes_of(template: str) -> frozenset[str]:
    """Return the attributes that a sentence template tells.

    >>> sorted(attributes_of("{ss} capital is {capital}, its domain {domain}."))
    ['capital', 'domain']
    """
    return frozenset(field for _, field, _, _ in Formatter().parse(template) if field) - {"s", "ss"}


def read_kinds() -> tuple[Kind, ...]:
    """Read every kind, in alphabetical order."""
    return tuple(_read_kind(path) for path in sorted(TABLES.glob("*.toml")))


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
    split, title = row.pop("split"), row.pop("title")
    name, pronoun = row.pop("name") or title, row.pop("pronoun", "it")
    return Entity(title, name, pronoun, split, {attribute: value for attribute, value in row.items() if value})
