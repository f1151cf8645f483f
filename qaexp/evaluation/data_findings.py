"""What a user should know about the data before training: lines for the terminal and flags, from data.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qaexp.storage.evaluation_sets import OVERLAP_SHARE

# Minimum share of left-out questions of a file for a flag: it can move a score by a point, which is what
# most comparisons are about.
SKIPPED_SHARE = 0.01

# Minimum share of moved or respelled answers for a flag: a tenth is a fault of the tool that made the file, and
# what it did to the rest is worth a look.
FIXED_SHARE = 0.1

# Minimum share of lost answers of a split for a flag: on SQuAD with the usual settings it is under 2 %, so
# that more comes from the settings or from the file.
LOST_SHARE = 0.05

# Minimum share of labels that differ from their gold text for a flag: answers that end inside a token are under 1 % of
# SQuAD's, more is a tokenizer whose tokens do not fit the text.
DIFFERING_SHARE = 0.1

Report = Mapping[str, Any]


def size_lines(report: Report) -> Iterator[str]:
    """Yield the number of examples behind each fraction, and of windows behind that of null windows.

    >>> audit = {"train": {"num_examples": 775, "drawn_from": {"num": 3100, "kind": "examples"}}}
    >>> list(size_lines({"subset": {"train_size": 0.25, "dev_size": None}, "audit": audit}))
    ['data.train_size=0.25: 775 of 3,100 examples']
    """
    yield from _mix_lines(report.get("source", {}).get("train", {}))
    for split in ("train", "dev"):
        size = report["subset"][f"{split}_size"]
        if isinstance(size, float) and size <= 1:
            found = report["audit"][split]
            drawn_from = found["drawn_from"]
            yield (f"data.{split}_size={size}: {found['num_examples']:,} of {drawn_from['num']:,} {drawn_from['kind']}")
    if (windows := report["audit"]["train"].get("null_windows")) is not None:
        total = windows["num_kept"] + windows["num_dropped"]
        kept = f"{windows['num_kept']:,} of {total:,} windows without an answer"
        yield f"features.null_window_rate={windows['rate']}: {kept} are trained on"


def finding_lines(report: Report) -> Iterator[str]:
    """Yield one line for each thing that was left out, changed, lost or shared.

    Args:
        report: The content of data.json.
    """
    names = _names(report)
    seen: set[str] = set()
    for split, name in names.items():
        source = report["source"][split]
        for called, part in _files(name, source).items():
            if str(part.get("path", split)) not in seen:  # a file that holds two splits is reported once
                seen.add(str(part.get("path", split)))
                yield from _file_lines(called, part)
        yield from _label_lines(name, report["audit"][split])
    if repeated := report["audit"].get("repeated_in_mix"):
        num = report["audit"]["train"]["num_examples"]
        yield f"data.mix: {repeated:,} of {num:,} training questions are in another set of the mix too"
    for split, shared in report["audit"]["shared_with_train"].items():
        yield from _shared_lines(names[split], shared, report["audit"][split]["num_examples"])


def data_flags(report: Report) -> Iterator[tuple[str, str]]:
    """Yield name and advice of each flag that the data raises.

    Args:
        report: The content of data.json.
    """
    names = _names(report)
    for split, name in names.items():
        for called, source in _files(name, report["source"][split]).items():
            yield from _file_flags(called, source)
        yield from _label_flags(name, report["audit"][split])
    for split, shared in report["audit"]["shared_with_train"].items():
        num = report["audit"][split]["num_examples"]
        if _share(shared["questions"], num) >= OVERLAP_SHARE:
            yield (
                "train_dev_overlap",
                f"{shared['questions']:,} of the {num:,} questions of {names[split]} were trained on, so its scores "
                "say little about new questions: take them out of one of the files.",
            )


def _names(report: Report) -> dict[str, str]:
    """The name of each split: its file name if that is unique, else the split."""
    files = {split: Path(source["path"]).name for split, source in report["source"].items() if source.get("path")}
    return {
        split: files[split] if list(files.values()).count(files.get(split, "")) == 1 else split
        for split in report["source"]
    }


def _files(name: str, source: Report) -> dict[str, Report]:
    """The file of a split by its name, or those of a mix by the names of their sets."""
    return dict(source["sets"]) if "sets" in source else {name: source}


def _mix_lines(source: Report) -> Iterator[str]:
    """What each set of a mix gives."""
    sets: Mapping[str, Report] = source.get("sets", {})
    total = sum(one["num_drawn"] for one in sets.values())
    for name, one in sets.items():
        share = 100 * one["num_drawn"] / total
        yield f"data.mix.{name}: {one['num_drawn']:,} of {one['num_drawable']:,} questions, {share:.1f} % of the mix"


def _num_questions(source: Report) -> int:
    return int(source["num_examples"] + source["num_skipped"] + source["num_duplicates"])


def _file_lines(name: str, source: Report) -> Iterator[str]:
    total = _num_questions(source)
    first = str(source["problems"][0]).removeprefix(f"{source.get('path')}: ") if source["problems"] else ""
    for key, done in (("num_skipped", "left out"), ("num_fixed", "mended")):
        if source[key]:
            yield f"{name}: {source[key]:,} of {total:,} questions {done}, first: {first}"
    if source["num_duplicates"]:
        yield f"{name}: {source['num_duplicates']:,} of {total:,} questions repeat another one and are left out"
    if blank := source.get("num_blank_answers"):
        yield f"{name}: {blank:,} of {total:,} questions marked as without an answer by a blank answer, null or -1"
    if source.get("num_made_ids"):
        yield f"{name}: no question has an id; they are called by their place in the file and its content (q1-...)"


def _label_lines(name: str, found: Report) -> Iterator[str]:
    if found["num_truncated_questions"]:
        yield f"{name}: {found['num_truncated_questions']:,} of {found['num_examples']:,} questions are cut to fit"
    if num := _num_lost(found):
        yield f"{name}: {num:,} of {found['num_answers']:,} answers lost: {_reasons(found)}"
    differing = found["offset_mismatches"]
    if differing["num"]:
        one = differing["examples"][0]
        yield (
            f"{name}: {differing['num']:,} of {found['num_answers']:,} labels are not the answer's text, first: "
            f"{one['label']!r} for {one['gold']!r}"
        )


def _num_lost(found: Report) -> int:
    return int(found["lost_answers"]["by_window"] + found["lost_answers"]["by_max_answer_length"])


def _reasons(found: Report) -> str:
    lost, without = found["lost_answers"], found["answers_without_tokens"]
    reasons = (
        (lost["by_window"] - without, "whole in no window (features.max_length, features.doc_stride)"),
        (without, "without a visible character that the tokenizer knows"),
        (lost["by_max_answer_length"], "longer than decoding.max_answer_length"),
    )
    return ", ".join(f"{num:,} {words}" for num, words in reasons if num)


def _shared_lines(name: str, shared: Report, num_examples: int) -> Iterator[str]:
    if shared["questions"]:
        yield f"{name}: {shared['questions']:,} of {num_examples:,} questions are also training questions"
    if shared["contexts"]:
        yield f"{name}: {shared['contexts']:,} of {shared['num_contexts']:,} paragraphs are also training paragraphs"
    if shared["ids"]:
        yield f"{name}: {shared['ids']:,} of {num_examples:,} ids are also ids of training questions"


def _file_flags(name: str, source: Report) -> Iterator[tuple[str, str]]:
    total = _num_questions(source)
    if _share(source["num_skipped"], total) >= SKIPPED_SHARE:
        yield (
            "examples_skipped",
            f"{source['num_skipped']:,} of the {total:,} questions of {name} were left out as faulty "
            "(data.on_bad=skip), so the run does not use the whole file: correct the file (data.json names faults).",
        )
    if _share(source["num_fixed"], total) >= FIXED_SHARE:
        yield (
            "examples_fixed",
            f"Answers of {source['num_fixed']:,} of the {total:,} questions of {name} were not where the file "
            "says, and were mended (data.on_bad=fix): look at what made the file (data.json names them).",
        )


def _label_flags(name: str, found: Report) -> Iterator[tuple[str, str]]:
    num_answers = found["num_answers"]
    if _share(_num_lost(found), num_answers) >= LOST_SHARE:
        yield (
            "answers_lost",
            f"{_num_lost(found):,} of the {num_answers:,} answers of {name} cannot be given by any model "
            f"({_reasons(found)}): raise these settings, or correct the file.",
        )
    if _share(found["offset_mismatches"]["num"], num_answers) >= DIFFERING_SHARE:
        yield (
            "labels_differ",
            f"{found['offset_mismatches']['num']:,} of the {num_answers:,} labels of {name} are not the answer's text: "
            "look at them in data.json for answers that end inside a token or hold what the tokenizer drops.",
        )


def _share(count: int, total: int) -> float:
    return count / total if total else 0.0
