"""One export, told on one screen: the runs, their model, the folder of the format, its answers, and the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.data.squad import Example
from qaexp.errors import ConfigError
from qaexp.export import combined
from qaexp.export.card import card_files
from qaexp.export.document import EXPORT, document
from qaexp.export.exported import Exported
from qaexp.export.folder import file_bytes, vouched_files, write_files, write_settings
from qaexp.export.needs import HF, check_needs
from qaexp.export.opened import ask
from qaexp.export.questions import Answered, dev_examples, stored_texts
from qaexp.export.sources import BEST, ENSEMBLE, SOUP, Sources, read_sources
from qaexp.export.speed import Speed
from qaexp.export.verdict import Judged, judged
from qaexp.predictor.answers import Predictor
from qaexp.storage.added import added_directory
from qaexp.storage.files import write_json, write_text
from qaexp.storage.folders import make_directory
from qaexp.storage.formats import counted

# Called with a sentence about what is done next.
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What export was asked for.

    Attributes:
        paths: Run directories; with `how` also sweep directories.
        to: The folder to write, which is not there.
        format: `hf`, `onnx` or `openvino`.
        quantize: `int8`, or None.
        how: `best`, `soup`, `ensemble`, or None for a single run.
        repo: The repository of the hub that the folder is for; None: none is known.
    """

    paths: Sequence[Path]
    to: Path
    format: str
    quantize: str | None = None
    how: str | None = None
    repo: str | None = None

    @property
    def label(self) -> str:
        """What a verdict calls it."""
        return self.quantize or self.format


def export(wanted: Wanted, neutral: frozenset[str], told: Told) -> tuple[Exported, dict[str, Any]]:
    """Write a folder that other programs load; it appears as a whole, or not at all.

    Args:
        wanted: What is asked for.
        neutral: Dotted keys of a config that cannot change results.
        told: Says what is done.

    Returns:
        What the folder is, and the content of its export.json.

    Raises:
        ConfigError: There is no such run, a package is missing, the format cannot hold this model, or something stands
            at the place of the folder.
        BusyError: An export to this place is running.
        IntegrityError: A run is damaged, or the folder would give other answers.
        StorageError: The folder cannot be written.
    """
    check_needs(wanted.format, wanted.quantize)
    if wanted.how == ENSEMBLE and wanted.format == HF:
        raise ConfigError("--format hf holds one model, and an ensemble is several; take onnx or openvino, or --soup")
    sources = read_sources(wanted.paths, wanted.how, neutral)
    for note in sources.notes:
        told(note)
    seeds = [Predictor(run.path, device="cpu", precision="fp32") for run in sources.used]
    examples = dev_examples(sources.chosen)
    with added_directory(wanted.to) as folder:
        made = _made(folder, wanted, sources, seeds, examples, told)
        for name, text in card_files(sources.chosen, made[0], wanted.repo).items():
            make_directory((folder / name).parent)
            write_text(folder / name, text)
        write_json(folder / EXPORT, made[1])
    return made


def _made(
    folder: Path, wanted: Wanted, sources: Sources, seeds: Sequence[Predictor], examples: Sequence[Example], told: Told
) -> tuple[Exported, dict[str, Any]]:
    """Write the model, answer the dev questions with what was written, and judge the answers."""
    told(f"writing {wanted.label} of {sources.made_of}")
    began = time.perf_counter()
    source = combined.joined([seed.loaded for seed in seeds], sources.how)
    settings = _settings(sources, seeds[0])
    some = seeds[0].question_set(examples[:2]).features
    write_files(folder, source, settings, some, format=wanted.format, quantize=wanted.quantize)
    written = time.perf_counter()
    told(f"answering {counted(len(examples), 'dev question')} with what was written")
    found, speed = ask(
        folder, source, examples, format=wanted.format, quantize=wanted.quantize, baseline=sources.baseline
    )
    write_settings(folder, source, settings | {"null_threshold": found.null_threshold}, wanted.format, is_finished=True)
    judgements = _judged(found, sources)
    num_equal = sum(map(str.__eq__, found.texts, stored_texts(sources.chosen, seeds[0].settings)))
    exported = Exported(
        format=wanted.format,
        quantized=wanted.quantize,
        made_of=sources.made_of,
        run_ids=tuple(run.run_id for run in sources.used),
        file_bytes=file_bytes(folder),
        null_threshold=found.null_threshold,
        metrics=found.evaluation.metrics,
        verdict=_verdict(wanted, judgements, speed, is_equal=num_equal == len(examples)),
        scores=found.rows,
    )
    return exported, document(
        exported,
        judgements,
        speed,
        files=vouched_files(folder),
        num_equal=num_equal,
        seconds={"export": written - began, "check": time.perf_counter() - written},
    )


def _settings(sources: Sources, first: Predictor) -> dict[str, Any]:
    """What qaexp.json says, with the threshold of a run until that of the format is known."""
    settings = dict(first.settings)
    if len(sources.used) > 1:
        settings.pop("run_id", None)
        settings["run_ids"] = [run.run_id for run in sources.used]
    return settings


def _judged(found: Answered, sources: Sources) -> list[Judged]:
    """Hold the answers against those of the run; of several, against all of them and against the best.

    Raises:
        ConfigError: Averaged weights score less than the seeds that they are made of do on average.
    """
    own = found.by_id()
    if sources.how not in (SOUP, ENSEMBLE):
        return [judged(own, [sources.chosen])]
    mean, best = judged(own, sources.seeds, "the mean of its seeds"), judged(own, [sources.chosen], "the best of them")
    if sources.how == SOUP and mean.tests[mean.metric].difference.difference < 0:
        raise ConfigError(
            f"--{SOUP}: the averaged weights of {', '.join(run.path.name for run in sources.seeds)} score less than "
            f"these do on average: {mean.sentence}; nothing is written, take --{BEST} or --{ENSEMBLE}"
        )
    return [mean, best]


def _verdict(wanted: Wanted, judgements: Sequence[Judged], speed: Speed | None, *, is_equal: bool) -> str:
    """The sentence of what the export costs and gives."""
    first = judgements[0]
    if len(judgements) > 1:
        told = f"{wanted.how}: " + "; ".join(one.sentence for one in judgements)
    elif is_equal:
        told = f"answers on all {first.tests[first.metric].num_questions:,} questions equal"
    else:
        told = f"{wanted.label}: {first.sentence}"
    return told if speed is None else f"{told}; {speed.sentence}"
