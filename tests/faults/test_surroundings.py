"""Every command in every surroundings: closed and full streams, odd locales and terminals, a folder that is gone."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from qaexp.cli import COMMANDS, PRINTED
from tests import REPOSITORY
from tests.fixtures import tiny_run
from tests.fixtures.fake_run import build

pytestmark = pytest.mark.fault("U1")

WORDS: dict[str, tuple[str, ...]] = {
    "train": ("nme=1",),
    "compare": ("run",),
    "best": ("run",),
    "plan-seeds": ("run",),
    "predictions": ("run",),
    "evaluate": ("run", "--data", "é.json", "--null-threshold", "x"),
    "rescore": ("run",),
    "answer": ("run", "-q", "who?"),
    "export": ("run", "--to", "run/model", "--format", "hf"),
    "serve": ("run", "--port", "0"),
    "board": ("nothing",),
    "plot": ("nothing",),
    "status": ("run",),
    "track": ("nothing", "--to", "tensorboard"),
    "work": ("nothing",),
    "resume": ("nothing",),
    "convert": ("nothing.json",),
    "verify": ("run",),
    "reproduce": ("nothing",),
}
"""What ends at once, in a sentence or in what there is to print."""

TINY = ("model=tiny_random", "trainer.epochs=0", "reporter=none", "data.train_size=20", "data.dev_size=10")
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

SURROUNDINGS: dict[str, tuple[str, dict[str, str | None]]] = {
    "no stdin": ("<&-", {}),
    "no stdout": (">&-", {}),
    "no stderr": ("2>&-", {}),
    "no stream at all": ("<&- >&- 2>&-", {}),
    "a full stdout": (">/dev/full", {}),
    "a full stderr": ("2>/dev/full", {}),
    "both full": (">/dev/full 2>&1", {}),
    "stdin that cannot be read": ("< run/run.json", {}),
    "ASCII": ("", C_LOCALE),
    "Latin-1": ("", {"PYTHONIOENCODING": "latin-1:strict"}),
    "no HOME": ("", {"HOME": None, "QAEXP_CACHE_DIR": None}),
    "no TERM": ("", {"TERM": None, "COLUMNS": "0"}),
    "a dumb terminal": ("", {"TERM": "dumb", "COLUMNS": "1", "LINES": "0"}),
    "columns that are no number": ("", {"COLUMNS": "abc", "TZ": ":/no/such/zone"}),
    "a time zone far away": ("", {"TZ": "<+99>-99"}),
}


def started(
    folder: Path, words: Sequence[str], streams: str = "", changes: dict[str, str | None] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run `qaexp WORDS` by a shell that redirects streams; what is printed to those that are open is kept."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1", **(changes or {})}
    command = [sys.executable, "-m", "qaexp", *words]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {streams}', "sh", *command],
        cwd=folder,
        env={name: value for name, value in environment.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )


# With these alone where nobody asks for all: every command is started in each of them.
SHORT = ("no stdout", "a full stdout", "Latin-1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, and the outcomes of all commands where nothing is odd."""
    folder = tmp_path_factory.mktemp("place")
    build(folder / "run", num_examples=30, num_steps=8)
    return folder


@pytest.fixture(scope="module")
def outcomes(place: Path) -> dict[str, int]:
    return {name: started(place, (name, *words)).returncode for name, words in WORDS.items()}


def test_the_walk_is_whole(outcomes: dict[str, int]) -> None:
    assert set(WORDS) == set(COMMANDS)
    assert 1 not in outcomes.values()
    assert len(set(outcomes.values())) > 2


@pytest.mark.case("stdout_closed")
@pytest.mark.case("answer_without_stdin")
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in SHORT else pytest.mark.thorough) for kind in SURROUNDINGS]
)
def test_a_command_ends_by_its_own_outcome(kind: str, place: Path, outcomes: dict[str, int]) -> None:
    streams, changes = SURROUNDINGS[kind]
    for name, words in WORDS.items():
        plain = [word for word in words if changes is not C_LOCALE or word.isascii()]
        done = started(place, (name, *plain), streams, changes)
        is_lost = "full" in kind and "stderr" not in kind and not outcomes[name] and name in PRINTED
        assert done.returncode == (5 if is_lost else outcomes[name]), (name, done.stderr.decode())
        assert b"Traceback" not in done.stderr + done.stdout, (name, done.stderr.decode())
        assert b"rror: " not in done.stderr, (name, done.stderr.decode())
        if "2>" not in streams and outcomes[name]:
            assert done.stderr.startswith(b"qaexp "), (name, done.stderr.decode())


