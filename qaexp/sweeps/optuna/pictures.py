"""Pictures of a search: how it went on, which keys mattered, and all trials side by side."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as pictures

from qaexp.reporting.figures.style import INK, PALE
from qaexp.runs.log import LOGGER

_DPI = 150


def draw_study(study: optuna.Study, objectives: Sequence[str]) -> dict[str, bytes]:
    """Draw a search.

    Args:
        study: The study; of few or equal trials some pictures say nothing and are left out.
        objectives: The names of its objectives.

    Returns:
        File name to PNG.
    """
    found: dict[str, bytes] = {}
    for index, name in enumerate(objectives):
        for kind, draw in _ways(study, name, index).items():
            picture = _drawn(draw, f"{kind} of {name}")
            if picture is not None:
                found[f"{kind}_{name}.png"] = picture
    return found


def _ways(study: optuna.Study, name: str, index: int) -> dict[str, Callable[[], Any]]:
    """The pictures of one objective, by their kind."""

    def target(trial: FrozenTrial) -> float:
        return float(trial.values[index])

    # Optuna asks which keys lead to low values of a target, whatever the direction of the study.
    sign = 1.0 if study.directions[index] == StudyDirection.MINIMIZE else -1.0
    keywords: dict[str, Any] = {"target": target, "target_name": name}
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    ways: dict[str, Callable[[], Any]] = {"history": lambda: pictures.plot_optimization_history(study, **keywords)}
    # Of trials that are all alike no key is more important than another, and one key has no other beside it.
    if len({target(trial) for trial in done}) > 1:
        ways["importance"] = lambda: pictures.plot_param_importances(
            study, evaluator=PedAnovaImportanceEvaluator(), target=lambda trial: sign * target(trial), target_name=name
        )
    if len({key for trial in done for key in trial.params}) > 1:
        ways["parallel"] = lambda: pictures.plot_parallel_coordinate(study, **keywords)
    return ways


def _drawn(draw: Callable[[], Any], what: str) -> bytes | None:
    # The value of a key is a text: dollars in it are no formula.
    with warnings.catch_warnings(), plt.rc_context({"text.parse_math": False}):
        warnings.simplefilter("ignore")  # Optuna calls its pictures experimental
        try:
            figure = draw().figure
            figure.set_size_inches(8, 4.5)
            _restyle(figure)
            buffer = io.BytesIO()
            figure.savefig(buffer, dpi=_DPI, bbox_inches="tight", metadata={"Software": None})
        except (ValueError, RuntimeError, ZeroDivisionError) as error:
            LOGGER.info("no picture of the %s: %s", what, error)
            return None
        finally:
            plt.close("all")
    return buffer.getvalue()


def _restyle(figure: Figure) -> None:
    """Give Optuna's picture our ground: its own draws the best trials white on pale grey."""
    for axes in figure.axes:
        axes.set_facecolor("white")
        axes.tick_params(colors=INK)
        axes.xaxis.label.set_color(INK)
        axes.yaxis.label.set_color(INK)
        for line in (*axes.get_xgridlines(), *axes.get_ygridlines()):
            line.set_color(PALE)
        for spine in axes.spines.values():
            spine.set_color(PALE)
        if len(figure.axes) > 2:  # parallel coordinates: every axis has a scale of its own
            axes.grid(visible=False)
        if axes.get_xlabel() == "Trial":
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        _legend_below(axes)
        for collection in axes.collections:
            if collection.get_array() is not None:
                collection.set_cmap("viridis")
                collection.set_zorder(3)


def _legend_below(axes: Axes) -> None:
    """Put the legend under the picture: Optuna's own stands on bars and points."""
    legend = axes.get_legend()
    if legend is not None:
        handles = [one for one in legend.legend_handles if one is not None]
        for handle, text in zip(handles, legend.get_texts(), strict=True):
            handle.set_label(text.get_text())
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, -0.14), ncols=2, frameon=False)
