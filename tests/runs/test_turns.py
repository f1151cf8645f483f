"""Workers of a sweep take turns: one at a time, however many there were, and whoever slept."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaexp.runs.claims import Claim
from qaexp.runs.workers import turn, working


def files(sweep: Path) -> set[str]:
    return {path.name for path in (sweep / ".work" / "claims").iterdir()}


def test_many_turns_leave_few_files_and_numbers_grow(tmp_path: Path) -> None:
    with working(tmp_path) as one, working(tmp_path) as other:
        one.take("trial0", None)
        for number in range(1, 12):
            with turn(one if number % 2 else other):
                assert f"turn.{number}" in files(tmp_path)
        assert files(tmp_path) == {"trial0.1", "turn.10", "turn.10.end", "turn.11", "turn.11.end"}
        assert other.newest()["turn"].num_lost == 0


def test_a_deleted_number_that_a_sleeper_takes_is_no_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It saw turn 1 end, and slept while turns 2 to 5 went by, of which the files of 1 to 3 are deleted."""
    with working(tmp_path) as sleeper, working(tmp_path) as other:
        with turn(other):
            pass
        take, taken = sleeper.take, list[int]()

        def late(job: str, after: Claim | None) -> Claim | None:
            if not taken:
                for _ in range(4):
                    with turn(other):
                        pass
                assert "turn.2" not in files(tmp_path)
            mine = take(job, after)
            assert mine is not None
            taken.append(mine.number)
            return mine

        monkeypatch.setattr(sleeper, "take", late)
        with turn(sleeper):
            assert taken == [2, 6]
        assert files(tmp_path) == {"turn.5", "turn.5.end", "turn.6", "turn.6.end"}
