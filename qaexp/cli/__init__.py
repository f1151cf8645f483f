"""The command line `qaexp <command>`: finds the command, turns faults into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from qaexp.cli.heap import spare_libraries
from qaexp.cli.surroundings import check_no_urls, check_words, check_working_directory
from qaexp.errors import QaexpError, Stopped, StorageError, of_a_missing_package, of_the_system
from qaexp.errors.advice import spoken_by
from qaexp.reporting.terminal.outlets import outlets
from qaexp.reporting.terminal.printing import complain, say, say_text
from qaexp.storage.start import held
from qaexp.storage.version import __version__

COMMANDS = {
    "train": "train and evaluate: one run, or a sweep with -m",
    "compare": "which run is better, and is it really: table, paired tests, report",
    "best": "the folder of the best run, for scripts",
    "plan-seeds": "how many seeds a comparison needs, from a pilot or from known spreads",
    "evaluate": "official metrics of a run's model, or of a model folder, on any file",
    "rescore": "decode a run's stored logits again, without the model",
    "predictions": "a run's answers to its dev questions, those that meet conditions",
    "answer": "answer questions with a run's model",
    "export": "write a run as a folder for transformers, onnxruntime or OpenVINO",
    "serve": "answer over HTTP with a run's model: a page, and the JSON of the hub's task",
    "board": "one local page of all runs and sweeps, as they live",
    "convert": "bring an export of an annotation tool, or any data file, into SQuAD JSON",
    "plot": "draw a run's plots and report again from its files",
    "status": "the state of runs: progress, last error",
    "track": "send completed runs and sweeps to MLflow, TensorBoard, Trackio or W&B",
    "work": "run jobs of a planned sweep that nobody has: any number of workers, anywhere",
    "resume": "continue a run from its folder alone",
    "verify": "check that every byte of a run is what was written",
    "reproduce": "run a run again, and name the first step that differs",
}
# What these print is their result; that of the others is in files.
PRINTED = ("compare", "best", "plan-seeds", "evaluate", "rescore", "predictions", "answer", "status", "verify")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after `qaexp`; None takes those of the process.

    Returns:
        The exit code: 0 when all went well, else that of the error (README, section exit codes).
    """
    if argv is None:
        spare_libraries()
    words = list(sys.argv[1:] if argv is None else argv)
    # Threads that spin while they wait take the cores from each other: on a busy machine training was 15 times slower.
    # Read once, when torch is loaded; who sets it knows better.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with outlets() as lost, held():
        code = _dispatch(words)
    is_result_lost = lost and code == 0 and words[0] in PRINTED
    return StorageError.exit_code if is_result_lost else code


def _dispatch(words: Sequence[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        say_text(_help() + "\n")
        return 0 if words else 2
    if words[0] == "--version":
        say(f"qaexp {__version__}")
        return 0
    if words[0] in ("-sc", "--shell-completion"):
        return _complete(words)
    if words[0] not in COMMANDS:
        from qaexp.config.checks.suggest import did_you_mean

        complain(f"qaexp: unknown command {words[0]!r}{did_you_mean(words[0], COMMANDS)} (see qaexp --help)")
        return 2
    return run_command(words[0], words[1:])


def module_of(name: str) -> str:
    """The module of a command.

    >>> module_of("plan-seeds")
    'qaexp.commands.plan_seeds'
    """
    return f"qaexp.commands.{name.replace('-', '_')}"


def run_command(name: str, arguments: Sequence[str]) -> int:
    """Call a command's `main` and translate its errors."""
    try:
        check_words(arguments)
        check_working_directory()
        with spoken_by(name):
            check_no_urls(name, arguments)
            return int(import_module(module_of(name)).main(list(arguments)))
    except Stopped as stop:
        complain(f"qaexp {name}: {stop}; the same command continues where it stopped")
        return stop.exit_code
    except KeyboardInterrupt:
        complain(f"qaexp {name}: stopped by Ctrl-C")
        return 130
    except BaseException as error:  # panics of Rust are no Exceptions
        fault = error if isinstance(error, QaexpError) else of_the_system(error) or of_a_missing_package(error)
        try:
            _hide_secrets(fault or error, arguments)
        except OSError as refused:  # not even the modules that it needs can be opened
            fault = of_the_system(refused)
        if fault is None:
            raise
        for problem in (*fault.problems, *_more_advice(name, fault.problems)):
            complain(f"qaexp {name}: {problem}")
        return fault.exit_code


def _more_advice(name: str, problems: Sequence[str]) -> list[str]:
    """Where settings are given that the problems name, and the command does not take."""
    if name not in ("resume", "reproduce"):
        return []
    with suppress(OSError):  # not even the modules that it needs can be opened
        from qaexp.cli.advised import where_settings_are_given

        return where_settings_are_given(name, problems)
    return []


def _hide_secrets(error: BaseException, arguments: Sequence[str]) -> None:
    """Take what the environment and the command line give away out of an error, before it is printed."""
    from qaexp.cli.untold import hide_secrets
    from qaexp.config.guards.variables_read import VARIABLES_READ
    from qaexp.storage.origins import shown_variables
    from qaexp.storage.redact import Redactor

    hide_secrets(error, Redactor(os.environ, arguments, shown=shown_variables(VARIABLES_READ, os.environ)))


def _complete(words: Sequence[str]) -> int:
    """Shell completion: the shell calls `qaexp -sc query=bash`, and the words of the line begin with the command."""
    line = os.environ.get("COMP_LINE", "")
    if not line or not any(word.startswith("query=") for word in words):
        return run_command("train", words)
    program, _, rest = line.partition(" ")
    command, space, arguments = rest.lstrip().partition(" ")
    if command == "train" and space:
        removed = len(line) - len(f"{program} {arguments}")
        os.environ["COMP_LINE"] = f"{program} {arguments}"
        if os.environ.get("COMP_POINT", "").isdecimal():
            os.environ["COMP_POINT"] = str(max(0, int(os.environ["COMP_POINT"]) - removed))
        return run_command("train", words)
    say_text("\n".join(name for name in COMMANDS if name.startswith(command)) + "\n")
    return 0


def _help() -> str:
    lines = [f"  {name:<12}{meaning}" for name, meaning in COMMANDS.items()]
    return "\n".join(
        [
            "qaexp: experiments in extractive question answering.",
            "",
            "usage: qaexp <command> [arguments]      qaexp <command> --help",
            "",
            *lines,
            "",
            "start with: qaexp train                 (three minutes on two CPU cores, no network)",
        ]
    )
