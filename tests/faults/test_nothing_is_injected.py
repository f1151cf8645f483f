"""A stranger's text is text in every medium: no place of a run folder reaches one past its own escaping."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import subprocess
import sys
import traceback
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from qaexp.cli import COMMANDS
from qaexp.reporting.page.html import page
from qaexp.reporting.terminal.console import RunConsole
from qaexp.reporting.terminal.printing import say_json
from qaexp.runs.readers.collect import read_run
from qaexp.storage.formats import csv_rows, csv_text, json_text
from tests import REPOSITORY
from tests.fixtures import tiny_run
from tests.fixtures.canaries import FORGED, hostile, numbers_in, places
from tests.fixtures.checked import check_command_line
from tests.fixtures.compared import scores, write_run
from tests.fixtures.fake_run import build

pytestmark = pytest.mark.fault("I1")

SWEEP = {
    "schema_version": 1,
    "name": "study",
    "swept": ["optimizer.lr"],
    "jobs": [{"run_id": "763b8a18", "path": "a", "is_planned": True, "changes": {"optimizer.lr": "1"}, "flags": [],
              "state": "failed", "error": {"kind": "bug", "message": "no"}}],
}  # fmt: skip
FAILED = {"schema_version": 1, "run_id": "763b8a18", "state": "failed", "stage": "training", "attempt": 1,
          "started": "2026-01-01T00:00:00+00:00", "updated": "2026-01-01T00:00:00+00:00", "ended": None,
          "pid": 1, "host": "h", "boot_id": "b", "error": {"kind": "bug", "message": "no"}, "identity": "0" * 64,
          "threads": 2, "flags": [{"name": "null_collapse", "step": 1, "advice": "train longer"}],
          "drift": [{"step": 1, "changes": {"versions.torch": ["1", "2"]}}]}  # fmt: skip


class Shown(NamedTuple):
    """What a command printed with a canary in a place."""

    place: str
    command: str
    text: str
    code: int


def steering(text: str) -> set[str]:
    """What would steer a terminal, or is no character."""
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return {character for character in set(text) - {"\n"} if unicodedata.category(character) in kinds}


def write_failed(run: Path) -> Path:
    """A run that was killed: its record, its config and its logs."""
    run.mkdir()
    (run / "run.json").write_text(json.dumps(FAILED))
    (run / "config.json").write_text(json_text({"name": "failed", "seed": 1, "optimizer": {"lr": 0.1}}))
    (run / "env.json").write_text(json.dumps({"working_directory": str(run), "versions": {"torch": "2"}}))
    (run / "metrics.jsonl").write_text('{"step": 1, "epoch": 0.5, "loss": 2.0}\n{"step": 2, "epoch": 1, "loss": 1}\n')
    (run / "history.csv").write_text("epoch,step,f1,exact\n1,2,50.0,40.0\n")
    for log in ("train.log", "debug.log", "output.log"):
        (run / log).write_text("begins\n")
    return run


def write_plan(sweep: Path) -> None:
    """A sweep of another launcher, which is read in full before that is found out."""
    sweep.mkdir()
    words = ["name=planned", "seed=1", *tiny_run.DEMO]
    job = {"run_id": "763b8a18", "path": "seed=1-763b8a18", "overrides": words, "changes": ["seed=1"]}
    plan = {"schema_version": 1, "command_line": ["qaexp"], "working_directory": str(sweep),
            "settings": {"launcher": None}, "jobs": [{**job, "config": asdict(check_command_line(words))}]}  # fmt: skip
    (sweep / "plan.json").write_text(json.dumps(plan))


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> list[Shown]:
    """Every place of a killed run, of a completed one and of a sweep, one after the other, and what commands print."""
    folder = tmp_path_factory.mktemp("walk")
    (folder / "study").mkdir()
    failed = write_failed(folder / "study" / "failed")
    flags = [{"name": "null_collapse", "step": 1, "advice": "train longer"}]
    done = write_run(folder / "pair" / "done", scores(0, 60, 8), flags=flags)
    write_run(folder / "pair" / "other", scores(1, 70, 8), changes={"optimizer.lr": 0.5})
    (folder / "study" / "sweep.json").write_text(json.dumps(SWEEP))
    whole = build(folder / "whole", num_examples=4, num_steps=4)
    found: list[Shown] = []
    numbers = itertools.count(1)
    write_plan(folder / "planned")
    for run, words in (
        (folder / "study", [("status", "study"), ("compare", "study")]),
        (folder / "planned", [("status", "planned"), ("resume", "planned")]),
        (failed, [("status", "study"), ("resume", "study/failed"), ("verify", "study/failed"), ("compare", "study")]),
        (done, [("status", "pair/done"), ("compare", "pair", "--flips", "9"), ("rescore", "pair/done")]),
        (whole, [("verify", "whole"), ("answer", "whole", "-q", "a", "-c", "b"), ("reproduce", "whole")]),
    ):
        for path in sorted(path for path in run.iterdir() if path.is_file() and not path.name.startswith(".")):
            for name, change in places(path):
                found += shown_of(folder, path, change(hostile(next(numbers))), name, words)
    return found


def shown_of(folder: Path, path: Path, content: bytes, name: str, commands: list[tuple[str, ...]]) -> Iterator[Shown]:
    """What the commands print while a file has another content."""
    before = path.read_bytes()
    path.write_bytes(content)
    place = f"{path.relative_to(folder)}: {name}"
    for words in commands:
        try:
            called = tiny_run.call(folder, *words)
            yield Shown(place, " ".join(words), called.out + called.err, called.code)
        except Exception:
            yield Shown(place, " ".join(words), traceback.format_exc()[-900:], 1)
    path.write_bytes(before)


@pytest.mark.thorough
def test_no_place_is_a_traceback(walk: list[Shown]) -> None:
    assert [shown for shown in walk if shown.code not in (0, 2, 3, 5, 8)] == []


def test_no_place_steers_the_terminal(walk: list[Shown]) -> None:
    assert [shown for shown in walk if steering(shown.text)] == []


def test_no_place_forges_a_line(walk: list[Shown]) -> None:
    assert [shown for shown in walk if re.search(rf"^\s*{FORGED}", shown.text, re.MULTILINE)] == []


def test_the_walk_has_canaries_that_count(walk: list[Shown]) -> None:
    seen = {shown.place for shown in walk if numbers_in(shown.text)}
    assert len({shown.place for shown in walk}) > 500
    assert len(seen) >= 200, sorted(seen)


def in_a_name(number: int) -> str:
    """A hostile text that a folder can have as its name."""
    name = hostile(number).translate(dict.fromkeys(map(ord, "/\0\ud800"), "-"))
    return name.encode()[:200].decode("utf-8", "ignore")


@pytest.fixture(scope="module")
def hostile_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three groups, one of them measured apart, whose every text is hostile; the second is better than the first."""
    folder = tmp_path_factory.mktemp("hostile")
    numbers = itertools.count(1)
    names = {lr: hostile(next(numbers)) for lr in (1, 2, 3)}
    keys = [hostile(next(numbers)).replace(".", "-") for _ in range(3)]
    for lr, mean in ((1, 30), (2, 75), (3, 60)):
        for seed in range(3):
            changes = {"optimizer.lr": names[lr], "seed": seed, "name": hostile(next(numbers))}
            run = write_run(
                folder / in_a_name(next(numbers)),
                scores(seed, mean, 48),
                changes={**changes, keys[0]: keys[lr - 1], "model.checkpoint": hostile(next(numbers))},
                dev_sha256="dev" if lr < 3 else hostile(next(numbers)),
                texts=[hostile(next(numbers)) for _ in range(48)],
                golds=[[hostile(next(numbers))] for _ in range(48)],
                questions=[hostile(next(numbers)) for _ in range(48)],
                flags=[{"name": hostile(next(numbers)), "step": 1, "advice": hostile(next(numbers))}],
            )
            worlds = {hostile(next(numbers)): hostile(next(numbers)) for _ in range(3)}
            (run / "env.json").write_text(json.dumps({"versions": worlds, "threads": hostile(next(numbers))}))
            hostile_scores(run / "scores.csv", numbers)
    return folder


