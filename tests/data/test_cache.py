"""The feature cache: nothing stale, nothing damaged, built once by many, and never in anyone's way."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertTokenizer, PreTrainedTokenizerFast

from qaexp.data import cache, cache_folder
from qaexp.data.cache import cached_features, features_key
from qaexp.data.features import Features, build_features
from qaexp.data.squad import Answer, Example
from qaexp.errors import ConfigError, DataError
from tests import REPOSITORY

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "normans", "came", "from", "denmark", "in", "911", "who", "where")
CONTEXT = "The Normans came from Denmark in 911. " * 6
EXAMPLES = (
    Example("1", "Normans", CONTEXT, "Who came?", (Answer("The Normans", 0), Answer("Normans", 4))),
    Example("2", "Normans", CONTEXT, "From where?", (Answer("Denmark", 22),)),
    Example("3", "Normans", "In 911 the Normans came.", "Where?", ()),
)
SETTINGS = {"max_length": 32, "doc_stride": 8}


def make_tokenizer(
    words: tuple[str, ...] = WORDS, lowercase: bool = True, sep: str = "[SEP]", **options: Any
) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing((sep, words.index(sep)), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        **{"tokenizer_object": backend, "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", **options}
    )


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer()


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every build."""
    builds: list[int] = []

    def build(*args: Any, **kwargs: Any) -> Features:
        builds.append(1)
        return build_features(*args, **kwargs)

    monkeypatch.setattr(cache, "build_features", build)
    return builds


@pytest.fixture(autouse=True)
def fresh_warnings() -> Iterator[None]:
    cache_folder.warn_once.cache_clear()
    yield
    cache_folder.warn_once.cache_clear()


def assert_equal(found: Features, expected: Features) -> None:
    assert found.num_truncated_questions == expected.num_truncated_questions
    for name, column in expected.columns().items():
        assert found.columns()[name].dtype == column.dtype, name
        assert np.array_equal(found.columns()[name], column), name


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


def stored_file(folder: Path) -> Path:
    (path,) = (folder / "features").glob("*.safetensors")
    return path


def test_second_time_is_a_hit_with_the_same_features(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, built: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="qaexp"):
        first, is_hit = cached_features(EXAMPLES, tokenizer, **SETTINGS, cache_dir=tmp_path)
        assert not is_hit
        second, is_hit = cached_features(EXAMPLES, tokenizer, **SETTINGS, cache_dir=tmp_path)
    assert is_hit
    assert len(built) == 1
    assert_equal(second, first)
    assert_equal(second, build_features(EXAMPLES, tokenizer, **SETTINGS))
    assert ["built" in record.message for record in caplog.records] == [True, False]
    assert "from the cache" in caplog.records[1].message
    assert {path.suffix for path in (tmp_path / "features").iterdir()} == {".lock", ".safetensors"}


