"""The node `model`: a checkpoint's name, and how its weights are changed before training."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.errors import ConfigError, DivergedError, IntegrityError
from qaexp.errors.advice import set_to, setting, the_model
from qaexp.model.dropout import set_dropout
from qaexp.model.folder import WEIGHTS, check_blob, combined, hash_file, weight_files
from qaexp.model.layers import freeze
from qaexp.model.loading import check_vocabulary, draw_weights, open_config, open_tokenizer, open_weights, quiet
from qaexp.model.owned import check_owned
from qaexp.model.size import check_files, check_size
from qaexp.model.snapshot import Snapshot, take_snapshot
from qaexp.model.source import CheckpointFolder, locate
from qaexp.model.tensors import count_numbers, read_tensors

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

# A checkpoint may carry the hash of its weights, so that choosing another one drops the hash with it.
PIN = "#sha256="
LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class LoadedModel:
    """Weights with a question-answering head, the tokenizer they belong to, and where both come from.

    `source` is JSON-able: checkpoint, kind (`hub`, `package` or `local`), revision, commit, sha256 of the weights,
    fresh_weights (names of the parameters that no checkpoint gave), num_parameters and num_trainable.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    source: dict[str, Any]

    @property
    def with_token_types(self) -> bool:
        """Does the model tell question and context apart by token_type_ids?"""
        import inspect

        parameters = inspect.signature(type(self.model).forward).parameters
        return "token_type_ids" in parameters and "token_type_ids" in self.tokenizer.model_input_names


