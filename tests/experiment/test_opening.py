"""Before a run is opened: no request of a hub is made of a secret."""

from __future__ import annotations

from typing import Any

import pytest

from qaexp.errors import IntegrityError
from qaexp.experiment.asked_names import check_no_secret_is_asked_for
from tests.fixtures.checked import check_command_line

SECRET = "zq-horse-battery-staple"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (f"model.checkpoint=stranger/{SECRET}", "model.checkpoint"),
        (f"model.revision={SECRET}", "model.revision"),
        (f"data.dataset=stranger/{SECRET}", "data.dataset"),
    ],
)
def test_no_hub_is_asked_for_a_secret(monkeypatch: pytest.MonkeyPatch, line: str, key: str) -> None:
    config = check_command_line([line, "model=tiny_random"] if key != "model.checkpoint" else [line])
    check_no_secret_is_asked_for(config, None)  # nobody knows that it is one
    place: Any = tuple(key.split("."))
    with pytest.raises(IntegrityError, match=f"{key} holds a secret, and a hub would be asked") as caught:
        check_no_secret_is_asked_for(config, {place: ("${oc.env:GH_PAT}", ["GH_PAT"])})
    assert SECRET not in str(caught.value)
    monkeypatch.setenv("DB_PASS", SECRET)
    with pytest.raises(IntegrityError, match=key):
        check_no_secret_is_asked_for(config, None)
