"""Sentences on a terminal: lines that it holds, findings, and the next command on its own line, ready to copy."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from qaexp.reporting.terminal.console import RunConsole
from qaexp.reporting.terminal.outlets import is_terminal
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


def fitted(sentence: str, stream: Any, indent: str = "  ") -> str:
    """Return a sentence in lines that the terminal holds, broken between words; for a pipe it is one line.

    Args:
        sentence: Of any length; a path in it is never broken.
        stream: Stdout or stderr, where it will be printed.
        indent: What the lines behind the first begin with.
    """
    line = one_line(sentence)
    if not is_terminal(stream):
        return f"{line}\n"
    width = RunConsole(on_stderr=stream is sys.stderr).width
    # A line that is full breaks by itself on some terminals, which leaves an empty one.
    broken = textwrap.wrap(line, width - 1, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "".join(f"{part}\n" for part in broken)
