"""What a config may name, and what it may not."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from qaexp.config.build import build
from qaexp.errors import ConfigError, IntegrityError

REFUSED = [
    "os.system", "posix.system", "builtins.eval", "subprocess.Popen", "functools.partial", "shutil.rmtree",
    "torch.load", "torch.hub.load", "torch.optim.optimizer.torch.hub.load", "torch.optim.Optimizer.__init__",
    "transformers.AutoModel.from_pretrained", "transformers.AutoModel", "torch.optim.lr_scheduler.LambdaLR",
    "qaexp.runs.files.os.system", "qaexp.errors.Sequence", "qaexp.config.build.import_module", "", None, 3,
    "qaexp", "importlib.import_module", "hydra.utils.instantiate", "qaexp.runs.files.Path.unlink",
]  # fmt: skip


@pytest.mark.parametrize("target", REFUSED)
def test_other_targets_are_refused(target: object) -> None:
    with pytest.raises(IntegrityError, match="refused") as caught:
        build({"_target_": target})
    assert caught.value.exit_code == 8


def test_nothing_is_called_for_a_hidden_target(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    hidden = {"_target_": "pathlib.Path.touch", "self": str(canary)}
    for node in (
        {"_target_": "torch.optim.SGD", "_partial_": True, "lr": hidden},
        {"_target_": "torch.optim.SGD", "_partial_": True, "lr": [hidden]},
        {"_target_": "torch.optim.SGD", "_partial_": True, "lr": {"deep": {"deeper": hidden}}},
        {"_target_": "torch.optim.SGD", "_partial_": True, "_args_": [hidden]},
    ):
        with pytest.raises(IntegrityError):
            build(node)
    assert not canary.exists()


def test_optimizers_and_our_own_are_built() -> None:
    factory = build({"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5})
    assert isinstance(factory, partial)
    assert factory.keywords == {"lr": 0.5}
    assert build({"_target_": "qaexp.errors.ConfigError"}).exit_code == 2


def test_a_wrong_keyword_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean momentum"):
        build({"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5, "momentun": 0.9})


def test_a_target_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        build({"_target_": "qaexp.training.optim.no_such_schedule"})


def test_users_widen_the_list_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"_target_": "fractions.Fraction", "numerator": 1}
    with pytest.raises(IntegrityError):
        build(node)
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", "fractions.")
    assert build(node) == 1
