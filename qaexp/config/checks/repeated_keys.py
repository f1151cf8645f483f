"""Mappings of a command line that name a key twice: Hydra's grammar takes the last one in silence."""

from __future__ import annotations


def repeated_key(text: str) -> str | None:
    r"""The first key that stands twice in one mapping of a line; None where none does.

    >>> repeated_key("data.test_files={bio: a.json, bio: b.json}")
    'bio'
    >>> repeated_key("data.test_files={bio: a.json, law: '{bio: 1, bio: 2}'},{bio: b.json}") is None
    True
    >>> repeated_key("a={x: {y: 1}, z: [{y: 2}, ${oc.env:y}], y: 3}") is None
    True
    """
    keys: list[set[str] | None] = []  # of each open bracket; None where it is no mapping
    begin: int | None = None  # of a key that may have begun
    place = 0
    while place < len(text):
        letter = text[place]
        if letter in "'\"":
            place = _behind(text, place)
            continue
        if letter in "{[(":
            keys.append(set() if letter == "{" and text[place - 1 : place] != "$" else None)
            begin = place + 1
        elif letter in "}])" and keys:
            keys.pop()
            begin = None
        elif letter == ",":
            begin = place + 1
        elif letter == ":" and begin is not None and keys and (named := keys[-1]) is not None:
            key = text[begin:place].strip().strip("'\"")
            if key in named:
                return key
            named.add(key)
            begin = None
        place += 2 if letter == "\\" else 1
    return None


def _behind(text: str, place: int) -> int:
    """The place behind a quoted text that begins at a place."""
    quote, place = text[place], place + 1
    while place < len(text) and text[place] != quote:
        place += 2 if text[place] == "\\" else 1
    return place + 1
