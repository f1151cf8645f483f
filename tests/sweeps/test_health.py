"""Which runs of a sweep are ill."""

from __future__ import annotations

from pathlib import Path

from qaexp.runs.readers.collect import collect
from qaexp.sweeps.health import collapsed_ids, flag_names
from tests.fixtures.compared import edit, scores, write_run


def test_the_flag_alone_says_that_a_run_answers_nothing(tmp_path: Path) -> None:
    flagged = [{"name": "overfit_gap", "step": 1, "advice": "x"}, {"name": "null_collapse", "step": 1, "advice": "x"}]
    write_run(tmp_path / "a", scores(0, 50, 40), changes={"seed": 0}, flags=flagged)
    write_run(tmp_path / "b", scores(1, 50, 40), changes={"seed": 1}, summary={"has_ans_f1": 0.0, "no_ans_f1": 100.0})
    write_run(tmp_path / "c", scores(2, 50, 40), changes={"seed": 2}, flags=flagged[:1] * 2)
    runs = collect(tmp_path).runs
    assert [flag_names(run) for run in runs] == [["null_collapse", "overfit_gap"], [], ["overfit_gap"]]
    assert collapsed_ids(runs) == {runs[0].run_id}
    edit(tmp_path / "c" / "run.json", flags="nonsense")
    assert flag_names(collect(tmp_path / "c").runs[0]) == []
