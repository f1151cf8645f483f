"""What went wrong, without secrets: in the sentences of an error, and in the traceback of a bug."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from qaexp.errors import QaexpError
from qaexp.reporting.terminal.printing import complain_text
from qaexp.storage.redact import Redactor


@contextmanager
def untold(redactor: Redactor) -> Iterator[None]:
    """Take secrets out of whatever the body raises, before anybody prints it."""
    try:
        yield
    except Exception as error:
        hide_secrets(error, redactor)
        raise


def hide_secrets(error: BaseException, redactor: Redactor) -> None:
    """Take secrets out of the sentences of an error; of a bug Python prints the traceback, from then on without them.

    Args:
        error: What was raised.
        redactor: Knows the secrets.
    """
    if isinstance(error, QaexpError):
        error.problems = [redactor.text(problem) for problem in error.problems]
        error.args = ("\n".join(error.problems),)
    elif sys.excepthook is sys.__excepthook__:
        sys.excepthook = _hook(redactor)


def _hook(redactor: Redactor) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        complain_text(redactor.text("".join(traceback.format_exception(kind, error, trace))))

    return tell
