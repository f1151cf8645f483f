"""`qaexp serve`: a run's model behind HTTP, with a page, the JSON of the hub's task, and figures for monitors."""

from __future__ import annotations

import argparse
import logging
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.cli.arguments import CommandParser
from qaexp.commands.addressed import add_address_options, check_address, listen
from qaexp.commands.questions import MODELS, add_device_options
from qaexp.reporting.terminal.printing import complain, say

if TYPE_CHECKING:
    from qaexp.web.listening import Listener


def main(argv: Sequence[str]) -> int:
    """Serve a model until Ctrl-C or SIGTERM.

    Args:
        argv: The run directory or model folder, and options.

    Returns:
        0 after SIGTERM.

    Raises:
        ConfigError: There is no such model, the extra is missing, or the address cannot be taken.
        KeyboardInterrupt: Ctrl-C was pressed; everybody has been answered.
    """
    arguments = _parser().parse_args(list(argv))
    check_address("serve", arguments, ("fastapi", "uvicorn"))
    return listen(arguments, lambda listener: _serve(arguments, listener))


def _serve(arguments: argparse.Namespace, listener: Listener) -> signal.Signals | None:
    from qaexp.predictor.answers import Predictor
    from qaexp.serve.app import Desk, make_app
    from qaexp.serve.figures import Figures
    from qaexp.serve.reading import Reader
    from qaexp.serve.waiting import Queue
    from qaexp.serve.worker import Worker
    from qaexp.web.listening import Server

    predictor = Predictor(
        arguments.run,
        null_threshold=arguments.null_threshold,
        device=arguments.device,
        precision=arguments.precision,
    )
    reader, queue, figures = Reader(predictor), Queue(arguments.max_queue), Figures()
    worker = Worker(reader, queue, figures, complain)
    worker.start()
    desk = Desk(reader, queue, worker, figures, arguments.max_bytes, arguments.timeout)
    # What a log says of data is told to who asked.
    logging.getLogger("qaexp").setLevel(logging.ERROR)
    own_name = arguments.host if listener.is_loopback else None
    server = Server(make_app(desk, complain, own_name=own_name), desk, listener)
    server.serve_until_stopped(lambda: _tell(arguments, listener))
    return server.stopped_by


def _tell(arguments: argparse.Namespace, listener: Listener) -> None:
    say(f"{listener.url} answers with {arguments.run}; Ctrl-C ends it")
    if not listener.is_loopback:
        say(f"--host {arguments.host}: everybody who reaches this machine there can ask, without a password")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("serve", "Answer over HTTP with a run's model: a page, and the JSON of the hub's task.")
    parser.add_argument("run", type=Path, help=MODELS)
    add_address_options(parser, 8000)
    add_device_options(parser)
    parser.add_number(
        "--null-threshold", float, None, "answer nothing where null_score_diff is above it (default: tuned)"
    )
    parser.add_number("--max-queue", int, 64, "questions that may wait; more are refused with 503 (default 64)", low=1)
    parser.add_number("--max-bytes", int, 2**20, "the largest request (default 1,048,576)", low=1)
    parser.add_number("--timeout", float, 30.0, "seconds until a question is given up with 504 (default 30)", low=0.1)
    return parser
