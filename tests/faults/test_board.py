"""Folders that anybody changes under the board, and boards that cannot be shown."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.board.conftest import SMALL
from tests.faults.conftest import Commands
from tests.fixtures import fake_run
from tests.fixtures.boarded import digest
from tests.fixtures.served import started

FORGED = "<script>alert(1)</script>"
RECORDS = (b"", b"{", b"[" * 10**5, b"\xff", b'{"schema_version": 99}', b'{"schema_version": 1, "flags": "<b>"}')


@pytest.mark.fault("N3")
def test_whatever_happens_to_folders_costs_only_their_own_lines(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    fake_run.build(outputs / "well", **SMALL)
    with started(outputs, command="board") as (process, url), httpx.Client(timeout=300) as client:

        def until(holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
            while True:
                assert process.poll() is None
                rows = {row["name"]: row for row in client.get(f"{url}/api/runs").json()["runs"]}
                if holds(rows):
                    return rows

        until(lambda rows: rows.keys() == {"well"})
        for number, content in enumerate(RECORDS):
            fake_run.build(outputs / f"ill{number}", **SMALL)
            (outputs / f"ill{number}" / "run.json").write_bytes(content)
            (outputs / f"ill{number}" / "metrics.jsonl").write_bytes(b"\0[{" * 999)
        shutil.copytree(outputs / "well", outputs / FORGED.replace("/", "\n"))
        (outputs / "well" / "report.html").write_text(FORGED)
        os.mkfifo(outputs / "pipe")
        (outputs / "loop").symlink_to("loop")
        rows = until(lambda rows: len(rows) == len(RECORDS) + 2)
        assert rows["well"]["state"] == "completed"
        before = digest(outputs)
        for row in rows.values():
            assert client.get(f"{url}/api/curves", params={"run": row["id"]}).status_code == 200
        page = client.get(f"{url}/run", params={"run": rows["well"]["id"]})
        assert (page.status_code, FORGED in page.text) == (200, False)
        assert client.get(f"{url}/run", params={"run": rows["ill0"]["id"]}).status_code == 422
        assert digest(outputs) == before
        shutil.rmtree(outputs / "ill0")
        until(lambda rows: "ill0" not in rows)
        outputs.rename(tmp_path / "away")
        until(lambda rows: rows == {})
        assert client.get(f"{url}/run", params={"run": rows["well"]["id"]}).status_code == 404
        (tmp_path / "away").rename(outputs)
        assert until(lambda rows: "well" in rows)["well"]["state"] == "completed"
        process.terminate()
        _, said = process.communicate(timeout=300)
    assert (process.returncode, said) == (0, "")


@pytest.mark.fault("N4")
def test_a_board_that_cannot_be_shown_is_refused(qaexp: Commands) -> None:
    (qaexp.folder / "file").write_text(json.dumps({}))
    (qaexp.folder / "outputs").mkdir()
    free = ("--port", "0")
    says = ("nothing: there is no such folder", "file: is not a folder")
    qaexp.refused(2, "board", "nothing", "file", "outputs", *free, says=says)
    qaexp.refused(2, "board", "outputs/\udcff", *free)
    qaexp.refused(2, "board", "outputs", "--port", "65536")
