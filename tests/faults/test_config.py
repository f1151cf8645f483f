"""Faults of the command line and of YAML files: typos, ranges, contradictions, hostile files, secrets."""

from __future__ import annotations

import os
import random
import re
import resource
import string
from pathlib import Path
from typing import Any

import pytest

from qaexp.config.checks.overrides import list_keys
from qaexp.config.checks.suggest import nearest
from qaexp.config.compose import compose_config
from qaexp.config.conf import choices, conf_directory
from qaexp.data.demo.generated import demo_file
from qaexp.data.question_files import read_squad_file
from tests.fixtures import tiny_run
from tests.fixtures.checked import check_command_line

THOROUGH = os.environ.get("QAEXP_THOROUGH") == "1"

# --- C1 ---------------------------------------------------------------------------------------------------------------

TYPOS = {
    "lerning_rate=1e-4": "did you mean optimizer.lr?",
    "model.max_lenght=256": "did you mean features.max_length?",
    "trainer.epoch=3": "did you mean trainer.epochs?",
    "optimizer=adamv": "did you mean adamw?",
    "optimzer=adamw": "did you mean optimizer?",
    "trackrs=none": "did you mean trackers?",
    "data.subset=randm": "none of random",
    "+new_key=1": "new_key is not a key",
    "+data.new_key=1": "data.new_key is not a key",
    "~seed": "cannot be left out",
    "tokne=x": "tokne is not a key",
    "nogroup/x=y": "not a group",
    "seed": "is not an override",
    "=3": "has no key before its =",
    "optimizer.lr.x=3": "optimizer.lr.x is not a key",
    "seed=": "seed=",
    "": "is not an override",
}


@pytest.mark.fault("C1")
def test_typos(qaexp: Any) -> None:
    for word, expected in TYPOS.items():
        qaexp.refused(2, "train", *tiny_run.DEMO, word, last=(expected,))
    several = list(TYPOS)[:9]
    done = qaexp.refused(2, "train", *tiny_run.DEMO, *several, says=tuple(TYPOS[word] for word in several))
    assert len(done.err.splitlines()) == len(several)
    assert "To append" not in done.err
    assert list(qaexp.folder.iterdir()) == []

    keys = list_keys(compose_config([]))
    offered = choices([conf_directory()])
    words = [(key, keys) for key in keys] + [
        (name, names) for names in offered.values() for name in names if len(names) > 1
    ]
    draw = random.Random(0)
    tried = right = 0
    while tried < 500:
        word, legal = draw.choice(words)
        typo = one_edit(word, draw)
        if typo not in legal and len(word.rpartition(".")[2]) > 3:
            tried += 1
            right += nearest(typo, [*legal, *offered] if legal is keys else legal) == word
    assert right >= 0.95 * tried, right


def one_edit(word: str, draw: random.Random) -> str:
    """A letter left out, doubled, changed or swapped with its neighbour."""
    place = draw.randrange(len(word.rpartition(".")[0]), len(word) - 1)
    letter = draw.choice(string.ascii_lowercase)
    return draw.choice(
        [
            word[:place] + word[place + 1 :],
            word[:place] + word[place] + word[place:],
            word[:place] + letter + word[place + 1 :],
            word[:place] + word[place + 1] + word[place] + word[place + 2 :],
        ]
    )


# --- C2 ---------------------------------------------------------------------------------------------------------------

NO_NUMBERS = ["nan", "inf", "-inf", ".nan", "1e400", "abc", "''", "true", "[1,2]", "{a: 1}"]
NO_COUNTS = ["1.5", "1e9", "10%", *NO_NUMBERS]
NO_SEEDS = ["-1", str(2**32), str(2**64), str(10**30), "null", *NO_COUNTS]
NO_SIZES = ["0", "-1", "-0.5", "1.7", "10%", "110%", "1.0000001", *NO_NUMBERS]
NO_SHARES = ["2.0", "1.0001", "-0.1", "-1e-9", "10%", *NO_NUMBERS]
NO_DROPOUTS = ["1", "1.0", "1.5", "-0.1", "10%", *NO_NUMBERS]