def hostile_scores(path: Path, numbers: Iterator[int]) -> None:
    """Titles and question words, the same in every run."""
    rows = csv_rows(path.read_text("utf-8"))
    for row, number in zip(rows, itertools.cycle((9001, 9002, 9003)), strict=False):
        row |= {"title": hostile(number).replace("\0", ""), "question_word": hostile(number + 10).replace("\0", "")}
    path.write_text(csv_text(rows), "utf-8", "replace")


def compared(folder: Path, *words: str) -> str:
    """What `qaexp compare` prints of the hostile runs; nothing steers a terminal, whatever the format."""
    called = tiny_run.call(folder, "compare", str(folder), *words)
    assert called.code == 0, called.err
    assert steering(called.out + called.err) == set()
    assert not re.search(rf"^\s*{FORGED}", called.out + called.err, re.MULTILINE)
    return called.out


def test_the_terminal(hostile_runs: Path) -> None:
    assert len(numbers_in(compared(hostile_runs, "--flips", "9"))) > 30


def test_json_is_one_document(hostile_runs: Path) -> None:
    document = compared(hostile_runs, "--json")
    assert len(numbers_in(json.dumps(json.loads(document)))) > 15
    for command in ("status", "verify"):
        runs = [str(run) for run in sorted(hostile_runs.iterdir()) if (run / "run.json").is_file()]
        called = tiny_run.call(hostile_runs, command, *runs, "--json")
        assert len(numbers_in(json.dumps(json.loads(called.out)))) >= len(runs)
        assert steering(called.out + called.err) == set()


