"""The real questions that evaluation is tried on."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Example


@pytest.fixture(scope="session")
def dev_examples(sample_dir: Path) -> tuple[Example, ...]:
    """The 1,152 examples of the real dev file."""
    return read_squad_file(sample_dir / "dev.json").examples
