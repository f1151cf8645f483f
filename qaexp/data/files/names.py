"""What the columns of flat files are called: our names, the user's own (`data.columns`), and those that are missing."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from qaexp.errors import ConfigError, DataError
from qaexp.errors.advice import COLUMNS, named, option, set_to

KNOWN = COLUMNS
NEEDED = ("id", "context", "question", "answers")
_SHOWN = 20
# What other tools call the same, the likeliest first.
_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "id": ("qid", "question_id", "qas_id", "example_id", "uid", "key", "index"),
    "context": ("passage", "paragraph", "text", "document", "content", "article", "body", "story", "document_text"),
    "question": ("query", "q", "question_text", "prompt"),
    "answers": (
        "answer",
        "labels",
        "label",
        "gold",
        "golds",
        "answer_texts",
        "target",
        "gold_answer",
        "correct_answer",
    ),
    "answer_text": (
        *("answer", "answers", "text_answer", "gold", "golds", "answer_texts", "label", "target", "span"),
        *("answers_text", "answer_value", "answer_span", "gold_answer", "correct_answer"),
    ),
    "answer_start": (
        *("start", "offset", "begin", "start_offset", "answer_offset", "start_char", "char_start", "answer_begin"),
        *("start_position", "start_index", "answer_start_char", "answer_start_index", "position"),
        *("answers_answer_start", "answers_start", "answer_answer_start", "answer_position", "answer_starts"),
    ),
}
_PAIR = re.compile(r"""\s*(\w+)\s*[:=]\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^,"'{}]+?)\s*(?:,|$)""")
_PLAIN = re.compile(r"[A-Za-z_][\w .-]*[\w.-]|[A-Za-z_]")

Columns = Mapping[str, str]


def check_columns(columns: Any) -> dict[str, str]:
    """Return the mapping from our names to those of the file; none is the empty one.

    Raises:
        ConfigError: It is no mapping, maps a name that we do not have, or two of ours to one of the file's.
    """
    if columns is not None and not isinstance(columns, Mapping):
        raise ConfigError(
            f"{named('data.columns')} is {str(columns)[:60]!a}, it must map qaexp's names to the file's, as "
            "{context: passage}, or be null"
        )
    found = {str(ours): str(theirs) for ours, theirs in (columns or {}).items()}
    if wrong := [ours for ours in found if ours not in KNOWN]:
        raise ConfigError(
            f"{named('data.columns')} has the key {wrong[0]!a}, and the keys are qaexp's names: {', '.join(KNOWN)}; "
            "write qaexp's name first, then the file's, as {context: passage}"
        )
    if len(set(found.values())) < len(found):
        raise ConfigError(f"{named('data.columns')} gives one column of the file two names; name each once")
    return found


def parse_columns(text: str) -> dict[str, str]:
    """Read `{context: passage, question: query}` as it is typed after an option; braces may be left out.

    Raises:
        ConfigError: It is no such list.

    >>> parse_columns("{context: passage, question: 'my query'}")
    {'context': 'passage', 'question': 'my query'}
    >>> parse_columns("context=passage")
    {'context': 'passage'}
    """
    inner = text.strip()
    inner = inner[1:-1] if inner.startswith("{") and inner.endswith("}") else inner
    found: dict[str, str] = {}
    position = 0
    while position < len(inner):
        match = _PAIR.match(inner, position)
        if match is None or not match[2]:
            raise ConfigError(
                f"{named('data.columns')} is {text[:80]!a}; write qaexp's names and the file's, as "
                "'context: passage, question: query'"
            )
        if match[1] in found:
            raise ConfigError(f"{named('data.columns')} is {text[:80]!a}, which names {match[1]} twice; name it once")
        found[match[1]] = match[2][1:-1] if match[2][:1] in "\"'" else match[2]
        position = match.end()
    return check_columns(found)


def renamed(record: dict[str, Any], columns: Columns) -> dict[str, Any]:
    """A record under our names; what another column was chosen for is not taken from the column of that name.

    >>> renamed({"passage": "P", "context": "C"}, {"context": "passage"})
    {'passage': 'P', 'context': 'P'}
    """
    if not columns:
        return record
    chosen = {ours: record[theirs] for ours, theirs in columns.items() if theirs in record}
    return {**{key: value for key, value in record.items() if key not in columns}, **chosen}


def theirs(columns: Columns) -> dict[str, str]:
    """What each of our names is called in the file."""
    return {name: columns.get(name, name) for name in KNOWN}


