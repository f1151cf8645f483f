"""The rows of the fault matrix: what every test of a fault asserts, and the table at the end."""

from __future__ import annotations

import math
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.faults import teeth
from tests.fixtures import tiny_run
from tests.fixtures.attempts import Attempts
from tests.fixtures.waiting import waits_at_most

HERE = Path(__file__).parent
ROWS: dict[str, dict[str, Any]] = {row["id"]: row for row in yaml.safe_load((HERE / "rows.yaml").read_text("utf-8"))}
# A last line that helps says what is allowed, or what to do.
_WAY_OUT = re.compile(
    r"; |must|legal values|did you mean|is none of|it offers|no effect|write|choose|use |take |set |give |correct|"
    r"it may be|there is only|neither"
)
# Where a run may leave files, relative to the folder it was started in.
_OURS = ("outputs/", "multirun_outputs/", "cache/")
_outcomes: dict[str, tuple[str, float]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault", action="append", default=[], help="run only the tests of this row")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Where the whole suite is started, this file comes too late to add an option.
    wanted = config.getoption("--fault", default=[])
    if wanted:
        items[:] = [item for item in items if (row := item.get_closest_marker("fault")) and row.args[0] in wanted]


def pytest_runtest_setup(item: pytest.Item) -> None:
    row = item.get_closest_marker("fault")
    if row is not None and row.args[0] not in ROWS:
        pytest.fail(f"rows.yaml has no row {row.args[0]}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome = yield
    row = item.get_closest_marker("fault")
    report = outcome.get_result()  # type: ignore[attr-defined]
    if row is not None and (report.when == "call" or report.outcome != "passed"):
        word = {"passed": "survived", "skipped": "not tried", "failed": "NOT SURVIVED"}[report.outcome]
        before = _outcomes.get(row.args[0], ("survived", 0.0))[0]
        _outcomes[row.args[0]] = (word if before == "survived" else before, report.duration)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _outcomes:
        return
    terminalreporter.section("fault matrix")
    for name in ROWS:
        if name in _outcomes:
            word, seconds = _outcomes[name]
            terminalreporter.line(f"{name:<4} {word:<13}{seconds:6.1f} s  {ROWS[name]['promise']}")
    survived = sum(word == "survived" for word, _ in _outcomes.values())
    terminalreporter.line(f"{survived} of {len(_outcomes)} faults survived")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Refuse and note every connection that leaves the machine, and every look-up of a name."""
    tried: list[str] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            tried.append(str(address))
            raise OSError(f"a test connected to {address}")
        connect(self, address)

    def guarded_look_up(host: Any, *args: Any, **keywords: Any) -> Any:
        if host not in ("127.0.0.1", "::1", "localhost", None):
            tried.append(str(host))
            raise socket.gaierror(-2, "Name or service not known")
        return look_up(host, *args, **keywords)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield tried
    assert tried == [], "the network was touched"


class Commands:
    """Calls qaexp in a folder of its own, and holds each call against the rules that every fault must keep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.waited = 0.0
        self.cpu_seconds = 0.0

    def call(self, *words: str) -> Any:
        """Call a command; whatever comes of it, it shows no traceback and touches nothing but runs and cache."""
        before = tiny_run.snapshot(self.folder)
        cpu_began = time.process_time()
        with waits_at_most(math.inf) as waited:
            done = tiny_run.call(self.folder, *words)
        self.waited = waited.seconds
        self.cpu_seconds = time.process_time() - cpu_began  # another process on the machine does not count
        after = tiny_run.snapshot(self.folder)
        where = f"{words}\n{done.err}"
        assert "Traceback" not in done.err, where
        assert "Traceback" not in done.out, where
        foreign = [name for name in after if name not in before and not name.startswith(_OURS)]
        assert foreign == [], where
        kept = [name for name in before if not name.endswith(".lock")]
        lost = [name for name in kept if after.get(name) != before[name]]
        assert lost == [], where
        return done

    def refused(self, code: int, *words: str, says: tuple[str, ...] = (), last: tuple[str, ...] = ()) -> Any:
        """Call a command that must fail.

        Args:
            code: The exit code.
            *words: The command and its words.
            says: What stderr must name, on any line.
            last: What its last line must name.
        """
        done = self.call(*words)
        where = f"{words}\n{done.err}"
        assert done.code == code, where
        assert done.last_line.startswith(f"qaexp {words[0]}: "), where
        assert _WAY_OUT.search(done.last_line), where
        assert [part for part in says if part not in done.err] == [], where
        assert [part for part in last if part not in done.last_line] == [], where
        assert max(map(len, done.err.splitlines())) < 2000, where
        return done

    def train(self, *words: str) -> Path:
        """Train a run that must succeed; its folder."""
        done = self.call("train", *words)
        assert done.code == 0, done.err
        name = next(word.removeprefix("name=") for word in words if word.startswith("name="))
        return self.folder / "outputs" / name


@pytest.fixture(scope="session")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> Attempts:
    """Attempts at runs in one folder, and the undisturbed runs that they are held against."""
    if torch.cuda.is_available():
        pytest.skip("torch trains in no forked child of a process that sees a GPU: set CUDA_VISIBLE_DEVICES= to try it")
    return Attempts(tmp_path_factory.mktemp("attempts"))


@pytest.fixture(autouse=True)
def protections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take those away that teeth.py wants to be gone."""
    teeth.switch_off(monkeypatch.setattr)


@pytest.fixture
def qaexp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Commands in an empty folder, with a home and a temporary folder that must stay empty."""
    for variable in ("HOME", "TMPDIR"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    (tmp_path / "work").mkdir()
    return Commands(tmp_path / "work")
