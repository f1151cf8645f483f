"""New folders for studies, and the faults that `tests.relations.teeth` asks for."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.relations import teeth
from tests.relations.studies import NewFolder

teeth.break_on_purpose(setattr)


@pytest.fixture(scope="session")
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> NewFolder:
    root, numbers = tmp_path_factory.mktemp("studies"), itertools.count()

    def make() -> Path:
        folder = root / f"study{next(numbers)}"
        folder.mkdir()
        return folder

    return make
