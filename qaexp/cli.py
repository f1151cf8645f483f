"""The command line `qaexp <command>`: finds the command, turns faults into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from qaexp import __version__
from qaexp.errors import QaexpError, Stopped
from qaexp.start import held

COMMANDS = {
    "train": "train and evaluate: one run, or a sweep with -m",
    "compare": "which run is better, and is it really: table, paired tests, report",
    "evaluate": "official metrics of a run's model, or of a model folder, on any SQuAD file",
    "rescore": "decode a run's stored logits again, without the model",
    "answer": "answer questions with a run's model",
    "plot": "draw a run's plots and report again from its files",
    "status": "where runs stand: state, progress, last error",
    "resume": "go on with a run from its folder alone",
    "verify": "is every byte of a run what was written?",
    "reproduce": "run a run again, and name the first step that differs",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after `qaexp`; None takes those of the process.

    Returns:
        The exit code: 0 when all went well, else that of the error (README, section exit codes).
    """
    words = list(sys.argv[1:] if argv is None else argv)
    # Threads that spin while they wait take the cores from each other: on a busy machine training was 15 times slower.
    # Read once, when torch is loaded; who sets it knows better.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with held():
            code = _dispatch(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output went away (`qaexp ... | head`): nothing is wrong with what was done.
        from qaexp.reporting.console import discard_stdout

        discard_stdout()
        return 0
    return code


def _dispatch(words: Sequence[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return 0 if words else 2
    if words[0] == "--version":
        print(f"qaexp {__version__}")
        return 0
    if words[0] == "-sc":
        return _complete(words)
    if words[0] not in COMMANDS:
        from qaexp.config.suggest import did_you_mean

        print(
            f"qaexp: {words[0]!r} is no command{did_you_mean(words[0], COMMANDS)} (see qaexp --help)", file=sys.stderr
        )
        return 2
    return run_command(words[0], words[1:])


def run_command(name: str, arguments: Sequence[str]) -> int:
    """Call a command's `main` and translate its errors."""
    try:
        return int(import_module(f"qaexp.commands.{name}").main(list(arguments)))
    except QaexpError as error:
        from qaexp.runs.redact import Redactor

        redactor = Redactor(os.environ, arguments)
        for problem in error.problems:
            print(f"qaexp {name}: {redactor.text(problem)}", file=sys.stderr)
        return error.exit_code
    except Stopped as stop:
        print(f"qaexp {name}: {stop}; the same command goes on where it stopped", file=sys.stderr)
        return stop.exit_code
    except KeyboardInterrupt:
        print(f"qaexp {name}: stopped by Ctrl-C", file=sys.stderr)
        return 130


def _complete(words: Sequence[str]) -> int:
    """Shell completion: the shell calls `qaexp -sc query=bash`, and the words of the line begin with the command."""
    line = os.environ.get("COMP_LINE", "")
    program, _, rest = line.partition(" ")
    command, space, arguments = rest.lstrip().partition(" ")
    if command == "train" and space:
        removed = len(line) - len(f"{program} {arguments}")
        os.environ["COMP_LINE"] = f"{program} {arguments}"
        if "COMP_POINT" in os.environ:
            os.environ["COMP_POINT"] = str(max(0, int(os.environ["COMP_POINT"]) - removed))
        return run_command("train", words)
    print("\n".join(name for name in COMMANDS if name.startswith(command)))
    return 0


def _help() -> str:
    lines = [f"  {name:<10}{meaning}" for name, meaning in COMMANDS.items()]
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
