"""What is wrong with a data file: every fault collected with its place, and wrong answer offsets classified."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from qaexp.errors import ConfigError, DataError
from qaexp.errors.advice import named, set_to, setting

ON_BAD = ("fail", "skip", "fix")
MAX_SHOWN = 20
MAX_ID_LENGTH = 1000
MAX_TEXT = 4 * 2**20
# From so many faults on, a file is not looked at further.
MAX_COUNTED = 10_000
# So many sentences about what was skipped or fixed are kept.
MAX_KEPT = 1000
MISSING = object()


def describe(value: object) -> str:
    """Say what a JSON value is, in the words of JSON, shortened.

    >>> describe(True), describe(None), describe([1, 2]), describe("12")
    ('true', 'null', 'a list', "the text '12'")
    """
    if value is MISSING:
        return "missing"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, str):
        return f"the text {value[:40]!a}{'...' if len(value) > 40 else ''}"
    return f"{value!a:.40}"


def is_encodable(text: str) -> bool:
    """Whether a text has no lone surrogate, which no tokenizer accepts and no file can hold."""
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class OffsetFault:
    """Why an answer does not stand at its answer_start.

    `kind` is `offset-by-<n>`, `utf16` (UTF-16 units were counted), `crlf` (line ends were counted with the other number
    of characters), `normal-form` (the context spells it in another normal form of Unicode, for example é as e and an
    accent) or `absent`; `start_char` is where the text stands, None when it is absent. `text` is the context's spelling
    where it is another one.
    """

    kind: str
    start_char: int | None
    is_unique: bool
    text: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Say it in words."""
        if self.text is not None:
            return f"{self.kind}: it stands at {self.start_char} in another normal form of Unicode"
        if self.start_char is None:
            return f"{self.kind}: the context does not contain it"
        return f"{self.kind}: it stands at {self.start_char}{'' if self.is_unique else ' and elsewhere'}"


def classify_offset(context: str, text: str, start: int) -> OffsetFault:
    """Find out how an answer_start that does not reproduce its (non-empty) text went wrong.

    >>> classify_offset("It is Paris.", "Paris", 7)
    OffsetFault(kind='offset-by-1', start_char=6, is_unique=True)
    """
    first = context.find(text)
    if first < 0:
        return _respelled(context, text, start) or OffsetFault("absent", None, False)
    is_unique = context.find(text, first + 1) < 0
    for kind, candidate in _recounted(context, start):
        if context.startswith(text, candidate):
            return OffsetFault(kind, candidate, is_unique)
    inside = max(0, min(start, len(context)))
    places = (context.rfind(text, 0, inside + len(text)), context.find(text, inside))
    nearest = min((place for place in places if place >= 0), key=lambda place: abs(place - start))
    return OffsetFault(f"offset-by-{abs(nearest - start)}", nearest, is_unique)


def _respelled(context: str, text: str, start: int) -> OffsetFault | None:
    """Look for a text in the other normal forms; its place is certain where `start` is right, or there is one only."""
    for form in ("NFC", "NFD"):
        spelled = unicodedata.normalize(form, text)
        if spelled != text and spelled in context:
            if start >= 0 and context.startswith(spelled, start):
                return OffsetFault("normal-form", start, True, spelled)
            found = classify_offset(context, spelled, start)
            return OffsetFault("normal-form", found.start_char, found.is_unique, spelled)
    return None


def _recounted(context: str, start: int) -> Iterator[tuple[str, int]]:
    """Yield the place that `start` means under each other way of counting characters."""
    if start < 0:
        return
    if not context.isascii():
        yield "utf16", len(context.encode("utf-16-le")[: 2 * start].decode("utf-16-le", errors="ignore"))
    if "\n" in context:
        unix = context.replace("\r\n", "\n")
        yield "crlf", len(unix.replace("\n", "\r\n")[:start].replace("\r\n", "\n"))
        yield "crlf", len(unix[:start].replace("\n", "\r\n"))


class EnoughFaultsError(Exception):
    """A file has so many faults that the rest of it is not worth reading."""


