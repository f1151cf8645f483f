"""What to expect of the best of several settings: it is too good by chance, and test questions may confirm it."""

from __future__ import annotations

from qaexp.comparison.shown.first_table import FirstTable
from qaexp.comparison.verdict import BETTER, EQUIVALENT, WORSE
from qaexp.runs.metrics import number_of

_TOLD = {
    BETTER: "confirm that it is better than",
    WORSE: "contradict: there it is worse than",
    EQUIVALENT: "find it equivalent to",
}


def winner_found(table: FirstTable) -> list[str]:
    """Return one sentence about what to expect of the winner, and one about the test questions, where there are any."""
    winner = table.winner
    if winner is None:
        return []
    number, found = number_of(table.metric), []
    shown = number.shown(winner["mean"])
    expected = shown if winner["corrected"] is None else number.shown(winner["corrected"])
    if expected != shown:
        why = f"as the best of {winner['num_settings']} it is too good by chance"
        name = table.name(table.leader)
        found.append(f"With new {winner['corrected_over']} {name} is expected at {expected}, not {shown}: {why}.")
    if winner["confirmed"] is not None:
        told = _TOLD.get(winner["confirmed"]["verdict"], "cannot tell it from")
        difference = f"{number.signed(winner['confirmed']['difference'])} {winner['confirmed']['metric']}"
        found.append(f"The test questions {told} {table.name(table.second)} ({difference}).")
    return found
