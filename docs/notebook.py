"""Make docs/notebook.ipynb: run its cells, here and without Jupyter, and store what they show.

python docs/notebook.py

The cells are executed in a folder of their own that lies beside the sweeps of the repository, as docs/ does.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NOTEBOOK = HERE / "notebook.ipynb"
# What outputs say in place of the folder in which the cells were run.
SHOWN_FOLDER = "/home/you/qaexp"

CELLS = (
    """# qaexp in a notebook

Start Jupyter in the folder `docs/` of a checkout; `qaexp` and its extra `quickstart` are all that the cells need.
Runs of your own are under `outputs/`, sweeps under `multirun_outputs/`, beside wherever the notebook is.

## A sweep as a table

`load_runs` reads run folders, sweep folders, folders of them and patterns: one row a run, with its config and its
numbers.""",
    """import qaexp

sweep = "../multirun_outputs/example_sweep"
runs = qaexp.load_runs(sweep)
runs[["run_id", "optimizer.lr", "seed", "crossfit_f1", "has_ans_f1", "no_ans_f1"]].head()""",
    """## Which setting is better, and is it really?

A comparison says so in words, with intervals over seeds. It is the one of `qaexp compare`.""",
    """qaexp.compare(sweep)""",
    """## One row a question

`load_predictions` has the answers of all runs in one table; `keys` adds columns of the config. Here is f1 by question
word and learning rate, over eight seeds each.""",
    """answers = qaexp.load_predictions(sweep, keys="optimizer.lr")
answers.pivot_table(index="question_word", columns="optimizer.lr", values="f1").round(1)""",
    """The first five of the questions that the 32 runs answer worst:""",
    """answers.groupby(["id", "question"])["f1"].agg(["mean", "std"]).round(1).nsmallest(5, "mean")""",
    """## A run

`qaexp.run` trains as `qaexp train` does, and the same call again finds the run and trains nothing. This one takes a
minute on a CPU. Its intervals are over the questions: another seed may differ by more.""",
    """run = qaexp.run("name=notebook", "data.train_size=500", "data.dev_size=200", "trainer.epochs=3", quiet=True)
run""",
    """A run is a mapping of its numbers, and knows its folder, config, epochs and answers. `qaexp.Run(folder)` opens
any run in the same way, also one that still trains or was stopped.""",
    """run = qaexp.Run("outputs/notebook")
run["f1"], run.config["optimizer"]["lr"], run.state""",
    """run.history[["epoch", "train_loss", "train_accuracy", "exact", "f1", "probe_0"]].round(2)""",
    """wrong = run.predictions.query("exact < 100").sort_values("null_score_diff")
wrong[["question", "golds", "prediction_text", "f1", "null_score_diff"]].head()""",
    """`run.plots` are the pictures of the run, each shown as it is:""",
    """run.plots["threshold"]""",
    """## Its model

The weights are loaded when they are asked for. Answers come with the run's windows and its tuned threshold.""",
    """model = run.model()
found = model.answer("What is the capital of France?", "Paris, a city on the Seine, is the capital of France.")
found.answer, round(found.probability, 2)""",
)

Cell = dict[str, Any]


def notebook(cells: Sequence[str], folder: Path) -> dict[str, Any]:
    """Run cells one after the other and return the notebook with what they show.

    Args:
        cells: Python, or Markdown.
        folder: The working directory of the cells.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    with chdir(folder):
        made = [_cell(number, source, names) for number, source in enumerate(cells, start=1)]
    shown = json.dumps(made, ensure_ascii=False).replace(os.path.realpath(folder.parent), SHOWN_FOLDER)
    return {
        "cells": json.loads(shown),
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def is_code(source: str) -> bool:
    """Whether a cell is one of Python."""
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return not source.startswith("#")


def _cell(number: int, source: str, names: dict[str, Any]) -> Cell:
    made: Cell = {"cell_type": "markdown", "id": f"cell-{number}", "metadata": {}, "source": _lines(source)}
    if is_code(source):
        made |= {"cell_type": "code", "execution_count": number, "outputs": list(_outputs(number, source, names))}
    return made


def _outputs(number: int, source: str, names: dict[str, Any]) -> Iterator[Cell]:
    """Run a cell; yield what it printed, then what its last expression shows."""
    *body, last = ast.parse(source).body
    printed, value = io.StringIO(), None
    with redirect_stdout(printed):
        is_shown = isinstance(last, ast.Expr)
        exec(compile(ast.Module([*body, *([] if is_shown else [last])], []), f"<cell {number}>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"<cell {number}>", "eval"), names)
    if text := printed.getvalue():
        yield {"name": "stdout", "output_type": "stream", "text": _lines(text)}
    if value is not None:
        yield {"data": _data(value), "execution_count": number, "metadata": {}, "output_type": "execute_result"}


def _data(value: Any) -> Cell:
    """A value in each form that it has."""
    data: Cell = {"text/plain": _lines(repr(value))}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = _lines(value._repr_html_())
    if hasattr(value, "_repr_png_"):
        data["image/png"] = base64.b64encode(value._repr_png_()).decode("ascii")
    return data


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    """Run all cells and write the notebook."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "docs"
        place.mkdir()
        shutil.copytree(HERE.parent / "multirun_outputs", Path(name) / "multirun_outputs")
        made = notebook(CELLS, place)
    NOTEBOOK.write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    main()
