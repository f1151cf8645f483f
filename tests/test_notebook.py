"""What a notebook shows and reads: a run, a sweep, a comparison as HTML, and their tables."""

from __future__ import annotations

import importlib.util
import json
import logging
import pickle
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import qaexp
from qaexp.commands.python.called import SweepResult
from qaexp.errors import ConfigError, IntegrityError
from qaexp.runs.readers.folder import KILLED, look
from tests import REPOSITORY
from tests.fixtures import fake_run, tiny_run
from tests.fixtures.compared import scores, write_grid, write_run
from tests.fixtures.markup import write_markup
from tests.fixtures.open_run import open_run

DOCS = REPOSITORY / "docs"
ALLOWED = {"div", "strong", "span", "bdi", "table", "thead", "tbody", "tr", "th", "td"}


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_run.build(tmp_path_factory.mktemp("fake") / "mine", num_steps=40, num_examples=200)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grid(tmp_path_factory.mktemp("grid") / "rates", levels={1e-4: 50, 1e-3: 75})


@pytest.fixture
def stopped(tmp_path: Path, fake: Path) -> Path:
    """A run that was killed while it trained."""
    copy = Path(shutil.copytree(fake, tmp_path / "stopped"))
    for name in ("summary.json", "MANIFEST.json", "predictions.jsonl", "scores.csv"):
        (copy / name).unlink()
    record = tiny_run.read_json(copy / "run.json")
    (copy / "run.json").write_text(json.dumps({**record, "state": "running", "pid": 2**22 + 1}))
    return copy


