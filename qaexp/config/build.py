"""Build the object that a config node names: the only caller of `instantiate`, and it builds only what is allowed."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from qaexp.config.checks.numerals import as_annotated
from qaexp.config.checks.suggest import did_you_mean
from qaexp.config.guards.targets import (
    ADDRESSES,
    hidden,
    is_allowed_name,
    is_optimizer_name,
    is_ours,
    plugin_targets,
    refusal,
    users_prefixes,
)
from qaexp.errors import ConfigError, IntegrityError, QaexpError
from qaexp.nodes import UNNAMED, public

_SPECIAL_KEYS = ("_target_", "_partial_")


def build(node: Mapping[str, Any] | object, kind: str, **extra: Any) -> Any:
    """Build a node's object.

    Args:
        node: A mapping or dataclass with `_target_`, the dotted name of a class or function; with `_partial_: true`
            what comes back is a `functools.partial`.
        kind: Which node it is, for example `optimizer`: each has a list of its own of what it may name.
        **extra: Keywords that no config holds, for example a seed that was derived.

    Returns:
        What the target returns.

    Raises:
        IntegrityError: The target is not on the list of what this node may name (exit code 8).
        ConfigError: The target does not exist, or does not take these keywords.
    """
    keywords = asdict(node) if is_dataclass(node) and not isinstance(node, type) else dict(node)  # type: ignore[call-overload]
    name = keywords.setdefault("_target_", UNNAMED.get(kind))
    _refuse_hidden_targets(keywords, str(name))
    target = _locate(name, kind)
    keywords = _without_gaps(str(name), target, keywords)
    _check_keywords(str(name), target, {key for key in keywords if key not in _SPECIAL_KEYS} | set(extra))
    keywords = _as_annotated(keywords, target)
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        return instantiate(keywords, _recursive_=False, _convert_="all", **extra)
    except InstantiationException as error:
        if isinstance(error.__cause__, QaexpError):
            raise error.__cause__ from None
        reason = " ".join(str(error.__cause__ or error).split())
        raise ConfigError(f"{name} cannot be built: {reason}; change its settings in {kind}.*") from error


def check_plugins(node: Mapping[str, Any]) -> None:
    """Refuse what Hydra would build from its own node by a detour through the user's own package.

    Args:
        node: The content of `hydra` as plain types, each target of which is allowed by its name.

    Raises:
        IntegrityError: A target resolves to something outside of the user's packages.
        ConfigError: It does not exist, or is where Hydra takes no plugins from.
    """
    for name in plugin_targets(node):
        resolved = _full_name(_resolve(name))
        if not resolved.startswith(users_prefixes()):
            raise IntegrityError(
                f"_target_={name} (which is {resolved}) in hydra is refused: it is not part of what "
                "QAEXP_ALLOW_TARGETS allows; name the object where it is defined"
            )
        if not name.startswith("hydra_plugins."):
            last = name.rpartition(".")[2]
            raise ConfigError(
                f"_target_={name} in hydra: Hydra takes launchers and sweepers from the package hydra_plugins alone; "
                f"put the class into hydra_plugins/mine.py in a folder on PYTHONPATH, write _target_: "
                f"hydra_plugins.mine.{last}, and allow it by QAEXP_ALLOW_TARGETS=hydra_plugins.mine. (docs/sweeps.md)"
            )


def _locate(name: object, kind: str) -> Any:
    if not is_allowed_name(name, kind):
        raise IntegrityError(refusal(name, kind))
    target = _resolve(str(public(name)))
    resolved = _full_name(target)
    if is_ours(name, kind) or resolved.startswith(users_prefixes()):
        return target
    # A package of the user's may offer ours under a name of its own, as far as this node may name it.
    is_renamed = any(target is _resolve(address) for address in ADDRESSES[kind] if resolved.startswith("qaexp."))
    if is_renamed or (is_optimizer_name(str(name), kind) and _is_optimizer(target)):
        return target
    raise IntegrityError(refusal(f"{name} (which is {resolved})", kind))


def _full_name(target: object) -> str:
    return f"{getattr(target, '__module__', '')}.{getattr(target, '__qualname__', '')}"


def _resolve(name: str) -> Any:
    """Import as much of a dotted name as is a module, and read the rest as attributes: a detour shows in the result."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:length])
        try:
            target: Any = import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is not None and module_name.startswith(error.name):
                continue
            raise ConfigError(f"_target_={name} cannot be imported: {error}; install what it needs") from error
        for attribute in parts[length:]:
            target = getattr(target, attribute, None)
        if target is not None:
            return target
        break
    if find_spec(parts[0]) is None:
        raise ConfigError(
            f"_target_={name}: no module {parts[0]} can be found; install it, or put its folder on PYTHONPATH"
        )
    raise ConfigError(f"_target_={name} does not exist; check the spelling")


def _is_optimizer(target: object) -> bool:
    from torch.optim import Optimizer

    return isinstance(target, type) and issubclass(target, Optimizer)


def _refuse_hidden_targets(keywords: Mapping[str, Any], owner: str) -> None:
    """Refuse `_target_`, `_args_` and the like below the node's own top: nothing of ours nests objects."""
    for key, value in keywords.items():
        if str(key).startswith("_") and key not in _SPECIAL_KEYS:
            raise IntegrityError(
                f"{key} in the node of {owner} is refused: only _target_ and _partial_ are allowed there; leave it out"
            )
        for inner in value if isinstance(value, list | tuple) else [value]:
            if isinstance(inner, Mapping):
                if "_target_" in inner:
                    raise IntegrityError(hidden(inner["_target_"], f"{owner}.{key}"))
                _refuse_hidden_targets(inner, owner)


def _without_gaps(name: str, target: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null and no keyword of a user's own target: the schema may have keys that it does not know."""
    parameters = inspect.signature(target).parameters
    if not name.startswith(users_prefixes()) or _takes_all(parameters):
        return keywords
    return {
        key: value for key, value in keywords.items() if value is not None or key in parameters or key in _SPECIAL_KEYS
    }


def _takes_all(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(item.kind is inspect.Parameter.VAR_KEYWORD for item in parameters.values())


def _as_annotated(keywords: Mapping[str, Any], target: Any) -> dict[str, Any]:
    """Read texts as what the signature says: the environment gives nothing but texts."""
    parameters = inspect.signature(target).parameters
    return {
        key: as_annotated(value, parameters[key].annotation) if key in parameters else value
        for key, value in keywords.items()
    }


def _check_keywords(name: str, target: Any, given: set[str]) -> None:
    parameters = inspect.signature(target).parameters
    if _takes_all(parameters):
        return
    problems = [
        f"{key} is not a keyword of {name}{did_you_mean(key, parameters)}"
        for key in sorted(given)
        if key not in parameters
    ]
    if problems:
        raise ConfigError(*problems)