# Every value that a key cannot have, for every key that such a value is given to.
BAD_VALUES = {
    "optimizer.lr": ["-1", "null", "1e309", "101", "'1e-4x'", *NO_NUMBERS],
    "optimizer.weight_decay": ["-1", "101", "null", *NO_NUMBERS],
    "optimizer.betas": ["[0.9,2.0]", "[0.9]", "abc", "null", "[a,b]", "[-0.1,0.9]", "[nan,0.9]", "[0.9,1]"],
    "optimizer.eps": ["-1", "2", *NO_NUMBERS[:6]],
    "optimizer.fused": ["maybe", "3"],
    "trainer.epochs": ["-3", "1000000000", str(10**30), "null", *NO_COUNTS],
    "trainer.max_steps": ["0", "-1", *NO_COUNTS],
    "trainer.gradient_accumulation_steps": ["0", "-1", "2.5", "null", *NO_COUNTS],
    "trainer.max_grad_norm": ["0", "-1", *NO_NUMBERS],
    "trainer.layer_decay": ["0", "2", "-0.1", "null", *NO_NUMBERS],
    "trainer.log_every": ["0", "-1", "null", *NO_COUNTS],
    "trainer.eval_every": ["0", "-1", *NO_COUNTS],
    "trainer.early_stopping_patience": ["0", "-1", *NO_COUNTS],
    "trainer.profile_steps": ["0", "-1", "1001", *NO_COUNTS],
    "trainer.device": ["gpu", "cuda:x", "''", "cpu:1", "null"],
    "trainer.precision": ["fp8", "32", "''"],
    "trainer.keep": ["first", "true", "''"],
    "trainer.compile": ["maybe", "3"],
    "batches.batch_size": ["0", "-1", *NO_COUNTS],
    "batches.token_budget": ["0", "-1", *NO_COUNTS],
    "schedule.warmup_ratio": NO_SHARES,
    "schedule.warmup_steps": ["-1", "1.5", str(10**30), *NO_NUMBERS],
    "schedule.total_epochs": ["0", "-1", "1e9", *NO_NUMBERS],
    "model.hidden_dropout": NO_DROPOUTS,
    "model.attention_dropout": NO_DROPOUTS,
    "model.freeze_layers": ["-1", "null", *NO_COUNTS],
    "model.checkpoint": ["''", "null", "' '"],
    "seed": NO_SEEDS,
    # Turned round: a seed that follows a bad `seed` is not named again.
    **{f"seeds.{name}": NO_SEEDS[::-1] for name in ("subset", "init", "order", "dropout", "dev")},
    "threads": ["0", "-1", "100000", *NO_COUNTS],
    "data.train_size": NO_SIZES,
    "data.dev_size": NO_SIZES,
    "data.source": ["web", "null"],
    "data.subset": ["randm", "10", "null"],
    "data.on_bad": ["ignore", "true"],
    "features.max_length": ["4", "0", "-1", "384.0", "1e3", str(10**30), "null", *NO_COUNTS],
    "features.doc_stride": ["-1", "99999", str(10**30), "null", *NO_COUNTS],
    "decoding.n_best_size": ["0", "1001", "-1", "null", *NO_COUNTS],
    "decoding.max_answer_length": ["0", "99999", "-1", "null", *NO_COUNTS],
    "probes": ["abc", "null", "[{question: a}]", "[{question: a, context: b, c: d}]", "[{question: ' ', context: b}]"],
    "name": ["true"],
}
# Keys that not every optimizer has.
OTHER_OPTIMIZERS = {
    "sgd": {"optimizer.lr": NO_NUMBERS, "optimizer.momentum": ["-1", "1.1", "null", *NO_NUMBERS]},
    "muon": {"optimizer.lr": NO_NUMBERS, "optimizer.ns_steps": ["0", "2.5", "101", *NO_NUMBERS]},
    "adafactor": {"optimizer.lr": NO_NUMBERS, "optimizer.d": ["nan", "inf"], "optimizer.beta2_decay": ["nan", "-inf"]},
}


def opened(*_: object, **__: object) -> None:
    raise AssertionError("data or model were opened")


