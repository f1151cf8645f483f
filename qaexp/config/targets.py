"""Which objects a config may name: looked at by name before anything is imported, and again once it is resolved."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

TARGET = "_target_"
# Optimizer classes of these two modules may be named; what the name resolves to is looked at as well.
OPTIMIZERS = re.compile(r"^(torch\.optim|transformers)\.[A-Za-z_]\w*$")
_OWN = "qaexp."
# What Hydra itself builds from its own node: launchers and sweepers, its own and those of plugins.
_HYDRA_PLUGINS = re.compile(r"^(hydra\._internal\.core_plugins|hydra_plugins\.\w+)(\.\w+)?\.\w+(Launcher|Sweeper)$")


def allowed_prefixes() -> tuple[str, ...]:
    """Dotted prefixes that a config may name beside optimizers: our own, and those of QAEXP_ALLOW_TARGETS."""
    return (_OWN, *_users_prefixes())


def is_allowed_name(name: object) -> bool:
    """Say whether a config may name this, as far as the name tells.

    >>> is_allowed_name("torch.optim.SGD"), is_allowed_name("os.system")
    (True, False)
    """
    return isinstance(name, str) and (name.startswith(allowed_prefixes()) or OPTIMIZERS.match(name) is not None)


def refusal(name: object) -> str:
    """The sentence for a target that is not allowed."""
    return (
        f"_target_={name} is refused: a config may name what is under qaexp. and optimizer classes of torch.optim "
        "and transformers; allow your own package by QAEXP_ALLOW_TARGETS=my_package. in the environment"
    )


def refused_targets(config: Mapping[str, Any]) -> list[str]:
    """Name every target in a config that is not allowed, wherever it stands; nothing is imported.

    Args:
        config: A resolved config as plain types.

    Returns:
        One sentence a target.
    """
    return [
        refusal(f"{value} (in {place.rstrip('.')})")
        for place, key, value in _items(config, "")
        if key == TARGET and value is not None and not is_allowed_name(value)
    ]


def refused_in_hydra(node: Mapping[str, Any]) -> list[str]:
    """The same for Hydra's own node, of which Hydra builds launcher, sweeper, callbacks and loggers by itself.

    Args:
        node: The content of `hydra`, unresolved: no target of ours is interpolated.
    """
    problems = []
    for place, key, value in _items(node, "hydra."):
        is_logger = (
            "logging" in place and key in ("class", "()") and not str(value).startswith(("logging.", "colorlog."))
        )
        is_target = key == TARGET and not (_HYDRA_PLUGINS.match(str(value)) or str(value).startswith(_users_prefixes()))
        if is_logger or is_target:
            problems.append(
                f"{place}{key}={value} is refused: Hydra builds launchers and sweepers only, and loggers of logging; "
                "leave it out, or allow your own package by QAEXP_ALLOW_TARGETS=my_package. in the environment"
            )
    return problems


def _users_prefixes() -> tuple[str, ...]:
    given = os.environ.get("QAEXP_ALLOW_TARGETS", "").split(",")
    return tuple(part.strip() for part in given if part.strip())


def _items(value: Any, place: str) -> Iterator[tuple[str, str, Any]]:
    """Yield (dotted place with its final dot, key, value) of every entry of every mapping inside a value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield place, str(key), inner
            yield from _items(inner, f"{place}{key}.")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _items(inner, f"{place}{number}.")
