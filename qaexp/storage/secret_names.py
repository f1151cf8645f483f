"""Which names belong to secrets: of config keys, of environment variables, of parameters in a URL."""

from __future__ import annotations

import functools
import re
from itertools import pairwise

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]|\d+|[^\W\d_a-zA-Z]+")

# Words that no harmless name holds, wherever they are in it: `webhook_url`, `secret_id`.
_ALWAYS = frozenset(
    _WORD.findall(
        "secret secrets password passwords passwd passphrase credential credentials apikey apikeys webhook webhooks "
        "bearer authorization dsn cred creds passcode passcodes otp totp"
    )
)
# Words that make a secret of a name that ends with them: `hf_token` is one, `token_budget` is not.
_AT_THE_END = frozenset({"token", "pass", "pwd", "pat", "auth", "cookie", "cookies", "sas", "signature", "jwt", "pem"})
# Endings of a word that is written without a break: `PGPASSWORD`, `hftoken`.
_ENDINGS = ("token", "secret", "password", "passwd", "passphrase", "apikey", "webhook")
# Words that make a secret of an environment variable, where nothing honest is called so.
_OF_VARIABLES = frozenset(
    {*_AT_THE_END, "tokens", "key", "keys", "private", "netrc", "pw", "pin", "signing", "session", "mnemonic"}
)
_BEGINNINGS_OF_VARIABLES = ("apikey", "secret", "token", "webhook", "passw")
# Parts of a variable's word that is written without a break: `SECRETKEY`, `DBPASS`, `WEBHOOKURL`.
_ENDINGS_OF_VARIABLES = (
    *_ENDINGS,
    "key",
    "keys",
    "pass",
    "pwd",
    "pw",
    "cred",
    "creds",
    "tokens",
    "secrets",
    "webhooks",
)
# Words that end or begin like a secret's and are not.
_HONEST_WORDS = frozenset(
    _WORD.findall(
        "bypass compass encompass hotkey hotkeys monkey monkeys overpass surpass trespass turkey underpass donkey "
        "hockey jockey whiskey secretary tokenize tokenizer tokenizers tokenization tokenized"
    )
)
# What a desktop calls the session that somebody is logged into.
_OPEN_NAMES = re.compile(r"XDG_SESSION_\w+|(?:DBUS|DESKTOP|GDM)_?SESSION\w*|SESSION_MANAGER", re.IGNORECASE)
# Words that may follow: `api_key_base64` is as secret as `api_key`.
_AFTERWARDS = frozenset(_WORD.findall("value text string str raw json pem b base hex old new current"))
# What an honest `..._key` is the key of; any other key opens something.
_HONEST_KEYS = frozenset(
    _WORD.findall(
        "answer by cache class column config context data dev dict export feature field foreign group hash id index "
        "join label lookup map metric name objective order param partition primary question result row slice sort "
        "split state str sweep table test text title train unique value"
    )
)
_PAIRS = frozenset({("api", "key"), ("connection", "string")})
_PAIRS_OF_VARIABLES = frozenset(
    (first, second)
    for first, seconds in {
        "seed": ("phrase",),
        "backup": ("code", "codes"),
        "recovery": ("code", "codes", "phrase"),
    }.items()
    for second in seconds
)
# Folders, a socket, and the public key that the images of Python are signed with.
_NO_SECRETS = frozenset({"PWD", "OLDPWD", "SSH_AUTH_SOCK", "GPG_KEY"})
_PARAMETERS = frozenset({"key", "sig", "signature", "code", "auth", "jwt"})


@functools.lru_cache(maxsize=4096)
def is_secret_key(key: str) -> bool:
    """Say whether the value of a (dotted) config key must not be stored: by its own name, or its place in `env_set`.

    >>> is_secret_key("hf_token"), is_secret_key("trackers.wandb.apiKey"), is_secret_key("batches.token_budget")
    (True, True, False)
    >>> is_secret_key("trackers.mine.openai_key"), is_secret_key("slice_key"), is_secret_key("key")
    (True, False, False)
    """
    if ".env_set." in f".{key}":
        return True
    words = _words(key.rpartition(".")[2])
    return _holds_a_secret(words) or _ends_secretly(words)


@functools.lru_cache(maxsize=4096)
def is_secret_variable(name: str) -> bool:
    """Say whether the value of an environment variable must not be shown: any word of its name is enough.

    >>> [is_secret_variable(name) for name in ("GH_PAT", "PGPASSWORD", "OPENAI_KEY", "PWD", "HOME")]
    [True, True, True, False, False]
    """
    if name.upper() in _NO_SECRETS or _OPEN_NAMES.fullmatch(name):
        return False
    words = _words(name)
    return (
        _holds_a_secret(words)
        or not _OF_VARIABLES.isdisjoint(words)
        or not _PAIRS_OF_VARIABLES.isdisjoint(pairwise(words))
        or any(map(_is_secret_word, words))
    )


def is_secret_parameter(name: str) -> bool:
    """Say whether a parameter of a URL lets in whoever has it.

    >>> [is_secret_parameter(name) for name in ("token", "X-Amz-Signature", "sig", "page", "revision")]
    [True, True, True, False, False]
    """
    words = _words(name)
    return words[-1:] != [] and (words[-1] in _PARAMETERS or is_secret_key(name.replace(".", "_")))


def _words(name: str) -> list[str]:
    """The words of a name in small letters: split at signs, digits and capitals."""
    return [word.lower() for word in _WORD.findall(name)]


def _holds_a_secret(words: list[str]) -> bool:
    return (
        not _ALWAYS.isdisjoint(words)
        or any(word.endswith(_ENDINGS) and word not in _AT_THE_END for word in words)
        or not _PAIRS.isdisjoint(pairwise(words))
    )


def _is_secret_word(word: str) -> bool:
    """Whether a word of a variable's name begins or ends as a secret's, with nothing between that splits it."""
    is_part = word.startswith(_BEGINNINGS_OF_VARIABLES) or word.endswith(_ENDINGS_OF_VARIABLES)
    return is_part and word not in _HONEST_WORDS


def _ends_secretly(words: list[str]) -> bool:
    """Whether it ends with a secret's word, or as a key that opens something; a column may be called `..._key` too."""
    words = words[: _end(words)]
    is_key = len(words) > 1 and words[-1] == "key" and words[-2] not in _HONEST_KEYS
    return is_key or not _AT_THE_END.isdisjoint(words[-1:])


def _end(words: list[str]) -> int:
    """Where the words end that name something: what follows them says only how it is written."""
    end = len(words)
    while end > 1 and (words[end - 1] in _AFTERWARDS or words[end - 1].isdigit()):
        end -= 1
    return end
