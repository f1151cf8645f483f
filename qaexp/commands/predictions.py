"""`qaexp predictions`: a run's answers to its dev questions, those that meet conditions, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.cli.arguments import CommandParser
from qaexp.errors import ConfigError, IntegrityError

if TYPE_CHECKING:
    from qaexp.comparison.conditions import Condition
    from qaexp.runs.readers.collect import RunFiles

Row = Mapping[str, Any]

NUM_SHOWN = 20
ORDERS = ("file", "worst", "unsure")
_STORED = (
    *("id", "title", "paragraph", "question", "golds", "prediction_text"),
    *("null_score_diff", "exact", "f1", "span_exact", "span_f1"),
)
# What is worked out; the last six are true or false, and stand for themselves: `--where wrong`.
_YES_OR_NO = ("wrong", "right", "answered", "unanswered", "has_ans", "no_ans")
_MADE = ("outcome", "confidence", *_YES_OR_NO)


def main(argv: Sequence[str]) -> int:
    """Print the predictions of a run that meet all conditions.

    Args:
        argv: The run directory and options.

    Returns:
        0, also where none meets them.

    Raises:
        ConfigError: The directory is no completed run, or a condition is none.
        IntegrityError: The predictions are missing or damaged.
    """
    from qaexp.reporting.terminal.prediction_lines import prediction_lines
    from qaexp.reporting.terminal.printing import say, say_json
    from qaexp.runs.readers.collect import read_completed_run

    arguments = _parser().parse_args(list(argv))
    if arguments.json and arguments.limit is None and arguments.order != ORDERS[0]:
        raise ConfigError(f"--order {arguments.order} with --json needs --limit N; or leave out --order")
    found = _Selection(read_completed_run(arguments.run), arguments.where, with_scores=arguments.json)
    limit = NUM_SHOWN if arguments.limit is None and not arguments.json else arguments.limit
    end = None if limit is None else arguments.skip + limit
    for row in islice(_ordered(found, arguments.order, end), arguments.skip, None):
        if arguments.json:
            say_json(row, indent=None)
        else:
            for line in prediction_lines(row):
                say(line)
    found.tell_faults()
    if not arguments.json:
        say(_ending(found, arguments.skip, limit or 0))
    return 0


@dataclass
class _Selection:
    """The predictions that meet conditions; iterated once, it knows how many there were."""

    run: RunFiles
    where: Sequence[str]
    with_scores: bool
    num_read: int = 0
    num_found: int = 0
    num_torn: int = 0

    def __iter__(self) -> Iterator[Row]:
        scores = self._scores()
        names = list(dict.fromkeys((*_STORED, *_MADE, *scores.names)))
        conditions = [_condition(text, names) for text in self.where]
        for record in self.run.prediction_lines():
            if record is None:
                self.num_torn += 1
                continue
            self.num_read += 1
            try:
                row = {**record, **scores.of(record["id"])}
                is_wanted = not conditions or all(map(_holds, conditions, [{**row, **_made(row)}] * len(conditions)))
            except (LookupError, TypeError, ValueError) as error:
                raise IntegrityError(
                    f"{self._file}: record {self.num_read} is not a prediction ({error!r}); run qaexp verify"
                ) from error
            if is_wanted:
                self.num_found += 1
                yield row
        if not self.num_read:
            raise IntegrityError(f"{self._file}: is missing or empty, so that no answers can be shown")

    @property
    def _file(self) -> Path:
        from qaexp.runs.directory import PREDICTIONS

        return self.run.path / PREDICTIONS

    def _scores(self) -> _ScoreRows:
        """The columns of scores.csv, where they are wanted: reading them takes as long as reading the predictions."""
        is_needed = self.with_scores or any(not _is_known(text) for text in self.where)
        return _ScoreRows(self.run.scores() if is_needed else ())

    def tell_faults(self) -> None:
        """Say on stderr what of the predictions cannot be read, or was changed."""
        from qaexp.reporting.terminal.printing import complain
        from qaexp.runs.directory import PREDICTIONS
        from qaexp.runs.trust import changed_files
        from qaexp.storage.formats import counted

        if self.num_torn:
            complain(f"qaexp predictions: {self._file}: {counted(self.num_torn, 'line')} cannot be read")
        if changed_files(self.run.path, self.run.summary, (PREDICTIONS,)):
            complain(f"qaexp predictions: {self._file}: is not what the run wrote (its sha256 differs)")


class _ScoreRows:
    """What scores.csv adds to a prediction, by the id of its question."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._places = {row.get("id"): place for place, row in enumerate(rows)}
        self.names = tuple(rows[0]) if rows else ()

    def of(self, id: Any) -> Row:
        place = self._places.get(id)
        return {} if place is None else self._rows[place]


