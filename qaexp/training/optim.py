"""The node `optimizer`: parameter groups with their own rates, and Muon and AdamW as one optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import AdamW, Optimizer

from qaexp.errors import ConfigError
from qaexp.model.layers import HEAD, depths, is_embedding, is_head

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Group = dict[str, Any]


def parameter_groups(model: PreTrainedModel, *, lr: float, weight_decay: float, layer_decay: float) -> list[Group]:
    """Sort a model's trainable parameters into groups with the same settings.

    Biases and norms (all 1-D parameters) get no weight decay. A parameter k layers below the head gets
    `lr * layer_decay**k`: the head k = 0, the top layer 1, the embeddings one below the first layer (ELECTRA, Clark
    et al., 2020).

    Args:
        model: The model.
        lr: Learning rate of the head.
        weight_decay: Weight decay of matrices.
        layer_decay: 1 for the same rate everywhere.

    Returns:
        Groups with `params`, `lr`, `initial_lr` (what a schedule multiplies), `weight_decay` and `hidden_matrices`
        (True for the 2-D weights inside the layers, which Muon is made for).
    """
    depth_of = depths(model) if layer_decay != 1 else {}
    groups: dict[tuple[float, bool, bool], Group] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = lr * layer_decay ** depth_of.get(name, HEAD)
        decays = parameter.ndim > 1
        hidden = parameter.ndim == 2 and not is_head(model, name) and not is_embedding(model, name)
        group: Group = {
            "params": [],
            "lr": rate,
            "initial_lr": rate,
            "weight_decay": weight_decay if decays else 0.0,
            "hidden_matrices": hidden,
        }
        groups.setdefault((rate, decays, hidden), group)["params"].append(parameter)
    return list(groups.values())


def make_optimizer(factory: Callable[..., Optimizer], model: PreTrainedModel, *, layer_decay: float) -> Optimizer:
    """Build the optimizer of a model.

    Args:
        factory: The built node `optimizer`; takes parameter groups, and holds its other keywords.
        model: The model, on its training device.
        layer_decay: See `parameter_groups`.

    Raises:
        ConfigError: The optimizer refuses a value, or has no learning rate.
    """
    lr, weight_decay = _rates(factory)
    groups = parameter_groups(model, lr=lr, weight_decay=weight_decay, layer_decay=layer_decay)
    return _built(factory, groups, " (debug.log in the run directory has the traceback)")


def check_optimizer(factory: Callable[..., Optimizer]) -> None:
    """Build an optimizer for two small parameters, so that it refuses bad settings before a run directory exists.

    Only those of torch and qaexp are checked: others may accept nothing but real models.

    Raises:
        ConfigError: See `make_optimizer`.
    """
    lr, weight_decay = _rates(factory)
    owner = str(getattr(getattr(factory, "func", factory), "__module__", ""))
    if owner.partition(".")[0] not in ("torch", "qaexp"):
        return
    shared = {"lr": lr, "initial_lr": lr}
    matrix, bias = (torch.nn.Parameter(torch.zeros(shape)) for shape in ((2, 2), (2,)))
    groups: list[Group] = [
        {"params": [matrix], **shared, "weight_decay": weight_decay, "hidden_matrices": True},
        {"params": [bias], **shared, "weight_decay": 0.0, "hidden_matrices": False},
    ]
    _built(factory, groups, "")


def _rates(factory: Callable[..., Optimizer]) -> tuple[float, float]:
    """The learning rate and the weight decay that a factory holds."""
    keywords = inspect.signature(factory).parameters
    if "lr" not in keywords or keywords["lr"].default is inspect.Parameter.empty:
        raise ConfigError("optimizer.lr is not set; add `lr:` to the optimizer's YAML file")
    return keywords["lr"].default, keywords["weight_decay"].default if "weight_decay" in keywords else 0.0


def _built(factory: Callable[..., Optimizer], groups: list[Group], where: str) -> Optimizer:
    try:
        return factory(groups)
    except Exception as error:  # each optimizer refuses in its own way: betas=[0.9] is an IndexError of AdamW
        name = getattr(getattr(factory, "func", factory), "__name__", str(factory))
        nulls = [f"optimizer.{key}" for key, value in getattr(factory, "keywords", {}).items() if value is None]
        hint = f" ({', '.join(nulls)}: null)" if nulls else ""
        raise ConfigError(
            f"optimizer: {name} refuses its settings ({type(error).__name__}: {error}); change them in optimizer.*"
            f"{hint}{where}"
        ) from error


class Muon(Optimizer):
    """Muon for the matrices inside the layers and AdamW for the rest, as one optimizer with one state_dict.

    `torch.optim.Muon` takes 2-D parameters only, and its author advises AdamW for embeddings, head, biases and norms
    (Jordan, 2024). Its updates are scaled to the size of AdamW's (Liu et al., "Muon is scalable", 2025), so that one
    learning rate serves both.

    Args:
        params: Groups from `parameter_groups`; those with `hidden_matrices` go to Muon.
        lr: Learning rate of groups without their own.
        weight_decay: Decoupled weight decay, likewise.
        momentum: Share of a matrix's last update that is kept.
        nesterov: Whether to look ahead along the momentum.
        ns_steps: Newton-Schulz iterations that make an update orthogonal.
        betas: Of AdamW.
        eps: Of AdamW.
    """

    def __init__(
        self,
        params: Iterable[Group],
        *,
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self._muon: dict[str, Any] = {"momentum": momentum, "nesterov": nesterov, "ns_steps": ns_steps}
        self._adamw: dict[str, Any] = {"betas": tuple(betas), "eps": eps}
        self._share()

    def _share(self) -> None:
        """Give each group to its optimizer; groups and state are shared objects, so no copy can go stale."""
        matrices = [group for group in self.param_groups if group["hidden_matrices"]]
        others = [group for group in self.param_groups if not group["hidden_matrices"]]
        self._parts: list[Optimizer] = []
        if matrices:
            self._parts.append(torch.optim.Muon(matrices, adjust_lr_fn="match_rms_adamw", **self._muon))
        if others:
            self._parts.append(AdamW(others, fused=True, **self._adamw))
        for part in self._parts:
            part.state = self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state from `state_dict()`."""
        super().load_state_dict(state_dict)
        self._share()

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all parameters once."""
        for part in self._parts:
            part.step(closure)