def test_the_environment_names_the_folder(
    tokenizer: PreTrainedTokenizerFast, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAEXP_CACHE_DIR", str(tmp_path / "named"))
    cached_features(EXAMPLES, tokenizer, **SETTINGS)
    assert stored_file(tmp_path / "named").is_file()
    monkeypatch.delenv("QAEXP_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder.default_cache_dir() == tmp_path / ".cache" / "qaexp"


def test_truncation_and_padding_of_the_tokenizer_do_not_matter(tokenizer: PreTrainedTokenizerFast) -> None:
    key = features_key(EXAMPLES, tokenizer, **SETTINGS)
    tokenizer("the normans", truncation=True, max_length=3, padding="max_length")
    assert tokenizer.backend_tokenizer.truncation is not None
    assert features_key(EXAMPLES, tokenizer, **SETTINGS) == key
    assert features_key(list(EXAMPLES), make_tokenizer(), **SETTINGS) == key


def changed_examples() -> Iterator[tuple[str, list[Example]]]:
    for number, example in enumerate(EXAMPLES):
        changes: dict[str, Any] = {
            "id": example.id + "x",
            "title": "normans",
            "question": example.question.lower(),
            "context": example.context.replace("911", "912"),
            "answers": tuple(Answer(answer.text[:-1], answer.start_char) for answer in example.answers),
        }
        if not example.answers:
            changes["answers"] = (Answer("In", 0),)
        for field, value in changes.items():
            yield (
                f"{field} of {number}",
                [*EXAMPLES[:number], dataclasses.replace(example, **{field: value}), *EXAMPLES[number + 1 :]],
            )
    first, second, third = EXAMPLES
    yield "start of an answer", [dataclasses.replace(first, answers=(Answer("Normans", 4),)), second, third]
    yield "order of answers", [dataclasses.replace(first, answers=first.answers[::-1]), second, third]
    yield "no answer", [dataclasses.replace(first, answers=()), second, third]
    yield "order", [second, first, third]
    yield "fewer", [first, second]
    yield "more", [*EXAMPLES, dataclasses.replace(third, id="4")]
    yield "none", []
    yield "moved text", [dataclasses.replace(third, context=third.context + "W", question="here?"), first, second]
    yield "question and context swapped", [dataclasses.replace(third, context="Where?", question=third.context)]


def changed_tokenizers() -> Iterator[tuple[str, PreTrainedTokenizerFast]]:
    yield "one word of the vocabulary", make_tokenizer((*WORDS[:-1], "there"))
    yield "order of the vocabulary", make_tokenizer((*WORDS[:-2], WORDS[-1], WORDS[-2]))
    yield "one word more", make_tokenizer((*WORDS, "when"))
    yield "lowercase", make_tokenizer(lowercase=False)
    yield "padding side", make_tokenizer(padding_side="left")
    yield "truncation side", make_tokenizer(truncation_side="left")
    yield "CLS token", make_tokenizer(cls_token="the")
    yield "PAD token", make_tokenizer(pad_token="the")
    yield "separator in the pair", make_tokenizer(sep="the")
    yield "token types", make_tokenizer(model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    yield "special tokens in texts", make_tokenizer(split_special_tokens=True)
    yield "class", BertTokenizer(vocab={word: number for number, word in enumerate(WORDS)})
    added = make_tokenizer()
    added.add_tokens(["when"])
    yield "added token", added
    special = make_tokenizer()
    special.add_special_tokens({"additional_special_tokens": ["[MASK]"]})
    yield "added special token", special
    no_accents = make_tokenizer()
    no_accents.backend_tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    yield "accents", no_accents
    spaced = make_tokenizer()
    spaced.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    yield "pre-tokenizer", spaced
    prefixed = make_tokenizer()
    prefixed.backend_tokenizer.model = models.WordPiece(
        {word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]", max_input_chars_per_word=5
    )
    yield "option of the model", prefixed


def test_every_change_of_an_input_is_another_key(
    tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = {"as it was": features_key(EXAMPLES, tokenizer, **SETTINGS)}
    for name, examples in changed_examples():
        keys[f"examples: {name}"] = features_key(examples, tokenizer, **SETTINGS)
    for name, other in changed_tokenizers():
        keys[f"tokenizer: {name}"] = features_key(EXAMPLES, other, **SETTINGS)
    for max_length, doc_stride in ((33, 8), (31, 8), (384, 8), (32, 7), (32, 9), (32, 0), (8, 32), (328, 8), (3, 28)):
        keys[f"settings: {max_length}/{doc_stride}"] = features_key(
            EXAMPLES, tokenizer, max_length=max_length, doc_stride=doc_stride
        )
    monkeypatch.setattr(cache, "_FORMAT", "qaexp features 0")
    keys["version of the format"] = features_key(EXAMPLES, tokenizer, **SETTINGS)
    monkeypatch.undo()
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0")
    keys["version of tokenizers"] = features_key(EXAMPLES, tokenizer, **SETTINGS)
    with capsys.disabled():
        print(f"\n0 stale hits in {len(keys) - 1} changes of the input")
    names = {key: name for name, key in keys.items()}
    assert [(name, names[key]) for name, key in keys.items() if names[key] != name] == []
    assert len(keys) > 50


def test_edited_tokenizer_file_of_the_same_size_and_time_is_noticed(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, built: list[int]
) -> None:
    tokenizer.save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "tokenizer.json"
    status = path.stat()
    for text in (path.read_text("utf-8"), path.read_text("utf-8").replace('"denmark"', '"germany"')):
        path.write_text(text, "utf-8")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert path.stat().st_size == status.st_size
        loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path / "model")
        features, is_hit = cached_features(EXAMPLES, loaded, **SETTINGS, cache_dir=tmp_path)
        assert not is_hit
        assert_equal(features, build_features(EXAMPLES, loaded, **SETTINGS))


def test_every_flipped_byte_is_noticed_and_built_again(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, built: list[int]
) -> None:
    expected, _ = cached_features(EXAMPLES, tokenizer, **SETTINGS, cache_dir=tmp_path)
    path = stored_file(tmp_path)
    good = path.read_bytes()
    header = 64 + 8 + int.from_bytes(good[64:72], "little")
    places = [*range(header), *range(header, len(good), 7), len(good) - 1]
    damaged = [bytearray(good) for _ in places]
    for place, data in zip(places, damaged, strict=True):
        data[place] ^= 1 << place % 8
    cuts = [good[:size] for size in (0, 1, 63, 64, 65, 71, 72, header, len(good) // 2, len(good) - 1)]
    key = path.stem
    # Most of them at the reader alone, so that not every one costs a build and its fsyncs.
    for data in (*damaged, *cuts, good + b"\0", bytes(len(good))):
        path.write_bytes(data)
        assert cache._load(path, key) is None
    built.clear()
    for data in (*damaged[:: len(damaged) // 12], *cuts):
        path.write_bytes(data)
        features, is_hit = cached_features(EXAMPLES, tokenizer, **SETTINGS, cache_dir=tmp_path)
        assert not is_hit
        assert_equal(features, expected)
        assert path.read_bytes() == good
    assert len(built) >= 22


def test_file_under_another_name_is_not_used(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    cached_features(EXAMPLES, tokenizer, **SETTINGS, cache_dir=tmp_path)
    key = features_key(EXAMPLES[:1], tokenizer, **SETTINGS)
    stored_file(tmp_path).rename(tmp_path / "features" / f"{key}.safetensors")
    features, is_hit = cached_features(EXAMPLES[:1], tokenizer, **SETTINGS, cache_dir=tmp_path)
    assert not is_hit
    assert_equal(features, build_features(EXAMPLES[:1], tokenizer, **SETTINGS))


@pytest.mark.parametrize(
    "obstacle", ["parent is a file", "folder is read-only", "file cannot be read", "no locks", "disk full"]
)
def test_unusable_folder_means_a_private_build_and_one_warning(
    obstacle: str,
    tokenizer: PreTrainedTokenizerFast,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = tmp_path / "cache"
    if obstacle == "parent is a file":
        folder.write_bytes(b"")
    elif obstacle == "folder is read-only":
        monkeypatch.setattr(os, "open", refuse(errno.EROFS, os.open, os.O_CREAT))
    elif obstacle == "file cannot be read":
        (folder / "features" / f"{features_key(EXAMPLES, tokenizer, **SETTINGS)}.safetensors").mkdir(parents=True)
    elif obstacle == "no locks":
        monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK, fcntl.flock, 0))
    else:
        monkeypatch.setattr(os, "fsync", refuse(errno.ENOSPC, os.fsync, 0))
    for _ in range(2):
        features, is_hit = cached_features(EXAMPLES, tokenizer, **SETTINGS, cache_dir=folder)
        assert not is_hit
        assert_equal(features, build_features(EXAMPLES, tokenizer, **SETTINGS))
    (warning,) = warnings_in(caplog)
    assert str(folder / "features") in warning.message
    assert not list(tmp_path.rglob(".tmp-*"))


def refuse(number: int, function: Any, flag: int) -> Any:
    """A system call that fails, where it is asked with `flag`."""

    def refusing(*args: Any, **kwargs: Any) -> Any:
        if flag and not args[1] & flag:
            return function(*args, **kwargs)
        raise OSError(number, os.strerror(number))

    return refusing


def test_read_only_folder_still_serves(
    tokenizer: PreTrainedTokenizerFast,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cached_features(EXAMPLES, tokenizer, **SETTINGS, cache_dir=tmp_path)
    monkeypatch.setattr(os, "open", refuse(errno.EROFS, os.open, os.O_CREAT))
    _, is_hit = cached_features(EXAMPLES, tokenizer, **SETTINGS, cache_dir=tmp_path)
    assert is_hit
    assert not warnings_in(caplog)


def test_faults_of_the_user_are_not_hidden(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        cached_features(EXAMPLES, tokenizer, max_length=8, doc_stride=8, cache_dir=tmp_path)
    with pytest.raises(DataError):
        cached_features([Example("1", "t", "\ud800", "q", ())], tokenizer, **SETTINGS, cache_dir=tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_truncated_questions_are_told_on_a_hit_too(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    examples = [dataclasses.replace(EXAMPLES[0], question="who " * 40)]
    for expected in (1, 2):
        features, _ = cached_features(examples, tokenizer, **SETTINGS, cache_dir=tmp_path)
        assert features.num_truncated_questions == 1
        assert len(warnings_in(caplog)) == expected


# Runs in a process of its own, because a process with threads must not fork: the parent imports once, children work.
# argv: the cache folder, the log of builds, the number of children, seconds that a build takes.
CHILDREN = """
import os, sys, time
from pathlib import Path
from tests.data import test_cache as tests
folder, log, count, seconds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
plain = tests.cache.build_features

def build(*args, **kwargs):
    with open(log, "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(seconds)
    return plain(*args, **kwargs)

tests.cache.build_features = build
start = time.monotonic() + 0.3
pids = []
for _ in range(count):
    pid = os.fork()
    if pid == 0:
        time.sleep(max(0, start - time.monotonic()))
        found, _ = tests.cached_features(tests.EXAMPLES, tests.make_tokenizer(), **tests.SETTINGS, cache_dir=folder)
        tests.assert_equal(found, plain(tests.EXAMPLES, tests.make_tokenizer(), **tests.SETTINGS))
        os._exit(0)
    pids.append(pid)
print(*[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids], flush=True)
"""


def children(folder: Path, log: Path, count: int, seconds: float, crash_at: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "QAEXP_CRASH_AT": crash_at}
    command = [sys.executable, "-c", CHILDREN, str(folder), str(log), str(count), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=REPOSITORY)


def test_eight_processes_build_once(tmp_path: Path) -> None:
    with children(tmp_path, tmp_path / "builds", 8, 0.2) as process:
        out, _ = process.communicate(timeout=300)
    assert out.split() == ["0"] * 8
    assert len((tmp_path / "builds").read_text().split()) == 1


@pytest.mark.parametrize("point", ["write", "fsync", "rename", "renamed"])
def test_killed_builder_leaves_nothing_half(
    point: str, tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: list[int]
) -> None:
    name = f"{features_key(EXAMPLES, tokenizer, **SETTINGS)}.safetensors"
    with children(tmp_path, tmp_path / "builds", 1, 0, f"{point}:{name}") as process:
        out, _ = process.communicate(timeout=300)
    assert out.split() == ["-9"]
    features, is_hit = cached_features(EXAMPLES, tokenizer, **SETTINGS, cache_dir=tmp_path)
    assert is_hit == (point == "renamed")
    assert_equal(features, build_features(EXAMPLES, tokenizer, **SETTINGS))
    assert stored_file(tmp_path).name == name
    assert not list(tmp_path.rglob(".tmp-*"))


def test_lock_of_a_killed_builder_is_free(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    log = tmp_path / "builds"
    with children(tmp_path, log, 1, 600) as process:
        deadline = time.monotonic() + 60
        while not log.exists() or not log.read_text().endswith("\n"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(int(log.read_text()), 9)
        features, is_hit = cached_features(EXAMPLES, tokenizer, **SETTINGS, cache_dir=tmp_path)
        process.communicate(timeout=300)
    assert not is_hit
    assert len(features)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)])
def test_the_same_examples_in_another_order_share_one_file(
    order: tuple[int, ...], tokenizer: PreTrainedTokenizerFast, tmp_path: Path, built: list[int]
) -> None:
    examples = [*EXAMPLES, Example("0", "Normans", CONTEXT * 3, "who " * 30, ())]
    cached_features(examples, tokenizer, **SETTINGS, cache_dir=tmp_path)
    mixed = [examples[place] for place in order]
    found, is_hit = cached_features(mixed, tokenizer, **SETTINGS, cache_dir=tmp_path)
    assert is_hit
    assert len(built) == 1
    assert_equal(found, build_features(mixed, tokenizer, **SETTINGS))
    stored_file(tmp_path)
    fewer, is_hit = cached_features(mixed[:2], tokenizer, **SETTINGS, cache_dir=tmp_path)
    assert not is_hit
    assert_equal(fewer, build_features(mixed[:2], tokenizer, **SETTINGS))


def test_two_examples_of_one_id_keep_their_places(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    twice = [EXAMPLES[2], dataclasses.replace(EXAMPLES[0], id="3"), EXAMPLES[1]]
    for examples in (twice, twice[::-1], twice):
        found, _ = cached_features(examples, tokenizer, **SETTINGS, cache_dir=tmp_path)
        assert_equal(found, build_features(examples, tokenizer, **SETTINGS))
