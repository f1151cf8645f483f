"""The page is self-contained, and no text from data becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from qaexp.reporting.page import html
from qaexp.reporting.page.html import EXCERPT_CHARS, excerpt, page, worst_errors
from qaexp.reporting.reporter import Reporter
from qaexp.runs.readers.collect import read_run
from qaexp.storage.files import write_rows
from tests.fixtures.fake_run import build as build_run

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "</style><script>x</script>",
    "{{7*7}}{% raw %}",
    "javascript:alert(1)",
    "<svg/onload=alert(1)>",
    "</title><iframe src=//x>",
    "<!--",
    "]]>",
    "&lt;b&gt;",
    "\u202egnp.exe",
    "\x1b]0;x\x07",
    "<a href='https://example.org'>x</a>",
]
ALLOWED_TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "header",
    "h1",
    "h2",
    "p",
    "div",
    "strong",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "dl",
    "dt",
    "dd",
    "figure",
    "img",
    "span",
    "mark",
    "details",
    "summary",
    "nav",
    "a",
    "section",
    "noscript",
    "form",
    "label",
    "input",
    "select",
    "option",
    "button",
    "script",
    "time",
}
ALLOWED_ATTRIBUTES = {
    *(
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "class",
        "dir",
        "alt",
        "src",
        "scope",
        "id",
        "href",
        "hidden",
    ),
    *("aria-label", "aria-labelledby", "role", "type", "value", "autocomplete", "spellcheck"),
    *("aria-keyshortcuts", "datetime", "step"),
}


class Page(HTMLParser):
    """Collects the tags, attributes and text of a page; the content of style and script elements by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.style = ""
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data
        elif self.cdata_elem == "style":
            self.style += data
        else:
            self.text += data

    @property
    def policy(self) -> str:
        return str(next(attributes["content"] for _, attributes in self.tags if "http-equiv" in attributes))


def digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def make_page(directory: Path) -> Page:
    run = read_run(directory)
    assert run.summary is not None
    return Page(page(run, run.summary, {}))


def test_page_asks_for_nothing_outside_itself(fake_run: Path, tmp_path: Path) -> None:
    (path,) = Reporter(plots=False, html=True).report(Path(shutil.copytree(fake_run, tmp_path / "run")))
    found = Page(path.read_text("utf-8"))
    assert found.policy == (
        f"default-src 'none'; img-src data:; style-src '{digest(found.style)}'; "
        f"script-src '{digest(found.scripts[1])}'; base-uri 'none'; form-action 'none'"
    )
    links = [
        value or "" for _, attributes in found.tags for name, value in attributes.items() if name in ("src", "href")
    ]
    ids = {attributes.get("id") for _, attributes in found.tags}
    assert [link.startswith("data:image/png;base64,") for link in links].count(True) == 9
    assert all(link[1:] in ids for link in links if not link.startswith("data:"))
    assert {tag for tag, _ in found.tags} <= ALLOWED_TAGS
    for text in ("notebook-repaired", "threshold from other folds", "optimizer.lr", "Worst errors", "has_ans_f1"):
        assert text in found.text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_wherever_it_stands(fake_run: Path, tmp_path: Path, text: str) -> None:
    directory = Path(shutil.copytree(fake_run, tmp_path / "run"))
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "name": text, text: text}))
    run = json.loads((directory / "run.json").read_text())
    flag, drift = {"name": text, "step": 1, "advice": text}, {"key": text, "old": text, "new": text, "step": text}
    (directory / "run.json").write_text(json.dumps({**run, "flags": [flag], "drift": [drift], "started": text}))
    hostile = {
        "id": text,
        "title": text,
        "question": text,
        "golds": [text],
        "prediction_text": text,
        "exact": 0.0,
        "f1": 0.0,
        "null_score_diff": -99.0,
        "paragraph": "p",
        "n_best": [{"text": text, "score": 1.0, "start_char": 0, "end_char": len(text)}],
        "span_exact": 0.0,
        "span_f1": 0.0,
    }
    (directory / "predictions.jsonl").write_text(json.dumps(hostile) + "\n")
    (directory / "contexts.json").write_text(json.dumps({"p": text}))
    found = make_page(directory)
    assert {tag for tag, _ in found.tags} <= ALLOWED_TAGS
    assert {name for _, given in found.tags for name in given} <= ALLOWED_ATTRIBUTES
    data, script = found.scripts
    assert json.loads(data)["rows"][0][5] == text
    assert digest(script) in found.policy
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e]", found.text)
    if text.isprintable():
        assert found.text.count(text) >= 8


def test_collapse_stands_at_the_top(tmp_path: Path) -> None:
    found = make_page(build_run(tmp_path / "a", num_examples=40, collapsed=True))
    words = "Null collapse: this run answers nothing at threshold 0, but "
    assert re.search(f"{words}[1-9][0-9]* of 40 at its tuned [0-9.-]+[0-9]\\.", found.text)
    assert found.text.index(words) < found.text.index("how “no answer” is decided")


