"""Flags that `qaexp train` does not have, in the words that it has: `--lr 3e-5` is `optimizer.lr=3e-5`."""

from __future__ import annotations

from collections.abc import Sequence

from qaexp.config.checks.habits import in_our_words, said_of
from qaexp.config.checks.other_tools import HABITS, INSTEAD, NOT_NEEDED
from qaexp.config.checks.suggest import did_you_mean, nearest
from qaexp.errors import ConfigError

_FLAGS = (
    "--help", "--hydra-help", "--version", "--resolve", "--run", "--multirun", "--shell-completion", "--cfg",
    "--package", "--config-name", "--config-dir", "--from", "--allow", "--info",
)  # fmt: skip
_CONFIG_PATH = (
    "--config-path (-cp) would take qaexp's own files away; use --config-dir DIR (-cd): your files are added to "
    "qaexp's, and --config-name NAME (-cn) chooses one of them as the config to begin with"
)
_RERUN = (
    "--experimental-rerun would load a pickle, which runs whatever is in it; write --from RUN to begin with the config "
    "of a run, or qaexp reproduce RUN to run it again as it was"
)
_SEE = "(see qaexp train --help)"


def check_flags(words: Sequence[str]) -> None:
    """Refuse flags that there are not, all of them at once.

    Args:
        words: The words after `qaexp train`.

    Raises:
        ConfigError: With a sentence for each.
    """
    problems = [
        sentence
        for place, word in enumerate(words)
        if (sentence := _problem(word, words[place + 1] if place + 1 < len(words) else None)) is not None
    ]
    if problems:
        raise ConfigError(*problems)


def _problem(word: str, following: str | None) -> str | None:
    name, equals, value = word.partition("=")
    if name in ("-cp", "--config-path"):
        return _CONFIG_PATH
    if name == "--experimental-rerun":
        return _RERUN
    if name in _FLAGS or name == "--" or not name.startswith("-"):
        return None
    if not name.startswith("--"):
        # What is not a letter of Hydra's, as -lr: words that argparse would take for several flags are left to it.
        bare = name[1:]
        return _unknown(name, value if equals else following) if bare in HABITS or bare in INSTEAD else None
    if name == "--config":
        return f"{name} is not a flag; write --from FILE, or --config-dir DIR --config-name NAME {_SEE}"
    has_value = bool(equals) or (following is not None and not following.startswith("-") and "=" not in following)
    given = value if equals else following if has_value else None
    return _unknown(name, given)


def _unknown(name: str, given: str | None) -> str:
    bare = name.lstrip("-")
    said, ours = said_of(bare, given), in_our_words(bare, given)
    if ours == NOT_NEEDED:
        return f"{name} is not a flag, and nothing needs it here; leave it out {_SEE}"
    if said and ours is None:
        return f"{name} is not a flag{said} {_SEE}"
    if ours is None and nearest(name, _FLAGS) is None:
        key = _key(bare)
        ours = f"{key}={given or '...'}" if key else None
    if ours is None:
        return f"{name} is not a flag{did_you_mean(name, _FLAGS)} {_SEE}"
    return f"{name} is not a flag{said}; write {ours}, without {name[: len(name) - len(bare)]} {_SEE}"


def _key(name: str) -> str | None:
    """The key or group that a flag of this name most likely means."""
    from qaexp.config.conf import choices, conf_directory
    from qaexp.config.schema import leaves

    groups = [group for group in choices([conf_directory()]) if "/" not in group]
    known = [*(key for key, _, _ in leaves()), *groups, "optimizer.lr", "optimizer.weight_decay", "optimizer.eps"]
    return name if name in known else nearest(name.replace("-", "_"), known)
