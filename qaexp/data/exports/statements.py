"""What the words of an export say about an answer: that there is none, that a mark is a wrong one, or nothing."""

from __future__ import annotations

import re

_SAYS_NONE = frozenset(
    {"no answer", "noanswer", "unanswerable", "not answerable", "cannot answer", "cannotanswer", "is impossible"}
)
_SAYS_NONE_ABOUT_ANSWERS = frozenset({"impossible", "unanswered", "not answered", "none"})
_ASKS_WHETHER = re.compile(
    r"(is |has |have |with )(an )?(answer|answers|answerable|possible)|answers? exists?|answerable|possible"
)
_ASKS_FOR = re.compile(r"(gold |the )?answers?( text)?")
_ASKS_WHETHER_NOT = re.compile(r"(is |has )?(impossible|no answer|noanswer|unanswerable|not answerable)")
_YES, _NO = frozenset({"yes", "true", "y"}), frozenset({"no", "false", "n"})
_WRONG = re.compile(r"(no|not|non|wrong|incorrect|false|bad|plausible|distractor)\b")


def _plain(words: str) -> str:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", words)
    return re.sub(r"[\W_]+", " ", apart).strip().lower()


def says_none(control: str, word: str) -> bool:
    """Whether a word that was chosen says that a question has no answer.

    Args:
        control: What was asked by it; a bare yes or no speaks of an answer only where the control does.
        word: What was chosen.

    >>> says_none("c", "No answer"), says_none("answerable", "No"), says_none("is_impossible", "yes")
    (True, True, True)
    >>> says_none("lang", "no"), says_none("is_impossible", "no"), says_none("needs_review", "No")
    (False, False, False)
    >>> says_none("answer", "No"), says_none("answer", "none")
    (False, True)
    """
    asked, said = _plain(control), _plain(word)
    if said in _SAYS_NONE:
        return True
    if _ASKS_WHETHER_NOT.fullmatch(asked):
        return said in _YES
    if said in _SAYS_NONE_ABOUT_ANSWERS:
        return _ASKS_WHETHER.fullmatch(asked) is not None or asks_for_an_answer(control)
    return _ASKS_WHETHER.fullmatch(asked) is not None and said in _NO


def says_some(control: str, word: str) -> bool:
    """Whether a word that was chosen says that a question has an answer.

    >>> says_some("answerable", "Yes"), says_some("is_impossible", "no"), says_some("needs_review", "Yes")
    (True, True, False)
    """
    asked, said = _plain(control), _plain(word)
    about = _ASKS_WHETHER if said in _YES else _ASKS_WHETHER_NOT if said in _NO else None
    return about is not None and about.fullmatch(asked) is not None


def asks_for_an_answer(control: str) -> bool:
    """Whether what is typed or chosen in a control is an answer itself, and no word about it.

    >>> asks_for_an_answer("answer"), asks_for_an_answer("has_answer")
    (True, False)
    """
    return _ASKS_FOR.fullmatch(_plain(control)) is not None


def labels_none(label: str) -> bool:
    """Whether the label of a mark says that there is no answer.

    >>> labels_none("NO_ANSWER"), labels_none("ANSWER")
    (True, False)
    """
    return _plain(label) in _SAYS_NONE


def labels_wrong(label: str) -> bool:
    """Whether the label of a mark says that it is not the answer.

    >>> labels_wrong("Not an answer"), labels_wrong("Wrong answer"), labels_wrong("Answer")
    (True, True, False)
    """
    return _WRONG.match(_plain(label)) is not None
