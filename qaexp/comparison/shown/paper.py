"""A comparison as text for papers and spreadsheets: Markdown, LaTeX and CSV."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.comparison.estimates import QUESTIONS, Estimate
from qaexp.comparison.group_tests import RUNS
from qaexp.comparison.reasons import NO_SEED_IS_BETTER
from qaexp.comparison.result import Comparison, Table
from qaexp.comparison.shown.document import group_rows
from qaexp.comparison.shown.sets_document import set_columns
from qaexp.comparison.verdict import ALPHA, BETTER, COLLAPSED
from qaexp.runs.metrics import PAPER, number_of, shown_in
from qaexp.runs.number import Number
from qaexp.runs.readers.repeats import SEED_KEYS
from qaexp.storage.formats import counted, csv_text, one_line, visible

INTERVAL, P_VALUE = "95 % interval", "p"

_MARKDOWN: Mapping[str, str] = {
    **{character: f"\\{character}" for character in "\\`*_{}[]<>#|~&!$"},
    # With a zero-width space: a backslash alone would still mention the user of that name on GitHub.
    "@": "&#64;&#8203;",
}
_LINK_STARTS = re.compile(r"(:)(?=//)|(?<=www)(\.)", re.IGNORECASE)
_LATEX: Mapping[str, str] = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "→": r"$\to$",
    "<": r"$<$",
    ">": r"$>$",
}


def csv(comparison: Comparison) -> str:
    """Return one row a group, with numbers in full and formulas neutralised."""
    return csv_text(table_rows(comparison))


def table_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one row a group, with numbers in full; all have the same keys."""
    of_sets = set_columns(comparison)
    rows = [
        {"table": number + 1, **row, **of_sets.get(row["group"], {}), "measured_apart": table.reason}
        for number, table in enumerate(comparison.tables)
        for row in group_rows(table, comparison.options.metric)
    ]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return shown_rows([{key: row.get(key) for key in keys} for row in rows])


def shown_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows for people: their texts, and the names of their columns, without control characters."""
    return [
        {visible(key): visible(value) if isinstance(value, str) else value for key, value in row.items()}
        for row in rows
    ]


def markdown(comparison: Comparison) -> str:
    """Return a Markdown table for each set of runs measured alike; bold: better than the baseline in that metric."""
    lines: list[str] = []
    for table in comparison.tables:
        header, rows = _paper_rows(table, comparison)
        if table.reason:
            lines += [f"Measured differently: {markdown_text(table.reason)}", ""]
        lines += ["| " + " | ".join(map(markdown_text, header)) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
        for is_bold, name, cells in rows:
            first, *others = map(markdown_text, cells)
            shown = [f"**{first}**" if is_bold else first, *others]
            lines.append("| " + " | ".join([markdown_text(name), *shown]) + " |")
        lines += ["", markdown_text(_footnote(table, comparison)), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def latex(comparison: Comparison) -> str:
    """Return a LaTeX tabular (booktabs) for each set of runs measured alike; bold as in `markdown`."""
    lines = [r"% needs \usepackage{booktabs} in the preamble"]
    for table in comparison.tables:
        header, rows = _paper_rows(table, comparison)
        lines += [r"\begin{tabular}{l" + "r" * (len(header) - 1) + "}", r"\toprule"]
        lines += [" & ".join(map(_latex_text, header)) + r" \\", r"\midrule"]
        for is_bold, name, cells in rows:
            texts = [_latex_text(cell) for cell in cells]
            texts[0] = rf"\textbf{{{texts[0]}}}" if is_bold else texts[0]
            lines.append(" & ".join([_latex_text(name), *texts]) + r" \\")
        lines += [
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\smallskip\footnotesize {_latex_text(_footnote(table, comparison))}",
            "",
        ]
    return "\n".join(lines)


def _paper_rows(table: Table, comparison: Comparison) -> tuple[list[str], list[tuple[bool, str, list[str]]]]:
    metric = comparison.options.metric
    names = [metric, *(name for name in shown_in(PAPER) if name != metric)]
    best = _bold(table, metric)
    rows = [
        (
            group.name in best,
            group.name + (" (collapsed)" if group.is_collapsed else ""),
            [
                _spread(group.metrics.get(metric), number_of(metric)),
                _interval(group.metrics.get(metric), number_of(metric)),
                _p_value(table, group.name, metric),
                *(_spread(group.metrics.get(name), number_of(name)) for name in names[1:]),
                str(group.n),
            ],
        )
        for group in table.groups
    ]
    return ["group", metric, INTERVAL, P_VALUE, *names[1:], "n"], rows


def _bold(table: Table, metric: str) -> set[str]:
    """The groups that are significantly better than the baseline in the very metric that is shown."""
    return {
        contrast.b
        for contrast in table.contrasts
        if contrast.a == table.baseline and contrast.verdict == BETTER and contrast.metric == metric
    }


def _spread(found: Estimate | None, row: Number) -> str:
    if found is None:
        return "-"
    return row.shown(found.mean) + (f" ± {row.shown(found.sd)}" if found.sd is not None else "")


def _interval(found: Estimate | None, row: Number) -> str:
    if found is None or found.low is None or found.high is None:
        return "-"
    return f"[{row.shown(found.low)}, {row.shown(found.high)}]" + ("*" if found.over == QUESTIONS else "")


def _p_value(table: Table, name: str, metric: str) -> str:
    """The p-value of a group against the baseline, after the correction."""
    found = (one for one in table.contrasts if (one.a, one.b, one.metric) == (table.baseline, name, metric))
    value = next((one.tests[metric].p_verdict for one in found if one.verdict != COLLAPSED), None)
    return "-" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _footnote(table: Table, comparison: Comparison) -> str:
    if table.baseline is None:
        return "One group: nothing to compare with."
    metric = comparison.options.metric
    is_by_seed = comparison.options.by in SEED_KEYS
    told = [f"groups are seeds: {NO_SEED_IS_BETTER}"] if is_by_seed else ["mean ± standard deviation over seeds"]
    if table.tested_metric == metric:
        told.append(f"p: against {table.baseline}, after Holm correction")
    if any(metric in group.metrics and group.metrics[metric].over == QUESTIONS for group in table.groups):
        told.append("* interval over questions only: too few seeds")
    if any(group.is_collapsed for group in table.groups):
        told.append("collapsed: a run answers nothing (at 0 or at its tuned threshold), so nothing is concluded")
    bold = _bold(table, metric)
    tested = [one for one in table.contrasts if one.b in bold and one.a == table.baseline]
    if tested:
        tests = "studentised bootstrap over" if tested[0].kind == RUNS else "t test over seeds and"
        hows = "; ".join(dict.fromkeys(one.how for one in tested))
        told.append(
            f"Bold: {tested[0].metric} better than that of {table.baseline} (p ≤ {ALPHA:g} after Holm over "
            f"{counted(tested[0].num_contrasts, 'contrast')}; {tests} clusters of questions, {table.unit}; {hows})"
        )
    return ". ".join(told) + "."


def markdown_text(text: str) -> str:
    """Return a text as literal Markdown: no link, picture, element, formula or mention."""
    escaped = "".join(_MARKDOWN.get(character, character) for character in one_line(text))
    # A bare address becomes a link by itself.
    return _LINK_STARTS.sub(lambda found: f"\\{found[0]}", escaped)


def _latex_text(text: str) -> str:
    """Return a text as literal LaTeX."""
    escaped = "".join(_LATEX.get(character, character) for character in one_line(text))
    # A rule or line end before it would take it as its argument.
    return "{}" + escaped if escaped.startswith(("[", "*")) else escaped
