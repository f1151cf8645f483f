"""`qaexp compare URL`: what was uploaded is compared as the folders are that it was uploaded from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import qaexp
from qaexp.runs.directory import PREDICTIONS
from qaexp.runs.writing.upload import upload_beside, upload_run
from qaexp.storage.store import Store
from tests.fixtures import stores, tiny_run
from tests.fixtures.compared import edit


@pytest.fixture(params=stores.KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with stores.url_of(request.param, tmp_path) as url:
        yield Store(url)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Store]:
    with stores.url_of("file", tmp_path) as url:
        yield Store(url)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return stores.sweep(tmp_path / "lrs", levels={1e-4: 30, 1e-3: 80})


def uploaded(sweep: Path, store: Store) -> str:
    for run in runs_of(sweep):
        upload_run(run, store)
    return upload_beside(sweep, store).url


def runs_of(sweep: Path) -> list[Path]:
    return sorted(path for path in sweep.iterdir() if path.is_dir())


def compared(folder: Path, *words: str) -> Any:
    done = tiny_run.call(folder, "compare", *words, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_the_same_as_of_the_folders(store: Store, sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = uploaded(sweep, store)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    local, found = (tiny_run.call(tmp_path, "compare", str(place), "--json") for place in (sweep, url))
    assert found.out == local.out.replace(str(sweep), url)
    local, found = (tiny_run.call(tmp_path, "compare", str(place), "--flips", "3") for place in (sweep, url))
    assert found.out == local.out.replace(str(sweep), url)
    assert (local.code, found.code, found.err) == (0, 0, "")
    pages = tmp_path / "local.html", tmp_path / "found.html"
    for place, page in zip((sweep, url), pages, strict=True):
        assert tiny_run.call(tmp_path, "compare", str(place), "--html", str(page)).code == 0
    assert pages[0].read_text() == pages[1].read_text()
    assert not list(temporary.iterdir())


def test_single_runs_by_url_and_by_path(store: Store, sweep: Path, tmp_path: Path) -> None:
    url = uploaded(sweep, store)
    one, *others = runs_of(sweep)
    words = [f"{url}/{one.name}/", *map(str, others)]
    found = compared(tmp_path, *words, "--baseline", f"{url}/{one.name}")
    assert {row["path"] for row in found["runs"]} == {f"{url}/{one.name}", *map(str, others)}
    assert found["groups"] == compared(tmp_path, str(sweep))["groups"]
    twice = compared(tmp_path, url, str(sweep))
    assert [row["reason"].startswith("the same run as ") for row in twice["skipped"]] == [True] * 4


def test_from_python(folder: Store, sweep: Path, tmp_path: Path) -> None:
    found = qaexp.compare(uploaded(sweep, folder))
    assert found.findings == qaexp.compare(sweep).findings
    assert found.write_html(tmp_path / "page.html").is_file()


def test_only_what_is_needed_is_fetched(
    folder: Store, sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked, read = uploaded(sweep, folder), list[str](), Store.read

    def noted(self: Store, name: str, size: int) -> bytes:
        asked.append(name)
        return read(self, name, size)

    monkeypatch.setattr(Store, "read", noted)
    compared(tmp_path, url)
    assert PREDICTIONS not in asked
    compared(tmp_path, url, "--flips-csv", str(tmp_path / "flips.csv"))
    assert PREDICTIONS in asked


def test_a_folder_that_is_half_there_is_not_seen(folder: Store, sweep: Path, tmp_path: Path) -> None:
    url = uploaded(sweep, folder)
    one, other, *_ = runs_of(sweep)
    folder.below(f"lrs/{one.name}").remove("UPLOADED.json")
    folder.below(f"lrs/{other.name}").remove("scores.csv")
    found = compared(tmp_path, url)
    assert len(found["runs"]) == 2
    assert found["notes"][-1] == "2 folders not uploaded completely were left out"
    told = {row["path"]: row["reason"] for row in found["skipped"]}
    assert set(told) == {f"{url}/{one.name}", f"{url}/{other.name}"}
    alone = compared(tmp_path, f"{url}/{one.name}")
    assert [row["path"] for row in alone["skipped"]] == [f"{url}/{one.name}"]
    done = tiny_run.call(tmp_path, "compare", url, "--strict")
    assert done.code == 8
    assert f"{url}/{one.name}: not uploaded completely" in done.err


def test_other_questions_are_told_from_the_answers(folder: Store, tmp_path: Path) -> None:
    """As of folders: whether two dev files are the same is read from the predictions, which are fetched for that."""
    for name, seed in (("a", 0), ("b", 1)):
        run = stores.completed(tmp_path / "runs" / name, seed=seed)
        edit(run / "data.json", sha256={"train": "t", "dev": name})
        tiny_run.sign(run)
        upload_run(run, folder)
    local, found = compared(tmp_path, "runs"), compared(tmp_path, folder.url)
    assert len(found["groups"]) == len(local["groups"])
    assert [group["measured_apart"] for group in found["groups"]] == [g["measured_apart"] for g in local["groups"]]


@pytest.mark.parametrize("command", ["status", "verify", "plot", "predictions", "best", "resume", "evaluate"])
def test_other_commands_say_that_they_read_folders_alone(tmp_path: Path, command: str) -> None:
    done = tiny_run.call(tmp_path, command, "s3://me:hunter2@bucket/runs/a")
    assert (done.code, done.out) == (2, "")
    assert f"qaexp {command} reads folders of this machine alone" in done.last_line
    assert "hunter2" not in done.err


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://me:hunter2@bucket/runs", "credentials come from the environment alone"),
        ("foo://bucket", "no store begins with foo://"),
        ("gs://bucket/runs", "pip install gcsfs"),
        ("file:///nowhere/at/all", "there is no such folder"),
        ("memory://never/uploaded", "nothing is there"),
        ("s3://bucket/runs/*", "no patterns"),
    ],
)
def test_a_url_that_cannot_be_read_is_one_sentence(tmp_path: Path, url: str, told: str) -> None:
    done = tiny_run.call(tmp_path, "compare", url)
    assert (done.code, done.out) == (2, "")
    assert told in done.last_line
    assert "hunter2" not in done.err
