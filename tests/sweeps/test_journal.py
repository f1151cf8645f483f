"""The journal of a search: Optuna would follow a link, and wait for a pipe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qaexp.errors import IntegrityError
from qaexp.sweeps.optuna.journal import JOURNAL, check_journal


@pytest.mark.case("plots_that_is_a_link")
def test_a_journal_elsewhere_is_refused(tmp_path: Path) -> None:
    check_journal(tmp_path / JOURNAL)  # there is none yet
    (tmp_path / "mine").write_text('{"mine": 1}\n{"torn')
    (tmp_path / JOURNAL).symlink_to(tmp_path / "mine")
    with pytest.raises(IntegrityError, match=JOURNAL):
        check_journal(tmp_path / JOURNAL)
    assert (tmp_path / "mine").read_text() == '{"mine": 1}\n{"torn'
    (tmp_path / JOURNAL).unlink()
    os.mkfifo(tmp_path / JOURNAL)
    with pytest.raises(IntegrityError, match="not a regular file"):
        check_journal(tmp_path / JOURNAL)
