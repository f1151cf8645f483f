"""What Hydra and OmegaConf say, in plain sentences: the key, the value, what it must be; no types of Python."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from omegaconf.errors import ConfigKeyError, OmegaConfBaseException, ValidationError

from qaexp.config.checks.suggest import did_you_mean, offered
from qaexp.config.schema import leaves
from qaexp.errors import QaexpError

NO_SCHEMA = (
    "the config to begin with has a defaults list without `config`, so that nothing says what its keys may be; let the "
    "list begin with `- config`"
)
_LONGEST_SHOWN = 200
_KINDS: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
_FILE = re.compile(r"In '([^']+)'")
_OVERRIDE = re.compile(r"Could not override '([^']+)'")
_NOT_IN_LIST = re.compile(
    r"Could not (?:override|append|find match for)[^']*'([^']+)'.*(?:No match in the defaults list)"
)
_AMBIGUOUS = re.compile(r"(?:Ambiguous value for argument|Sweep parameters) '(.*?)'(?:$|\n| requires)", re.DOTALL)
_NO_SUBCLASS = re.compile(r"(?:int|float|str|bool|list|dict) is not a subclass of (\w+)Config. value: (.*)")
_UNSET = re.compile(r"Environment variable '(\w+)' not found")
_NO_TARGET = re.compile(r"Interpolation key '(.+?)' not found")
_NO_RESOLVER = re.compile(r"Unsupported interpolation type (.+)")
_OPTIONS = re.compile(r"Could not find '([^']+)/([^'/]+)'\s+Available options in '[^']+':((?:\s*\n?\t\S+)+)")
_FOUND = re.compile(r"'(?P<parent>[^']+)': Could not find '(?P<child>[^']+)'|Could not load '(?P<alone>[^']+)'")


def plain(error: BaseException) -> str:
    """The sentence of a library's error, without its frame of types and paths."""
    chain = list(_chain(error))
    text = "\n".join(map(str, chain))
    file = next((match[1] for match in map(_FILE.match, map(str, chain)) if match), None)
    where = f"{file}.yaml: " if file and not file.startswith("qaexp") else ""
    if file and "/" in file and f"Key '{file.partition('/')[0]}' not in 'ExperimentConfig'" in text:
        return (
            f"{where}its keys would be under `{file.partition('/')[0]}`, which no config has; let the file begin "
            "with the line `# @package _global_`, and write whole keys"
        )
    inner = next((one for one in reversed(chain) if isinstance(one, OmegaConfBaseException)), None)
    if (sentence := _of_hydra(text)) is not None:
        return sentence
    if inner is not None and (sentence := _of_omegaconf(inner)) is not None:
        return f"{where}{sentence}"
    return " ".join(part.strip() for part in _joined(chain).splitlines() if part.strip())


def own_fault(error: BaseException) -> QaexpError | None:
    """What of ours a library carries inside its own error."""
    return next((one for one in _chain(error) if isinstance(one, QaexpError)), None)


def wanted(key: str) -> str | None:
    """What the value of a key must be, by the schema; None for a key that it does not declare.

    >>> wanted("trainer.max_steps"), wanted("trainer.compile"), wanted("tags"), wanted("optimizer.lr")
    ('a whole number or null', 'true or false', 'a list of texts', None)
    """
    hint = next((hint for name, _, hint in leaves() if name == key), None)
    return None if hint is None else _wanted(hint)


def misfit_sentence(key: str, value: object) -> str:
    """Say that a value is of the wrong kind for its key, what it must be, and what was meant where that is plain.

    >>> misfit_sentence("data.train_size", "50%")
    'data.train_size=50% does not fit, it must be a number or null; 0.5 is a half'
    """
    kind = wanted(key) or "of another kind"
    return f"{key}={_shown(value)} does not fit, it must be {kind}{_hint(key, value)}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def _joined(chain: list[BaseException]) -> str:
    """The text of an error, and of its cause where the first does not hold it."""
    first = chain[0]
    if isinstance(first, OmegaConfBaseException) and first.full_key and first.msg:
        return f"{first.full_key}: {str(first.msg).splitlines()[0]}; correct its value"
    text = str(first)
    if len(chain) > 1 and str(chain[1]).splitlines()[:1] and str(chain[1]).splitlines()[0] not in text:
        text = f"{text} {str(chain[1]).splitlines()[0]}"
    return text


