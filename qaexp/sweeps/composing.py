"""From a sweep's lines to identified jobs: each one composed and checked before any starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qaexp.config.schema import ExperimentConfig
from qaexp.errors import ConfigError, IntegrityError, QaexpError
from qaexp.runs.short_words import told_word
from qaexp.storage.origins import Origins
from qaexp.sweeps import isolate
from qaexp.sweeps.bodies import identify
from qaexp.sweeps.job import Job, folders_by_id
from qaexp.sweeps.number_format import asked_formats, begun_formats, in_begun_attention, remarks

MAX_PROBLEMS = 20

Composed = tuple[ExperimentConfig, Mapping[str, Any], Origins, Mapping[str, str]]
Compose = Callable[[tuple[str, ...]], Composed]


def compose_jobs(
    lines: Sequence[tuple[tuple[str, ...], tuple[str, ...]]], compose: Compose, command_line: Sequence[str]
) -> list[Job]:
    """Compose and check each job.

    Args:
        lines: The override lines of each job, and those of them that are swept.
        compose: Makes of override lines a checked config, the trees of `.hydra/`, what came from the environment, and
            the variables for the run.
        command_line: The words that started the sweep.

    Raises:
        ConfigError: With all that is wrong, whichever job it is in.
        IntegrityError: A job names an object that no config may name.
    """
    jobs: list[Job] = []
    problems = _Problems()
    for words, swept in lines:
        try:
            config, hydra_files, origins, environment = compose(words)
        except QaexpError as error:
            problems.add(error.problems, error.exit_code, swept)
            continue
        job = Job(words, (), config, tuple(command_line), hydra_files, origins, environment)
        jobs.append(replace(job, changes=tuple(map(job.redactor.word, swept))))
    problems.check(len(lines))
    return jobs


@dataclass(frozen=True, slots=True)
class Identified:
    """The jobs of a sweep, each named by its content.

    Attributes:
        jobs: The jobs.
        num_gpus: How many GPUs there are.
        remarks: What to say about their number format.
    """

    jobs: list[Job]
    num_gpus: int
    remarks: list[str]


def identify_jobs(jobs: Sequence[Job], sweep: Path, *, is_here: bool = True) -> Identified:
    """Name each job by its content, in a process of its own: data is read and hashed, and code of users runs.

    Args:
        jobs: Composed jobs.
        sweep: The sweep's directory.
        is_here: Whether the jobs run on this machine.

    Raises:
        ConfigError: With all that is wrong, whichever job it is in.
        IntegrityError: A job names an object that no config may name.
    """
    jobs = in_begun_attention(jobs, sweep)
    asked = asked_formats(jobs, begun_formats(sweep))
    found = isolate.call(identify, [job.config for job in jobs], asked)
    if "value" not in found:
        raise ConfigError(f"the jobs could not be planned: {jobs[0].redactor.text(found['message'])}")
    told, num_gpus = found["value"]["jobs"], found["value"]["num_gpus"]
    problems = _Problems()
    for job, one in zip(jobs, told, strict=True):
        if "sha256" not in one:
            problems.add(
                list(map(job.redactor.text, one["problems"])), one["exit_code"], list(map(told_word, job.changes))
            )
    problems.check(len(jobs))
    existing = folders_by_id(sweep)
    known = [
        _in_its_format(job, one).identified(one["sha256"], sweep, existing) for job, one in zip(jobs, told, strict=True)
    ]
    return Identified(known, num_gpus, remarks(list(zip(known, told, strict=True)), is_here=is_here))


def _in_its_format(job: Job, told: Mapping[str, Any]) -> Job:
    """A job in which what `auto` means for number format and attention is settled, wherever it is going to run."""
    was_free = job.config.trainer.precision == "auto"
    trainer = replace(job.config.trainer, precision=told["word"], attention=told["attention"])
    config = replace(job.config, trainer=trainer)
    return replace(job, config=config, precision=told["format"] if was_free else None)


class _Problems:
    """What is wrong with jobs: each sentence once, with the jobs that it is true of."""

    def __init__(self) -> None:
        self._jobs: dict[str, list[str]] = {}
        self._is_refused = False

    def add(self, problems: Sequence[str], exit_code: int, changes: Sequence[str]) -> None:
        self._is_refused |= exit_code == IntegrityError.exit_code
        for problem in problems:
            self._jobs.setdefault(problem, []).append(" ".join(changes))

    def check(self, num_jobs: int) -> None:
        """Raise what was found; nothing has been started."""
        sentences = [
            problem + ("" if len(where) == num_jobs else f" (in {len(where)} of {num_jobs} jobs: {_first(where)})")
            for problem, where in self._jobs.items()
        ]
        if sentences:
            kind = IntegrityError if self._is_refused else ConfigError
            raise kind(*sentences[:MAX_PROBLEMS])


def _first(where: Sequence[str]) -> str:
    return "; ".join(where[:2]) + (" ..." if len(where) > 2 else "")