def test_json_knows_every_character_and_no_number_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(map(chr, range(0x300))) + hostile(1) + "\U000e0001\U0001f600\ud800 \u2028"
    say_json({"a": text, text: [float("nan"), -float("inf"), 1.5]})
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": text, text: [None, None, 1.5]}
    assert steering(out) == set()


class Elements(HTMLParser):
    """Which elements and attributes a page has, with the addresses that they lead to, and its comments."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.comments: list[str] = []
        self.num_scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.num_scripts += tag == "script"
        self.attributes |= {name for name, _ in attrs}
        self.addresses |= {(value or "")[:9] for name, value in attrs if name in ("href", "src", "srcset", "action")}

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


@pytest.mark.case("markdown_footnote")
def test_markdown(hostile_runs: Path) -> None:
    text = compared(hostile_runs, "--markdown")
    assert {1, 2} <= numbers_in(text)
    assert "Bold: " in text
    assert "Measured differently: " in text
    for rules in ("commonmark", "gfm-like"):
        markdown = MarkdownIt(rules, {"linkify": False}).enable("table").enable("strikethrough")
        found = Elements(markdown.render(text))
        assert found.tags == {"table", "thead", "tbody", "tr", "th", "td", "p", "strong"}
        assert found.addresses == set()
        assert found.comments == []
    assert re.search(r"https?://|www\.|@\w|(?<!\\)\$", text) is None


def test_latex(hostile_runs: Path) -> None:
    comment, _, text = compared(hostile_runs, "--latex").partition("\n")
    assert comment == "% needs \\usepackage{booktabs} in the preamble"
    assert {1, 2} <= numbers_in(text)
    ours = {"begin", "end", "toprule", "midrule", "bottomrule", "textbf", "par", "smallskip", "footnotesize"}
    ours |= {"textbackslash", "textasciitilde", "textasciicircum", "pm", "le", "ge", "to"}
    assert set(re.findall(r"\\([A-Za-z]+)", text)) <= ours
    assert set(re.findall(r"\\([^A-Za-z])", text)) <= set("\\&%$#_{}")
    bare = re.sub(r"\\[^A-Za-z]|\$\\?[a-z<>]+\$", "", text)
    assert re.search(r"[%$#_~^]", bare) is None
    depth = [1 if c == "{" else -1 for c in bare if c in "{}"]
    assert sum(depth) == 0
    assert min(itertools.accumulate(depth)) >= 0
    # What stands behind a line end or a rule is no argument of it.
    assert re.search(r"\\(\\|[a-z]+rule)\s*[\[*]", text) is None


def test_latex_takes_no_bracket_for_an_argument(tmp_path: Path) -> None:
    for lr in ("[9cm]", "*"):
        write_run(tmp_path / f"{len(lr)}", scores(0, 50, 24), changes={"optimizer.lr": lr, "name": lr})
    text = compared(tmp_path, "--latex", "--by", "optimizer.lr")
    assert re.search(r"\\(\\|[a-z]+rule)\s*[\[*]", text) is None
    assert "9cm" in text


@pytest.mark.parametrize("flag", ["--csv", "--flips-csv"])
def test_csv(flag: str, hostile_runs: Path, tmp_path: Path) -> None:
    compared(hostile_runs, flag, str(tmp_path / "out.csv"))
    text = (tmp_path / "out.csv").read_text("utf-8")
    assert steering(text) == set()
    rows = list(csv.reader(io.StringIO(text)))
    cells = [cell for row in rows for cell in row]
    assert len(numbers_in(text)) >= 3
    assert [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))] == []
    assert [cell for cell in cells if cell.startswith("-") and not re.fullmatch(r"-[\d.e-]+", cell)] == []
    assert {len(row) for row in rows} == {len(rows[0])}


def test_the_page_of_a_comparison(hostile_runs: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    for lr, mean in ((1, 30), (2, 75), (3, 60)):
        for seed in range(3):
            changes = {"optimizer.lr": lr, "seed": seed}
            dev = "dev" if lr < 3 else "other"
            flags = [{"name": "null_collapse", "step": 1, "advice": "a"}]
            write_run(plain / f"{lr}{seed}", scores(seed, mean, 48), changes=changes, dev_sha256=dev, flags=flags)
    pages = []
    for folder in (plain, hostile_runs):
        compared(folder, "--html", str(tmp_path / "page.html"))
        pages.append((tmp_path / "page.html").read_text("utf-8"))
    same_elements(*pages)


def same_elements(plain: str, hostile_page: str) -> None:
    """Hold a page of hostile texts against one of plain ones: the same kinds of elements, and no address."""
    one, other = Elements(plain), Elements(hostile_page)
    assert len(numbers_in(hostile_page)) > 15
    assert other.tags - one.tags == set()
    assert other.attributes - one.attributes == set()
    assert other.num_scripts == one.num_scripts
    assert other.addresses <= {"data:imag", "#"} | one.addresses
    assert other.comments == one.comments
    assert steering(re.sub(r"<script.*?</script>", "", hostile_page, flags=re.DOTALL)) <= set("\t\r")


def test_the_page_of_a_run(tmp_path: Path) -> None:
    plain = build(tmp_path / "plain", num_examples=40, num_steps=8, collapsed=True)
    run = build(tmp_path / "hostile", num_examples=40, num_steps=8, collapsed=True)
    numbers = itertools.count(1)
    record, config = (json.loads((run / name).read_text()) for name in ("run.json", "config.json"))
    record["flags"] = [{"name": hostile(next(numbers)), "step": 1, "advice": hostile(next(numbers))}]
    record["drift"] = [{"step": 1, "changes": {hostile(next(numbers)): [hostile(next(numbers)), "2"]}}]
    config |= {"name": hostile(next(numbers)), hostile(next(numbers)): hostile(next(numbers))}
    config["probes"] = [{"question": hostile(next(numbers)), "context": hostile(next(numbers))}]
    (run / "run.json").write_text(json.dumps(record))
    (run / "config.json").write_text(json.dumps(config))
    rows = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    for row in rows:
        row |= {name: hostile(next(numbers)) for name in ("title", "question", "prediction_text")}
        row["golds"] = [hostile(next(numbers))] if row["golds"] else []
        row["n_best"] = [{**span, "text": hostile(next(numbers))} for span in row["n_best"]]
    (run / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    contexts = json.loads((run / "contexts.json").read_text())
    (run / "contexts.json").write_text(json.dumps({key: hostile(next(numbers)) for key in contexts}))
    history = csv_rows((run / "history.csv").read_text())
    for row in history:
        row["probe_0"] = hostile(next(numbers)).replace("\ud800", "")
    (run / "history.csv").write_text(csv_text(history), "utf-8")
    pages = [page(found, found.summary or {}, {}) for found in map(read_run, (plain, run))]
    same_elements(*pages)


def test_the_tables_of_a_run_and_its_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `qaexp resume` and `qaexp train` end."""
    from qaexp.commands.shown import show_run

    run = build(tmp_path / in_a_name(1), num_examples=20, num_steps=4)
    (run / "profile").mkdir()
    (run / "profile" / "steps.txt").write_bytes(hostile(2).encode("utf-8", "replace") + b"\xff")
    record = json.loads((run / "run.json").read_text())
    record["flags"] = [{"name": hostile(3), "step": 1, "advice": hostile(4)}]
    record["drift"] = [{"step": 1, "changes": {hostile(5): [hostile(6), "2"]}}]
    (run / "run.json").write_text(json.dumps(record))
    show_run(run, json.loads((run / "summary.json").read_text()))
    text = capsys.readouterr().out
    assert steering(text) == set()
    assert {1, 2, 4} <= numbers_in(text.replace("\n", "").replace(" ", ""))


