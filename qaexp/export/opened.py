"""The written folder, opened as its users open it: it answers the dev questions, a graph in turns with torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qaexp.data.squad import Example
from qaexp.errors import IntegrityError, QaexpError
from qaexp.evaluation.question_set import Answering
from qaexp.export.graphs import refuse
from qaexp.export.needs import HF, INT8
from qaexp.export.questions import Answered, answered
from qaexp.export.speed import Speed, measured
from qaexp.predictor.answers import Predictor
from qaexp.reporting.terminal.bars import bar_on_stderr


def ask(
    folder: Path, source: Answering, examples: Sequence[Example], *, format: str, quantize: str | None, baseline: str
) -> tuple[Answered, Speed | None]:
    """Answer the dev questions with an exported folder.

    Args:
        folder: The folder, complete up to its card.
        source: What it was made of.
        examples: The dev questions.
        format: Its format.
        quantize: `int8`, or None.
        baseline: What `source` is, in words, for the speed of a graph beside it.

    Returns:
        Its answers, and how fast a graph is; weights of torch are as fast as they were.

    Raises:
        ConfigError: The engine cannot run this type of model.
        IntegrityError: The logits of a graph in fp32 are not those of torch.
    """
    if format == HF:
        return _answered(Predictor(folder, device="cpu", precision="fp32"), examples), None
    model_type = str(source.model.config.model_type)
    try:
        written = Predictor(folder)
    except IntegrityError as error:  # the engine does not take the graph
        refuse(model_type, format, error)
    try:
        speed = measured(examples, written, source, baseline, is_exact=quantize != INT8)
        return _answered(written, examples), speed
    except QaexpError:
        raise
    except Exception as error:  # an operation that fails, or a length that was taken for fixed
        refuse(model_type, format, error)


def _answered(written: Predictor, examples: Sequence[Example]) -> Answered:
    questions = written.question_set(examples)
    with bar_on_stderr("answering", len(questions.features)) as seen:
        logits = questions.logits(written.loaded, seen)
    return answered(questions, logits)
