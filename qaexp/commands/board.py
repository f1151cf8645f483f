"""`qaexp board`: one local page that shows all runs and sweeps below some folders as they live."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.cli.arguments import CommandParser
from qaexp.commands.addressed import add_address_options, check_address, listen
from qaexp.commands.status import PLACES
from qaexp.errors import ConfigError
from qaexp.reporting.terminal.printing import complain, say
from qaexp.runs.readers.nearby import meant

if TYPE_CHECKING:
    from qaexp.web.listening import Listener


def main(argv: Sequence[str]) -> int:
    """Show runs until Ctrl-C or SIGTERM; nothing is written.

    Args:
        argv: Folders, and options; no folders: `outputs` and `multirun_outputs`, whether they are there yet or not.

    Returns:
        0 after SIGTERM.

    Raises:
        ConfigError: A folder does not exist or is none, the extra is missing, or the address cannot be taken or is not
            of this machine alone.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    arguments = _parser().parse_args(list(argv))
    _check_folders(arguments.folders)
    check_address("board", arguments, ("starlette", "uvicorn"))
    return listen(arguments, lambda listener: _serve(arguments, listener))


def _serve(arguments: argparse.Namespace, listener: Listener) -> signal.Signals | None:
    if not listener.is_loopback:
        raise ConfigError(
            f"--host {arguments.host}: others reach this machine there, and the board is for this one alone; leave it "
            "out, and let others come by SSH (ssh -L)"
        )
    from qaexp.board.app import Board, make_app
    from qaexp.board.drawing import Drawer
    from qaexp.board.index import Index
    from qaexp.board.scanner import Scanner
    from qaexp.board.tree import Tree
    from qaexp.board.watch import Watch
    from qaexp.web.listening import Server

    roots, index = arguments.folders or list(PLACES), Index()
    board = Board(roots, index, Watch(Scanner(index, Tree(roots)), complain), Drawer())
    server = Server(make_app(board, complain, own_name=arguments.host), board, listener)
    shown = " and ".join(map(str, roots))
    server.serve_until_stopped(lambda: say(f"{listener.url} shows the runs in {shown}; Ctrl-C ends it, and no run"))
    return server.stopped_by


def _check_folders(folders: Sequence[Path]) -> None:
    problems = []
    for path in folders:
        if not os.path.lexists(path):
            problems.append(f"{path}: there is no such folder{meant(path) or '; give a sweep, or a folder of runs'}")
        elif not path.is_dir():
            problems.append(f"{path}: is not a folder; give a sweep, or a folder of runs")
    if problems:
        raise ConfigError(*problems)


def _parser() -> CommandParser:
    parser = CommandParser("board", "Show all runs and sweeps below some folders on one local page, as they live.")
    parser.add_argument(
        "folders",
        type=Path,
        nargs="*",
        metavar="DIR",
        help="runs, sweeps, or folders of them (default: outputs and multirun_outputs)",
    )
    add_address_options(parser, 8001)
    return parser