def _is_known(text: str) -> bool:
    """Whether a condition is about the predictions alone."""
    try:
        return bool(_condition(text, [*_STORED, *_MADE]))
    except ConfigError:
        return False


def _condition(text: str, names: Sequence[str]) -> Condition:
    from qaexp.comparison.conditions import YES_OR_NO, condition
    from qaexp.config.checks.suggest import did_you_mean
    from qaexp.reporting.numbers.outcomes import OUTCOMES

    legal = dict.fromkeys(_YES_OR_NO, YES_OR_NO) | {"outcome": OUTCOMES}
    found = condition(text, [], legal, examples="f1<50, 'question~how many', 'wrong and has_ans'")
    for key in found.keys:
        if key not in names:
            raise ConfigError(
                f"--where {text}: predictions have no {key}{did_you_mean(key, names)}; they have {', '.join(names)}"
            )
    return found


def _holds(condition: Condition, row: Row) -> bool:
    return condition.holds(row)


def _made(row: Row) -> dict[str, Any]:
    """What is worked out of a prediction."""
    from qaexp.reporting.numbers.outcomes import outcome
    from qaexp.reporting.numbers.quantities import confidence

    is_right, is_answered, has_ans = row["exact"] == 100, bool(row["prediction_text"]), bool(row["golds"])
    told = (not is_right, is_right, is_answered, not is_answered, has_ans, not has_ans)
    return {"outcome": outcome(row), "confidence": confidence(row), **dict(zip(_YES_OR_NO, told, strict=True))}


def _ordered(rows: _Selection, order: str, num: int | None) -> Iterator[Row]:
    """The rows as in the file, or the first ones in another order; all of them are read in any case."""
    keys: Mapping[str, Callable[[Row], Any]] = {
        "worst": lambda row: (row["f1"], -abs(row["null_score_diff"]), str(row["id"])),
        "unsure": lambda row: (abs(row["null_score_diff"]), str(row["id"])),
    }
    if order in keys:
        assert num is not None
        yield from nsmallest(num, rows, key=keys[order])
        return
    for place, row in enumerate(rows):
        if num is None or place < num:
            yield row


def _ending(found: _Selection, skip: int, limit: int) -> str:
    """The last line: how many there are, and how to see the next ones."""
    if not found.num_found:
        return f"none of {found.num_read:,} predictions meets this"
    last = min(skip + limit, found.num_found)
    shown = f"{skip + 1:,} to {last:,}" if last > skip else "none"
    more = f"; the next: --skip {last}" if last < found.num_found else ""
    return f"{shown} of {found.num_found:,} (of {found.num_read:,} predictions){more}"


def _parser() -> CommandParser:
    parser = CommandParser("predictions", "Print a run's answers to its dev questions, those that meet all conditions.")
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="a run directory")
    add(
        "--where",
        action="append",
        default=[],
        metavar="COND",
        help="keep predictions such as 'f1<50', 'question~how many', 'wrong and has_ans'; repeatable",
    )
    add("--order", choices=ORDERS, default=ORDERS[0], help="as in the file, or the worst or the least sure ones first")
    parser.add_number("--limit", int, None, f"print at most N (default {NUM_SHOWN}; with --json all)", low=1)
    parser.add_number("--skip", int, 0, "leave out the first N of those that are met", low=0)
    add("--json", action="store_true", help="print a JSON line each, with the columns of scores.csv")
    return parser
