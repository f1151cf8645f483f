"""What each output says of each group, read back from its text: the same words and numbers for all."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable
from typing import Any

from rich.console import Console

from qaexp.comparison.compare import Comparison
from qaexp.comparison.shown import paper, tables
from qaexp.comparison.shown.document import document
from qaexp.comparison.shown.figure_data import figure_data
from qaexp.comparison.shown.report import page

Row = dict[str, Any]
_NUMBER = r"-?[\d,]+(?:\.\d+)?"
_WORDS = "baseline, collapsed|baseline|better|worse|equivalent|cannot tell|collapsed|"


def rows_in(output: str, comparison: Comparison) -> dict[str, Row]:
    """The rows of a comparison's first tables by their groups' names; a key is missing where an output lacks it."""
    return FORMATS[output](comparison)


def of_json(comparison: Comparison) -> dict[str, Row]:
    found = json.loads(json.dumps(document(comparison), allow_nan=False))
    metric, rows = found["metric"], {}
    for group in found["groups"]:
        one = group["metrics"].get(metric, {})
        judged = [c for c in found["contrasts"] if (c["a"], c["b"]) == (found["baseline"], group["name"])]
        word = "baseline" if group["name"] == found["baseline"] else ""
        word = judged[0]["verdict"] if judged and judged[0]["metric"] == metric else word
        rows[group["name"]] = {
            **{key: one.get(key) for key in ("mean", "low", "high", "sd")},
            **{key: group[key] for key in ("number", "n", "rank", "rank_worst")},
            "verdict": "collapsed" if group["is_collapsed"] else word,
        }
    return rows


def of_csv(comparison: Comparison) -> dict[str, Row]:
    metric, rows = comparison.options.metric, {}
    for row in csv.DictReader(io.StringIO(paper.csv(comparison))):
        numbers = {"mean": row[metric], **{key: row[f"{metric}_{key}"] for key in ("low", "high", "sd")}}
        counts = {key: row[key] for key in ("number", "n", "rank", "rank_worst")}
        rows[row["group"].removeprefix("'")] = {
            **{key: float(text) if text else None for key, text in numbers.items()},
            **{key: int(text) if text else None for key, text in counts.items()},
            "verdict": row["verdict"].removeprefix("baseline, "),
        }
    return rows


def of_markdown(comparison: Comparison) -> dict[str, Row]:
    lines = [line for line in paper.markdown(comparison).splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return dict(_of_paper([cell.replace("\\", "") for cell in row], "**", "**") for row in cells if _is_row(row))


def of_latex(comparison: Comparison) -> dict[str, Row]:
    lines = [line for line in paper.latex(comparison).splitlines() if line.endswith(r"\\")]
    cells = [line.removesuffix(r"\\").replace(r"$\pm$", "±").replace(r"\_", "_").split(" & ") for line in lines]
    return dict(_of_paper([cell.strip() for cell in row], r"\textbf{", "}") for row in cells if _is_row(row))


def _is_row(cells: list[str]) -> bool:
    return cells[0] != "group" and not cells[0].startswith("---")


def _of_paper(cells: list[str], begin: str, end: str) -> tuple[str, Row]:
    name, value = cells[0], cells[1]
    is_bold = value.startswith(begin)
    mean, _, sd = value.removeprefix(begin).removesuffix(end).partition(" ± ")
    row = {"mean": _number(mean), "sd": _number(sd or "-"), "n": int(cells[-1]), "is_bold": is_bold}
    row["verdict"] = "collapsed" if name.endswith(" (collapsed)") else "better" if is_bold else "not better"
    return name.removesuffix(" (collapsed)"), row


def of_terminal(comparison: Comparison) -> dict[str, Row]:
    console = Console(width=400, file=io.StringIO(), color_system=None)
    console.print(tables.terminal(comparison))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    rows, is_tested, is_board = {}, False, False
    judged, place = rf"(?P<verdict>{_WORDS})\s+", r"(?P<rank>\d+(?:-\d+)?|-)\s+"
    for line in lines:
        if re.match(r"\s*#\s+group ", line):
            is_board, is_tested = True, " verdict " in line
            continue
        found = re.match(
            rf"\s*(?P<number>\d+)\s+(?P<name>\S+)\s+{judged if is_tested else ''}(?P<n>\d+)\s+(?P<mean>{_NUMBER}|-)"
            rf"(?: \[(?P<low>{_NUMBER}), (?P<high>{_NUMBER})\])?\*?\s+{place if is_tested else ''}"
            rf"(?P<sd>{_NUMBER}|-)\s",
            line,
        )
        is_board = is_board and found is not None
        if is_board and found:
            rows[found["name"]] = _texts(found.groupdict())
    return rows


def of_page(comparison: Comparison) -> dict[str, Row]:
    text = page(comparison, figure_data(comparison))
    rows = {}
    for board in re.findall(r'<table class="sortable">(.*?)</table>', text, re.DOTALL):
        header, *lines = re.findall(r"<tr[^>]*>(.*?)</tr>", board, re.DOTALL)
        columns = _cells(header)
        for line in lines:
            cells = dict(zip(columns, _cells(line), strict=True))
            mean, low, high = re.fullmatch(
                rf"({_NUMBER}|-)(?: \[({_NUMBER}), ({_NUMBER})\]\*?)?", cells[comparison.options.metric]
            ).groups()  # type: ignore[union-attr]
            row = {"number": cells["#"], "n": cells["n"], "mean": mean, "low": low, "high": high, "sd": cells["sd"]}
            judged = {"rank": cells.get("rank"), "verdict": cells.get("against the baseline")}
            rows[cells["group"]] = _texts({**row, **{key: one for key, one in judged.items() if one is not None}})
    return rows


def _cells(line: str) -> list[str]:
    line = re.sub(r"<details.*?</details>", "", line, flags=re.DOTALL)
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in cells]


def of_figures(comparison: Comparison) -> dict[str, Row]:
    data = figure_data(comparison)
    rows = {}
    for one in data["intervals"]:
        row = {"mean": one["y"], "low": one["low"], "high": one["high"], "n": one["n"]}
        judged = [c["verdict"] for c in data["contrasts"] if c["name"] == one["name"] and c["score"] == data["metric"]]
        row["verdict"] = "collapsed" if one["is_collapsed"] else judged[0] if judged else ""
        if one["name"] == data["baseline"] and not one["is_collapsed"]:
            row["verdict"] = "baseline"
        rows[one["name"]] = row
    return rows


def _texts(found: dict[str, Any]) -> Row:
    """Texts of a table as numbers; a rank `1-3` as both of its ends."""
    row: Row = {key: _number(found[key] or "-") for key in ("mean", "low", "high", "sd")}
    row |= {"number": int(found["number"]), "n": int(found["n"])}
    if "rank" in found:
        best, _, worst = ("" if found["rank"] == "-" else found["rank"]).partition("-")
        row |= {"rank": int(best) if best else None, "rank_worst": int(worst or best) if best else None}
        row["verdict"] = found["verdict"].removeprefix("baseline, ")
    return row


def _number(text: str) -> float | None:
    return None if text == "-" else float(text.replace(",", ""))


FORMATS: dict[str, Callable[[Comparison], dict[str, Row]]] = {
    "json": of_json,
    "csv": of_csv,
    "markdown": of_markdown,
    "latex": of_latex,
    "terminal": of_terminal,
    "page": of_page,
    "figures": of_figures,
}
EXACT = ("json", "csv", "figures")
