"""How `rescore` and `evaluate` print what they scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qaexp.reporting.terminal.printing import say, say_json
from qaexp.runs.metrics import number_of

if TYPE_CHECKING:
    from qaexp.evaluation.evaluate import Evaluation


def print_scored(metrics: Mapping[str, Any], evaluation: Evaluation, *, as_json: bool) -> None:
    """Print metrics: one flat JSON document with the official numbers, or a line each for people, rounded.

    Args:
        metrics: By the names of summary.json; and texts that say how they were computed.
        evaluation: What was scored.
        as_json: Print the document.
    """
    if as_json:
        say_json(metrics)
        return
    answered = int(evaluation.judged.is_answered.sum())
    words = _thresholds(metrics, evaluation)
    for name, value in {**metrics, "num_answered": answered}.items():
        say(f"{name:<20}{words[name] if name in words else value if isinstance(value, str) else shown(name, value)}")


def _thresholds(metrics: Mapping[str, Any], evaluation: Evaluation) -> dict[str, str]:
    """Each threshold in full, so that `--null-threshold` takes it; in words where no threshold gives the score."""
    from qaexp.evaluation.outputs import answer_table
    from qaexp.reporting.numbers.answering import oracle_threshold

    table = answer_table(evaluation)
    found = {f"best_{metric}_thresh": oracle_threshold(metrics, metric, table) for metric in ("exact", "f1")}
    found["null_threshold"] = metrics["null_threshold"]
    return {name: "-" if value is None else str(value) for name, value in found.items()}


def shown(name: str, value: float | None) -> str:
    """A number with its unit, as every other command shows it; `--json` has all digits.

    >>> shown("f1", 81.25), shown("no_ans_f1", None), shown("num_answered", 1152)
    ('81.2 %', '-', '1,152')
    """
    row = number_of(name)
    return f"{row.shown(value)} {row.unit}".rstrip() if value is not None else row.shown(value)