def test_what_is_lost_on_a_full_disk_is_said_once(place: Path) -> None:
    """A script that takes the output for the result learns that there is none."""
    for words in (("status", "run"), ("compare", "run", "--json"), ("best", "run")):
        done = started(place, words, ">/dev/full")
        assert done.stderr.decode() == (
            "qaexp: stdout cannot be written (No space left on device): what was printed there is lost\n"
        )
        assert done.returncode == 5


@pytest.mark.thorough
@pytest.mark.slow
def test_a_run_is_worth_more_than_what_it_prints(tmp_path: Path) -> None:
    """A run and a sweep whose jobs are started from a process without streams."""
    for name, streams in {"closed": "<&- >&- 2>&-", "full": ">/dev/full 2>&1"}.items():
        assert started(tmp_path, ("train", f"name={name}", *TINY), streams).returncode == 0
        assert started(tmp_path, ("verify", f"outputs/{name}")).returncode == 0
    assert started(tmp_path, ("train", "-m", "name=s", "seed=0,1", *TINY), "<&- >&- 2>&-").returncode == 0
    assert len(list((tmp_path / "multirun_outputs" / "s").glob("*/summary.json"))) == 2


@pytest.mark.slow
def test_a_terminal_that_is_closed_while_a_run_trains(tmp_path: Path) -> None:
    """Under nohup a run outlives its terminal; bars and lines go nowhere from then on."""
    ours, its = pty.openpty()
    words = [*TINY[:1], "trainer.epochs=8", *TINY[2:], "name=a"]
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, "-m", "qaexp", "train", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1", "TERM": "xterm"},
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    said = b""
    while b"training" not in said and (chunk := os.read(ours, 4096)):
        said += chunk
    os.close(ours)
    assert process.wait(timeout=300) == 0, said.decode()
    assert (tmp_path / "outputs" / "a" / "summary.json").exists()
    assert said.index(b"-> outputs/a") < said.index(b"tiny_random") < said.index(b"training")


@pytest.mark.parametrize("name", WORDS)
def test_a_working_directory_that_is_gone(name: str, place: Path, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    command = [sys.executable, "-m", "qaexp", name, str(place / "run")]
    script = 'cd gone && rmdir ../gone && exec "$@"'
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 5, done.stderr
    assert re.fullmatch(rf"qaexp {name}: the working directory cannot be used \(.*\): .*\n", done.stderr), done.stderr


@pytest.mark.case("question_in_another_encoding")
@pytest.mark.parametrize("name", WORDS)
def test_words_that_are_not_utf_8(name: str, place: Path) -> None:
    done = started(place, (name, "run", "-q", os.fsdecode(b"O\xf9?"), "--data", "x"))
    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"qaexp {name}: -q: the bytes are not UTF-8 (the locale is ")
    done = started(place, (name, "run", "--data=é", "name=Où", "é"), changes=C_LOCALE)
    way_out = "the bytes are not UTF-8 (the locale is C): set LC_ALL=C.UTF-8 or PYTHONUTF8=1"
    assert done.returncode == 2
    expected = [f"qaexp {name}: {what}: {way_out}" for what in ("--data", "name", "argument 4")]
    assert done.stderr.decode().splitlines() == expected


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.case("answer_without_stdin")
def test_answer_without_anything_to_answer(tmp_path: Path) -> None:
    started(tmp_path, ("train", "name=a", *TINY))
    no_input = "no input: give -q and -c, or --input\n"
    done = started(tmp_path, ("answer", "outputs/a"), "<&-")
    assert (done.returncode, done.stderr.decode()) == (2, f"qaexp answer: {no_input}")
    (tmp_path / "latin").write_bytes(b"O\xf9?\n")
    done = started(tmp_path, ("answer", "outputs/a"), "<latin")
    assert (done.returncode, b"stdin: the bytes are not UTF-8" in done.stderr) == (2, True)
    done = started(tmp_path, ("answer", "outputs/a"), "<latin", C_LOCALE)
    assert (done.returncode, b"stdin: the bytes are not UTF-8" in done.stderr) == (2, True)
    (tmp_path / "half.jsonl").write_text('{"question": "\\ud800?", "context": "a"}')
    done = started(tmp_path, ("answer", "outputs/a", "--input", "half.jsonl"))
    assert (done.returncode, b"half.jsonl: line 1: " in done.stderr) == (3, True)
    done = started(tmp_path, ("answer", "outputs/a", "-q", "who?", "-c", "caf\u00e9 \u20ac", "--json"), changes={
        "PYTHONIOENCODING": "ascii:strict"
    })  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()