def check_names(file: object, found: Iterable[str], columns: Columns, *, wants_answers: bool) -> None:
    """Hold the names of a flat file against those that are needed; an id may be absent from all rows.

    Args:
        file: The file's name, for the message.
        found: What its columns, or the keys of its rows, are called.
        columns: The user's own names.
        wants_answers: Whether the answers are needed.

    Raises:
        DataError: Some are missing: one sentence with all that were found, and the mapping that may help.
    """
    names = list(dict.fromkeys(found))
    called = theirs(columns)
    missing = [name for name in ("context", "question") if called[name] not in names]
    has_answers = called["answers"] in names or called["answer_text"] in names
    if wants_answers and not has_answers:
        missing.append("answers")
    lost = [f"{ours}: {name}" for ours, name in columns.items() if name not in names]
    if not missing and not lost:
        return
    if lost:
        told = "and the file has no such column" if len(lost) == 1 else "and the file has no such columns"
        advice = _way_out(names, missing, columns) if missing else "correct the name"
        raise DataError(f"{file}: {named('data.columns')} names {', '.join(lost)}, {told} ({_told(names)}); {advice}")
    if missing == ["answers"] and not any(map(_may_be_answers, names)):
        raise DataError(no_answers(file, _told(names)))
    raise DataError(f"{file}: {_told(names)}; {_way_out(names, missing, columns)}")


def no_answers(file: object, seen: str) -> str:
    """The sentence about a file of questions without answers."""
    return (
        f"{file} has questions without answers ({seen}), and answers are needed to train and to score; to answer "
        f"them: qaexp answer RUN --input {shlex.quote(str(file))} --predictions-out predictions.json"
    )


def _told(names: Collection[str]) -> str:
    shown = ", ".join(str(name)[:60] or "(no name)" for name in list(names)[:_SHOWN]) or "nothing"
    return f"found: {shown}{', ...' if len(names) > _SHOWN else ''}; needed: {', '.join(NEEDED)} (docs/data_formats.md)"


def _way_out(names: Collection[str], missing: Collection[str], columns: Columns) -> str:
    """The mapping that would make the file readable, with what is sure to be wrong left open."""
    mapping = {ours: name for ours, name in columns.items() if name in names}
    pair = _pair(names, mapping.values(), has_text="answers" not in missing)
    missing = [ours for ours in missing if not (pair and ours == "answers")]
    for ours in ("id", *missing):
        if ours in missing or ours not in names:
            found = guess(ours, names, mapping.values())
            mapping |= {ours: found} if found else {ours: "..."} if ours in missing else {}
    mapping |= {ours: name for ours, name in pair.items() if ours != name}
    value = "{" + ", ".join(f"{ours}: {_quoted(name)}" for ours, name in mapping.items()) + "}"
    found = option("data.columns")
    written = f"{found} '{value}'" if found else f"'data.columns={value}'"
    has_texts = mapping.get("answers", "...") != "..." and "answers" in missing
    places = f"; where that column holds texts alone, {set_to('data.on_bad', 'fix')} to find their places"
    return f"say what its columns are called: {written}{places if has_texts else ''}"


def _pair(names: Collection[str], taken: Collection[str], *, has_text: bool) -> dict[str, str]:
    """The columns of an answer's text, unless it is known, and of its first character, where both are likely there."""
    start = guess("answer_start", names, taken)
    if start is None or has_text:
        return {"answer_start": start} if start else {}
    text = guess("answer_text", names, {*taken, start})
    return {"answer_text": text, "answer_start": start} if text else {}


def guess(ours: str, names: Collection[str], taken: Collection[str]) -> str | None:
    """The name of a file's column that is likely to be one of ours; None where there is none."""
    plain = {_words(name): str(name) for name in reversed(list(names))}
    likely = (plain.get(synonym) for synonym in (ours, *_SYNONYMS[ours]))
    return next((name for name in likely if name is not None and name not in taken), None)


def _words(name: object) -> str:
    """The words of a name as we join them: `answerText`, `Answer text` and `answers[0].text` have the same as ours."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name))
    return re.sub(r"(?:\W|_)+", "_", re.sub(r"\W0(?=\W|$)", "", apart)).strip("_").lower()


def _may_be_answers(name: str) -> bool:
    words = _words(name)
    is_synonym = words in (*_SYNONYMS["answers"], *_SYNONYMS["answer_text"])
    return is_synonym or bool({"answer", "answers", "gold", "golds"}.intersection(words.split("_")))


def _quoted(name: str) -> str:
    return name if name == "..." or _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)
