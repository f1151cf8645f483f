"""What a terminal shows of a sweep: its plan, a live table of its jobs, and how it ended."""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.console import Group as Together
from rich.live import Live
from rich.table import Table
from rich.text import Text

from qaexp.errors import QaexpError
from qaexp.reporting.numbers.advice import number, shown
from qaexp.reporting.numbers.spans import duration
from qaexp.runs.directory import COLLAPSE
from qaexp.runs.owners import utc_now
from qaexp.runs.readers.collect import read_run
from qaexp.runs.readers.progress import Progress, progress_of_run
from qaexp.runs.readers.repeats import Group
from qaexp.runs.short_words import told_word
from qaexp.storage.formats import counted, one_line
from qaexp.storage.signals import stop_is_requested
from qaexp.sweeps.closing import groups_table
from qaexp.sweeps.health import flag_names
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import COMPLETED, PRUNED, Outcome
from qaexp.sweeps.overall import count_words, overall
from qaexp.sweeps.plan import ELSEWHERE, REUSE, Plan

STOPPING = "stopping: the jobs end after their steps and store what they did; Ctrl-C again stops at once"
MOST_SHOWN = 30
_REFRESH_SECONDS = 1.0
# Of many jobs these are shown first, then those that have ended last.
_RANKS = {"running": 0, "failed": 1, "timeout": 1, "": 4, "reused": 3}
_COLORS = {"completed": "green", "failed": "bold red", "timeout": "bold red", "running": "cyan", "preempted": "yellow"}


def print_plan(console: Console, plan: Plan, at_once: int | None) -> None:
    """Print what is going to be done, a line a job; of many jobs the first."""
    table = _table("job", "what differs", "action", "note")
    for number_, planned in enumerate(plan.jobs[:MOST_SHOWN], 1):
        table.add_row(
            f"{number_}/{len(plan.jobs)}",
            _text(planned.job.label),
            Text(planned.action, style="dim" if planned.action == REUSE else ""),
            _text(planned.note),
        )
    console.print(table)
    if (more := len(plan.jobs) - MOST_SHOWN) > 0:
        sweep = plan.jobs[0].job.folder.parent
        words = f"{counted(more, 'more job')}; once it is begun, qaexp status {_quoted(sweep)} --all shows all"
        console.print(_text(words))
    for sentence in _remarks(plan, at_once):
        console.print(_text(sentence))


