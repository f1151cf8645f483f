"""How much interpolations may expand to: thirty lines like `a2: ${a1}${a1}` expand to a billion values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from omegaconf import Container, DictConfig, ListConfig, Node
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from qaexp.errors import ConfigError
from qaexp.storage.start import start

# Most values that all interpolations of a config may expand to; what is inside another one counts each time.
MAX_VALUES = 1_000
# Characters of the texts among them.
MAX_CHARACTERS = 1_000_000

_ENV_SET = ".env_set."


@contextmanager
def bounded() -> Iterator[None]:
    """Resolve interpolations in the body only as long as they expand to a bounded number of values.

    OmegaConf has no limit and remembers no result, so that a chain of doublings takes time and memory that double with
    every line. All that it resolves passes through two methods of its containers, which count inside the body: a count
    of the unresolved config would miss what `${a.${b}}` or a resolver names only when it is resolved.

    Raises:
        ConfigError: They expand to more, whatever the body made of the exception that stopped it.
    """
    spent = _Spent()
    look_up, call = Container._resolve_node_interpolation, Container._evaluate_custom_resolver

    def counted_look_up(self: Container, inter_key: str, memo: set[int] | None) -> Node:
        spent.stop_at_limit(self, inter_key)
        found: Node = spent.count(look_up(self, inter_key, memo))
        return found

    def counted_call(self: Container, key: Any, node: Node, inter_type: str, *args: Any, **keywords: Any) -> Any:
        spent.stop_at_limit(self, f"{inter_type}:")
        return spent.count(call(self, key, node, inter_type, *args, **keywords))

    _install(counted_look_up, counted_call)
    try:
        yield
    except Exception as error:
        if spent.problem is None:
            raise
        raise ConfigError(spent.problem) from error
    finally:
        _install(look_up, call)
    if spent.problem is not None:
        raise ConfigError(spent.problem)


@contextmanager
def watched_environment(answer: Callable[[str], str] | None = None) -> Iterator[set[str]]:
    """Note which variables the interpolations take from the environment that are resolved in the body.

    What Hydra is to put into the environment (`${hydra:job.env_set.KEY}`) counts as well.

    Args:
        answer: Gives the value of a variable in place of the environment; None leaves it as it is.

    Yields:
        The names; they come in while the body runs.
    """
    names: set[str] = set()
    call = Container._evaluate_custom_resolver

    def watched_call(self: Container, key: Any, node: Node, inter_type: str, *args: Any, **keywords: Any) -> Any:
        found = _variable(inter_type, keywords)
        names.update(found)
        if found and answer is not None:
            return answer(found[0])
        return call(self, key, node, inter_type, *args, **keywords)

    Container._evaluate_custom_resolver = watched_call  # type: ignore[method-assign]
    try:
        yield names
    finally:
        Container._evaluate_custom_resolver = call  # type: ignore[method-assign]


def resolve_all(node: Node) -> None:
    """Resolve every interpolation in a node and forget what comes out.

    What cannot be resolved is left to whoever needs it.
    """
    if node._is_interpolation():
        with suppress(OmegaConfBaseException):
            node._dereference_node()
    elif isinstance(node, DictConfig | ListConfig) and not (node._is_none() or node._is_missing()):
        keys: Any = range(len(node)) if isinstance(node, ListConfig) else list(node._content)  # type: ignore[arg-type]
        for key in keys:
            child = node._get_node(key)
            assert isinstance(child, Node)
            resolve_all(child)


class _Spent:
    """What interpolations have expanded to so far, and the sentence once that is too much."""

    def __init__(self) -> None:
        self.values = self.characters = 0
        self.problem: str | None = None

    def stop_at_limit(self, owner: Container, inside: str) -> None:
        if self.values < MAX_VALUES and self.characters < MAX_CHARACTERS:
            self.values += 1
            return
        what = f"{MAX_VALUES} values" if self.values >= MAX_VALUES else f"{MAX_CHARACTERS} characters"
        self.problem = self.problem or (
            f"{owner._get_full_key(None) or 'the config'}: interpolations expand to more than {what} (counted to "
            f"${{{inside}}}, those inside others each time); write out what is meant"
        )
        raise InterpolationResolutionError(self.problem)

    def count(self, found: Any) -> Any:
        value = found._value() if isinstance(found, Node) else found
        if isinstance(value, str):
            self.characters += len(value)
        elif isinstance(found, Container):
            self.values += _num_nodes(found, MAX_VALUES)
        return found


def _variable(inter_type: str, keywords: Mapping[str, Any]) -> list[str]:
    """What a call of a resolver takes from the environment, or is to put there; its default is none of it."""
    inside = keywords.get("inter_args") or ()
    name = str(inside[0]) if inside else ""
    is_read = inter_type == "oc.env" and name in start().environ
    return [name] if is_read or (inter_type == "hydra" and _ENV_SET in f".{name}.") else []


def _num_nodes(node: Container, limit: int) -> int:
    """The values inside a container, counted up to a limit."""
    content = node._content
    children = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    count = 0
    for child in children:
        count += 1 + (_num_nodes(child, limit - count) if isinstance(child, Container) else 0)
        if count >= limit:
            break
    return count


def _install(look_up: Any, call: Any) -> None:
    Container._resolve_node_interpolation = look_up  # type: ignore[method-assign]
    Container._evaluate_custom_resolver = call  # type: ignore[method-assign]
