"""What goes wrong while a model trains: numbers that are none, memory that is short, items that are broken."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from qaexp.data import batches
from qaexp.model.checkpoint import Checkpoint
from qaexp.runs.checkpoint import verify_checkpoint
from qaexp.runs.kept_checkpoints import find_checkpoints
from qaexp.training import feed, step
from tests.fixtures import tiny_run

# Without dropout, so that a micro-batch in parts makes the same update as a whole one.
WORDS = (
    *tiny_run.DEMO,
    "threads=1",
    "trainer.epochs=2",
    "trainer.checkpoint_every=2",
    "batches=fixed",
    "batches.batch_size=4",
    "trainer.gradient_accumulation_steps=2",
    "model.hidden_dropout=0",
    "model.attention_dropout=0",
    "probes=[]",
)


def spoiled_at(number: int, spoil: Callable[[Any], Any]) -> Callable[..., Any]:
    """In place of `span_loss`: the loss of the n-th micro-batch is spoiled."""
    seen, original = iter(range(1, 10_000)), step.span_loss

    def loss(*args: Any) -> Any:
        found, right = original(*args)
        return (spoil(found) if next(seen) == number else found), right

    return loss


def check_stop(qaexp: Any, name: str, at: int) -> None:
    """The run ended at a step: nothing that is not finite was stored, and what that step read is named."""
    run = qaexp.folder / "outputs" / name
    record, told = tiny_run.read_json(run / "run.json"), tiny_run.read_json(run / "diverged.json")
    assert record["state"] == "failed"
    assert record["error"]["kind"] == "diverged"
    assert [flag["name"] for flag in record["flags"]] == ["not_finite"]
    assert told["step"] == at
    ids = tiny_run.read_json(run / "data.json")["train_ids"]
    assert len(told["example_ids"]) == 8
    assert set(told["example_ids"]) <= set(ids)
    steps = tiny_run.read_lines(run / "metrics.jsonl")
    assert [row["step"] for row in steps] == list(range(1, at))
    assert all(math.isfinite(row["loss"]) for row in steps)
    newest = verify_checkpoint(find_checkpoints(run)[0])
    assert newest.step == at - 1 - (at - 1) % 2 or newest.step == 3 * ((at - 1) // 3)


@pytest.mark.fault("T1")
def test_not_finite(qaexp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny_run.read_lines(qaexp.train("name=whole", *WORDS) / "metrics.jsonl")
    spoils: dict[str, Callable[[Any], Any]] = {
        "nan": lambda loss: loss * math.nan,
        "infinite": lambda loss: loss * math.inf,
        "gradient": lambda loss: loss + (loss * 0).sqrt(),  # the loss is finite, its gradient is not
    }
    for name, spoil in spoils.items():
        with monkeypatch.context() as patch:
            patch.setattr(step, "span_loss", spoiled_at(10, spoil))  # the second micro-batch of step 5
            qaexp.refused(6, "train", f"name={name}", *WORDS, last=("at step 5 of 6", "optimizer.lr"))
        check_stop(qaexp, name, 5)
        run = tiny_run.train(qaexp.folder, name, *WORDS)
        assert tiny_run.read_lines(run / "metrics.jsonl") == whole
        assert tiny_run.read_json(run / "run.json")["resumed_step"] == 4
    with monkeypatch.context() as patch:
        patch.setattr(step, "span_loss", spoiled_at(10, spoils["nan"]))
        run = qaexp.train("name=skipped", *WORDS, "trainer.on_nan=skip:1")
    rows = tiny_run.read_lines(run / "metrics.jsonl")
    assert [row["loss"] is None for row in rows] == [False, False, False, False, True, False]
    assert rows[:4] == whole[:4]
    assert "not_finite" in [flag["name"] for flag in tiny_run.read_json(run / "run.json")["flags"]]
    assert "step 5 of epoch 2" in (run / "train.log").read_text()
    with monkeypatch.context() as patch:
        always = step.span_loss
        patch.setattr(step, "span_loss", lambda *args: (always(*args)[0] * math.nan, always(*args)[1]))
        last = ("at step 3 of 6", "after 2 skipped steps")
        qaexp.refused(6, "train", "name=often", *WORDS, "trainer.on_nan=skip:2", last=last)


def short_at(places: set[int], error: Callable[[], BaseException]) -> Callable[..., Any]:
    """What raises at its n-th calls, and else calls on."""
    seen = iter(range(1, 10_000))

    def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **keywords: Any) -> Any:
            if next(seen) in places:
                raise error()
            return call(*args, **keywords)

        return called

    return wrap


ERRORS: tuple[Callable[[], BaseException], ...] = (
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    lambda: RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
)


@pytest.mark.thorough
@pytest.mark.fault("T2")
def test_out_of_memory(qaexp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny_run.read_lines(qaexp.train("name=whole", *WORDS) / "metrics.jsonl")
    load = Checkpoint.load
    for number, error in enumerate(ERRORS):
        short_forward = short_at({4}, error)
        with monkeypatch.context() as patch:
            patch.setattr(step, "span_loss", short_forward(step.span_loss))
            check_parts(qaexp, f"forward{number}", whole)
        with monkeypatch.context() as patch:
            patch.setattr(torch.Tensor, "backward", short_at({3}, error)(torch.Tensor.backward))
            check_parts(qaexp, f"backward{number}", whole)
        with monkeypatch.context() as patch:
            patch.setattr(torch.optim.AdamW, "_init_group", short_at({1}, error)(torch.optim.AdamW._init_group))
            check_parts(qaexp, f"update{number}", whole)
        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "load", lambda self, *, seed, e=error: limited(load(self, seed=seed), e))
            check_parts(qaexp, f"evaluation{number}", whole, parts=1)
        with monkeypatch.context() as patch:
            patch.setattr(step, "span_loss", short_at(set(range(2, 9000)), error)(step.span_loss))
            done = qaexp.refused(7, "train", f"name=never{number}", *WORDS, last=("one feature of", "MiB", "MiB"))
            assert "step 1 " in done.last_line
    with monkeypatch.context() as patch:
        update = torch.optim.AdamW.step
        patch.setattr(torch.optim.AdamW, "step", lambda self, *a: (update(self, *a), short_at({1}, ERRORS[0])(print)()))
        # From the first step on: a rate of 0 would change no weight.
        words = (*WORDS, "schedule.warmup_ratio=0")
        qaexp.refused(7, "train", "name=half", *words, last=("while the optimizer changed the weights",))


def limited(loaded: Any, error: Callable[[], BaseException]) -> Any:
    """A model that takes at most two rows at once when it is evaluated."""

    def look(module: Any, _: Any, keywords: dict[str, Any]) -> None:
        if not module.training and len(keywords["input_ids"]) > 2:
            raise error()

    loaded.model.register_forward_pre_hook(look, with_kwargs=True)
    return loaded


def check_parts(qaexp: Any, name: str, whole: list[dict[str, Any]], parts: int = 2) -> None:
    """The run gives the losses of one that was never short of memory, each step once, and tells the parts."""
    run = qaexp.train(f"name={name}", *WORDS)
    rows = tiny_run.read_lines(run / "metrics.jsonl")
    assert [row["step"] for row in rows] == [row["step"] for row in whole]
    for row, expected in zip(rows, whole, strict=True):
        assert row["loss"] == pytest.approx(expected["loss"], abs=1e-6)
        assert (row["num_tokens"], row["num_features"]) == (expected["num_tokens"], expected["num_features"])
    assert tiny_run.read_json(run / "run.json")["micro_batch_parts"] == parts
    assert ("did not fit into memory" in (run / "train.log").read_text()) == (parts > 1)


@pytest.mark.fault("T3")
def test_broken_item(qaexp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = batches.collate

    def broken(features: Any, indices: Any, **keywords: Any) -> Any:
        if 7 in indices and keywords["padding_side"] == "right":
            raise ValueError("cannot convert float NaN to integer")
        return original(features, indices, **keywords)

    monkeypatch.setattr(feed, "collate", broken)
    last = ("feature 7 (example 7 of train_ids in data.json", "cannot convert float NaN")
    before = child_pids()  # the server of sweeps, where an earlier test had one
    done = qaexp.call("train", "name=broken", *WORDS)
    assert done.code == 3
    assert [part for part in last if part not in done.last_line] == []
    assert multiprocessing.active_children() == []
    assert child_pids() <= before


def child_pids() -> set[str]:
    """The processes that this one started and that still live."""
    return {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}
