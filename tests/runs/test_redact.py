"""No secret reaches a run directory, and nothing that is no secret is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaexp.errors import DataError
from qaexp.runs.redact import REDACTED, Redactor, is_secret_key
from tests.fixtures.open_run import open_run

SECRETS = [f"S3cr3t{n}xyz" for n in range(8)]


@pytest.mark.parametrize(
    "key",
    [
        "hf_token",
        "token",
        "WANDB_API_KEY",
        "apikey",
        "trackers.wandb.api_key",
        "db-password",
        "AWS_SECRET_ACCESS_KEY",
        "hydra.job.env_set.ANY",
        "client_secret",
        "Authorization",
    ],
)
def test_secret_keys(key: str) -> None:
    assert is_secret_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "batches.token_budget",
        "tokens_per_second",
        "tokenizer",
        "num_tokens",
        "key",
        "author",
        "max_answer_length",
        "secretary",
        "optimizer.lr",
    ],
)
def test_other_keys(key: str) -> None:
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    "text",
    [
        "batches.token_budget=3072",
        "optimizer.lr=1e-4",
        "https://huggingface.co/a/b",
        "mail me@example.org",
        "The password: swordfish",
        "token_budget: 3",
    ],
)
def test_other_texts_are_left_alone(text: str) -> None:
    assert Redactor({}).text(text) == text


@pytest.mark.parametrize(
    "tree",
    [
        {"password": None, "hf_token": "", "token_budget": 3072, "tokens": 5},
        {"api_key": "${oc.env:MY_KEY}", "hf_token": "${oc.env:HF_TOKEN}#<redacted>"},
        {"text": "what is the key: C major?", "slice_keys": ["a", "b"], "key": "F1"},
    ],
)
def test_what_tells_nothing_in_a_tree_is_left_alone(tree: dict[str, object]) -> None:
    assert Redactor({}).tree(tree) == tree


def test_values_of_the_environment_are_found_anywhere() -> None:
    redactor = Redactor({"HF_TOKEN": SECRETS[0], "SHORT_TOKEN": "true", "HOME": "/home/somebody"})
    assert redactor.text(f"x{SECRETS[0]}y true /home/somebody") == f"x{REDACTED}y true /home/somebody"


def test_eight_planted_secrets_are_in_no_byte_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", SECRETS[0])
    overrides = [
        f"hf_token={SECRETS[1]}",
        f"hydra.job.env_set.FOO={SECRETS[2]}",
        f"+WANDB_API_KEY='{SECRETS[3]}'",
        f"model.checkpoint=https://me:{SECRETS[4]}@host/x",
    ]
    hydra_yaml = {
        "hydra": {
            "job": {"env_set": {"FOO": SECRETS[2], "BAR": f"a {SECRETS[5]}"}, "chdir": False},
            "overrides": {"task": overrides},
        }
    }
    extra = {
        "trackers": {"wandb": {"api_key": SECRETS[6], "note": f"uses {SECRETS[0]} and token={SECRETS[7]}"}},
        "model": {"checkpoint": f"https://me:{SECRETS[4]}@host/x"},
        "batches": {"token_budget": 3072},
    }
    run = open_run(
        tmp_path / "a",
        extra=extra,
        hydra_files={"hydra.yaml": hydra_yaml},
        environment={"command_line": ["qaexp", "train", *overrides]},
    )

    def fail() -> None:
        run.log.info("with %s and %s", SECRETS[0], SECRETS[6])
        raise DataError(f"401 for https://me:{SECRETS[4]}@host/x with {SECRETS[1]}")

    with pytest.raises(DataError), run:
        fail()
    for path in (path for path in run.directory.rglob("*") if path.is_file()):
        assert [secret for secret in SECRETS if secret.encode() in path.read_bytes()] == [], path
    assert "chdir: false" in (run.directory / ".hydra" / "hydra.yaml").read_text()
    assert '"token_budget": 3072' in (run.directory / "config.json").read_text()
