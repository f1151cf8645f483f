"""A cluster of Ray: whether it is there, how one joins it without a word on the terminal, and what it has room for."""

from __future__ import annotations

import importlib.util
import logging
import secrets
import signal
import socket
from collections.abc import Mapping
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any

from qaexp.errors import ConfigError, Stopped
from qaexp.storage.signals import SIGNALS
from qaexp.storage.start import start, variables
from qaexp.sweeps import forks
from qaexp.sweeps.launcher import num_cores
from qaexp.sweeps.ray_keys import RayKeys

_CLIENT, _CLIENT_PORT = "ray://", 10001
_SECONDS = 5.0


def check_there(keys: RayKeys) -> None:
    """Refuse what cannot be had, before anything is planned.

    Raises:
        ConfigError: Ray is not installed, nobody listens at the address, or this machine is too small.
    """
    spec = importlib.util.find_spec("ray")
    if spec is None or spec.origin is None:
        raise ConfigError("hydra/launcher=ray is not installed; pip install 'qaexp[ray]', or take hydra/launcher=local")
    if keys.address is None:
        _check_size(keys)
    else:
        _check_answer(_found() if keys.address == "auto" else keys.address)


def _found() -> str:
    """The address that `auto` is: that of the variable of Ray, else of the cluster that this machine is in."""
    if named := start().environ.get("RAY_ADDRESS"):
        return named
    from ray._private import services

    try:
        return str(services.canonicalize_bootstrap_address_or_die("auto"))
    except (ConnectionError, ValueError) as error:
        raise ConfigError(
            "hydra.launcher.address=auto: this machine is in no cluster of Ray, or in several; start one (ray start "
            "--head), name one by host:port, or set it to null for one of this machine alone"
        ) from error


def _check_size(keys: RayKeys) -> None:
    cores = keys.machine.get("num_cpus", num_cores())
    if keys.num_cpus > cores:
        raise ConfigError(
            f"hydra.launcher.num_cpus={keys.num_cpus}: this machine has {cores}; set it to at most that, or name a "
            "cluster by hydra.launcher.address"
        )


def _check_answer(address: str) -> None:
    host, colon, port = address.removeprefix(_CLIENT).rpartition(":")
    if not colon and address.startswith(_CLIENT):
        host, port = port, str(_CLIENT_PORT)
    if not host or not port.isdecimal():
        raise ConfigError(f"hydra.launcher.address={address}: is no address; write auto, host:port, or ray://host:port")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"hydra.launcher.address={address}: no cluster of Ray answers there ({error}); start one (ray start "
            "--head), correct the address, or set it to null for one of this machine alone"
        ) from error


@cache
def _token() -> str:
    """What opens the clusters that this process starts, to nobody else."""
    return secrets.token_hex(32)


class Cluster:
    """A cluster that this process has joined, or started."""

    def __init__(self, keys: RayKeys, folder: Path) -> None:
        """Join it.

        Args:
            keys: Which one, and how large a job is.
            folder: Ray puts the folder in which it is started first on the path of the workers' modules, so it is
                started in one without modules.

        Raises:
            ConfigError: It cannot be joined, in Ray's words.
            Stopped: A signal came meanwhile.
        """
        import ray

        self._keys = keys
        self.ray: Any = ray
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            _join(ray, keys, folder)

    @property
    def is_of_this_machine(self) -> bool:
        """Whether it was started for this sweep, so that it does not grow."""
        return self._keys.address is None and self._is_ours

    def room(self) -> int:
        """How many jobs the nodes that are there now have room for, if nobody else used them."""
        resources = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return sum(_fits(self._keys.needed, one) for one in resources)

    def close(self) -> None:
        """Leave it; one that was started here ends."""
        if self._is_ours:
            self.ray.shutdown()


def _fits(needed: Mapping[str, float], resources: Mapping[str, float]) -> int:
    """How many jobs fit onto a node.

    >>> _fits({"CPU": 2, "GPU": 0.5}, {"CPU": 8.0, "GPU": 1.0}), _fits({"GPU": 1}, {"CPU": 8.0})
    (2, 0)
    """
    return min(int(resources.get(name, 0.0) // value) for name, value in needed.items())


def _join(ray: Any, keys: RayKeys, folder: Path) -> None:
    """Call `ray.init`, and take back what it does to this process: handlers of signals, and what it prints."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    logging.getLogger("ray").setLevel(logging.ERROR)
    # What dies is told with its job; log_to_driver=False alone does not keep Ray from printing it, too.
    ray._private.worker._worker_logs_enabled = False
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with chdir(folder), variables(_variables(keys)):
            if keys.address is None:
                ray.init(address="local", include_dashboard=False, **quiet, **keys.machine)
            else:
                ray.init(address=keys.address, **quiet)
    except SystemExit as error:  # by Ray's own handler of SIGTERM
        raise Stopped(signal.SIGTERM) from error
    except Exception as error:  # what Ray raises here has many classes: ConnectionError, RuntimeError, RayError, ...
        where = "be started on this machine" if keys.address is None else f"be joined at {keys.address}"
        raise ConfigError(
            f"hydra/launcher=ray: the cluster cannot {where}: {' '.join(str(error).split())[:300]}; mend that, or take "
            "hydra/launcher=local"
        ) from error
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _variables(keys: RayKeys) -> dict[str, str | None]:
    quiet: dict[str, str | None] = {"RAY_USAGE_STATS_ENABLED": "0"}
    if keys.address is not None:
        return quiet
    # Ray asks for a token by itself; it would write one into the user's home.
    has_own = any(name in start().environ for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    token = {} if has_own else {"RAY_AUTH_MODE": None, "RAY_AUTH_TOKEN": _token()}
    return {**quiet, **forks.same_code(), **token}
