"""export.json: what an exported folder was made of, what it scores, what the format costs, and how fast it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.export.exported import Exported
from qaexp.export.needs import versions
from qaexp.export.speed import Speed
from qaexp.export.verdict import Judged
from qaexp.runs.writing.environment import describe_machine

EXPORT = "export.json"
# Rises when a key changes meaning.
SCHEMA_VERSION = 1


def document(
    exported: Exported,
    judgements: Sequence[Judged],
    speed: Speed | None,
    *,
    files: Mapping[str, Mapping[str, Any]],
    num_equal: int,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """The content of export.json.

    Args:
        exported: The folder.
        judgements: What it was held against.
        speed: None where it runs on torch itself.
        files: The size and the sha256 of each file.
        num_equal: How many of the dev questions have the same answer as its run, or the best of them, gave.
        seconds: What took how long.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "format": exported.format,
        "quantized": exported.quantized,
        "made_of": exported.made_of,
        "run_ids": list(exported.run_ids),
        "verdict": exported.verdict,
        "judged": [one.document() for one in judgements],
        "num_questions": len(exported.scores),
        "num_equal_answers": num_equal,
        "null_threshold": exported.null_threshold,
        "metrics": dict(exported.metrics),
        "files": dict(files),
        "seconds": dict(seconds),
        "speed": None if speed is None else speed.document(),
        "versions": dict(versions(exported.format)),
        "machine": {key: value for key, value in describe_machine().items() if key != "host"},
    }
