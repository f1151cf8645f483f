"""Which loggers a config may describe: lines of text on the two streams of the process, and nothing that is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qaexp.config.guards.targets import items

NODES = ("job_logging", "hydra_logging")
_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
_HANDLERS = ("logging.StreamHandler", "logging.NullHandler")
_FORMATTERS = ("logging.Formatter", "colorlog.ColoredFormatter")
_TOP = ("version", "formatters", "filters", "handlers", "loggers", "root", "disable_existing_loggers", "incremental")
_KEYS = {
    "handlers": ("class", "level", "formatter", "filters", "stream"),
    # The two keys of a class: `()` passes all other keys on, which the colours need.
    "formatters": ("class", "()", "format", "fmt", "datefmt", "style", "validate", "log_colors", "reset",
                   "secondary_log_colors"),
    "filters": ("name",),
    "loggers": ("level", "propagate", "handlers", "filters"),
}  # fmt: skip


def refused_loggers(node: Mapping[str, Any]) -> list[str]:
    """Name what Python's logging would build, open or look up for a config, beyond lines on stdout and stderr.

    Args:
        node: The content of `hydra`, unresolved.

    Returns:
        One sentence an entry.
    """
    return [
        f"{place}={value} is refused: a config may log by {' and '.join(_HANDLERS)} to {' and '.join(_STREAMS)}, in "
        f"lines of {' and '.join(_FORMATTERS)}, written out; leave it out (train.log in the run directory has all)"
        for name in NODES
        for place, value in _refused(f"hydra.{name}", node.get(name))
    ]


def _refused(place: str, node: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(node, Mapping):
        if node is not None:
            yield place, node
        return
    for key, value in node.items():
        if key not in _TOP:
            yield f"{place}.{key}", value
    for kind in _KEYS:
        entries = node.get(kind)
        if isinstance(entries, Mapping):
            for name, entry in entries.items():
                yield from _refused_entry(f"{place}.{kind}.{name}", kind, entry)
        elif entries is not None:
            yield f"{place}.{kind}", entries
    if node.get("root") is not None:
        yield from _refused_entry(f"{place}.root", "loggers", node["root"])
    for inside, key, value in items(node, f"{place}."):
        if isinstance(value, str) and _is_reference(value) and not (key == "stream" and value in _STREAMS):
            yield f"{inside}{key}", value


def _refused_entry(place: str, kind: str, entry: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(entry, Mapping):
        yield place, entry
        return
    classes = _HANDLERS if kind == "handlers" else _FORMATTERS
    legal = {"class": classes, "()": classes, "stream": _STREAMS}
    for key, value in entry.items():
        if key not in _KEYS[kind] or value not in legal.get(key, (value,)):
            yield f"{place}.{key}", value
    if kind == "handlers" and "class" not in entry:
        yield f"{place}.class", None


def _is_reference(text: str) -> bool:
    """Whether it is replaced by something else: an interpolation, or what logging itself looks up."""
    return "${" in text or "://" in text
