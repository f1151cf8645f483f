"""The model card of an exported run: README.md as the hub shows it, and the evaluation results that the hub reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from qaexp.comparison.verdict import CANNOT_TELL, EQUIVALENT
from qaexp.export.card_metadata import eval_results, judged_on, metadata
from qaexp.export.card_scores import COLUMNS, NONE, THRESHOLD_FROM_OTHERS, CardScores, Line, Score, card_scores
from qaexp.export.exported import Exported
from qaexp.export.limits import limits, warnings_first
from qaexp.export.markdown import code, fenced, table
from qaexp.export.origins import DataSet, base_of, data_licence_of, data_set
from qaexp.export.training_facts import made_by, training_facts
from qaexp.export.usage import PACKAGES, program
from qaexp.reporting.numbers.answering import ALWAYS_ANSWERED, null_rule
from qaexp.runs.metrics import number_of
from qaexp.runs.readers.collect import RunFiles

README = "README.md"
_HEADER = ("answers nothing by", "exact", "f1", "f1, answerable", "f1, unanswerable")
# What `Exported.made_of` says of a run that was chosen among no others.
_A_RUN = "a run"
_FORMATS = {"hf": "the format of transformers", "onnx": "ONNX", "openvino": "OpenVINO's format"}

_WITH_QAEXP = """
from qaexp import Predictor, pipeline

question, context = "What is the capital of France?", "Paris is the capital of France."
print(Predictor(".").answer(question, context))  # as above
print(pipeline("question-answering", model=".")(question=question, context=context))  # as transformers 4 did
"""

_RULES = """\
Nothing is answered where the score for that is above the best span's by more than a threshold:

- *0* is the official rule.
- *From other questions*: each question is judged by a threshold that was tuned on others. This is what the tuned one
  promises for new questions.
