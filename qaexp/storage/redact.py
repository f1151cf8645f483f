"""Keeping secrets out of run directories: what looks like one is replaced before anything is stored.

A secret is known by its key (`hf_token`, `WANDB_API_KEY`), by its place (`hydra.job.env_set.*`, the password of a URL),
by its looks (a PEM block), or by its value, when the same value is under such a key in the environment, on the
command line or in the config. Trees are redacted before they become text, so that no line break hides anything.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from qaexp.storage.origins import REDACTED, Origins, is_stored_expression, shown_values, variables_in
from qaexp.storage.secret_forms import MIN_LENGTH, forms, secret_leaves, secrets_in_url, without_shapes
from qaexp.storage.secret_names import is_secret_key, is_secret_variable

__all__ = ["REDACTED", "Redactor", "is_secret_key"]

_QUOTED = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\$\{[^{}]*\}"
_ASSIGNMENT = re.compile(rf"(?P<left>(?<![\w.\-])(?P<key>[\w.\-]+)=)(?P<value>{_QUOTED}|[^\s,;&\"'}}\]]+)", re.DOTALL)
_ITEM = re.compile(
    rf"(?P<left>[{{,]\s*(?P<quote>[\"']?)(?P<key>[\w.\-]+)(?P=quote)\s*:\s*)"
    rf"(?P<value>{_QUOTED}|[^\s,}}\]\"'{{\[][^,}}\]]*)",
    re.DOTALL,
)
_OVERRIDE = re.compile(r"(?P<left>[+~]*(?P<key>[\w./@:\-]+)=)(?P<value>.+)", re.DOTALL)
_EXPRESSION = re.compile(r"(?:\$\{oc\.env:\w+\})+")
_NO_VALUE = ("null", "none", "", "true", "false")
_LISTS_OF_WORDS = ("", "task", "hydra", "overrides", "changes", "command_line")
_LONGEST_KNOWN, _MOST_KNOWN = 300, 10_000
_CUT = re.compile(r"\.\.\.|…")


class Redactor:
    """Replaces secrets in texts and trees; it knows the values that environment, command line and configs give away."""

    def __init__(
        self,
        environ: Mapping[str, str],
        words: Iterable[str] = (),
        trees: Iterable[Any] = (),
        shown: Mapping[str, str] | None = None,
    ) -> None:
        """Collect the secret values.

        Args:
            environ: The environment.
            words: Those of the command line.
            trees: Configs.
            shown: What `text` has in place of texts that are not secrets, but not shown either.
        """
        found = {value for name, value in environ.items() if is_secret_variable(name)}
        for word in words:
            found.update(_secrets_of(word))
        for tree in trees:
            found.update(secret_leaves(tree))
        found = {told for value in found for told in _resolved(value, environ) if len(told) >= MIN_LENGTH}
        secrets = {form: REDACTED for value in found for form in forms(value)}
        self._in_trees = _values(frozenset(secrets.items()))
        self._in_texts = _values(frozenset({**(shown or {}), **secrets}.items()))

    def finds(self, text: str) -> bool:
        """Say whether a text holds a secret."""
        return self._without_secrets(text, self._in_trees) != text

    def text(self, text: str) -> str:
        """Return `text`, a message say, without its secrets.

        >>> Redactor({}).text("hf_token=abc123 https://me:pw@host/x data.train_size=5")
        'hf_token=<redacted> https://<redacted>@host/x data.train_size=5'
        """
        return self._without_secrets(text, self._in_texts)

    def word(self, word: str) -> str:
        """Return a word of a command line without its secrets: all of it is the value, line breaks and spaces too.

        >>> Redactor({}).word("trackers.x.api_key='a b, c'"), Redactor({}).word("x={pass: a, n: 1}")
        ('trackers.x.api_key=<redacted>', 'x={pass: <redacted>, n: 1}')
        """
        match = _OVERRIDE.fullmatch(word)
        if match is not None and (_is_secret(match["key"]) or _is_env_set(match["key"])):
            return _without_value(match)
        return self._without_secrets(word, self._in_trees)

    def tree(self, value: Any, key: str = "") -> Any:
        """Return a copy of a JSON-able tree without its secrets; `key` is the dotted key of `value`."""
        return self._tree(value, key, is_inside=False)

    def _tree(self, value: Any, key: str, *, is_inside: bool) -> Any:
        is_inside = is_inside or is_secret_key(key)
        if isinstance(value, Mapping):
            return {
                name: self._tree(item, f"{key}.{name}" if key else str(name), is_inside=is_inside)
                for name, item in value.items()
            }
        if isinstance(value, list | tuple):
            is_words = key.rpartition(".")[2] in _LISTS_OF_WORDS
            return [
                self.word(item) if is_words and isinstance(item, str) else self._tree(item, key, is_inside=is_inside)
                for item in value
            ]
        if is_inside and not _may_stay(value):
            return REDACTED
        if not isinstance(value, str):
            return value
        redacted = self._without_secrets(value, self._in_trees)
        # Hydra joins all words of the command line here, where a value has no visible end.
        return REDACTED if key.endswith("job.override_dirname") and redacted != value else redacted

    def _without_secrets(self, text: str, values: _Values) -> str:
        # The jobs of a sweep are made of the same words: a few hundred texts come thousands of times.
        if (found := values.known.get(text)) is None:
            found = without_shapes(values.replaced(text), REDACTED)
            found = _ITEM.sub(_without_secret_value, _ASSIGNMENT.sub(_without_secret_value, found))
            values.remember(text, found)
        return found


class _Values:
    """Texts, each with its replacement; the longest counts where several begin.

    Attributes:
        known: Short texts that were asked for before, and what is shown in their place.
    """

    def __init__(self, replacements: Mapping[str, str]) -> None:
        self.known: dict[str, str] = {}
        self._replacements = replacements
        self._longest = sorted(replacements, key=lambda value: (-len(value), value))
        self._pattern = re.compile("|".join(map(re.escape, self._longest)))
        starts = sorted({re.escape(value[:MIN_LENGTH]) for value in self._longest if len(value) > MIN_LENGTH})
        self._starts = re.compile("|".join(starts) or r"(?!)")

    def remember(self, text: str, shown: str) -> None:
        if len(text) <= _LONGEST_KNOWN and len(self.known) < _MOST_KNOWN:
            self.known[text] = shown

    def replaced(self, text: str) -> str:
        if not self._longest:
            return text
        return self._without_beginnings(self._pattern.sub(lambda match: self._replacements[match[0]], text))

    def _without_beginnings(self, text: str) -> str:
        """Replace what was cut off in the middle of a value, as long words are in messages."""
        if _CUT.search(text) is None:
            return text
        kept, position = [], 0
        for match in self._starts.finditer(text):
            end = _CUT.search(text, match.end())
            if match.start() < position or end is None:
                continue
            if any(value.startswith(text[match.start() : end.start()]) for value in self._longest):
                kept += [text[position : match.start()], REDACTED]
                position = end.start()
        return "".join([*kept, text[position:]])


@functools.lru_cache(maxsize=64)
def _values(replacements: frozenset[tuple[str, str]]) -> _Values:
    """The texts of one set of secrets: that of all jobs of a sweep, mostly."""
    return _Values(dict(replacements))


@functools.lru_cache(maxsize=4096)
def _secrets_of(word: str) -> tuple[str, ...]:
    """The secret values of a word of a command line, with and without the quotes of Hydra's grammar."""
    return tuple(_secrets_in(word))


