"""Keeping secrets out of run directories: what looks like one is replaced before anything is stored.

A secret is known by its key (`hf_token`, `WANDB_API_KEY`), by its place (`hydra.job.env_set.*`, the password of a URL),
or by its value, when the same value stands under such a key in the environment or on the command line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

REDACTED = "<redacted>"
MIN_SECRET_LENGTH = 8
"""A shorter value is replaced where its key says so, not wherever the same characters stand."""

_SECRET_KEY = (
    r"(?:[\w.\-]*?[_.\-])?(?:token|secret|password|passwd|passphrase|credentials?|bearer|authorization|"
    r"(?:api|access|private|secret|signing|encryption)[_-]?key)"
)
_KEY = re.compile(_SECRET_KEY, re.IGNORECASE)
_LEFT = rf"(?P<key>(?<![\w.\-])(?:{_SECRET_KEY}|[\w.]*\benv_set\.\w+))"
_RIGHT = r"(?P<value>\"[^\"\n]*\"|'[^'\n]*'|[^\s,;&\"'}\]]+)"
_ASSIGNMENT = re.compile(rf"{_LEFT}(?P<sep>=){_RIGHT}", re.IGNORECASE)
_CONFIG_LINE = re.compile(rf"{_LEFT}(?P<sep>[\"']?[ \t]*[=:][ \t]*){_RIGHT}", re.IGNORECASE)
_URL_LOGIN = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.\-]*://)(?P<login>[^\s/@'\"]+)@", re.IGNORECASE)
_ENV_SET = re.compile(r"^(?P<indent>[ ]*)env_set:[ ]*\n(?P<body>(?:(?P=indent)[ ]+.*\n?)*)", re.MULTILINE)
_ENV_ITEM = re.compile(r"^(\s+[\w.]+:[ ]*)(.+)$", re.MULTILINE)
_NO_VALUE = ("null", "none", "")


def is_secret_key(key: str) -> bool:
    """Say whether the value of a (dotted) key must not be stored.

    >>> is_secret_key("hf_token"), is_secret_key("trackers.wandb.api_key"), is_secret_key("batches.token_budget")
    (True, True, False)
    """
    return _KEY.fullmatch(key) is not None or ".env_set." in f".{key}"


class Redactor:
    """Replaces secrets in texts and trees; it knows the values that the environment and the command line give away."""

    def __init__(self, environ: Mapping[str, str], texts: Iterable[str] = (), trees: Iterable[Any] = ()) -> None:
        """Collect the secret values of an environment, of texts (overrides, YAML) and of config trees."""
        found = {value for key, value in environ.items() if is_secret_key(key)}
        for text in texts:
            found.update(match["value"].strip("\"'") for match in _CONFIG_LINE.finditer(text))
            found.update(match["login"].partition(":")[2] for match in _URL_LOGIN.finditer(text))
        for tree in trees:
            found.update(_secret_leaves(tree))
        long = (value for value in found if len(value) >= MIN_SECRET_LENGTH)
        self._values = sorted(long, key=lambda value: (-len(value), value))

    def finds(self, text: str) -> bool:
        """Say whether a text holds a secret."""
        return self.text(text) != text

    def text(self, text: str) -> str:
        """Return `text` without its secrets.

        >>> Redactor({}).text("hf_token=abc123 https://me:pw@host/x data.train_size=5")
        'hf_token=<redacted> https://<redacted>@host/x data.train_size=5'
        """
        for value in self._values:
            text = text.replace(value, REDACTED)
        text = _URL_LOGIN.sub(rf"\g<scheme>{REDACTED}@", text)
        return _ASSIGNMENT.sub(_without_value, text)

    def config_text(self, text: str) -> str:
        r"""Return a YAML or JSON config without its secrets: here `key: value` counts too, which prose may hold.

        >>> Redactor({}).config_text("job:\n  env_set:\n    A: b\npassword: x")
        'job:\n  env_set:\n    A: <redacted>\npassword: <redacted>'
        """
        text = _ENV_SET.sub(lambda block: _ENV_ITEM.sub(rf"\1{REDACTED}", block[0]), self.text(text))
        return _CONFIG_LINE.sub(_without_value, text)

    def tree(self, value: Any, key: str = "") -> Any:
        """Return a copy of a JSON-able tree without its secrets; `key` is the dotted key of `value`."""
        if isinstance(value, Mapping):
            return {name: self.tree(item, f"{key}.{name}" if key else str(name)) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(item, key) for item in value]
        if isinstance(value, str) and value and is_secret_key(key):
            return REDACTED
        return self.text(value) if isinstance(value, str) else value


def _without_value(match: re.Match[str]) -> str:
    value = match["value"]
    if value.strip("\"'").lower() in _NO_VALUE or value.startswith(REDACTED):
        return match[0]
    return f"{match['key']}{match['sep']}{REDACTED}"


def _secret_leaves(tree: Any, key: str = "") -> Iterable[str]:
    if isinstance(tree, Mapping):
        for name, item in tree.items():
            yield from _secret_leaves(item, f"{key}.{name}" if key else str(name))
    elif isinstance(tree, list | tuple):
        for item in tree:
            yield from _secret_leaves(item, key)
    elif isinstance(tree, str) and is_secret_key(key):
        yield tree
