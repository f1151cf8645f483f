"""qaexp/config/defaults.json is what conf/ composes."""

from __future__ import annotations

from qaexp.config.defaults import composed_leaves
from qaexp.runs.readers.defaults import default_leaves


def test_the_file_is_current() -> None:
    """To make it again: `python -m qaexp.config.defaults > qaexp/config/defaults.json`."""
    assert list(default_leaves().items()) == list(composed_leaves().items())
    assert default_leaves()["optimizer.lr"] == 3e-4
