"""`group=glob(*)`: the files of a group by a pattern, written out before anything that knows no files sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hydra.core.override_parser.types import Glob

from qaexp.config.checks.words import parse_overrides


def without_globs(lines: Sequence[str], options: Callable[[str], Sequence[str]]) -> list[str]:
    """Return override lines with the files that they choose in place of glob().

    Args:
        lines: Override lines.
        options: Returns the names of a group's files.

    >>> without_globs(["schedule=glob(c*)", "seed=1"], lambda group: ["linear", "cosine", "constant"])
    ['schedule=choice(constant,cosine)', 'seed=1']
    """
    return [_without_glob(line, options) if "glob" in line else line for line in lines]


def _without_glob(line: str, options: Callable[[str], Sequence[str]]) -> str:
    parsed, _ = parse_overrides([line])
    value: object = parsed[0].value() if parsed else None
    if not isinstance(value, Glob):
        return line
    names = value.filter(sorted(options(parsed[0].key_or_group)))
    # One name alone is not a sweep for Hydra's grammar.
    chosen = f"choice({','.join(names)})" if len(names) > 1 else "".join(names)
    return f"{parsed[0].get_key_element()}={chosen}"
