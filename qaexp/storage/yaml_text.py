"""Trees as YAML, byte for byte as OmegaConf writes them, without OmegaConf."""

from __future__ import annotations

from typing import Any

import yaml

_TRUTHS = frozenset(
    form
    for word in ("y", "n", "yes", "no", "true", "false", "on", "off")
    for form in (word, word.title(), word.upper())
)


def yaml_text(tree: Any) -> str:
    r"""Return a tree of plain types as YAML: keys in the given order, texts that read as numbers in quotes.

    >>> yaml_text({"name": "1e3", "seeds": [0, 1]})
    "name: '1e3'\nseeds:\n- 0\n- 1\n"
    """
    text: str = yaml.dump_all([tree], Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False)
    return text


class _Dumper(yaml.Dumper):
    """PyYAML's, but it leaves texts without quotes that others read as numbers or truth values."""


def _represent_text(dumper: yaml.Dumper, data: str) -> yaml.ScalarNode:
    needs_quotes = _is_number(data) or data in _TRUTHS
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="'" if needs_quotes else None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


_Dumper.add_representer(str, _represent_text)
