"""What `qaexp train --help` prints: groups with their choices, and every key with its meaning, from the schema."""

from __future__ import annotations

from dataclasses import Field
from typing import Any

from qaexp.config.conf import choices, conf_directory
from qaexp.config.schema import OPEN_NODES, leaves

_USAGE = """qaexp train: train and evaluate, from YAML to a run directory.

usage: qaexp train [key=value ...] [group=choice ...] [flags]

  qaexp train                                    the demo on MiniLM
  qaexp train data=json data.train_file=train.json data.dev_file=dev.json seed=2
  qaexp train name=lr optimizer.lr=1e-4          outputs/lr/
  qaexp train -m name=seeds seed=0,1,2           multirun_outputs/seeds/, one run directory a job

flags: -m (a sweep)  --cfg job (print the config)  --info defaults  --config-dir DIR (your own YAML files)  -cn NAME"""


def train_help() -> str:
    """The help text; reads file names and the schema only."""
    groups = [
        f"  {group:<12}{' '.join(names)}" for group, names in choices([conf_directory()]).items() if "/" not in group
    ]
    return "\n".join([_USAGE, "", "groups (group=choice):", *groups, "", "keys (key=value):", *_key_lines()])


def _key_lines() -> list[str]:
    lines = [f"  {name:<40}{_meaning(item)}" for name, item, _ in leaves()]
    open_lines = [
        f"  {node + '.*':<40}the keywords of the chosen YAML file, e.g. see --cfg job -p {node}" for node in OPEN_NODES
    ]
    return lines + open_lines


def _meaning(item: Field[Any]) -> str:
    unit, words = item.metadata.get("unit", ""), item.metadata.get("choices", ())
    return (
        str(item.metadata.get("help", ""))
        + (f" [{unit}]" if unit else "")
        + (f": {' | '.join(words)}" if words else "")
    )
