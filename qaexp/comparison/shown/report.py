"""The report: one page that holds a comparison, opens without a network, and treats all data as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from qaexp.comparison.diff import config_differences, environment_differences
from qaexp.comparison.dimensions import dimensions
from qaexp.comparison.groups import Group
from qaexp.comparison.result import Comparison, Table, units
from qaexp.comparison.short_numbers import shorten_numbers, shorten_numbers_in
from qaexp.comparison.shown.captions import captions
from qaexp.comparison.shown.document import beside, document, flags, verdict
from qaexp.comparison.shown.figure_data import figure_data
from qaexp.comparison.shown.figures import pictures
from qaexp.comparison.shown.sets_page import sets_on_page
from qaexp.comparison.shown.tables import epochs, factor
from qaexp.reporting.page.explorer import script_json
from qaexp.reporting.page.html import content_policy, shown
from qaexp.reporting.terminal.sentences import COMMAND
from qaexp.runs.metrics import ASIDE, BOARD, COSTS, number_of, side_by_side
from qaexp.runs.readers.repeats import SEED_KEYS
from qaexp.runs.short_words import value_texts
from qaexp.storage.files import storage_errors, write_changed
from qaexp.storage.folders import make_directory
from qaexp.storage.formats import visible
from qaexp.storage.roots import rooted

MAX_GROUPS_IN_DIFF = 12
# Most groups named above the figures; the leaderboard has all.
MAX_LETTERS = 60

# Contrasts that are shown without a click.
MAX_CONTRASTS = 30

_SCORES, _ASIDE = side_by_side(BOARD), side_by_side(ASIDE)
# The two epochs share a column.
_COSTS = [name for name in side_by_side(COSTS) if number_of(name).short]


def write_report(comparison: Comparison, path: Path) -> list[Path]:
    """Write the page, and PNGs of its main figures into a folder beside it; the same comparison gives the same bytes.

    Args:
        comparison: What was found.
        path: The page; the pictures go into `<name without suffix>_figures/`.

    Returns:
        The files.

    Raises:
        StorageError: When the system refuses.
        IntegrityError: The folder of the pictures is a link.
    """
    data = figure_data(comparison)
    folder = path.with_name(f"{path.stem}_figures")
    drawn = pictures(data)
    files = {path: page(comparison, data).encode("utf-8", "backslashreplace")}
    files |= {folder / f"{name}.png": png for name, png in drawn.items()}
    make_directory(path.absolute().parent)
    # As in a run directory, the folder of the pictures must be a real one, not a link.
    with storage_errors(path), rooted(path.absolute().parent):
        make_directory(folder)
        for file, content in files.items():
            write_changed(file, content)
    return list(files)


def page(comparison: Comparison, data: dict[str, Any]) -> str:
    """Return the page.

    Args:
        comparison: What was found.
        data: Of `figure_data`.
    """
    style = _read("../../reporting/page/page.css") + _read("report.css")
    scripts = ("vendor/echarts.min.js", "../../reporting/page/browse.js", "charts.js", "report.js")
    script = "\n".join(map(_read, scripts))
    entries = comparison.entries
    groups = [group for table in comparison.tables for group in table.groups]
    names = [group.name for group in groups]
    labels = dict(zip(names, shorten_numbers(names), strict=True))
    found = [finding.partition(COMMAND) for finding in document(comparison)["findings"]]
    sentences = shorten_numbers_in([words for words, _, _ in found], names)
    aside = [name for name in _ASIDE if name != comparison.options.metric]
    return _template().render(
        style=style,
        script=script,
        policy=content_policy(style, script),
        data=script_json(data),
        figures=data,
        captions=captions(comparison),
        metric=comparison.options.metric,
        are_seeds=comparison.options.by in SEED_KEYS,
        number_of=number_of,
        num_letters=MAX_LETTERS,
        num_contrasts=MAX_CONTRASTS,
        findings=[(words, *rest) for words, (_, *rest) in zip(sentences, found, strict=True)],
        tables=[_table(table, comparison, labels) for table in comparison.tables],
        sets=sets_on_page(comparison, labels),
        columns=[*beside(groups, comparison.options.metric), *aside],
        aside=aside,
        costs=[name for name in _COSTS if name != comparison.options.metric],
        num_runs=len(entries),
        num_questions=entries[0].measure.num_questions if entries else 0,
        clusters=units(comparison.cluster_kind),
        notes=[*comparison.notes, *([comparison.doubt] if comparison.doubt else [])],
        relevant=comparison.relevant,
        step=number_of(comparison.about).step,
        refused=[
            ([found.name for found in paths], comparison.source.told(reason)) for paths, reason in comparison.refused
        ],
        # The last two parts, so that the page does not depend on where the folders are.
        skipped=[("/".join(found.parts[-2:]), comparison.source.told(reason)) for found, reason in comparison.skipped],
    )


def _table(table: Table, comparison: Comparison, labels: Mapping[str, str]) -> dict[str, Any]:
    groups = table.by_number[:MAX_GROUPS_IN_DIFF]
    sentences = shorten_numbers_in([contrast.sentence for contrast in table.contrasts], list(labels))
    metric = comparison.options.metric
    return {
        "reason": table.reason,
        "baseline": table.baseline,
        "baseline_reason": table.baseline_reason,
        "is_tested": table.tested_metric == metric,
        "rows": [
            {
                "group": group,
                "label": labels[group.name],
                "rank": table.places[group.name],
                "verdict": verdict(table, group, metric),
                "flags": flags(group),
                "epochs": epochs(group),
                "notes": _notes(group, metric),
                "runs": [(comparison.names[entry.run.path], entry.run.run_id) for entry in group.entries],
            }
            for group in table.groups
        ],
        "contrasts": [
            (contrast, contrast.tests[contrast.metric], sentence, factor(contrast))
            for contrast, sentence in zip(table.contrasts, sentences, strict=True)
        ],
        "config": _cells(groups) if len(groups) > 1 else [],
        "environment": list(environment_differences(groups, comparison.machines).items()),
        "compared": [(group.letter, labels[group.name]) for group in groups],
        "num_left_out": len(table.groups) - len(groups),
        "labels": labels,
    }


def _cells(groups: Sequence[Group]) -> list[tuple[str, list[str]]]:
    """What differs in the config: the choices of config groups, then each key, with a cell for each group."""
    choices = [(one.name, list(one.texts)) for one in dimensions(groups) if one.is_choice]
    return [
        *choices,
        *((key, shorten_numbers(value_texts(values))) for key, values in config_differences(groups).items()),
    ]


def _notes(group: Group, metric: str) -> list[str]:
    """Notes on a group's row."""
    found = [group.silence] if group.silence else []
    problem = group.metrics[metric].problem if metric in group.metrics else None
    found += [f"no interval: {problem}"] if problem else []
    found += group.gaps((metric, *_SCORES, *_ASIDE))
    return found + [note for entry in group.entries for note in entry.notes]


def _read(name: str) -> str:
    return _cached(str((Path(__file__).parent / name).resolve()))


@cache
def _cached(path: str) -> str:
    return Path(path).read_text("utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=shown, visible=visible)
    return environment.get_template("report.html.jinja")
