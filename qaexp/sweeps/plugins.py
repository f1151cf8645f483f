"""How Hydra finds our sweepers and our launchers, and how a plan's launcher is made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.plugin import Plugin

from qaexp.errors import IntegrityError
from qaexp.sweeps.launcher import LocalLauncher
from qaexp.sweeps.launching import JobLauncher
from qaexp.sweeps.optuna.sweeper import SearchSweeper
from qaexp.sweeps.race.sweeper import RaceSweeper
from qaexp.sweeps.ray_launcher import RayLauncher
from qaexp.sweeps.slurm_launcher import SlurmLauncher
from qaexp.sweeps.sweeper import GridSweeper

PACKAGE = "hydra_plugins.qaexp"
"""Where Hydra believes our plugins to stand: it takes none from elsewhere. The classes keep their own names, so that
workers of other launchers can unpickle what knows them."""

LAUNCHERS: tuple[type[JobLauncher], ...] = (LocalLauncher, SlurmLauncher, RayLauncher)


def register_plugins() -> None:
    """Make our sweepers and our launchers known to Hydra, under names that it takes for those of plugins."""
    plugins: tuple[type[Plugin], ...] = (GridSweeper, SearchSweeper, RaceSweeper, *LAUNCHERS)
    for plugin in plugins:
        Plugins.instance().class_name_to_class[f"{PACKAGE}.{plugin.__name__}"] = plugin


def planned_launcher(stored: Mapping[str, Any]) -> JobLauncher:
    """Make the launcher of a plan again.

    Args:
        stored: Its name and its keywords, as plan.json holds them; without a name it is an older plan's, and local.

    Raises:
        ConfigError: It cannot be had here, or a value is not what it must be.
        IntegrityError: There is no such launcher, or it has no such keyword.
    """
    name = stored.get("name", LocalLauncher.name)
    kinds = {kind.name: kind for kind in LAUNCHERS}
    if name not in kinds:
        raise IntegrityError(f"launcher.name is {name!r}, not one of {', '.join(kinds)}")
    try:
        return kinds[name](**{key: value for key, value in stored.items() if key != "name"})
    except TypeError as error:
        raise IntegrityError(f"launcher: {error}") from error