@pytest.mark.case("epochs_of_eval_every")
def test_epochs_and_scores_are_those_of_the_files(fake_run: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(fake_run, tmp_path / "run"))
    history = read_run(directory).history()
    for row, epoch in zip(history, (0.625, 1.25, 1.625, 2), strict=True):
        row["epoch"] = epoch
    write_rows(directory / "history.csv", history)
    run = read_run(directory)
    summary = {**(run.summary or {}), "f1": 10.0, "best_f1": 40.0, "best_f1_thresh": 0.0, "kept_epoch": 1.625}
    source = page(run, summary, {})
    cells = re.findall(r'<tr><td class="n">(.*?)</td><td class="n">(.*?)</td>', source[source.index('id="epochs"') :])
    assert cells == [("0.62", "60"), ("1.25", "120"), ("1.62", "180"), ("2", "240")]
    assert "of epoch 1.62 saved (best epoch: 4" in source
    answered = sum(bool(row["prediction_text"]) for row in run.predictions().rows)
    assert f"{answered} of 200 questions at threshold 0" in source


def test_a_run_that_its_tuned_threshold_silences_says_so(fake_run: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(fake_run, tmp_path / "run"))
    record = json.loads((directory / "run.json").read_text())
    flag = {"name": "null_collapse", "step": 12, "advice": "The model answers none of 200 questions."}
    (directory / "run.json").write_text(json.dumps({**record, "flags": [flag]}))
    run = read_run(directory)
    text = " ".join(Page(page(run, {**(run.summary or {}), "null_threshold": -99.0}, {})).text.split())
    assert "Null collapse: this run answers nothing at its tuned threshold -99.00." in text
    assert "-99.00, stored with the model: it silences the model" in text
    assert "tuned null threshold gives" not in text
    unflagged = {**(run.summary or {}), "has_ans_f1": 0.0, "no_ans_f1": 100.0}
    (directory / "run.json").write_text(json.dumps({**record, "flags": []}))
    assert "Null collapse" not in Page(page(read_run(directory), unflagged, {})).text


def test_script_takes_no_text_for_markup_and_asks_for_nothing() -> None:
    script = (Path(html.__file__).parent / "page.js").read_text("utf-8")
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval", "Function(", "fetch", "XMLHttp"):
        assert word not in script


def test_flags_stand_at_the_top_each_with_its_advice(fake_run: Path, tmp_path: Path) -> None:
    assert "No health flag was raised." in make_page(fake_run).text
    directory = Path(shutil.copytree(fake_run, tmp_path / "run"))
    run = json.loads((directory / "run.json").read_text())
    flags = [{"name": "loss_spike", "step": 12, "advice": "lower optimizer.lr"}, {"name": "overfit_gap"}]
    (directory / "run.json").write_text(json.dumps({**run, "flags": flags}))
    text = " ".join(make_page(directory).text.split())
    assert "loss_spike (step 12): lower optimizer.lr overfit_gap: -" in text
    assert "No health flag" not in text


def test_a_run_that_went_on_in_another_world_says_so(fake_run: Path, tmp_path: Path) -> None:
    assert "bit-exact" not in make_page(fake_run).text
    directory = Path(shutil.copytree(fake_run, tmp_path / "run"))
    run = json.loads((directory / "run.json").read_text())
    drift = [{"key": "optimizer.lr", "old": 0.001, "new": 0.002, "step": 40}, "no entry"]
    (directory / "run.json").write_text(json.dumps({**run, "drift": drift}))
    assert "Not bit-exact: optimizer.lr was 0.001, from step 40 on 0.002" in make_page(directory).text


def test_damaged_scores_cost_the_question_words_alone(fake_run: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(fake_run, tmp_path / "run"))
    (directory / "scores.csv").write_text("id,f1\na,1\nb\n")
    data = json.loads(make_page(directory).scripts[0])
    assert data["words"] == [""]
    assert len(data["rows"]) == 200


def row(number: int, f1: float, diff: float) -> dict[str, Any]:
    return {"id": str(number), "f1": f1, "null_score_diff": diff, "golds": ["a", "a"], "paragraph": "p", "n_best": []}


def test_worst_errors_are_the_lowest_and_of_these_the_surest() -> None:
    rows = [row(0, 0.0, 1.0), row(1, 50.0, -9.0), row(2, 0.0, -5.0), row(3, 100.0, -9.0)]
    found = worst_errors(rows, {"p": "context"})
    assert [error["id"] for error in found] == ["2", "0", "1"]
    assert found[0]["golds"] == ["a"]


def test_excerpt_is_cut_on_both_sides() -> None:
    context = "b" * 1000 + "SPAN" + "a" * 1000
    found = excerpt(context, {"n_best": [{"start_char": 1000, "end_char": 1004}]})
    assert found == {"before": "…" + "b" * EXCERPT_CHARS, "span": "SPAN", "after": "a" * EXCERPT_CHARS + "…"}
