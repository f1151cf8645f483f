"""What is known of an exported folder when it stands: its files, its scores, and what the format cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported folder, as its card tells it.

    Attributes:
        format: `hf`, `onnx` or `openvino`.
        quantized: `int8`, or None.
        made_of: How many runs it is made of, and how: `a run`, `the best of 3 seeds`, `the averaged weights of 3
            seeds`, `an ensemble of 3 seeds`.
        run_ids: The runs that it holds the weights of.
        file_bytes: The size of each file, by its name.
        null_threshold: The threshold that qaexp.json holds, tuned with this very format.
        metrics: Its own scores on the run's evaluation set, by the names of summary.json.
        verdict: What the format costs, in a sentence by the paired test of compare; for example `int8: -0.3 f1 [-0.7,
            +0.1], equivalent; 3.2 x as fast as the run in torch fp32 (1 thread)`.
        scores: The rows of a scores.csv of its own answers, which intervals and slices are made of, with the scores of
            each best span, `span_exact` and `span_f1`. Empty: those of the run's scores.csv, as long as they have the
            mean that `metrics` states.
    """

    format: str
    quantized: str | None
    made_of: str
    run_ids: tuple[str, ...]
    file_bytes: Mapping[str, int]
    null_threshold: float
    metrics: Mapping[str, float | None]
    verdict: str
    scores: Sequence[Mapping[str, Any]] = ()
