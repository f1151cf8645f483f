"""Which objects a config may name, node by node: looked at by name before anything is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from qaexp.nodes import public
from qaexp.storage.start import ALLOWED, start

TARGET = "_target_"
# The way out for a user who knows what is named.
ALLOW_YOURS = (
    f"allow your own package by `qaexp train --allow my_package.`, or by {ALLOWED}=my_package. in the environment"
)
# What of ours each node may name, also by its former address. `trackers` holds one node for each tracker.
ADDRESSES: Mapping[str, tuple[str, ...]] = {
    "data": ("qaexp.nodes.DataPipeline",),
    "features": ("qaexp.nodes.Windows",),
    "batches": ("qaexp.nodes.BatchPlan",),
    "model": ("qaexp.nodes.Checkpoint",),
    "optimizer": ("qaexp.nodes.Muon",),
    "schedule": ("qaexp.nodes.constant", "qaexp.nodes.cosine", "qaexp.nodes.linear"),
    "trainer": ("qaexp.nodes.Trainer",),
    "decoding": ("qaexp.nodes.Decoding",),
    "reporter": ("qaexp.nodes.Reporter",),
    "trackers": ("qaexp.nodes.TensorBoard", "qaexp.nodes.MLflow", "qaexp.nodes.Wandb", "qaexp.nodes.Trackio"),
}
# The node `optimizer` may name classes of these two modules; what the name resolves to is looked at as well.
_OPTIMIZERS = re.compile(r"(torch\.optim|transformers)\.[A-Za-z_]\w*")
# What Hydra itself builds from its own node: launchers and sweepers, its own and those of plugins.
_HYDRA_PLUGINS = re.compile(r"(hydra\._internal\.core_plugins|hydra_plugins\.\w+)(\.\w+)?\.\w+(Launcher|Sweeper)")


def users_prefixes() -> tuple[str, ...]:
    """The dotted prefixes that every node may name as well: those of QAEXP_ALLOW_TARGETS when the process started."""
    given = start().environ.get(ALLOWED, "").split(",")
    return tuple(part.strip() for part in given if part.strip())


def is_optimizer_name(name: str, kind: str) -> bool:
    """Say whether a name is that of an optimizer of a library, in the node where one is allowed."""
    return kind == "optimizer" and _OPTIMIZERS.fullmatch(name) is not None


def is_ours(name: object, kind: str) -> bool:
    """Say whether a name is one of our addresses that a node may name, of today or of before."""
    return public(name) in ADDRESSES[kind]


def is_allowed_name(name: object, kind: str) -> bool:
    """Say whether a node may name this, as far as the name shows.

    Args:
        name: The value of `_target_`.
        kind: The node, one of `ADDRESSES`.

    >>> is_allowed_name("torch.optim.SGD", "optimizer"), is_allowed_name("torch.optim.SGD", "trackers")
    (True, False)
    """
    if not isinstance(name, str):
        return False
    return is_ours(name, kind) or is_optimizer_name(name, kind) or name.startswith(users_prefixes())


def refusal(name: object, kind: str) -> str:
    """The sentence for a target that its node may not name."""
    ours = ", ".join(ADDRESSES[kind])
    libraries = " and optimizer classes of torch.optim and transformers" if kind == "optimizer" else ""
    return f"_target_={name} is refused: {kind} may name {ours}{libraries}; {ALLOW_YOURS}"


def refused_targets(config: Mapping[str, Any]) -> list[str]:
    """Name every target in a config that is not allowed, wherever it is; nothing is imported.

    Args:
        config: A resolved config as plain types.

    Returns:
        One sentence a target.
    """
    problems = []
    for place, key, value in items(config, ""):
        if key != TARGET:
            continue
        kind, *inside = place.rstrip(".").split(".")
        if kind not in ADDRESSES or len(inside) != (kind == "trackers"):
            problems.append(hidden(value, place))
        elif value is not None and not is_allowed_name(value, kind):
            problems.append(refusal(f"{value} (in {place.rstrip('.')})", kind))
    return problems


def hidden(name: object, place: str) -> str:
    """The sentence for a target in a place where nothing is built."""
    return (
        f"_target_={name} (in {place.rstrip('.') or 'the config itself'}) is refused: only the nodes "
        f"{', '.join(ADDRESSES)} are built, and nothing inside them; leave it out"
    )


def refused_plugins(node: Mapping[str, Any]) -> list[str]:
    """The same for Hydra's own node, of which Hydra builds launcher, sweeper and callbacks by itself.

    Args:
        node: The content of `hydra`, unresolved: no target of ours is interpolated, and no node that Hydra builds.
    """
    problems = []
    for place, key, value in items(node, "hydra."):
        text = str(value)
        is_ours = text.startswith(users_prefixes()) and "${" not in text
        if key == TARGET and not (_HYDRA_PLUGINS.fullmatch(text) or is_ours):
            wrong = "Hydra builds launchers and sweepers only"
        elif f"{place}{key}" in ("hydra.launcher", "hydra.sweeper", "hydra.callbacks") and isinstance(value, str):
            wrong = "what Hydra builds must be written out"
        elif place.startswith("hydra.callbacks.") and "${" in text:
            wrong = "a callback must be written out"
        elif place.startswith(("hydra.launcher.", "hydra.sweeper.")) and key[:1] == "_" and key != TARGET:
            wrong = "only _target_ is allowed there"
        else:
            continue
        problems.append(f"{place}{key}={value} is refused: {wrong}; leave it out, or {ALLOW_YOURS}")
    return problems


def plugin_targets(node: Mapping[str, Any]) -> list[str]:
    """The targets in Hydra's own node that only the user's own prefixes allow: what they resolve to must be theirs."""
    found = (str(value) for _, key, value in items(node, "hydra.") if key == TARGET)
    return [name for name in found if not _HYDRA_PLUGINS.fullmatch(name)]


def items(value: Any, place: str) -> Iterator[tuple[str, str, Any]]:
    """Yield (dotted place with its final dot, key, value) of every entry of every mapping and list inside a value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield place, str(key), inner
            yield from items(inner, f"{place}{key}.")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield place, str(number), inner
            yield from items(inner, f"{place}{number}.")
