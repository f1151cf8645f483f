"""A file of questions from wherever it comes: the export of an annotation tool, or anything that training reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from qaexp.data.exports.exported import Exported, as_list
from qaexp.data.files.annotation_tools import KNOWN, read_export, tool_of
from qaexp.data.files.compression import suffix_of
from qaexp.data.files.contents import BINARY_SUFFIXES
from qaexp.data.files.layouts import flat_records
from qaexp.data.files.reading import Reading
from qaexp.data.files.records import json_objects, read_regular_file
from qaexp.data.files.shards import find_shards
from qaexp.data.files.validation import Faults
from qaexp.data.question_files import collect, read_split
from qaexp.data.squad import Example, SquadFile
from qaexp.errors import DataError


@dataclass(frozen=True, slots=True)
class Source:
    """What a file was: its examples, what it is called, and the export that it is, if it is one."""

    file: SquadFile
    format: str
    export: Exported | None = None


def read_source(path: Path, on_bad: str = "fail", columns: Mapping[str, str] | None = None) -> Source:
    """Read a file whose questions are to be written in another format.

    Args:
        path: The file, or the shards of a split.
        on_bad: What a faulty question does, as in `read_squad_file`.
        columns: What our columns are called in the file.

    Raises:
        DataError: It is of no known format (all are named), or cannot be read, or holds no usable question.
    """
    shards = find_shards(path)
    if not shards.is_one:
        return Source(read_split(shards, on_bad, columns=columns), f"{shards.kind} in {len(shards.paths)} shards")
    content = read_regular_file(path)
    objects = json_objects(path, content)
    tool = None if columns else tool_of(value for _, value in objects)
    if tool is None:
        try:
            return Source(read_split(shards, on_bad, columns=columns), _format(path, [one for _, one in objects]))
        except DataError as error:
            raise DataError(*error.problems, f"{path}: known exports are those of {KNOWN}.") from error
    export = read_export(tool, objects)
    if not export.rows:
        reasons = "; ".join(f"{reason} ({count:,})" for reason, count in export.left_out.items() if count)
        raise DataError(
            f"{path} is an export of {tool}, and no question of it can be used: {reasons or 'it is empty'}."
        )
    reading = Reading(Faults(str(path), on_bad), {}, wants_answers=True)
    return Source(
        collect(path, sha256(content).hexdigest(), flat_records(export.rows, reading), reading),
        f"export of {tool}",
        export,
    )


def _format(path: Path, objects: list[Any]) -> str:
    if not objects:
        return suffix_of(path)[1:] if suffix_of(path) in BINARY_SUFFIXES else "table"
    document = objects[0]
    articles = document.get("data") if isinstance(document, dict) else None
    questions = list(_questions(articles if isinstance(articles, list) else objects))
    if any(
        "document_id" in answer
        for one in questions
        for answer in as_list(one.get("answers"))
        if isinstance(answer, dict)
    ):
        return "SQuAD JSON of Haystack's annotation tool"
    if questions and not any("id" in one for one in questions):
        return "SQuAD JSON without ids, as cdQA's annotator writes it"
    return "SQuAD JSON" if questions else "JSON rows"


def _questions(articles: list[Any]) -> list[dict[str, Any]]:
    """The questions of the first articles or paragraphs, unchecked."""
    found: list[Any] = []
    for article in articles[:20]:
        paragraphs = article.get("paragraphs", [article]) if isinstance(article, dict) else []
        for paragraph in as_list(paragraphs):
            found += as_list(paragraph.get("qas")) if isinstance(paragraph, dict) else []
    return [one for one in found if isinstance(one, dict)]


def squad_json(examples: Sequence[Example]) -> dict[str, Any]:
    """Return SQuAD v2 as a tree for JSON: questions by paragraph and paragraphs by title, in the order of the examples.

    Gold texts without a place, which SQuAD does not know, are left out.

    >>> squad_json((Example("q", "T", "C", "Q?", ()),))["data"][0]["paragraphs"][0]["qas"]
    [{'id': 'q', 'question': 'Q?', 'answers': [], 'is_impossible': True}]
    """
    articles: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for example in examples:
        placed = [answer for answer in example.answers if answer.start_char >= 0]
        answers = [{"text": answer.text, "answer_start": answer.start_char} for answer in placed]
        articles.setdefault(example.title, {}).setdefault(example.context, []).append(
            {"id": example.id, "question": example.question, "answers": answers, "is_impossible": example.is_impossible}
        )
    return {
        "version": "v2.0",
        "data": [
            {"title": title, "paragraphs": [{"context": context, "qas": qas} for context, qas in paragraphs.items()]}
            for title, paragraphs in articles.items()
        ],
    }
