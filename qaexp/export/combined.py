"""One model out of several seeds: their averaged weights, or the mean of their logits."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.modeling_outputs import QuestionAnsweringModelOutput

from qaexp.evaluation.question_set import Answering
from qaexp.export.sources import ENSEMBLE, SOUP


@dataclass(frozen=True, slots=True)
class Combined:
    """A model with its tokenizer, as `Answering` wants it."""

    model: Any
    tokenizer: Any
    with_token_types: bool


class MeanOfLogits(torch.nn.Module):
    """Several models as one: each logit is the mean of theirs."""

    def __init__(self, models: Sequence[Any]) -> None:
        """Take the models, which share a tokenizer; the config of the first is that of all."""
        super().__init__()
        self.models = torch.nn.ModuleList(models)
        self.config = models[0].config

    def forward(self, **inputs: torch.Tensor) -> QuestionAnsweringModelOutput:
        """Mean start and end logits, `[batch, length]` each."""
        outputs = [model(**inputs) for model in self.models]
        start = torch.stack([output.start_logits for output in outputs]).mean(dim=0)
        end = torch.stack([output.end_logits for output in outputs]).mean(dim=0)
        return QuestionAnsweringModelOutput(start_logits=start, end_logits=end)


def joined(seeds: Sequence[Answering], how: str | None) -> Answering:
    """One model out of several: `soup`, `ensemble`, or of a single one itself."""
    if how == SOUP:
        return soup(seeds)
    return ensemble(seeds) if how == ENSEMBLE else seeds[0]


def ensemble(seeds: Sequence[Answering]) -> Combined:
    """Join models of one config by the mean of their logits."""
    first = seeds[0]
    model = MeanOfLogits([seed.model for seed in seeds]).eval()
    return Combined(model, first.tokenizer, first.with_token_types)


def soup(seeds: Sequence[Answering]) -> Combined:
    """Average the weights of models of one config (Wortsman et al. 2022, "model soups", the uniform one)."""
    first = seeds[0]
    model = copy.deepcopy(first.model)
    model.load_state_dict(_mean([seed.model.state_dict() for seed in seeds]))
    return Combined(model.eval(), first.tokenizer, first.with_token_types)


def _mean(states: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of each weight, summed in float64; what is no weight, as positions are, is the first one's."""
    found = {}
    for name, first in states[0].items():
        several = [state[name] for state in states]
        is_weight = first.is_floating_point()
        found[name] = torch.stack([one.double() for one in several]).mean(dim=0).to(first.dtype) if is_weight else first
    return found
