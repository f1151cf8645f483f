"""From what transformers' `pipeline` took beside the settings of a call to a model that is ready to answer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from qaexp.errors import ConfigError
from qaexp.model.exported import LoadedExport
from qaexp.model.settings import model_settings
from qaexp.predictor.answers import model_folder
from qaexp.predictor.opened import Opened, opened, opened_checkpoint, opened_model
from qaexp.predictor.pipeline_arguments import device_name, kind_of, precision_of, shown
from qaexp.storage.model_places import place_of

# The values that change nothing here.
_WITHOUT_EFFECT: Mapping[str, tuple[Any, ...]] = {
    "feature_extractor": (None,),
    "image_processor": (None,),
    "processor": (None,),
    "framework": (None, "pt"),
    "use_fast": (None, True),
    "trust_remote_code": (None, False, True),
    "pipeline_class": (None,),
}
TAKEN = (*_WITHOUT_EFFECT, "token", "use_auth_token", "device_map", "model_kwargs")
"""The names of what may be in `Given.more`."""

# Keys of a config that say nothing about what the model computes.
_OF_NO_MATTER = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"}


@dataclass(frozen=True, slots=True)
class Given:
    """What `pipeline` was given beside its task and the settings of a call.

    Attributes:
        model: A name, or a model of transformers.
        config: None, or the model's own: an object, or the model's name.
        tokenizer: None, a name, or a tokenizer.
        revision: Commit, tag or branch of a hub id.
        device: As transformers takes it.
        dtype: As transformers takes it.
        more: The other arguments of transformers, by name.
    """

    model: Any
    config: Any = None
    tokenizer: Any = None
    revision: str | None = None
    device: Any = None
    dtype: Any = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def opened(self) -> Opened:
        """Open the model, whatever it is named by.

        Raises:
            ConfigError: There is no such model, an argument does not fit it, or is one that cannot be kept.
            IntegrityError: The model belongs to a run or an export, and was changed.
        """
        self._check_harmless()
        found = self._found(device_name(self._device()), precision_of(self._dtype()))
        config = getattr(found.loaded.model, "config", None)
        self._check_config(config)
        if self.more.get("trust_remote_code") and getattr(config, "auto_map", None):
            raise ConfigError(
                "trust_remote_code is True, and the model brings code along, which qaexp never runs; leave it out to "
                "answer with transformers' own code for this architecture"
            )
        return found

    def _check_harmless(self) -> None:
        """Refuse what would have an effect elsewhere and has none here; a secret is not shown."""
        for name, harmless in _WITHOUT_EFFECT.items():
            if self.more.get(name) not in harmless:
                raise ConfigError(
                    f"{name} is {shown(self.more[name])}, which qaexp's pipeline does not take; leave it out"
                )
        is_hub = _is_name(self.model) and not _names_folder(str(self.model))
        for name in ("token", "use_auth_token"):
            if isinstance(self.more.get(name), str) and is_hub:
                raise ConfigError(f"{name} is given; leave it out, and set the environment variable HF_TOKEN to it")

    def _device(self) -> Any:
        """The device, by either of its names."""
        mapped = self.more.get("device_map")
        if mapped is None:
            return self.device
        if not isinstance(mapped, str):
            raise ConfigError(f"device_map is {shown(mapped)}; a model is on one device here, device='cpu' for example")
        if self.device is not None:
            raise ConfigError("device and device_map are given; give one of them")
        return None if mapped == "auto" else mapped

    def _dtype(self) -> Any:
        """The dtype, also where it is among model_kwargs."""
        given = self.more.get("model_kwargs") or {}
        if not isinstance(given, Mapping):
            raise ConfigError(f"model_kwargs is {shown(given)}; give a mapping, such as {{'dtype': 'float32'}}")
        inner = dict(given)
        inner.pop("low_cpu_mem_usage", None)
        found = [value for value in (self.dtype, inner.pop("dtype", None), inner.pop("torch_dtype", None)) if value]
        if inner:
            raise ConfigError(
                f"model_kwargs has {', '.join(map(str, inner))}; qaexp's pipeline takes dtype (or torch_dtype) alone, "
                "and a model that was opened otherwise as an object"
            )
        return found[0] if found else None

    def _found(self, device: str, precision: str) -> Opened:
        if not _is_name(self.model):
            if self.tokenizer is None:
                raise ConfigError("model is an object, and tokenizer is missing; give it too, as an object or a name")
            if self.revision is not None:
                raise ConfigError("revision is given, and the model is an object; leave it out")
            return opened_model(self.model, _tokenizer(self.tokenizer), device=device, precision=precision)
        name = str(self.model)
        if not name:
            raise ConfigError("model is ''; give the directory of a completed run, a model's folder, or a hub id")
        if _names_folder(name):
            if self.revision is not None:
                raise ConfigError(f"revision is {shown(self.revision)}, and {name} is a folder; leave it out")
            folder = model_folder(Path(name))
            found = opened(folder, model_settings(folder), device=device, precision=precision)
        else:
            found = opened_checkpoint(name, device=device, precision=precision, revision=self.revision)
        return found if self.tokenizer is None or self._is_model(self.tokenizer) else self._retold(found)

    def _retold(self, found: Opened) -> Opened:
        """The model with a tokenizer that is not the one beside it."""
        if isinstance(found.loaded, LoadedExport):
            raise ConfigError("tokenizer is given, and an export has its own; leave it out")
        from transformers import PreTrainedTokenizerFast

        from qaexp.model.loading import check_vocabulary

        tokenizer = _tokenizer(self.tokenizer)
        if not isinstance(tokenizer, PreTrainedTokenizerFast):
            raise ConfigError(f"tokenizer is {kind_of(tokenizer)}, it must be a fast tokenizer of transformers")
        check_vocabulary(str(self.model), tokenizer, found.loaded.model.config)
        return replace(found, loaded=replace(found.loaded, tokenizer=tokenizer))

    def _is_model(self, other: Any) -> bool:
        return _is_name(other) and _is_name(self.model) and str(other) == str(self.model)

    def _check_config(self, own: Any) -> None:
        """Refuse a config that is not the model's own."""
        if self.config is None or self.config is own or self._is_model(self.config):
            return
        if (told := _computes(self.config)) is None or told != _computes(own):
            raise ConfigError("config is not the model's own, and a model has one; leave it out")


def _computes(config: Any) -> dict[str, Any] | None:
    """What a config says about what its model computes; None of anything else."""
    if not callable(getattr(config, "to_dict", None)):
        return None
    return {name: value for name, value in config.to_dict().items() if name not in _OF_NO_MATTER}


def _is_name(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike))


def _tokenizer(tokenizer: Any) -> Any:
    """A tokenizer, opened where it is given by name."""
    if not _is_name(tokenizer):
        return tokenizer
    from qaexp.model import Checkpoint

    name = str(tokenizer)
    place = str(model_folder(Path(name))) if _names_folder(name) else name
    # The weights beside it are neither wanted nor fetched.
    return Checkpoint(checkpoint=place, random_weights=True).tokenizer()


def _names_folder(name: str) -> bool:
    """Whether a name is that of a folder; beside folders that are here, also one that is not, rather than a hub id."""
    kind, parent = place_of(name), Path(name).parent
    return kind == "local" or kind is None or (kind == "hub" and bool(parent.name) and parent.is_dir())
