"""The finding in sentences follows the numbers: names, places and order change nothing but names."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st

from qaexp.comparison.compare import Comparison
from qaexp.comparison.shown.document import document
from qaexp.comparison.shown.findings import findings
from qaexp.comparison.verdict import BETTER, WORSE
from tests.fixtures.compared import edit
from tests.relations.studies import NAMES, RATES, NewFolder, Plan, compared, examples, plans
from tests.relations.test_folders_and_names import renamed


def sentences(comparison: Comparison) -> list[str]:
    """The findings; where the run to use stands is its folder's affair."""
    return [re.sub(r"(its best run is .*): /.*", r"\1", found) for found in document(comparison)["findings"]]


@examples(10)
@given(plan=plans(), shuffle=st.integers(0, 99))
def test_order_and_names_of_folders_change_no_sentence(new_folder: NewFolder, plan: Plan, shuffle: int) -> None:
    folder = plan.write(new_folder())
    expected = sentences(compared(folder))
    assert sentences(compared(*sorted(folder.iterdir(), reverse=True))) == expected
    renamed(folder, shuffle)
    assert sentences(compared(folder)) == expected


@examples(10)
@given(plan=plans(groups=(2, 2)))
def test_groups_that_change_places_change_their_names_in_the_sentences_alone(new_folder: NewFolder, plan: Plan) -> None:
    """The same runs, each with the other one's learning rate."""
    expected = sentences(compared(plan.write(new_folder()), baseline=NAMES[0]))
    # Of equal ones the order goes by names.
    assume("have the same crossfit_f1" not in expected[0])
    folder = plan.write(new_folder())
    swap_rates(folder)
    found = sentences(compared(folder, baseline=NAMES[1]))
    assert [swapped(sentence) for sentence in found] == expected


@examples(15)
@given(plan=plans())
def test_better_is_said_only_where_a_verdict_says_it(new_folder: NewFolder, plan: Plan) -> None:
    comparison = compared(plan.write(new_folder()))
    found = document(comparison)
    first = found["findings"][0]
    leader = min((group for group in found["groups"]), key=lambda group: group["number"])
    won = {
        one["a"] if one["b"] == leader["name"] else one["b"]
        for one in found["contrasts"]
        if (one["b"], one["verdict"]) == (leader["name"], BETTER)
        or (one["a"], one["verdict"]) == (leader["name"], WORSE)
    }
    assert first.startswith(f"{leader['name']} is better than ") == bool(won)
    assert ("every other setting" in first) == (len(won) == len(found["groups"]) - 1 > 1)
    assert findings(found) == found["findings"]


def swap_rates(folder: Path) -> None:
    for run in folder.iterdir():
        place = int(run.name[1])
        edit(run / "config.json", optimizer={"lr": RATES[1 - place]})


def swapped(sentence: str) -> str:
    one, other = NAMES[:2]
    return re.sub(f"{one}|{other}", lambda found: other if found[0] == one else one, sentence)
