"""Texts keep the words as they are typed: `name=1e3` is the text 1e3, not the number 1000.0 written as a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import yaml
from antlr4 import CommonTokenStream, InputStream, ParserRuleContext
from hydra.core.override_parser.overrides_visitor import HydraErrorListener
from hydra.errors import HydraException
from hydra.grammar.gen.OverrideLexer import OverrideLexer
from hydra.grammar.gen.OverrideParser import OverrideParser
from omegaconf._utils import get_yaml_loader

from qaexp.config.checks.as_typed import as_typed
from qaexp.config.guards.interpolations import MAX_VALUES
from qaexp.config.schema import ExperimentConfig, leaves

_PRESETS = ("experiment", "sweep", "debug")
# Hydra's own keys that are texts and part of a path.
_OF_HYDRA = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.job.name")
# Functions of Hydra's grammar that pass their values on as they are; those of the others (range, int, ...) are numbers.
_PASSING = ("choice", "shuffle", "tag")
_NUMBERS = (OverrideLexer.INT, OverrideLexer.FLOAT)
_PARAMS = "hydra.sweeper.params."
_YAML_KINDS = {"int": "a number", "float": "a number", "bool": "a truth value"}


def keep_texts(lines: Sequence[str]) -> list[str]:
    """Quote the numbers that are given to keys and groups that are texts, and free texts and paths as a whole.

    Their places are found with Hydra's own grammar, for single values as well as for those of a sweep; null,
    interpolations and what is quoted stay as they are. A truth value is refused later, with how to quote it, since it
    may be meant as one. What is not an override is left to whoever parses it.

    >>> keep_texts(["name=1e3", "seed=1", "data.revision=main,1_0", "name=null"])
    ["name='1e3'", 'seed=1', "data.revision=main,'1_0'", 'name=null']
    """
    kept = []
    for line in map(as_typed, map(_without_plus, lines)):
        key = line.lstrip("+").partition("=")[0]
        # Nothing looks at the truth values inside a list of probes.
        kinds = (*_NUMBERS, OverrideLexer.BOOL) if _is_probe(key) else _NUMBERS
        kept.append(_quoted(line, kinds) if _is_text(key) else line)
    return kept


def _without_plus(line: str) -> str:
    """`+experiment=...` is what people type; qaexp's own groups are in the defaults list, so that nothing is added."""
    bare = line.lstrip("+")
    return bare if bare != line and bare.partition("=")[0] in _groups() else line


def yaml_problems(path: Path, package: str, text: str) -> Iterator[str]:
    """Name the texts of a YAML file that are numbers or truth values for YAML, in another spelling than as a text.

    Args:
        path: The file.
        package: Where its content is in the config, dotted; empty for the top.
        text: Its content.
    """
    loader = get_yaml_loader()
    for key, node in _scalars(package, yaml.compose(text, Loader=loader)):
        kind = _YAML_KINDS.get(str(node.tag).rpartition(":")[2])
        if kind is None or not _is_text(key.removeprefix(_PARAMS)):
            continue
        read = yaml.load(node.value, Loader=loader)
        if str(read) != node.value:
            yield (
                f"{path}: line {node.start_mark.line + 1}: {key} is a text, and {node.value} without quotes is {kind} "
                f'for YAML ({read}); write "{node.value}"'
            )


@cache
def _texts() -> frozenset[str]:
    """The keys that are texts, and the groups, whose choices are."""
    leaf_hints = [(name, get_args(hint) if isinstance(hint, UnionType) else (hint,)) for name, _, hint in leaves()]
    texts = {name for name, hints in leaf_hints if str in hints}
    return frozenset({*texts, *_groups(), *_PRESETS, *_OF_HYDRA, "tags"})


@cache
def _groups() -> frozenset[str]:
    """The groups that qaexp's own defaults list has."""
    nodes = {item.name for item in fields(ExperimentConfig)} - {name for name, _, _ in leaves()} - {"seeds"}
    return frozenset({*nodes, *_PRESETS})


def _is_text(key: str) -> bool:
    return _is_probe(key) or key in _texts()


def _is_probe(key: str) -> bool:
    return key.partition(".")[0] == "probes"


def _quoted(line: str, kinds: Sequence[int]) -> str:
    if line.count("${") > MAX_VALUES:
        return line
    try:
        places = list(_bare(_tree(line), kinds))
    except (HydraException, RecursionError):
        return line
    for start, stop in reversed(places):
        line = f"{line[:start]}'{line[start:stop].strip()}'{line[stop:]}"
    return line


def _tree(line: str) -> Any:
    """Return Hydra's parse tree of an override; its own parser gives only the values, without their spelling."""
    listener = HydraErrorListener()
    lexer = OverrideLexer(InputStream(line))
    parser = OverrideParser(CommonTokenStream(lexer))
    for part in (lexer, parser):
        part.removeErrorListeners()
        part.addErrorListener(listener)
    tree: Any = parser.override()  # type: ignore[no-untyped-call]
    return tree


def _bare(node: Any, kinds: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the place of each value (end exclusive) that is a single token of one of these kinds."""
    if isinstance(node, OverrideParser.PrimitiveContext):
        words = [child.symbol for child in node.getChildren() if child.symbol.type != OverrideLexer.WS]
        if len(words) == 1 and words[0].type in kinds:
            yield node.start.start, node.stop.stop + 1
    elif isinstance(node, OverrideParser.FunctionContext) and node.getChild(0).getText() not in _PASSING:
        return
    elif isinstance(node, ParserRuleContext):
        for child in node.getChildren():
            yield from _bare(child, kinds)


def _scalars(prefix: str, node: yaml.Node | None) -> Iterator[tuple[str, yaml.ScalarNode]]:
    """Yield the dotted key and the node of every value in a YAML document."""
    if isinstance(node, yaml.ScalarNode):
        yield prefix, node
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(f"{prefix}.{key.value}".lstrip("."), value)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _scalars(f"{prefix}.{number}", value)
