"""The pictures of a search ask what its objective asks."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

pytest.importorskip("optuna")
from qaexp.sweeps.optuna import pictures
from tests.sweeps.test_pruning import begun, opened


@pytest.mark.parametrize(("name", "way"), [("f1", "maximize"), ("train_loss", "minimize")])
def test_importance_is_that_for_the_best_values(
    tmp_path: Path, name: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = opened(tmp_path, {name: way})
    begun(search, name, [1.0, 2.0, 3.0])
    asked: list[list[float]] = []

    def importances(study: Any, *, evaluator: Any, target: Any, target_name: str) -> Any:
        asked.append([target(trial) for trial in study.trials])
        raise ValueError("that is enough")

    monkeypatch.setattr(pictures.pictures, "plot_param_importances", importances)
    pictures.draw_study(search.study, [name])
    # The evaluator explains low values: the best trial has the lowest.
    best = {"maximize": 2, "minimize": 0}[way]
    assert asked[0].index(min(asked[0])) == best


def test_a_key_that_makes_the_best_trials_is_the_important_one(tmp_path: Path) -> None:
    """Of a maximised score: `good` decides which trials are best, `bad` which are worst."""
    import optuna
    from optuna.distributions import FloatDistribution
    from optuna.trial import create_trial

    study = optuna.create_study(direction="maximize")
    ends = {"good": FloatDistribution(0.0, 1.0), "bad": FloatDistribution(0.0, 1.0)}
    for good in range(10):
        for bad in range(10):
            value = 90.0 if good == 9 else 10.0 if bad == 9 else 50.0 + (good * 7 + bad * 3) % 5
            study.add_trial(create_trial(value=value, params={"good": good / 9, "bad": bad / 9}, distributions=ends))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its pictures experimental
        drawn = pictures._ways(study, "f1", 0)["importance"]()
    names = [label.get_text() for label in drawn.get_yticklabels()]
    widths = dict(zip(names, [bar.get_width() for bar in drawn.patches], strict=True))
    plt.close("all")
    assert widths["good"] > widths["bad"]


def study_of(values: list[float], keys: tuple[str, ...]) -> Any:
    import optuna
    from optuna.distributions import FloatDistribution
    from optuna.trial import create_trial

    study = optuna.create_study(direction="maximize")
    ends = {key: FloatDistribution(0.0, 1.0) for key in keys}
    for place, value in enumerate(values):
        params = {key: (place * (number + 2)) % 7 / 7 for number, key in enumerate(keys)}
        study.add_trial(create_trial(value=value, params=params, distributions=ends))
    return study


def test_trials_that_are_alike_have_no_importance_and_one_key_no_parallels() -> None:
    alike = study_of([36.7] * 4, ("lr", "decay"))
    assert set(pictures.draw_study(alike, ["f1"])) == {"history_f1.png", "parallel_f1.png"}
    single = study_of([10.0, 20.0, 30.0, 25.0], ("lr",))
    assert "parallel_f1.png" not in pictures.draw_study(single, ["f1"])


@pytest.mark.parametrize("kind", ["history", "importance"])
def test_no_legend_stands_on_what_is_drawn(kind: str) -> None:
    study = study_of([10.0, 20.0, 30.0, 25.0, 40.0], ("lr", "decay"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its pictures experimental
        axes = pictures._ways(study, "f1", 0)[kind]()
    axes.figure.set_size_inches(8, 4.5)
    pictures._restyle(axes.figure)
    axes.figure.canvas.draw()
    legend = axes.get_legend()
    assert legend is not None
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())
    if kind == "history":
        assert all(float(tick).is_integer() for tick in axes.get_xticks())
    plt.close("all")
