"""What a terminal shows of a comparison: the verdict beside the name, whole numbers, and no flood, at every width."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from qaexp.comparison.compare import Options, compare
from qaexp.comparison.shown import tables
from qaexp.comparison.shown.columns import Column, fitted, lines
from qaexp.comparison.shown.contrast_lines import MAX_LINES, verdict_lines
from qaexp.comparison.shown.document import document
from qaexp.comparison.shown.paper import latex, markdown
from qaexp.reporting.terminal.sentences import print_findings
from tests.fixtures.compared import scores, write_grid, write_run

RATES = (1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six groups with long names, two seeds each."""
    path = tmp_path_factory.mktemp("many")
    for place, lr in enumerate(RATES):
        for seed in (0, 1):
            changes = {"optimizer.a_rather_long_key_of_an_own_optimizer": lr, "trainer.precision": f"p{place}"}
            f1 = scores(seed, 40 + 5 * place, 120)
            flags = [{"name": "gradient_explosion", "step": 1, "advice": "x"}] if seed else []
            write_run(path / f"r{place}{seed}", f1, changes={**changes, "seed": seed}, flags=flags)
    return path


def printed(folder: Path, options: Options, width: int | None, **more: object) -> list[str]:
    console = Console(width=width or 10_000, file=io.StringIO(), color_system=None)
    console.print(tables.terminal(compare([folder], replace(options, **more)), width=width))  # type: ignore[arg-type]
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [60, 80, 120, 200, None])
def test_every_width_shows_the_verdict_beside_the_name_and_whole_numbers(
    many: Path, options: Options, width: int | None
) -> None:
    shown, whole = printed(many, options, width), printed(many, options, None)
    place = next(place for place, line in enumerate(shown) if line.startswith("# group"))
    assert shown[place].split()[:3] == ["#", "group", "verdict"]
    rows, wide = shown[place + 1 : place + 7], whole[whole.index(next(w for w in whole if w.startswith("# g"))) + 1 :]
    assert len({row.split()[1] for row in rows}) == 6
    for row, full in zip(rows, wide, strict=False):
        mean = full[full.index("[") - 6 : full.index("]") + 1].strip()
        assert mean in row
        assert any(word in row for word in ("baseline", "cannot tell", "better", "worse", "equivalent"))
    assert all(width is None or len(line) <= width for line in shown)
    assert width or all(line == line.rstrip() for line in shown)
    text = " ".join(shown)
    for title in ("rank", "sd", "exact", "has_ans_f1", "no_ans_f1"):
        assert title in text, "what is left out is named"
    assert text.count("gradient_explosion (1 of 2)") == 6


