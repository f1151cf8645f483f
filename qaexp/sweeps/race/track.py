"""A race beside its run directories: which jobs come next, and what follows from those that have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qaexp.sweeps.job import Job
from qaexp.sweeps.race.course import Course, Round, Rules
from qaexp.sweeps.race.entrants import Entry
from qaexp.sweeps.race.finished import Finished, Finishes


class Track:
    """Goes through the rounds of a race as far as its runs have ended."""

    def __init__(self, entries: Sequence[Entry], seeds: Sequence[str], rules: Rules) -> None:
        """Take the configurations with their jobs, the words of the seeds, and what the race goes by."""
        self._jobs = {entry.name: entry.jobs for entry in entries}
        self._finishes = Finishes(rules.metric)
        self.course = Course([entry.name for entry in entries], seeds, rules)
        self.begun: list[Job] = []

    def jobs(self) -> list[Job]:
        """The jobs of the next round, seed by seed; none where the race is over."""
        return self._jobs_of(self.course.wanted())

    def _jobs_of(self, wanted: Mapping[str, range]) -> list[Job]:
        places = next(iter(wanted.values()), range(0))
        return [self._jobs[name][place] for place in places for name in wanted]

    def advance(self, failures: Mapping[str, str]) -> list[Round]:
        """Decide every round whose jobs have all ended.

        Args:
            failures: Why jobs failed, by their identities.

        Returns:
            The rounds that were decided by this call.

        Raises:
            ConfigError: Configurations were scored on different questions.
            IntegrityError: A run is damaged.
        """
        made: list[Round] = []
        while jobs := self.jobs() or self._run_already():
            self.begun += [job for job in jobs if job not in self.begun]
            if any(self._finishes.of(job.folder) is None and job.sha256 not in failures for job in jobs):
                break
            made.append(self._decided(failures))
        return made

    def _run_already(self) -> list[Job]:
        """The jobs of a round that the budget does not allow, where all of them are completed: what was run counts."""
        jobs = self._jobs_of(self.course.wanted(over_budget=True))
        return jobs if all(self._finishes.of(job.folder) is not None for job in jobs) else []

    def _decided(self, failures: Mapping[str, str]) -> Round:
        found: dict[str, list[Finished]] = {}
        failed: dict[str, str] = {}
        for name, places in self.course.wanted(over_budget=True).items():
            jobs = [self._jobs[name][place] for place in places]
            ended = [self._finishes.of(job.folder) for job in jobs]
            found[name] = [one for one in ended if one is not None]
            for job, one in zip(jobs, ended, strict=True):
                if one is None:
                    failed.setdefault(name, f"failed with {job.changes[-1]}: {failures[job.sha256]}")
        return self.course.take(found, failed)
