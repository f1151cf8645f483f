"""What a gate says, as one Markdown table for a pull request and as one JSON document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qaexp.comparison.gate import Gate
from qaexp.comparison.gate_rule import FAIL_IF_WORSE, FAILS, UNKNOWN, points_of
from qaexp.comparison.group_tests import RUNS
from qaexp.comparison.groups import Group
from qaexp.comparison.shown.contrast_lines import factor
from qaexp.comparison.shown.document import tested_row
from qaexp.comparison.shown.paper import markdown_text
from qaexp.comparison.verdict import BETTER, CANNOT_TELL, COLLAPSED, WORSE
from qaexp.runs.directory import SCHEMA_VERSION
from qaexp.runs.metrics import number_of

_HEAD = ("metric", "base", "new", "new - base", "p", "seeds", "questions", "verdict")
_ALIGNED = ("---", *(["---:"] * 6), "---")


def gate_markdown(gate: Gate, told: Callable[[str], str]) -> str:
    """Return the table with a heading, and below it why, which runs were judged, and what differs between them.

    Args:
        gate: What was found.
        told: Puts what a user typed in place of the folders that stand for it, before Markdown's signs are escaped.
    """
    rule = gate.rule.words(number_of(gate.contrast.metric))
    lines = [
        f"### Gate: {gate.answer} (fails if {rule})",
        "",
        *(f"| {' | '.join(cells)} |" for cells in (_HEAD, _ALIGNED, [markdown_text(cell) for cell in _row(gate)])),
        "",
        markdown_text(told(_sentence(gate.reason))),
        "",
        markdown_text(told(f"New: {_runs(gate.new)}. Base: {_runs(gate.base)}. {_sentence(factor(gate.contrast))}")),
        # A note may begin with the name of a file, which stays as it is.
        *(markdown_text(told(f"{note}.")) for note in gate.notes),
    ]
    return "\n".join(lines) + "\n"


def gate_document(gate: Gate) -> dict[str, Any]:
    """Return the same as JSON can hold it."""
    contrast = gate.contrast
    return {
        "schema_version": SCHEMA_VERSION,
        "gate": gate.answer,
        "exit_code": gate.exit_code,
        "reason": gate.reason,
        "fail_if": gate.rule.fail_if,
        "margin": gate.rule.margin,
        "these_runs": gate.rule.these_runs,
        "metric": contrast.metric,
        "verdict": contrast.verdict,
        "sentence": contrast.sentence,
        "kind": contrast.kind,
        "difference_is": "new - base",
        **tested_row(gate.tested, contrast.metric),
        "p_verdict": gate.tested.p_verdict,
        "num_questions": gate.tested.num_questions,
        "clusters": gate.unit,
        "changed": list(contrast.changed),
        "machines": list(contrast.machines),
        "new": _side(gate.new, contrast.metric),
        "base": _side(gate.base, contrast.metric),
        "notes": list(gate.notes),
    }


def _row(gate: Gate) -> list[str]:
    metric, tested = gate.contrast.metric, gate.tested
    number = number_of(metric)
    difference = number.signed(tested.difference.difference)
    if tested.low is not None and tested.high is not None:
        difference += f" [{number.signed(tested.low)}, {number.signed(tested.high)}]"
    p = tested.p_verdict
    seeds = [str(group.n) for group in (gate.base, gate.new)]
    return [
        metric,
        *(number.shown(group.metrics[metric].mean) for group in (gate.base, gate.new)),
        difference,
        "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}",
        seeds[0] if len(set(seeds)) == 1 else " and ".join(seeds),
        f"{tested.num_questions:,}",
        _verdict(gate),
    ]


def _verdict(gate: Gate) -> str:
    """The verdict that the gate goes by: with a margin it is about the margin, of one run each about these two runs."""
    if gate.rule.margin is not None and gate.contrast.verdict != COLLAPSED:
        if gate.answer == UNKNOWN:
            return CANNOT_TELL
        is_about_worse = gate.rule.fail_if == FAIL_IF_WORSE
        told = WORSE if is_about_worse else BETTER
        size = points_of(gate.rule.margin, number_of(gate.contrast.metric))
        return f"{'' if (gate.answer == FAILS) == is_about_worse else 'not '}{told} by {size}"
    is_of_runs = gate.contrast.kind == RUNS and gate.contrast.verdict not in (CANNOT_TELL, COLLAPSED)
    return f"{gate.contrast.verdict} (these two runs)" if is_of_runs else gate.contrast.verdict


def _runs(group: Group) -> str:
    """The name of a side, and the folders of its runs: the first, and how many more there are."""
    more = f" and {group.n - 1} more" if group.n > 1 else ""
    return f"{group.name} ({group.entries[0].run.path}{more})"


def _side(group: Group, metric: str) -> dict[str, Any]:
    return {
        "name": group.name,
        "paths": [str(entry.run.path) for entry in group.entries],
        "run_ids": [entry.run.run_id for entry in group.entries],
        "n": group.n,
        "mean": group.metrics[metric].mean,
        "is_collapsed": group.is_collapsed,
    }


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
