"""report.html: one page with everything about a run, which opens without a network and treats all data as text."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from qaexp.errors import IntegrityError
from qaexp.reporting.numbers.advice import drift_sentence, is_collapsed, number, seen, where_silent
from qaexp.reporting.numbers.advice import shown as shown_number
from qaexp.reporting.numbers.answering import ALWAYS_ANSWERED, count_answered, null_rule
from qaexp.reporting.numbers.prediction_table import PredictionTable, read_predictions
from qaexp.reporting.numbers.spans import machine_time, moment
from qaexp.reporting.page.embedded import embedded, worst_first
from qaexp.reporting.page.explorer import explorer_data, script_json
from qaexp.reporting.page.heading import changed_keys, labels, run_line
from qaexp.reporting.terminal.tables import facts, score_rows
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.storage.formats import dotted, visible

NUM_ERRORS = 25
MAX_EPOCHS = 1000
# Number of worst errors shown without a click.
NUM_OPEN_ERRORS = 5

# Number of changed keys shown without a click.
NUM_CHANGED = 12

# Characters of context shown on either side of the answer.
EXCERPT_CHARS = 240

MAX_VALUE_CHARS = 400
ALT_TEXTS = {
    "loss": "training loss by step, with the mean over the epoch at each evaluation",
    "train_accuracy": "train accuracy and dev exact by epoch",
    "scores": "dev exact and f1 by epoch, over all examples, has_ans and no_ans",
    "learning_rate": "learning rate by step",
    "threshold": "exact and f1 by null threshold, with the default, the tuned and the oracle threshold",
    "calibration": "exact by confidence",
    "risk_coverage": "risk against coverage, with the oracle",
    "slices": "outcomes, and f1 by question word, answer length, context length and number of windows",
    "probes": "answers to the probe questions by epoch",
}
Row = Mapping[str, Any]


def page(
    run: RunFiles,
    summary: Mapping[str, Any],
    pictures: Mapping[str, bytes],
    predictions: PredictionTable | None = None,
) -> str:
    """Return the page of a run: below 5 MB, however many questions it was asked.

    Args:
        run: The files of the run.
        summary: Its summary.
        pictures: PNG files by their name without suffix, in the order of the page.
        predictions: What is known of its predictions; None: it is read.
    """
    predictions = read_predictions(run) if predictions is None else predictions
    contexts = run.contexts()
    shown_here = embedded(run, predictions.rows, contexts)
    history, answered = run.history(), count_answered(predictions.rows, summary)
    is_part = shown_here.num_worst is not None
    style = _inlined("page.css")
    script = _inlined("browse.js") + _inlined("page.js") + (_inlined("part.js") if is_part else "")
    return template("page.html.jinja").render(
        style=style,
        script=script,
        policy=content_policy(style, script),
        predictions=script_json(
            explorer_data(shown_here.rows, _scores(run), contexts, _thresholds(run.config, summary))
        ),
        name=run.config.get("name") or run.path.name,
        rule=null_rule(run.config),
        made_of=run_line(run, summary),
        changed=changed_keys(run.config, run.typed),
        num_changed=NUM_CHANGED,
        labels=labels(run.config),
        run=run.run,
        collapsed=is_collapsed(summary, run.flags),
        where_silent=where_silent(summary, answered),
        flags=run.flags,
        look_at=[f"{sentence[:1].upper()}{sentence[1:]}" for sentence in seen(summary, run.flags, answered)],
        drift=drift_sentence(run.drift),
        scores=score_rows(summary, predictions.rows),
        facts=facts(summary, answered),
        pictures=[(name, base64.b64encode(data).decode("ascii")) for name, data in pictures.items()],
        alt=ALT_TEXTS,
        columns=list(history[0]) if history else [],
        history=history[-MAX_EPOCHS:],
        num_epochs=len(history),
        config=[(key, _text(value)) for key, value in dotted(run.config).items()],
        errors=worst_errors(shown_here.rows, contexts),
        num_open=NUM_OPEN_ERRORS,
        num_predictions=len(predictions.rows),
        num_torn=predictions.num_torn,
        part=shown_here if is_part else None,
        num_errors=sum(row["exact"] < 100 for row in predictions.rows),
    )


def content_policy(style: str, script: str) -> str:
    """Return the page's Content-Security-Policy: only this style and this script, images from the page, no requests.

    A script or style element smuggled in by data has another hash and is not applied.
    """
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") for text in (style, script)]
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def worst_errors(predictions: Sequence[Row], contexts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the answers with the lowest f1, the surest first, each with the context around the best span."""
    wrong = [row for row in predictions if row["f1"] < 100]
    wrong.sort(key=worst_first)
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


def _scores(run: RunFiles) -> Sequence[Row]:
    """Return the rows of scores.csv; none where it is damaged, since the page only takes the question words from it."""
    try:
        return run.scores()
    except IntegrityError:
        return []


def _thresholds(config: Mapping[str, Any], summary: Mapping[str, Any]) -> list[float]:
    """Return the null thresholds that have a name: the default and the tuned one; none where all is answered."""
    tuned = summary.get("null_threshold")
    return [] if null_rule(config) == ALWAYS_ANSWERED else [0.0, *([float(tuned)] if is_number(tuned) else [])]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shown(value: Any) -> str:
    """Return any value as text for people: no control characters, no endless lines."""
    text = "-" if value is None else str(value)
    return visible(text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…")


@cache
def _inlined(name: str) -> str:
    """Return the text of a file of this folder, to be embedded in the page."""
    return (Path(__file__).parent / name).read_text("utf-8")


@cache
def template(name: str) -> Template:
    """Return a template of this folder, which takes all that it is given as text, not as markup."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(moment=moment, machine_time=machine_time)
    environment.filters.update(shown=shown, shown_number=shown_number, number=number, visible=visible)
    return environment.get_template(name)