class Checkpoint:
    """A checkpoint by name; nothing is opened or fetched before it is asked for.

    Args:
        checkpoint: Hub id, local folder (also another run's model/) or `package://module/folder`; `#sha256=...` behind
            it is the required hash, where `sha256` gives none.
        revision: Commit, tag or branch of a hub checkpoint.
        sha256: Required sha256 of model.safetensors.
        random_weights: Take only the architecture and the tokenizer; all weights are fresh.
        hidden_dropout: Dropout of hidden states; None keeps the checkpoint's own.
        attention_dropout: Dropout of attention weights; None keeps the checkpoint's own.
        freeze_embeddings: Do not train the embeddings.
        freeze_layers: Do not train the first n layers, nor the embeddings below them.
    """

    def __init__(
        self,
        *,
        checkpoint: str,
        revision: str | None = None,
        sha256: str | None = None,
        random_weights: bool = False,
        hidden_dropout: float | None = None,
        attention_dropout: float | None = None,
        freeze_embeddings: bool = False,
        freeze_layers: int = 0,
    ) -> None:
        checkpoint, _, pinned = checkpoint.partition(PIN)
        if pinned and sha256 is None:
            sha256 = pinned
        if sha256 is not None and random_weights:
            raise ConfigError(
                f"{setting('model.sha256', sha256)} has no effect with {setting('model.random_weights', 'true')}; "
                "set it to null"
            )
        self.checkpoint = checkpoint
        self.revision = revision
        self.sha256 = sha256
        self.random_weights = random_weights
        self.hidden_dropout = hidden_dropout
        self.attention_dropout = attention_dropout
        self.freeze_embeddings = freeze_embeddings
        self.freeze_layers = freeze_layers

    @cached_property
    def folder(self) -> CheckpointFolder:
        """The checkpoint's files on this machine, fetched if need be; see `locate` for what it raises."""
        return locate(self.checkpoint, self.revision, with_weights=not self.random_weights)

    @cached_property
    def snapshot(self) -> Snapshot:
        """config.json and the tokenizer's files: what is hashed is what is opened; see `take_snapshot`."""
        return take_snapshot(self.folder)

    @cached_property
    def weights_sha256(self) -> str | None:
        """The sha256 of the weights, None with random_weights.

        Raises:
            ConfigError: They do not fit into this machine's memory.
            IntegrityError: It is not `model.sha256`, not what the hub had or the run wrote that the files belong to, or
                they hold no weights.
        """
        if self.random_weights:
            return None
        files = weight_files(self.folder.path)
        check_files(self.checkpoint, files)
        # What is no file of weights is refused before all of it is read.
        count_numbers(files)
        hashes = {path.name: hash_file(path) for path in files}
        if self.folder.kind == "hub":
            for path in files:
                check_blob(path, None, hashes[path.name])
        elif self.folder.kind == "local":
            try:
                check_owned(self.folder.path, hashes)
            except IntegrityError as error:
                _check_finite(files, error)
                raise
        found = combined(hashes)
        if self.sha256 is not None and found != self.sha256.lower():
            raise IntegrityError(
                f"{setting('model.sha256', self.sha256)}, but the {WEIGHTS} of {the_model(self.checkpoint)} has "
                f"{found}; get the file again, or {set_to('model.sha256', 'null')} if you chose another checkpoint on "
                "purpose"
            )
        return found

    @property
    def num_stored(self) -> int | None:
        """How many numbers the stored weights hold, told by their headers; None with random_weights."""
        return None if self.random_weights else count_numbers(weight_files(self.folder.path))

    def fingerprint(self) -> dict[str, Any]:
        """What identifies the weights and the tokenizer, whatever the folder is called; part of a run's identity.

        Returns:
            kind, commit (hub only), and the sha256 of config.json, of the tokenizer's files and of the weights
            (None for the hub, where the commit says it, and with random_weights).
        """
        needs_hash = self.folder.kind != "hub" or self.sha256 is not None
        return {
            "kind": self.folder.kind,
            "commit": self.folder.commit,
            "config_sha256": self.snapshot.config_sha256,
            "tokenizer_sha256": self.snapshot.tokenizer_sha256,
            "weights_sha256": self.weights_sha256 if needs_hash else None,
        }

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The checkpoint's fast tokenizer, without the truncation and padding that its file may preset.

        Raises:
            ConfigError: There is none, or only a slow one, which knows no character offsets; it knows more tokens than
                the model; or the architecture has no question-answering head.
        """
        config = open_config(self.snapshot, self.checkpoint)
        tokenizer = open_tokenizer(self.snapshot, self.checkpoint, config)
        check_vocabulary(self.checkpoint, tokenizer, config)
        return tokenizer

    def architecture(self) -> dict[str, Any]:
        """The keys of config.json, with the architecture's defaults for those that the file leaves out."""
        config = open_config(self.snapshot, self.checkpoint)
        # Families that call it otherwise (GPT-2) answer to this name too.
        return {**config.to_dict(), "max_position_embeddings": getattr(config, "max_position_embeddings", None)}

    def load(self, *, seed: int) -> LoadedModel:
        """Open the weights, in float32 on the CPU, and draw those that the checkpoint does not have.

        Args:
            seed: Fresh weights are a function of it alone, never of what was drawn before.

        Raises:
            ConfigError: As `tokenizer` does; or a weight other than the head's is missing, or a setting does not fit
                this model.
            IntegrityError: The weights are not those of `model.sha256`, or cannot be read.
        """
        import torch

        if self.folder.kind == "hub":
            # What was said when the folder was looked for came before the run had a log.
            LOG.info("%s: commit %s of the hub, read from %s", self.checkpoint, self.folder.commit, self.folder.path)
        tokenizer, config = self.tokenizer(), open_config(self.snapshot, self.checkpoint)
        if getattr(config, "chunk_size_feed_forward", 0):
            # It saves memory alone, and transformers refuses lengths that are no multiple of it.
            config.chunk_size_feed_forward = 0
        set_dropout(config, hidden=self.hidden_dropout, attention=self.attention_dropout)
        with quiet(), torch.random.fork_rng(devices=[]):
            tensors = self._read_weights(config)
            torch.default_generator.manual_seed(seed)
            model, fresh = draw_weights(config) if tensors is None else open_weights(tensors, self.checkpoint, config)
        freeze(model, embeddings=self.freeze_embeddings, layers=self.freeze_layers)
        if fresh:
            LOG.info("fresh weights (seed %d): %s", seed, "all" if self.random_weights else ", ".join(fresh))
        source = {
            "checkpoint": self.checkpoint,
            "kind": self.folder.kind,
            "revision": self.revision,
            "commit": self.folder.commit,
            "sha256": self.weights_sha256,
            "fresh_weights": fresh,
            "num_parameters": sum(p.numel() for p in model.parameters()),
            "num_trainable": sum(p.numel() for p in model.parameters() if p.requires_grad),
        }
        return LoadedModel(model, tokenizer, source)

    def _read_weights(self, config: PreTrainedConfig) -> dict[str, Tensor] | None:
        """Read the weights that were hashed, if the config is of a model of their size; None with random_weights."""
        if self.random_weights:
            check_size(self.checkpoint, config, None)
            return None
        files = weight_files(self.folder.path)
        expected = self.weights_sha256
        check_size(self.checkpoint, config, count_numbers(files))
        tensors, hashes = read_tensors(files)
        if (found := combined(hashes)) != expected:
            raise IntegrityError(
                f"{the_model(self.checkpoint)}: its weights changed while they were read ({expected} became "
                f"{found}); start again when nobody writes to {self.folder.path}"
            )
        return tensors


def _check_finite(files: Sequence[Path], error: IntegrityError) -> None:
    """Say of weights that are refused, too, that no number comes of them: that decides the exit code.

    Raises:
        DivergedError: A tensor holds NaN or Inf.
    """
    spoilt = [name for name, tensor in read_tensors(list(files))[0].items() if not tensor.isfinite().all()]
    if spoilt:
        raise DivergedError(*error.problems, f"NaN or Inf in {spoilt[0]}: such weights give no score") from error
