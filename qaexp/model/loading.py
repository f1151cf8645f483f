"""Open a checkpoint's tokenizer, config and weights with transformers; every way to fail becomes one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from qaexp.errors import ConfigError, IntegrityError, StorageError
from qaexp.errors.advice import another_model, set_to, the_model
from qaexp.model.layers import is_head
from qaexp.model.redirects import check_config, check_tokenizer, parse_object
from qaexp.model.snapshot import CONFIG, Snapshot

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

_NAMES_SHOWN = 5
_OLDEST_TORCH = (2, 10)


class WrongFamilyError(ConfigError):
    """The model is of an architecture without a question-answering head."""


def open_tokenizer(snapshot: Snapshot, checkpoint: str, config: PreTrainedConfig) -> PreTrainedTokenizerFast:
    """Open a fast tokenizer, without the truncation and padding that its file may preset.

    Args:
        snapshot: The checkpoint's small files; no other file has a say.
        checkpoint: What the user called them, for messages.
        config: The model's config.

    Raises:
        ConfigError: There is none, or only a slow one, which knows no character offsets.
        IntegrityError: Its files lead to other files.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    way_out = another_model("model with a tokenizer.json")
    try:
        check_tokenizer(checkpoint, snapshot.tokenizer)
        with quiet(), snapshot.unpacked() as folder:
            tokenizer = AutoTokenizer.from_pretrained(str(folder), config=config, trust_remote_code=False)
    except (IntegrityError, StorageError):
        raise
    except Exception as error:  # whatever the parsers of many formats raise
        _refuse(checkpoint, "its tokenizer cannot be opened", error)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ConfigError(
            f"{the_model(checkpoint)} has only a slow tokenizer ({type(tokenizer).__name__}), which knows no "
            f"character offsets; {way_out}"
        )
    # Where there is no file at all, transformers gives one that knows nothing but special tokens.
    files = ["tokenizer.json", *tokenizer.vocab_files_names.values()]
    if not any(name in snapshot.tokenizer for name in files):
        names = ", ".join(dict.fromkeys(files))
        raise ConfigError(f"{the_model(checkpoint)} has no file of a tokenizer ({names}); {way_out}")
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def open_config(snapshot: Snapshot, checkpoint: str) -> PreTrainedConfig:
    """Open config.json.

    Raises:
        ConfigError: It is no config, or one of an architecture without a question-answering head.
        IntegrityError: It leads to other files or runs code, or has numbers that no model has.
    """
    from transformers import AutoConfig

    try:
        values = parse_object(snapshot.config, CONFIG)
        check_config(checkpoint, values)
        _check_family(checkpoint, values.get("model_type"))
        with quiet(), snapshot.unpacked() as folder:
            config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    except (IntegrityError, StorageError, WrongFamilyError):
        raise
    except Exception as error:  # KeyError, ValueError, OSError or the validation errors of config classes
        _refuse(checkpoint, "its config.json is no config that transformers knows", error)
    # Some families choose their tokenizer by it; a folder's name decides nothing.
    config.name_or_path = ""
    return config  # type: ignore[no-any-return]


def check_vocabulary(checkpoint: str, tokenizer: PreTrainedTokenizerFast, config: PreTrainedConfig) -> None:
    """Hold the tokenizer's ids against the embeddings.

    Raises:
        ConfigError: The tokenizer has an id without a row.
    """
    highest, size = max(tokenizer.get_vocab().values()), getattr(config, "vocab_size", None)
    if size is not None and highest >= size:
        raise ConfigError(
            f"{the_model(checkpoint)}: its tokenizer has ids up to {highest}, but its embeddings only {size} "
            f"rows; use the tokenizer that was saved with these weights, or {another_model('model')}"
        )


def _check_family(checkpoint: str, model_type: Any) -> None:
    """Refuse a known architecture without a question-answering head, before anything of it is built."""
    from transformers import CONFIG_MAPPING, AutoModelForQuestionAnswering

    if model_type in CONFIG_MAPPING and CONFIG_MAPPING[model_type] not in AutoModelForQuestionAnswering._model_mapping:
        raise WrongFamilyError(
            f"{the_model(checkpoint)} is a {model_type} model, for which transformers has no "
            f"question-answering head; {another_model('checkpoint (an encoder)')}"
        )


def draw_weights(config: PreTrainedConfig) -> tuple[PreTrainedModel, list[str]]:
    """Build a model whose weights are all fresh; returns it and the names of all its parameters."""
    from transformers import AutoModelForQuestionAnswering

    model = AutoModelForQuestionAnswering.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
    return model, [name for name, _ in model.named_parameters()]


def open_weights(
    tensors: dict[str, Tensor], checkpoint: str, config: PreTrainedConfig
) -> tuple[PreTrainedModel, list[str]]:
    """Build a model of weights in float32; those of the head are drawn when there are none.

    transformers is given tensors, never a folder: no key of a config, adapter or index leads it to another file.

    Args:
        tensors: The weights by name.
        checkpoint: What the user called them, for messages.
        config: The model's config.

    Returns:
        The model, and the names of its fresh parameters.

    Raises:
        ConfigError: A weight of the encoder is missing.
        IntegrityError: The weights do not fit the config.
    """
    import torch
    from transformers import AutoModelForQuestionAnswering

    check_torch_version(torch.__version__)
    family: Any = AutoModelForQuestionAnswering._model_mapping[type(config)]
    try:
        model, info = family.from_pretrained(
            None, config=config, state_dict=tensors, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # transformers raises many kinds for weights that do not fit
        raise IntegrityError(
            f"{the_model(checkpoint)}: its weights cannot be read, or are not those of its config.json "
            f"({_summary(error)}); get the files again"
        ) from error
    missing = sorted(info["missing_keys"])
    needed = [name for name in missing if not is_head(model, name)]
    if needed:
        more = f" and {len(needed) - _NAMES_SHOWN} more" if len(needed) > _NAMES_SHOWN else ""
        raise ConfigError(
            f"{the_model(checkpoint)} has no weights for {', '.join(needed[:_NAMES_SHOWN])}{more}; only the "
            f"head may be fresh, so use weights of this architecture, or {set_to('model.random_weights', 'true')}"
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
        f"{the_model(checkpoint)}: {what} ({_summary(error)}); {another_model()} "
        "(code inside a checkpoint is never run)"
    ) from error


def _summary(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
