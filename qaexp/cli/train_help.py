"""What `qaexp train --help` prints: groups with their choices, and every key with its meaning, from the schema."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from dataclasses import Field
from pathlib import Path
from typing import Any

from qaexp.config.conf import CONFIG_NAME, choices, conf_directory
from qaexp.config.reference import default_values, open_keys
from qaexp.config.schema import OPEN_NODES, leaves
from qaexp.reporting.terminal.outlets import is_terminal

_USAGE = """qaexp train: train and evaluate, from YAML to a run directory.

usage: qaexp train [key=value ...] [group=choice ...] [flags]

  qaexp train                                    the demo on MiniLM
  qaexp train data=json data.train_file=train.json data.dev_file=dev.json seed=2
  qaexp train name=lr optimizer.lr=1e-4          outputs/lr/
  qaexp train -m name=seeds seed=0,1,2           multirun_outputs/seeds/, one run directory a job
  qaexp train --from outputs/lr seed=1           the config of a run again, with another seed

flags:
  -m, --multirun           a sweep: every combination of the values given
  --from RUN               begin with the config of a run (its folder or its config.json), or with a whole YAML file
  -cd, --config-dir DIR    your own YAML files, added to those of qaexp: DIR/optimizer/mine.yaml is optimizer=mine
  -cn, --config-name NAME  the file of DIR to begin with; `qaexp train --cfg job > DIR/NAME.yaml` writes one
  --allow PACKAGE.         let configs name your own code in this package
  --cfg job                print the config and stop; -p optimizer prints a part
  --info defaults          where each part of the config comes from"""


_WIDTH, _WIDEST = 42, 60
_NARROWEST = 40
_COLUMNS = re.compile(r"\s*\S+(?: \S+)* {2,}")


def train_help(folder: Path | None = None) -> str:
    """The help text; reads file names, the files of conf/ and the schema only.

    Args:
        folder: That of choices of the user's own, of --config-dir.
    """
    own = [folder] if folder is not None and folder.is_dir() else []
    groups = [
        f"  {group:<11} {' '.join(names)}"
        for group, names in choices([conf_directory(), *own]).items()
        if not group.startswith("hydra/")
    ]
    keys = ["keys (key=value), each with the value that it has if you say nothing:", *_key_lines()]
    return "\n".join([_USAGE, "", "groups (group=choice):", *groups, "", *keys])


def for_terminal(text: str) -> str:
    """The text as a terminal of its width shows it, whole words under the column that they belong to; else as it is."""
    if not is_terminal(sys.stdout):
        return text
    width = max(shutil.get_terminal_size().columns - 1, _NARROWEST)
    return "\n".join(folded_line for line in text.splitlines() for folded_line in folded(line, width))


def folded(line: str, width: int) -> list[str]:
    """A line in as many lines as it needs; those that follow begin where its last column does.

    >>> folded("  --from RUN  begin with the config of a run", 30)
    ['  --from RUN  begin with the', '              config of a run']
    >>> folded("", 30), folded("short", 30)
    ([''], ['short'])
    """
    if len(line) <= width:
        return [line]
    columns = _COLUMNS.match(line)
    indent = len(columns[0]) if columns else len(line) - len(line.lstrip()) + 2
    if indent > 2 * width // 3:
        indent = 6
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )


def _key_lines() -> list[str]:
    defaults = default_values()
    lines = [_line(name, defaults.get(name), _meaning(item)) for name, item, _ in leaves()]
    for node in OPEN_NODES:
        choice = _chosen(node)
        lines += [_line(key, value.replace(", ", ","), meaning) for key, value, meaning in open_keys(node, choice)]
        lines.append(_line(f"{node}.*", None, f"list them with: qaexp train {node}=NAME --cfg job -p {node}"))
    return lines


def _line(key: str, default: str | None, meaning: str) -> str:
    shown = key if default is None else f"{key}={default}"
    shown = shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 3]}..."
    return f"  {shown:<{_WIDTH}}  {meaning}".rstrip()


def _chosen(group: str) -> str:
    """The choice of a group in the default config."""
    text = (conf_directory() / f"{CONFIG_NAME}.yaml").read_text("utf-8")
    return next(line.split()[2] for line in text.splitlines() if line.startswith(f"  - {group}: "))


def _meaning(item: Field[Any]) -> str:
    unit, words = item.metadata.get("unit", ""), item.metadata.get("choices", ())
    return (
        str(item.metadata.get("help", ""))
        + (f" [{unit}]" if unit else "")
        + (f": {' | '.join(words)}" if words else "")
    )
