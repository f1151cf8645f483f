"""What `is_impossible` says of a question, in words too, and whether its answers agree."""

from __future__ import annotations

from typing import Any

from qaexp.data.files.cells import YES_NO_READ, read_yes_no
from qaexp.data.files.reading import Record
from qaexp.data.files.validation import MISSING, Faults, describe


def flag_of(record: Record) -> Any:
    """`is_impossible`; in flat rows, whose columns have gaps, null is as good as absent, and words are read."""
    flag = record.fields.get("is_impossible", MISSING)
    if not record.is_flat:
        return flag
    found = read_yes_no(flag)
    return MISSING if found is None else found


def is_flag_read(record: Record, faults: Faults) -> bool:
    """Whether `is_impossible` says yes, no or nothing; what else it says is told, whatever the answers are."""
    flag = flag_of(record)
    if flag is MISSING or isinstance(flag, bool):
        return True
    where = record.place("is_impossible")
    if record.is_flat:
        faults.tell(where, f"is {describe(flag)}, and only {YES_NO_READ} are read there (empty: nothing is said)")
    else:
        faults.mistyped(where, flag, "true or false")
    return False


def is_consistent(record: Record, num_answers: int, faults: Faults, *, is_blank: bool) -> bool:
    """Whether `is_impossible` agrees with the answers; only SQuAD v1 and flat files may leave it out."""
    flag = flag_of(record)
    where = record.place("is_impossible")
    if flag is MISSING:
        if num_answers or record.is_flat or is_blank:
            return True
        faults.tell(where, "is missing and answers is empty; a question without an answer needs is_impossible: true")
    elif flag == (num_answers > 0):
        faults.tell(where, f"is {describe(flag)}, but there are {num_answers} answers")
    else:
        return True
    return False
