"""Which examples depend on each other: those about the same article, or about the same paragraph."""

from __future__ import annotations

from collections.abc import Sequence

# With fewer articles, too few clusters would be left for any statement: the paragraph is the cluster then.
MIN_TITLES = 20


def clusters(titles: Sequence[str], paragraphs: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """What makes examples dependent on each other: the article where there are at least 20, else the paragraph.

    Returns:
        The cluster of each example, and what it is: `title` or `paragraph`.

    >>> clusters(["Normans", "Normans"], ["p1", "p2"])
    (('p1', 'p2'), 'paragraph')
    """
    if len(set(titles)) >= MIN_TITLES:
        return tuple(titles), "title"
    return tuple(paragraphs), "paragraph"