TORCHRUN = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29501"}


@pytest.mark.case("answer_without_stdin")
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"MASTER_ADDR": None}, "WORLD_SIZE=2, but MASTER_ADDR is not set: start with torchrun, or unset WORLD_SIZE"),
        ({"MASTER_PORT": None}, "WORLD_SIZE=2, but MASTER_PORT is not set: start with torchrun, or unset WORLD_SIZE"),
        ({"RANK": None}, "WORLD_SIZE=2, but RANK is not set: start with torchrun, or unset WORLD_SIZE"),
        ({"LOCAL_RANK": None}, "WORLD_SIZE=2, but LOCAL_RANK is not set: start with torchrun, or unset WORLD_SIZE"),
        ({"WORLD_SIZE": None}, "LOCAL_RANK=0, but WORLD_SIZE is not set: start with torchrun, or unset LOCAL_RANK"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE='two' is not a whole number of at least 1"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE='0' is not a whole number of at least 1"),
        ({"RANK": "x"}, "RANK='x' is not a whole number of at least 0"),
        ({"RANK": "2"}, "RANK=2, but WORLD_SIZE=2"),
        ({"LOCAL_RANK": "-7"}, "LOCAL_RANK='-7' is not a whole number of at least 0"),
        ({"MASTER_PORT": "70000"}, "MASTER_PORT=70000 is not a port"),
        ({"WORLD_SIZE": None, "LOCAL_RANK": None, "PMI_SIZE": "4", "MASTER_ADDR": None}, "PMI_SIZE=4, but MASTER_ADDR"),
    ],
    ids=lambda value: " ".join(f"{key}={item}" for key, item in value.items()) if isinstance(value, dict) else "",
)
def test_an_environment_that_says_too_little_of_other_processes(
    changes: dict[str, str | None], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**TORCHRUN, **changes}.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    build(tmp_path / "run", num_examples=10, num_steps=2)
    for words in (("train", "name=a", *TINY), ("resume", "run"), ("reproduce", "run")):
        called = tiny_run.call(tmp_path, *words)
        assert called.code == 2, called.err
        assert called.err.startswith(f"qaexp {words[0]}: {says}"), called.err
        assert called.err.count("\n") == 1
    assert not (tmp_path / "outputs").exists()


def test_torchrun_alone_is_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its LOCAL_RANK=-1 says that there are no others, as some schedulers set it."""
    monkeypatch.setenv("LOCAL_RANK", "-1")
    assert tiny_run.call(tmp_path, "train", "name=a", *TINY).code == 0


def test_too_few_files_may_be_open(place: Path) -> None:
    done = started(place, ("compare", "run"), "", {})
    assert done.returncode == 0
    limited = subprocess.run(
        ["sh", "-c", 'ulimit -n 5; exec "$@"', "sh", sys.executable, "-m", "qaexp", "compare", "run"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    # Whether five are enough hangs on what Python has compiled before.
    assert limited.returncode in (0, 5), limited.stderr
    if limited.returncode:
        assert limited.stderr.startswith("qaexp compare: "), limited.stderr
        assert limited.stderr.endswith("Too many open files; raise the limit of the shell (ulimit -n)\n"), (
            limited.stderr
        )
        assert limited.stderr.count("\n") == 1, limited.stderr