class Faults:
    """Collects the faults of one file; the readers go on behind a fault, so that all are told at once.

    A faulty example is told and refused (`fail`), told and left out (`skip`), or repaired where that is certain
    (`fix`). A fault of the file as a whole is refused in any case. Sentences are kept as far as they may be shown, and
    counted up to a limit, so that a file of nothing but faults is refused early.
    """

    def __init__(self, file: str, on_bad: str) -> None:
        """Collect for the file of this name under one of `fail`, `skip` and `fix`."""
        if on_bad not in ON_BAD:
            raise ConfigError(f"{named('data.on_bad')} is {on_bad!r}, it must be one of {', '.join(ON_BAD)}.")
        self.file = file
        self.on_bad = on_bad
        self.problems: list[str] = []
        self.num_skipped = 0
        self.num_fixed = 0
        self.doubt: DataError | None = None
        """What the first rows say of the file; it is told where no example of it is good."""
        self.misses_places = False
        """Whether an answer has a text, and no place where it stands."""
        self._refused: list[str] = []
        self._num_refused = self._num_fatal = 0

    @property
    def is_full(self) -> bool:
        """Whether no further sentence is kept, so that none needs to be found out."""
        return (len(self.problems) >= MAX_KEPT) if self.on_bad == "skip" else len(self._refused) >= MAX_SHOWN

    def tell(self, where: str, sentence: str, *, is_fatal: bool = False) -> None:
        """Note a fault; `is_fatal`: no policy accepts it.

        Raises:
            EnoughFaultsError: It is one too many to go on.
        """
        is_refused = is_fatal or self.on_bad != "skip"
        lines, most = (self._refused, MAX_SHOWN) if is_refused else (self.problems, MAX_KEPT)
        if len(lines) < most:
            lines.append(f"{self.file}: {where} {sentence}")
        self._num_refused += is_refused
        self._num_fatal += is_fatal
        if self._num_refused > MAX_COUNTED:
            raise EnoughFaultsError

    def note_fixed(self, where: str, sentence: str) -> None:
        """Note what was repaired, and how."""
        if len(self.problems) < MAX_KEPT:
            self.problems.append(f"{self.file}: {where} {sentence}")

    def mistyped(self, where: str, value: object, must: str) -> None:
        """Note that a value is missing or of the wrong type."""
        self.tell(where, "is missing" if value is MISSING else f"is {describe(value)}, it must be {must}")

    def object(self, value: Any, prefix: str) -> dict[str, Any] | None:
        """Return the value if it is an object, else note a fault."""
        if isinstance(value, dict):
            return value
        self.mistyped(prefix.rstrip(".: "), value, "an object")
        return None

    def items(self, record: dict[str, Any], key: str, prefix: str) -> list[Any] | None:
        """Return the list under a key, else note a fault."""
        value = record.get(key, MISSING)
        if isinstance(value, list):
            return value
        self.mistyped(prefix + key, value, "a list")
        return None

    def text(self, record: dict[str, Any], key: str, prefix: str) -> str | None:
        """Return the text under a key, else note a fault."""
        value = record.get(key, MISSING)
        if not isinstance(value, str):
            self.mistyped(prefix + key, value, "text")
        elif not is_encodable(value):
            self.tell(prefix + key, "has a lone surrogate (half of a UTF-16 pair), which is no character")
        elif len(value) > MAX_TEXT:
            self.tell(prefix + key, f"has {len(value)} characters, it must have at most {MAX_TEXT}")
        else:
            return value
        return None

    def whole(self, record: dict[str, Any], key: str, prefix: str) -> int | None:
        """Return the whole number under a key (true and 1.0 are none), else note a fault."""
        value = record.get(key, MISSING)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.mistyped(prefix + key, value, "a whole number")
        return None

    def _what_fix_does(self) -> str:
        if self.misses_places:
            return "look for answers without answer_start, where their text stands once"
        return "move answers that stand at one other place only"

    def raise_refused(self) -> None:
        """Raise what was refused: the first 20 faults, a line each, and a last line that says what to do.

        Raises:
            DataError: Something was refused.
        """
        if not self._refused:
            return
        count = self._num_refused
        more = f", of which the first {MAX_SHOWN} are told above" if count > MAX_SHOWN else ""
        advice = {
            "fail": f", or {set_to('data.on_bad', 'skip')} to leave faulty examples out or "
            f"{setting('data.on_bad', 'fix')} to {self._what_fix_does()}",
            "fix": f", or {set_to('data.on_bad', 'skip')} to leave out what cannot be fixed",
            "skip": "",
        }[self.on_bad]
        if self._num_fatal == self._num_refused:
            advice = ""
        elif self._num_fatal and advice:
            advice += f"; {self._num_fatal:,} of them must be corrected in any case"
        faults = "1 fault" if count == 1 else f"{count} faults"
        if count > MAX_COUNTED:
            faults = f"more than {MAX_COUNTED:,} faults"
        raise DataError(*self._refused, f"{self.file} has {faults}{more}: correct the file{advice}.")
