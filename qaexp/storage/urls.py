"""URLs of stores for run folders: which are legal, and what is said of one that is not, without fsspec."""

from __future__ import annotations

import re
from collections.abc import Iterator

PROTOCOLS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "oss": "ossfs",
    "oci": "ocifs",
    "tos": "tosfs",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "smb": "smbprotocol",
    "hdfs": "pyarrow",
    "webhdfs": "requests",
    "file": "",
    "memory": "",
}
"""What a URL may begin with, and the package that fsspec needs for it; what wraps others, or only reads, is none."""

_URL = re.compile(r"(?P<protocol>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<rest>.*)", re.DOTALL)
# Here a name before the @ is a container or an account, and no secret.
_WITH_ACCOUNT = ("abfs", "sftp", "ssh", "smb")


def is_url(text: str) -> bool:
    """Whether a word is a URL, or is meant as one, rather than a path.

    >>> is_url("s3://bucket/runs"), is_url("outputs/try"), is_url("what is s3://x")
    (True, False, False)
    """
    return _URL.fullmatch(text) is not None


def protocol_of(url: str) -> str:
    """What a legal URL begins with.

    >>> protocol_of("s3://bucket/runs")
    's3'
    """
    return url.partition("://")[0].lower()


def url_problems(name: str, url: str) -> Iterator[str]:
    """Say why a text is not the URL of a store, if it is not; what may be a secret is not repeated.

    Args:
        name: What it is the value of: a key with `=`, or nothing.
        url: The text.

    >>> list(url_problems("reporter.upload_to=", "s3://bucket/runs"))
    []
    >>> print(*url_problems("", "s3://me:hunter2@bucket"))
    a user or a password stands in the URL, and is not repeated here; credentials come from the environment alone
    """
    found = _URL.fullmatch(url)
    if found is None:
        way_out = f"; write file://{url} for a folder" if url.startswith("/") else ""
        yield f"{name}{_shown(url)} is no URL; give one such as s3://bucket/folder{way_out}"
        return
    protocol, rest = found["protocol"].lower(), found["rest"]
    user = rest.partition("/")[0].rpartition("@")[0]
    if ":" in user or (user and protocol not in _WITH_ACCOUNT):
        where = f"{name.rstrip('=')}: " if name else ""
        yield (
            f"{where}a user or a password stands in the URL, and is not repeated here; credentials come from the "
            "environment alone"
        )
        return
    if "?" in rest or "#" in rest:
        where = f"{name.rstrip('=')}: " if name else ""
        yield f"{where}the URL has a ? or a #, and what follows may be a secret; give the URL of a folder without it"
        return
    if "::" in url or protocol not in PROTOCOLS:
        yield (
            f"{name}{_shown(url)}: no store begins with {protocol}://; it may be one of "
            f"{', '.join(f'{known}://' for known in PROTOCOLS)}"
        )
    elif not rest.strip("/"):
        yield f"{name}{_shown(url)} names no bucket and no folder; give one such as {protocol}://bucket/folder"
    elif any(sign in rest for sign in "*[]\\") or not rest.isprintable() or not _is_plain(rest):
        yield (
            f"{name}{_shown(url)}: a URL has no patterns, no backslash, and no empty, . or .. folder in it; give the "
            "folder itself"
        )


def _is_plain(rest: str) -> bool:
    return {"", ".", ".."}.isdisjoint(rest.strip("/").split("/"))


def _shown(url: str) -> str:
    return url if len(url) <= 200 and url.isprintable() else f"{url[:200]!r}..."