- *Tuned*: the one that is stored with the model. It was tuned on these very questions, so its line is optimistic."""

_RELEVANT = f"{number_of('f1').relevant:g} points"
# What the words of a verdict mean to somebody who knows the table above it alone.
_VERDICTS: Mapping[str, str] = {
    "crossfit_f1": f"f1 with the {THRESHOLD_FROM_OTHERS}",
    "crossfit_exact": f"exact with the {THRESHOLD_FROM_OTHERS}",
    "[": "in brackets the 95 % interval of the difference",
    EQUIVALENT: f"the whole interval lies within {_RELEVANT}",
    CANNOT_TELL: "the questions are too few to find a difference that matters",
    "no verdict": "a run that answers nothing has scores that show no skill, which nothing can be held against",
}


def card_files(run: RunFiles, exported: Exported, repo: str | None = None) -> dict[str, str]:
    """Return the files of a model card; none is written.

    Args:
        run: The completed run.
        exported: Its export.
        repo: The repository of the hub that the folder is for, by which the card's program then loads it.

    Returns:
        `README.md`, and files below `.eval_results/` where the run was judged on a data set of the hub: name to text.

    Raises:
        IntegrityError: A file of the run is damaged.
    """
    from huggingface_hub import ModelCard

    scores = card_scores(run, exported)
    name = repo.rpartition("/")[2] if repo else str(run.config.get("name") or run.path.name)
    about = metadata(run, exported, scores, name)
    body = "\n\n".join(_sections(run, exported, scores, repo))
    card = ModelCard(f"---\n{about.to_yaml()}\n---\n\n{body}\n")
    return {README: str(card), **eval_results(run, exported, scores)}


def _sections(run: RunFiles, exported: Exported, scores: CardScores, repo: str | None) -> Iterator[str]:
    base, train = base_of(run), data_set(run, "train")
    names = [_short(base.name, base.hub_id), _short(train.name, train.hub_id)]
    yield f"# Question answering: {' on '.join(map(code, names))}"
    yield _what_it_is(run, exported)
    yield from warnings_first(run, scores)
    yield "## Results"
    yield from _results(run, exported, scores)
    yield "## Use"
    yield from _use(run, exported, repo)
    yield "## Training"
    if len(exported.run_ids) > 1:
        yield f"That of the run {code(run.run_id)}; the other seeds were trained alike."
    yield table(["", ""], training_facts(run), num_left=2)
    if command := made_by(run):
        yield "The command, with the names of files instead of their paths:"
        yield fenced("bash", command)
        if base.is_folder:
            yield (
                "It began with the weights of a folder, which are not on the hub: without that folder the command does "
                "not run as it stands."
            )
    yield "## Limits"
    yield limits(run, scores)
    yield "## Licence"
    yield _licence(run)


def _what_it_is(run: RunFiles, exported: Exported) -> str:
    can_be_silent = null_rule(run.config) != ALWAYS_ANSWERED
    silence = ", or nothing where the text does not hold the answer" if can_be_silent else ""
    number = f", with {exported.quantized} weights" if exported.quantized else ""
    num_bytes = sum(exported.file_bytes.values())
    size = f", {num_bytes / 1e6:.1f} MB" if num_bytes else ""
    return (
        f"Takes a question and a text; the answer is a piece of the text{silence}. This is {_made_of(exported)} in "
        f"{_FORMATS[exported.format]}{number}{size}, written by qaexp."
    )


def _short(name: str, hub_id: str | None) -> str:
    """A name without its owner, if it has one on the hub."""
    return name if hub_id is None else hub_id.rpartition("/")[2]


def _made_of(exported: Exported) -> str:
    ids = ", ".join(code(run_id) for run_id in exported.run_ids)
    if exported.made_of == _A_RUN:
        return f"the model of the run {ids}"
    return f"{exported.made_of} (run{'' if len(exported.run_ids) == 1 else 's'} {ids})"


def _results(run: RunFiles, exported: Exported, scores: CardScores) -> Iterator[str]:
    if scores.test_lines:
        test = data_set(run, "test")
        yield f"On {_set(test)}, which was never chosen on; in percent, {scores.test_intervals}:"
        yield _table(scores.test_lines)
    if scores.set_lines:
        yield "On evaluation sets, which were never chosen on; in percent:"
        yield _table(scores.set_lines, "evaluation set")
    dev = data_set(run, "dev")
    is_kept_apart = bool(scores.test_lines or scores.set_lines)
    chosen = "The dev questions" if is_kept_apart else "No test set was kept apart. The dev questions"
    yield f"{chosen}: {_set(dev)}; in percent, {scores.intervals}:"
    yield _table(scores.lines)
    lines = (*scores.lines, *scores.test_lines, *scores.set_lines)
    if any(line.scores[name].value is None for line in lines for name in COLUMNS):
        yield f"{NONE}: no number, because there are no such questions, or because it was not stored."
    yield _explained(exported, scores)
    if exported.verdict:
        yield f"**What the export changes:** {exported.verdict}.{_words(exported.verdict)}"
    if not judged_on(run, scores).hub_id:
        yield f"The data of these results is not on the hub; {_pinned(judged_on(run, scores))}."


def _words(verdict: str) -> str:
    """The words of a verdict that need one, explained, as sentences behind it."""
    found = [means if word == "[" else f"*{word}*: {means}" for word, means in _VERDICTS.items() if word in verdict]
    return f" ({'; '.join(found)}.)" if found else ""


def _set(data: DataSet) -> str:
    return f"{code(data.name)}, {data.split} split, {data.size}"


def _pinned(data: DataSet) -> str:
    return f"its sha256 is {code(data.revision)}" if data.revision else "its content was not recorded"


def _table(lines: Sequence[Line], first: str = _HEADER[0]) -> str:
    return table(
        (first, *_HEADER[1:]), [[line.rule, *(_unbroken(line.scores[name]) for name in COLUMNS)] for line in lines]
    )


def _unbroken(score: Score) -> str:
    """A score whose interval stays on one line."""
    return score.shown.replace(", ", ",\N{NO-BREAK SPACE}")


def _explained(exported: Exported, scores: CardScores) -> str:
    """What the lines of the table are, and what numbers of one seed can say."""
    seeds = len(exported.run_ids)
    of_seeds = (
        "All is of one seed; how far another one would be from it is not in the intervals."
        if seeds == 1
        else f"The model is made of {seeds} seeds, and its numbers are of the whole, not their mean."
    )
    if seeds == 1 and exported.made_of != _A_RUN:
        of_seeds += " It was chosen among several by the dev questions, on which it therefore looks better than it is."
    first = f"Exact and f1 are those of the official SQuAD script; brackets hold 95 % intervals. {of_seeds}"
    rules = {line.rule for line in scores.lines}
    return f"{first}\n\n{_RULES}" if THRESHOLD_FROM_OTHERS in rules else first


def _use(run: RunFiles, exported: Exported, repo: str | None) -> Iterator[str]:
    text = program(run, exported, repo)
    if text is None:
        yield "Its windows or its decoding are a class of its author's: only qaexp with that class answers with it."
    else:
        more = " huggingface_hub" if repo and exported.format != "hf" else ""
        yield (
            f"Without qaexp (`pip install {PACKAGES[exported.format]}{more}`), with the same answers; a question that "
            "leaves a window no room raises an error here, and is cut by qaexp:"
        )
        yield fenced("python", text)
    yield "With qaexp, in this folder:" if repo is None else "With qaexp, in a copy of this folder:"
    yield fenced("python", _WITH_QAEXP)


def _licence(run: RunFiles) -> str:
    base, data = base_of(run), data_licence_of(run)
    of_data = f" The training data is under {code(data)}." if data else " The terms of the training data apply as well."
    if base.licence is None:
        return (
            "Not chosen yet: whoever publishes this model has to find out the terms of its base model and its data, "
            f"and set `license` at the top of this file.{of_data if data else ''}"
        )
    return f"That of the base model, {code(base.licence)}.{of_data}"
