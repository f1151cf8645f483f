"""The collector looks at what is new alone, and at everything again afterwards, also when the body fails."""

from __future__ import annotations

import gc

import pytest

from qaexp.training.heap import settle, settled_heap


class _Circle:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.self = self


def test_new_garbage_is_collected_and_what_stood_before_is_spared() -> None:
    before = gc.get_freeze_count()
    with settled_heap():
        assert gc.get_freeze_count() > before + 10_000
        circle = _Circle()
        del circle
        assert gc.collect() >= 1
    assert gc.get_freeze_count() == 0


def test_the_heap_is_whole_again_after_a_failure() -> None:
    with pytest.raises(ValueError, match="bad"), settled_heap():
        raise ValueError("bad")
    assert gc.get_freeze_count() == 0


def test_what_is_made_during_the_body_is_spared_from_then_on_and_visited_again_afterwards() -> None:
    with settled_heap():
        before, kept = gc.get_freeze_count(), [_Circle() for _ in range(1000)]
        settle()
        assert gc.get_freeze_count() >= before + len(kept)
    assert gc.get_freeze_count() == 0
