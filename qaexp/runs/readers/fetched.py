"""Fetches what a comparison reads of run folders in stores into a temporary folder, where they are as if local."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qaexp.errors import QaexpError
from qaexp.runs.readers.fetched_source import ANSWERS, COMPARED, NOT_COMPLETE, Source
from qaexp.storage.formats import counted
from qaexp.storage.urls import is_url


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was given to a reader of runs, with a folder of this machine for each URL.

    Attributes:
        paths: Folders, in the order of what was given.
        roots: What such a folder's path begins with, to what the URL begins with; both end with a slash.
        left_out: Folders of stores that are not read: where they would be, and why.
        remarks: What a reader must know of what stands for something else.
    """

    paths: Sequence[str | Path]
    roots: Mapping[str, str] = field(default_factory=dict)
    left_out: Sequence[tuple[Path, str]] = ()
    remarks: Sequence[str] = ()

    @property
    def notes(self) -> list[str]:
        """How many folders are not there as a whole, and the remarks."""
        num = sum(reason.startswith(NOT_COMPLETE) for _, reason in self.left_out)
        were = "was" if num == 1 else "were"
        lost = [f"{counted(num, 'folder')} {NOT_COMPLETE} {were} left out"] if num else []
        return [*lost, *self.remarks]

    def told(self, text: str) -> str:
        """A text with URLs in place of the folders that stand for them."""
        for local, url in self.roots.items():
            text = text.replace(local, url)
        return text

    def tree(self, value: Any) -> Any:
        """A JSON-able tree with URLs in all of its texts, as `told`."""
        if not self.roots:
            return value
        if isinstance(value, dict):
            return {key: self.tree(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.tree(item) for item in value]
        return self.told(value) if isinstance(value, str) else value

    def local(self, word: str) -> str:
        """The folder that stands for a URL; any other word as it is."""
        for local, url in self.roots.items():
            if word.startswith(url):
                return local + word.removeprefix(url).rstrip("/")
        return word

    @contextmanager
    def spoken(self) -> Iterator[None]:
        """Let the errors of the body name URLs."""
        try:
            yield
        except QaexpError as error:
            error.problems = [self.told(problem) for problem in error.problems]
            error.args = ("\n".join(error.problems),)
            raise


@contextmanager
def fetched(paths: Iterable[str | Path], *, with_answers: bool) -> Iterator[Fetched]:
    """Fetch what is given by URL for a body that reads it; without a URL nothing is done.

    Args:
        paths: Folders, and URLs of run folders, sweeps or folders of them.
        with_answers: The body reads the answers and the course of the training too.

    Raises:
        ConfigError: A URL is not one of a store, or nothing was uploaded there.
        StorageError: A store refuses, or there is no room for what is fetched.
    """
    given = list(paths)
    urls = sorted({str(path).rstrip("/") for path in given if is_url(str(path))})
    if not urls:
        yield Fetched(given)
        return
    with tempfile.TemporaryDirectory(prefix="qaexp-") as name:
        found = [Source(url, Path(name).resolve() / f"{number:04d}") for number, url in enumerate(urls)]
        for source in found:
            source.fetch(COMPARED)
        # Whether two dev files ask the same is told by the answers alone.
        is_mixed = len(urls) < len({str(path).rstrip("/") for path in given})
        if with_answers or is_mixed or len({dev for source in found for dev in source.dev_sets()}) > 1:
            for source in found:
                source.fetch(ANSWERS)
        places = {source.url: source.folder for source in found}
        # Where all was left out, the folder is empty, and the reasons say more than that.
        empty = {source.url for source in found if source.left_out and not source.has_runs}
        words = [(path, str(path).rstrip("/")) for path in given]
        yield Fetched(
            [places.get(word, path) for path, word in words if word not in empty],
            {f"{source.folder.parent}/": source.parent_url for source in found},
            [row for source in found for row in source.left_out],
        )
