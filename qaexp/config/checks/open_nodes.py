"""The nodes whose keys are those of the chosen YAML file: `optimizer`, `schedule`, `trackers`. What can be checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from qaexp.config.checks.ranges import number_problems
from qaexp.config.guards.targets import TARGET
from qaexp.config.schema import OPEN_NODES, ExperimentConfig

# Those whose keys belong to their target: another target has none of them.
SELF_CONTAINED = ("optimizer", "schedule")
# Legal values of the keys that these nodes share, inclusive.
_RANGES: dict[str, tuple[float, float]] = {
    "optimizer.lr": (0.0, 100.0),
    "optimizer.weight_decay": (0.0, 100.0),
    "optimizer.eps": (0.0, 1.0),
    "optimizer.momentum": (0.0, 1.0),
    "optimizer.ns_steps": (1, 100),
    "schedule.warmup_ratio": (0.0, 1.0),
    "schedule.warmup_steps": (0, 1e12),
    "schedule.total_epochs": (1e-9, 1e6),
}
_MAY_BE_NULL = ("schedule.warmup_ratio", "schedule.warmup_steps", "schedule.total_epochs", "optimizer.eps")
_WHOLE = ("schedule.warmup_steps", "optimizer.ns_steps")
# Adafactor has two of them.
_MAY_BE_A_LIST = ("optimizer.eps",)
_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a mapping"}


def open_problems(config: ExperimentConfig) -> Iterator[str]:
    """Name what is wrong with the open nodes of a config, one sentence a problem."""
    for node in SELF_CONTAINED:
        if getattr(config, node).get(TARGET) is None:
            yield f"{node} has no {TARGET}; give it in the YAML file that is chosen, as those in conf/{node}/ do"
    for name, (low, high) in _RANGES.items():
        node, _, leaf = name.partition(".")
        values: Mapping[str, Any] = getattr(config, node)
        if leaf in values:
            yield from _value_problems(name, values[leaf], low, high)
    for node in OPEN_NODES:
        for name, value in _leaves(node, getattr(config, node)):
            if name not in _RANGES and isinstance(value, float) and not math.isfinite(value):
                yield f"{name}={value} is not a finite number, and nothing else can be stored; give one"
    yield from _betas_problems(config.optimizer.get("betas", [0.9, 0.999]))
    if config.schedule.get("warmup_steps") is not None and config.schedule.get("warmup_ratio"):
        yield (
            f"schedule.warmup_steps={config.schedule['warmup_steps']} and schedule.warmup_ratio="
            f"{config.schedule['warmup_ratio']} contradict each other; write schedule.warmup_steps="
            f"{config.schedule['warmup_steps']} schedule.warmup_ratio=null"
        )


def kind_problem(key: str, given: object, value: object) -> str | None:
    """Say why a value cannot replace that of an open node's YAML file: it is of another kind.

    Args:
        key: The dotted key.
        given: What the chosen YAML file has.
        value: What an override gives; null is left to whoever takes it.

    >>> kind_problem("optimizer.fused", True, "maybe")
    'optimizer.fused=maybe is a text, it must be true or false (as in the YAML file that is chosen)'
    >>> kind_problem("optimizer.lr", 3e-4, 1) is None
    True
    """
    known, found = _KINDS.get(type(given)), _KINDS.get(type(value))
    if key.partition(".")[0] not in OPEN_NODES or known is None or found is None or known == found:
        return None
    if isinstance(value, str) and ("${" in value or known == "a number"):
        return None  # resolved later; and what is not a number is named with its legal values
    return f"{key}={value} is {found}, it must be {known} (as in the YAML file that is chosen)"


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The dotted name and the value of everything inside a node that holds nothing more."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(f"{name}.{number}", inner)
    else:
        yield name, value


def _value_problems(name: str, value: Any, low: float, high: float) -> Iterator[str]:
    if (value is None and name in _MAY_BE_NULL) or (isinstance(value, list) and name in _MAY_BE_A_LIST):
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = "null" if value is None else value
        legal = f"between {low:g} and {high:.10g}"
        yield f"{name}={shown} is not a number {legal} (in YAML write 1.0e-5 with a dot, not 1e-5)"
    elif name in _WHOLE and math.isfinite(value) and value != int(value):
        yield f"{name}={value} is not a whole number; take one between {low:g} and {high:.10g}"
    else:
        yield from number_problems(name, value, low, high)


def _betas_problems(betas: Any) -> Iterator[str]:
    """The decay rates of two running means."""

    def is_rate(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1

    if not (isinstance(betas, list | tuple) and len(betas) == 2 and all(map(is_rate, betas))):
        shown = "null" if betas is None else betas
        yield f"optimizer.betas={shown} must be two numbers from 0 to below 1, for example [0.9,0.999]"
