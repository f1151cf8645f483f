"""Text of two or four bytes a character, and the signs that tools put around a text."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_LOOKED_AT = 4096
# Delimiters, digits and line ends are at least as many of the characters of a data file, in any script.
_ONE_IN, _FEWEST = 250, 4
SIGNS = "\ufeff\x1a"
"""What tools put before or behind a text, and is none of it: byte order marks and Ctrl-Z, the end of a file in DOS."""


def wide_encoding(content: bytes) -> str | None:
    """The name of UTF-16 or UTF-32 where bytes are such a text, with its byte order where no mark at its start says it.

    Without a mark it is told by the bytes that are zero, which other texts do not have: in UTF-16 they are one of the
    two bytes of a character, in UTF-32 the same two of four.

    >>> [wide_encoding("id,question".encode(name)) for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-8")]
    ['UTF-16LE', 'UTF-16BE', 'UTF-32LE', None]
    """
    if (marked := next((name for mark, name in _MARKS if content.startswith(mark)), None)) is not None:
        return marked
    head = content[:_LOOKED_AT]
    num_fours = len(head) // 4
    zeros = [head[place : 4 * num_fours : 4].count(0) for place in range(4)]
    if 0 < num_fours == zeros[3] and 2 * zeros[2] > num_fours:
        return "UTF-32LE"
    if 0 < num_fours == zeros[0] and 2 * zeros[1] > num_fours:
        return "UTF-32BE"
    even, odd = head[::2].count(0), head[1::2].count(0)
    if even + odd < _FEWEST or (even + odd) * _ONE_IN < len(head) // 2 or 2 * max(even, odd) < 3 * min(even, odd):
        return None
    return "UTF-16BE" if head.index(0) % 2 == 0 else "UTF-16LE"


def without_signs(text: str) -> str:
    r"""A text without what tools put before and behind it: byte order marks (a second one too), and Ctrl-Z.

    >>> without_signs("\ufeff\ufeffid\n1\n\x1a")
    'id\n1'
    """
    # Only where there is a sign at the end: a text of gigabytes is not copied for its last line end.
    bare = text.rstrip(f"{SIGNS}\r\n") if text[-3:].rstrip("\r\n")[-1:] in tuple(SIGNS) else text
    return bare.lstrip(SIGNS)
