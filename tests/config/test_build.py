"""What a config may name, and what it may not."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import yaml

from qaexp.cli import COMMANDS, module_of
from qaexp.config.build import build
from qaexp.config.guards.targets import ADDRESSES, is_optimizer_name
from qaexp.errors import ConfigError, IntegrityError
from qaexp.storage.start import held
from qaexp.training.optim import Muon
from tests import REPOSITORY

REFUSED = [
    "os.system", "posix.system", "builtins.eval", "subprocess.Popen", "functools.partial", "shutil.rmtree",
    "torch.load", "torch.hub.load", "torch.optim.optimizer.torch.hub.load", "torch.optim.Optimizer.__init__",
    "transformers.AutoModel.from_pretrained", "transformers.AutoModel", "torch.optim.lr_scheduler.LambdaLR",
    "qaexp.storage.files.os.system", "qaexp.errors.Sequence", "qaexp.config.build.import_module", "", None, 3,
    "qaexp", "importlib.import_module", "hydra.utils.instantiate", "qaexp.storage.files.Path.unlink",
]  # fmt: skip


@pytest.mark.parametrize("target", REFUSED)
def test_other_targets_are_refused(target: object) -> None:
    for kind in ADDRESSES:
        with pytest.raises(IntegrityError, match="refused") as caught:
            build({"_target_": target}, kind)
        assert caught.value.exit_code == 8


@pytest.mark.parametrize("kind", ADDRESSES)
def test_each_node_names_its_own_and_no_other_s(kind: str) -> None:
    foreign = {name for other, names in ADDRESSES.items() if other != kind for name in names}
    commands = {f"{module_of(name)}.main" for name in COMMANDS}
    for name in {*foreign, *commands, "qaexp.run", "qaexp.errors.ConfigError", "qaexp.sweeps.bodies.train"}:
        with pytest.raises(IntegrityError, match=f"{kind} may name"):
            build({"_target_": name}, kind)
    if kind != "optimizer":
        with pytest.raises(IntegrityError, match=f"{kind} may name"):
            build({"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5}, kind)


def test_the_lists_are_what_conf_names() -> None:
    named: dict[str, set[str]] = {kind: set() for kind in ADDRESSES}
    for file in (REPOSITORY / "conf").rglob("*.yaml"):
        kind, content = file.parent.name, yaml.safe_load(file.read_text("utf-8"))
        if kind in named:
            nodes = content.values() if kind == "trackers" else [content]
            named[kind] |= {node["_target_"] for node in nodes if "_target_" in node}  # others inherit theirs
    libraries = {name for name in named["optimizer"] if is_optimizer_name(name, "optimizer")}
    assert libraries, "conf/ names optimizers of torch"
    assert {kind: names - libraries for kind, names in named.items()} == {k: set(v) for k, v in ADDRESSES.items()}


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
            build(node, "optimizer")
    assert not canary.exists()


def test_optimizers_and_our_own_are_built() -> None:
    factory = build({"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5}, "optimizer")
    assert isinstance(factory, partial)
    assert factory.keywords == {"lr": 0.5}
    assert build({"_target_": "qaexp.training.optim.Muon", "_partial_": True}, "optimizer").func is Muon


def test_a_wrong_keyword_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean momentum"):
        build({"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5, "momentun": 0.9}, "optimizer")


def test_a_target_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        build({"_target_": "torch.optim.NoSuchOptimizer"}, "optimizer")


def test_users_widen_the_list_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"_target_": "fractions.Fraction", "numerator": 1}
    with pytest.raises(IntegrityError):
        build(node, "trackers")
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", "fractions.")
    assert build(node, "trackers") == 1
    with held():
        monkeypatch.setenv("QAEXP_ALLOW_TARGETS", "fractions., decimal.")
        with pytest.raises(IntegrityError):
            build({"_target_": "decimal.Decimal"}, "trackers")


def test_a_package_of_the_user_s_is_no_detour(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It may offer our own class for the node that may name it; what it has imported from elsewhere is not its own."""
    (tmp_path / "detour_of_mine.py").write_text(
        "import os\nfrom pathlib import Path\nfrom qaexp.commands.compare import main\n"
        "from qaexp.training.optim import Muon\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", "detour_of_mine.")
    for name in ("main", "os.system", "Path.touch", "Path", "os.path.join"):
        with pytest.raises(IntegrityError, match="which is"):
            build({"_target_": f"detour_of_mine.{name}"}, "trackers")
    muon = {"_target_": "detour_of_mine.Muon", "_partial_": True}
    assert build(muon, "optimizer").func is Muon
    with pytest.raises(IntegrityError, match="which is"):
        build(muon, "trackers")


def test_a_package_that_is_not_on_the_path_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", "no_such_package.")
    with pytest.raises(ConfigError, match="no module no_such_package can be found; install it, or put its folder on"):
        build({"_target_": "no_such_package.Tracker"}, "trackers")
