"""How a setting is written where a message is read: `key=value` in `qaexp train`, an option in other commands.

A message that names a setting takes its words from here, so that nobody is advised to type what a command refuses.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

TRAIN = "train"
# The commands that have options instead of settings.
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "evaluate": {
        "data.on_bad": "--on-bad",
        "data.columns": "--columns",
        "trainer.device": "--device",
        "trainer.precision": "--precision",
    },
    "answer": {
        "data.on_bad": "--on-bad",
        "data.columns": "--columns",
        "trainer.device": "--device",
        "trainer.precision": "--precision",
    },
    "serve": {"trainer.device": "--device", "trainer.precision": "--precision"},
    "convert": {"data.on_bad": "--on-bad", "data.columns": "--columns"},
    "rescore": {"decoding.max_answer_length": "--max-answer-length", "decoding.n_best_size": "--n-best-size"},
}

# What a request to the server of `qaexp serve` is read by, in the words of the hub's task.
REQUEST = "request"
# The classes that take arguments instead of settings when called from Python, and requests, which have parameters.
ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "Predictor": {"trainer.device": "device", "trainer.precision": "precision"},
    REQUEST: {"features.max_length": "max_seq_len", "features.doc_stride": "doc_stride"},
}

# The settings named in messages that commands other than `train` accept as they are.
KEYS: Mapping[str, frozenset[str]] = {"resume": frozenset({"steal_lock", "trainer.allow_drift"})}

# What qaexp calls the columns of data files.
COLUMNS = ("id", "title", "context", "question", "answers", "is_impossible", "answer_text", "answer_start")

# Settings that are stored with a trained model; the commands below read them from it.
_STORED = ("features.max_length", "features.doc_stride", "decoding.allow_no_answer", "decoding.max_answer_length")

_READS_MODELS = ("answer", "evaluate", "export", "serve")

_COMMAND: ContextVar[str] = ContextVar("command", default=TRAIN)


@contextmanager
def spoken_by(command: str) -> Iterator[None]:
    """Let messages use the words of a command; without one they use those of `qaexp train` and of Python."""
    token = _COMMAND.set(command)
    try:
        yield
    finally:
        _COMMAND.reset(token)


@contextmanager
def spoken_by_python(name: str) -> Iterator[None]:
    """Let messages use the words of a class that Python calls; inside a command those of the command stay."""
    with spoken_by(name if _COMMAND.get() == TRAIN else _COMMAND.get()):
        yield


def option(key: str) -> str | None:
    """The option of the running command, or the argument of the class, that replaces a key of the config."""
    return {**OPTIONS, **ARGUMENTS}.get(_COMMAND.get(), {}).get(key)


def is_settable(key: str) -> bool:
    """Whether the running command takes a key, in whatever form."""
    command = _COMMAND.get()
    return command == TRAIN or key in KEYS.get(command, ()) or option(key) is not None


def named(key: str) -> str:
    """A key of the config as it is called where the message is read.

    >>> with spoken_by("evaluate"):
    ...     print(named("data.on_bad"), "|", named("features.max_length"))
    --on-bad | the model's max_length
    """
    if _COMMAND.get() in _READS_MODELS and key in _STORED:
        return f"the model's {key.rpartition('.')[2]}"
    found = option(key)
    return found or (key if is_settable(key) else f"{key} of qaexp train")


def lower(key: str) -> str:
    """The advice to give a key a lower value.

    >>> lower("features.max_length")
    'lower features.max_length'
    """
    return f"lower {named(key)}" if is_settable(key) else f"train with a lower {key}"


def setting(key: str, value: str) -> str:
    """A key with its value as it is typed where the message is read.

    >>> setting("data.on_bad", "skip")
    'data.on_bad=skip'
    >>> with spoken_by("evaluate"):
    ...     print(setting("data.on_bad", "skip"), "|", setting("model", "minilm"))
    --on-bad skip | model=minilm of qaexp train
    """
    found = option(key)
    if found and not found.startswith("--"):
        return f"{found}={value}"
    return f"{found} {value}" if found else f"{key}={value}" + ("" if is_settable(key) else " of qaexp train")


def set_to(key: str, value: str) -> str:
    """The advice to give a key a value, with its verb.

    >>> set_to("data.on_bad", "skip")
    'set data.on_bad=skip'
    >>> with spoken_by("evaluate"):
    ...     print(set_to("data.on_bad", "skip"), "|", set_to("decoding.allow_no_answer", "true"))
    give --on-bad skip | train with decoding.allow_no_answer=true
    """
    if option(key):
        return f"give {setting(key, value)}"
    return f"set {key}={value}" if is_settable(key) else f"train with {key}={value}"


def the_model(checkpoint: str) -> str:
    """A model as it was given: to a training by its key, to other commands by its folder.

    >>> the_model("here")
    'model.checkpoint=here'
    """
    return f"model.checkpoint={checkpoint}" if is_settable("model.checkpoint") else checkpoint


def model_key() -> str:
    """What the model as a whole is called.

    >>> model_key()
    'model.checkpoint'
    """
    return "model.checkpoint" if is_settable("model.checkpoint") else "the model"


def another_model(kind: str = "checkpoint", example: str = "minilm") -> str:
    """The advice to take another model.

    >>> another_model()
    'choose another checkpoint, for example model=minilm'
    """
    if is_settable("model.checkpoint"):
        return f"choose another {kind}, for example model={example}"
    return "give another run or model folder"


def choose_cpu() -> str:
    """The advice to compute on the CPU.

    >>> choose_cpu()
    'choose trainer=cpu'
    """
    return f"give {setting('trainer.device', 'cpu')}" if option("trainer.device") else "choose trainer=cpu"


def another_name() -> str:
    """The advice for a folder that is in the way of a run.

    >>> another_name()
    'take another name=, or move the folder away'
    """
    return "take another name=, or move the folder away" if is_settable("name") else "move the folder away"


def fewest_threads() -> str:
    """The advice for a machine that gives no further thread.

    >>> fewest_threads()
    'threads=1 and hydra.launcher.jobs=1 need the fewest'
    """
    return "threads=1 and hydra.launcher.jobs=1 need the fewest" if is_settable("threads") else "set OMP_NUM_THREADS=1"


def lost_file(path: Path, run: Path) -> str:
    """The sentence about a file that a completed run wrote and that is gone."""
    return f"{path} is missing; bring back the run's own file, or {made_again(run, 'it')}"


def made_again(run: Path, what: str) -> str:
    """The advice to run a run again where its own folder lacks something.

    The new folder is beside single runs: inside a sweep it would be taken for one of its jobs.

    Args:
        run: The folder of a completed run.
        what: What the run lacks, for example `its model`.

    >>> made_again(Path("kept/a b"), "its model")
    "qaexp reproduce 'kept/a b' --to 'outputs/a b-again' makes its model again: give 'outputs/a b-again' then"
    """
    target, number = f"outputs/{run.absolute().name}-again", 1
    free = target
    while os.path.lexists(free):
        number += 1
        free = f"{target}-{number}"
    new = shlex.quote(free)
    return f"qaexp reproduce {shlex.quote(str(run))} --to {new} makes {what} again: give {new} then"
