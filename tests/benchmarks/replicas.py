"""Data sets of any size, made of a small one: copies with ids, contexts and questions of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any


def replicate(sources: Sequence[Path], target: Path, num_questions: int) -> Path:
    """Write a file of so many questions from files in SQuAD's format, one article after the other."""
    with target.open("w", encoding="utf-8") as file:
        file.write('{"version": "v2.0", "data": [')
        for number, article in enumerate(_articles(sources, num_questions)):
            file.write(", " * (number > 0) + json.dumps(article))
        file.write("]}")
    return target


def _articles(sources: Sequence[Path], num_questions: int) -> Iterator[dict[str, Any]]:
    plain = [article for source in sources for article in json.loads(source.read_text("utf-8"))["data"]]
    left = num_questions
    for number in count():
        for article in plain:
            paragraphs: list[dict[str, Any]] = []
            for paragraph in article["paragraphs"]:
                qas = [_changed(one, number) for one in paragraph["qas"][:left]]
                left -= len(qas)
                paragraphs.append({"context": f"{paragraph['context']} This is copy {number}.", "qas": qas})
                if not left:
                    break
            yield {"title": f"{article['title']} {number}", "paragraphs": paragraphs}
            if not left:
                return


def _changed(question: dict[str, Any], number: int) -> dict[str, Any]:
    return {**question, "id": f"{question['id']}-{number}", "question": f"{question['question']} ({number})"}
