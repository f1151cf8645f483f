"""The states of runs as lines for a terminal of any width or a pipe, which has none: no number or state is cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.cells import cell_len

from qaexp.runs.metrics import number_of
from qaexp.runs.readers.folder import COMPLETED, RUNNING
from qaexp.runs.readers.planned import job_names
from qaexp.runs.readers.progress import PLANNED, Progress, Skipped
from qaexp.storage.formats import counted, one_line

COLUMNS = ("run", "state", "stage", "step", "epoch", "loss", "f1", "checkpoint", "attempt")
# What goes for want of room, the least important first.
_LEAVING = ("stage", "attempt", "checkpoint", "epoch", "loss")
_RIGHT = ("step", "loss", "f1")
_GAP, _INDENT, _LEAST_NAME = "  ", "  ", 16


def pipe_lines(runs: Sequence[Progress], skipped: Sequence[Skipped], limit: int | None = None) -> list[str]:
    """Return a line a run with its whole path and note, then one for each sweep and for what is not a run.

    Args:
        runs: The states of runs.
        skipped: What is not a run, or cannot be read.
        limit: The most lines of either; None: all.
    """
    below = [*map(_skipped, skipped[:limit]), *_left_out(len(skipped), limit, "skipped folder")]
    if not runs:
        return below
    rows = [(*cells(run).values(), note(run)) for run in first_to_see(runs, limit)]
    table = _aligned([(*COLUMNS, "note"), *rows])
    sweeps = [one_line(f"{parent}: {told}") for parent, _, told in _groups(runs) if told]
    return [*table, *_left_out(len(runs), limit, "run"), *sweeps, *below]


def terminal_lines(
    runs: Sequence[Progress], skipped: Sequence[Skipped], width: int, limit: int | None = None
) -> list[str]:
    """Return the same for a terminal: columns are dropped before cells are cut; a folder is named once, above its runs.

    Args:
        runs: The states of runs.
        skipped: What is not a run, or cannot be read.
        width: Columns of the terminal.
        limit: The most runs, and the most folders that are none; None: all.
    """
    groups = [*_groups(runs)]
    num_runs, runs = len(runs), first_to_see(runs, limit)
    folded = {run.path for _, own, told in groups if told or len(own) > 1 for run in own}
    names = {
        run.path: f"{_INDENT}{one_line(run.path.name)}" if run.path in folded else _tail(_path(run), width)
        for run in runs
    }
    columns = _fitting(runs, names, width)
    lines = _table(runs, names, columns, width) if runs else []
    found = lines[:1]
    rest = iter(lines[1:])
    blocks = {run.path: next(rest) for run in runs}
    for parent, own, told in groups:
        if own[0].path in folded and (told or any(run.path in blocks for run in own)):
            words = f"{_GAP}{told}" if told else ""
            found.append(f"{_tail(one_line(str(parent)) + '/', width - len(words))}{words}")
        shared = _shared_notes(own)
        for run in (run for run in own if run.path in blocks):
            found += blocks[run.path].split("\n")
            found += _wrapped(note(run), width, 2 * _INDENT) if note(run) and _kind(run) not in shared else []
        for kind, number in shared.items():
            found += _wrapped(f"{counted(number, 'run')}: {kind}", width, 2 * _INDENT)
    found += _left_out(num_runs, limit, "run")
    found += [line for one in skipped[:limit] for line in _wrapped(_skipped(one), width, "")]
    return [*found, *_left_out(len(skipped), limit, "skipped folder")]


def first_to_see(runs: Sequence[Progress], limit: int | None) -> Sequence[Progress]:
    """The runs that are shown where not all are, in their own order: what runs, what has failed, then the newest.

    Args:
        runs: The states of runs.
        limit: How many; None: all.
    """
    if limit is None or len(runs) <= limit:
        return runs
    ranks = {RUNNING: 0, COMPLETED: 2, PLANNED: 3}
    places = sorted(range(len(runs)), key=lambda place: (ranks.get(runs[place].state, 1), -_changed(runs[place].path)))
    return [runs[place] for place in sorted(places[:limit])]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _left_out(number: int, limit: int | None, what: str) -> list[str]:
    more = number - (number if limit is None else limit)
    return [f"{counted(more, f'more {what}')}; --all shows {'it' if more == 1 else 'them'}"] if more > 0 else []


def note(run: Progress) -> str:
    """What to know about a run besides its numbers: why it ended, and where it resumes."""
    if run.state == RUNNING:
        age = f", last sign of life {run.age_seconds:.0f} s ago" if run.age_seconds is not None else ""
        return one_line(run.about + age)
    notes = [run.about]
    if run.state == COMPLETED and run.step and run.total_steps and run.step < run.total_steps:
        notes.insert(0, f"ended before step {run.total_steps}")
    return one_line("; ".join(part for part in notes if part))


def tally(runs: Sequence[Progress]) -> str:
    """How many of some runs are completed, and what the others are.

    >>> tally([])
    '0 of 0 completed'
    """
    states = [run.state for run in runs]
    others = [
        f"{states.count(state)} {'not started' if state == PLANNED else state}"
        for state in dict.fromkeys(states)
        if state != COMPLETED
    ]
    return ", ".join([f"{states.count(COMPLETED)} of {len(states)} completed", *others])


def _groups(runs: Iterable[Progress]) -> Iterator[tuple[Path, list[Progress], str]]:
    """Each folder of runs with its runs, and the tally if it is a whole sweep; else an empty text."""
    found: dict[Path, list[Progress]] = {}
    for run in runs:
        found.setdefault(run.path.parent, []).append(run)
    for parent, own in found.items():
        jobs = job_names(parent)
        is_whole = bool(jobs) and {*jobs} <= {run.path.name for run in own}
        yield parent, own, tally(own) if is_whole else ""


def _shared_notes(runs: Sequence[Progress]) -> dict[str, int]:
    """Notes that several completed runs share, and how many runs share each."""
    kinds = Counter(_kind(run) for run in runs if run.state == COMPLETED and note(run))
    return {kind: number for kind, number in kinds.items() if number > 1}


def _kind(run: Progress) -> str:
    return note(run).replace(str(run.path), "RUN")


def cells(run: Progress) -> dict[str, str]:
    """The texts of a run by `COLUMNS`."""
    total = f"/{run.total_steps}" if run.total_steps and run.state != COMPLETED else ""
    kept = " (kept)" if run.state == COMPLETED and run.epoch is not None else ""
    return {
        "run": _path(run),
        "state": one_line(run.state),
        "stage": one_line(run.stage or "-"),
        "step": f"{0 if run.step is None else run.step}{total}",
        "epoch": f"{number_of('epoch').shown(run.epoch)}{kept}",
        "loss": number_of("train_loss").shown(run.loss),
        "f1": number_of("f1").shown(run.f1),
        "checkpoint": "-" if run.checkpoint_step is None else f"step {run.checkpoint_step}",
        "attempt": str(run.attempt or "-"),
    }


def _path(run: Progress) -> str:
    return one_line(str(run.path))


def _skipped(one: Skipped) -> str:
    return one_line(f"{one.path}: skipped: {one.reason}")


def _tail(path: str, width: int) -> str:
    """A path, or as much of its end as fits: the end tells it from others."""
    parts = path.split("/")
    while cell_len(path) > width and len([part for part in parts if part]) > 1:
        parts = parts[1:]
        path = "/".join(["...", *parts])
    return path


def _fitting(runs: Sequence[Progress], names: dict[Path, str], width: int) -> list[str]:
    """The columns, without the name, that fit beside the names."""
    columns = [column for column in COLUMNS if column != "run"]
    longest = max(map(cell_len, names.values()), default=0)
    sizes = {column: max([len(column), *(cell_len(cells(run)[column]) for run in runs)]) for column in columns}
    for leaving in _LEAVING:
        # The loss is dropped only if not even a folded name fits.
        room = longest if leaving != _LEAVING[-1] else min(longest, _LEAST_NAME)
        if room + sum(sizes[column] + len(_GAP) for column in columns) > width:
            columns.remove(leaving)
    return columns


def _table(runs: Sequence[Progress], names: dict[Path, str], columns: list[str], width: int) -> list[str]:
    """The header and a block a run; a name that leaves no room for the cells gets a line of its own."""
    rows = [[cells(run)[column] for column in columns] for run in runs]
    aligned = [line.removeprefix("x") for line in _aligned([["x", *columns], *(["x", *row] for row in rows)], columns)]
    room = max(_LEAST_NAME, width - max(map(cell_len, aligned)))
    padded = min(room, max(cell_len(name) for name in ("run", *names.values())))
    found = [f"{_padded('run', padded)}{aligned[0]}"]
    for run, line in zip(runs, aligned[1:], strict=True):
        name = names[run.path]
        fits = cell_len(name) <= padded
        found.append(f"{_padded(name, padded)}{line}" if fits else f"{name}\n{' ' * padded}{line}")
    return found


def _aligned(rows: Sequence[Sequence[str]], columns: Sequence[str] = COLUMNS[1:]) -> list[str]:
    """Rows as lines of aligned columns, the first with any name; no line ends with blanks."""
    sizes = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    names = ["", *columns, ""]
    return [
        _GAP.join(
            _padded(cell, size, is_right=name in _RIGHT) for cell, size, name in zip(row, sizes, names, strict=False)
        ).rstrip()
        for row in rows
    ]


def _padded(cell: str, size: int, *, is_right: bool = False) -> str:
    blanks = " " * (size - cell_len(cell))
    return blanks + cell if is_right else cell + blanks


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    """A text in lines that break between words; a word that is longer than a line stays whole."""
    lines, line = [], indent
    for word in text.split(" "):
        if line != indent and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line = indent
        line = f"{line} {word}" if line != indent else line + word
    return [*lines, line]