@pytest.mark.parametrize("name", COMMANDS)
def test_words_of_the_command_line_are_text(name: str, tmp_path: Path) -> None:
    """A script that hands on what a stranger gave it: paths, overrides and flags that are none."""
    for words in ([hostile(1)], [f"--{hostile(2)}"], [f"name={hostile(3)}"], [f"{hostile(4)}=1"], ["-n", hostile(5)]):
        words = [word.replace("\ud800", "").replace("\0", "") for word in words]
        called = tiny_run.call(tmp_path, name, *words)
        assert called.code in (0, 2, 5, 8), called.err
        assert steering(called.out + called.err) == set()
        assert not re.search(rf"^\s*{FORGED}", called.out + called.err, re.MULTILINE)
        assert called.out + called.err
    assert tiny_run.call(tmp_path, name, "x" * 5000).code in (2, 8)


def test_a_console_of_ours_has_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    RunConsole().print("[bold]a[/bold] [link=http://evil.example]b[/link] :smile: \x1b[31m")
    assert capsys.readouterr().out == "[bold]a[/bold] [link=http://evil.example]b[/link] :smile: \\x1b[31m\n"


def test_a_warning_and_a_record_of_a_log_are_one_line_each(tmp_path: Path) -> None:
    """What is logged outside a run goes to stderr, inside it to the run's logs."""
    script = (
        "import logging, sys; from pathlib import Path; from qaexp.reporting.terminal.outlets import outlets\n"
        "from qaexp.runs.log import LOGGER, open_logs; from qaexp.storage.redact import Redactor\n"
        "from tests.fixtures.canaries import hostile\n"
        "with outlets():\n"
        "    logging.getLogger('qaexp.data').warning('%s: skipped', hostile(1))\n"
        "    with open_logs(Path(sys.argv[1]), Redactor({})): LOGGER.warning('%s: slow', hostile(2))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    for number, text in ((1, done.stderr), *((2, (tmp_path / f"{log}.log").read_text()) for log in ("train", "debug"))):
        assert numbers_in(text) == {number}
        assert steering(text) == set()
        assert text.count("\n") == 1
