"""The page: tables of the figures with their goals; a rehearsal says in every cell that it is none."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

COMMAND = "python -m tests.benchmarks.gpu --minutes"
GOAL_RATIO, GOAL_MFU, NVIDIA_LARGE = 2.0, 45.0, 134.0
Cell = Callable[[str], str]


def rendered(found: Mapping[str, Any], *, is_rehearsal: bool) -> str:
    """The page of some figures.

    Args:
        found: `machine` (texts by name), `minutes`, `tests` (passed, last line), and what the functions of measures.py
            returned: `training`, `full_length`, `without_padding`, `same_bytes`, or `{"failed": why}`.
        is_rehearsal: Whether they were measured with a tiny model, on whatever there was.
    """

    def cell(text: str) -> str:
        return f"rehearsal, no figure ({text})" if is_rehearsal else text

    lines = [*_heading(found, is_rehearsal), "", _tests(found, cell), ""]
    for title, name, told in _SECTIONS:
        problem = found[name].get("failed")
        body = (f"Not measured: {cell(problem)}",) if problem is not None else told(found[name], cell)
        lines += [f"## {title}", "", *body, ""]
    return "\n".join(map(_wrapped, lines))


def _wrapped(line: str) -> str:
    """A line of prose as lines of at most 120 characters; rows of tables stay whole."""
    return line if line.startswith("|") else textwrap.fill(line, 120, break_long_words=False, break_on_hyphens=False)


def _heading(found: Mapping[str, Any], is_rehearsal: bool) -> tuple[str, ...]:
    machine = ", ".join(f"{name} {value}" for name, value in found["machine"].items())
    if is_rehearsal:
        return (
            "# Rehearsal: no figure of a GPU",
            "",
            f"A tiny model on {machine}. It shows that the command runs; none of its figures says anything.",
        )
    return (
        "# Benchmarks on a GPU",
        "",
        f"{machine}. `{COMMAND} {found['minutes']:g}` wrote this page. Weights are random, features made up with the "
        "lengths of SQuAD v2 (384/128). Contenders take turns in one process; rates are medians over the turns.",
    )


def _tests(found: Mapping[str, Any], cell: Cell) -> str:
    is_passed, line = found["tests"]
    return f"`pytest tests/gpu`: {cell(('passed' if is_passed else 'FAILED') + ', ' + line.strip('= '))}."


def _training(told: Mapping[str, Any], cell: Cell) -> tuple[str, ...]:
    rates = {name: cell(f"{rate:,.0f}") for name, rate in told["rates"].items()}
    rows = [f"| qaexp, batches of similar length under a token budget | {rates['qaexp']} | | |"]
    names = {"random": "Trainer, its default order", "group_by_length": "Trainer, `group_by_length`, its best"}
    for name, words in names.items():
        middle, low, high = told["ratios"][name]
        goal = cell(_goal(middle, GOAL_RATIO)) if name == "random" else ""
        rows.append(f"| {words} | {rates[name]} | {cell(f'{middle:.2f} ({low:.2f} to {high:.2f})')} | {goal} |")
    return (
        f"{told['model']}, bf16 on both sides, dynamic padding, dropout 0.1, fused AdamW, clipping at 1; "
        f"{told['rounds']} rounds of {told['steps']} steps.",
        "",
        f"| who | real tokens a second | qaexp is faster by | goal: {GOAL_RATIO:g} |",
        "| --- | ---: | ---: | --- |",
        *rows,
    )


def _use(told: Mapping[str, Any], cell: Cell) -> tuple[str, ...]:
    mfu = told["mfu"]
    rows = {
        "dense bf16 product in the same process, TFLOP/s": f"{told['gemm_tflops']:.1f}",
        "useful arithmetic of the training in percent of it (MFU)": f"{mfu:.1f} %, {_goal(mfu, GOAL_MFU)}",
        "padding in percent of the tokens computed": f"{told['padding_share']:.1f} %",
        "peak memory, MiB": f"{told['peak_mib']:,.0f}",
        "seconds for an epoch of 88,000 features": f"{told['epoch_seconds']:,.0f}",
    }
    lines = [f"| {name} | {cell(value)} |" for name, value in rows.items()]
    return (f"| {told['model']} | |", "| --- | --- |", *lines)


def _full_length(told: Mapping[str, Any], cell: Cell) -> tuple[str, ...]:
    rate = cell(f"{told['features_a_second']:.1f}")
    return (
        f"{told['model']}, {told['batch_size']} features of {told['longest']} tokens a step: {rate} features a second. "
        f"NVIDIA's own figure for BERT-large on an A100 is {NVIDIA_LARGE:g}.",
    )


def _packing(told: Mapping[str, Any], cell: Cell) -> tuple[str, ...]:
    middle, low, high = told["ratio"]
    padded, packed = (f"{loss:.4f}" for loss in told["losses"])
    rates = {name: cell(f"{rate:,.0f}") for name, rate in told["rates"].items()}
    return (
        "One row a batch with torch's varlen attention (Flash) against padded batches of similar length; no dropout in "
        "attention on either side.",
        "",
        "| | padded | packed | packed is faster by |",
        "| --- | ---: | ---: | ---: |",
        f"| real tokens a second | {rates['padded']} | {rates['packed']} | "
        f"{cell(f'{middle:.2f} ({low:.2f} to {high:.2f})')} |",
        f"| loss of the same features | {cell(padded)} | {cell(packed)} | |",
    )


def _bytes(told: Mapping[str, Any], cell: Cell) -> tuple[str, ...]:
    share = told["rates"]["deterministic"] / told["rates"]["plain"]
    return (
        "Two trainings with `trainer.deterministic=true`, each in a process of its own, ended with "
        f"{cell('the same bytes' if told['is_same'] else 'DIFFERENT bytes')}; their speed is "
        f"{cell(f'{share:.2f}')} of that without.",
    )


def _goal(value: float, goal: float) -> str:
    return f"{'reached' if value >= goal else 'MISSED'} (goal {goal:g})"


_SECTIONS: tuple[tuple[str, str, Callable[[Mapping[str, Any], Cell], tuple[str, ...]]], ...] = (
    ("Training beside transformers' Trainer", "training", _training),
    ("What a training uses", "training", _use),
    ("Without any gain from padding", "full_length", _full_length),
    ("Packed rows", "without_padding", _packing),
    ("Equal bytes", "same_bytes", _bytes),
)
