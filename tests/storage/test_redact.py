"""No secret reaches a run directory, and nothing that is no secret is lost."""

from __future__ import annotations

import base64
import html
import json
import shlex
import time
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import yaml
from hydra._internal.grammar.utils import escape_special_characters
from omegaconf import OmegaConf

from qaexp.config.schema import leaves
from qaexp.errors import DataError
from qaexp.storage.formats import dotted
from qaexp.storage.redact import REDACTED, Redactor, is_secret_key
from qaexp.storage.secret_names import is_secret_variable
from qaexp.storage.yaml_text import yaml_text
from qaexp.sweeps.job import readable_name
from tests import REPOSITORY
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


def keys_of_the_schema_and_of_conf() -> set[str]:
    keys = {name for name, _, _ in leaves()}
    for path in (REPOSITORY / "conf").rglob("*.yaml"):
        tree = yaml.safe_load(path.read_text())
        package = ".".join(path.relative_to(REPOSITORY / "conf").parts[:-1])
        keys |= {f"{package}.{key}" for key in dotted(tree or {})}
    return keys


def test_no_key_of_ours_is_a_secret() -> None:
    keys = keys_of_the_schema_and_of_conf()
    assert len(keys) > 100
    assert [key for key in sorted(keys) if is_secret_key(key)] == []


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASS",
        "GH_PAT",
        "SLACK_WEBHOOK",
        "OPENAI_KEY",
        "MY_SECRET",
        "PGPASSWORD",
        "MYSQL_PWD",
        "SSHPASS",
        "APIKEY",
        "dbPassword",
        "SENTRY_DSN",
        "AWS_SESSION_TOKEN",
        "BASIC_AUTH",
        "SESSION_COOKIE",
        "AZURE_STORAGE_CONNECTION_STRING",
        "BLOB_SAS",
        "GOOGLE_CREDENTIALS",
        "X_SIGNATURE",
        "PRIVATE_PEM",
        "NPM_PASSPHRASE",
        "BEARER",
        "REDIS_PASSWD",
        *[
            "SECRETKEY",
            "ACCESSKEY",
            "MASTERKEY",
            "SSHKEY",
            "AUTHKEY",
            "DBPASS",
            "DBPWD",
            "DB_PW",
            "ROOTPW",
            "CREDS",
            "AWS_CREDS",
            "GCP_CRED",
        ],
        *[
            "WEBHOOKURL",
            "PASSCODE",
            "OTP",
            "TOTP",
            "MY_PIN",
            "SEED_PHRASE",
            "BACKUP_CODE",
            "RECOVERY_CODES",
            "SIGNING",
            "SESSION",
        ],
        *[
            "MY_SESSION_ID",
            "TOKENVALUE",
            "secretKey",
            "GITLABTOKENS",
            "TLSKEYS",
            "SVCCREDS",
            "dbpass",
            "PASSWORDFILE",
            "BOT_TOKEN2",
        ],
    ],
)
def test_secret_variables(name: str) -> None:
    assert is_secret_variable(name)
    assert Redactor({name: SECRETS[0]}).text(f"it is {SECRETS[0]}") == f"it is {REDACTED}"


@pytest.mark.parametrize(
    "name",
    [
        *[
            "PWD",
            "OLDPWD",
            "HOME",
            "PATH",
            "TOKENIZERS_PARALLELISM",
            "KEYBOARD",
            "KEYBOARD_LAYOUT",
            "AUTHOR",
            "COMPASS",
            "DATA",
            "MONKEY",
        ],
        *[
            "PASSAGE",
            "PASSAGES",
            "BYPASS",
            "BYPASS_CACHE",
            "XDG_SESSION_ID",
            "XDG_SESSION_TYPE",
            "DBUS_SESSION_BUS_ADDRESS",
        ],
        *[
            "DESKTOP_SESSION",
            "LS_COLORS",
            "SEED",
            "RUN_SEED",
            "LANG",
            "SHELL",
            "CREDITS",
            "PINNED",
            "OPTIONS",
            "KEYWORDS",
            "SPIN",
            "TOKENIZER",
        ],
        *[
            "CUDA_VISIBLE_DEVICES",
            "OMP_NUM_THREADS",
            "HF_HOME",
            "SSH_AUTH_SOCK",
            "LEDGER",
            "SITE",
            "BACKUP",
            "EXIT_CODE",
            "PHRASE",
        ],
    ],
)
def test_other_variables(name: str) -> None:
    assert not is_secret_variable(name)


@pytest.mark.parametrize(
    "key",
    ["slice_keys", "id_key", "sort_key", "question_key", "secretary", "passes", "pattern", "author", "max_tokens"],
)
def test_keys_that_only_look_secret(key: str) -> None:
    assert not is_secret_key(key)


MANY_LINES = "first of S3cr3t\nsecond 'of' \"S3cr3t\"\nthird: \u00fc, S3cr3t & more\n"