def _of_hydra(text: str) -> str | None:
    if match := _OPTIONS.search(text):
        group, name, names = match[1], match[2], match[3].split()
        return f"{group}={name}: {group} has no {name!r}; it offers {', '.join(names)}{did_you_mean(name, names)}"
    if match := _AMBIGUOUS.search(text):
        return several_values(match[1])
    if match := _NOT_IN_LIST.search(text):
        return (
            f"{match[1]}: no group of that name is in the defaults list; write +{match[1]}=... to add a group of your "
            "own, or correct its name"
        )
    if match := _FOUND.search(text):
        if match["alone"]:
            return f"{match['alone']}: there is no such YAML file; correct its name, or give its folder by --config-dir"
        return (
            f"{match['parent']}.yaml: its defaults list names {match['child']}, and there is no such YAML file; "
            "correct the name, or give its folder by --config-dir"
        )
    if match := _OVERRIDE.search(text):
        return f"{match[1]} is not a key{offered(match[1], known_keys())}"
    return None


def several_values(line: str) -> str:
    """What is said of a sweep without its flag."""
    return f"{line}: several values are a sweep; add -m (--multirun), or quote the value if it is one text"


def known_keys() -> list[str]:
    """The keys that the schema declares."""
    return [name for name, _, _ in leaves()]


def _of_omegaconf(error: OmegaConfBaseException) -> str | None:
    message = str(error.msg or error).splitlines()[0]
    key = str(error.full_key or "")
    if match := _UNSET.search(message):
        return f"{key}: the variable {match[1]} is not set in the environment; set it, or write the value out"
    if match := _NO_TARGET.search(message):
        return f"{key}: ${{{match[1]}}} names a key that there is not; correct it, or write the value out"
    if match := _NO_RESOLVER.search(message):
        return f"{key}: ${{{match[1]}:...}} is not a known function; write the value out"
    if isinstance(error, ConfigKeyError) and " not in '" in message:
        return f"{key} is not a key{offered(key, known_keys())}"
    if match := _NO_SUBCLASS.search(message):
        node = key or match[1].lower()
        return f"{node}={match[2][:_LONGEST_SHOWN]} does not fit, it must be {_node_kind(node)}"
    if message.endswith("is not Optional"):
        return f"{key}=null does not fit, it must be {wanted(key) or 'a mapping of its keys'}"
    if "has missing mandatory value" in message:
        return f"{key} is not set; give it a value"
    if message.startswith("Cannot merge DictConfig with ListConfig"):
        return "a list is given where a mapping must be, or the other way round; compare with qaexp train --cfg job"
    if isinstance(error, ValidationError) and key:
        value = getattr(error, "value", None)
        if wanted(key):
            return misfit_sentence(key, value)
        return f"{key}={_shown(value)} does not fit, it must be a mapping"
    return None


def _node_kind(node: str) -> str:
    return "a mapping of question and context" if node.startswith("probes") else "a mapping of its keys"


def _wanted(hint: Any) -> str:
    if get_origin(hint) is list:
        inner = get_args(hint)[0]
        return f"a list of {'mappings with ' + ' and '.join(get_type_hints(inner)) if is_dataclass(inner) else 'texts'}"
    if not isinstance(hint, UnionType):
        return _KINDS.get(hint, "a mapping of its keys")
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    word = "a number" if len(kinds) > 1 else _KINDS[kinds[0]]
    return f"{word} or null" if type(None) in get_args(hint) else word


def _shown(value: object) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


_PERCENT = re.compile(r"\d+(?:\.\d+)?\s*%")
_RANGE = re.compile(r"(-?\d+)\s*\.\.\.?\s*(-?\d+)")


def _hint(key: str, value: object) -> str:
    """What was most likely meant."""
    kind = wanted(key) or ""
    if isinstance(value, str) and _PERCENT.fullmatch(value.strip()) and "number" in kind and "whole" not in kind:
        return "; 0.5 is a half"
    if isinstance(value, str) and (match := _RANGE.fullmatch(value.strip())):
        return f"; in a sweep (-m) write {key}=range({match[1]},{int(match[2]) + 1})"
    if _is_list(value) and len(value) > 1 and "list" not in kind:  # type: ignore[arg-type]
        return f"; in a sweep (-m) write {key}={','.join(map(_shown, value))}"  # type: ignore[call-overload]
    if not _is_list(value) and not isinstance(value, Mapping) and value is not None and kind == "a list of texts":
        return f"; write {key}=[{value}]"
    return ""


def _is_list(value: object) -> bool:
    from omegaconf import ListConfig

    return isinstance(value, list | tuple | ListConfig)