def _remarks(plan: Plan, at_once: int | None) -> list[str]:
    found = []
    if plan.num_duplicates:
        found.append(
            f"{counted(plan.num_duplicates, 'job')} left out: another one has the same config, data and weights"
        )
    if plan.others:
        stand, are = (
            ("stands", "it is left as it is") if len(plan.others) == 1 else ("stand", "they are left as they are")
        )
        found.append(
            f"{counted(len(plan.others), 'other run')} {stand} here: of other values, data or weights, or under a name "
            f"of its own; {are}"
        )
    num_left = len(plan.to_run)
    actions = [planned.action for planned in plan.jobs]
    todo = ", ".join(
        f"{actions.count(action)} {action if action == ELSEWHERE else f'to {action}'}"
        for action in dict.fromkeys(actions)
    )
    if plan.seconds is not None and num_left:
        rounds = -(-num_left // (at_once or 1))
        left, one = (duration(round(seconds)) for seconds in (plan.seconds * rounds, plan.seconds))
        todo += f"; about {left}, as a completed job took {one}"
    return [*found, f"{counted(len(plan.jobs), 'job')}: {todo}"]


class SweepView:
    """Shows jobs while they run: a table where stdout is a terminal, else a line for each event and each epoch."""

    def __init__(self, console: Console, plan: Plan, *, tells_others: bool = True) -> None:
        """Take all jobs of the sweep.

        Args:
            console: Where to.
            plan: The jobs.
            tells_others: Whether lines tell of the jobs of other workers, too; the table always shows them.
        """
        self._tells_others, self._others = tells_others, set[str]()
        self._console, self._jobs = console, [planned.job for planned in plan.jobs]
        self._places = {job.sha256: place for place, job in enumerate(self._jobs, 1)}
        self._states = {planned.job.sha256: "reused" if planned.action == REUSE else "" for planned in plan.jobs}
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._seen: dict[str, Progress] = {}
        self._flags: dict[str, list[str]] = {}
        self._live = Live(console=console, auto_refresh=False, transient=False) if console.is_terminal else None
        self._shown, self._start = 0.0, time.monotonic()
        self._is_stop_told = False

    def __enter__(self) -> SweepView:
        """Begin to show."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last table as it stands."""
        if self._live is not None:
            self._refresh(time.monotonic())
            self._live.stop()

    def started(self, job: Job) -> None:
        """A job begins."""
        self._others.discard(job.sha256)
        self._states[job.sha256], self._began[job.sha256] = "running", time.monotonic()
        self._line(job, "started")

    def elsewhere(self, job: Job, place: str) -> None:
        """A job has begun in another worker."""
        self._others.add(job.sha256)
        self._states[job.sha256], self._began[job.sha256] = "running", time.monotonic()
        self._line(job, f"started by {place}")

    def ended(self, job: Job, outcome: Outcome, seconds: float) -> None:
        """A job has ended."""
        self._look(job)
        self._states[job.sha256], self._ended[job.sha256] = outcome.state, time.monotonic()
        words = [outcome.message] if outcome.message else []
        if outcome.state == COMPLETED:
            self._flags[job.sha256] = words = _flags(job)
        self._line(
            job,
            ": ".join([f"{outcome.state} after {duration(round(seconds))}", *([" ".join(words)] if words else [])])
            + f" ({count_words(self._states)})",
        )
        self._refresh(time.monotonic())

    def tick(self, running: Sequence[Job]) -> Collection[str]:
        """Some time has passed: look at the files of the jobs that run, and let them run."""
        now = time.monotonic()
        self._tell_stop()
        if now - self._shown >= _REFRESH_SECONDS:
            self._shown = now
            for job in running:
                self._look(job)
            self._refresh(now)
        return ()

    def say(self, sentence: str) -> None:
        """Print a sentence, above the table where there is one."""
        self._console.print(_text(sentence), soft_wrap=self._live is None)

    def _look(self, job: Job) -> None:
        found = progress_of_run(job.folder, utc_now())
        if found is None:
            return
        before = self._seen.get(job.sha256)
        self._seen[job.sha256] = found
        if found.f1 is not None and _is_news(found, before):
            epoch = shown({"epoch": found.epoch}, "epoch") + (" (kept)" if found.state == COMPLETED else "")
            self._line(job, f"epoch {epoch}  step {_steps(found)}  loss {number(found.loss, 3)}  f1 {number(found.f1)}")

    def _line(self, job: Job, words: str) -> None:
        if self._live is None and (self._tells_others or job.sha256 not in self._others):
            place = f"[{self._places[job.sha256]}/{len(self._jobs)}]"
            self._console.print(_text(f"{place} {job.label}: {words}"), soft_wrap=True)

    def _tell_stop(self) -> None:
        """Say once that a signal was heard: until the jobs have stored what they did, nothing else would."""
        if stop_is_requested() and not self._is_stop_told:
            self._is_stop_told = True
            self._console.print(_text(STOPPING))

    def _refresh(self, now: float) -> None:
        if self._live is not None:
            words = overall(self._states, self._seen, now - self._start)
            # Above the jobs: of a sweep that is taller than the terminal the last ones are not seen.
            self._live.update(Together(Text(words, style="bold"), self._as_table()), refresh=True)

    def _as_table(self) -> Table:
        table = _table("job", "what differs", "state", "epoch", "step", "loss", "dev f1", "left")
        first = self._first_to_see()
        for job in first:
            place = self._places[job.sha256]
            state, seen = self._states[job.sha256], self._seen.get(job.sha256)
            cells = (
                (shown({"epoch": seen.epoch}, "epoch"), _steps(seen), number(seen.loss, 3), number(seen.f1))
                if seen
                else ("-",) * 4
            )
            left = self._left(job, seen) if state == "running" else "-"
            state_text = Text(state or "waiting", style=_COLORS.get(state, "dim"))
            is_silent = COLLAPSE in self._flags.get(job.sha256, ())
            if is_silent:
                state_text = Text(f"{state}, {COLLAPSE}", style="bold yellow")
            table.add_row(str(place), _text(job.label), state_text, *cells, left, style="dim" if is_silent else "")
        if (more := len(self._jobs) - len(first)) > 0:
            command = f"qaexp status {_quoted(first[0].folder.parent)} --all"
            table.add_row("...", _text(f"{counted(more, 'more job')}; {command}"))
        return table

    def _first_to_see(self) -> Sequence[Job]:
        """All jobs in their order; of many what runs, what has failed, then the newest."""
        if len(self._jobs) <= MOST_SHOWN:
            return self._jobs

        def rank(job: Job) -> tuple[int, float]:
            return _RANKS.get(self._states[job.sha256], 2), -self._ended.get(job.sha256, 0.0)

        return sorted(self._jobs, key=rank)[:MOST_SHOWN]

    def _left(self, job: Job, seen: Progress | None) -> str:
        if seen is None or not seen.step or not seen.total_steps:
            return "-"
        elapsed = time.monotonic() - self._began[job.sha256]
        done = seen.step - (seen.resumed_step or 0)
        return duration(round(elapsed / done * (seen.total_steps - seen.step))) if done > 0 else "-"


def print_results(console: Console, rows: Sequence[Mapping[str, Any]], groups: Sequence[Group], sweep: Path) -> None:
    """Print the groups over seeds, and what failed: one line for each distinct error."""
    if groups:
        console.print(groups_table(rows, groups[:MOST_SHOWN], console.width))
        if (num_more := len(groups) - MOST_SHOWN) > 0:
            console.print(_text(f"{counted(num_more, 'more group')}; qaexp compare {_quoted(sweep)} --all shows all"))
    failures = grouped_failures(rows, sweep)
    if failures:
        table = _table("failed", "why", "which", "log")
        for message, failed in failures.items():
            changes = failed[0]["changes"].items()
            which = " ".join(told_word(f"{key}={value}") for key, value in changes if value is not None)
            more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            table.add_row(str(len(failed)), _text(message), _text(which + more), _text(str(sweep / failed[0]["path"])))
        console.print(table)
    console.print(_text(f"sweep directory {sweep}"), soft_wrap=True)


def grouped_failures(rows: Sequence[Mapping[str, Any]], sweep: Path) -> dict[str, list[Mapping[str, Any]]]:
    """The planned jobs that failed, by their error without what differs from job to job."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["is_planned"] and row["state"] not in (COMPLETED, PRUNED, "planned", "preempted"):
            message = str((row["error"] or {}).get("message", "no reason is known"))
            found.setdefault(message.replace(str(sweep / row["path"]), "<run>"), []).append(row)
    return found


def _flags(job: Job) -> list[str]:
    try:
        return flag_names(read_run(job.folder))
    except (QaexpError, OSError):
        return []


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _quoted(path: Path) -> str:
    """A path in a command, as a shell takes it."""
    return shlex.quote(str(path))


def _text(words: str) -> Text:
    return Text(one_line(words))


def _is_news(found: Progress, before: Progress | None) -> bool:
    """Was there another evaluation, or has the end of the run put other numbers in the place of the last ones?"""
    if before is None or before.num_evaluations != found.num_evaluations:
        return True
    is_end = found.state == COMPLETED != before.state
    return is_end and (found.step, found.epoch, found.f1) != (before.step, before.epoch, before.f1)


def _steps(seen: Progress) -> str:
    is_total = seen.total_steps and seen.state != COMPLETED
    return f"{seen.step or 0}{f'/{seen.total_steps}' if is_total else ''}"
