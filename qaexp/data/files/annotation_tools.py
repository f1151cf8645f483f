"""Which annotation tool a file comes from, told by the keys of its objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from qaexp.data.exports.doccano import TOOL as DOCCANO
from qaexp.data.exports.doccano import is_doccano, read_doccano
from qaexp.data.exports.exported import Exported
from qaexp.data.exports.haystack import TOOL as HAYSTACK
from qaexp.data.exports.haystack import is_haystack, read_haystack
from qaexp.data.exports.label_studio import TOOL as LABEL_STUDIO
from qaexp.data.exports.label_studio import is_label_studio, read_label_studio

Values = Sequence[tuple[str, Mapping[str, Any]]]
_TOOLS: Mapping[str, tuple[Callable[[Mapping[str, Any]], bool], Callable[[Values], Exported]]] = {
    LABEL_STUDIO: (is_label_studio, read_label_studio),
    HAYSTACK: (is_haystack, read_haystack),
    DOCCANO: (is_doccano, read_doccano),
}
KNOWN = "Label Studio (JSON, JSON_MIN), doccano (JSONL), Haystack (SQuAD JSON, labels) and cdQA"
_NUM_LOOKED_AT = 100


def tool_of(objects: Iterable[Any]) -> str | None:
    """The tool whose export some objects are; None for any other file.

    >>> tool_of([{"id": 1, "text": "Paris", "label": [[0, 5, "ANSWER"]]}])
    'doccano'
    """
    first = [value for value in islice(objects, _NUM_LOOKED_AT) if isinstance(value, Mapping)]
    return next((tool for tool, (is_its, _) in _TOOLS.items() if any(map(is_its, first))), None)


def read_export(tool: str, values: Iterable[tuple[str, Any]]) -> Exported:
    """Read the objects of a tool's export; whatever is no object is counted as left out."""
    every = list(values)
    objects = [(place, value) for place, value in every if isinstance(value, Mapping)]
    found = _TOOLS[tool][1](objects)
    found.num_read = len(every)
    if len(every) > len(objects):
        found.left_out["value that is no object"] += len(every) - len(objects)
    return found
