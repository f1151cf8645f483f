"""Whose browser may ask: the server's own page, under a name of this machine; programs always may."""

from __future__ import annotations

from ipaddress import ip_address

from starlette.datastructures import Headers

from qaexp.web.refusals import RefusedError


def check_caller(method: str, headers: Headers, own_name: str | None) -> None:
    """Refuse what the page of another site sends from somebody's browser.

    Args:
        method: That of the request.
        headers: Those of the request.
        own_name: The name that the server listens at, where only this machine reaches it: any other one leads here
            because a site had its name point to this machine (DNS rebinding). None: it has whatever names it has.

    Raises:
        RefusedError: 403: another name is asked for, or another site's page asks.
    """
    host, origin = headers.get("host", ""), headers.get("origin")
    if host and own_name is not None and not _is_of_this_machine(host, own_name):
        raise RefusedError(
            403,
            f"this server is not called {host[:60]!a}: it listens to this machine alone; ask for localhost, or "
            "start qaexp serve with the --host that others are to reach",
            closes=True,
        )
    is_foreign = origin is not None and origin.lower().partition("://")[2] != host.lower()
    # A link on another site's page may lead to this page; nothing is asked by that.
    if is_foreign or (method == "POST" and headers.get("sec-fetch-site") == "cross-site"):
        raise RefusedError(
            403, "another site's page may not ask; ask from the page of this server, or from a program", closes=True
        )


def _is_of_this_machine(host: str, own_name: str) -> bool:
    """Whether a Host header, with or without a port, names this machine itself.

    >>> [_is_of_this_machine(host, "mybox") for host in ("localhost:8000", "[::1]:80", "127.0.0.1", "MyBox:1", "evil")]
    [True, True, True, True, False]
    """
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    name = name.lower().rstrip(".")
    if name in ("localhost", own_name.lower()) or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
