"""What README.md and docs/ print runs: every Python block, every command, every file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import REPOSITORY
from tests.fixtures import pages

COMMANDS = [command for page in pages.PAGES for block in pages.blocks(page) if block.language == "bash"
            for command in block.commands]  # fmt: skip
RUN = [
    page
    for page in pages.PAGES
    if page != "docs/extending.md" and any(block.language in ("bash", "python") for block in pages.blocks(page))
]


@pytest.mark.parametrize("page", RUN)
def test_a_page_runs_as_it_is_printed(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In full with QAEXP_THOROUGH=1; else with settings added that make each command small."""
    pages.Reader(page, tmp_path, monkeypatch).follow()


def test_every_block_is_of_a_language_that_is_checked() -> None:
    languages = {block.language for page in pages.PAGES for block in pages.blocks(page)}
    assert languages <= {"bash", "python", "yaml", "json", "text", "mermaid"}
    for page in pages.PAGES:
        assert (REPOSITORY / page).read_text("utf-8").count("```") % 2 == 0, page
        for block in pages.blocks(page):
            if block.language == "json":
                assert all(json.loads(line) for line in block.text.splitlines())
            if block.language == "yaml":
                assert block.file, f"{page}, line {block.line}: the block does not say which file it is"


def test_what_is_not_run_has_a_reason_and_nothing_else_is_listed() -> None:
    for table in (pages.NOT_RUN, pages.ONLY_COMPOSED):
        for pattern in table:
            assert any(re.match(pattern, command) for command in COMMANDS), f"{pattern} is in no page any more"
    for command in COMMANDS:
        if not command.startswith(("qaexp ", "export ")):
            assert pages.reason(command, pages.NOT_RUN), command
        for script in re.findall(r"python ([\w/]+\.py)", command):
            assert (REPOSITORY / script).is_file(), command


def test_a_command_is_read_without_its_comment() -> None:
    block = pages.Block("p", 1, "bash", "qaexp train \\\n  seed=1   # why\n# all\npip install x && qaexp train\n")
    assert block.commands == ["qaexp train    seed=1", "pip install x", "qaexp train"]
