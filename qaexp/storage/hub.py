"""Whether the hub can be reached: answered within seconds, for checkpoints and data sets alike.

The libraries retry for 20 to 46 seconds before they report that there is no network.
"""

from __future__ import annotations

import os
import socket
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

# How long a connection may take to open; looking up the name counts.
PROBE_SECONDS = 3.0
# How long the hub may take to answer a question, once it is there.
ANSWER_SECONDS = 5.0
_ON = ("1", "TRUE", "YES", "ON")
_OFFLINE_FLAGS = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


def endpoint() -> str:
    """The address of the hub, for example https://huggingface.co."""
    from huggingface_hub import constants

    return os.environ.get("HF_ENDPOINT", str(constants.ENDPOINT))


def why_not_there() -> str | None:
    """Say why the hub cannot be asked now: it is switched off, or no connection opens; None when it can."""
    from huggingface_hub import constants

    flag = next((name for name in _OFFLINE_FLAGS if os.environ.get(name, "").upper() in _ON), None)
    if flag or constants.HF_HUB_OFFLINE:
        return f"the hub is switched off by {flag or _OFFLINE_FLAGS[0]}"
    return unreachable(endpoint())


def unreachable(url: str) -> str | None:
    """Try to open a connection to a URL's host, or to the proxy before it.

    Args:
        url: For example https://huggingface.co.

    Returns:
        Why no connection was opened within PROBE_SECONDS, or None when one was.
    """
    target = urlsplit(url)
    proxy = getproxies().get(target.scheme)
    if proxy and not proxy_bypass(target.hostname or ""):
        target = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = target.port or (443 if target.scheme == "https" else 80)
    outcome: list[Any] = []

    def connect() -> None:
        try:
            socket.create_connection((target.hostname, port), timeout=PROBE_SECONDS).close()
            outcome.append(None)
        except OSError as error:
            outcome.append(error)

    # Looking a name up has no time limit of its own: a thread that may be left behind gives it one.
    thread = Thread(target=connect, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    if outcome and outcome[0] is None:
        return None
    return f"{target.hostname} cannot be reached ({outcome[0] if outcome else f'no answer in {PROBE_SECONDS:g} s'})"


def first_line(error: Exception) -> str:
    """The first line of a library's error, for a sentence of ours."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
