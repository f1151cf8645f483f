"""The tables of docs/statistics.md, from the results and nothing else."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

from tests.benchmarks.simulation.cells import LOOKS, Cell
from tests.benchmarks.simulation.plan import FEW, FEW_SHAPES, MORE, PAIRS, plan
from tests.benchmarks.simulation.shapes import SHAPES
from tests.benchmarks.simulation.worlds import WORLDS, clusters_of
from tests.benchmarks.simulation.writing import Results, lowest, percent, table, times

OWN = ("own over seeds", "own over questions")
COVERED = ("covered at 0", "covered at 2", "covered at 4", "covered at -4")


def rendered(page: str, results: Results) -> str:
    """The page with the text between its markers written anew."""

    def anew(match: re.Match[str]) -> str:
        return f"{match[1]}\n\n{_PARTS[match[2]](results['cells'], results)}\n\n{match[3]}"

    return re.sub(r"(<!-- generated: (\w+) -->).*?(<!-- end of generated -->)", anew, page, flags=re.DOTALL)


def _each_world(cells: Results, shape: str, value: Callable[[Results], float | None]) -> str:
    found = [cells.get(Cell("pair", shape, world).key) for world in WORLDS]
    return " / ".join("-" if one is None else percent(value(one)) for one in found)


def _errors(cells: Results, _: Results) -> str:
    head = ["comparison", "called different", "difference's interval covers", "group's own interval covers"]
    return times(cells, "pair", "sample") + table(
        head,
        [
            [
                SHAPES[shape].name,
                _each_world(cells, shape, lambda one: one["rejected"]),
                _each_world(cells, shape, lambda one: lowest(one, COVERED)),
                _each_world(cells, shape, lambda one: lowest(one, OWN)),
            ]
            for shape in PAIRS
        ],
    )


def _power(cells: Results, _: Results) -> str:
    rows = []
    for shape in PAIRS:
        one = cells.get(Cell("pair", shape).key, {})
        each = [
            f"{percent(one.get(f'found {points}'))} ({percent(one.get(f'foretold {points}'))})" for points in (2, 4)
        ]
        truth = _each_world(cells, shape, lambda found: found.get("found at reach"))
        rows.append([SHAPES[shape].name, *each, f"{one.get('reach', 0):.1f}", truth])
    head = ["comparison", "2 points found (foretold)", "4 points found (foretold)", "detectable", "found where true"]
    return times(cells, "pair", "sample") + table(head, rows)


def _few(cells: Results, _: Results) -> str:
    def value(shape: str, clusters: str) -> str:
        found = [cells.get(Cell("pair", shape, world, clusters).key) for world in ("plain", "paragraphs")]
        known = [one for one in found if one]
        if not known:
            return "-"
        if not any(one["stated"] for one in known):
            return "no statement"
        rejected, covered = max(one["rejected"] for one in known), min(lowest(one, COVERED) or 0 for one in known)
        return f"{percent(rejected)}, {percent(covered)}"

    head = ["clusters", *(SHAPES[shape].name for shape in FEW_SHAPES)]
    rows = [[name, *(value(shape, name) for shape in FEW_SHAPES)] for name in map(str, FEW)]
    full = f"35 articles, {len(clusters_of('full dev')):,} questions"
    rows.append([full, *(value(shape, "full dev") for shape in FEW_SHAPES)])
    return times(cells, "pair", *map(str, FEW[2:]), "full dev") + table(head, rows)


def _exact(cells: Results, _: Results) -> str:
    found = [(cell, cells[cell.key]) for cell in plan() if cell.score == "exact" and cell.key in cells]
    rows = [
        [SHAPES[cell.shape].name, percent(one["rejected"]), percent(one.get("mcnemar")), percent(lowest(one, COVERED))]
        for cell, one in found
    ]
    return times(cells, "pair", "sample", score="exact") + table(
        ["comparison", "called different", "McNemar's p at most 0.05", "interval covers"], rows
    )


def _families(cells: Results, _: Results) -> str:
    found = [(cell, cells[cell.key]) for cell in plan() if cell.kind == "family" and cell.key in cells]
    rows = [
        [
            f"{SHAPES[cell.shape].name}{'' if cell.world == 'plain' else f', world {cell.world}'}",
            f"{cell.groups}",
            f"{one['repetitions']:,}",
            percent(one["rejected"]),
            percent(one["rejected of equals"]),
            percent(lowest(one, COVERED)),
            percent(one["found 4"]),
            f"{one['reach']:.1f}",
            percent(one["found at reach"]),
        ]
        for cell, one in found
    ]
    head = ["comparison", "groups", "experiments", "any different", "any of equals", "intervals cover"]
    return table([*head, "4 points found", "detectable", "found where true"], rows)


def _more(cells: Results, _: Results) -> str:
    rows = []
    for shape, reached in MORE.items():
        one = cells.get(Cell("reach", shape).key, {})
        for number, name in reached.items():
            told, true = one.get(f"reach {number} more"), cells.get(Cell("reach", name).key, {}).get("reach")
            if told and true:
                rows.append(
                    [f"{SHAPES[shape].name}, {number} more", f"{told:.1f}", f"{true:.1f}", f"{told / true:.2f}"]
                )
    return times(cells, "reach", "sample") + table(
        ["seeds", "foretold (median)", "with so many seeds (median)", "ratio"], rows
    )


def _looks(cells: Results, _: Results) -> str:
    found = [cells.get(Cell("looks", shape).key, {}) for shape in ("same 13", "other 13")]
    rows = [
        [f"{count}", f"{number}", f"{5 * number} %", *(percent(one.get(f"rejected by look {number}")) for one in found)]
        for number, count in enumerate(LOOKS, start=1)
    ]
    return times(cells, "looks", "sample") + table(
        ["seeds by then", "looks", "bound", "same seeds", "other seeds"], rows
    )


def _summary(cells: Results, results: Results) -> str:
    worst = max((one["rejected"], key) for key, one in cells.items() if "rejected" in one)
    low = min((lowest(one, COVERED) or 1, key) for key, one in cells.items() if "covered at 0" in one)
    own = min((lowest(one, OWN) or 1, key) for key, one in cells.items() if one["repetitions"] > 100)
    band = [one["found at reach"] for one in cells.values() if "found at reach" in one]
    minutes = sum(one["seconds"] for one in cells.values()) / 60
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    told = [
        f"- Equals called different: at most {percent(worst[0])} % ({_named(worst[1], cells)}).",
        f"- The interval of a difference covers it in at least {percent(low[0])} % ({_named(low[1], cells)}).",
        f"- A group's own interval covers what it speaks about in at least {percent(own[0])} % "
        f"({_named(own[1], cells)}).",
        f"- A true difference of the size that is called detectable is found in {percent(min(band))} to "
        f"{percent(max(band))} %.",
        "",
        f"`{results['command']}`, {minutes:.0f} minutes on one shared core ({results['machine']}); {versions}. "
        "The numbers: tests/benchmarks/statistics.json.",
    ]
    return "\n".join(textwrap.fill(line, 120, subsequent_indent="  " * line.startswith("-")) for line in told)


def _named(key: str, cells: Results) -> str:
    kind, shape, world, clusters, score, groups = key.split("; ")
    told = clusters if clusters in ("sample", "full dev") else f"{clusters} clusters"
    number = f"{cells[key]['repetitions']:,} experiments"
    return ", ".join([SHAPES[shape].name, f"world {world}", told, score, *[groups] * (kind == "family"), number])


_PARTS: dict[str, Callable[[Results, Results], str]] = {
    "errors": _errors,
    "power": _power,
    "few": _few,
    "exact": _exact,
    "families": _families,
    "more": _more,
    "looks": _looks,
    "summary": _summary,
}
