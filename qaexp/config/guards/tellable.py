"""What of a config may not come from the environment, since it is stored as it is; and how messages show the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig

from qaexp.config.origins import Origin, Place, keys_of_words, origins_inside
from qaexp.storage.secret_names import is_secret_key, is_secret_variable
from qaexp.storage.start import start

Origins = Mapping[Place, Origin]

# Variables for the run, and the words of the command line: nothing that stores or shows them resolves them.
_KEPT_AS_TYPED = (("job", "env_set"), ("overrides",), ("job", "override_dirname"))
_WORD = re.compile(r"[^\W\d_]{1,19}")


def refused_values(tree: Mapping[str, Any], origins: Origins) -> Iterator[str]:
    """Name the values of a config that would reveal what is in the environment.

    Args:
        tree: The config as plain types.
        origins: All of it that came from the environment.
    """
    words = keys_of_words()
    for place, origin in origins.items():
        key, value, secret = spelt(place), _value_at(tree, place), _secret(origin)
        if place[0] == "probes":
            yield f"{key} comes from the environment, and its answers would reveal it; write it out"
        elif secret is None or value is None or place[0] in ("name", "trackers") or _follows_seed(place, origins):
            continue  # a name is refused by what it would be part of
        elif not isinstance(value, str) or ".".join(place) in words:
            yield (
                f"{key} comes from {secret}, whose name says that it is a secret, and it is stored as it is; give it "
                "another variable"
            )


def refused_in_hydra(composed: DictConfig) -> Iterator[str]:
    """Name what Hydra's own node would write into paths, into the lines of jobs and into its messages.

    Args:
        composed: A whole config, not resolved.
    """
    name = origins_inside(composed._get_node("name", validate_access=False)).get(())
    if name is not None and (secret := _secret(name)) is not None:
        yield (
            f"name comes from {secret}, whose name says that it is a secret, and it would be part of every path; "
            "choose a name without it"
        )
        return
    for place, origin in origins_inside(composed.hydra).items():
        key, secret = f"hydra.{'.'.join(place)}", _secret(origin)
        if place[:2] == ("sweeper", "params"):
            yield (
                f"{key} comes from the environment, and the lines of jobs are stored as they are; give it "
                "as key: value of the config, where it is stored as its expression"
            )
        elif secret is not None and not any(place[: len(kept)] == kept for kept in _KEPT_AS_TYPED):
            yield (
                f"{key} comes from {secret}, whose name says that it is a secret, and paths or messages would reveal "
                "it; give it another variable, or write it out"
            )


def misfit(key: str, origins: Origins) -> str | None:
    """The sentence on a key whose value does not fit; None when that did not come from the environment."""
    for place, origin in origins.items():
        names = {".".join(place[:length]) for length in range(1, len(place) + 1)}
        if key in (spelt(place), *names):
            variables = ", ".join(origin.variables)
            return f"{key}={origin.expression} gives nothing that fits this key; correct {variables}, or write it out"
    return None


def told(sentence: str, tree: Mapping[str, Any], origins: Origins) -> str:
    """Return a sentence with the expressions in place of the values that came from the environment.

    Args:
        sentence: What is wrong with the config.
        tree: The config as plain types.
        origins: All of it that came from the environment.

    >>> told("x=7 is outside 0 to 7", {"x": 7}, {("x",): Origin("${oc.env:N}", ("N",))})
    'x=${oc.env:N} is outside 0 to 7'
    """
    for place, origin in origins.items():
        for pattern in _patterns(place, origin, tree):
            sentence = origin.expression.join(re.split(pattern, sentence))
    return sentence


def told_of_variables(sentence: str, names: Iterable[str]) -> str:
    """Return a sentence with expressions in place of the values of variables, where no config says what is whose."""
    environ = start().environ
    values = {name: environ[name] for name in sorted(names) if name in environ}
    return told(sentence, values, {(name,): Origin(f"${{oc.env:{name}}}", (name,)) for name in values})


def spelt(place: Place) -> str:
    """A place as sentences have it.

    >>> spelt(("probes", "0", "context"))
    'probes[0].context'
    """
    return "".join(f"[{key}]" if key.isdecimal() else f".{key}" for key in place).lstrip(".")


def _patterns(place: Place, origin: Origin, tree: Mapping[str, Any]) -> Iterator[str]:
    """Where a sentence has a value: behind its key, or that of the list it is in; a text that is one's own anywhere."""
    for length in range(len(place), 0, -1):
        value = _value_at(tree, place[:length])
        if value is None or isinstance(value, bool | Mapping):
            continue
        for key in {spelt(place[:length]), ".".join(place[:length])}:
            for text in {str(value), repr(value)}:
                yield rf"(?<=\b{re.escape(key)}=){re.escape(text)}(?!\w)"
    value = _value_at(tree, place)
    if isinstance(value, str) and value and (_secret(origin) is not None or not _WORD.fullmatch(value)):
        for text in {value, repr(value)[1:-1]}:
            yield rf"(?<!\w){re.escape(text)}(?!\w)"


def _secret(origin: Origin) -> str | None:
    """The first of its variables that is a secret by its name."""
    return next((name for name in origin.variables if is_secret_variable(name) or is_secret_key(name)), None)


def _follows_seed(place: Place, origins: Origins) -> bool:
    """Whether it is one of the seeds that only follow `seed`, which is named itself."""
    return place[0] == "seeds" and ("seed",) in origins and origins[place].expression == "${seed}"


def _value_at(tree: Any, place: Place) -> Any:
    for key in place:
        if isinstance(tree, Mapping):
            tree = tree.get(key)
        else:
            tree = tree[int(key)] if isinstance(tree, list | tuple) and int(key) < len(tree) else None
    return tree
