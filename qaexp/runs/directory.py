"""What a run directory holds: file names, words, the order of the numbers in summary.json, and legal run names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from qaexp.errors import ConfigError
from qaexp.runs.metrics import NUMBERS
from qaexp.storage.evaluation_sets import FOLDER

# Rises when a key changes meaning; readers accept every older version and refuse newer ones by name.
SCHEMA_VERSION = 1

STAGES = ("data", "features", "model", "training", "evaluation", "report")
STATES = ("running", "completed", "failed", "preempted")
COLLAPSE = "null_collapse"
FLAGS = (
    COLLAPSE,
    "zero_learning_rate",
    "loss_spike",
    "gradient_explosion",
    "overfit_gap",
    "loss_not_falling",
    "not_finite",
    "low_learning_rate",
    "examples_skipped",
    "examples_fixed",
    "answers_lost",
    "labels_differ",
    "train_dev_overlap",
)

# What history.csv and a terminal show where a model answers nothing.
NO_ANSWER = "(no answer)"

HYDRA = ".hydra"
HYDRA_FILES = ("config.yaml", "hydra.yaml", "overrides.yaml")
LOCK = ".lock"
CONFIG = "config.json"
RUN = "run.json"
ENVIRONMENT = "env.json"
DATA = "data.json"
METRICS = "metrics.jsonl"
TIMINGS = "timings.jsonl"
HISTORY = "history.csv"
PREDICTIONS = "predictions.jsonl"
CONTEXTS = "contexts.json"
SCORES = "scores.csv"
TEST_SCORES = "test_scores.csv"
TEST_SETS = FOLDER
LOGITS = "logits.safetensors"
MODEL = "model"
CHECKPOINTS = "checkpoints"
PLOTS = "plots"
REPORT = "report.html"
PROFILE = "profile"
TENSORBOARD = "tensorboard"
PROFILE_TRACE = f"{PROFILE}/trace.json"
DIVERGED = "diverged.json"
PROFILE_TABLE = f"{PROFILE}/steps.txt"
TRAIN_LOG = "train.log"
DEBUG_LOG = "debug.log"
OUTPUT_LOG = "output.log"
SUMMARY = "summary.json"
MANIFEST = "MANIFEST.json"

# What a store holds beside the files of a folder: what is there once all of them are, and until then.
UPLOADED = "UPLOADED.json"
UPLOADING = "UPLOADING.json"

# Folders inside a run directory; a link with one of these names is neither written nor read.
FOLDERS = (HYDRA, CHECKPOINTS, MODEL, TEST_SETS, PLOTS, PROFILE, TENSORBOARD)

SWEEP_PLAN = "plan.json"
SWEEP = "sweep.json"
SWEEP_RACE = "race.json"
# What the directory of a sweep holds beside its runs.
SWEEP_TABLE = "sweep.csv"

# The end of the name of the folder with a comparison's pictures, beside its page: `report_figures`.
PICTURES = "_figures"

# What the manifest covers; `TEST_SETS` and `MODEL` are folders.
RESULTS = (
    CONFIG,
    ENVIRONMENT,
    DATA,
    METRICS,
    HISTORY,
    PREDICTIONS,
    CONTEXTS,
    SCORES,
    TEST_SCORES,
    TEST_SETS,
    LOGITS,
    MODEL,
)

# What an attempt that starts over takes away first: all but the logs, the checkpoints and what the start writes.
REBUILT = (
    SUMMARY,
    MANIFEST,
    DATA,
    METRICS,
    TIMINGS,
    HISTORY,
    PREDICTIONS,
    CONTEXTS,
    SCORES,
    TEST_SCORES,
    TEST_SETS,
    LOGITS,
    MODEL,
    PLOTS,
    REPORT,
    PROFILE,
    TENSORBOARD,
    DIVERGED,
)

# Files to which a run appends lines; all others are written as a whole. `OUTPUT_LOG` is its process's own output.
GROWING = (METRICS, TIMINGS, TRAIN_LOG, DEBUG_LOG)

# What a resumed attempt keeps, cut back to where its checkpoint was made.
CONTINUED = (DATA, METRICS, TIMINGS, HISTORY, TENSORBOARD)

# Every key of summary.json in its order; `test_` or `test_NAME_` before the name of a metric is legal too.
SUMMARY_KEYS = (*NUMBERS, "manifest_sha256")

MAX_NAME_BYTES = 200
_CONTROL_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
_BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"


def check_name(name: str) -> None:
    """Refuse a run name that is not a plain folder name.

    Raises:
        ConfigError: Naming the first thing that is wrong with it.

    >>> check_name("notebook seed=2")
    >>> check_name("../x")
    Traceback (most recent call last):
    qaexp.errors.ConfigError: name: '../x' holds '/'; use a plain folder name, for example name=first-try
    """
    for problem in _name_problems(name):
        raise ConfigError(f"name: {_shortened(name)!r} {problem}; use a plain folder name, for example name=first-try")


def link_problems(directory: Path) -> list[str]:
    """Name each folder of a run that is a link: what it leads to is not the run's."""
    links = [directory / name for name in FOLDERS if (directory / name).is_symlink()]
    return [f"{link}: is a link, which is not followed; remove it" for link in links]


def result_files(directory: Path) -> Iterator[Path]:
    """Yield the files that the manifest covers, in the order of `RESULTS`, a folder's files by name."""
    for name in RESULTS:
        path = directory / name
        if path.is_dir() and not path.is_symlink():
            yield from sorted(inner for inner in path.rglob("*") if inner.is_file())
        elif path.is_file():
            yield path


def _name_problems(name: str) -> Iterator[str]:
    if not name:
        yield "is empty"
    if "/" in name:
        yield "holds '/'"
    if name.startswith((".", "-", " ")):
        yield f"begins with {name[0]!r}"
    if name.endswith(" "):
        yield "ends with a space"
    if any(unicodedata.category(c) in _CONTROL_CATEGORIES or c in _BIDI_CONTROLS for c in name):
        yield "holds a control character"
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        yield f"is longer than {MAX_NAME_BYTES} bytes"


def _shortened(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:60]}..."
