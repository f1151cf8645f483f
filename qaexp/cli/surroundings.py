"""What a command needs from the shell that starts it: words that are text, and a folder to work in."""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Sequence

from qaexp.errors import ConfigError, StorageError
from qaexp.storage.secret_forms import without_shapes
from qaexp.storage.urls import PROTOCOLS, is_url, protocol_of

_WITH_URLS = ("train", "compare")


def check_words(words: Sequence[str]) -> None:
    """Refuse words that are no text.

    Raises:
        ConfigError: The locale could not decode their bytes; a sentence for each.
    """
    wrong = [_name(words, place) for place, word in enumerate(words) if is_undecodable(word)]
    if wrong:
        raise ConfigError(*map(undecodable, wrong))


def check_no_urls(name: str, words: Sequence[str]) -> None:
    """Refuse URLs of stores where a command reads folders of this machine alone.

    Raises:
        ConfigError: A word is one; what may be a secret in it is not repeated.
    """
    for word in words if name not in _WITH_URLS else ():
        if is_url(word) and protocol_of(word) in PROTOCOLS:
            shown = without_shapes(word, "<redacted>")
            raise ConfigError(
                f"{shown}: qaexp {name} reads folders of this machine alone; copy the run's folder here first, or "
                f"give the URL to qaexp compare"
            )


def is_undecodable(text: str) -> bool:
    r"""Whether Python has put half surrogates for bytes that it could not decode.

    >>> is_undecodable("Où?"), is_undecodable("O\udcf9?")
    (False, True)
    """
    return any("\ud800" <= character <= "\udfff" for character in text)


def undecodable(what: str) -> str:
    """What is said of an input that the locale cannot decode."""
    return f"{what}: the bytes are not UTF-8 (the locale is {locale.setlocale(locale.LC_CTYPE)}): {_way_out()}"


def check_working_directory() -> None:
    """Refuse to work in a folder that is not there any more.

    Raises:
        StorageError: It was deleted, or cannot be reached.
    """
    try:
        os.getcwd()  # noqa: PTH109
    except OSError as error:
        raise StorageError(
            f"the working directory cannot be used ({error.strerror}): it was deleted or moved; change to a folder "
            "that is there"
        ) from error


def _name(words: Sequence[str], place: int) -> str:
    """The flag or the key that a word belongs to; where there is none, its place."""
    name, equals, _ = words[place].partition("=")
    if equals and not is_undecodable(name):
        return name
    if place and words[place - 1].startswith("-") and "=" not in words[place - 1]:
        return words[place - 1]
    return f"argument {place + 1}"


def _way_out() -> str:
    if sys.getfilesystemencoding() == "utf-8":
        return "give the text in UTF-8, from a terminal that is set to it (LC_ALL=C.UTF-8)"
    return "set LC_ALL=C.UTF-8 or PYTHONUTF8=1"
