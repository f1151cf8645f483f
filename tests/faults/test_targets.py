"""Hostile configs, folders and checkpoints: nothing is called that is not on the list."""

from __future__ import annotations

import ast
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from qaexp.config.build import build
from qaexp.config.guards.loggers import refused_loggers
from qaexp.config.guards.targets import ADDRESSES
from qaexp.errors import IntegrityError
from tests import REPOSITORY
from tests.fixtures import tiny_run
from tests.fixtures.checkpoints import TINY_FOLDER

THOROUGH = os.environ.get("QAEXP_THOROUGH") == "1"

TARGETS = [
    "os.system", "posix.system", "os.popen", "os.execv", "os.remove", "posix.unlink", "subprocess.Popen",
    "subprocess.check_output", "builtins.eval", "builtins.exec", "builtins.open", "builtins.__import__",
    "functools.partial", "functools.reduce", "pathlib.Path.touch", "pathlib.Path", "shutil.rmtree", "shutil.copy",
    "importlib.import_module", "runpy.run_path", "pickle.loads", "marshal.loads", "ctypes.CDLL", "code.interact",
    "pdb.run", "webbrowser.open", "urllib.request.urlopen", "socket.create_connection", "multiprocessing.Process",
    "torch.load", "torch.save", "torch.hub.load", "torch.optim.optimizer.torch.hub.load",
    "torch.optim.Optimizer.__init__",
    "torch.optim.lr_scheduler.LambdaLR", "transformers.AutoModel.from_pretrained", "transformers.pipeline",
    "hydra.utils.instantiate", "hydra.utils.call", "omegaconf.OmegaConf.load", "qaexp.storage.files.os.system",
    "qaexp.storage.files.Path.touch", "qaexp.config.build.import_module", "qaexp.commands.train.os.system",
]  # fmt: skip
ALLOW_LIST = "optimizer may name qaexp.nodes.Muon and optimizer classes of torch.optim and transformers"


@pytest.mark.fault("X1")
def test_targets(qaexp: Any, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    demo = (*tiny_run.DEMO, "trainer.epochs=0")
    for target in TARGETS:
        for kind in ADDRESSES:
            with pytest.raises(IntegrityError, match="refused"):
                build({"_target_": target, "_partial_": True}, kind)
    for target in TARGETS if THOROUGH else TARGETS[::8]:
        qaexp.refused(8, "train", *demo, "name=a", f"optimizer._target_={target}", last=(target, ALLOW_LIST))
    hidden = f"{{_target_: pathlib.Path.touch, self: {canary}}}"
    for word in (
        "data._target_=os.system",
        "model._target_=torch.hub.load",
        "trainer._target_=subprocess.Popen",
        "reporter._target_=shutil.rmtree",
        "schedule._target_=builtins.eval",
        f"+optimizer.hidden={hidden}",
        f"+optimizer.hidden=[{hidden}]",
        f"+optimizer.hidden={{deep: [{{deeper: {hidden}}}]}}",
        f"+schedule.hidden={hidden}",
        f"+trackers.evil={hidden}",
        "+optimizer.hidden={_target_: qaexp.errors.ConfigError}",
        "+optimizer._args_=[1]",
        "+optimizer._recursive_=true",
        "name=os.system optimizer._target_=${name}",
        f"+hydra.callbacks.evil={hidden}",
        "+hydra.callbacks.evil._target_=qaexp.storage.files.os.system",
        "hydra.launcher._target_=os.system",
        "hydra.sweeper._target_=functools.partial",
        "+hydra.callbacks.evil._target_=${name}",
        "+hydra.job_logging.handlers.evil.class=subprocess.Popen",
    ):
        words = word.split(" ") if word.startswith("name=") else ["name=a", word]
        qaexp.refused(8, "train", *demo, *words, last=("refused",))
    logger = {"job_logging": {"handlers": {"evil": {"()": "os.system", "command": "touch"}}}}
    assert "()=os.system is refused" in refused_loggers(logger)[0]
    own = tmp_path / "mine"
    (own / "optimizer").mkdir(parents=True)
    for number, text in enumerate(
        [
            "_target_: os.system\n",
            f"_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\nmomentum: {hidden}\n",
            "_target_: ${optimizer.other}\nother: os.system\n",
            "_target_: ${oc.env:EVIL,os.system}\n",
        ]
    ):
        (own / "optimizer" / f"evil{number}.yaml").write_text(text)
        words = ("--config-dir", str(own), f"optimizer=evil{number}")
        qaexp.refused(8, "train", *demo, "name=a", *words, last=("refused",))
    assert [path for path in qaexp.folder.rglob("*") if path.is_file()] == []
    read_back(qaexp, canary)
    assert not canary.exists()


def read_back(qaexp: Any, canary: Path) -> None:
    """Targets in the files of a run are data to every command that reads them."""
    run = qaexp.train("name=run", *tiny_run.DEMO, "trainer.epochs=0")
    hidden = {"_target_": "pathlib.Path.touch", "self": str(canary)}
    for name in ("config.json", "run.json", "env.json", "data.json", "model/qaexp.json"):
        content = tiny_run.read_json(run / name)
        (run / name).write_text(json.dumps({**content, **hidden, "evil": hidden}))
    (run / ".hydra" / "config.yaml").write_text(f"_target_: pathlib.Path.touch\nself: {canary}\n")
    assert tiny_run.call(qaexp.folder, "plot", str(run)).code == 0
    qaexp.refused(8, "rescore", str(run), last=("config.json", "train again"))
    tiny_run.sign(run)
    assert qaexp.call("rescore", str(run)).code == 0
    answered = qaexp.call("answer", str(run), "-q", "Who?", "-c", "It was Anna.")
    assert answered.code == 0, answered.err


@pytest.mark.fault("X6")
def test_code_in_a_checkpoint(qaexp: Any, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    evil = tmp_path / "evil"
    shutil.copytree(TINY_FOLDER, evil)
    (evil / "modeling_evil.py").write_text(f"open({str(canary)!r}, 'w').close()\nclass Evil: pass\n")
    auto_map = dict.fromkeys(("AutoConfig", "AutoModel", "AutoModelForQuestionAnswering"), "modeling_evil.Evil")
    config = tiny_run.read_json(evil / "config.json")
    tokenizer = tiny_run.read_json(evil / "tokenizer_config.json")
    tokenizer["auto_map"] = {"AutoTokenizer": ["modeling_evil.Evil", "modeling_evil.Evil"]}
    (evil / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    words = (*tiny_run.DEMO, "trainer.epochs=0", f"model.checkpoint={evil}")
    for number, change in enumerate(({"auto_map": auto_map}, {"auto_map": auto_map, "model_type": "evil"})):
        (evil / "config.json").write_text(json.dumps({**config, **change}))
        done = qaexp.call("train", f"name=a{number}", *words)
        # A known architecture is built by transformers' own class; an unknown one is refused.
        assert done.code == (2 if "model_type" in change else 0), done.err
        if done.code:
            assert "code inside a checkpoint is never run" in done.last_line
    for word in ("model.trust_remote_code=true", "+model.trust_remote_code=true"):
        qaexp.refused(2, "train", *words, word, last=("model.trust_remote_code is not a key",))
    assert not canary.exists()
    given = [
        ast.unparse(keyword.value)
        for module in (REPOSITORY / "qaexp").rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "trust_remote_code"
    ]
    assert len(given) >= 4
    assert set(given) == {"False"}
