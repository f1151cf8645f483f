"""docs/configuration.md says what the schema and conf/ say."""

from __future__ import annotations

from qaexp.config.conf import choices, conf_directory
from qaexp.config.reference import reference
from tests import REPOSITORY

DOCS = REPOSITORY / "docs"


def test_the_page_is_current() -> None:
    assert (DOCS / "configuration.md").read_text("utf-8") == reference()


def test_it_names_every_choice_and_every_key() -> None:
    text = reference()
    for group, names in choices([conf_directory()]).items():
        for name in names:
            assert f"- `{group}={name}`: " in text
            assert f"- `{group}={name}`: \n" not in text, "each file begins with a comment that says what it is"


def test_every_key_has_a_row_with_its_default_and_its_meaning() -> None:
    rows = {line.split("|")[1].strip(): line for line in reference().splitlines() if line.startswith("| `")}
    for key, default in {
        "features.max_length": "384",
        "trainer.gradient_checkpointing": "false",
        "seed": "0",
        "schedule.warmup_ratio": "0.1",
        "optimizer.lr": "",
        "trackers.tensorboard.flush_seconds": "10",
    }.items():
        assert default in rows[f"`{key}`"], key
    assert "*neutral*" in rows["`trainer.log_every`"]
    assert "*neutral*" not in rows["`trainer.epochs`"]
    assert all(line.rstrip(" |").count("|") >= 3 for line in rows.values()), "a key without a meaning"
