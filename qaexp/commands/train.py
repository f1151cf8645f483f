"""`qaexp train`: check the command line, then let Hydra compose each run and hand it to the experiment."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, NoReturn

from qaexp.commands.arguments import TrainArguments, parse_train_arguments
from qaexp.errors import QaexpError


def main(argv: Sequence[str]) -> int:
    """Train one run, or the runs of a sweep.

    Args:
        argv: Overrides and Hydra's flags, in any order.

    Returns:
        0; faults are raised.

    Raises:
        QaexpError: Whatever went wrong, with all problems of a config at once.
    """
    arguments = parse_train_arguments(argv)
    if arguments.wants_help:
        from qaexp.commands.train_help import train_help

        print(train_help())
        return 0
    lines = list(arguments.overrides)
    if arguments.runs:
        from qaexp.config.compose import check_command_line

        config = check_command_line(lines, config_name=arguments.config_name, config_dir=arguments.config_dir)
        if config.name is None:
            lines.append(f"name={_agreed(_time_stamp)}")
    _through_hydra(arguments, lines, _train_composed)
    return 0


def run(*overrides: str) -> dict[str, Any]:
    """Train one run from Python, as `qaexp train` does.

    Args:
        *overrides: Override lines, for example `"data.train_size=100"`.

    Returns:
        The run's summary, as in its summary.json.

    Raises:
        QaexpError: As `qaexp train`.
    """
    from qaexp.config.compose import check_command_line, compose_config, to_config
    from qaexp.experiment import run_experiment

    name = check_command_line(overrides).name or _time_stamp()
    lines = [*overrides, f"name={name}"]
    config = to_config(compose_config(lines))
    return run_experiment(config, Path("outputs", name).resolve(), overrides=lines)


def _through_hydra(arguments: TrainArguments, lines: Sequence[str], task: Callable[[Any], None]) -> None:
    """Run Hydra's own main with the flags in front, where its parser wants them."""
    import hydra

    from qaexp.config.compose import register_schema
    from qaexp.config.conf import CONFIG_NAME, conf_directory

    register_schema()
    sys.argv = ["qaexp train", *arguments.flags, *lines]
    hydra.main(version_base="1.3", config_path=str(conf_directory()), config_name=CONFIG_NAME)(task)()


def _train_composed(composed: Any) -> None:
    """Hydra's task: one job. What it raises ends the process here, since Hydra would print its traceback."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from qaexp.config.compose import to_config
    from qaexp.experiment import run_experiment

    settings = HydraConfig.get()
    is_job = settings.mode is not None and settings.mode.name == "MULTIRUN"
    try:
        config = to_config(composed)
        hydra_files = {
            "config.yaml": OmegaConf.to_yaml(composed),
            "hydra.yaml": OmegaConf.to_yaml(OmegaConf.masked_copy(HydraConfig.instance().cfg, ["hydra"])),  # type: ignore[arg-type]
            "overrides.yaml": OmegaConf.to_yaml(settings.overrides.task),
        }
        run_experiment(
            config,
            Path(settings.runtime.output_dir),
            overrides=list(settings.overrides.task),
            job_name=settings.job.override_dirname if is_job else None,
            hydra_files=hydra_files,
        )
    except QaexpError as error:
        _stop(error)


def _stop(error: QaexpError) -> NoReturn:
    for problem in error.problems:
        print(f"qaexp train: {problem}", file=sys.stderr)
    raise SystemExit(error.exit_code)


def _time_stamp() -> str:
    return f"{datetime.now():%Y-%m-%d_%H-%M-%S}-{token_hex(2)}"


def _agreed(draw: Callable[[], str]) -> str:
    """The same drawn word in every process of a run: rank 0 draws, the others are told."""
    from qaexp.training.processes import broadcast_text, num_processes

    return draw() if num_processes() == 1 else broadcast_text(draw)
