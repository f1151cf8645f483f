"""The same runs give the same bytes, in this process and in another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from qaexp.comparison.shown import paper
from qaexp.comparison.shown.document import document
from qaexp.comparison.shown.figure_data import figure_data
from qaexp.comparison.shown.report import page
from qaexp.storage.formats import json_text
from tests import REPOSITORY
from tests.fixtures.compared import edit
from tests.relations.studies import COLLAPSED, RATES, NewFolder, Plan, add, answers, compared, only

PROGRAM = """
import sys
from pathlib import Path
from tests.relations import teeth
teeth.break_on_purpose(setattr)
from tests.relations.test_reproducible import outputs
sys.stdout.buffer.write(outputs(Path(sys.argv[1])).encode())
"""


def outputs(folder: Path) -> str:
    comparison = compared(folder)
    written = (json_text(document(comparison)), paper.csv(comparison), paper.markdown(comparison))
    return "\n".join((*written, paper.latex(comparison), page(comparison, figure_data(comparison))))


def test_the_same_runs_give_the_same_bytes(new_folder: NewFolder) -> None:
    folder = Plan(2, (50, 55, 80), ((0,), (0, 1), (0, 1, 2))).write(new_folder())
    add(folder, "second", answers(2, 60, config=3), {"optimizer.lr": RATES[3]})
    add(folder, "silent", answers(2, 60), {"optimizer.lr": RATES[4]}, flags=COLLAPSED)
    expected = outputs(folder)
    assert outputs(folder) == expected
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    environ = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(REPOSITORY)}
    said = subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, check=True)
    assert said.stdout.decode() == expected


def test_earlier_looks_are_told_and_change_no_number(new_folder: NewFolder) -> None:
    folder = Plan(2, (50, 80), ((0, 1, 2),) * 2).write(new_folder())
    before = only(compared(folder, any_look=False))
    ids = {entry.run.path.name: entry.run.run_id for entry in compared(folder).entries}
    seen = [run_id for name, run_id in ids.items() if not name.endswith("s2")]
    (folder / "sweep.json").write_text("{}", "utf-8")
    look = {"at": "2026-01-31T10:00:00+00:00", "run_ids": seen}
    edit(folder / "sweep.json", looks=[look, {**look, "run_ids": list(ids.values())}])
    after = only(compared(folder, any_look=False))
    assert after.looks == [(2, 2)]
    assert only(compared(folder)).sentence.count("look") == 0
    assert after.sentence == before.sentence + (
        "; compared before with 2 seeds: with 2 looks the risk of a false verdict is up to 10 %, not 5 %"
    )
    assert after.tests == before.tests
