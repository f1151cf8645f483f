"""What a page that asks again and again ends up with is what there is."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from qaexp.board import index as module
from qaexp.board.index import KINDS, Index


class Page:
    """Somebody who takes what changed."""

    def __init__(self) -> None:
        self.token = ""
        self.known: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}

    def ask(self, index: Index) -> dict[str, Any]:
        found = index.changes(self.token)
        self.token = found["token"]
        for kind in KINDS:
            if found["is_all"]:
                self.known[kind].clear()
            for name in found["gone"][kind]:
                self.known[kind].pop(name, None)
            for entry in found[kind]:
                self.known[kind][entry["id"]] = entry
        return found


@pytest.mark.parametrize("most", [1, 3, 10_000])
def test_pages_that_ask_at_any_time_know_everything(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(module, "MOST_GONE", most)
    draw, index, truth = random.Random(3), Index(), dict[str, dict[str, Any]]()
    pages = [Page() for _ in range(4)]
    for turn in range(400):
        name = str(draw.randrange(12))
        if draw.random() < 0.6:
            truth[name] = {"id": name, "value": draw.randrange(3)}
            index.put("runs", truth[name], Path(name))
        else:
            truth.pop(name, None)
            index.keep_only("runs", set(truth))
        if draw.random() < 0.3:
            page = draw.choice(pages)
            page.ask(index)
            assert page.known["runs"] == truth, turn


def test_only_what_changed_is_told() -> None:
    index, page = Index(), Page()
    index.put("runs", {"id": "a", "value": 1}, Path("a"))
    index.put("runs", {"id": "b", "value": 1}, Path("b"))
    assert page.ask(index)["is_all"]
    index.put("runs", {"id": "a", "value": 1}, Path("a"))
    assert page.ask(index)["runs"] == []
    index.put("runs", {"id": "a", "value": 2}, Path("a"))
    found = page.ask(index)
    assert (found["is_all"], found["runs"]) == (False, [{"id": "a", "value": 2}])


@pytest.mark.parametrize("token", ["", "x", "0.0", ".", "a.b", "-1", "1" * 10**5, "{own}.999", "{own}.-1", "{own}.1e3"])
def test_who_knows_nothing_is_told_everything(token: str) -> None:
    index = Index()
    index.put("runs", {"id": "a"}, Path("a"))
    own = index.changes("")["token"].partition(".")[0]
    found = index.changes(token.replace("{own}", own))
    assert (found["is_all"], len(found["runs"])) == (True, 1)


def test_paths_come_from_the_index_alone() -> None:
    index = Index()
    index.put("runs", {"id": "a"}, Path("outputs/a"))
    index.put("folders", {"id": "f"}, Path("outputs"))
    assert index.paths_of(["a", "../a", "/etc/passwd", "f"]) == [Path("outputs/a"), None, None, None]
