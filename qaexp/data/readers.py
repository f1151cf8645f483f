"""What a row of the table of sources leads to: the functions that find the files of a source."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from qaexp.data.files.shards import Shards
from qaexp.storage.sources import SOURCES

Keys = Mapping[str, Any]


class Reader(Protocol):
    """The functions that the module of a source has."""

    def identity(self, keys: Keys) -> dict[str, str]:
        """Return what identifies the data whatever its files hold; nothing where their content does.

        Args:
            keys: The group `data` of the config; the keys that the source needs are set.

        Raises:
            ConfigError: The value of a key is not legal.
        """

    def files(self, keys: Keys) -> dict[str, Shards]:
        """Return the files of `train` and `dev`, which may have to be fetched; of a mix `mix.NAME` for each set.

        Raises:
            DataError: They are not there, and cannot be fetched.
        """


def reader_of(source: str) -> Reader:
    """Import the reader of a source.

    Args:
        source: The word of a row in the table.
    """
    return cast(Reader, import_module(SOURCES[source].reader))
