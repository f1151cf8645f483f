"""Findings on a terminal: one sentence a line, and the next command on its own line, ready to copy."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from qaexp.storage.formats import one_line

# What precedes the words of a command in a sentence.
COMMAND = ": qaexp train -m "


def print_findings(console: Console, found: Sequence[str]) -> None:
    """Print the finding of a comparison; a command gets a line of its own.

    Args:
        console: Where to.
        found: Sentences, the last of which may say what comes next.
    """
    for sentence in found:
        words, colon, command = sentence.partition(COMMAND)
        style = "" if words.startswith("Next: ") else "bold"
        console.print(Text(one_line(words + (":" if colon else "")), style=style))
        if colon:
            # Not wrapped: a line break inside of it would be copied, too.
            console.print(Text(one_line(f"  {COMMAND.removeprefix(': ')}{command}")), soft_wrap=True)
