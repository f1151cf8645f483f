"""The training loop against plain torch and transformers, and against itself cut differently."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from transformers import get_linear_schedule_with_warmup

from qaexp.data.batches import collate
from qaexp.errors import DataError, OutOfMemoryError
from qaexp.training.loss import span_loss
from qaexp.training.records import CheckpointDue, EvaluationDue, StepRecord
from qaexp.training.schedules import linear
from tests.fixtures import tiny_training as tiny


def plain_losses(loaded, features, plan, steps, *, alone):
    """The loss of each step of a loop as anyone would write it, with the model's own loss.

    alone: feed features one by one, so that no padding takes part in transformers' loss.
    """
    model, tokenizer = loaded.model, loaded.tokenizer
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3)
    scheduler = get_linear_schedule_with_warmup(optimizer, math.ceil(0.1 * steps), steps)
    batches = [indices for epoch in range(4) for indices in plan.epoch(features.lengths, epoch)][:steps]
    found = []
    model.train()
    for indices in batches:
        parts = np.split(indices, len(indices)) if alone else [indices]
        loss = torch.zeros(())
        for part in parts:
            batch = collate(
                features, part, pad_token_id=tokenizer.pad_token_id, padding_side="right", with_token_types=True
            )
            loss = loss + model(**batch).loss * len(part) / len(indices)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        found.append(loss.item())
    return found


def linear_with_warmup(horizon):
    return linear(horizon, warmup_ratio=0.1)


def test_losses_of_20_steps_equal_a_plain_loop_over_transformers_loss() -> None:
    """Features of one length, so that a batch has no padding and transformers' own loss can be taken as it is."""
    features = tiny.make_features(tiny.make_model(), shortest=30, longest=30)
    assert len(set(features.lengths)) == 1
    trainer, state = tiny.start(tiny.make_model(), features, schedule=linear_with_warmup, epochs=4, max_steps=20)
    expected = plain_losses(tiny.make_model(), features, tiny.fixed_plan(), 20, alone=False)
    np.testing.assert_allclose(tiny.losses(trainer, state), expected, rtol=0, atol=1e-5)


def test_padding_takes_no_part_in_the_loss() -> None:
    """Padded batches of unequal features: the losses of 20 steps equal transformers' loss of each feature alone."""
    features = tiny.make_features(tiny.make_model())
    assert len(set(features.lengths)) > 10
    trainer, state = tiny.start(tiny.make_model(), features, schedule=linear_with_warmup, epochs=4, max_steps=20)
    expected = plain_losses(tiny.make_model(), features, tiny.fixed_plan(), 20, alone=True)
    np.testing.assert_allclose(tiny.losses(trainer, state), expected, rtol=0, atol=1e-5)


def test_any_cut_into_micro_batches_gives_the_same_steps() -> None:
    found = []
    for size, accumulation in ((8, 1), (4, 2), (2, 4)):
        trainer, state = tiny.start(plan=tiny.fixed_plan(size, shuffle=False), gradient_accumulation_steps=accumulation)
        found.append(train_and_tell(trainer, state))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-6, atol=1e-6)


def train_and_tell(trainer, state):
    return [(r.loss, r.num_tokens, r.num_features, r.learning_rate) for r in tiny.train(trainer, state)[0]]


def test_same_seed_same_bytes_and_another_seed_others() -> None:
    def run(order=0, dropout=0):
        torch.manual_seed(np.random.default_rng().integers(2**31))
        plan = tiny.fixed_plan(seed=order)
        trainer, state = tiny.start(tiny.make_model(dropout=0.1), plan=plan, dropout_seed=dropout)
        records = list(trainer.train(state))
        return tiny.digest(state.model), records

    assert run() == run()
    assert run()[0] != run(dropout=1)[0]
    assert run()[0] != run(order=1)[0]


def test_what_the_consumer_does_between_steps_changes_nothing() -> None:
    trainer, state = tiny.start(tiny.make_model(dropout=0.1))
    tiny.train(trainer, state)
    other_trainer, other = tiny.start(tiny.make_model(dropout=0.1), log_every=3)
    for _ in other_trainer.train(other):
        other.model.eval()
        torch.manual_seed(99)
    assert tiny.digest(other.model) == tiny.digest(state.model)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["3", "5 E1", "6", "9", "10 E2."]),
        ({"log_every": 4, "eval_every": 4}, ["4 e1", "5 c", "8 e2", "10 E2. c"]),
        ({"log_every": 5}, ["5 E1", "10 E2."]),
        ({"max_steps": 7}, ["3", "5 E1", "6", "7 e2."]),
        ({"eval_every": 100}, ["3", "5 c", "6", "9", "10 E2. c"]),
        ({"checkpoint_every": 3}, ["3 c", "5 E1", "6 c", "9 c", "10 E2."]),
        ({"checkpoint_every": 5}, ["3", "5 E1 c", "6", "9", "10 E2. c"]),
        ({"epochs": 0}, ["0 e0."]),
        ({"gradient_accumulation_steps": 2}, ["3 E1", "6 E2."]),
    ],
)
def test_records_come_when_they_are_due(settings, expected) -> None:
    """`5 E1`: step 5 ends epoch 1 and is evaluated; a small e is inside the epoch; a dot is the last; c: store."""
    trainer, state = tiny.start(**{"log_every": 3, **settings})
    told: dict[int, str] = {}
    for record in trainer.train(state):
        text = told.get(record.step, str(record.step))
        if isinstance(record, CheckpointDue):
            text += " c"
        if isinstance(record, EvaluationDue):
            text += f" {'E' if record.is_epoch_end else 'e'}{record.epoch}{'.' if record.is_last else ''}"
        told[record.step] = text
    logged = [text for step, text in told.items() if step % trainer.settings.log_every == 0 or " " in text]
    assert logged == expected
    assert all(earlier < later for earlier, later in pairwise(told))