def test_contrasts_are_few_and_say_where_the_others_are(many: Path, options: Options) -> None:
    table = compare([many], options).tables[0]
    found = [line.plain for line in verdict_lines(table, 80)]
    body = [line for line in found if line.startswith(("#", "  "))]
    assert sum(-(-len(line) // 80) for line in body) <= MAX_LINES
    assert found[-1].endswith(" more on the page (--html FILE)")
    best, baseline = table.by_number[0].number, table.group(table.baseline or "").number
    assert any(line.startswith(f"#{best} against ") or f"against #{best}:" in line for line in body)
    firsts = [line for line in body if line.startswith("#")]
    assert sum(f"#{baseline}" in line.split(":")[0] for line in firsts) >= len(firsts) - 2
    assert "a_rather_long_key" not in "".join(firsts)


def test_the_contrast_that_the_first_sentence_is_about_is_shown(tmp_path: Path, options: Options) -> None:
    """The leader is better than a setting that is neither the baseline nor next to it."""
    write_grid(tmp_path, levels={1e-3: 76, 5e-4: 75.5, 3e-4: 75, 1e-4: 30}, seeds=3)
    comparison = compare([tmp_path], options)
    first = document(comparison)["findings"][0]
    assert first.startswith("lr=0.001 is better than lr=0.0001, by ")
    lines = [line.plain for line in verdict_lines(comparison.tables[0], 80)]
    assert any(line.startswith(("#1 against #4: better: ", "#4 against #1: worse: ")) for line in lines)


@pytest.mark.parametrize("num", [2, 12])
def test_of_two_groups_and_of_twelve_something_is_always_shown(tmp_path: Path, options: Options, num: int) -> None:
    write_grid(tmp_path, levels={1e-4 * (place + 1): 45 + place for place in range(num)}, seeds=2, num=96)
    table = compare([tmp_path], options).tables[0]
    body = [line.plain for line in verdict_lines(table, 60) if line.plain.startswith(("#", "  "))]
    assert 2 <= len(body) <= MAX_LINES


def test_a_command_stands_whole_on_a_line_of_its_own() -> None:
    console = Console(width=40, file=io.StringIO(), color_system=None)
    command = "qaexp train -m name=study optimizer.lr=0.0001,0.001,0.01 seed=0,1,2,3,4"
    print_findings(console, ["Nothing is shown.", f"Next: run more seeds: {command}"])
    found = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert found == ["Nothing is shown.", "Next: run more seeds:", f"  {command}"]


def test_columns_leave_by_their_rank_and_names_are_cut_apart() -> None:
    names = Column("group", [f"a_long_name_of_a_group={place}_and_its_end" for place in range(3)], True, None, True)
    numbers = [Column(title, ["12.5"] * 3, rank=rank) for title, rank in (("one", 2), ("two", 1), ("three", None))]
    kept, missing = fitted([names, *numbers], 32)
    assert missing == ["two"]
    assert all(len(line.plain) <= 32 and "12.5" in line.plain for line in lines(kept)[1:])
    assert len(set(kept[0].cells)) == 3
    assert fitted([names, *numbers], None) == ([names, *numbers], [])


def test_papers_have_interval_and_p_and_explain_bold_only_where_it_is(
    grid: Path, tmp_path: Path, options: Options
) -> None:
    text = latex(compare([grid], replace(options, any_look=False)))
    assert text.startswith("% needs \\usepackage{booktabs}")
    assert r"95 \% interval & p &" in text
    assert "$<$ 0.001" in text
    assert "Bold: " in text
    write_grid(tmp_path, levels={3e-4: 50, 1e-3: 50.5}, seeds=3)
    plain = compare([tmp_path], options)
    assert "Bold" not in latex(plain)
    assert r"\textbf" not in latex(plain)
    assert "Bold" not in markdown(plain)
    assert "after Holm correction" in markdown(plain)


@pytest.mark.parametrize("num_collapsed", [1, 2, 7])
def test_collapsed_groups_are_told_in_one_line_however_many(
    tmp_path: Path, options: Options, num_collapsed: int
) -> None:
    """Five such lines with the same words bury the one contrast that says something."""
    flag = [{"name": "null_collapse", "step": 1, "advice": "x"}]
    for place in range(2 + num_collapsed):
        for seed in (0, 1):
            changes = {"optimizer.lr": (place + 1) / 1e4, "seed": seed}
            f1 = scores(seed, 40 + 5 * place, 40)
            write_run(tmp_path / f"{place}{seed}", f1, changes=changes, flags=flag if place > 1 else [])
    shown = printed(tmp_path, options, None)
    line = next(line for line in shown if line.startswith("collapsed: "))
    assert sum(line.count(f"#{number} lr=") for number in range(1, 12)) == min(num_collapsed, 4)
    assert ("and 3 more have runs" in line) == (num_collapsed == 7)
    assert line.endswith(f"no verdict in {sum(range(2, 2 + num_collapsed))} contrasts")
    assert sum("answer nothing" in line or "answers nothing" in line for line in shown) == 2
    assert any(line.startswith(("#1 against #2: ", "#2 against #1: ")) for line in shown)
    table = compare([tmp_path], options).tables[0]
    assert len([one for one in table.contrasts if one.verdict == "collapsed"]) > num_collapsed


def test_the_one_key_that_differs_is_told_where_names_do_not_say_it(tmp_path: Path, options: Options) -> None:
    for name, lr in (("first", 1e-4), ("second", 1e-3)):
        write_run(tmp_path / "named" / name, scores(0, 50, 240), changes={"name": name, "optimizer.lr": lr, "seed": 0})
    assert "config: what differs" in printed(tmp_path / "named", options, 80)
    write_grid(tmp_path / "swept", levels={1e-4: 50, 1e-3: 75}, seeds=3)
    swept = printed(tmp_path / "swept", options, 80)
    assert "config: what differs" not in swept
    assert any("lr=0.0001" in line for line in swept)