@pytest.mark.parametrize(
    "written",
    [
        MANY_LINES,
        repr(MANY_LINES),
        json.dumps(MANY_LINES),
        json.dumps(MANY_LINES, ensure_ascii=False),
        quote(MANY_LINES),
        quote_plus(MANY_LINES),
        shlex.quote(MANY_LINES),
        html.escape(MANY_LINES),
        " ".join(MANY_LINES.split()),
        MANY_LINES.splitlines()[1],
        base64.b64encode(MANY_LINES.encode()).decode(),
        "is not an override: " + MANY_LINES[:30] + "...",
        escape_special_characters(MANY_LINES.splitlines()[2]),
        readable_name([MANY_LINES.splitlines()[2]]),
        readable_name([escape_special_characters(MANY_LINES.splitlines()[1])]),
    ],
)
def test_a_secret_of_many_lines_is_found_as_others_write_it(written: str) -> None:
    text = Redactor({"MY_SECRET": MANY_LINES}).text(f"client said {written} and left")
    assert "S3cr3t" not in text
    assert base64.b64encode(MANY_LINES.encode()).decode().rstrip("=") not in text
    assert (text[:12], text[-9:]) == ("client said ", " and left")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("trackers.x.api_key='a b, c'", "trackers.x.api_key=<redacted>"),
        ("+trackers.x.db_pass=one\ntwo\nthree", "+trackers.x.db_pass=<redacted>"),
        (
            'trackers.x={n: 1, password: "a, b}", gh_pat: abc}',
            "trackers.x={n: 1, password: <redacted>, gh_pat: <redacted>}",
        ),
        ("hydra.job.env_set.ANY=1", "hydra.job.env_set.ANY=<redacted>"),
        ("+hydra.job.env_set={A: b, C: d}", "+hydra.job.env_set=<redacted>"),
        ("trackers.x.api_key=${oc.env:MY_KEY}", "trackers.x.api_key=${oc.env:MY_KEY}"),
        ("trackers.x.api_key=null", "trackers.x.api_key=null"),
        ("batches.token_budget=3072", "batches.token_budget=3072"),
        ("name=token", "name=token"),
    ],
)
def test_words_of_a_command_line(word: str, told: str) -> None:
    assert Redactor({}).word(word) == told
    assert Redactor({}).tree(["seed=1", word]) == ["seed=1", told]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://me:p/w:x@host/x", "https://<redacted>@host/x"),
        ("https://host:8080/a@b", "https://host:8080/a@b"),
        ("https://host/x?page=2&token=abc&n=1", "https://host/x?page=2&token=<redacted>&n=1"),
        ("https://h/x?X-Amz-Signature=abc&X-Amz-Date=1", "https://h/x?X-Amz-Signature=<redacted>&X-Amz-Date=1"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer <redacted>"),
        ("{'Authorization': 'Basic abc='}", "{'Authorization': <redacted>}"),
        ("401 for bearer a1b2c3d4e5", "401 for bearer <redacted>"),
        ("{'api_key': 'ab c', 'n': 1}", "{'api_key': <redacted>, 'n': 1}"),
        ("the bearer of this letter", "the bearer of this letter"),
        ("-----BEGIN PRIVATE KEY-----\nab\n-----END PRIVATE KEY-----.", "<redacted>."),
    ],
)
def test_what_gives_a_secret_away_in_a_message(text: str, told: str) -> None:
    assert Redactor({}).text(text) == told


def test_short_values_and_our_own_words_are_replaced_by_their_key_alone() -> None:
    redactor = Redactor({"DB_PASS": "abc", "MY_SECRET": "training", "KEY_FOLDER": "/tmp"}, ["x.api_key=true"])
    assert redactor.text("abc of the training in /tmp is true") == "abc of the training in /tmp is true"
    assert redactor.tree({"db_pass": "abc", "pin": {"my_secret": 12345}}) == {
        "db_pass": REDACTED,
        "pin": {"my_secret": REDACTED},
    }


def test_yaml_is_written_as_omegaconf_writes_it() -> None:
    tree = {
        "texts": [
            "1e3",
            "yes",
            "on",
            "Null",
            "null",
            "",
            " 1",
            "a: b",
            "1_0",
            "inf",
            "x\ny\n",
            "\u00fc",
            "'",
            "0x1F",
            "~",
        ],
        "long": "a word and another word, " * 9,
        "values": [None, True, 1, 1.5, 1e-5, [], {}],
        **yaml.safe_load((REPOSITORY / "conf" / "config.yaml").read_text()),
    }
    assert yaml_text(tree) == OmegaConf.to_yaml(OmegaConf.create(tree))
    assert yaml_text(["seed=1"]) == OmegaConf.to_yaml(["seed=1"])


@pytest.mark.parametrize(
    "piece", ["a.", "{a:", "https://a:", "?a=", "x='", "cookie: a=", "bearer ", "-----BEGIN X PRIVATE KEY-----"]
)
def test_no_text_takes_long(piece: str) -> None:
    began = time.process_time()
    Redactor({"MY_SECRET": SECRETS[0]}).text(piece * (200_000 // len(piece)))
    assert time.process_time() - began < 20  # a hundred times what it takes
