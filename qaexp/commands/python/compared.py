"""A comparison from Python: what `qaexp compare --json` prints, as an object with tables."""

from __future__ import annotations

import inspect
import re
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.errors import ConfigError
from qaexp.runs.readers.frame import Paths, one_or_several

if TYPE_CHECKING:
    import pandas as pd

    from qaexp.comparison.compare import Comparison
    from qaexp.runs.readers.fetched import Fetched


_OPTION = re.compile(r"--([a-z][a-z-]*)\b")


class Compared(Mapping[str, Any]):
    """A comparison as `qaexp compare --json` reports it, a mapping of its keys.

    Attributes:
        document: The whole document: plain lists, mappings, texts and numbers.
    """

    def __init__(self, comparison: Comparison) -> None:
        """Take what was compared."""
        from qaexp.comparison.shown.document import document

        self._comparison = comparison
        self.document: dict[str, Any] = document(comparison)

    def __getitem__(self, key: str) -> Any:
        """A part of the document."""
        return self.document[key]

    def __iter__(self) -> Iterator[str]:
        """The keys of the document."""
        return iter(self.document)

    def __len__(self) -> int:
        """How many keys the document has."""
        return len(self.document)

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The groups over seeds, best first."""
        return list(self.document["groups"])

    @property
    def contrasts(self) -> list[dict[str, Any]]:
        """What was tested: each pair of groups with difference, interval, p-value and verdict."""
        return list(self.document["contrasts"])

    @property
    def findings(self) -> list[Any]:
        """What was found, in sentences, and what to do next."""
        return list(self.document["findings"])

    def frame(self) -> pd.DataFrame:
        """One row a group: what `qaexp compare --csv` writes."""
        import pandas as pd

        from qaexp.comparison.shown.document import group_rows

        metric = self.document["metric"]
        return pd.DataFrame([row for table in self._comparison.tables for row in group_rows(table, metric)])

    def contrasts_frame(self) -> pd.DataFrame:
        """One row a pair of groups."""
        import pandas as pd

        return pd.DataFrame(self.contrasts)

    def write_html(self, path: str | Path) -> Path:
        """Write the page that `qaexp compare --html` writes.

        Raises:
            StorageError: It cannot be written.
        """
        from qaexp.comparison.shown.report import write_report

        return write_report(self._comparison, Path(path))[0]

    def html(self, title: str = "") -> str:
        """The findings and the groups as a piece of HTML, as a notebook shows them.

        Args:
            title: What was compared; empty: how much.
        """
        from qaexp.comparison.shown.card import comparison_card
        from qaexp.reporting.page.card import card_html

        return card_html(comparison_card(self._comparison, self.document, title))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.html()

    def __repr__(self) -> str:
        """How much was compared, and each finding on a line."""
        from qaexp.storage.formats import counted

        head = f"{counted(len(self.groups), 'group')} of {counted(len(self.document['runs']), 'run')}"
        return "\n".join([f"<comparison of {head} by {self.document['metric']}>", *map(str, self.findings)])


def _keyword(option: re.Match[str]) -> str:
    """The keyword of an option; one that `compare` does not take stays as it is."""
    name = option[1].replace("-", "_")
    return name if name in _keywords() else option[0]


def _keywords() -> list[str]:
    """What `compare` takes."""
    return [name for name in inspect.signature(compare).parameters if name != "others"]


def _refuse_keywords(given: Mapping[str, Any]) -> None:
    """Refuse what is not a keyword: settings choose runs by `where`.

    Raises:
        ConfigError: There are some.
    """
    if given:
        from qaexp.config.checks.suggest import nearest

        key, value = next(iter(given.items()))
        known = nearest(key, _keywords())
        way = f"did you mean {known}=?" if known else f'to keep the runs with it write where="{key}={value}"'
        raise ConfigError(f"compare() has no keyword {key}=; {way}")


def _any_look(intervals: str) -> bool:
    """Whether verdicts hold at any look.

    Raises:
        ConfigError: The word is neither of the two.
    """
    from qaexp.comparison.options import ANYTIME, FIXED

    if intervals not in (ANYTIME, FIXED):
        raise ConfigError(f"compare(intervals={intervals!r}): give {ANYTIME!r} or {FIXED!r}")
    return intervals == ANYTIME


@contextmanager
def _source(paths: Sequence[str], gold: str | Path | None, na_prob: str | Path | None) -> Iterator[Fetched]:
    """What a comparison reads: folders as they are, and folders in place of URLs and other programs' results."""
    from qaexp.comparison.others.folders import with_others
    from qaexp.runs.readers.fetched import fetched

    files = [None if path is None else Path(path) for path in (gold, na_prob)]
    with fetched(paths, with_answers=True) as uploaded, with_others(uploaded, *files) as source:
        yield source


def compare(
    paths: Paths = (),
    *,
    metric: str = "crossfit_f1",
    baseline: str | None = None,
    by: str | None = None,
    where: str | Sequence[str] = (),
    sort: str | None = None,
    relevant: float | None = None,
    intervals: str = "anytime",
    allow_mixed: bool = False,
    gold: str | Path | None = None,
    na_prob: str | Path | None = None,
    **others: Any,
) -> Compared:
    """Compare the completed runs under some paths, as `qaexp compare` does; nothing is written.

    Args:
        paths: Run directories, sweep directories, folders of them, patterns such as `outputs/*`, or URLs of uploaded
            ones, and other programs' results: one, or several.
        metric: A number of summary.json to rank by.
        baseline: The group to compare with: its name, a part of it, or a run's id; None: that of the default settings.
        by: Group by this key alone, for example `optimizer.lr`.
        where: Keep runs such as `optimizer.lr>=1e-4`: one condition, or several.
        sort: Order the groups by another metric.
        relevant: The smallest difference that matters; None: 2 points, or that of a metric that is no percentage.
        intervals: `anytime`: verdicts hold however often one looks while seeds are added; `fixed`: for one look.
        allow_mixed: Show runs that were measured differently in one table.
        gold: The data file with the gold answers of other programs' results.
        na_prob: The null odds of the only file of predictions.
        **others: None: another keyword is refused by name.

    Raises:
        ConfigError: Another keyword is given, there is nothing at a path, or a keyword names what no run has.
        DataError: Other programs' results are damaged, or are not those of the gold questions.
    """
    from qaexp.comparison.compare import Options
    from qaexp.comparison.compare import compare as compare_runs
    from qaexp.config.schema import neutral_keys
    from qaexp.runs.readers.defaults import default_leaves

    _refuse_keywords(others)
    options = Options(
        metric=metric,
        baseline=baseline,
        by=by,
        where=(where,) if isinstance(where, str) else tuple(where),
        sort=sort,
        relevant=relevant,
        any_look=_any_look(intervals),
        allow_mixed=allow_mixed,
        neutral=neutral_keys(),
        defaults=default_leaves(),
    )
    given = one_or_several(paths)
    if not given:
        raise ConfigError("there is nothing to compare; give run directories, sweep directories or folders of them")
    try:
        with ExitStack() as stack:
            source = stack.enter_context(_source(given, gold, na_prob))
            with source.spoken():
                found = Compared(compare_runs(source.paths, options, source))
            # The report, which may be asked for later, reads the fetched files.
            weakref.finalize(found, stack.pop_all().close)
            return found
    except ConfigError as error:
        # It speaks to the command line, where the keywords are options.
        raise ConfigError(*(_OPTION.sub(_keyword, problem) for problem in error.problems)) from error