class Shown(HTMLParser):
    """What a piece of HTML holds: its elements, their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        assert not re.search(r"url|expression|@|javascript", "".join(value or "" for _, value in attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "div"):
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def test_a_run_is_opened_from_its_folder(fake: Path) -> None:
    run, summary = qaexp.Run(fake), tiny_run.read_json(fake / "summary.json")
    assert run.summary == dict(run) == summary
    assert (run.path, run.folder, run.state) == (fake, fake, "completed")
    assert run.run_id == run.id == tiny_run.read_json(fake / "run.json")["run_id"]
    assert run.config["optimizer"]["lr"] == 3e-4
    assert list(run.history["epoch"]) == [1, 2, 3, 4]
    assert list(run.history.columns)[:3] == ["epoch", "step", "train_loss"]
    assert run.predictions["f1"].mean() == pytest.approx(run["f1"])
    assert next(iter(run.predictions.columns)) == "id"
    assert run.predictions["paragraph"].map(run.contexts).str.len().min() > 0
    assert repr(run) == f"<run {run.run_id} in {fake}: f1 {run['f1']:.1f}, exact {run['exact']:.1f}>"
    assert len(qaexp.load_runs([run, fake])) == 1
    again = pickle.loads(pickle.dumps(run))
    assert (again, again.path, len(again.predictions)) == (run, fake, 200)
    assert run.plots == {}
    with pytest.raises(KeyError, match="has no picture loss: it has none; qaexp plot draws them"):
        run.plots["loss"]
    assert run.report is None


def test_a_number_that_a_run_has_not_is_said(fake: Path, stopped: Path) -> None:
    with pytest.raises(KeyError, match=r"has no number crossfit_f2; did you mean crossfit_f1\?"):
        qaexp.Run(fake)["crossfit_f2"]
    with pytest.raises(KeyError, match=r"has no number f1: it is not completed \(killed\)"):
        qaexp.Run(stopped)["f1"]
    assert qaexp.Run(stopped).get("f1") is None


def test_a_run_that_was_stopped_shows_its_history_and_no_numbers(stopped: Path) -> None:
    run = qaexp.Run(stopped)
    assert look(stopped).state == run.state == KILLED
    assert run.summary == {}
    assert len(run.history) == 4
    assert repr(run).endswith(": killed>")
    with pytest.raises(ConfigError, match=r"not completed \(killed\)"):
        run.predictions  # noqa: B018
    with pytest.raises(ConfigError, match=r"not completed|no model"):
        run.model()
    shown = Shown(run._repr_html_())
    assert "killed" in shown.text
    assert f"qaexp resume {stopped}" in shown.text
    assert "crossfit_f1" not in shown.text


def test_the_history_of_a_run_that_goes_on_is_read_anew(tmp_path: Path) -> None:
    with open_run(tmp_path / "live") as live:
        run = qaexp.Run(tmp_path / "live")
        assert run.state == "running"
        assert len(run.history) == 0
        assert list(run.history.columns) == ["epoch"]
        live.record_epoch({"epoch": 1, "step": 3, "f1": 12.0})
        assert list(run.history["f1"]) == [12.0]
        assert "running" in Shown(run._repr_html_()).text
        live.complete({"f1": 12.0})
    assert qaexp.Run(run)["f1"] == 12.0


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("nowhere", ConfigError, "nowhere: not a run directory"),
        ("empty", ConfigError, "empty: not a run directory"),
        ("rates", ConfigError, r"rates: is a sweep; qaexp\.load_runs\(\) and"),
        (["a", "b"], ConfigError, r"takes one run directory, not 2; qaexp.load_runs\(\) takes several"),
        (3, ConfigError, "must be a text or a Path"),
        ("spoilt", IntegrityError, "summary.json"),
    ],
)
def test_what_is_no_run_is_said(
    path: Any, error: type[Exception], says: str, tmp_path: Path, fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "rates"):
        (tmp_path / name).mkdir()
    (tmp_path / "rates" / "plan.json").write_text("{}")
    shutil.copytree(fake, tmp_path / "spoilt")
    (tmp_path / "spoilt" / "summary.json").write_text('{"f1": 100')
    with pytest.raises(error, match=says) as caught:
        qaexp.Run(path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_completed_run_whose_answers_are_gone_says_so(tmp_path: Path, fake: Path) -> None:
    run = qaexp.Run(shutil.copytree(fake, tmp_path / "copy"))
    (run.path / "predictions.jsonl").unlink()
    (run.path / "scores.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(IntegrityError, match=r"scores\.csv"):
        run.predictions  # noqa: B018
    assert "no intervals: " in Shown(run._repr_html_()).text
    (run.path / "scores.csv").unlink()
    with pytest.raises(IntegrityError, match=r"predictions\.jsonl: is missing or empty"):
        run.predictions  # noqa: B018
    assert "no intervals: scores.csv is missing" in Shown(run._repr_html_()).text


def test_the_card_of_a_run_has_the_numbers_and_intervals_of_the_comparison(tmp_path: Path) -> None:
    golds = [[f"gold {place}"] if place % 3 else [] for place in range(240)]
    path = write_run(tmp_path / "s" / "a", scores(0, 60), golds=golds)
    text = Shown(qaexp.Run(path)._repr_html_()).text
    group = qaexp.compare(path, metric="f1").groups[0]["metrics"]
    for name in ("f1", "crossfit_f1", "exact", "has_ans_f1", "no_ans_f1"):
        found = group[name]
        assert f"{name} {found['mean']:.1f} [{found['low']:.1f}, {found['high']:.1f}]" in text, name
    assert "95 % intervals over 30 paragraphs" in text


@pytest.mark.parametrize("score", ["1e300", "nan", "-1.0"])
def test_a_score_that_is_none_has_no_interval(tmp_path: Path, score: str) -> None:
    path = write_run(tmp_path / "s" / "a", scores(0, 60))
    rows = [line.split(",") for line in (path / "scores.csv").read_text().splitlines()]
    rows[5][rows[0].index("f1")] = score
    (path / "scores.csv").write_text("\n".join(map(",".join, rows)))
    text = Shown(qaexp.Run(path)._repr_html_()).text
    assert re.search(r"crossfit_f1 \d+\.\d \[.* exact \d+\.\d \[.*\] f1 \d+\.\d - ", text), text


def test_three_paragraphs_have_no_interval(tmp_path: Path) -> None:
    text = Shown(qaexp.Run(write_run(tmp_path / "s" / "a", scores(0, 80, 24)))._repr_html_()).text
    assert text.endswith("no intervals: 3 paragraphs")


def test_a_collapsed_run_says_so_first(tmp_path: Path) -> None:
    run = qaexp.Run(fake_run.build(tmp_path / "silent", num_steps=20, num_examples=60, collapsed=True))
    text = Shown(run._repr_html_()).text
    assert text.index("Null collapse: this run answers nothing") < text.index("crossfit_f1")
    assert "train on answerable questions first" in text


def test_a_sweep_and_a_comparison_show_the_finding_and_a_row_a_group(grid: Path) -> None:
    found = qaexp.compare(grid)
    text = Shown(found._repr_html_()).text
    swept = SweepResult(grid, [qaexp.Run(path.parent) for path in sorted(grid.glob("*/summary.json"))])
    of_sweep = Shown(swept._repr_html_()).text
    for row, sentence in zip(found.frame().itertuples(), found.findings, strict=False):
        interval = f"[{row.crossfit_f1_low:.1f}, {row.crossfit_f1_high:.1f}] over seeds"
        for shown in (text, of_sweep):
            assert f"{row.group} {row.verdict} {row.n} {row.crossfit_f1:.1f} {interval}" in shown
            assert sentence in shown
    assert text.startswith("Comparison of 2 groups of ")
    assert of_sweep.startswith("rates 2 groups of ")


def test_a_large_sweep_is_not_compared_to_be_shown(grid: Path) -> None:
    run = qaexp.Run(next(grid.glob("*/summary.json")).parent)
    text = Shown(SweepResult(grid, [run] * 101)._repr_html_()).text
    assert "101 completed runs" in text
    assert "qaexp.compare() of it says which setting is better" in text


def test_a_picture_is_shown_as_what_is_in_it(tmp_path: Path, fake: Path) -> None:
    run = qaexp.Run(shutil.copytree(fake, tmp_path / "copy"))
    (run.path / "plots").mkdir()
    (run.path / "plots" / "loss.png").write_bytes(b"\x89PNG")
    (run.path / "plots" / "scores.png").symlink_to(run.path / "config.json")
    assert run.plots["loss"]._repr_png_() == b"\x89PNG"
    assert Path(run.plots["loss"]) == run.path / "plots" / "loss.png"
    with pytest.raises(IntegrityError, match=r"scores\.png"):
        run.plots["scores"]._repr_png_()


def test_a_sweep_without_runs_is_shown_too(tmp_path: Path) -> None:
    assert Shown(SweepResult(tmp_path / "dry", [])._repr_html_()).text.endswith("dry: 0 completed runs>")
    dry = qaexp.Run.of(tmp_path / "dry", "7ace3b22", {})
    assert repr(dry) == f"<run 7ace3b22 in {tmp_path}/dry>"
    assert "not a run directory" in Shown(dry._repr_html_()).text


def test_no_text_of_a_folder_becomes_markup(tmp_path: Path) -> None:
    folder = write_markup(tmp_path / "<script>alert(3)</script>")
    runs = [qaexp.Run(path.parent) for path in folder.rglob("summary.json")]
    assert runs
    for shown in (*runs, SweepResult(folder, runs), qaexp.compare(folder, metric="f1")):
        html = shown._repr_html_()
        found = Shown(html)
        assert found.tags <= ALLOWED
        assert found.attributes <= {"style", "scope", "class"}
        assert "alert(1)" in found.text
        # A notebook typesets what stands between dollars unless it is told not to.
        assert html.startswith('<div class="tex2jax_ignore mathjax_ignore"')
        assert not re.search("[\x00\x1b\u202e\u2066\u2028]", html)
        assert len(repr(shown).splitlines()) == 1 or not isinstance(shown, qaexp.Run)


def test_several_runs_are_one_table_with_the_keys_that_are_asked_for(grid: Path) -> None:
    swept = SweepResult(grid, [qaexp.Run(path.parent) for path in sorted(grid.glob("*/summary.json"))])
    asked = qaexp.load_predictions(grid, keys="optimizer.lr")
    assert list(asked.columns)[:6] == ["path", "run_id", "name", "seed", "optimizer.lr", "id"]
    assert asked["run_id"].nunique() == len(swept)
    means = asked.groupby("run_id")["f1"].mean()
    assert all(means[run.run_id] == pytest.approx(run["f1"]) for run in swept)
    assert set(swept.predictions["optimizer.lr"]) == set(swept.history["optimizer.lr"]) == {1e-4, 1e-3}
    assert list(qaexp.load_history(grid, keys=["optimizer.lr"]).columns)[4:6] == ["optimizer.lr", "epoch"]
    for load in (qaexp.load_predictions, qaexp.load_history):
        with pytest.raises(ConfigError, match=r"keys: no run has 'lr' in its config; did you mean optimizer\.lr\?"):
            load(grid, keys=["lr"])


def test_what_has_no_answers_is_told(grid: Path, stopped: Path, tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "notes").mkdir()
    with caplog.at_level(logging.WARNING, "qaexp"):
        found = qaexp.load_predictions([grid, stopped, tmp_path / "notes"])
    assert stopped.name not in {Path(path).name for path in found["path"]}
    assert f"{stopped}: skipped: no predictions.jsonl" in caplog.text
    assert f"{tmp_path / 'notes'}: skipped: not a run directory" in caplog.text


def test_a_run_is_opened_and_shown_without_torch(fake: Path, grid: Path) -> None:
    code = (
        f"import sys, qaexp; run = qaexp.Run({str(fake)!r}); run.history, run.predictions, run._repr_html_(); "
        f"qaexp.compare({str(grid)!r})._repr_html_(); "
        "print([name for name in ('torch', 'transformers', 'hydra', 'IPython') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"


def test_no_link_is_followed(tmp_path: Path, fake: Path) -> None:
    run = qaexp.Run(shutil.copytree(fake, tmp_path / "copy"))
    (run.path / "plots").symlink_to(tmp_path)
    with pytest.raises(IntegrityError, match="plots: is a link"):
        run.plots  # noqa: B018


@pytest.fixture(scope="module")
def docs() -> Any:
    """The module that makes the notebook of docs/."""
    spec = importlib.util.spec_from_file_location("docs_notebook", DOCS / "notebook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells() -> list[dict[str, Any]]:
    return list(tiny_run.read_json(DOCS / "notebook.ipynb")["cells"])


def test_the_notebook_holds_the_cells_of_its_script(docs: Any) -> None:
    assert ["".join(cell["source"]) for cell in cells()] == list(docs.CELLS), "write it again by docs/notebook.py"
    assert [cell["cell_type"] == "code" for cell in cells()] == [docs.is_code(source) for source in docs.CELLS]
    for path in re.findall(r"`(docs/[^`]*)`", "".join(docs.CELLS)):
        assert (REPOSITORY / path).exists()


def test_the_notebook_is_executed_and_shows_tables_and_one_picture() -> None:
    outputs = [cell["outputs"] for cell in cells() if cell["cell_type"] == "code"]
    assert all(len(found) == 1 and found[0]["output_type"] == "execute_result" for found in outputs)
    kinds = [tuple(found[0]["data"]) for found in outputs]
    assert kinds.count(("text/plain", "image/png")) == 1
    assert kinds.count(("text/plain", "text/html")) >= 6
    text = (DOCS / "notebook.ipynb").read_text("utf-8")
    assert len(text) < 400_000
    assert not re.search(r"/tmp/|/root/|<script", text)


@pytest.mark.slow
def test_the_cells_run_as_they_are_printed(docs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a model and data that make its run a matter of seconds."""
    real = qaexp.run
    tiny = ("model=tiny_random", "data.train_size=24", "data.dev_size=16", "trainer.epochs=1", "threads=1")
    monkeypatch.setattr(qaexp, "run", lambda *lines, **keywords: real(*lines, *tiny, **keywords))
    monkeypatch.setenv("QAEXP_CACHE_DIR", str(tmp_path / "cache"))
    shutil.copytree(REPOSITORY / "multirun_outputs", tmp_path / "multirun_outputs")
    (tmp_path / "docs").mkdir()
    made = docs.notebook(docs.CELLS, tmp_path / "docs")
    assert str(tmp_path) not in json.dumps(made)
    ours = [[tuple(found.get("data", ())) for found in cell.get("outputs", ())] for cell in made["cells"]]
    assert ours == [[tuple(found.get("data", ())) for found in cell.get("outputs", ())] for cell in cells()]
    # What is read from the sweep that the repository ships is stored as it is read today.
    stored, remade = (
        [cell["outputs"][0]["data"]["text/html"] for cell in found if cell["id"] in ("cell-2", "cell-4", "cell-6")]
        for found in (cells(), made["cells"])
    )
    assert stored == remade
