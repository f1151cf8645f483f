"""Programs that answer with an exported folder without qaexp: short, to be read and copied, with the same answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.export.exported import Exported
from qaexp.model.settings import model_settings
from qaexp.runs.directory import MODEL
from qaexp.runs.readers.collect import RunFiles
from qaexp.storage.reading import read_json

_HEADS = {
    "hf": """
from unicodedata import category

import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

FOLDER = {folder}  # {what_folder}
{constants}

tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = AutoModelForQuestionAnswering.from_pretrained(FOLDER).eval()


def windows(question, context):
    \"\"\"Yield of each window: start and end logits, offsets (None outside the context), null token.\"\"\"
    encoded = tokenizer(
        {pair}, truncation="{truncated}",
        max_length=MAX_LENGTH, stride=DOC_STRIDE, padding=True, return_tensors="pt",
        return_overflowing_tokens=True, return_offsets_mapping=True,
    )
    offsets = encoded.pop("offset_mapping").tolist()
    encoded.pop("overflow_to_sample_mapping")
    with torch.inference_mode():
        output = model(**encoded)
    for row, ids in enumerate(encoded["input_ids"].tolist()):
        parts = encoded.sequence_ids(row)
        places = [place if part == {context_part} else None for place, part in zip(offsets[row], parts)]
        null = ids.index(tokenizer.cls_token_id)
        yield output.start_logits[row].tolist(), output.end_logits[row].tolist(), places, null
""",
    "onnx": """
from unicodedata import category

import numpy as np
import onnxruntime{download}
from tokenizers import Tokenizer

FOLDER = {folder}  # {what_folder}
{constants}

tokenizer = Tokenizer.from_file(f"{{FOLDER}}/tokenizer.json")
cls_token_id = tokenizer.token_to_id({cls_token})
tokenizer.no_padding()
tokenizer.enable_truncation(MAX_LENGTH, stride=DOC_STRIDE, strategy="{truncated}"{direction})
session = onnxruntime.InferenceSession(f"{{FOLDER}}/{model_file}")


def windows(question, context):
    \"\"\"Yield of each window: start and end logits, offsets (None outside the context), null token.\"\"\"
    first = tokenizer.encode({pair})
    for window in [first, *first.overflowing]:
        known = {{"input_ids": window.ids, "token_type_ids": window.type_ids}}
        known["attention_mask"] = window.attention_mask
        names = [node.name for node in session.get_inputs()]
        inputs = {{name: np.array([known[name]], dtype=np.int64) for name in names}}
        start, end = session.run(["start_logits", "end_logits"], inputs)
        parts = window.sequence_ids
        places = [place if part == {context_part} else None for place, part in zip(window.offsets, parts)]
        yield start[0].tolist(), end[0].tolist(), places, window.ids.index(cls_token_id)
""",
    "openvino": """
from unicodedata import category

import numpy as np
import openvino{download}
from tokenizers import Tokenizer

FOLDER = {folder}  # {what_folder}
{constants}

tokenizer = Tokenizer.from_file(f"{{FOLDER}}/tokenizer.json")
cls_token_id = tokenizer.token_to_id({cls_token})
tokenizer.no_padding()
tokenizer.enable_truncation(MAX_LENGTH, stride=DOC_STRIDE, strategy="{truncated}"{direction})
exact = {{"INFERENCE_PRECISION_HINT": "f32"}}
engine = openvino.Core().compile_model(f"{{FOLDER}}/{model_file}", "CPU", exact)


def windows(question, context):
    \"\"\"Yield of each window: start and end logits, offsets (None outside the context), null token.\"\"\"
    first = tokenizer.encode({pair})
    for window in [first, *first.overflowing]:
        known = {{"input_ids": window.ids, "token_type_ids": window.type_ids}}
        known["attention_mask"] = window.attention_mask
        names = [port.any_name for port in engine.inputs]
        output = engine({{name: np.array([known[name]], dtype=np.int64) for name in names}})
        parts = window.sequence_ids
        places = [place if part == {context_part} else None for place, part in zip(window.offsets, parts)]
        start, end = output["start_logits"], output["end_logits"]
        yield start[0].tolist(), end[0].tolist(), places, window.ids.index(cls_token_id)
""",
}

_ANSWER = """

def answer(question, context):
    \"\"\"Return {returned}.\"\"\"
    found, best = list(windows(question, context)), None
    tokens = [place for window in found for place in window[2] if place]
    covered = {{char for begin, end in tokens for char in range(begin, end)}}
    for start, end, places, _ in found:
        chars = {{i: trimmed(context, *place, covered) for i, place in enumerate(places) if place}}
        for first in chars:
            for last in range(first, first + MAX_ANSWER_LENGTH):
                if last in chars and chars[first][0] < chars[last][1]:
                    span = start[first] + end[last], -chars[first][0], -chars[last][1]
                    best = max(best or span, span)  # of equal ones the first in the text
{decided}
    return context[-best[1] : -best[2]]


