"""What the hub reads of a model card: the metadata above it with the model index, and the results beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from qaexp.export.card_scores import CardScores, Line
from qaexp.export.exported import Exported
from qaexp.export.origins import DataSet, base_of, data_set, language_of
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.short_words import shortened
from qaexp.storage.formats import one_line
from qaexp.storage.yaml_text import yaml_text

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

TASK = "question-answering"
EVAL_RESULTS = ".eval_results"
# The library that the hub names on the page, and how it offers to load the files.
_LIBRARIES = {"hf": "transformers", "onnx": "onnx", "openvino": "openvino"}
_METRICS = {"exact": "exact_match", "f1": "f1", "has_ans_f1": "f1", "no_ans_f1": "f1"}
_NAMES = {"exact": "Exact match", "f1": "F1", "has_ans_f1": "F1, answerable", "no_ans_f1": "F1, unanswerable"}
_MAX_CHARS = 100
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def judged_on(run: RunFiles, scores: CardScores) -> DataSet:
    """The data that the model index is about: the test file where there are scores of it, else the dev questions."""
    return data_set(run, "test" if scores.test_lines else "dev")


def metadata(run: RunFiles, exported: Exported, scores: CardScores, name: str) -> ModelCardData:
    """Return the metadata of a card; what is not known is left out, so that the hub asks its user for it.

    Args:
        run: The run.
        exported: Its export.
        scores: The scores of the export.
        name: What the model is called in the model index.
    """
    from huggingface_hub import ModelCardData

    base, train = base_of(run), data_set(run, "train")
    relation: dict[str, Any] = {"base_model_relation": _relation(exported)} if base.hub_id else {}
    return ModelCardData(
        language=language_of(run),
        license=base.licence,
        library_name=_LIBRARIES[exported.format],
        pipeline_tag=TASK,
        tags=_tags(exported),
        base_model=base.hub_id,
        **relation,
        datasets=[train.hub_id] if train.hub_id else None,
        metrics=["exact_match", "f1"],
        model_name=_plain(name),
        eval_results=list(_index(judged_on(run, scores), scores)),
    )


def eval_results(run: RunFiles, exported: Exported, scores: CardScores) -> dict[str, str]:
    """Return the files below `.eval_results`, by their names; none for data that is not on the hub.

    The hub's format names a data set of the hub, and has one number: f1 at null threshold 0, the official one.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    judged = judged_on(run, scores)
    line = (scores.test_lines or scores.lines)[0]
    value = line.scores["f1"].value
    if judged.hub_id is None or value is None:
        return {}
    entry = EvalResultEntry(
        dataset_id=judged.hub_id,
        task_id=judged.config_name or "default",
        value=round(value, 2),
        dataset_revision=judged.revision,
        date=str(run.run.get("ended") or "") or None,
        notes=_notes(exported, scores, judged, line),
    )
    name = judged.hub_id.rpartition("/")[2]
    return {f"{EVAL_RESULTS}/{name}.yaml": yaml_text(eval_result_entries_to_yaml([entry]))}


def _notes(exported: Exported, scores: CardScores, judged: DataSet, line: Line) -> str:
    shown = {name: line.scores[name].shown for name in ("f1", "exact")}
    words = scores.test_intervals if scores.test_lines else scores.intervals
    quantized = [exported.quantized] if exported.quantized else []
    parts = [
        f"f1 {shown['f1']}, exact {shown['exact']} (percent; {line.rule}; {words})",
        f"{judged.split} split, {judged.size}",
        f"made of {exported.made_of}",
        ", ".join([exported.format, *quantized]),
    ]
    return one_line("; ".join(parts))


def _relation(exported: Exported) -> str:
    return "quantized" if exported.quantized else "finetune"


def _tags(exported: Exported) -> list[str]:
    formats = [] if exported.format == "hf" else [exported.format]
    return ["qaexp", "extractive-qa", *formats, *([exported.quantized] if exported.quantized else [])]


def _index(judged: DataSet, scores: CardScores) -> Iterator[EvalResult]:
    for line in scores.test_lines or scores.lines[:2]:
        for name, metric in _METRICS.items():
            value = line.scores[name].value
            if value is not None:
                yield _result(judged, metric, f"{_NAMES[name]} ({line.rule})", round(value, 2))


def _result(judged: DataSet, metric: str, name: str, value: float) -> EvalResult:
    from huggingface_hub import EvalResult

    return EvalResult(
        task_type=TASK,
        task_name="Question Answering",
        dataset_type=judged.hub_id or _slug(judged.name),
        dataset_name=_plain(judged.name),
        dataset_config=judged.config_name,
        dataset_split=judged.split,
        dataset_revision=judged.revision,
        metric_type=metric,
        metric_name=name,
        metric_value=value,
    )


def _plain(text: str) -> str:
    """A text of anybody as one line of metadata."""
    return shortened(one_line(text), _MAX_CHARS)


def _slug(name: str) -> str:
    """A name in the characters that the hub takes for one of a data set.

    >>> _slug("my dev set.json"), _slug("qaexp's demo data"), _slug("///")
    ('my-dev-set.json', 'qaexps-demo-data', 'custom')
    """
    return _NO_NAME.sub("-", name.replace("'", ""))[:_MAX_CHARS].strip("-.") or "custom"
