"""How a secret may be written: the forms that its value takes in other texts, and the shapes that give one away."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from qaexp.storage.secret_names import is_secret_key, is_secret_parameter

# A shorter value is replaced where its key says so, not wherever the same characters appear.
MIN_LENGTH = 8

# Words of our own texts, which are lost when somebody's variable has them as its value.
_OWN_WORDS = frozenset(
    re.findall(
        r"\w+",
        "anonymous completed disabled evaluation examples features localhost password preempted production question "
        "redacted required tensorboard tiny_random training transformers undefined",
    )
)
_WORDS = re.compile(r"[^\s'\"\\,;{}()\[\]]{12,}")
_MIXED = re.compile(r"(?=.*\d)(?=.*[^\W\d_])")
# What Hydra's grammar writes with a backslash, where it writes a value without quotes.
_SPECIAL = re.compile(r"([\\()\[\]{}:=, \t])")
_NOT_IN_FOLDERS = re.compile(r"[^\w.,=+-]", re.ASCII)
_BREAKS = re.compile(r"\\r|\\n|[\r\n]+")
_LOGIN = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.\-]{0,30}://)(?:[^\s/?#@:'\"<>]*:(?!\d{1,5}(?:[/?#\s]|$))(?:(?!://)[^\s'\"<>])*|[^\s/?#@'\"<>]+)@",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"(?P<left>[?&;#](?P<name>[\w.\-]+)=)(?P<value>[^\s&;'\"<>#]+)")
_HEADER = re.compile(
    r"(?P<left>(?<![\w\-])(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|digest|token)\s+)?)"
    r"(?P<value>[^\s,;\"'<>]+)",
    re.IGNORECASE,
)
_COOKIE = re.compile(
    r"(?P<left>(?<![\w\-])(?:set-)?cookie[\"']?\s*:\s*[\"']?)(?P<value>[^\s=]+=[^\r\n\"']+)", re.IGNORECASE
)
_BEARER = re.compile(r"(?P<left>\bbearer\s+)(?P<value>(?=\S*[\d._~+/=\-])[\w.~+/=\-]{8,})", re.IGNORECASE)
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{22,}|glpat-[\w\-]{20,}"
    r"|xox[abprs]-[A-Za-z0-9\-]{10,}|A[KS]IA[0-9A-Z]{16}|sk-[\w\-]{32,}|eyJ[\w\-]{8,}\.eyJ[\w\-]{8,}\.[\w\-]+)"
)
_WEBHOOK = re.compile(r"(?P<left>https://hooks\.slack\.com/(?:services|workflows)/)(?P<value>[^\s'\"<>]+)")
_PEM = re.compile(r"-----BEGIN (?P<what>[A-Z ]*PRIVATE KEY)-----.*?(?:-----END (?P=what)-----|\Z)", re.DOTALL)


def forms(value: str, *, with_places: bool = False) -> set[str]:
    r"""All texts that reveal a secret wherever they appear: itself, its long lines and words, each as others write it.

    Args:
        value: The secret.
        with_places: The path of something that exists is hidden too.

    >>> sorted(forms("hunter2 & more"))[:3]
    ['aHVudGVyMiAmIG1vcmU', 'hunter2 & more', 'hunter2 &amp; more']
    >>> forms("short"), forms("training"), forms("/tmp")
    (set(), set(), set())
    """
    found: set[str] = set()
    for part in {value, value.strip(), " ".join(value.split()), *_parts(value)}:
        if len(part) >= MIN_LENGTH and part.lower() not in _OWN_WORDS and (with_places or not _is_place(part)):
            found.update(_written(part))
    return {form for form in found if len(form) >= MIN_LENGTH}


def as_folder(text: str) -> str:
    """Return a text as the folder of a sweep's job has it: as every file system takes it.

    >>> as_folder("model.checkpoint=a/b")
    'model.checkpoint=a_b'
    """
    return _NOT_IN_FOLDERS.sub("_", text)


def without_shapes(text: str, redacted: str) -> str:
    """Return a text without logins and keys in URLs, headers that let somebody in, and what is known by its looks.

    >>> without_shapes("https://me:pw@host/x?page=1&sig=ab%3D and Authorization: Bearer abc", "*")
    'https://*@host/x?page=1&sig=* and Authorization: Bearer *'
    """

    def parameter(match: re.Match[str]) -> str:
        return f"{match['left']}{redacted}" if is_secret_parameter(match["name"]) else match[0]

    text = _LOGIN.sub(rf"\g<scheme>{redacted}@", text)
    text = _PARAMETER.sub(parameter, text)
    for pattern in (_HEADER, _COOKIE, _BEARER, _WEBHOOK):
        text = pattern.sub(rf"\g<left>{redacted}", text)
    return _PEM.sub(redacted, _TOKEN.sub(redacted, text))


def secrets_in_url(text: str) -> Iterator[str]:
    """The passwords of the URLs in a text: a message may show one without its URL."""
    # Most texts of a config have neither, and the patterns are slow.
    for match in _LOGIN.finditer(text) if "://" in text else ():
        yield match[0].removeprefix(match["scheme"])[:-1].partition(":")[2]
    for match in _PARAMETER.finditer(text) if "=" in text else ():
        if is_secret_parameter(match["name"]):
            yield match["value"]


def secret_leaves(tree: Any, key: str = "", *, is_inside: bool = False) -> Iterator[str]:
    """The values of a tree under the key of a secret, at any depth, and the passwords of its URLs."""
    is_inside = is_inside or is_secret_key(key)
    if isinstance(tree, dict):
        for name, item in tree.items():
            yield from secret_leaves(item, f"{key}.{name}" if key else str(name), is_inside=is_inside)
    elif isinstance(tree, list | tuple):
        for item in tree:
            yield from secret_leaves(item, key, is_inside=is_inside)
    elif is_inside and tree is not None and not isinstance(tree, bool):
        yield str(tree)
    elif isinstance(tree, str):
        yield from secrets_in_url(tree)


def _parts(value: str) -> Iterator[str]:
    """What of a long secret may appear alone: its lines, and the texts inside JSON."""
    yield from (line.strip() for line in _BREAKS.split(value))
    yield from (word for word in _WORDS.findall(value) if _MIXED.match(word))
    if value.lstrip()[:1] in ("{", "["):
        try:
            yield from _texts(json.loads(value))
        except (ValueError, RecursionError):
            return


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict | list):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from _texts(item)
    elif isinstance(tree, str):
        yield tree
        yield from (line.strip() for line in _BREAKS.split(tree))


def _written(value: str) -> set[str]:
    """A value as code, JSON, YAML, shells, override lines, folders of jobs, URLs, pages and base64 have it."""
    # A lone surrogate means a byte of the environment that is not UTF-8.
    data = (
        value.encode("utf-8", "surrogateescape") if _is_encodable(value) else value.encode("utf-8", "backslashreplace")
    )
    override = _SPECIAL.sub(r"\\\1", value)
    return {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        ascii(value)[1:-1],
        value.replace("'", r"\'"),
        value.replace("'", "''"),
        value.replace('"', '""'),
        shlex.quote(value).strip("'"),
        override,
        as_folder(value),
        as_folder(override),
        quote(data, safe=""),
        quote(data),
        quote_plus(data),
        html.escape(value),
        html.escape(value, quote=False),
        str(html.escape(value)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
        base64.b64encode(data).decode().rstrip("="),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
    }


def _is_encodable(value: str) -> bool:
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _is_place(value: str) -> bool:
    """Whether it is the path of something that exists: it reveals nothing, and messages without it say less."""
    return (
        value.startswith(("/", "~"))
        and len(value) < 4096
        and "\0" not in value
        and os.path.lexists(Path(value).expanduser())
    )
