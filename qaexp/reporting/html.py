"""report.html: one page that holds all of a run, opens without a network, and treats all data as text."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from qaexp.reporting.tables import facts, score_rows
from qaexp.reporting.verdict import is_collapsed, number, what_to_look_at
from qaexp.runs.collect import RunFiles
from qaexp.runs.formats import visible

NUM_ERRORS = 25
EXCERPT_CHARS = 240
"""So many characters of a context are shown on either side of the answer."""

MAX_VALUE_CHARS = 400
Row = Mapping[str, Any]


def page(run: RunFiles, summary: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Return the page of a run.

    Args:
        run: The files of the run.
        summary: Its summary.
        pictures: PNG files by their name without suffix, in the order of the page.
    """
    predictions = run.predictions()
    history = run.history()
    return _template().render(
        name=run.config.get("name") or run.path.name,
        run=run.run,
        collapsed=is_collapsed(summary, run.flags),
        look_at=what_to_look_at(summary, run.flags),
        scores=score_rows(summary),
        facts=facts(summary),
        pictures=[(name, base64.b64encode(data).decode("ascii")) for name, data in pictures.items()],
        columns=list(history[0]) if history else [],
        history=history,
        config=list(_leaves(run.config)),
        errors=worst_errors(predictions.rows, run.contexts()),
        num_predictions=len(predictions.rows),
        num_torn=predictions.num_torn,
        num_errors=sum(row["exact"] < 100 for row in predictions.rows),
    )


def worst_errors(predictions: Sequence[Row], contexts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the answers with the lowest f1, the surest first, each with the context around the best span."""
    wrong = [row for row in predictions if row["f1"] < 100]
    wrong.sort(key=lambda row: (row["f1"], -abs(row["null_score_diff"]), row["id"]))
    return [
        {**row, "golds": list(dict.fromkeys(row["golds"])), "excerpt": excerpt(contexts.get(row["paragraph"], ""), row)}
        for row in wrong[:NUM_ERRORS]
    ]


def excerpt(context: str, prediction: Row) -> dict[str, str]:
    """Return the best span and the context before and after it, cut where it would be too long.

    >>> excerpt("in Paris now", {"n_best": [{"start_char": 3, "end_char": 8}]})
    {'before': 'in ', 'span': 'Paris', 'after': ' now'}
    """
    best = prediction["n_best"][0] if prediction["n_best"] else {"start_char": 0, "end_char": 0}
    begin, end = best["start_char"], best["end_char"]
    low, high = max(begin - EXCERPT_CHARS, 0), end + EXCERPT_CHARS
    return {
        "before": ("…" if low else "") + context[low:begin],
        "span": context[begin:end],
        "after": context[end:high] + ("…" if high < len(context) else ""),
    }


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    """Return any value as text for people: no control characters, no endless lines."""
    text = "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return visible(text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…")


@cache
def _template() -> Template:
    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=_shown, number=number, visible=visible)
    return environment.get_template("page.html.jinja")