@pytest.mark.fault("C2")
def test_ranges_and_types(qaexp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        for stage in ("data.pipeline.DataPipeline._read", "model.checkpoint.Checkpoint.load"):
            patch.setattr(f"qaexp.{stage}", opened)
        check_bad_values(qaexp, BAD_VALUES)
        for name, values in OTHER_OPTIMIZERS.items():
            check_bad_values(qaexp, values, f"optimizer={name}")
        assert list(qaexp.folder.iterdir()) == []
    check_sizes(qaexp)
    check_meanings(qaexp)


def check_bad_values(qaexp: Any, table: dict[str, list[str]], *choices: str) -> None:
    """All at once: in each round every key has its next bad value; thoroughly each value alone as well."""
    for number in range(max(map(len, table.values()))):
        values = {key: values[number % len(values)] for key, values in table.items()}
        done = qaexp.refused(2, "train", *choices, *(f"{key}={value}" for key, value in values.items()))
        told = {word for line in done.err.splitlines() for word in re.split(r"[=: \[]", line)}
        assert [f"{key}={value}" for key, value in values.items() if key not in told] == [], done.err
    for key, values in table.items() if THOROUGH else ():
        for value in values:
            words = (*tiny_run.DEMO, *choices, f"{key}={value}")
            done = qaexp.refused(2, "train", *words, says=(f"qaexp train: {key}",))


def check_sizes(qaexp: Any) -> None:
    """More examples than there are: both splits are named, with how many there are."""
    for number, size in enumerate(("1000000000", "1e9", str(10**30), "100000.0")):
        words = (f"data.train_size={size}", f"data.dev_size={size}")
        done = qaexp.refused(2, "train", f"name=big{number}", *tiny_run.DEMO, *words)
        sizes = [len(read_squad_file(demo_file(split)).examples) for split in ("train", "dev")]
        keys = ("data.train_size", "data.dev_size")
        for line, key, available in zip(done.err.splitlines(), keys, sizes, strict=True):
            assert key in line
            assert f"take at most {available}" in line
    answerable = sum(not example.is_impossible for example in read_squad_file(demo_file("train")).examples)
    words = ("data.subset=answerable", f"data.train_size={answerable + 1}")
    parts = (f"data.train_size={answerable + 1}", f"{answerable} answerable examples", f"take at most {answerable}")
    qaexp.refused(2, "train", "name=answerable", *tiny_run.DEMO, *words, last=parts)


def check_meanings(qaexp: Any) -> None:
    """Values at the border that are legal, and what they mean."""

    def train(name: str, *words: str) -> tuple[Path, dict[str, Any]]:
        run = qaexp.train(f"name={name}", *tiny_run.DEMO, *words)
        return run, tiny_run.read_json(run / "summary.json")

    run, zero = train("zero", "trainer.epochs=0", "data.train_size=0.5", "data.dev_size=1", "seed=4294967295")
    assert (zero["num_steps"], zero["train_loss"], zero["kept_epoch"]) == (0, None, 0)
    assert zero["f1"] is not None
    assert (zero["num_train_examples"], zero["num_dev_examples"]) == (1545, 1)
    assert not (run / "metrics.jsonl").exists()
    assert len((run / "history.csv").read_text().splitlines()) == 2
    run, still = train("still", "trainer.epochs=1", "optimizer.lr=0", "model.hidden_dropout=0", "data.train_size=24.0")
    assert [flag["name"] for flag in tiny_run.read_json(run / "run.json")["flags"]] == ["zero_learning_rate"]
    assert still["num_train_examples"] == 24
    _, short = train("short", "trainer.epochs=1", "trainer.gradient_accumulation_steps=1000000000")
    assert short["num_steps"] == 1


# --- C3 ---------------------------------------------------------------------------------------------------------------

CONTRADICTIONS = {
    ("features.max_length=64", "features.doc_stride=64"): ("features.max_length=64", "features.doc_stride=64", "59"),
    ("features.max_length=64", "features.doc_stride=60"): ("features.max_length=64", "features.doc_stride=60", "59"),
    ("features.max_length=513",): ("features.max_length=513", "512 positions", "model.checkpoint"),
    ("features.max_length=24", "features.doc_stride=4"): (
        "features.max_length=24",
        "decoding.max_answer_length=30",
        "24",
    ),
    ("trainer.precision=fp16",): ("trainer.precision=fp16", "trainer.device=cpu", "fp32"),
    ("trainer=cuda",): ("trainer.device=cuda", "no CUDA GPU", "trainer=cpu"),
    ("trainer.device=cuda:7",): ("trainer.device=cuda:7", "no CUDA GPU"),
    ("batches.batch_size=8",): ("batches.batch_size=8", "batches.token_budget=512", "exactly one"),
    ("batches.token_budget=null",): ("batches.batch_size=null", "batches.token_budget=null", "exactly one"),
    ("batches.shuffle=false",): ("batches.group_by_length=true", "batches.shuffle=true"),
    ("schedule.warmup_steps=10",): ("schedule.warmup_steps=10", "schedule.warmup_ratio", "null"),
    ("data.train_file=a.json",): ("data.train_file=a.json", "data.source=demo", "data=json"),
    ("data=json", "data.train_file=a.json"): ("data.dev_file", "data=json"),
    ("data=squad_v2", "data.train_file=a.json"): ("data.train_file=a.json", "data.source=hub"),
    ("model.sha256=abc", "model.random_weights=true"): ("model.sha256=abc", "model.random_weights=true", "null"),
    ("model.revision=main", "model.random_weights=true"): ("model.revision=main", "model.checkpoint", "null"),
    ("model.freeze_layers=99",): ("model.freeze_layers=99", "2"),
}


@pytest.mark.fault("C3")
def test_contradictions(qaexp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.accelerator.current_accelerator", lambda **_: None)
    for number, (words, parts) in enumerate(CONTRADICTIONS.items()):
        qaexp.refused(2, "train", f"name=c{number}", *tiny_run.DEMO, *words, last=parts)
        assert not list(qaexp.folder.glob("outputs/*/summary.json"))


# --- C4 ---------------------------------------------------------------------------------------------------------------

SGD = "_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\nweight_decay: 0.0\n"
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


def doubled(link: str, levels: int = 30, first: str = "x") -> list[str]:
    """Values of which each is twice the one before: `link` says how `{0}`, the key before, is named in the next."""
    return [first, *(link.format(f"optimizer.a{level - 1}") for level in range(1, levels + 1))]


# Thirty lines that stand for a billion values, by every way to name a value.
BOMBS = {
    "texts": doubled("${{{0}}}${{{0}}}"),
    "lists": doubled("['${{{0}}}','${{{0}}}']"),
    "mappings": doubled("{{l: '${{{0}}}', r: '${{{0}}}'}}"),
    "resolvers": doubled("${{oc.select:{0}}}${{oc.select:{0}}}"),
    "dynamic keys": doubled("'${{{0}}}${{optimizer.${{optimizer.key}}}}${{{0}}}'"),
    "characters": doubled("${{{0}}}" * 50, 2, "x" * 50_000),
    "one text": ["x", "${optimizer.a0}" * 5_000],
}
LEGAL = [*doubled("${{{0}}}${{seed}}", 10), "${optimizer.a0}" * 30]


def as_yaml(values: list[str]) -> bytes:
    lines = [f"a{number}: {value}\n" for number, value in enumerate(values)]
    return (SGD + "key: a0\n" + "".join(lines)).encode()


def as_overrides(values: list[str]) -> list[str]:
    return ["+optimizer.key=a0", *(f"+optimizer.a{number}={value}" for number, value in enumerate(values))]


YAML_FILES: dict[str, tuple[bytes, str]] = {
    "tabs": (SGD.encode() + b"betas:\n\t- 0.9\n", "line 6, column 1"),
    "duplicate key": (SGD.encode() + b"lr: 0.2\n", "duplicate key lr"),
    "latin-1": (SGD.encode() + b"# caf\xe9\n", "line 5 is not UTF-8"),
    "utf-16": (SGD.encode("utf-16"), "is not UTF-8"),
    "NUL": (SGD.encode() + b"\0", "not YAML"),
    "cut off": (SGD.encode() + b"betas: [0.9,", "line 6"),
    "10 MB value": (SGD.encode() + b"x: '" + b"y" * 10_000_000 + b"'\n", "10000"),
    "10 MB keys": (SGD.encode() + b"".join(b"key%d: 0\n" % n for n in range(700_000)), "bytes"),
    "many keys": (SGD.encode() + b"".join(b"k%d: 0\n" % n for n in range(3_000)), "more than 2000 keys"),
    "alias bomb": ((SGD + BOMB).encode(), "more than 2000 keys"),
    **{f"interpolation bomb of {case}": (as_yaml(values), "more than") for case, values in BOMBS.items()},
    "alias in itself": (SGD.encode() + b"x: &a [*a]\n", "is inside itself"),
    "unknown alias": (SGD.encode() + b"x: *nowhere\n", "nowhere"),
    "1000 lists": (SGD.encode() + b"x: " + b"[" * 1000 + b"]" * 1000 + b"\n", "more than 50 levels"),
    "1000 mappings": (SGD.encode() + b"x: " + b"{a: " * 1000 + b"1" + b"}" * 1000 + b"\n", "more than 50 levels"),
    "object": (SGD.encode() + b"x: !!python/object/apply:os.system ['touch canary']\n", "line 5"),
    "object by name": (SGD.encode() + b"x: !!python/name:os.system\n", "line 5"),
    "tag": (SGD.encode() + b"x: !mine y\n", "line 5"),
    "cycle": (SGD.encode() + b"a: ${optimizer.b}\nb: ${optimizer.a}\n", "optimizer.a"),
    "cycle of one": (SGD.encode() + b"a: ${optimizer.a}\n", "optimizer.a"),
    "unknown resolver": (SGD.encode() + b"a: ${eval:1+1}\n", "optimizer.a"),
    "two documents": (SGD.encode() + b"---\n" + SGD.encode(), "line 5"),
    "list": (b"- a\n- b\n", "no mapping"),
    "text": (b"hello\n", "no mapping"),
    "empty": (b"", "optimizer has no _target_"),
    "null": (b"null\n", "no mapping"),
    "wrong kind": (SGD.replace("0.1", "[0.1]").encode(), "optimizer.lr=[0.1]"),
    "1e-5 as a text": (SGD.replace("0.1", "'1e-5'").encode(), "write 1.0e-5"),
}


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def refused_at_once(qaexp: Any, case: str, *words: str, **parts: tuple[str, ...]) -> None:
    """Refused within a second or, on a slow or busy machine, within fifteen times what a typo takes beside it."""
    qaexp.refused(2, *words, **parts)
    spent = qaexp.cpu_seconds
    if spent >= 1:
        qaexp.refused(2, "train", *tiny_run.DEMO, "seeed=1")
        assert spent < 15 * qaexp.cpu_seconds, (case, spent, qaexp.cpu_seconds)


@pytest.mark.fault("C4")
def test_yaml_files(qaexp: Any, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "optimizer").mkdir(parents=True)
    command = ("train", *tiny_run.DEMO, "name=a", "trainer.epochs=0", "--config-dir", str(folder))
    check_command_line([])  # what is loaded once is not the file's cost
    for number, (case, (content, expected)) in enumerate(YAML_FILES.items()):
        # A name of its own for each: a reader may remember a file.
        (folder / "optimizer" / f"mine{number}.yaml").write_bytes(content)
        before = peak_mib()
        refused_at_once(qaexp, case, *command, f"optimizer=mine{number}", says=(expected,))
        assert peak_mib() - before < 200, case
    for case, values in BOMBS.items():
        bombs = [as_overrides(values)]
        if case == "texts":  # Hydra resolves its own node later
            own = [line.replace("optimizer.", "hydra.job.env_set.") for line in bombs[0]]
            bombs += [own, [*bombs[0], "name=${optimizer.a30}"]]
        for words in bombs:
            refused_at_once(qaexp, case, "train", *tiny_run.DEMO, *words, last=("write out what is meant",))
    shown = ("train", "--cfg", "job", "--resolve", *as_overrides(BOMBS["texts"]))
    qaexp.refused(2, *shown, last=("write out what is meant",))
    (folder / "optimizer" / "legal.yaml").write_bytes(as_yaml(LEGAL))
    for config in (
        check_command_line(["optimizer=legal"], config_dir=folder),
        check_command_line(["optimizer=sgd", *as_overrides(LEGAL)]),
    ):
        assert config.optimizer["a10"] == "x" + "0" * 10
        assert config.optimizer["a11"] == "x" * 30
    (folder / "optimizer" / "folder.yaml").mkdir()
    os.mkfifo(folder / "optimizer" / "pipe.yaml")
    for name in ("folder", "pipe"):
        qaexp.refused(2, *command, f"optimizer={name}", last=(f"optimizer has no '{name}'",))
    (folder / "top.yaml").write_text("defaults: [config\n")
    qaexp.refused(2, *command, "-cn", "top", last=("top.yaml: line 2",))
    assert list(qaexp.folder.iterdir()) == []

    for number, (content, key, value) in enumerate(
        [
            (b"\xef\xbb\xbf" + SGD.encode(), "lr", 0.1),
            (SGD.replace("0.1", "1e-5").encode(), "lr", 1e-5),
            (SGD.encode() + b"nesterov: no\n", "nesterov", False),
            (SGD.replace("0.1", "1_0.5e-1").encode(), "lr", 1.05),
        ]
    ):
        (folder / "optimizer" / f"good{number}.yaml").write_bytes(content)
        assert check_command_line([f"optimizer=good{number}"], config_dir=folder).optimizer[key] == value


# --- C6 ---------------------------------------------------------------------------------------------------------------

SECRETS = [f"S3cr3t{letter}{number}xyzzy" for number, letter in enumerate("ABCDEFGH")]


@pytest.mark.fault("C6")
def test_secrets(qaexp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", SECRETS[0])
    monkeypatch.setenv("HF_TOKEN", SECRETS[1])
    monkeypatch.setenv("SOME_ENV", "nothing")
    outputs: list[str] = []

    def call(code: int, *words: str) -> None:
        done = qaexp.call("train", *tiny_run.DEMO, "trainer.epochs=0", *words)
        assert done.code == code, done.err
        outputs.extend([done.out, done.err])

    call(
        0,
        "name=good",
        f"+hydra.job.env_set.SOME_ENV={SECRETS[2]}",
        f"probes=[{{question: 'Is {SECRETS[0]} at https://me:{SECRETS[3]}@host/x?', context: a text}}]",
        "reporter=plots",
    )
    call(2, "name=probe", "probes=[{question: '${oc.env:HF_TOKEN}', context: a text}]")
    call(0, "name=env", "+hydra.job.env_set.MY_PASSWORD=" + SECRETS[4])
    call(2, "name=key", f"hf_token={SECRETS[5]}", f"+WANDB_API_KEY={SECRETS[6]}", f"api_key={SECRETS[7]}")
    call(2, "name=url", f"model.checkpoint=https://me:{SECRETS[3]}@host/x")
    call(2, "name=broken", f"hf_token={SECRETS[5]}}}")
    call(2, "name=value", f"optimizer.lr={SECRETS[0]}", f"seed={SECRETS[1]}")
    call(2, "name=${oc.env:HF_TOKEN}")
    call(2, f"name={SECRETS[0]}-run")
    call(3, "name=file", "data=json", "data.train_file=${oc.env:MY_API_KEY}.json", "data.dev_file=none.json")
    for _ in range(2):
        call(0, "-m", "name=sweep", f"+hydra.job.env_set.A_TOKEN={SECRETS[2]}", "optimizer.lr=0.1,0.2")
    found = {
        (secret, path.relative_to(qaexp.folder))
        for path in qaexp.folder.rglob("*")
        for secret in SECRETS
        if secret in str(path) or (path.is_file() and secret.encode() in path.read_bytes())
    }
    assert found == set()
    assert [secret for secret in SECRETS for text in outputs if secret in text] == []