def trimmed(context, begin, end, covered):
    \"\"\"Return the place of a token without white space, with accents that its tokenizer dropped.\"\"\"
    while begin < end < len(context) and end not in covered and category(context[end])[0] == "M":
        end += 1
    return len(context) - len(context[begin:].lstrip()), len(context[:end].rstrip())


context = "Paris is the capital of France, and Lyon its third largest city."
print(answer("What is the capital of France?", context))
print(answer("What is the capital of Peru?", context))
"""

_MAY_BE_SILENT = """    null_score = min(start[null] + end[null] for start, end, _, null in found)
    if best is None or null_score - best[0] > NULL_THRESHOLD:
        return ""\
"""
_MUST_ANSWER = """    if best is None:
        return ""\
"""

# What an export is loaded from, by the ending of its name.
_ENDINGS = {"onnx": ".onnx", "openvino": ".xml"}
PACKAGES = {
    "hf": "torch transformers",
    "onnx": "numpy onnxruntime tokenizers",
    "openvino": "numpy openvino tokenizers",
}


def program(run: RunFiles, exported: Exported, repo: str | None = None) -> str | None:
    """Return a program that answers as qaexp's Predictor does, and needs the packages of `PACKAGES` alone.

    It knows windows, decoding and the null threshold of the export.

    Args:
        run: The run.
        exported: The folder that it answers with.
        repo: The repository of the hub that the folder is for; None: the program is started inside the folder.

    Returns:
        The program; None where the run has windows or a decoder of its user's own, which no short program can know.

    Raises:
        IntegrityError: The settings of the run's model are damaged.
    """
    settings = model_settings(run.path / MODEL)
    if settings["nodes"]:
        return None
    is_silent = bool(settings["allow_no_answer"])
    head = _HEADS[exported.format].format(
        **_folder(exported.format, repo),
        **_layout(run.path / MODEL / "tokenizer_config.json"),
        constants=_constants(settings, exported.null_threshold if is_silent else None),
        model_file=_model_file(exported),
    )
    returned = "the best span of the context"
    tail = _ANSWER.format(
        returned=f'{returned}, or "" where it holds no answer' if is_silent else returned,
        decided=_MAY_BE_SILENT if is_silent else _MUST_ANSWER,
    )
    return f"{(head + tail).strip()}\n"


def _constants(settings: Mapping[str, Any], null_threshold: float | None) -> str:
    lines = [
        f"MAX_LENGTH, DOC_STRIDE = {settings['max_length']}, {settings['doc_stride']}  # tokens: a window, shared",
        f"MAX_ANSWER_LENGTH = {settings['max_answer_length']}  # tokens",
    ]
    if null_threshold is not None:
        lines.append(f"NULL_THRESHOLD = {null_threshold!r}  # no answer where null score - span score is above it")
    return "\n".join(lines)


def _folder(kind: str, repo: str | None) -> dict[str, str]:
    """What the program loads from: the repository, or the folder that it is started in."""
    if repo is None:
        return {"folder": '"."', "what_folder": "this folder", "download": ""}
    if kind == "hf":
        return {"folder": json.dumps(repo), "what_folder": "on the hub, or a folder", "download": ""}
    imported = "\nfrom huggingface_hub import snapshot_download"
    return {"folder": f"snapshot_download({json.dumps(repo)})", "what_folder": "or a folder", "download": imported}


def _layout(tokenizer_config: Path) -> dict[str, Any]:
    """In which order the tokenizer puts question and context, from which end it cuts, and what its null token is."""
    try:
        found = read_json(tokenizer_config)
    except FileNotFoundError:
        found = {}
    direction = ', direction="left"' if found.get("truncation_side") == "left" else ""
    if found.get("padding_side") == "left":
        pair = {"pair": "context, question.lstrip()", "truncated": "only_first", "context_part": 0}
    else:
        pair = {"pair": "question.lstrip(), context", "truncated": "only_second", "context_part": 1}
    cls = found.get("cls_token", "[CLS]")
    cls = cls.get("content") if isinstance(cls, dict) else cls  # as older versions of transformers store it
    return {**pair, "direction": direction, "cls_token": json.dumps(cls)}


def _model_file(exported: Exported) -> str:
    """The file that is opened, as the exporter named it; the weights' files beside it are found from there."""
    ending = _ENDINGS.get(exported.format, "")
    return next((name for name in sorted(exported.file_bytes) if ending and name.endswith(ending)), "")