def _secrets_in(word: str) -> Iterable[str]:
    match = _OVERRIDE.fullmatch(word)
    if match is not None and (_is_secret(match["key"]) or _is_env_set(match["key"])):
        yield from _unquoted(match["value"])
    for pattern in (_ASSIGNMENT, _ITEM):
        for item in pattern.finditer(word):
            if _is_secret(item["key"]) or (match is not None and _is_env_set(match["key"])):
                yield from _unquoted(item["value"])
    yield from secrets_in_url(word)


def _resolved(value: str, environ: Mapping[str, str]) -> Iterable[str]:
    """A secret, or those that an expression in its place takes from the environment."""
    if not _may_stay(value):
        yield value
    yield from (environ[name] for name in variables_in(value) if name in environ)


def _unquoted(value: str) -> Iterable[str]:
    yield value
    if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
        yield value[1:-1]
        yield value[1:-1].replace(f"\\{value[0]}", value[0]).replace("\\\\", "\\")


def _is_secret(key: str) -> bool:
    return is_secret_key(key) or (key.isupper() and is_secret_variable(key))


def _is_env_set(key: str) -> bool:
    return key.endswith("env_set") or ".env_set." in f".{key}"


def _without_secret_value(match: re.Match[str]) -> str:
    return _without_value(match) if _is_secret(match["key"]) else match[0]


def _without_value(match: re.Match[str]) -> str:
    value = match["value"]
    return (
        match[0]
        if _may_stay(value.strip("\"' ")) or REDACTED in value[: len(REDACTED) + 1]
        else (f"{match['left']}{REDACTED}")
    )


def _may_stay(value: Any) -> bool:
    """Whether it reveals nothing: no value, or the expression that takes one from the environment."""
    if value is None or isinstance(value, bool):
        return True
    if not isinstance(value, str):
        return False
    is_told = value.lower() in _NO_VALUE or value == REDACTED
    return is_told or _EXPRESSION.fullmatch(value) is not None or is_stored_expression(value)


def redactor_of(
    config: Mapping[str, Any], origins: Origins, words: Iterable[str] = (), trees: Iterable[Any] = ()
) -> Redactor:
    """Return what knows the secrets of a run.

    Args:
        config: The resolved config, JSON-able.
        origins: What of it came from the environment.
        words: The command line and its overrides.
        trees: What else is stored of the run: the files of `.hydra/`, variables that the config sets.
    """
    return Redactor(os.environ, words, [config, *trees], shown_values(config, origins, os.environ))