def test_step_records_are_due_at_log_every_and_at_the_last_step() -> None:
    trainer, state = tiny.start(log_every=4)
    records, _ = tiny.train(trainer, state)
    assert [record.step for record in records] == [4, 8, 10]
    assert [record.epoch for record in records] == [1, 2, 2]
    assert records[-1].num_features == 80
    assert records[-1].num_tokens == 2 * state.setup.feed.features.num_tokens


def test_nothing_trained_is_one_evaluation() -> None:
    trainer, state = tiny.start(epochs=0)
    assert list(trainer.train(state)) == [EvaluationDue(0, 0, None, None, is_epoch_end=False, is_last=True)]


def test_record_loss_is_the_mean_over_the_features_since_the_last_record() -> None:
    features = tiny.make_features(tiny.make_model(), 37)  # the last micro-batch has 5 features, not 8
    fine, _ = tiny.train(*tiny.start(tiny.make_model(), features, epochs=1))
    coarse, due = tiny.train(*tiny.start(tiny.make_model(), features, epochs=1, log_every=100))
    mean = np.average([r.loss for r in fine], weights=[8, 8, 8, 8, 5])
    assert len(coarse) == 1
    assert coarse[0].loss == pytest.approx(mean, abs=1e-9)
    assert due[-1].train_loss == pytest.approx(mean, abs=1e-9)


def test_train_accuracy_counts_features_with_both_positions_right() -> None:
    """With the weights held still, the epoch's accuracy is that of the model on each feature alone."""
    loaded = tiny.make_model()
    features = tiny.make_features(loaded)
    trainer, state = tiny.start(loaded, features, epochs=12)
    tiny.train(trainer, state)  # so that some are right and some are not
    still = torch.optim.SGD
    trainer, state = tiny.start(loaded, features, epochs=1, optimizer=lambda groups, lr=0.0: still(groups, lr=lr))
    due = tiny.train(trainer, state)[1][-1]
    right = 0
    for index in range(len(features)):
        row = features.row(index)
        output = loaded.model(
            input_ids=torch.tensor([row["input_ids"]]), token_type_ids=torch.tensor([row["token_type_ids"]])
        )
        start, end = output.start_logits.argmax().item(), output.end_logits.argmax().item()
        right += (start, end) == (row["start_position"], row["end_position"])
    assert 0 < right < len(features)
    assert due.train_accuracy == pytest.approx(100 * right / len(features))


def test_span_loss_ignores_padding_on_either_side() -> None:
    logits = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]])
    loss, num_correct = span_loss(logits, logits, mask, torch.tensor([0, 1]), torch.tensor([2, 4]))
    own = [torch.log_softmax(logits[0, :3], 0), torch.log_softmax(logits[1, 1:], 0)]
    expected = -(own[0][0] + own[0][2] + own[1][0] + own[1][3]) / 2
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    assert num_correct.item() == 0


def test_gradient_checkpointing_changes_no_loss() -> None:
    plain = tiny.losses(*tiny.start(tiny.make_model(dropout=0.1), attention="plain"))
    saving = tiny.losses(*tiny.start(tiny.make_model(dropout=0.1), gradient_checkpointing=True))
    np.testing.assert_allclose(saving, plain, rtol=0, atol=1e-6)


@pytest.mark.parametrize("limit", [None, 1e6, 1e-3])
def test_clipping_holds_the_norm_and_records_it_before(limit) -> None:
    """One step of plain gradient descent moves the weights by rate x norm, clipped or not."""
    loaded = tiny.make_model()
    before = torch.cat([value.flatten() for value in loaded.model.state_dict().values()]).clone()
    trainer, state = tiny.start(loaded, max_steps=1, max_grad_norm=limit, optimizer=plain_descent)
    record = tiny.train(trainer, state)[0][0]
    after = torch.cat([value.flatten() for value in loaded.model.state_dict().values()])
    moved = (after - before).norm().item()
    assert 1 < record.grad_norm < 10
    assert moved == pytest.approx(0.1 * min(record.grad_norm, limit or math.inf), rel=1e-3)


def plain_descent(groups, lr=0.1):
    return torch.optim.SGD(groups, lr=lr)


def test_no_features_is_said() -> None:
    with pytest.raises(DataError, match=r"data\.train_size"):
        tiny.start(features=tiny.make_features(tiny.make_model(), 0), epochs=1)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUDA out of memory.")])
def test_out_of_memory_says_what_to_lower(monkeypatch, error) -> None:
    trainer, state = tiny.start()
    monkeypatch.setattr(state.setup.accelerator, "backward", lambda loss: (_ for _ in ()).throw(error))
    with pytest.raises(OutOfMemoryError, match=r"batches\.token_budget") as caught:
        list(trainer.train(state))
    assert caught.value.exit_code == 7


def test_records_are_plain_numbers() -> None:
    record = tiny.train(*tiny.start(epochs=1))[0][0]
    assert isinstance(record, StepRecord)
    assert [type(getattr(record, name)) for name in ("step", "epoch", "loss", "learning_rate", "grad_norm")] == [
        int,
        int,
        float,
        float,
        float,
    ]
