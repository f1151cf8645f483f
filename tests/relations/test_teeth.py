"""Two faults are noticed, and each names relations that there are; all of them are tried by `tests.relations.teeth`."""

from __future__ import annotations

import pytest

from tests.relations.broken import FAULTS
from tests.relations.teeth import HERE, VARIABLE, noticed


@pytest.mark.parametrize("fault", ["half_is_a_majority", "machines_no_cause"])
def test_a_fault_is_noticed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    failed, num_run = noticed(fault, FAULTS[fault].modules)
    assert failed
    assert num_run > len(failed)


def test_every_fault_names_relations_that_there_are() -> None:
    assert len(FAULTS) >= 60
    assert all((HERE / f"test_{module}.py").is_file() for fault in FAULTS.values() for module in fault.modules)
