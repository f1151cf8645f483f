"""How Hydra finds our sweepers and our launcher."""

from __future__ import annotations

from hydra.core.plugins import Plugins

from qaexp.sweeps.launcher import LocalLauncher
from qaexp.sweeps.optuna.sweeper import SearchSweeper
from qaexp.sweeps.sweeper import GridSweeper

PACKAGE = "hydra_plugins.qaexp"
"""Where Hydra believes our plugins to stand: it takes none from elsewhere. The classes keep their own names, so that
workers of other launchers can unpickle what knows them."""


def register_plugins() -> None:
    """Make our sweepers and our launcher known to Hydra, under names that it takes for those of plugins."""
    for plugin in (GridSweeper, SearchSweeper, LocalLauncher):
        Plugins.instance().class_name_to_class[f"{PACKAGE}.{plugin.__name__}"] = plugin
