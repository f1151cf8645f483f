"""The result files of a run: predictions, scores, logits, the model, and what the reporter draws from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from qaexp.errors import QaexpError, StorageError, of_the_system
from qaexp.evaluation.logits_file import logits_content
from qaexp.evaluation.outputs import contexts_of, prediction_records, score_rows
from qaexp.evaluation.question_set import QuestionSet, Scored
from qaexp.experiment.parts import Parts
from qaexp.experiment.questions import Answered
from qaexp.model import LoadedModel
from qaexp.model.loading import quiet
from qaexp.model.settings import NODES
from qaexp.reporting.reporter import Reporter
from qaexp.reporting.terminal.printing import complain
from qaexp.runs import directory as layout
from qaexp.runs.metrics import EPOCHS, SCORE_COLUMNS, TEST
from qaexp.runs.writing.run import Run
from qaexp.storage.evaluation_sets import table_of
from qaexp.storage.files import write_rows, write_text
from qaexp.storage.formats import one_line


def write_results(run: Run, parts: Parts, answered: Answered) -> None:
    """Commit predictions, contexts, scores, logits and the model of a run."""
    questions, dev, evaluation = answered.questions, answered.questions.dev, answered.dev.evaluation
    run.write_json_lines(layout.PREDICTIONS, prediction_records(dev, answered.dev))
    run.write_json_items(layout.CONTEXTS, contexts_of(dev.examples))
    run.write_rows(layout.SCORES, score_rows(dev, evaluation))
    _write_test_scores(run, answered)
    run.write_content(layout.LOGITS, logits_content(dev.features, answered.dev.logits))
    settings = _model_settings(run, parts, evaluation.metrics["null_threshold"])

    def fill(folder: Path) -> None:
        _save(questions.loaded, folder, run.directory / layout.MODEL)
        write_text(folder / "qaexp.json", settings)

    run.write_directory(layout.MODEL, fill)


def _write_test_scores(run: Run, answered: Answered) -> None:
    """Commit a table of scores for the test file, and a folder with one for each evaluation set."""
    rows = {name: _test_score_rows(answered.questions.tests[name], one) for name, one in answered.tests.items()}
    if of_file := rows.pop("test", None):
        run.write_rows(layout.TEST_SCORES, of_file)

    def fill(folder: Path) -> None:
        for split, of_set in rows.items():
            write_rows(folder / table_of(split.removeprefix(TEST)).rpartition("/")[2], of_set)

    if rows:
        run.write_directory(layout.TEST_SETS, fill)


def _save(loaded: LoadedModel, folder: Path, final: Path) -> None:
    with quiet():
        try:
            loaded.model.save_pretrained(folder)
            loaded.tokenizer.save_pretrained(folder)
        except SafetensorError as error:  # its own type, even when the disk is full
            raise StorageError(
                f"{final}: cannot be written: {error}; free space, then run the same command again"
            ) from error


def _model_settings(run: Run, parts: Parts, null_threshold: float | None) -> str:
    """The text of model/qaexp.json: what a Predictor needs in addition to the weights."""
    settings = {
        "run_id": run.run_id,
        "base_checkpoint": run.shown_config["model"]["checkpoint"],
        "max_length": parts.windows.max_length,
        "doc_stride": parts.windows.doc_stride,
        **parts.decoding.keywords(),
        "null_threshold": 0.0 if null_threshold is None else null_threshold,
    }
    own = {kind: run.shown_config[kind] for kind in NODES if "_target_" in run.shown_config[kind]}
    settings |= {"nodes": own} if own else {}
    return json.dumps(settings, indent=1) + "\n"


def _test_score_rows(test: QuestionSet, tested: Scored) -> Iterator[dict[str, Any]]:
    """Yield one row per test example, for test_scores.csv; without cross-fitted columns: nothing is tuned on it."""
    chosen = {name for name, number in SCORE_COLUMNS.items() if EPOCHS not in number.shown_in}
    for row in score_rows(test, tested.evaluation):
        yield {name: value for name, value in row.items() if name not in chosen}


def report_run(run: Run, reporter: Reporter, summary: Mapping[str, Any]) -> None:
    """Draw the plots and the page; only the main process does.

    A reporter that fails is reported but does not fail the run, since its output can be drawn again. When qaexp's own
    reporter cannot write, the run could not write anything else either, and fails.
    """
    if not run.is_main:
        return
    try:
        reporter.report(run.directory, summary)
    except (Exception, SystemExit) as error:
        is_ours = type(reporter).__module__.partition(".")[0] == __name__.partition(".")[0]
        if is_ours and (isinstance(error, QaexpError) or of_the_system(error) is not None):
            raise
        sentence = run.redacted(
            f"the reporter failed ({type(error).__name__}: {error}), and the run continues without what it draws; "
            "debug.log in the run directory has the traceback, and qaexp plot draws qaexp's own plots and page"
        )
        run.log.warning(sentence)
        run.log.debug("the reporter", exc_info=error)
        complain(one_line(sentence))
