"""Fixtures that every test may use: the real sample where there is one, a browser, and a quiet machine."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import GOLDEN, REPOSITORY, SAMPLE
from tests.fixtures.browser import NAMES, Browser, executable
from tests.fixtures.processors import INTEL

# One thread: results of tiny models do not depend on the machine, and parallel tests do not fight for cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


THOROUGH = os.environ.get("QAEXP_THOROUGH") == "1"

# What trains, starts processes or opens a browser in most of its tests: `pytest -m "not slow"` leaves it out. Single
# tests are marked where they are.
SLOW = (
    "board/test_page_in_browser.py",
    "commands/test_answer.py",
    "commands/test_board.py",
    "commands/test_compare_urls.py",
    "commands/test_doors.py",
    "commands/test_evaluate.py",
    "commands/test_export.py",
    "commands/test_plot.py",
    "commands/test_reproduce.py",
    "commands/test_rescore.py",
    "commands/test_resume.py",
    "commands/test_serve.py",
    "commands/test_status.py",
    "commands/test_told_before_training.py",
    "commands/test_train.py",
    "commands/test_train_from.py",
    "commands/test_watching.py",
    "commands/test_what_a_folder_is.py",
    "comparison/test_figure_geometry.py",
    "comparison/test_report_in_browser.py",
    "config/test_primary.py",
    "data/test_cache.py",
    "data/test_ondisk.py",
    "experiment/test_experiment.py",
    "experiment/test_number_format.py",
    "experiment/test_trackers.py",
    "experiment/test_tracking.py",
    "export/test_usage.py",
    "faults",
    "relations",
    "reporting/test_page_in_browser.py",
    "reporting/test_reporter.py",
    "serve/test_page_in_browser.py",
    "slurm",
    "stand_in/test_gpu_benchmark.py",
    "stand_in/test_on_stand_in.py",
    "sweeps/test_again.py",
    "sweeps/test_budget.py",
    "sweeps/test_composer.py",
    "sweeps/test_launchers.py",
    "sweeps/test_number_format.py",
    "sweeps/test_pool.py",
    "sweeps/test_presets.py",
    "sweeps/test_pruning.py",
    "sweeps/test_race.py",
    "sweeps/test_ray.py",
    "sweeps/test_recipes.py",
    "sweeps/test_resume_sweep.py",
    "sweeps/test_search.py",
    "sweeps/test_stopped.py",
    "sweeps/test_swept.py",
    "sweeps/test_work.py",
    "test_cli.py",
    "test_completion.py",
    "test_conf.py",
    "test_extending.py",
    "test_own_nodes.py",
    "test_own_stages.py",
    "test_packaging.py",
    "test_processes_stop_together.py",
    "test_python.py",
    "training/test_peak.py",
    "training/test_profiling.py",
)


# Whoever imports it has the stand-in accelerator, for the rest of the process.
collect_ignore = ["stand_in/site"]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker what only the process that was started knows."""
    node.workerinput["is_everything"] = _is_everything(node.config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark whole folders and files as slow; leave long tests out where nobody asked for them."""
    places = [REPOSITORY / "tests" / name for name in SLOW]
    assert all(place.exists() for place in places), "SLOW names a file that is not there any more"
    for item in items:
        if item.get_closest_marker("thorough") or any(item.path.is_relative_to(place) for place in places):
            item.add_marker(pytest.mark.slow)
    if _is_everything(config) and not THOROUGH and "thorough" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]


def _is_everything(config: pytest.Config) -> bool:
    """Whether all tests were asked for, by `pytest` alone, and not those of some folder or file."""
    told = getattr(config, "workerinput", None)
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS if told is None else told["is_everything"]


def _there(folder: Path, variable: str) -> Path:
    if not folder.is_dir():
        pytest.skip(f"needs {folder.name}, which this repository does not ship: set {variable} to its folder")
    return folder


@pytest.fixture(scope="session")
def sample_dir() -> Path:
    """The real SQuAD v2 sample: train.json (3,707 questions) and dev.json (1,152)."""
    return _there(SAMPLE, "QAEXP_SAMPLE")


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """Values that the official script printed for perturbed predictions on the sample's dev.json."""
    return _there(GOLDEN, "QAEXP_GOLDEN")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Every test begins with one thread, whatever a run before it has set."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def auto_is_fp32() -> Iterator[None]:
    """Every test begins on a CPU whose `trainer.precision=auto` is fp32, whatever this one is."""
    with pytest.MonkeyPatch.context() as patch:
        INTEL.stand_in(patch)
        yield


@pytest.fixture(autouse=True)
def own_log_level() -> None:
    """Every test begins with the log as it is outside of a run, whatever a run before it has left open."""
    logging.getLogger("qaexp").setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Feature caches of tests, and what Trackio holds, stay out of the user's home."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("QAEXP_CACHE_DIR", str(folder))
    monkeypatch.setenv("TRACKIO_DIR", str(folder / "trackio"))
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a running browser, which all tests share; they begin with `open`."""
    path = executable()
    if path is None:
        pytest.skip(f"needs a browser: one of {', '.join(NAMES)}")
    found = Browser(path)
    yield found
    found.close()
