"""The configuration reference of the docs, made from the schema and the files of conf/ alone.

python -m qaexp.config.reference > docs/configuration.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import Field
from types import UnionType
from typing import Any, get_args

import yaml

from qaexp.config.conf import choices, conf_directory
from qaexp.config.schema import OPEN_NODES, leaves, neutral_keys

_PRESETS = ("experiment", "sweep", "debug")
_COMMENTED = re.compile(r"^(?P<indent> *)(?P<key>\w+):(?P<value>[^#]*?)(?:\s+# (?P<meaning>.*))?$")
_HEAD = """# Configuration

Every group, choice and key, made from the schema and `conf/`; a test holds this page current. To make it again:

    python -m qaexp.config.reference > docs/configuration.md

Choose with `group=choice`, set with `key=value`, sweep with `key=a,b` and `-m`. `qaexp train --cfg job` prints what a
command line composes. A key of type text keeps the words as typed: `name=1e3` is `1e3`; `null` and `${...}` keep their
meaning, and quotes make a text of them. In a YAML file YAML's own rules count: there `name: 3.10` is a number, and is
refused with the way to quote it. `notes`, `group` and `tags` are free texts, and a path that exists may hold any sign:
`notes="free text, with commas"`, `tags=[a,b]`, `model.checkpoint=multirun_outputs/x/seed=0,optimizer.lr=0.001-9c1a0966`
are typed as they stand. What another tool calls otherwise (`--lr`, `num_train_epochs`) is refused with the word for it.

`qaexp train --cfg job > my.yaml` writes a config that `qaexp train --config-dir=. --config-name=my` runs again;
`qaexp train --from RUN seed=1` begins with the config of a run: its folder, its `config.json` or its
`.hydra/config.yaml`. What such a file does not say is as in the default config; a group that is chosen takes the place
of its node. A file of yours that is called like one of qaexp's own, and says something else, is refused: it would not
be used. One file can: the run begins with the `config.yaml` of a folder given by `--config-dir`, in place of qaexp's
own, and says so; `--config-name=config` says that it is meant. Keys marked *neutral* cannot change results and are no
part of a run's identity. Your own files: [extending](extending.md).
"""


def reference() -> str:
    """Return the page as Markdown."""
    groups = choices([conf_directory()])
    parts = [_HEAD, "## Top level\n", _table(_rows("", _values("config.yaml")))]
    parts += [_table(_rows(node, _values("config.yaml")[node])) for node in ("seeds", "sweep")]
    for group, names in groups.items():
        parts.append(f"## {group}\n")
        parts.append("\n".join(f"- `{group}={name}`: {_first_comment(group, name)}" for name in names) + "\n")
        if group in OPEN_NODES or group.startswith("hydra/"):
            parts += [_open_table(group, name) for name in names]
        elif group not in _PRESETS:
            default = _values("config.yaml")["defaults"]
            chosen = next(entry[group] for entry in default if isinstance(entry, dict) and group in entry)
            parts.append(f"Keys, with the values of `{group}={chosen}`:\n")
            parts.append(_table(_rows(group, node_values(group, chosen))))
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def _rows(group: str, values: dict[str, Any]) -> Iterator[list[str]]:
    for name, item, hint in leaves():
        if name.rpartition(".")[0] == group:
            neutral = " *neutral*" if {name, group} & neutral_keys() else ""
            meaning = f"{item.metadata.get('help', '')}{neutral}"
            yield [f"`{name}`", _type(hint), _shown(values.get(item.name)), _legal(item), meaning]


def _table(rows: Iterator[list[str]]) -> str:
    lines = ["| key | type | default | legal | meaning |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(_cell(part) for part in row)} |" for row in rows)]) + "\n"


def _open_table(group: str, name: str) -> str:
    """The keys of an open node's file, with the comments behind them."""
    rows = [f"| `{key}` | {_cell(value)} | {_cell(meaning)} |" for key, value, meaning in open_keys(group, name)]
    if not rows:
        return ""
    return "\n".join([f"`{group}={name}`:\n", "| key | value | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def open_keys(group: str, name: str) -> list[tuple[str, str, str]]:
    """Return the dotted key, the value and the meaning of each line of a file of conf/, as they are there."""
    lines = (conf_directory() / group / f"{name}.yaml").read_text("utf-8").splitlines()
    found = [match for line in lines if (match := _COMMENTED.match(line)) and not match["key"].startswith("_")]
    rows, outer = [], ""
    for match in found:
        if value := match["value"].strip():
            path = f"{group.replace('/', '.')}.{outer if match['indent'] else ''}{match['key']}"
            rows.append((path, value, match["meaning"] or ""))
        else:
            outer = f"{match['key']}."
    return rows


def default_values() -> dict[str, str]:
    """Return the value of each key as the default config has it, as it is shown; lists of mappings are left out."""
    primary = _values("config.yaml")
    chosen = {key: name for entry in primary["defaults"] if isinstance(entry, dict) for key, name in entry.items()}
    for entry in _values(f"data/{chosen['data']}.yaml").get("defaults", []):
        for key, name in entry.items():
            chosen[key.removeprefix("override /").partition("@")[0]] = name
    files = {group: node_values(group, name) for group, name in chosen.items() if _is_node(group, name)}
    found: dict[str, str] = {}
    for name, _, _ in leaves():
        group, _, key = name.rpartition(".")
        values = (files.get(group) or primary[group]) if group else primary
        if not (isinstance(values.get(key), list) and values[key]):
            found[name] = _shown(values.get(key))
    return found


def _is_node(group: str, name: str | None) -> bool:
    return name is not None and "override" not in group and group not in (*_PRESETS, *OPEN_NODES)


def node_values(group: str, name: str) -> dict[str, Any]:
    """The keys of a choice with their values, also those that its file inherits from others of its group."""
    own = _values(f"{group}/{name}.yaml") or {}
    found: dict[str, Any] = {}
    for entry in own.pop("defaults", []):
        if isinstance(entry, str) and entry != "_self_":
            found |= node_values(group, entry)
    return {**found, **own}


def _values(file: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((conf_directory() / file).read_text("utf-8"))
    return found


def _first_comment(group: str, name: str) -> str:
    """The comment that a file begins with, as one line."""
    lines = (conf_directory() / group / f"{name}.yaml").read_text("utf-8").splitlines()
    found = []
    for line in lines:
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            found.append(line.removeprefix("# "))
    return " ".join(found)


def _type(hint: Any) -> str:
    parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    words = {type(None): "null", int: "int", float: "float", str: "text", bool: "true/false", Any: "mapping or null"}
    return " or ".join(words.get(part, "list") for part in parts)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "see conf/config.yaml" if value else "[]"
    if value == "":
        return '""'
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _legal(item: Field[Any]) -> str:
    low, high, unit = (item.metadata.get(name) for name in ("low", "high", "unit"))
    legal = ", ".join(item.metadata.get("choices", ()))
    if low is not None:
        legal = f"{low:g} to {high:.10g}" if high is not None else f"from {low:g}"
    return f"{legal} {unit}".strip() if unit else legal


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
