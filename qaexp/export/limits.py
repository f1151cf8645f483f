"""What a model card warns of: raised flags in plain words, what goes worst, and what the model cannot do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qaexp.comparison.slices import MIN_QUESTIONS
from qaexp.export.card_scores import CardScores, Line, Score
from qaexp.export.markdown import code, table
from qaexp.export.origins import language_of
from qaexp.reporting.numbers.answering import ALWAYS_ANSWERED, null_rule
from qaexp.runs.directory import COLLAPSE
from qaexp.runs.metrics import number_of
from qaexp.runs.readers.collect import RunFiles

# Of each flag what it means to somebody who has not seen the run.
WARNINGS: Mapping[str, str] = {
    COLLAPSE: "**The model answers nothing, or next to nothing**: its scores are the share of questions without an "
    "answer, and show no skill.",
    "zero_learning_rate": "The learning rate was 0 for a part of the training: those steps taught nothing.",
    "loss_spike": "The loss jumped up during the training.",
    "gradient_explosion": "Gradients were very large during the training.",
    "overfit_gap": "The model knows its training questions far better than new ones.",
    "loss_not_falling": "The loss hardly fell during the training.",
    "not_finite": "Some steps of the training gave no finite numbers and were left out.",
    "low_learning_rate": "The learning rate was so low that little was learned.",
    "examples_skipped": "Some examples of the data were faulty and left out.",
    "examples_fixed": "Some examples of the data were faulty and corrected by rule.",
    "answers_lost": "Some gold answers could not be learned: no window holds them, or they are too long.",
    "labels_differ": "Equal questions have different gold answers in the data.",
    "train_dev_overlap": "Training and evaluation share questions or paragraphs: **the scores are too good**.",
}

# Those without which the scores are misread: they stand above them.
_FIRST = (COLLAPSE, "train_dev_overlap")


def warnings_first(run: RunFiles, scores: CardScores) -> list[str]:
    """Return what has to be known before the scores are read, in Markdown."""
    raised = {str(flag.get("name")) for flag in run.flags}
    if all(_is_silence(line) for line in scores.lines):
        # Seeds that answer may be joined to a model that does not.
        raised.add(COLLAPSE)
    return [f"> {WARNINGS[name]}" for name in _FIRST if name in raised]


def _is_silence(line: Line) -> bool:
    """Whether the scores are those of answering nothing."""
    return line.scores["has_ans_f1"].value == 0 and line.scores["no_ans_f1"].value == 100


def limits(run: RunFiles, scores: CardScores) -> str:
    """Return the section on limits, in Markdown."""
    points = [f"- {point}" for point in _points(run, scores)]
    return "\n\n".join(["\n".join(points), *_worst(scores)])


def _points(run: RunFiles, scores: CardScores) -> Iterator[str]:
    for flag in run.flags:
        name = str(flag.get("name"))
        if name in _FIRST:
            continue
        yield WARNINGS.get(name, f"The training raised the flag {code(name)}.")
    can_be_silent = null_rule(run.config) != ALWAYS_ANSWERED
    yield "An answer is a piece of the given text. Nothing is phrased, computed or joined from several places." + (
        "" if can_be_silent else " There always is one, even where the text does not answer the question."
    )
    if can_be_silent:
        yield (
            "Whether it answers at all is decided by one threshold, tuned on the questions above; "
            "on other texts another one may be better."
        )
    if language_of(run) == "en":
        yield "It has been trained and judged on English texts only."
    else:
        yield "The language of its data is not recorded. Nothing is known of other languages or kinds of text."
    if scores.calibration is not None:
        over = "its best spans and “no answer”" if can_be_silent else "its best spans"
        yield (
            f"As probabilities of the answers, a softmax over {over} is off by "
            f"{scores.calibration:.1f} points on average (expected calibration error)."
        )


def _worst(scores: CardScores) -> Iterator[str]:
    if scores.f1 is None:
        return
    enough, all_of_them = f"at least {MIN_QUESTIONS} questions", f"f1 of all: {scores.f1:.1f}"
    if not scores.num_kinds:
        yield f"No kind of question has {enough}: these are too few to say which kinds go worst ({all_of_them})."
        return
    gap = f"{number_of('f1').relevant:g} points"
    if not scores.worst:
        yield f"No kind of question, of those with {enough}, is {gap} or more below the rest ({all_of_them})."
        return
    yield (
        f"The kinds of question that go worst, of those with {enough}, {gap} or more below all ({all_of_them}). They "
        "were picked for being low, so a part of the gap is chance:"
    )
    rows = [
        [name, code(_kind(name, part.label)), f"{part.num:,}", Score(part.mean, part.low, part.high).shown]
        for name, part in scores.worst
    ]
    yield table(["by", "kind", "questions", "f1"], rows, num_left=2)


def _kind(name: str, label: str) -> str:
    """The label of a slice with its unit.

    >>> _kind("context length", "30–39"), _kind("question word", "who")
    ('30–39 words', 'who')
    """
    return f"{label} word{'' if label == '1' else 's'}" if name.endswith("length") else label
