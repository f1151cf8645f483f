"""What README.md and docs/ print runs: every Python block, every command, every file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import REPOSITORY, house
from tests.fixtures import pages

COMMANDS = [command for page in pages.PAGES for block in pages.blocks(page) if block.language == "bash"
            for command in block.commands]  # fmt: skip
RUN = [
    page
    for page in pages.PAGES
    if page != "docs/extending.md" and any(block.language in ("bash", "python") for block in pages.blocks(page))
]


TEXTS = (*pages.PAGES, "CONTRIBUTING.md", "CHANGELOG.md")


@pytest.mark.slow
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


def _outside_of_blocks(page: str) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", (REPOSITORY / page).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_leads_somewhere(page: str) -> None:
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", _outside_of_blocks(page)):
        name, _, anchor = link.partition("#")
        target = (REPOSITORY / page).parent / name if name else REPOSITORY / page
        if "://" not in link and not (target.exists() and (not anchor or anchor in _anchors(target))):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("page", [page for page in TEXTS if page != "CHANGELOG.md"])
def test_every_file_and_module_that_a_page_names_exists(page: str) -> None:
    text = _outside_of_blocks(page)
    files = re.findall(r"`((?:qaexp|tests|conf|docs)/[\w./-]+)`", text)
    assert [name for name in files if not (REPOSITORY / name).exists()] == []
    modules = re.findall(r"`(?:python -m )?((?:qaexp|tests)(?:\.\w+)+)`", text)
    assert [name for name in modules if not _is_importable(name)] == []


def _is_importable(name: str) -> bool:
    """Whether a dotted name is a module or package, or a name in one."""
    place = REPOSITORY.joinpath(*name.split("."))
    return any(
        path.exists() for path in (place, place.with_suffix(".py"), place.parent, place.parent.with_suffix(".py"))
    )


@pytest.mark.parametrize("page", [page for page in TEXTS if page != "docs/configuration.md"])
def test_pages_are_wrapped(page: str) -> None:
    """At 120 columns, but for tables, headings and pictures; the changelog has a line of at most 160 an entry."""
    limit = 160 if page == "CHANGELOG.md" else 120
    lines = _outside_of_blocks(page).splitlines()
    assert [line for line in lines if len(line) > limit and line[0] not in "|#!"] == []


def test_the_file_map_is_current() -> None:
    assert house.PAGE.read_text("utf-8") == house.page(), "write it again by python -m tests.house"


@pytest.mark.slow
def test_the_files_up_to_the_first_forward_pass_begin_at_the_door() -> None:
    files = house.first_forward(REPOSITORY)
    assert files[0] == "cli/__init__.py"
    assert "experiment/one_run.py" in files
    assert len(files) <= 9
