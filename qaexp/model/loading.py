"""Open a checkpoint's tokenizer, config and weights with transformers; every way to fail becomes one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from qaexp.errors import ConfigError, IntegrityError
from qaexp.model.layers import is_head

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

_NAMES_SHOWN = 5
_OLDEST_TORCH = (2, 10)


def open_tokenizer(folder: Path, checkpoint: str) -> PreTrainedTokenizerFast:
    """Open a fast tokenizer, without the truncation and padding that its file may preset.

    Args:
        folder: The checkpoint's files.
        checkpoint: What the user called them, for messages.

    Raises:
        ConfigError: There is none, or only a slow one, which knows no character offsets.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    way_out = "choose a model with a tokenizer.json, for example model=minilm"

    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
    except Exception as error:  # whatever the parsers of many formats raise
        _refuse(checkpoint, "its tokenizer cannot be opened", error)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ConfigError(
            f"model.checkpoint={checkpoint} has only a slow tokenizer ({type(tokenizer).__name__}), which knows no "
            f"character offsets; {way_out}"
        )
    # Where there is no file at all, transformers gives one that knows nothing but special tokens.
    files = ["tokenizer.json", *tokenizer.vocab_files_names.values()]
    if not any((folder / name).is_file() for name in files):
        names = ", ".join(dict.fromkeys(files))
        raise ConfigError(f"model.checkpoint={checkpoint} has no file of a tokenizer ({names}); {way_out}")
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def open_config(folder: Path, checkpoint: str) -> PreTrainedConfig:
    """Open config.json.

    Raises:
        ConfigError: It is no config, or one of an architecture without a question-answering head.
    """
    from transformers import AutoConfig, AutoModelForQuestionAnswering

    try:
        with quiet():
            config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    except Exception as error:  # KeyError, ValueError, OSError or the validation errors of config classes
        _refuse(checkpoint, "its config.json is no config that transformers knows", error)
    if type(config) not in AutoModelForQuestionAnswering._model_mapping:
        raise ConfigError(
            f"model.checkpoint={checkpoint} is a {config.model_type} model, for which transformers has no "
            "question-answering head; choose an encoder, for example model=minilm or model=bert_base"
        )
    return config  # type: ignore[no-any-return]


def check_vocabulary(checkpoint: str, tokenizer: PreTrainedTokenizerFast, config: PreTrainedConfig) -> None:
    """Hold the tokenizer's ids against the embeddings.

    Raises:
        ConfigError: The tokenizer has an id without a row.
    """
    highest, size = max(tokenizer.get_vocab().values()), getattr(config, "vocab_size", None)
    if size is not None and highest >= size:
        raise ConfigError(
            f"model.checkpoint={checkpoint}: its tokenizer has ids up to {highest}, but its embeddings only {size} "
            "rows; use the tokenizer that was saved with these weights, or another model, for example model=minilm"
        )


def draw_weights(config: PreTrainedConfig) -> tuple[PreTrainedModel, list[str]]:
    """Build a model whose weights are all fresh; returns it and the names of all its parameters."""
    from transformers import AutoModelForQuestionAnswering

    model = AutoModelForQuestionAnswering.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
    return model, [name for name, _ in model.named_parameters()]


def open_weights(folder: Path, checkpoint: str, config: PreTrainedConfig) -> tuple[PreTrainedModel, list[str]]:
    """Open weights in float32; those of the head are drawn when the checkpoint has none.

    Returns:
        The model, and the names of its fresh parameters.

    Raises:
        ConfigError: A weight of the encoder is missing.
        IntegrityError: The bytes cannot be read, or do not fit the config.
    """
    import torch
    from transformers import AutoModelForQuestionAnswering

    check_torch_version(torch.__version__)
    try:
        model, info = AutoModelForQuestionAnswering.from_pretrained(
            str(folder),
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:  # safetensors and transformers raise many kinds for bytes that do not fit
        raise IntegrityError(
            f"model.checkpoint={checkpoint}: its weights cannot be read, or are not those of its config.json "
            f"({_summary(error)}); get the files again"
        ) from error
    missing = sorted(info["missing_keys"])
    needed = [name for name in missing if not is_head(model, name)]
    if needed:
        more = f" and {len(needed) - _NAMES_SHOWN} more" if len(needed) > _NAMES_SHOWN else ""
        raise ConfigError(
            f"model.checkpoint={checkpoint} has no weights for {', '.join(needed[:_NAMES_SHOWN])}{more}; only the "
            "head may be fresh, so use weights of this architecture, or model.random_weights=true"
        )
    return model, missing


def check_torch_version(version: str) -> None:
    """Refuse a torch whose loading of foreign files is not safe enough, however it came here.

    Raises:
        ConfigError: It is older than pyproject.toml allows.

    >>> check_torch_version("2.13.0+cpu")
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) < _OLDEST_TORCH:
        raise ConfigError(
            f"torch {version} is installed, and qaexp needs {'.'.join(map(str, _OLDEST_TORCH))} or newer; "
            "pip install -U torch"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' loading report and bars off the screen: what matters of them is said by our own log."""
    from logging import ERROR

    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _refuse(checkpoint: str, what: str, error: Exception) -> NoReturn:
    raise ConfigError(
        f"model.checkpoint={checkpoint}: {what} ({_summary(error)}); choose another checkpoint, for example "
        "model=minilm (code inside a checkpoint is never run)"
    ) from error


def _summary(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
