"""What a run asks a hub for by name, which must not be a secret."""

from __future__ import annotations

import os

from qaexp.config.schema import ExperimentConfig
from qaexp.errors import IntegrityError
from qaexp.model.checkpoint import PIN
from qaexp.storage.model_places import place_of
from qaexp.storage.origins import Origins
from qaexp.storage.redact import Redactor
from qaexp.storage.secret_names import is_secret_variable
from qaexp.storage.sources import FILES, SOURCES


def check_no_secret_is_asked_for(config: ExperimentConfig, origins: Origins | None) -> None:
    """Refuse to send a secret to a hub as a name.

    Raises:
        IntegrityError: A name that would be part of a request contains a secret, or comes from a secret variable.
    """
    keys = [key for row in SOURCES.values() for key in row.needs if key not in FILES]
    asked = {f"data.{key}": getattr(config.data, key) for key in keys}
    asked["model.revision"] = config.model.revision
    if place_of(config.model.checkpoint.partition(PIN)[0]) == "hub":
        asked["model.checkpoint"] = config.model.checkpoint
    redactor = Redactor(os.environ)
    for key, value in asked.items():
        _, variables = (origins or {}).get(tuple(key.split(".")), ("", ()))
        if value is not None and (redactor.finds(value) or any(map(is_secret_variable, variables))):
            raise IntegrityError(
                f"{key} holds a secret, and a hub would be asked for it by name; write the name out, or use a variable "
                "whose name does not suggest a secret"
            )
